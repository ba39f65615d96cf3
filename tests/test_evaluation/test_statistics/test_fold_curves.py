"""Mean curves of folds: what is read off them is the mean of what is read off each."""
import numpy as np
import pytest

from mmwindow.evaluation import ImageEvents, auroc, froc_curve, roc_curve
from mmwindow.evaluation.statistics.fold_curves import mean_froc_curve, mean_roc_curve


def random_events(rng, num_images, grid):
    """Images with merging findings and ties."""
    events = []
    for number in range(num_images):
        levels = np.unique(rng.integers(0, grid, 6))[::-1] / grid
        events.append(ImageEvents(
            score=float(levels[0]), recall_levels=rng.integers(0, grid, 2 * (number % 2)) / grid,
            fp_levels=levels, fp_changes=np.array([1, 1, -1, 1, 1, -1], np.int32)[:len(levels)],
            is_positive=number % 2 == 1, image_id=number))
    return events


def area(curve):
    heights = (curve.true_positive_rate[1:] + curve.true_positive_rate[:-1]) / 2
    return (heights * np.diff(curve.false_positive_rate)).sum()


@pytest.mark.parametrize('grid', [5, 1000])
def test_mean_froc_reads_the_mean_recall_at_every_rate(grid):
    rng = np.random.default_rng(0)
    curves = [froc_curve(random_events(rng, size, grid)) for size in (8, 11, 15)]
    mean = mean_froc_curve(curves)
    steps = mean.recall[np.searchsorted(mean.fp_rate, rates := np.linspace(0, 2, 97), 'right') - 1]
    for rate, step in zip(rates, steps, strict=True):
        expected = np.mean([curve.recall_at(rate) for curve in curves])
        assert step == pytest.approx(expected) and mean.recall_at(rate) == pytest.approx(expected)
    for convention in ('first_crossing', 'best', 'interpolated'):
        assert mean.score((.1, .5), convention) == pytest.approx(
            np.mean([curve.score((.1, .5), convention) for curve in curves]))


@pytest.mark.parametrize('grid', [5, 1000])
def test_area_under_the_mean_roc_is_the_mean_area(grid):
    rng = np.random.default_rng(1)
    folds = [random_events(rng, size, grid) for size in (8, 11, 15)]
    data = [([event.is_positive for event in events], [event.score for event in events])
            for events in folds]
    mean = mean_roc_curve([roc_curve(*fold) for fold in data])
    assert area(mean) == pytest.approx(np.mean([auroc(*fold) for fold in data]))
    assert (np.diff(mean.true_positive_rate) >= -1e-12).all()
    assert mean.true_positive_rate[0] == 0 and mean.true_positive_rate[-1] == 1


def test_two_rocs_by_hand():
    """Perfect, and the diagonal of equal scores: at rate x the mean is (1 + x) / 2."""
    mean = mean_roc_curve([roc_curve([1, 0], [1., 0.]), roc_curve([1, 0], [1., 1.])])
    assert mean.false_positive_rate.tolist() == [0, 0, 1, 1]
    assert mean.true_positive_rate.tolist() == [0, .5, 1, 1]


def test_a_fold_without_points_does_not_count_and_one_curve_is_its_own_mean():
    curve = froc_curve(random_events(np.random.default_rng(2), 9, 50))
    empty = froc_curve([ImageEvents(0., np.zeros(0), np.zeros(0), np.zeros(0, int), False)])
    assert mean_froc_curve([curve]) is curve
    assert mean_froc_curve([curve, empty]).recall_at(.5) == curve.recall_at(.5)
    assert mean_froc_curve([empty, empty]).num_points == 0
    assert np.isnan(mean_froc_curve([empty, empty]).recall_at(.1))
    with pytest.raises(ValueError, match='no ROC curve'):
        mean_roc_curve([])


def test_a_curve_with_a_floor_ends_where_the_first_fold_does():
    curve = froc_curve(random_events(np.random.default_rng(3), 9, 1000))
    short = [ImageEvents(1., np.array([.9]), np.array([.8, .7]), np.ones(2, int), True, floor=.6),
             ImageEvents(0., np.zeros(0), np.zeros(0), np.zeros(0, int), False, floor=.6)]
    mean = mean_froc_curve([curve, froc_curve(short)])  # the second is known up to one FP an image
    assert mean.floor is not None and mean.fp_rate.max() < 1
