"""The band around a ROC curve, against resampled curves one by one."""
import numpy as np
import pytest

from mmwindow.evaluation import ImageEvents, roc_curve
from mmwindow.evaluation.statistics.bands import roc_band
from mmwindow.evaluation.statistics.intervals import share_interval
from mmwindow.evaluation.statistics.resampling import draw_weights, find_units


def scored(positives, negatives, patients=None):
    """Images with a score alone."""
    scores = [*positives, *negatives]
    return [ImageEvents(score, np.zeros(0), np.zeros(0), np.zeros(0, np.int32),
                        number < len(positives), number,
                        '' if patients is None else f'p{patients[number]}')
            for number, score in enumerate(scores)]


def test_the_roc_band_is_the_score_interval_of_resampled_curves():
    generator = np.random.default_rng(0)
    images = scored(np.round(generator.normal(1, 1, 30), 1), np.round(generator.normal(0, 1, 40), 1),
                    generator.integers(0, 35, 70))  # with ties, patients of both kinds
    band = roc_band(images, num_rates=11, num_resamples=200, seed=3)
    units = find_units(images)
    labels, scores = np.array([img.is_positive for img in images]), np.array(
        [img.score for img in images])
    curves = []
    for weights in np.concatenate(list(draw_weights(np.zeros(len(units), int), 200,
                                                    np.random.default_rng(3)))):
        copies = np.repeat(np.arange(70), weights[units.index])
        curve = roc_curve(labels[copies], scores[copies])
        curves.append(np.interp(band.false_positive_rate, curve.false_positive_rate,
                                curve.true_positive_rate))
    own = roc_curve(labels, scores)
    carriers = len({units.index[number] for number in range(30)})
    found = [share_interval(float(share), float(variance), carriers, 30, len(units))
             for share, variance in zip(
                 np.interp(band.false_positive_rate, own.false_positive_rate,
                           own.true_positive_rate), np.var(curves, axis=0), strict=True)]
    low, high = np.array([(one.low, one.high) for one in found]).T
    np.testing.assert_allclose(band.low, [low[k:].min() for k in range(11)])
    np.testing.assert_allclose(band.high, [high[:k + 1].max() for k in range(11)])
    assert (np.diff(band.low) >= 0).all() and (np.diff(band.high) >= 0).all()


def test_a_perfect_roc_has_a_band_with_a_width():
    band = roc_band(scored([.8, .9] * 6, [.1, .2] * 6), num_resamples=100)
    assert (band.high == 1).all() and 0 < band.low[0] < 1


@pytest.mark.parametrize('positives, negatives', [([.5] * 4, []), ([], [.5] * 4)])
def test_of_one_kind_of_image_there_is_no_roc_band(positives, negatives):
    with pytest.raises(ValueError):
        roc_band(scored(positives, negatives), num_resamples=100)
