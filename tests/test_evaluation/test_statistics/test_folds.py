"""The mean over folds: a bootstrap written out independently, numbers by hand, a small simulation."""
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import t as student

from mmwindow.evaluation import ImageEvents, auroc, froc_curve
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.statistics.bootstrap import bootstrap
from mmwindow.evaluation.statistics.compare import compare_systems
from mmwindow.evaluation.statistics.delong import delong_covariance
from mmwindow.evaluation.statistics.fold_areas import (
    ScoredFold,
    mean_area_interval,
    scored_area_interval,
)
from mmwindow.evaluation.statistics.fold_comparison import compare_over_folds
from mmwindow.evaluation.statistics.folded_events import FoldedEvents, check_folds
from mmwindow.evaluation.statistics.folds import (
    mean_over_folds,
    mean_variance,
    pooling_warnings,
)
from mmwindow.evaluation.statistics.resampling import draw_weights

NAMES = ('auroc', 'recall@0.1', 'recall@0.5', 'froc_score')


def make_fold(name, num_patients=20, seed=0, shift=0., scale=1., separation=1.5):
    """A fold of patients with one to three images; scores are ``scale * x + shift``."""
    rng = np.random.default_rng(seed)
    images = []
    for patient in range(num_patients):
        ease, diseased = rng.normal(scale=.6), patient % 2 == 0
        for view in range(rng.integers(1, 4)):
            found = separation + ease + rng.normal(scale=.7, size=diseased * rng.integers(1, 3))
            fps = np.sort(rng.normal(size=rng.integers(0, 3)))[::-1]
            images.append(ImageEvents(
                score=scale * max([*found, *fps, -3]) + shift, recall_levels=scale * found + shift,
                fp_levels=scale * fps + shift, fp_changes=np.ones(len(fps), np.int32),
                is_positive=bool(diseased), image_id=f'{name}/{patient}/{view}',
                group=f'{name}/{patient}'))
    return images


def make_folds(num_folds=4, **settings):
    return {number: make_fold(number, seed=number, **settings) for number in range(num_folds)}


def literal_mean(folds):
    """The mean over folds from the plain functions."""
    values = []
    for events in folds:
        curve, labels = froc_curve(events), [event.is_positive for event in events]
        area = np.nan
        if 0 < sum(labels) < len(labels):
            area = auroc(labels, [event.score for event in events])
        values.append([area, curve.recall_at(.1), curve.recall_at(.5), curve.score()])
    return dict(zip(NAMES, np.mean(values, axis=0), strict=True))


def draw_patients(events, rng):
    """A resample of the patients of one fold, images renamed so that each enters once."""
    patients = sorted({event.group for event in events})
    drawn = rng.choice(patients, len(patients))
    return [replace(event, image_id=f'{number}/{event.image_id}') for number, name in enumerate(drawn)
            for event in events if event.group == name]


def test_each_resample_is_the_mean_of_the_folds_numbers():
    """Exactly, replicate by replicate: images repeated as often as weights say, fold by fold."""
    folds = make_folds(3, num_patients=6)
    table = FoldedEvents(check_folds(folds), FROCSettings())
    weights = next(draw_weights(table.strata, 12, np.random.default_rng(0)))
    fast = table.statistics(weights)
    starts = np.cumsum([0, 6, 6])
    for row, drawn in enumerate(weights):
        repeated = []
        for events, start in zip(folds.values(), starts, strict=True):
            assert drawn[start:start + 6].sum() == 6  # each fold keeps its number of patients
            repeated.append([event for event in events for _ in range(
                drawn[start + int(event.group.split('/')[1])])])
        for name, value in literal_mean(repeated).items():
            assert fast[name][row] == pytest.approx(value, abs=1e-12, nan_ok=True), name


def test_interval_is_that_of_a_bootstrap_written_out():
    """300 literal resamples against ours: standard error within 12 %, width at most 40 % above.

    With 300 resamples the standard error is known to 4.1 %."""
    folds = make_folds(3)
    ours = mean_over_folds(folds, num_resamples=2000)
    rng = np.random.default_rng(1)
    drawn = [literal_mean([draw_patients(events, rng) for events in folds.values()])
             for _ in range(300)]
    for name in NAMES:
        assert ours.estimates[name] == pytest.approx(literal_mean(folds.values())[name], abs=1e-12)
        values = np.array([row[name] for row in drawn])
        assert np.std(ours.replicates[name]) == pytest.approx(np.std(values), rel=.12), name
        interval = ours.intervals[name]
        assert interval.low <= ours.estimates[name] <= interval.high
        # Never shorter than by the deviation alone; what few patients add is simulated elsewhere.
        width = 2 * 1.96 * np.std(values)
        assert .9 * width < interval.high - interval.low < 1.4 * width, name


