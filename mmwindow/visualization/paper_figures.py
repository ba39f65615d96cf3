"""The paper's Figures 4 and 5 for any set of systems: ROC and FROC, zoomed as there."""
from itertools import cycle

import numpy as np

from mmwindow.visualization.curves import froc_steps
from mmwindow.visualization.figures import LINE_COLOURS, new_figure, save_figure

# Told apart in black and white too: neighbours differ in colour and in dashes.
DASHES = ('-', (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))
PAPER_FLOOR = 0.8  # where the paper's recall axis starts
# The axis is made for what lies to the right of this share of the horizontal axis: every ROC
# starts in the corner (0, 0), so some part of each always falls outside.
VISIBLE_FROM = 0.1


def axis_floor(lowest, floor=PAPER_FLOOR):
    """Return where the recall axis starts: at ``floor``, or at the tenth below the lowest value.

    Args:
        lowest (Sequence[float]): Of each curve, the lowest recall that should be seen.
        floor (float): Where the paper's axis starts.
    """
    # A billionth of slack: 0.7 is stored as 0.6999999.
    return float(max(0., min([floor, *(np.floor(value * 10 + 1e-9) / 10 for value in lowest)])))


def line_styles(names):
    """Return colour and dashes for each name; 7 colours and 4 dashes repeat after 28 names."""
    return {name: dict(color=colour, linestyle=dash, linewidth=1.8)
            for name, colour, dash in zip(names, cycle(LINE_COLOURS), cycle(DASHES))}


def _check(curves, what):
    if not curves:
        raise ValueError(f'{what}: there is no curve to plot; give a dict from name to curve')


def _finish(figure, axes, path):
    axes.grid(color='0.9', linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[['top', 'right']].set_visible(False)
    # Beside the axes: with weak systems no corner inside is free.
    figure.legend(loc='outside right upper', fontsize=8, frameon=False, handlelength=3)
    return save_figure(figure, path, dpi=150)


def sensitivity_at(curve, rate):
    """Return the ROC's sensitivity at a false positive rate, linear between its points."""
    return float(np.interp(rate, curve.false_positive_rate, curve.true_positive_rate))


def area_under(curve):
    """Return the area under a ROC curve; straight lines between points count ties half."""
    heights = (curve.true_positive_rate[1:] + curve.true_positive_rate[:-1]) / 2
    return float((heights * np.diff(curve.false_positive_rate)).sum())


def plot_figure4(curves, path):
    """Draw ROC curves with the recall axis from 0.8, or from lower where curves need it.

    The axis starts low enough for each curve to be seen from a false positive rate of 0.1 on.

    Args:
        curves (dict[str, ROCCurve]): By name.
        path (str | Path): .png, .jpg, .pdf or .svg.

    Returns:
        Path: The figure.

    Raises:
        ValueError: There is no curve.
    """
    _check(curves, 'plot_figure4')
    floor = axis_floor([sensitivity_at(curve, VISIBLE_FROM) for curve in curves.values()])
    figure = new_figure(8, 4.6)
    axes = figure.add_subplot()
    styles = line_styles(curves)
    for name, curve in curves.items():
        axes.plot(curve.false_positive_rate, curve.true_positive_rate, **styles[name],
                  label=f'{name}, AUROC {area_under(curve):.3f}')
    axes.set(xlim=(0, 1), ylim=(floor, 1.002), ylabel='Recall of images with a point',
             xlabel='False positive rate of images without a point')
    return _finish(figure, axes, path)


def plot_figure5(curves, path, budgets, convention='first_crossing', max_fp_rate=None):
    """Draw FROC curves over the budgets; dots mark the recalls that make up the FROC score.

    The line is the recall at every budget by first crossing (docs/method.md, section 6). The
    axis starts low enough for each curve to be seen from a tenth of the axis on.

    Args:
        curves (dict[str, FROCCurve]): By name.
        path (str | Path): .png, .jpg, .pdf or .svg.
        budgets (Sequence[float]): Of the FROC score, false positives per image.
        convention (str): Of the dots; with another than 'first_crossing' they lie off the line.
        max_fp_rate (float, optional): Right end of the axis; the largest budget if None.

    Returns:
        Path: The figure.

    Raises:
        ValueError: There is no curve, or one without points: it has no recall.
    """
    _check(curves, 'plot_figure5')
    empty = [name for name, curve in curves.items() if curve.num_points == 0]
    if empty:
        raise ValueError(f'plot_figure5: {empty} have no points, so no recall; leave them out')
    right = max(budgets) if max_fp_rate is None else max_fp_rate
    floor = axis_floor([curve.recall_at(VISIBLE_FROM * right) for curve in curves.values()])
    figure = new_figure(8, 4.6)
    axes = figure.add_subplot()
    styles = line_styles(curves)
    for name, curve in curves.items():
        steps = froc_steps(curve, right)
        axes.step(steps['fp_rate'], steps['recall'], where='post', **styles[name],
                  label=f'{name}, FROC score {curve.score(budgets, convention):.3f}')
        axes.plot(budgets, [curve.recall_at(budget, convention) for budget in budgets], 'o',
                  color=styles[name]['color'], markersize=3.5, clip_on=False)
    axes.set(xlim=(0, right), ylim=(floor, 1.002), xlabel='False positives per image',
             ylabel='Recall of points')
    return _finish(figure, axes, path)
