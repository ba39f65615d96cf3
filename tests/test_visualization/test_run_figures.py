"""Figures of a training and of calibration show what they are given."""
import numpy as np
import pytest

from mmwindow.evaluation import ImageEvents, roc_curve
from mmwindow.evaluation.statistics.bands import roc_band
from mmwindow.evaluation.statistics.calibration import measure_calibration
from mmwindow.visualization import run_figures
from mmwindow.visualization.curves import plot_roc
from mmwindow.visualization.marks import CurveMark
from mmwindow.visualization.run_figures import plot_reliability, plot_training
from mmwindow.visualization.sheet import Tile, save_sheet


@pytest.fixture
def figures(monkeypatch):
    """Keep figures instead of writing them."""
    kept = []

    def keep(figure, path, *_, **__):
        kept.append(figure)
        return path
    for module in (run_figures, 'mmwindow.visualization.curves', 'mmwindow.visualization.sheet'):
        target = module if isinstance(module, str) else module.__name__
        monkeypatch.setattr(f'{target}.save_figure', keep)
    return kept


def images(positives, negatives):
    return [ImageEvents(score, np.zeros(0), np.zeros(0), np.zeros(0, np.int32), label, number)
            for number, (score, label) in enumerate([(score, True) for score in positives] + [
                (score, False) for score in negatives])]


def test_losses_and_validations_by_epoch(figures):
    plot_training(dict(loss=[(1, .5), (2, .25)]), {'froc/auroc': [(1, .5), (2, .75)]}, 'a.png', 2)
    losses, validations = figures[0].axes
    assert losses.lines[0].get_ydata().tolist() == [.5, .25]
    assert validations.lines[0].get_ydata().tolist() == [.5, .75]
    assert [text.get_text() for text in validations.get_legend().texts] == ['AUROC', 'best, epoch 2']
    plot_training({}, {'froc/auroc': [(1, .5)]}, 'a.png')
    assert len(figures[1].axes) == 1
    with pytest.raises(ValueError, match='neither'):
        plot_training({}, dict(auroc=[]), 'a.png')


def test_reliability_shows_the_bins(figures):
    calibration = measure_calibration(images([.95] * 6 + [.15], [.15] * 3 + [.95] * 2))
    plot_reliability(calibration, 'a.png')
    axes, below = figures[0].axes
    line = next(line for line in axes.lines if line.get_marker() == 'o')
    assert line.get_xdata() == pytest.approx([.15, .95])
    assert line.get_ydata() == pytest.approx([1 / 4, 6 / 8])
    assert [patch.get_height() for patch in below.patches] == [4, 8]
    with pytest.raises(ValueError, match='no bin'):
        plot_reliability(measure_calibration(images([2.], [-1.])), 'a.png')


def test_a_roc_has_its_band_and_the_stored_threshold(figures):
    events = images([.9, .8, .3] * 4, [.1, .2, .5] * 4)
    curve = roc_curve([img.is_positive for img in events], [img.score for img in events])
    band = roc_band(events, num_resamples=100)
    plot_roc(curve, 'a.png', bands=band, operating_points=[
        CurveMark('threshold', .25, .75, kind='stored ')])
    assert len(figures[0].axes[0].collections) == 1
    texts = [text.get_text() for text in figures[0].legends[0].texts]
    assert 'stored threshold, sensitivity 0.750' in texts
    with pytest.raises(ValueError, match='bands of'):
        plot_roc(dict(a=curve), 'a.png', bands=dict(b=band))


def test_a_sheet_has_a_caption_for_each_picture(figures):
    save_sheet([Tile(np.zeros((8, 6, 3), np.uint8), f'image {number}') for number in range(5)],
               'a.png', 'title', columns=3, has_bounds=True)
    assert [axes.get_title() for axes in figures[0].axes] == [
        *(f'image {number}' for number in range(5)), '']
    assert [text.get_text() for text in figures[0].legends[0].texts] == [
        'point', 'lower bound, .5', 'upper bound, .5']
    with pytest.raises(ValueError, match='no picture'):
        save_sheet([], 'a.png')
