"""Closed intervals against published numbers, scipy and statsmodels-free algebra."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, poisson

from mmwindow.evaluation.statistics.intervals import (
    clopper_pearson,
    clustered_proportion,
    effective_trials,
    hanley_mcneil_variance,
    newcombe_auroc,
    poisson_rate,
    t_quantile,
    wilson,
)


@settings(deadline=None)
@given(st.integers(1, 300), st.data(), st.sampled_from([0.8, 0.95, 0.99]))
def test_proportions_agree_with_scipy(trials, data, level):
    successes = data.draw(st.integers(0, trials))
    for ours, name in ((wilson, 'wilson'), (clopper_pearson, 'exact')):
        theirs = binomtest(successes, trials).proportion_ci(level, method=name)
        found = ours(successes, trials, level)
        assert found.low == pytest.approx(theirs.low, abs=1e-9)
        assert found.high == pytest.approx(theirs.high, abs=1e-9)
        assert 0 <= found.low <= found.estimate <= found.high <= 1


def test_published_numbers():
    """Newcombe, Stat Med 17 (1998) 857, table I: 81/263 and 0/20, both methods."""
    for interval, expected in [
            (wilson(81, 263), (.2553, .3662)), (clopper_pearson(81, 263), (.2527, .3676)),
            (wilson(0, 20), (0, .1611)), (clopper_pearson(0, 20), (0, .1684))]:
        assert (interval.low, interval.high) == pytest.approx(expected, abs=5e-5)


def test_ends_by_hand():
    """No failures in 10: exact low end .025 ** .1 = .69150; Wilson 10 / (10 + 1.96^2) = .72247."""
    assert clopper_pearson(10, 10).low == pytest.approx(0.69150, abs=5e-6)
    assert wilson(10, 10).low == pytest.approx(10 / (10 + 1.959963985 ** 2))
    assert wilson(10, 10).high == 1 and wilson(0, 10).low == 0


def test_poisson_rate():
    """No event over 100: -ln(.025) / 100 = .036889. Else the tails of the ends are 2.5 % each."""
    assert poisson_rate(0, 100).low == 0
    assert poisson_rate(0, 100).high == pytest.approx(0.0368888, abs=1e-7)
    interval = poisson_rate(7, 10)
    assert poisson.sf(6, interval.low * 10) == pytest.approx(0.025)
    assert poisson.cdf(7, interval.high * 10) == pytest.approx(0.025)


def test_clusters_of_one_are_the_plain_interval():
    successes = np.array([1, 0, 1, 1, 0, 1, 1])
    for method, plain in (('wilson', wilson), ('clopper_pearson', clopper_pearson)):
        found = clustered_proportion(successes, np.ones(7), method=method)
        expected = plain(5, 7)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
        assert found.note == ''


def test_clusters_that_agree_count_once():
    """Five patients with four points each, all found or none: as 5 trials, not 20.

    Variance sum((s - p t)^2) / T^2 = (3 (4 * .4)^2 + 2 (4 * .6)^2) / 400 = .048, and
    p (1 - p) / .048 = .24 / .048 = 5.
    """
    found = clustered_proportion([4, 4, 4, 0, 0], [4] * 5)
    expected = wilson(3, 5)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.note == '20 trials in 5 clusters count as 5'
    assert clustered_proportion([4] * 5, [4] * 5).low == pytest.approx(wilson(5, 5).low)


def test_clusters_are_never_narrower():
    """Two of four found in each patient: no variance between patients, 20 trials at most."""
    found = clustered_proportion([2] * 5, [4] * 5)
    assert (found.low, found.high) == pytest.approx((wilson(10, 20).low, wilson(10, 20).high))


def test_score_interval_of_clusters_by_hand():
    """Five patients with four points each, all found or none: the ratio of the variance .048 to
    .24 / 5 is 1, so 5 trials; Student's t of five, 2.776445; (p - .6)^2 = t^2 p (1 - p) / 5."""
    found = clustered_proportion([4, 4, 4, 0, 0], [4] * 5, method='score')
    scale = 2.776445 ** 2 / 5
    assert (found.low, found.high) == pytest.approx(
        sorted(np.roots([1 + scale, -1.2 - scale, .36])), abs=1e-6)
    assert found.method == 'score' and found.note == '20 trials in 5 clusters count as 5'