def test_patients_of_one_fold_never_enter_another():
    """Two folds of constant but different recalls: every resample within folds has their mean."""
    def fold(name, level):
        return [ImageEvents(1., np.array([level]), np.zeros(0), np.zeros(0, int), True,
                            f'{name}/{number}') for number in range(10)]

    result = mean_over_folds({'hit': fold('a', 1.), 'missed': fold('b', -np.inf)},
                             num_resamples=100)
    assert set(result.replicates['froc_score']) == {0.5}
    assert result.standard_deviations['froc_score'] == pytest.approx(np.sqrt(.5))


def test_other_score_scales_do_not_move_the_mean_but_the_pooled_number():
    """Scores of each fold's model shifted by 10: means stay to the digit, pooled numbers fall."""
    plain, shifted = make_folds(), {
        number: make_fold(number, seed=number, shift=10. * number) for number in range(4)}
    one, other = (mean_over_folds(folds, num_resamples=200) for folds in (plain, shifted))
    for name in NAMES:
        assert one.estimates[name] == pytest.approx(other.estimates[name], abs=1e-12)
        assert one.intervals[name].low == pytest.approx(other.intervals[name].low, abs=1e-9)
    pooled = mean_over_folds({None: [event for fold in shifted.values() for event in fold]},
                             num_resamples=100).estimates
    assert pooled['auroc'] < other.estimates['auroc'] - .05
    warnings = pooling_warnings(other.estimates, pooled)
    assert any(line.startswith(f'AUROC: {pooled["auroc"]:.3f} of all images pooled, '
                               f'{other.estimates["auroc"]:.3f} as the mean') for line in warnings)


def test_warning_begins_above_a_hundredth():
    assert pooling_warnings(dict(auroc=.9), dict(auroc=.9099)) == []
    assert len(pooling_warnings(dict(auroc=.9), dict(auroc=.8899))) == 1
    assert pooling_warnings(dict(auroc=None, froc_score=float('nan')),
                            dict(auroc=.9, froc_score=.8)) == []


def test_interval_of_the_mean_auroc_is_by_hand():
    """DeLong's variances of the folds, summed and divided by the square of their number, blended on
    the logit scale with the model's ends, which weigh five patients; Student's t of 60 patients less
    three means."""
    folds = make_folds(3)
    found = [delong_covariance([event.is_positive for event in events],
                               [event.score for event in events],
                               [event.group for event in events]) for events in folds.values()]
    own = np.array([estimate.covariance[0, 0] for estimate in found])
    result = mean_over_folds(folds, num_resamples=100)
    area, interval = result.estimates['auroc'], result.intervals['auroc']
    quantile = student.ppf(.975, 57)

    def model(guess):  # of ten patients of each kind in a fold; Newcombe (2006), method 5
        odds = (1 - guess) / (2 - guess) + guess / (1 + guess)
        return abs(guess - area) - quantile * np.sqrt(guess * (1 - guess) / 100 * (1 + 9 * odds) / 3)

    def logit(value):
        return np.log(value / (1 - value))

    reach = quantile * np.sqrt(own.sum()) / 3 / (area * (1 - area))
    weight = own.sum() ** 2 / sum(own ** 2 / [estimate.carriers[0] for estimate in found])
    for end, start in ((interval.low, 1e-6), (interval.high, 1 - 1e-6)):
        other = logit(brentq(model, start, area)) - logit(area)
        assert abs(logit(end) - logit(area)) == pytest.approx(np.sqrt(
            (weight * reach ** 2 + 5 * other ** 2) / (weight + 5)), rel=1e-6)


def test_variance_within_folds_is_steadied_for_the_patients_that_carry_it():
    """Two folds of 8 patients, 4 with points, and variance v: v / 2 * 4 / 3 * 7 / 8."""
    folds = {fold: make_fold(fold, 8, seed=3) for fold in range(2)}
    table = FoldedEvents(check_folds(folds), FROCSettings())
    assert [table.carriers('froc_score', fold) for fold in folds] == [4, 4]
    drawn = {fold: {'froc_score': np.array([0., 1.] * 50)} for fold in folds}
    assert mean_variance('froc_score', drawn, table) == pytest.approx(.25 / 2 * 4 / 3 * 7 / 8)
    drawn[0]['froc_score'][:3] = np.nan  # 48 zeros and 49 ones are left
    assert mean_variance('froc_score', drawn, table) == pytest.approx(
        (.25 + 48 * 49 / 97 ** 2) / 4 * 4 / 3 * 7 / 8)


