"""DeLong's variance and test against published numbers, another package and the definition."""
import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rocauc_comparison.delong import compute_ground_truth_statistics, fastDeLong
from scipy.stats import norm
from scipy.stats import t as student

from mmwindow.evaluation import auroc
from mmwindow.evaluation.statistics.delong import (
    DELONG_METHODS,
    delong_covariance,
    delong_interval,
    delong_test,
    mover_difference,
    placements,
)
from mmwindow.evaluation.statistics.intervals import Interval, newcombe_auroc

# Van Dyke's data (ratings 1 to 5 of 69 normals and 45 abnormals, two treatments, reader 1).
VAN_DYKE = {
    't1r1': ((47, 9, 10, 2, 1), (4, 1, 2, 10, 28), 0.91964573, 8.961210e-4),
    't2r1': ((23, 24, 15, 7, 0), (1, 0, 6, 5, 33), 0.94782609, 4.840322e-4)}


def rated(normals, abnormals):
    """Labels and scores from counts of each rating."""
    ratings = np.arange(1, 6)
    return (np.repeat([0, 1], [sum(normals), sum(abnormals)]),
            np.concatenate([np.repeat(ratings, normals), np.repeat(ratings, abnormals)]))


def numbers(result):
    """Return all numbers of an interval or a test, to compare two that a BLAS computed.

    The covariance is a matrix product. How a BLAS sums it depends on the processor's instructions,
    the threads, the place of the arrays in memory and the order of the images: what is equal on paper
    may differ in its last bits.
    """
    values = dataclasses.asdict(result).values()
    parts = [value.values() if isinstance(value, dict) else [value] for value in values]
    return [value for part in parts for value in part if isinstance(value, float)]


def random_case(rng, num_images=40, num_values=None):
    labels = rng.random(num_images) < 0.4
    labels[:4] = [True, True, False, False]
    scores = rng.normal(size=(2, num_images)) + labels + rng.normal(size=num_images)
    return labels, np.round(scores * num_values) / num_values if num_values else scores


def brute_covariance(labels, scores):
    """DeLong, DeLong and Clarke-Pearson's equations 4 to 6, term by term."""
    positives, normals = scores[:, labels], scores[:, ~labels]
    wins = ((positives[:, :, None] > normals[:, None, :])
            + 0.5 * (positives[:, :, None] == normals[:, None, :]))
    return (np.cov(wins.mean(axis=2)) / positives.shape[1]
            + np.cov(wins.mean(axis=1)) / normals.shape[1])


@pytest.mark.parametrize('name', VAN_DYKE)
def test_van_dyke(name):
    normals, abnormals, area, variance = VAN_DYKE[name]
    estimate = delong_covariance(*rated(normals, abnormals))
    assert estimate.areas[0] == pytest.approx(area, abs=5e-9)
    assert estimate.covariance[0, 0] == pytest.approx(variance, rel=1e-6)
    assert (estimate.num_positives, estimate.num_normals) == (45, 69)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10 ** 6), st.sampled_from([None, 1, 3]))
def test_covariance_is_the_definition(seed, num_values):
    labels, scores = random_case(np.random.default_rng(seed), num_values=num_values)
    estimate = delong_covariance(labels, scores)
    np.testing.assert_allclose(estimate.covariance, brute_covariance(labels, scores), atol=1e-12)
    assert estimate.areas.tolist() == [auroc(labels, row) for row in scores]


@pytest.mark.parametrize('num_values', [None, 2])
def test_agrees_with_rocauc_comparison(num_values):
    """It reproduces pROC's DeLong. (Its p-value fails under numpy 2.4; what that is made of, the
    areas and their covariance, is compared.)"""
    for seed in range(20):
        labels, scores = random_case(np.random.default_rng(seed), 60, num_values)
        order, num_positives = compute_ground_truth_statistics(labels.astype(int))
        areas, covariance = fastDeLong(scores[:, order], num_positives)
        estimate = delong_covariance(labels, scores)
        np.testing.assert_allclose(estimate.areas, areas, rtol=0, atol=1e-12)
        np.testing.assert_allclose(estimate.covariance, covariance, rtol=0, atol=1e-12)
        result = delong_test(labels, *scores)
        z = (areas[0] - areas[1]) / np.sqrt(covariance[0, 0] + covariance[1, 1]
                                            - 2 * covariance[0, 1])
        assert result.z == pytest.approx(z)
        assert result.p_value == pytest.approx(2 * student.sf(abs(z), 59))


