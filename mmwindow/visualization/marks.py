"""Operating points next to curves: where each reader stands, and a system at the same place."""
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mmwindow.evaluation.readers import ReaderPoint
from mmwindow.visualization.figures import LINE_MARKERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

MARK_COLOUR = 'black'
LEGEND_WIDTH = 2.5  # inches


class CurveMark(NamedTuple):
    """One operating point.

    Attributes:
        name: Shown next to it.
        x: FP rate, or 1 - specificity.
        y: Recall, or sensitivity.
        system: What a system has at ``x`` against the reference of this point; None: not drawn.
        kind: Before the name in the legend.
    """

    name: str
    x: float
    y: float
    system: float | None = None
    kind: str = 'reader '


class ReaderMarks(NamedTuple):
    """The operating points of readers on both curves; those without a number are left out."""

    froc: list[CurveMark]
    roc: list[CurveMark]


def make_reader_marks(points: Iterable[ReaderPoint]) -> ReaderMarks:
    """Return what is drawn of the readers.

    Args:
        points: Of :func:`~mmwindow.evaluation.readers.reader_operating_points`.
    """
    froc, roc = [], []
    for point in points:
        system = point.system
        if point.recall is not None and point.fp_rate is not None:
            froc.append(CurveMark(point.reader, point.fp_rate.estimate, point.recall.estimate,
                                  None if system is None else _known(system.recall)))
        if point.sensitivity is not None and point.specificity is not None:
            roc.append(CurveMark(point.reader, 1 - point.specificity.estimate,
                                 point.sensitivity.estimate,
                                 None if system is None else _known(system.sensitivity)))
    return ReaderMarks(froc, roc)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def lowest_marks(marks: Iterable[CurveMark]) -> list[float]:
    """Return the heights that an axis must show."""
    return [value for mark in marks for value in (mark.y, mark.system) if value is not None]


def draw_marks(axes: 'Axes', marks: Sequence[CurveMark], corner: float = 1.) -> None:
    """Draw operating points, filled, and the system at the same place, hollow.

    Args:
        axes: Receives them.
        marks: The points.
        corner: Side of the square at the top left that the axes show; points outside are left out.
    """
    if not marks:
        return
    from matplotlib.patheffects import withStroke  # names stay legible across a curve
    for number, mark in enumerate(marks):
        shape = LINE_MARKERS[number % len(LINE_MARKERS)]
        if corner < 1 and (mark.x > corner or mark.y < 1 - corner):
            continue
        if mark.system is not None and mark.system >= 1 - corner:
            axes.plot([mark.x], [mark.system], shape, color=MARK_COLOUR, markersize=8, zorder=4,
                      markerfacecolor='none', markeredgewidth=1.2, clip_on=False)
        axes.plot([mark.x], [mark.y], shape, color=MARK_COLOUR, markersize=7, zorder=5, clip_on=False)
        axes.annotate(mark.name, (mark.x, mark.y), textcoords='offset points', xytext=(6, -11),
                      fontsize=9, zorder=6, path_effects=[withStroke(linewidth=2.5, foreground='w')])


def wide_enough(size: tuple[float, float], marks: Sequence[CurveMark]) -> tuple[float, float]:
    """Return the size of a figure in inches, with room for a legend next to the axes."""
    return (size[0] + LEGEND_WIDTH, size[1]) if marks else size


def mark_handles(marks: Sequence[CurveMark], what: str) -> list['Line2D']:
    """Return the legend's entries of operating points.

    Args:
        marks: As drawn.
        what: The vertical axis, for the words: 'recall' or 'sensitivity'.
    """
    if not marks:
        return []
    from matplotlib.lines import Line2D
    handles = [Line2D([], [], marker=LINE_MARKERS[number % len(LINE_MARKERS)], color=MARK_COLOUR,
                      linestyle='none', markersize=7,
                      label=f'{mark.kind}{mark.name}, {what} {mark.y:.3f}')
               for number, mark in enumerate(marks)]
    if any(mark.system is not None for mark in marks):
        handles.append(Line2D([], [], marker='o', color=MARK_COLOUR, linestyle='none', markersize=8,
                              markerfacecolor='none', markeredgewidth=1.2,
                              label='hollow: the system there, same reference'))
    return handles