def test_a_fold_with_one_patient_that_has_points_borrows_the_others_variance():
    """Carriers 1, 4 and 4: the two known variances v * 4 / 3 * 8 / 9 stand for three."""
    folds = {0: make_fold(0, 8, seed=3)[:0], **{fold: make_fold(fold, 8, seed=3) for fold in (1, 2)}}
    whole = make_fold(0, 8, seed=3)
    kept = next(event.group for event in whole if event.is_positive)
    folds[0] = [event for event in whole if event.group == kept or not event.is_positive]
    table = FoldedEvents(check_folds(folds), FROCSettings())
    drawn = {fold: {'froc_score': np.array([0., 1.] * 50) * (fold > 0)} for fold in folds}
    assert mean_variance('froc_score', drawn, table) == pytest.approx(.25 * 4 / 3 * 8 / 9 / 3)


def test_no_width_is_zero_and_no_p_value_comes_from_few_patients():
    """All points found and every image ranked right, in folds of three patients: 6 of both kinds."""
    def perfect(fold):
        return [ImageEvents(float(number % 2), np.ones(number % 2), np.zeros(0), np.zeros(0, int),
                            number % 2 == 1, f'{fold}/{number}', f'{fold}/{number // 2}')
                for number in range(6)]

    folds = {fold: perfect(fold) for fold in range(2)}
    result = mean_over_folds(folds, num_resamples=200)
    for name, interval in result.intervals.items():
        assert interval.high == interval.estimate == 1 and interval.low < .75, name
        assert 'only 6 patients' in interval.note
    comparison = compare_over_folds(folds, folds, num_resamples=200)
    assert set(comparison.p_values.values()) == {None}
    assert comparison.reasons['p_values'].startswith('no p-value: 6 patients (images where none is '
                                                     'named) in 2 folds; a test needs at least 9')
    assert all(interval.low < 0 < interval.high for interval in comparison.differences.values())


def test_one_fold_is_a_single_test():
    events = make_fold('only', 30)
    result = mean_over_folds({None: events}, num_resamples=300, seed=3)
    single = bootstrap(events, num_resamples=300, seed=3)
    assert result.estimates == single.estimates
    for name, interval in single.intervals.items():
        ours = result.intervals[name]
        assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high), abs=1e-12), name
        assert (ours.method, ours.note) == (interval.method, interval.note)
    assert np.isnan(result.standard_deviations['auroc']) and result.reasons == {}


def test_comparison_of_one_fold_is_that_of_a_single_test():
    first, second = make_fold('one', 30), make_fold('one', 30, separation=2.5)
    ours = compare_over_folds({0: first}, {0: second}, num_resamples=300, seed=2)
    single = compare_systems(first, second, num_resamples=300, seed=2)
    assert ours.first == single.first and ours.delong.p_value == single.delong.p_value
    for name, interval in single.differences.items():
        mine = ours.differences[name]
        assert (mine.low, mine.high, ours.p_values[name]) == pytest.approx(
            (interval.low, interval.high, single.p_values[name]), abs=1e-12), name
        assert (mine.method, mine.note) == (interval.method, interval.note)


def test_difference_of_means_and_its_spread_by_a_bootstrap_written_out():
    first = make_folds(3)
    second = {fold: make_fold(fold, seed=fold, separation=2.2) for fold in first}
    ours = compare_over_folds(first, second, num_resamples=2000)
    rng = np.random.default_rng(5)
    drawn = {name: [] for name in NAMES}
    for _ in range(200):
        pairs = [[], []]
        for fold in first:
            state = rng.bit_generator.state
            for system, pair in zip((first, second), pairs, strict=True):
                rng.bit_generator.state = state  # the same patients for both
                pair.append(draw_patients(system[fold], rng))
        means = [literal_mean(pair) for pair in pairs]
        for name in NAMES:
            drawn[name].append(means[0][name] - means[1][name])
    means = [literal_mean(folds.values()) for folds in (first, second)]
    for name in NAMES:
        assert ours.first[name] - ours.second[name] == pytest.approx(
            means[0][name] - means[1][name], abs=1e-12)
        assert np.std(ours.replicates[name]) == pytest.approx(np.std(drawn[name]), rel=.15), name
    assert np.sqrt(ours.delong.variance) == pytest.approx(np.std(drawn['auroc']), rel=.2)
    # Much better scores of the same patients: the test says so.
    assert ours.delong.p_value < .01 and ours.p_values['froc_score'] < .01