def test_effective_trials_by_hand():
    """Without a variance: the ratio is 10 units of 30 trials, 1/3; blended (10/3 + 3) / 13 = .487179,
    so 20.526 trials. A variance four times as large as of 10 units: (40 + 3) / 13, 3.0233. At 1 the
    variance says nothing: 10. Never more than the trials there are."""
    assert effective_trials(.5, 0., 10, 30) == pytest.approx(10 * 13 / (10 / 3 + 3))
    assert effective_trials(.5, 4 * .25 / 10, 10, 30) == pytest.approx(130 / 43)
    assert effective_trials(1., 0., 10, 30) == effective_trials(0., 0., 10, 30) == 10
    assert effective_trials(.5, 0., 2, 2) == 2


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=2, max_size=20))
def test_score_intervals_have_a_width(patients):
    """Inside [0, 1], around the estimate, and shorter with six times the patients."""
    successes, failures = np.array(patients).T
    if not (successes + failures).sum():
        return
    found = clustered_proportion(successes, successes + failures, method='score')
    many = clustered_proportion(np.tile(successes, 6), np.tile(successes + failures, 6),
                                method='score')
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    assert 0.01 < many.high - many.low < found.high - found.low


def test_student_s_quantile():
    """Of tables: 12.706 with one degree of freedom, 2.201 with eleven, 1.96 without end."""
    assert [t_quantile(.95, number) for number in (2, 12, 10 ** 7)] == pytest.approx(
        [12.7062, 2.200985, 1.959964], abs=1e-4)
    with pytest.raises(ValueError, match='there is 1 unit'):
        t_quantile(.95, 1)


def test_newcombe_interval_solves_its_equation():
    """The ends are where the distance is 1.96 deviations; on the scale of Hanley and McNeil
    with equal numbers, m = n, Newcombe's variance is theirs: A(1-A) + (n-1)(Q1 + Q2 - 2 A^2)."""
    area, number = 0.9, 50
    q1, q2 = area / (2 - area), 2 * area ** 2 / (1 + area)
    theirs = (area * (1 - area) + (number - 1) * (q1 + q2 - 2 * area ** 2)) / number ** 2
    assert hanley_mcneil_variance(area, number, number) == pytest.approx(theirs)
    for area, positives, normals in [(0.9, 50, 50), (0.5, 10, 300), (0.97, 400, 30)]:
        interval = newcombe_auroc(area, positives, normals)
        for end in (interval.low, interval.high):
            deviation = np.sqrt(hanley_mcneil_variance(end, positives, normals))
            assert abs(end - area) / deviation == pytest.approx(1.959964, abs=1e-5)
        assert 0 < interval.low < area < interval.high < 1


def test_newcombe_interval_at_the_ends():
    """At A = 1 the low end L has 1 - L = z sqrt(variance(L)); 0 mirrors 1."""
    one, zero = newcombe_auroc(1., 30, 60), newcombe_auroc(0., 30, 60)
    assert one.high == 1 and zero.low == 0
    assert 1 - one.low == pytest.approx(1.959964 * np.sqrt(hanley_mcneil_variance(one.low, 30, 60)))
    assert zero.high == pytest.approx(1 - one.low, abs=1e-9)
    assert newcombe_auroc(1., 1, 1).low >= 0
    widths = [1 - newcombe_auroc(1., number, number).low for number in (5, 20, 100, 1000)]
    assert widths == sorted(widths, reverse=True) and widths[-1] < 0.01


@pytest.mark.parametrize('call, message', [
    (lambda: wilson(1, 0), '1 successes of 0 trials'),
    (lambda: wilson(5, 4), '5 successes of 4 trials'),
    (lambda: wilson(np.nan, 4), 'nan successes'),
    (lambda: clopper_pearson(1, 2, level=95), 'confidence level is 95'),
    (lambda: poisson_rate(-1, 4), '-1 events'),
    (lambda: newcombe_auroc(1.1, 4, 4), 'AUROC 1.1'),
    (lambda: newcombe_auroc(0.5, 0, 4), '0 positives'),
    (lambda: clustered_proportion([], []), '0.0 successes of 0.0 trials'),
    (lambda: clustered_proportion([1], [1], method='wald'), 'must be one of'),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