def test_intervals_from_published_variances():
    """pROC's aSAH, ndka: AUC is the middle of DeLong's interval .501244999 to .722670990, its
    variance .0031908105493913; the ends follow from these alone. wfns against s100b: Z
    2.208983591 has p .0271757822."""
    area, variance = (0.501244999 + 0.722670990) / 2, 0.0031908105493913
    half = norm.isf(0.025) * np.sqrt(variance)
    assert (area - half, area + half) == pytest.approx((0.501244999, 0.722670990), abs=1e-9)
    assert 2 * norm.sf(2.208983591) == pytest.approx(0.0271757822, abs=1e-10)


def test_wald_interval_is_the_middle_and_1_96_deviations():
    labels, scores = random_case(np.random.default_rng(0))
    estimate = delong_covariance(labels, scores[0])
    interval = delong_interval(labels, scores[0], method='wald')
    half = 1.959963985 * np.sqrt(estimate.covariance[0, 0])
    area = auroc(labels, scores[0])
    assert (interval.low, interval.high) == pytest.approx((area - half, area + half))


def test_logit_interval_by_hand():
    """Positives 3 1, normals 2 0: wins 1 1 0 1, AUROC 3/4. V10 = 1, .5 and V01 = .5, 1: each
    variance .125, each / 2, the sum .125. Logit(.75) = ln 3 = 1.098612; deviation
    sqrt(.125) / (.75 .25) = 1.885618; ends expit(1.098612 -+ 1.959964 * 1.885618)."""
    interval = delong_interval([1, 1, 0, 0], [3, 1, 2, 0], method='logit')
    ends = 1.098612289 + np.array([-1, 1]) * 1.959963985 * 1.885618083
    assert (interval.low, interval.high) == pytest.approx(tuple(1 / (1 + np.exp(-ends))))
    assert interval.method == 'delong_logit' and 'only 4 patients' in interval.note


def test_blended_interval_by_hand():
    """Positives 3 1, normals 2 0 as above: DeLong's variance .125, 1.885618 on the logit scale, times
    Student's t of four units, 3.182446. The deviations of the units are .125 and -.125 (positives),
    -.125 and .125 (normals): (4/64)^2 / (4/4096) = 4 carry it. Newcombe's interval with that t is
    blended as five. Each reach is the root of (4 own^2 + 5 model^2) / 9."""
    interval = delong_interval([1, 1, 0, 0], [3, 1, 2, 0])
    model = newcombe_auroc(0.75, 2, 2, quantile=3.182446)
    own = 3.182446 * 1.885618083
    for end, other, sign in ((interval.low, model.low, -1), (interval.high, model.high, 1)):
        reach = np.log(other / (1 - other)) - np.log(3)
        blended = np.log(3) + sign * np.sqrt((4 * own ** 2 + 5 * reach ** 2) / 9)
        assert end == pytest.approx(1 / (1 + np.exp(-blended)), abs=1e-6)
    assert interval.method == 'delong_blended' and 'only 4 patients' in interval.note


def test_a_variance_of_one_patient_is_not_believed():
    """Of 60 positives one is just below one of 60 normals: AUROC 1 - 1/3600. DeLong's interval ends
    at .9956; but with 60 patients nobody knows that no one in a hundred is far harder. Newcombe's
    ends at .966, and no blend of the two lies beyond."""
    labels = np.repeat([True, False], 60)
    scores = np.arange(120.)[::-1].copy()
    scores[[59, 60]] = scores[[60, 59]]
    estimate = delong_covariance(labels, scores)
    assert estimate.carriers[0] == pytest.approx(2, abs=0.1)  # the pair that is the wrong way round
    assert delong_interval(labels, scores, method='logit').low > 0.995
    model = newcombe_auroc(1 - 1 / 3600, 60, 60, quantile=1.980100)
    assert model.low < delong_interval(labels, scores).low < 0.985


def test_fair_system_keeps_delong():
    """With a few hundred images of a fair system the two are one to 3 % of their width."""
    rng = np.random.default_rng(0)
    labels = np.repeat([True, False], 150)
    scores = rng.normal(size=300) + 1.2 * labels
    plain, blended = (delong_interval(labels, scores, method=method) for method in
                      ('logit', 'blended'))
    assert blended.high - blended.low == pytest.approx(plain.high - plain.low, rel=0.03)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10 ** 6), st.integers(4, 30), st.sampled_from([1, 2, None]))
