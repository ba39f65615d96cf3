"""Figures of one run: how the training went, and whether scores are probabilities."""
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmwindow.evaluation.metric_names import display_name
from mmwindow.evaluation.statistics.calibration import Calibration
from mmwindow.visualization.figures import line_style, new_figure, save_figure

Series = Mapping[str, Sequence[tuple[float, float]]]


def plot_training(losses: Series, metrics: Series, path: str | Path, best_epoch: int | None = None,
                  max_curves: int = 8) -> Path:
    """Draw the losses of a training, and the numbers of its validations next to them.

    Args:
        losses: Name to (epoch, value), in the order of epochs.
        metrics: Likewise.
        path: .png, .jpg, .pdf or .svg.
        best_epoch: Is marked.
        max_curves: In each of the two.

    Raises:
        ValueError: There is neither a loss nor a number.
        ImportError: matplotlib is not installed.
    """
    parts = {name: dict(list(curves.items())[:max_curves]) for name, curves in (
        ('loss', losses), ('validation', metrics)) if any(len(values) for values in curves.values())}
    if not parts:
        raise ValueError('plot_training: there is neither a loss nor a validation to plot')
    figure = new_figure(5.5 * len(parts), 4)
    for axes, (label, curves) in zip(figure.subplots(1, len(parts), squeeze=False)[0], parts.items(),
                                     strict=True):
        for number, (name, values) in enumerate(curves.items()):
            epochs, heights = np.array(values, float).reshape(-1, 2).T
            style = line_style(number)
            few = len(epochs) < 30
            axes.plot(epochs, heights, color=style['color'], linestyle=style['linestyle'],
                      marker=style['marker'] if few else None, markersize=4, linewidth=1.6,
                      label=display_name(name))
        if best_epoch is not None:
            axes.axvline(best_epoch, color='0.5', linewidth=1, linestyle=':',
                         label=f'best, epoch {best_epoch}')
        axes.set(xlabel='epoch', ylabel=label)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if label == 'validation':
            axes.set_ylim(-0.02, 1.02)
        axes.grid(color='0.9', linewidth=0.8)
        axes.spines[['top', 'right']].set_visible(False)
        axes.legend(fontsize=8, framealpha=0.9, edgecolor='none')
    return save_figure(figure, path)


def plot_reliability(calibration: Calibration, path: str | Path) -> Path:
    """Draw the share of images with a finding against the mean score of each bin, with intervals.

    Below it, how many images each bin holds.

    Args:
        calibration: With bins.
        path: .png, .jpg, .pdf or .svg.

    Raises:
        ValueError: There is no bin.
        ImportError: matplotlib is not installed.
    """
    if not calibration.bins:
        raise ValueError('plot_reliability: there is no bin to plot')
    figure = new_figure(4.5, 5)
    axes, below = figure.subplots(2, 1, sharex=True, gridspec_kw=dict(height_ratios=[4, 1]))
    style = line_style(0)
    means, shares = np.array([(row.mean_score, row.share.estimate) for row in calibration.bins]).T
    ends = np.array([(row.share.low, row.share.high) for row in calibration.bins]).T
    axes.plot([0, 1], [0, 1], color='0.7', linewidth=1, label='calibrated')
    axes.errorbar(means, shares, yerr=np.abs(np.nan_to_num(ends - shares)), color=style['color'],
                  marker='o', markersize=5, capsize=3, linewidth=1.6, label='images, 95 % interval')
    axes.set(ylim=(-0.02, 1.02), ylabel='Share with a finding')
    axes.legend(loc='upper left', fontsize=9, framealpha=0.9, edgecolor='none')
    widths = [row.high - row.low for row in calibration.bins]
    below.bar([row.low for row in calibration.bins], [row.num_images for row in calibration.bins],
              width=widths, align='edge', color='0.8', edgecolor='0.5', linewidth=0.8)
    below.set(xlim=(-0.02, 1.02), xlabel='Image score', ylabel='images')
    for part in (axes, below):
        part.grid(color='0.9', linewidth=0.8)
        part.set_axisbelow(True)
        part.spines[['top', 'right']].set_visible(False)
    return save_figure(figure, path)
