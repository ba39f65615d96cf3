"""ROC and FROC curves: one function for each."""
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mmwindow.evaluation import DEFAULT_BUDGETS, FROCCurve
from mmwindow.evaluation.roc import ROCCurve
from mmwindow.evaluation.statistics.bands import FROCBand, ROCBand
from mmwindow.visualization.figures import line_style, new_figure, save_figure
from mmwindow.visualization.marks import (
    CurveMark,
    draw_marks,
    lowest_marks,
    mark_handles,
    wide_enough,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

# Where a cut axis shows each curve from: this share of the horizontal axis. Every ROC starts in the
# corner (0, 0), so that some part of each always falls outside.
VISIBLE_FROM = 0.1


@dataclass(frozen=True)
class PlotSettings:
    """How a plot looks.

    Attributes:
        cut_at: The vertical axis starts here, or at the tenth below the lowest curve; 0 shows all.
            A cut axis is marked.
        legend_beside: The legend next to the axes rather than in their lower right corner: with
            weak systems no corner is free.
        size: Width and height in inches.
        dpi: Pixels per inch.
        order: Names of curves: each has the colour of its place here, so that it keeps it from figure
            to figure; others follow.
        title: Above the axes.
        detail_from: A FROC whose axis starts below has a second panel from here on, where several
            curves would be one bundle; 0: never.
    """

    cut_at: float = 0.
    legend_beside: bool = False
    size: tuple[float, float] = (5.5, 4.5)
    dpi: int = 120
    order: tuple[str, ...] = ()
    title: str = ''
    detail_from: float = 0.

    def places(self, names: Iterable[str]) -> dict[str, int]:
        """Return the number of each curve's style by its name."""
        others = len(self.order)
        found = {}
        for name in names:
            if name in self.order:
                found[name] = self.order.index(name)
            else:
                found[name], others = others, others + 1
        return found


PAPER_FIGURE = PlotSettings(cut_at=0.8, legend_beside=True, size=(8, 4.6), dpi=150, detail_from=.6)


class FROCSteps(NamedTuple):
    """What a step plot shows: ``fp_rate`` (rising) and ``recall``, both ``(T + 2,)``."""

    fp_rate: np.ndarray
    recall: np.ndarray


def name_curves(curves: Any, what: str = 'plot') -> dict[str, Any]:
    """Return a dict from legend entry to curve; a curve alone has no entry."""
    if not isinstance(curves, Mapping):
        return {'': curves}
    if not curves:
        raise ValueError(f'{what}: there is no curve to plot; give one, or a dict from name to curve')
    return dict(curves)


def froc_steps(curve: FROCCurve, max_fp_rate: float = 0.) -> FROCSteps:
    """Return what a step plot needs to show the first-crossing recall of every budget.

    The FP rate is not monotone, since findings merge; its running maximum is what a
    reader who lowers the threshold has spent so far.

    Args:
        curve: The exact curve.
        max_fp_rate: A curve that ends before keeps its last recall up to here; one that has a
            floor is not known there, and ends.

    Returns:
        The steps from (0, 0) on; the last is there twice where the curve reaches further, or has a
        floor.
    """
    fp_rate = np.concatenate([[0.], np.maximum.accumulate(curve.fp_rate)])
    recall = np.concatenate([[0.], curve.recall])
    end = fp_rate[-1] if curve.floor is not None else max(max_fp_rate, fp_rate[-1])
    return FROCSteps(np.append(fp_rate, end), np.append(recall, recall[-1]))


def area_under(curve: ROCCurve) -> float:
    """Return the area under a ROC curve; straight lines between points count ties half."""
    heights = (curve.true_positive_rate[1:] + curve.true_positive_rate[:-1]) / 2
    return float((heights * np.diff(curve.false_positive_rate)).sum())


def axis_start(lowest: Iterable[float], cut_at: float) -> float:
    """Return where the vertical axis starts: at ``cut_at`` or the tenth below the lowest value."""
    # A billionth of slack: 0.7 is stored as 0.6999999.
    return float(max(0., min([cut_at, *(np.floor(value * 10 + 1e-9) / 10 for value in lowest)])))


def plot_froc(curves: FROCCurve | Mapping[str, FROCCurve], path: str | Path,
              budgets: Sequence[float] = DEFAULT_BUDGETS, max_fp_rate: float = 1.0,
              bands: FROCBand | Mapping[str, FROCBand] | None = None,
              convention: str = 'first_crossing',
              settings: PlotSettings = PlotSettings(),  # noqa: B008  (frozen)
              operating_points: Sequence[CurveMark] = ()) -> Path:
    """Draw FROC curves; marks show the recalls that make up the FROC score.

    The line is the recall at every budget by first crossing (docs/method.md, section 6),
    so what is read off equals the reported numbers.

    Args:
        curves: One, or several by name.
        path: .png, .jpg, .pdf or .svg.
        budgets: Of the FROC score, false positives per image.
        max_fp_rate: Right end of the axis.
        bands: Intervals to shade, by the curves' names.
        convention: Of the marks and the score; with another than 'first_crossing' the marks lie
            off the line.
        settings: How it looks.
        operating_points: Such as those of readers; the axes reach the farthest.

    Returns:
        The figure.

    Raises:
        ValueError: There is no curve, one has no points and so no recall, or a band is of none.
        ImportError: matplotlib is not installed.
    """
    named = name_curves(curves, 'plot_froc')
    shaded = name_curves(bands) if bands else {}
    if set(shaded) - set(named):
        raise ValueError(f'plot_froc: there are bands of {sorted(shaded)} but curves of '
                         f'{sorted(named)}; give both the same names')
    without = [name for name, curve in named.items() if curve.num_points == 0]
    if without:
        raise ValueError(f'plot_froc: the curves {without} have no points, so no recall; leave them '
                         'out')
    max_fp_rate = max([max_fp_rate, *(1.05 * mark.x for mark in operating_points)])
    start = axis_start([*lowest_marks(operating_points), *(
        curve.recall_at(VISIBLE_FROM * max_fp_rate) for curve in named.values())], settings.cut_at)
    starts = [start]
    if start < settings.detail_from and sum(curve.recall_at(max(budgets)) > settings.detail_from
                                            for curve in named.values()) > 1:
        starts.append(settings.detail_from)
    width, height = wide_enough(settings.size, operating_points)
    figure = new_figure(width * (1 + .6 * (len(starts) - 1)), height)
    for axes, low in zip(figure.subplots(1, len(starts), squeeze=False)[0], starts, strict=True):
        for name, number in settings.places(named).items():
            curve, style = named[name], line_style(number)
            axes.step(*froc_steps(curve, max_fp_rate), where='post', color=style['color'],
                      linestyle=style['linestyle'], linewidth=1.8)
            recalls = [curve.recall_at(budget, convention) for budget in budgets]
            axes.plot(budgets, recalls, style['marker'], color=style['color'], markersize=5,
                      clip_on=max(budgets) > max_fp_rate or min(recalls) < low)
            if name in shaded:
                band = shaded[name]
                axes.fill_between(band.fp_rate, band.low, band.high, step='post',
                                  color=style['color'], alpha=0.15, linewidth=0)
        draw_marks(axes, operating_points)
        axes.set(xlim=(0, max_fp_rate), ylim=(low, 1 + 0.02 * (1 - low)),
                 xlabel='False positives per image', ylabel='Recall of points')
    labels = {name: f'{name + ", " if name else ""}FROC score {curve.score(budgets, convention):.3f}'
              for name, curve in named.items()}
    return finish(figure, path, labels, settings, mark_handles(operating_points, 'recall'))


def zoom_width(curves: Iterable[ROCCurve]) -> float:
    """Return the side of the square at the top left of a ROC that each curve passes through.

    Returns:
        0.2, 0.3, 0.4 or 0.5; 1 where a curve stays out of all of these.
    """
    curves = list(curves)
    for width in (0.2, 0.3, 0.4, 0.5):
        if all(np.interp(width, curve.false_positive_rate, curve.true_positive_rate) >= 1 - width / 2
               for curve in curves):
            return width
    return 1.


def plot_roc(curves: ROCCurve | Mapping[str, ROCCurve], path: str | Path, zoom: bool = False,
             settings: PlotSettings = PlotSettings(),  # noqa: B008  (frozen)
             operating_points: Sequence[CurveMark] = (),
             bands: ROCBand | Mapping[str, ROCBand] | None = None) -> Path:
    """Draw ROC curves of image scores.

    Args:
        curves: One, or several by name.
        path: .png, .jpg, .pdf or .svg.
        zoom: Next to it, draw the top left corner larger; left out where a curve does not come near
            it.
        settings: How it looks.
        operating_points: Such as those of readers.
        bands: Intervals to shade, by the curves' names.

    Returns:
        The figure.

    Raises:
        ValueError: There is no curve, or a band is of none.
        ImportError: matplotlib is not installed.
    """
    named = name_curves(curves, 'plot_roc')
    shaded = name_curves(bands) if bands else {}
    if set(shaded) - set(named):
        raise ValueError(f'plot_roc: there are bands of {sorted(shaded)} but curves of '
                         f'{sorted(named)}; give both the same names')
    corner = zoom_width(named.values()) if zoom else 1.
    width, height = wide_enough(settings.size, operating_points)
    figure = new_figure(*((width, height) if corner == 1 else (2 * width - 1, height + 0.5)))
    panels = figure.subplots(1, 1 if corner == 1 else 2, squeeze=False)[0]
    start = axis_start([*lowest_marks(operating_points), *(
        np.interp(VISIBLE_FROM, curve.false_positive_rate, curve.true_positive_rate)
        for curve in named.values())], settings.cut_at)
    for axes in panels:
        if not start:  # of a cut axis its end would stand where no corner is
            axes.plot([0, 1], [0, 1], color='0.7', linewidth=1)
        for name, number in settings.places(named).items():
            curve = named[name]
            if name in shaded:
                band = shaded[name]
                axes.fill_between(band.false_positive_rate, band.low, band.high, alpha=0.15,
                                  color=line_style(number)['color'], linewidth=0)
            # Equal scores enter together: straight lines between the points count ties half.
            axes.plot(curve.false_positive_rate, curve.true_positive_rate, linewidth=1.8,
                      markersize=5, markevery=(0.02 * number, 0.16), **line_style(number))
        axes.set(xlim=(-0.01, 1), ylim=(start, 1 + 0.01 * (1 - start)),
                 aspect='auto' if start else 'equal',
                 xlabel='1 - specificity (images without a point)',
                 ylabel='Sensitivity (images with a point)')
        draw_marks(axes, operating_points, corner if axes is not panels[0] else 1.)
    if corner < 1:
        panels[1].set(xlim=(-corner / 100, corner), ylim=(1 - corner, 1 + corner / 100),
                      title='top left corner', ylabel='')
    labels = {name: f'{name + ", " if name else ""}AUROC {area_under(curve):.3f}'
              for name, curve in named.items()}
    return finish(figure, path, labels, settings, mark_handles(operating_points, 'sensitivity'))


def finish(figure: 'Figure', path: str | Path, labels: Mapping[str, str],
           settings: PlotSettings, more_handles: Sequence['Line2D'] = ()) -> Path:
    """Add title, grid, legend and the marks of cut axes, and write the figure.

    Args:
        figure: With its curves.
        path: As in :func:`plot_froc`.
        labels: Name of a curve -> its entry in the legend.
        settings: How it looks.
        more_handles: Of the legend.
    """
    from matplotlib.lines import Line2D
    for axes in figure.axes:
        axes.grid(color='0.9', linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[['top', 'right']].set_visible(False)
        if axes.get_ylim()[0] > 0:
            mark_cut(axes)
    if settings.title:
        figure.suptitle(settings.title, fontsize=10)
    handles = [Line2D([], [], linewidth=1.8, markersize=5, label=labels[name], **line_style(number))
               for name, number in settings.places(labels).items()] + list(more_handles)
    if settings.legend_beside or more_handles:  # operating points may lie in any corner
        figure.legend(handles=handles, loc='outside right upper', fontsize=8, frameon=False,
                      handlelength=4)
    else:
        figure.axes[0].legend(handles=handles, loc='lower right', fontsize=9, framealpha=0.9,
                              edgecolor='none', handlelength=4)
    return save_figure(figure, path, settings.dpi)


def mark_cut(axes: 'Axes') -> None:
    """Show that the vertical axis does not start at 0: two strokes, and words in its label."""
    axes.plot([0, 0], [0.025, 0.05], transform=axes.transAxes, clip_on=False, linestyle='none',
              marker=[(-1, -0.5), (1, 0.5)], markersize=9, color='black', markeredgewidth=1.2)
    label = axes.get_ylabel()
    axes.set_ylabel(f'{label}{", " if label else ""}axis cut at {axes.get_ylim()[0]:.1f}')