def test_intervals_stay_inside(seed, num_images, num_values):
    labels, scores = random_case(np.random.default_rng(seed), num_images, num_values)
    scores = scores + 3 * labels
    for method in ('blended', 'logit', 'newcombe'):
        interval = delong_interval(labels, scores[0], method=method)
        assert 0 <= interval.low <= interval.estimate <= interval.high <= 1
        assert interval.high - interval.low > 0.01  # never a certainty from 30 images
    difference = delong_test(labels, *scores).difference
    assert -1 <= difference.low <= difference.estimate <= difference.high <= 1


def test_monotone_transforms_change_nothing():
    labels, scores = random_case(np.random.default_rng(3), num_values=4)
    plain = delong_test(labels, *scores)
    transformed = delong_test(labels, np.exp(scores[0]), scores[1] ** 3)
    assert numbers(plain) == pytest.approx(numbers(transformed), rel=1e-9)
    assert len(numbers(plain)) == 15


def test_perfect_and_inverted_system():
    labels = np.repeat([True, False], [20, 40])
    one = delong_interval(labels, labels.astype(float))
    # Student's t of 60 units: 2.000995.
    assert (one.low, one.high) == pytest.approx(
        (newcombe_auroc(1., 20, 40, quantile=2.000995).low, 1), abs=1e-6)
    assert one.low < newcombe_auroc(1., 20, 40).low and one.method == 'delong_blended'
    plain = delong_interval(labels, labels.astype(float), method='logit')
    assert (plain.low, plain.high) == (newcombe_auroc(1., 20, 40).low, 1)
    assert 'variance is 0' in plain.note and plain.method == 'newcombe'
    assert delong_interval(labels, -labels.astype(float)).high == pytest.approx(1 - one.low)
    wald = delong_interval(labels, labels.astype(float), method='wald')
    assert wald.low == wald.high == 1  # what other software reports, for comparison only


def test_infinite_scores_are_ties_at_the_bottom():
    """A box detector without a box: -inf ranks as any number below all others."""
    labels = np.array([1, 1, 1, 0, 0, 0], bool)
    scores = np.array([0.9, 0.4, -np.inf, 0.6, -np.inf, -np.inf])
    finite = np.where(np.isinf(scores), -5, scores)
    assert numbers(delong_interval(labels, scores)) == pytest.approx(
        numbers(delong_interval(labels, finite)), rel=1e-9)
    assert np.isfinite(delong_covariance(labels, scores).covariance).all()
    constant = delong_interval(labels, np.full(6, -np.inf))  # no box on any image
    assert constant.estimate == 0.5 and constant.low < 0.3 and constant.high > 0.7


def test_placements_by_hand():
    """Positives 2 and 1, normals 1 and 0: 2 beats both; 1 ties one and beats one: 3/4. The
    normal 1 lies below one positive and ties the other: 3/4; 0 lies below both."""
    found = placements(np.array([2., 1, 1, 0]), np.array([True, True, False, False]))
    np.testing.assert_allclose(found, [1, 0.75, 0.75, 1])


def test_groups_of_one_are_delong():
    labels, scores = random_case(np.random.default_rng(4), num_values=3)
    plain, grouped = (delong_covariance(labels, scores, groups)
                      for groups in (None, list(range(40))))
    # The groups are numbered as strings, '10' before '2', so the products sum in another order. The
    # entries are about 5e-3; a group that was lost would change them by percents.
    np.testing.assert_allclose(plain.covariance, grouped.covariance, rtol=1e-12)
    assert plain.areas.tolist() == grouped.areas.tolist()


def test_copies_of_a_patient_add_nothing():
    """Each image three times, one patient each: the variance of the images once (Obuchowski's
    clustered form, exactly), where plain DeLong takes it for about a third."""
    labels, scores = random_case(np.random.default_rng(5))
    tripled = np.tile(scores, 3)
    once = delong_covariance(labels, scores)
    thrice = delong_covariance(np.tile(labels, 3), tripled, groups=list(range(40)) * 3)
    np.testing.assert_allclose(thrice.covariance, once.covariance, rtol=1e-12)
    naive = delong_covariance(np.tile(labels, 3), tripled)
    assert naive.covariance[0, 0] < 0.4 * once.covariance[0, 0]
    assert (thrice.positive_units, thrice.num_positives) == (labels.sum(), 3 * labels.sum())


