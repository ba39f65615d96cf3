"""Thresholds chosen on validation and applied to test, by hand and against counting."""
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwindow.evaluation import ImageEvents, froc_curve
from mmwindow.evaluation.events.floor import cut_events
from mmwindow.evaluation.statistics.intervals import poisson_rate, wilson
from mmwindow.evaluation.statistics.operating_point import (
    OperatingPoint,
    apply_operating_point,
    choose_operating_point,
)
from mmwindow.evaluation.statistics.rates import rate_interval


def make_image(score, recall_levels=(), fp_levels=(), **identity):
    return ImageEvents(
        score=score, recall_levels=np.array(recall_levels, float),
        fp_levels=np.array(fp_levels, float), fp_changes=np.ones(len(fp_levels), np.int32),
        is_positive=len(recall_levels) > 0, **identity)


def scored(positives, normals):
    """Images whose only finding is a point, or a false positive, at their score."""
    return [make_image(score, [score]) for score in positives] + [
        make_image(score, (), [] if np.isinf(score) else [score]) for score in normals]


def wilson_ends(successes, trials, quantile):
    """The roots p of (share - p)^2 = quantile^2 p (1 - p) / trials."""
    share, scale = successes / trials, quantile ** 2 / trials
    return sorted(np.roots([1 + scale, -2 * share - scale, share ** 2]).real)


# Four positives .9 .7 .5 .2 and five normals .8 .4 .3 .1 .1.
IMAGES = scored([.9, .7, .5, .2], [.8, .4, .3, .1, .1])


@pytest.mark.parametrize('rule, target, threshold, achieved', [
    # Three of four positives are .5 or better, and four of five normals below.
    ('sensitivity', 0.75, 0.5, dict(sensitivity=0.75, specificity=0.8)),
    ('sensitivity', 0.76, 0.2, dict(sensitivity=1., specificity=0.4)),
    ('sensitivity', 0.01, 0.9, dict(sensitivity=0.25, specificity=1.)),
    # Four of five normals lie below .5, three below .4: .8 is met at .5.
    ('specificity', 0.8, 0.5, dict(sensitivity=0.75, specificity=0.8)),
    ('specificity', 0.6, 0.4, dict(sensitivity=0.75, specificity=0.6)),
    ('specificity', 1., 0.9, dict(sensitivity=0.25, specificity=1.)),
    # .75 + .8 at .5 is the most.
    ('youden', None, 0.5, dict(sensitivity=0.75, specificity=0.8)),
    # FPs at .8 .4 .3 .1 .1 of nine images: .2 of 9 allows one, until just above .4.
    ('fp_budget', 0.2, 0.5, dict(fp_rate=1 / 9, recall=0.75)),
    # .1 of 9 allows none: above .8 only the point at .9.
    ('fp_budget', 0.1, 0.9, dict(fp_rate=0., recall=0.25)),
])
def test_rules_by_hand(rule, target, threshold, achieved):
    point = choose_operating_point(IMAGES, rule, target)
    assert point.threshold == threshold and point.achieved == pytest.approx(achieved)
    assert (point.rule, point.target, point.num_images, point.note) == (rule, target, 9, '')


def test_denominator_by_hand():
    """.4 per normal image allows two of five: until just above .3, where the points are .5."""
    point = choose_operating_point(IMAGES, 'fp_budget', 0.4, fp_denominator='normals')
    assert point.threshold == 0.4 and point.achieved['fp_rate'] == 2 / 5
    result = apply_operating_point(point, IMAGES, num_resamples=100)
    assert result.fp_rate.estimate == 2 / 5 and result.counts['counted_images'] == 5


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 8), min_size=1, max_size=12),
       st.lists(st.integers(0, 8), min_size=1, max_size=12), st.floats(0.05, 1))
def test_image_rules_against_trying_all(positives, normals, target):
    images = scored(positives, normals)
    candidates = [*sorted({*positives, *normals}), np.inf]
    sensitivity = {t: np.mean(np.array(positives) >= t) for t in candidates}
    specificity = {t: np.mean(np.array(normals) < t) for t in candidates}
    assert choose_operating_point(images, 'sensitivity', target).threshold == max(
        t for t in candidates if sensitivity[t] >= target - 1e-12)
    assert choose_operating_point(images, 'specificity', target).threshold == min(
        t for t in candidates if specificity[t] >= target - 1e-12)
    best = max(round(sensitivity[t] + specificity[t], 9) for t in candidates)
    assert choose_operating_point(images, 'youden').threshold == max(
        t for t in candidates if round(sensitivity[t] + specificity[t], 9) == best)


