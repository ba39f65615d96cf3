"""Systems over seeds on the same images: against brute force, against one seed, and in coverage."""
import numpy as np
import pytest
from scipy import stats

from mmwindow.evaluation import FROCSettings, ImageEvents, compare_systems, froc_curve
from mmwindow.evaluation.statistics.delong import delong_covariance
from mmwindow.evaluation.statistics.resampling import draw_weights, find_units
from mmwindow.evaluation.statistics.seed_comparison import (
    SeedDifference,
    combined_interval,
    compare_comparisons,
    compare_on_other_images,
    compare_over_seeds,
    pool_seeds,
    total_interval,
)

SETTINGS = FROCSettings()


def draw_system(seed, skill, num_images=40):
    """Images 0 to n - 1, two a patient, every other one positive with one or two points."""
    generator = np.random.default_rng(seed)
    events = []
    for number in range(num_images):
        points = (number % 4 + 1) // 2 if number % 2 else 0
        recall = generator.uniform(0, 1, points) + skill
        false = np.sort(generator.uniform(0, 1, generator.integers(0, 3)))[::-1]
        score = max([*recall, *false], default=0.)
        events.append(ImageEvents(
            score=score, recall_levels=recall, fp_levels=false,
            fp_changes=np.ones(len(false), np.int32), is_positive=points > 0, image_id=number,
            group=f'p{number // 2}'))
    return events


FIRST = {seed: draw_system(seed, .4) for seed in range(3)}
SECOND = {seed: draw_system(10 + seed, .2)[::-1] for seed in range(3)}  # in another order


def test_differences_are_those_of_brute_force():
    """Each resample is made as a list of images and scored by the curve, seed by seed."""
    found = compare_over_seeds(FIRST, SECOND, num_resamples=100, seed=5)
    units = find_units(FIRST[0])
    assert found.units == tuple(units.names) and len(units) == 20

    def score(events, weights):
        images = [event for event in events for _ in range(weights[units.index[event.image_id]])]
        return froc_curve(images).score(SETTINGS.budgets)

    ones = np.ones(20, int)
    seeds = [score(FIRST[key], ones) - score(SECOND[key], ones) for key in range(3)]
    assert found.differences['froc_score'].seeds == pytest.approx(seeds)
    assert found.differences['froc_score'].estimate == pytest.approx(np.mean(seeds))
    weights = np.concatenate(list(draw_weights(np.zeros(20, int), 100, np.random.default_rng(5))))
    replicates = [np.mean([score(FIRST[key], row) - score(SECOND[key], row) for key in range(3)])
                  for row in weights[:10]]
    assert found.replicates['froc_score'][:10] == pytest.approx(replicates)
    deviation = np.std(found.replicates['froc_score'])
    images = found.differences['froc_score'].images
    assert images.high - images.estimate == pytest.approx(stats.t.ppf(.975, 19) * deviation)


def test_the_mean_area_has_the_covariance_of_all_trainings():
    found = compare_over_seeds(FIRST, SECOND, num_resamples=100).differences['auroc']
    scores = [[event.score for event in FIRST[key]] for key in range(3)] + [
        [event.score for event in SECOND[key][::-1]] for key in range(3)]
    each = delong_covariance([event.is_positive for event in FIRST[0]], scores,
                             [event.group for event in FIRST[0]])
    contrast = np.array([1, 1, 1, -1, -1, -1]) / 3
    assert found.estimate == pytest.approx(contrast @ each.areas)
    half = stats.t.ppf(.975, 19) * np.sqrt(contrast @ each.covariance @ contrast)
    assert found.images.high - found.estimate == pytest.approx(half)
    assert found.total.high - found.total.low > 2 * half


def test_one_seed_is_a_single_test():
    found = compare_over_seeds({0: FIRST[0]}, {0: SECOND[0]}, num_resamples=200, seed=2)
    single = compare_systems(FIRST[0], SECOND[0], num_resamples=200, seed=2)
    for name in ('auroc', 'recall@0.1', 'froc_score'):
        assert found.differences[name].images == single.differences[name], name
        assert found.differences[name].total is None
        assert found.differences[name].p_value == single.p_values[name]


def test_the_same_images_come_back_with_each_seed():
    """Three equal trainings tell no more than one: the interval over images does not shrink."""
    one = compare_over_seeds({0: FIRST[0]}, {0: SECOND[0]}, num_resamples=200)
    three = compare_over_seeds(dict.fromkeys(range(3), FIRST[0]), dict.fromkeys(range(3), SECOND[0]),
                               num_resamples=200)
    for name in ('auroc', 'froc_score'):
        assert three.differences[name].images.low == pytest.approx(one.differences[name].images.low)


def test_total_interval_by_hand():
    """Variance .01 over 101 units, .03 / 3 over three seeds: .02^2 / (1e-6 + 5e-5) degrees."""
    values = [0., .1732050808, -.1732050808]
    interval, p_value = total_interval(values, .01, 101)
    free = .02 ** 2 / (.01 ** 2 / 100 + .01 ** 2 / 2)
    assert free == pytest.approx(7.843, abs=.001)
    assert interval.high == pytest.approx(stats.t.ppf(.975, free) * .02 ** .5)
    assert p_value == pytest.approx(1)