def test_a_difference_without_spread_in_small_folds_is_no_proof():
    """In the first of five folds the only patient with points is missed by the second system: no
    resample says anything else. Of 17 patients with points one disagrees: p is far from .05."""
    def fold(number, missed):
        levels = [-np.inf if missed else 1., *[1.] * (3 if number else 0)]
        positives = [ImageEvents(1., np.array([level]), np.zeros(0), np.zeros(0, int), True,
                                 f'{number}/p{place}') for place, level in enumerate(levels)]
        return positives + [ImageEvents(0., np.zeros(0), np.zeros(0), np.zeros(0, int), False,
                                        f'{number}/n{place}') for place in range(4)]

    first = {number: fold(number, False) for number in range(5)}
    second = {number: fold(number, number == 0) for number in range(5)}
    result = compare_over_folds(first, second, num_resamples=200)
    # The mean falls by a fifth; the least deviation is half of that: t = 2.
    assert result.differences['froc_score'].estimate == pytest.approx(.2)
    assert result.p_values['froc_score'] == pytest.approx(2 * student.sf(2, 17 - 5))


def test_a_patient_in_two_folds_is_rejected():
    images = make_fold('a', 6)
    halves = {'a': images[::2], 'b': images[1::2]}
    with pytest.raises(ValueError, match=r"group 'a/\d' is in fold 'a' and in fold 'b'"):
        mean_over_folds(halves)
    with pytest.raises(ValueError, match=r'in fold .a. and in fold .b.'):
        compare_over_folds(halves, halves)
    with pytest.raises(ValueError, match='no fold'):
        mean_over_folds({})


def test_other_folds_cannot_be_compared():
    with pytest.raises(ValueError, match=r'folds \[0, 1\].*\[0, 2\]'):
        compare_over_folds({0: make_fold(0), 1: make_fold(1)}, {0: make_fold(0), 2: make_fold(2)})


def test_negative_images_alone_have_no_number_and_a_reason():
    folds = {number: [event for event in make_fold(number) if not event.is_positive]
             for number in range(2)}
    result = mean_over_folds(folds, num_resamples=100)
    assert np.isnan(list(result.estimates.values())).all()
    assert set(result.intervals.values()) == {None}
    assert 'there is none' in result.reasons['froc_score']
    assert '0 with and' in result.reasons['auroc']


def test_a_fold_of_negative_images_is_left_out_of_the_mean_and_named():
    folds = make_folds(3)
    folds['negative'] = [event for event in make_fold('n') if not event.is_positive]
    result, without = mean_over_folds(folds, num_resamples=100), mean_over_folds(
        make_folds(3), num_resamples=100)
    assert result.estimates == without.estimates
    assert result.notes['auroc'].endswith("left out of the mean: 'negative'")
    assert result.intervals['auroc'] == without.intervals['auroc']


def test_a_fold_of_one_patient_has_no_interval_and_a_reason():
    folds = {**make_folds(2), 'single': make_fold('s', 1)}
    result = mean_over_folds(folds, num_resamples=100)
    assert not np.isnan(result.estimates['froc_score'])
    assert result.intervals['froc_score'] is None
    assert "fold 'single' are of one unit" in result.reasons['froc_score']
    with pytest.raises(ValueError, match='at least two patients in each fold'):
        compare_over_folds(folds, folds)


def scored(events):
    return ScoredFold(np.array([event.is_positive for event in events]),
                      np.array([event.score for event in events]), [event.group for event in events])


def test_scores_alone_give_the_interval_of_events():
    """Of all folds, of one, of one without positive images, and of patients that are few."""
    folds = {name: make_fold(name, seed=name) for name in range(4)}
    negative = [event for event in folds[3] if not event.is_positive]
    for chosen in (folds, {0: folds[0]}, {**folds, 3: negative}, {0: folds[0][:4], 1: folds[1][:4]}):
        expected = mean_area_interval(FoldedEvents(check_folds(chosen), FROCSettings()), .95)
        assert scored_area_interval([scored(events) for events in chosen.values()], .95) == expected
    assert scored_area_interval([scored(negative)], .95) is None
    assert scored_area_interval([], .95) is None