def test_applied_to_test_images_by_hand():
    """At .5: positives .6 .5 .4 (two called), normals .55 .2 .1 -inf (one called); points .6 .5
    .4 and, on the first, one never found: 2 of 4. FPs at .55 and .52: 2 on 7 images."""
    events = [make_image(0.6, [0.6, -np.inf]), make_image(0.5, [0.5]), make_image(0.4, [0.4]),
              make_image(0.55, (), [0.55, 0.52]), make_image(0.2, (), [0.2]), make_image(0.1),
              make_image(-np.inf)]
    point = choose_operating_point(IMAGES, 'youden')
    result = apply_operating_point(point, events, num_resamples=500, seed=4)
    assert result.counts == dict(
        true_positives=2, false_negatives=1, true_negatives=3, false_positives=1,
        recalled_points=2, points=4, false_positive_findings=2, counted_images=7)
    # Student's t of 7 units: 2.446912.
    assert (result.sensitivity.low, result.sensitivity.high) == pytest.approx(
        wilson_ends(2, 3, 2.446912), abs=1e-6)
    assert (result.specificity.low, result.specificity.high) == pytest.approx(
        wilson_ends(3, 4, 2.446912), abs=1e-6)
    assert result.recall.estimate == 0.5
    # Units 1/2, 1/1, 0/1: variance (0 + .25 + .25) / 16 = 1/32; times 3 units / .25 = 3/8, but at
    # least 3/4, as 4 trials of 3 units; blended with three units of 1: (3 * .75 + 3) / 6 = .875.
    assert (result.recall.low, result.recall.high) == pytest.approx(
        wilson_ends(0.5 * 3 / .875, 3 / .875, 2.446912), abs=1e-6)
    plain = apply_operating_point(point, events, num_resamples=100, proportion_method='wilson')
    assert plain.sensitivity.low == wilson(2, 3).low
    assert plain.recall.low == pytest.approx(wilson(2, 4).low)
    assert result.fp_rate.estimate == pytest.approx(2 / 7)
    assert 0 <= result.fp_rate.low < 2 / 7 < result.fp_rate.high
    assert result.seed == 4 and result.num_units == 7 and result.reasons == {}


def test_the_curve_says_the_same():
    events = scored(*np.random.default_rng(0).normal(size=(2, 40)))
    for budget in (0.1, 0.25):
        point = choose_operating_point(events, 'fp_budget', budget)
        result = apply_operating_point(point, events, num_resamples=100)
        curve = froc_curve(events)
        assert result.recall.estimate == curve.recall_at(budget) == point.achieved['recall']
        assert result.fp_rate.estimate == point.achieved['fp_rate'] <= budget


def test_patients_of_several_images_count_as_patients():
    """Two patients of four equal images each: two trials, not eight."""
    events = [make_image(score, [score], group=group)
              for score, group in ((0.9, 'a'), (0.2, 'b')) for _ in range(4)]
    point = choose_operating_point(IMAGES, 'youden')
    result = apply_operating_point(point, events, num_resamples=100)
    # Student's t of 2 units is 12.7062: next to nothing is known.
    assert (result.sensitivity.low, result.sensitivity.high) == pytest.approx(
        wilson_ends(1, 2, 12.7062), abs=1e-6)
    assert result.num_units == 2 and 'count as 2' in result.sensitivity.note
    assert 'only 2 patients' in result.sensitivity.note and 'only 2' in result.fp_rate.note


def test_normals_only():
    """No sensitivity and no recall, with words; without any FP a bound of 3.69 / 20."""
    result = apply_operating_point(choose_operating_point(IMAGES, 'youden'),
                                   [make_image(0.1) for _ in range(20)], num_resamples=100)
    assert result.sensitivity is None and result.recall is None
    assert result.reasons['sensitivity'] == 'no image with a finding among 20 test images'
    assert result.reasons['recall'] == 'no point in its frame among 20 test images'
    # Student's t of 20 units: 2.093024; of 20 trials without a failure 20 / (20 + t^2).
    assert result.specificity.estimate == 1
    assert result.specificity.low == pytest.approx(20 / (20 + 2.093024 ** 2))
    assert result.fp_rate.low == 0
    assert result.fp_rate.high == pytest.approx(-np.log(.025) / 20 * (2.093024 / 1.959964) ** 2)


def test_positives_only_have_no_normals_to_count_on():
    point = choose_operating_point(IMAGES, 'fp_budget', 0.4, fp_denominator='normals')
    result = apply_operating_point(point, scored([.9, .3], []), num_resamples=100)
    assert result.fp_rate is None and 'counted on normals images' in result.reasons['fp_rate']
    assert result.specificity is None and result.recall.estimate == 0.5


def test_classifier_with_a_score_of_its_own():
    """Image scores are logits, findings are probabilities: a threshold serves one of them."""
    events = [make_image(-2., [0.7], [0.3]), make_image(-1., [0.2]), make_image(-4., (), [0.5])]
    with pytest.raises(ValueError, match='a finding at 0.7: one threshold cannot serve both'):
        choose_operating_point(events, 'youden')
    point = choose_operating_point(events, 'youden', same_scale=False)
    assert point.threshold == -2
    result = apply_operating_point(point, events, num_resamples=100)
    assert result.sensitivity.estimate == result.specificity.estimate == 1
    assert result.recall is None and 'another scale' in result.reasons['fp_rate']
    point = choose_operating_point(events, 'fp_budget', 0.4, same_scale=False)
    result = apply_operating_point(point, events, num_resamples=100)
    assert result.sensitivity is None and result.recall.estimate == 0.5