def test_mixed_patients_against_obuchowski_by_hand():
    """Patients A (positive 3, normal 2), B (positive 1, normal 0). V10 = 1, 1/2; V01 = 1/2, 1;
    AUROC 3/4. S10 = 2 / (1 * 2) (1/16 + 1/16) = 1/8, and S01 as well. S11 = 2/1 (-1/16 - 1/16)
    = -1/4. Variance S10/2 + S01/2 + 2 S11 / (2 * 2) = 1/16 + 1/16 - 1/8 = 0: A's higher positive
    comes with its higher normal, and the AUROC of such pairs does not vary."""
    estimate = delong_covariance([1, 1, 0, 0], [3, 1, 2, 0], groups=['A', 'B', 'A', 'B'])
    assert estimate.covariance[0, 0] == pytest.approx(0, abs=1e-15)
    assert delong_covariance([1, 1, 0, 0], [3, 1, 2, 0]).covariance[0, 0] == pytest.approx(0.125)


def test_equal_systems():
    labels, scores = random_case(np.random.default_rng(6))
    result = delong_test(labels, scores[0], 2 * scores[0])
    assert (result.z, result.p_value, result.difference.estimate) == (0, 1, 0)
    assert 'alike' in result.note and result.difference.high - result.difference.low > 0.1


def test_below_eight_units_there_is_no_p_value():
    labels = np.array([1, 1, 1, 0, 0, 0, 0], bool)
    scores = np.array([[3., 1, 5, 0, 2, 4, 1], [2., 4, 1, 3, 0, 5, 2]])
    seven = delong_test(labels, *scores)
    assert seven.p_value is None and seven.z is not None and 'no p-value: 7 patients' in seven.note
    assert seven.difference.low < seven.difference.estimate < seven.difference.high
    eight = delong_test(np.append(labels, False), *np.hstack([scores, [[1.], [1.]]]))
    assert 0 < eight.p_value <= 1 and eight.note == ''
    assert delong_test(np.append(labels, False), *np.hstack([scores, [[1.], [1.]]]),
                       groups=list('abcdefgg')).p_value is None  # seven patients


def test_no_variance_and_a_difference_gives_no_number():
    labels = np.array([1, 1, 0, 0], bool)
    result = delong_test(labels, labels.astype(float), np.zeros(4))
    assert result.z is None and result.p_value is None and 'no z' in result.note
    assert result.difference.estimate == 0.5
    assert result.difference.low < 0.5 < result.difference.high


def test_test_is_antisymmetric():
    labels, scores = random_case(np.random.default_rng(7))
    for method in ('studentised', 'mover', 'wald'):
        forth = delong_test(labels, scores[0], scores[1], method=method)
        back = delong_test(labels, scores[1], scores[0], method=method)
        assert forth.z == pytest.approx(-back.z) and forth.p_value == pytest.approx(back.p_value)
        assert forth.difference.low == pytest.approx(-back.difference.high)


def test_mover_of_uncorrelated_terms_by_hand():
    """.8 (.7 .85) minus .6 (.5 .68): .2 - sqrt(.1^2 + .08^2), .2 + sqrt(.05^2 + .1^2)."""
    found = mover_difference(Interval(.8, .7, .85), Interval(.6, .5, .68), 0.)
    assert found.low == pytest.approx(0.2 - np.sqrt(0.0164))
    assert found.high == pytest.approx(0.2 + np.sqrt(0.0125))


@pytest.mark.parametrize('call, message', [
    (lambda: delong_interval([0, 0, 0], [1, 2, 3]), 'of 3 images 0 have one'),
    (lambda: delong_interval([1, 0, 0], [1, 2, 3]), '1 positive images of 1 unit'),
    (lambda: delong_interval([1, 1, 0], [1, 2, 3]), '1 normal images of 1 unit'),
    (lambda: delong_interval([1, 1, 0, 0], [1, 2, 3, 4], groups=['a', 'a', 'b', 'c']),
     '2 positive images of 1 unit'),
    (lambda: delong_interval([1, 1, 0, 0], [1, np.nan, 3, 4]), 'are NaN'),
    (lambda: delong_interval([1, 1, 0, 0], [1, 2, 3]), 'one number per image'),
    (lambda: delong_interval([1, 1, 0, 0], [1, 2, 3, 4], groups=['a']), '1 group for 4 images'),
    (lambda: delong_interval([1, 1, 0, 0], [1, 2, 3, 4], method='exact'), 'must be one of'),
    (lambda: delong_test([1, 1, 0, 0], [1, 2, 3, 4], [1, 2, 3]), '4 and 3 scores'),
    (lambda: delong_test([1, 1, 0, 0], [1, 2, 3, 4], [1, 2, 3, 4], method='logit'), 'one of'),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_methods_are_named():
    labels, scores = random_case(np.random.default_rng(8))
    names = [delong_interval(labels, scores[0], method=method).method for method in DELONG_METHODS]
    assert names == ['delong_blended', 'delong_logit', 'newcombe', 'delong_wald']
