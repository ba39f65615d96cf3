"""ROC and FROC curves."""
from collections.abc import Mapping
from itertools import cycle

import numpy as np

from mmwindow.evaluation import DEFAULT_BUDGETS

from .figures import LINE_COLOURS, new_figure, save_figure


def name_curves(curves):
    """Return a dict from legend entry to curve; a curve alone has no entry."""
    if not isinstance(curves, Mapping):
        return {'': curves}
    if not curves:
        raise ValueError('there is no curve to plot; give one, or a dict from name to curve')
    return dict(curves)


def froc_steps(curve):
    """Return what a step plot needs to show the first-crossing recall of every budget.

    The FP rate is not monotone, since findings merge; its running maximum is what a
    reader who lowers the threshold has spent so far.

    Args:
        curve (FROCCurve): The exact curve.

    Returns:
        dict: ``fp_rate`` (rising) and ``recall``, both ``(T + 1,)``, from (0, 0) on.
    """
    return dict(fp_rate=np.concatenate([[0.], np.maximum.accumulate(curve.fp_rate)]),
                recall=np.concatenate([[0.], curve.recall]))


def _finish(figure, axes, path):
    axes.grid(color='0.9', linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[['top', 'right']].set_visible(False)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc='lower right', frameon=False, fontsize=9)
    return save_figure(figure, path)


def plot_froc(curves, path, budgets=DEFAULT_BUDGETS, max_fp_rate=1.0):
    """Draw FROC curves; dots mark the recalls that make up the FROC score.

    The line is the recall at every budget by first crossing (docs/method.md, section 6),
    so what is read off equals the reported numbers.

    Args:
        curves (FROCCurve | dict[str, FROCCurve]): One, or several by name.
        path (str | Path): .png, .jpg, .pdf or .svg.
        budgets (Sequence[float]): Of the FROC score, false positives per image.
        max_fp_rate (float): Right end of the axis.

    Returns:
        Path: The figure.

    Raises:
        ValueError: There is no curve, or one without points: it has no recall.
    """
    named = name_curves(curves)
    figure = new_figure(5.5, 4.5)
    axes = figure.add_subplot()
    for (name, curve), colour in zip(named.items(), cycle(LINE_COLOURS)):
        if curve.num_points == 0:
            raise ValueError(f'plot_froc: curve {name!r} has no points, so no recall; leave it out')
        steps = froc_steps(curve)
        # A curve that ends before the axis does keeps its last recall.
        rates = np.append(steps['fp_rate'], max(max_fp_rate, steps['fp_rate'][-1]))
        recalls = np.append(steps['recall'], steps['recall'][-1])
        label = f'{name + ", " if name else ""}FROC score {curve.score(budgets):.3f}'
        axes.step(rates, recalls, where='post', color=colour, linewidth=1.8, label=label)
        axes.plot(budgets, [curve.recall_at(budget) for budget in budgets], 'o', color=colour,
                  markersize=5)
    axes.set(xlim=(0, max_fp_rate), ylim=(0, 1.02), xlabel='False positives per image',
             ylabel='Recall of points')
    return _finish(figure, axes, path)


def plot_roc(curves, path):
    """Draw ROC curves of image scores.

    Args:
        curves (ROCCurve | dict[str, ROCCurve]): One, or several by name.
        path (str | Path): .png, .jpg, .pdf or .svg.

    Returns:
        Path: The figure.

    Raises:
        ValueError: There is no curve.
    """
    named = name_curves(curves)
    figure = new_figure(5.5, 5)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color='0.7', linewidth=1, linestyle='--')
    for (name, curve), colour in zip(named.items(), cycle(LINE_COLOURS)):
        # Equal scores enter together, so straight lines between the points count ties half.
        heights = (curve.true_positive_rate[1:] + curve.true_positive_rate[:-1]) / 2
        area = (heights * np.diff(curve.false_positive_rate)).sum()
        axes.plot(curve.false_positive_rate, curve.true_positive_rate, color=colour, linewidth=1.8,
                  label=f'{name + ", " if name else ""}AUROC {area:.3f}')
    axes.set(xlim=(-0.01, 1), ylim=(0, 1.01), aspect='equal',
             xlabel='1 - specificity (images without a point)',
             ylabel='Sensitivity (images with a point)')
    return _finish(figure, axes, path)
