"""Differences with intervals against the levels of factors, a panel each."""
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.visualization.figures import line_style, new_figure, save_figure

PANEL_SIZE = (3.6, 2.9)  # inches
APART = 0.09  # of a level, between the lines of two series


@dataclass(frozen=True)
class LevelMark:
    """One number of a series.

    Attributes:
        level: Place on the axis, from 0 on.
        estimate: The number.
        inner: Its interval, drawn thick; None where there is none.
        outer: A wider one, drawn thin.
    """

    level: int
    estimate: float
    inner: Interval | None = None
    outer: Interval | None = None


@dataclass(frozen=True)
class LevelPanel:
    """One factor.

    Attributes:
        title: Above the panel.
        levels: What the axis says.
        series: Name -> marks; a level without a mark is left open.
        note: In the corner, such as what was expected.
    """

    title: str
    levels: Sequence[str]
    series: dict[str, Sequence[LevelMark]]
    note: str = ''


def plot_levels(panels: Sequence[LevelPanel], path: str | Path, label: str, columns: int = 3,
                dpi: int = 150) -> Path:
    """Draw panels of differences with a line at 0, all on one scale.

    Args:
        panels: At least one, with a mark at least.
        path: .png, .jpg, .pdf or .svg.
        label: Of the vertical axes.
        columns: Panels next to each other.
        dpi: Pixels per inch.

    Returns:
        The figure.

    Raises:
        ValueError: There is nothing to draw.
        ImportError: matplotlib is not installed.
    """
    names = list(dict.fromkeys(name for panel in panels for name in panel.series))
    ends = [end for panel in panels for marks in panel.series.values() for mark in marks
            for end in mark_ends(mark)]
    if not ends:
        raise ValueError('plot_levels: there is no number to draw; give panels with marks')
    columns = min(columns, len(panels))
    rows = math.ceil(len(panels) / columns)
    figure = new_figure(PANEL_SIZE[0] * columns, PANEL_SIZE[1] * rows + .4)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    room = .08 * max(max(ends) - min(ends), .02)
    for place, (one, panel) in enumerate(zip(axes, panels, strict=False)):
        one.axhline(0, color='0.5', linewidth=1)
        for number, name in enumerate(names):
            draw_series(one, panel.series.get(name, ()), number,
                        APART * (number - (len(names) - 1) / 2))
        one.set(xticks=range(len(panel.levels)), xlim=(-.5, len(panel.levels) - .5),
                ylim=(min(*ends, 0) - room, max(*ends, 0) + room),
                ylabel=label if place % columns == 0 else '')
        one.set_xticklabels(panel.levels, fontsize=8)
        one.set_title(panel.title + (f'\n{panel.note}' if panel.note else ''), fontsize=9)
        one.grid(axis='y', color='0.9', linewidth=.8)
        one.set_axisbelow(True)
        one.spines[['top', 'right']].set_visible(False)
    for one in axes[len(panels):]:
        one.set_axis_off()
    from matplotlib.lines import Line2D
    figure.legend(handles=[Line2D([], [], linewidth=1.8, markersize=5, label=name,
                                  **line_style(number)) for number, name in enumerate(names)],
                  loc='outside lower center', ncols=max(len(names), 1), fontsize=8, frameon=False)
    return save_figure(figure, path, dpi)


def mark_ends(mark: LevelMark) -> list[float]:
    """Return the heights that a mark reaches."""
    found = [mark.estimate]
    for interval in (mark.inner, mark.outer):
        found += [] if interval is None else [interval.low, interval.high]
    return found


def draw_series(axes, marks: Sequence[LevelMark], number: int, shift: float) -> None:
    """Draw the marks of one series and their intervals, in order of levels."""
    style = line_style(number)
    ordered = sorted(marks, key=lambda mark: mark.level)
    places, heights = [], []
    for number_of_mark, mark in enumerate(ordered):
        if number_of_mark and mark.level > ordered[number_of_mark - 1].level + 1:
            places.append(mark.level + shift - .5)  # no line over a level that is missing
            heights.append(math.nan)
        places.append(mark.level + shift)
        heights.append(mark.estimate)
    axes.plot(places, heights, linewidth=1.2, markersize=5, **style)
    for mark in ordered:
        for interval, width in ((mark.outer, .8), (mark.inner, 2.2)):
            if interval is not None:
                axes.plot([mark.level + shift] * 2, [interval.low, interval.high],
                          color=style['color'], linewidth=width)
