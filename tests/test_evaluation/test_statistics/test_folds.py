"""The mean over folds: a bootstrap written out independently, numbers by hand, a small simulation."""
from dataclasses import replace

import numpy as np
import pytest

from mmwindow.evaluation import ImageEvents, auroc, froc_curve
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.results import class_intervals
from mmwindow.evaluation.statistics.compare import compare_systems
from mmwindow.evaluation.statistics.delong import blended_ends, delong_covariance
from mmwindow.evaluation.statistics.folded_events import FoldedEvents, check_folds
from mmwindow.evaluation.statistics.folds import (
    compare_over_folds,
    mean_estimate,
    mean_over_folds,
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
    """300 literal resamples against ours: standard error within 12 %, width -10 to +30 %,
    as intervals of few patients are longer than their variance says.

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
        assert .9 < (interval.high - interval.low) / (2 * 1.96 * np.std(values)) < 1.3, name


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


def test_variance_of_the_mean_auroc_is_by_hand():
    """DeLong's variance of each fold, summed and divided by the square of their number."""
    folds = make_folds(3)
    variances = [delong_covariance([event.is_positive for event in events],
                                   [event.score for event in events],
                                   [event.group for event in events]).covariance[0, 0]
                 for events in folds.values()]
    estimate = mean_estimate([FoldedEvents(check_folds(folds), FROCSettings())])
    assert estimate.covariance[0, 0] == pytest.approx(sum(variances) / 9, rel=1e-12)
    assert estimate.num_units == sum(len({event.group for event in events})
                                     for events in folds.values())
    result = mean_over_folds(folds, num_resamples=100)
    area, interval = result.estimates['auroc'], result.intervals['auroc']
    low, high = blended_ends(estimate, 0, .95)
    assert (interval.estimate, interval.low, interval.high) == pytest.approx((area, low, high))
    assert interval.method == 'delong_blended'


def test_patients_that_carry_the_mean_are_those_of_all_folds():
    """Three copies of one fold: three times as many carry the variance of the mean."""
    folds = {number: make_fold(number, seed=0) for number in range(3)}
    single = mean_estimate([FoldedEvents(check_folds({0: folds[0]}), FROCSettings())])
    together = mean_estimate([FoldedEvents(check_folds(folds), FROCSettings())])
    assert together.carriers == pytest.approx(3 * single.carriers)
    assert single.carriers[0] > 1


def test_one_fold_is_a_single_test():
    events = make_fold('only', 30)
    result = mean_over_folds({None: events}, num_resamples=300, seed=3)
    assert result.intervals == class_intervals(events, FROCSettings(), 300, 3)
    assert np.isnan(result.standard_deviations['auroc']) and result.reasons == {}


def test_comparison_of_one_fold_is_that_of_a_single_test():
    first, second = make_fold('one', 30), make_fold('one', 30, separation=2.5)
    ours = compare_over_folds({0: first}, {0: second}, num_resamples=300, seed=2)
    single = compare_systems(first, second, num_resamples=300, seed=2)
    assert ours.differences == single.differences and ours.p_values == single.p_values
    assert ours.delong == single.delong and ours.first == single.first


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
