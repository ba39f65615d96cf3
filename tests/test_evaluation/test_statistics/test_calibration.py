"""Calibration by hand, against scikit-learn, and on scores whose truth is known."""
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit

from mmwindow.evaluation import ImageEvents
from mmwindow.evaluation.statistics.calibration import (
    bin_index,
    chance_error,
    fit_logistic,
    measure_calibration,
)

linear_model = pytest.importorskip('sklearn.linear_model')


def make_images(scores, labels, patients=None):
    return [ImageEvents(
        score=float(score), recall_levels=np.array([float(score)] * int(label)),
        fp_levels=np.zeros(0), fp_changes=np.zeros(0, np.int32), is_positive=bool(label),
        image_id=number, group='' if patients is None else f'p{patients[number]}')
        for number, (score, label) in enumerate(zip(scores, labels, strict=True))]


def draw_images(number, seed=0, slope=1., shift=0.):
    """Images whose label is drawn with the probability expit(shift + slope logit(score))."""
    generator = np.random.default_rng(seed)
    scores = expit(generator.normal(-.5, 1.5, number))
    labels = generator.random(number) < expit(shift + slope * logit(scores))
    return scores, labels.astype(float)


def test_ece_and_brier_by_hand():
    # Bins of a fifth: {.1 negative, .1 positive}: |.1 - .5| = .4; {.5, both positive}: .5;
    # {1., negative}: 1. ECE = (2 * .4 + 2 * .5 + 1) / 5; Brier = (.01 + .81 + .25 + .25 + 1) / 5.
    found = measure_calibration(make_images([.1, .1, .5, .5, 1.], [0, 1, 1, 1, 0]), num_bins=5)
    assert found.ece.estimate == pytest.approx(2.8 / 5)
    assert found.brier.estimate == pytest.approx(2.32 / 5)
    assert [(row.low, row.high, row.num_images, row.share.estimate) for row in found.bins] == [
        (0, .2, 2, .5), (pytest.approx(.4), pytest.approx(.6), 2, 1.), (.8, 1, 1, 0.)]
    assert found.mean_score == pytest.approx(.44) and found.prevalence == .6


def test_a_score_on_an_edge_belongs_to_the_upper_bin_and_one_to_the_last():
    assert bin_index(np.array([0, .09, .1, .5, .99, 1.]), 10).tolist() == [0, 0, 1, 5, 9, 9]


def test_slope_and_intercept_are_those_of_other_implementations():
    scores, labels = draw_images(800, 1, slope=.7, shift=-.4)
    found = measure_calibration(make_images(scores, labels))
    fitted = linear_model.LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(
        logit(scores)[:, None], labels)
    assert found.slope.estimate == pytest.approx(fitted.coef_[0, 0], abs=1e-5)
    plain = minimize(lambda a: np.logaddexp(0, a + logit(scores)).sum() - (
        labels * (a + logit(scores))).sum(), 0., tol=1e-12)
    assert found.intercept.estimate == pytest.approx(plain.x[0], abs=1e-5)


def test_brier_is_that_of_scikit_learn_and_bins_are_its_curve():
    calibration, metrics = (pytest.importorskip(f'sklearn.{name}')
                            for name in ('calibration', 'metrics'))
    scores, labels = draw_images(500, 2)
    found = measure_calibration(make_images(scores, labels))
    assert found.brier.estimate == pytest.approx(metrics.brier_score_loss(labels, scores))
    shares, means = calibration.calibration_curve(labels, scores, n_bins=10)
    assert [row.share.estimate for row in found.bins] == pytest.approx(shares.tolist())
    assert [row.mean_score for row in found.bins] == pytest.approx(means.tolist())


def test_the_variance_of_single_images_is_the_robust_one_and_copies_do_not_shrink_it():
    scores, labels = draw_images(300, 3)
    columns = np.stack([np.ones(300), logit(scores)], axis=1)
    coefficients, covariance = fit_logistic(columns, np.zeros(300), labels, np.arange(300))
    share = expit(columns @ coefficients)
    bread = np.linalg.inv(columns.T @ np.diag(share * (1 - share)) @ columns)
    meat = columns.T @ np.diag((labels - share) ** 2) @ columns * 300 / 299
    np.testing.assert_allclose(covariance, bread @ meat @ bread, rtol=1e-9)
    again, same = fit_logistic(*(np.concatenate([part, part]) for part in (
        columns, np.zeros(300), labels, np.arange(300))))
    np.testing.assert_allclose(again, coefficients, rtol=1e-7)
    np.testing.assert_allclose(same, covariance, rtol=1e-7)


@pytest.mark.parametrize('slope, shift', [(1., 0.), (.5, 0.), (1., -1.)])
def test_intervals_hold_the_truth(slope, shift):
    """Of 60 samples at least 51 (by chance alone, one set of samples in 300 has fewer)."""
    held = dict(slope=0, intercept=0)
    for seed in range(60):
        scores, labels = draw_images(150, seed, slope, shift)
        found = measure_calibration(make_images(scores, labels), num_resamples=100)
        held['slope'] += found.slope.low <= slope <= found.slope.high
        held['intercept'] += found.intercept.low <= shift <= found.intercept.high
    assert held['slope'] >= 51 and (slope != 1. or held['intercept'] >= 51), held