def test_targets_out_of_reach_are_told():
    first_is_wrong = scored([0.5], [0.9, 0.9])
    point = choose_operating_point(first_is_wrong, 'fp_budget', 0.1)
    assert point.threshold == np.inf and '0.666667 false positives per image' in point.note
    assert point.achieved == dict(fp_rate=0., recall=0.)
    point = choose_operating_point(first_is_wrong, 'specificity', 1.)
    assert point.threshold == np.inf and 'no image is called' in point.note
    lost = scored([0.5, -np.inf], [0.2])
    point = choose_operating_point(lost, 'sensitivity', 1.)
    assert point.threshold == -np.inf and 'every image is called' in point.note
    result = apply_operating_point(point, lost, num_resamples=100)
    assert result.counts['recalled_points'] == 1 and result.counts['true_positives'] == 2
    assert 'never spent' in choose_operating_point(scored([.9], [.1]), 'fp_budget', 1).note
    nothing = [make_image(-np.inf), make_image(-np.inf, [-np.inf])]
    assert 'no finding at all' in choose_operating_point(nothing, 'fp_budget').note


def test_rate_interval_against_scipy():
    """scipy's BCa of a mean of the same counts: equal up to the resamples drawn. The default differs
    from it by less than a tenth of its width where counts are Poisson's and units many."""
    from scipy.stats import bootstrap
    counts = np.random.default_rng(1).poisson(0.4, 80).astype(float)
    ours = rate_interval(counts, np.ones(80), 0.95, 4000, 0, 'bca')
    theirs = bootstrap((counts,), np.mean, n_resamples=4000, method='BCa', rng=0)
    assert (ours.low, ours.high) == pytest.approx(theirs.confidence_interval, abs=0.02)
    default = rate_interval(counts, np.ones(80), 0.95, 4000, 0)
    assert (default.low, default.high) == pytest.approx((ours.low, ours.high), abs=0.03)


def test_every_unit_alike_keeps_a_width():
    """Ten patients of one false positive an image. Without a variance the ratio is (10 * 0 + 3) / 13,
    so 10 * 13 / 3 units, fewer by (1.959964 / 2.262157)^2 = .750676: the exact interval of 32.53."""
    interval = rate_interval(np.full(10, 2.), np.full(10, 2.), 0.95, 200, seed=0)
    units = 130 / 3 * (1.959964 / 2.262157) ** 2
    expected = poisson_rate(units, units)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), rel=1e-5)
    old = rate_interval(np.full(10, 2.), np.full(10, 2.), 0.95, 200, 0, 'bca')
    assert (old.low, old.high) == (poisson_rate(10, 10).low, poisson_rate(10, 10).high)


def test_one_unit_gives_no_number():
    events = [make_image(score, [score], group='a') for score in (.9, .4)]
    result = apply_operating_point(choose_operating_point(IMAGES, 'youden'), events,
                                   num_resamples=100)
    assert result.sensitivity is result.recall is result.fp_rate is None
    assert "one unit, ('group', 'a')" in result.reasons['fp_rate']


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 3)), min_size=2, max_size=30))
def test_rates_have_a_width(units):
    counts, images = np.array(units, float).T
    interval = rate_interval(counts, images, 0.95, 100, 0)
    assert 0 <= interval.low <= interval.estimate <= interval.high
    assert interval.high - interval.low > 0.01
    many = rate_interval(np.tile(counts, 8), np.tile(images, 8), 0.95, 100, 0)
    assert many.high - many.low < interval.high - interval.low


def test_floor_above_the_threshold_is_refused():
    point = OperatingPoint(0.3, 'youden', None, True, 'all', {}, 1)
    events = [cut_events(replace(event, image_id=number), 0.45)
              for number, event in enumerate(IMAGES)]
    with pytest.raises(ValueError, match='only looked at down to 0.45'):
        apply_operating_point(point, events)


@pytest.mark.parametrize('arguments, message', [
    (dict(rule='f1'), 'must be one of'),
    (dict(rule='sensitivity', target=90), 'target is 90.0; a share'),
    (dict(rule='specificity', target=0), 'target is 0.0; a share'),
    (dict(rule='youden', target=0.9), 'has no target'),
    (dict(rule='fp_budget', target=-1), 'budgets are'),
    (dict(fp_denominator='positives'), 'fp_denominator is'),
])
def test_bad_requests(arguments, message):
    with pytest.raises(ValueError, match=message):
        choose_operating_point(IMAGES, **arguments)


@pytest.mark.parametrize('rule, events, message', [
    ('sensitivity', IMAGES[4:], 'needs images with a finding; of 5 validation images 0'),
    ('specificity', IMAGES[:4], 'needs images without a finding; of 4 validation images 4'),
    ('youden', IMAGES[:4], 'with and without'),
    ('youden', [], 'no image'),
])
def test_missing_class(rule, events, message):
    with pytest.raises(ValueError, match=message):
        choose_operating_point(events, rule)