def test_an_advantage_that_has_grown():
    """The difference of two differences, from resamples that all four systems share."""
    better = {seed: draw_system(20 + seed, .6) for seed in range(3)}
    base, level = (compare_over_seeds(first, SECOND, num_resamples=100, seed=1)
                   for first in (FIRST, better))
    found = compare_comparisons(level, base, 'froc_score')
    assert found.seeds == pytest.approx(np.subtract(level.differences['froc_score'].seeds,
                                                    base.differences['froc_score'].seeds))
    deviation = np.std(level.replicates['froc_score'] - base.replicates['froc_score'])
    assert found.images.high - found.images.estimate == pytest.approx(
        stats.t.ppf(.975, 19) * deviation, rel=1e-6)
    other = compare_over_seeds(FIRST, SECOND, num_resamples=100, seed=2)
    assert compare_comparisons(level, other, 'froc_score') is None


@pytest.mark.parametrize('first, second, words', [
    ({}, {}, 'same seeds'), ({0: FIRST[0]}, {1: SECOND[1]}, r'\[0\].*\[1\]'),
    ({0: FIRST[0]}, {0: SECOND[0][:-1]}, 'only in the first')])
def test_what_cannot_be_compared_is_rejected(first, second, words):
    with pytest.raises(ValueError, match=words):
        compare_over_seeds(first, second, num_resamples=100)


def test_without_points_and_with_one_kind_of_image():
    """Negative images alone: neither AUROC nor recall, and no error."""
    none = {seed: [event for event in FIRST[seed] if not event.is_positive] for seed in range(2)}
    found = compare_over_seeds(none, none, num_resamples=100)
    for name in ('auroc', 'froc_score'):
        assert np.isnan(found.differences[name].estimate)
        assert found.differences[name].images is None and found.differences[name].total is None


def make_difference(values, variance, num_units=101):
    total, p_value = total_interval(values, variance, num_units)
    return SeedDifference(tuple(values), total, total, p_value, variance)


def test_pooled_seeds_by_hand():
    """Variances of seeds .01 and .03: .02 for both, with 4 / (1 + 1 / 4) degrees of freedom."""
    first = make_difference([.1, .2, .3], .001)
    second = make_difference([0., 3 ** .5 / 10, 2 * 3 ** .5 / 10], .004)
    pooled = pool_seeds([first, second], 101)
    for one, before in zip(pooled, (first, second), strict=True):
        interval, p_value = combined_interval(
            before.estimate, [(before.variance, 100), (.02 / 3, 2 * 2 / 1.25)])
        assert (one.total.low, one.total.high) == pytest.approx((interval.low, interval.high))
        assert one.p_value == pytest.approx(p_value)
        assert one.seeds == before.seeds and one.images is before.images
    assert pooled[1].total.high < second.total.high and pooled[0].total.high > first.total.high
    # One level alone keeps its own; those without an interval are passed over.
    assert pool_seeds([first], 101)[0].total.low == pytest.approx(first.total.low)
    none = SeedDifference((.1, .2, .3), None, None, None)
    assert pool_seeds([none, first], 101)[0] is none
    with pytest.raises(ValueError, match='as many seeds'):
        pool_seeds([first, make_difference([.1, .2], .001)], 101)


@pytest.mark.parametrize('shared', [0., .5])
def test_pooled_intervals_hold_the_truth_as_often_as_they_say(shared):
    """Eight levels and three seeds; a share of the variance of seeds is common to all levels."""
    rng = np.random.default_rng(3)
    held = []
    for _ in range(600):
        common = rng.normal(0, (.02 ** 2 * shared) ** .5, 3)
        own = (.02 ** 2 * (1 - shared)) ** .5
        levels = [make_difference(common + rng.normal(0, own, 3) + rng.normal(0, .012), .012 ** 2)
                  for _ in range(8)]
        held += [one.total.low <= 0 <= one.total.high for one in pool_seeds(levels, 500)]
    assert .94 < np.mean(held) < .985


def test_advantages_on_other_images_by_hand():
    found = [compare_over_seeds(FIRST, SECOND, num_resamples=100, seed=5),
             compare_over_seeds(SECOND, FIRST, num_resamples=100, seed=5)]
    change = compare_on_other_images(*found, 'froc_score')
    one, other = (comparison.differences['froc_score'] for comparison in found)
    assert change.seeds == pytest.approx(np.subtract(one.seeds, other.seeds))
    assert change.variance == pytest.approx(one.variance + other.variance)
    total, p_value = total_interval(change.seeds, change.variance, 20)
    assert (change.total.low, change.total.high, change.p_value) == pytest.approx(
        (total.low, total.high, p_value))
    alone = compare_over_seeds({0: FIRST[0]}, {0: SECOND[0]}, num_resamples=100)
    assert compare_on_other_images(found[0], alone, 'froc_score') is None


def test_few_patients_have_no_p_value_and_agreement_is_no_certainty():
    """Four patients: no test. Twelve on which the systems agree: an interval of a width, p = 1."""
    few = {seed: draw_system(seed, .4, 8) for seed in range(2)}
    found = compare_over_seeds(few, {seed: draw_system(9 + seed, .2, 8) for seed in few},
                               num_resamples=100).differences
    assert {one.p_value for one in found.values()} == {None}
    same = {seed: draw_system(seed, .4, 24) for seed in range(2)}
    found = compare_over_seeds(same, same, num_resamples=100).differences['froc_score']
    assert found.total.low < -.1 < .1 < found.total.high and found.p_value == pytest.approx(1)