def test_patients_widen_the_intervals():
    scores, labels = draw_images(60, 4)
    scores, labels = np.repeat(scores, 5), np.repeat(labels, 5)
    one, many = (measure_calibration(make_images(scores, labels, patients))
                 for patients in (None, np.repeat(np.arange(60), 5)))
    for name in ('brier', 'slope', 'intercept'):
        wide, narrow = getattr(many, name), getattr(one, name)
        assert wide.estimate == pytest.approx(narrow.estimate)
        assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(5 ** .5, rel=.15)
    assert many.num_units == 60 and one.num_units == 300


def test_the_error_by_chance_tells_a_calibrated_model_from_a_poor_one():
    scores, labels = draw_images(200, 5)
    found = measure_calibration(make_images(scores, labels))
    assert found.ece.estimate < 1.5 * found.ece_by_chance and found.ece.low < .03
    wrong = measure_calibration(make_images(np.sqrt(scores), labels))
    assert wrong.ece.estimate > 1.5 * wrong.ece_by_chance and wrong.ece.low > .05
    assert chance_error(np.array([0., 1., 1.]), np.array([0, 9, 9]), 10, 0) == 0.


def test_negative_images_alone_have_bins_and_a_brier_score_but_no_slope():
    found = measure_calibration(make_images([.1, .2, .25] * 5, [0] * 15))
    assert found.slope is found.intercept is None and found.prevalence == 0
    assert 'with and without' in found.reasons['slope'] and 'with and without' in (
        found.reasons['intercept'])
    assert found.brier.estimate == pytest.approx((.01 + .04 + .0625) / 3)
    assert [row.share.estimate for row in found.bins] == [0., 0.]


def test_positive_images_alone():
    found = measure_calibration(make_images([.9] * 15, [1] * 15))
    assert found.slope is None and found.ece.estimate == pytest.approx(.1)
    assert found.brier.estimate == pytest.approx(.01) == found.brier.low == found.brier.high


@pytest.mark.parametrize('scores, labels, words', [
    ([.1, .2, .8, .9], [0, 0, 1, 1], 'separate'), ([.8, .9, .1, .2], [0, 0, 1, 1], 'separate'),
    ([.5] * 4, [0, 1, 0, 1], 'all scores are the same')])
def test_where_no_slope_is_the_best_there_is_none(scores, labels, words):
    found = measure_calibration(make_images(scores * 5, labels * 5))
    assert found.slope is None and words in found.reasons['slope']


def test_few_images_are_said():
    found = measure_calibration(make_images(*draw_images(60, 6)))
    assert 'below 100 of either' in found.notes[0]
    assert not measure_calibration(make_images(*draw_images(600, 6))).notes
    assert any('only 8 patients' in note for note in measure_calibration(
        make_images(*draw_images(8, 6))).notes)


def test_an_image_without_a_box_has_the_probability_0():
    images = make_images([.5, .5, .2, .3] * 5, [1, 0, 0, 1] * 5)
    images += [ImageEvents(-np.inf, np.zeros(0), np.zeros(0), np.zeros(0, np.int32), False, 'none')]
    found = measure_calibration(images)
    assert found.bins[0].mean_score == 0 and found.bins[0].num_images == 1
    assert any('1 scores nearer' in note for note in found.notes)


def test_scores_that_are_no_probabilities_are_said():
    found = measure_calibration(make_images([-1., 2.] * 6, [0, 1] * 6))
    assert found.ece is None and 'from -1 to 2' in found.reasons['brier'] and found.bins == ()


def test_images_of_one_patient_have_no_number():
    found = measure_calibration(make_images([.1, .9, .4], [0, 1, 1], [1, 1, 1]))
    assert found.ece is found.brier is found.slope is None and 'one patient' in found.reasons['ece']
    assert [row.num_images for row in found.bins] == [1, 1, 1]


@pytest.mark.parametrize('num_bins', [5, 10, 20])
def test_scores_on_an_edge_belong_to_the_upper_bin(num_bins):
    """.3, .6 and .7 in binary lie below linspace's edges."""
    scores = np.array([number / num_bins for number in range(num_bins)])
    assert bin_index(scores, num_bins).tolist() == list(range(num_bins))


def test_error_of_scores_on_two_edges_by_hand():
    """100 images at .2, of which 30 % are positive, and 100 at .3, of which 20 % are: .1 each."""
    images = [ImageEvents(.2 if number < 100 else .3, np.zeros(0), np.zeros(0), np.zeros(0, np.int32),
                          number % 100 < (30 if number < 100 else 20), number)
              for number in range(200)]
    assert measure_calibration(images, num_resamples=100).ece.estimate == pytest.approx(.1)
