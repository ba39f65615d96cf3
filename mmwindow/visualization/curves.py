"""ROC and FROC curves."""
from collections.abc import Mapping

import numpy as np

from mmwindow.evaluation import DEFAULT_BUDGETS
from mmwindow.visualization.figures import line_style, new_figure, save_figure


def name_curves(curves):
    """Return a dict from legend entry to curve; a curve alone has no entry."""
    if not isinstance(curves, Mapping):
        return {'': curves}
    if not curves:
        raise ValueError('there is no curve to plot; give one, or a dict from name to curve')
    return dict(curves)


def froc_steps(curve, max_fp_rate=0.):
    """Return what a step plot needs to show the first-crossing recall of every budget.

    The FP rate is not monotone, since findings merge; its running maximum is what a
    reader who lowers the threshold has spent so far.

    Args:
        curve (FROCCurve): The exact curve.
        max_fp_rate (float): A curve that ends before keeps its last recall up to here; one that
            has a floor is not known there, and ends.

    Returns:
        dict: ``fp_rate`` (rising) and ``recall``, both ``(T + 2,)``, from (0, 0) on; the last
        twice where the curve reaches further, or has a floor.
    """
    fp_rate = np.concatenate([[0.], np.maximum.accumulate(curve.fp_rate)])
    recall = np.concatenate([[0.], curve.recall])
    end = fp_rate[-1] if curve.floor is not None else max(max_fp_rate, fp_rate[-1])
    return dict(fp_rate=np.append(fp_rate, end), recall=np.append(recall, recall[-1]))


def _finish(figure, path):
    for axes in figure.axes:
        axes.grid(color='0.9', linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[['top', 'right']].set_visible(False)
    if figure.axes[0].get_legend_handles_labels()[1]:
        figure.axes[0].legend(loc='lower right', fontsize=9, framealpha=0.9, edgecolor='none',
                              handlelength=3)
    return save_figure(figure, path)


def plot_froc(curves, path, budgets=DEFAULT_BUDGETS, max_fp_rate=1.0, bands=None,
              convention='first_crossing'):
    """Draw FROC curves; marks show the recalls that make up the FROC score.

    The line is the recall at every budget by first crossing (docs/method.md, section 6),
    so what is read off equals the reported numbers.

    Args:
        curves (FROCCurve | dict[str, FROCCurve]): One, or several by name.
        path (str | Path): .png, .jpg, .pdf or .svg.
        budgets (Sequence[float]): Of the FROC score, false positives per image.
        max_fp_rate (float): Right end of the axis.
        bands (FROCBand | dict[str, FROCBand], optional): Intervals to shade, by the curves' names.
        convention (str): Of the marks and the score; with another than 'first_crossing' the marks
            lie off the line.

    Returns:
        Path: The figure.

    Raises:
        ValueError: There is no curve, one has no points and so no recall, or a band is of none.
    """
    named = name_curves(curves)
    shaded = name_curves(bands) if bands else {}
    if set(shaded) - set(named):
        raise ValueError(f'plot_froc: there are bands of {sorted(shaded)} but curves of '
                         f'{sorted(named)}; give both the same names')
    figure = new_figure(5.5, 4.5)
    axes = figure.add_subplot()
    for number, (name, curve) in enumerate(named.items()):
        if curve.num_points == 0:
            raise ValueError(f'plot_froc: curve {name!r} has no points, so no recall; leave it out')
        style = line_style(number)
        steps = froc_steps(curve, max_fp_rate)
        label = f'{name + ", " if name else ""}FROC score {curve.score(budgets, convention):.3f}'
        axes.step(steps['fp_rate'], steps['recall'], where='post', color=style['color'],
                  linestyle=style['linestyle'], linewidth=1.8, label=label)
        axes.plot(budgets, [curve.recall_at(budget, convention) for budget in budgets],
                  style['marker'], color=style['color'], markersize=5)
        if name in shaded:
            band = shaded[name]
            axes.fill_between(band.fp_rate, band.low, band.high, step='post', color=style['color'],
                              alpha=0.15, linewidth=0)
    axes.set(xlim=(0, max_fp_rate), ylim=(0, 1.02), xlabel='False positives per image',
             ylabel='Recall of points')
    return _finish(figure, path)


def zoom_width(curves):
    """Return the side of the square at the top left of a ROC that each curve passes through.

    Args:
        curves (Iterable[ROCCurve]): Of the figure.

    Returns:
        float: 0.2, 0.3, 0.4 or 0.5; 1 where a curve stays out of all of these.
    """
    for width in (0.2, 0.3, 0.4, 0.5):
        if all(np.interp(width, curve.false_positive_rate, curve.true_positive_rate) >= 1 - width / 2
               for curve in curves):
            return width
    return 1.


def plot_roc(curves, path, zoom=False):
    """Draw ROC curves of image scores.

    Args:
        curves (ROCCurve | dict[str, ROCCurve]): One, or several by name.
        path (str | Path): .png, .jpg, .pdf or .svg.
        zoom (bool): Beside it, draw the top left corner larger; left out where a curve does not
            come near it.

    Returns:
        Path: The figure.

    Raises:
        ValueError: There is no curve.
    """
    named = name_curves(curves)
    width = zoom_width(named.values()) if zoom else 1.
    figure = new_figure(5.5 if width == 1 else 10, 5)
    panels = figure.subplots(1, 1 if width == 1 else 2, squeeze=False)[0]
    for axes in panels:
        axes.plot([0, 1], [0, 1], color='0.7', linewidth=1)
        for number, (name, curve) in enumerate(named.items()):
            style = line_style(number)
            # Equal scores enter together: straight lines between the points count ties half.
            heights = (curve.true_positive_rate[1:] + curve.true_positive_rate[:-1]) / 2
            area = (heights * np.diff(curve.false_positive_rate)).sum()
            axes.plot(curve.false_positive_rate, curve.true_positive_rate, color=style['color'],
                      linestyle=style['linestyle'], linewidth=1.8,
                      label=f'{name + ", " if name else ""}AUROC {area:.3f}')
        axes.set(xlim=(-0.01, 1), ylim=(0, 1.01), aspect='equal',
                 xlabel='1 - specificity (images without a point)',
                 ylabel='Sensitivity (images with a point)')
    if width < 1:
        panels[1].set(xlim=(-width / 100, width), ylim=(1 - width, 1 + width / 100),
                      title='top left corner', ylabel='')
    return _finish(figure, path)
