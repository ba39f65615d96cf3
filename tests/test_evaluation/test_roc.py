"""The ROC: by hand, against scikit-learn, and numbers of others."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from mmwindow.evaluation import auroc, roc_curve


def test_a_curve_by_hand():
    # Scores .9+ .8- .8+ .3-; the two of .8 enter together.
    # FPR 0 0 .5 1; TPR 0 .5 1 1: area of the trapezoid .5 * (.5 + 1) / 2 + .5 * 1 = .875.
    labels, scores = [1, 0, 1, 0], [0.9, 0.8, 0.8, 0.3]
    curve = roc_curve(labels, scores)
    assert curve.thresholds.tolist() == [np.inf, 0.9, 0.8, 0.3]
    assert curve.false_positive_rate.tolist() == [0., 0., 0.5, 1.]
    assert curve.true_positive_rate.tolist() == [0., 0.5, 1., 1.]
    # Pairs: .9 beats both, .8 ties with one and beats one: (2 + .5 + 1) / 4.
    assert auroc(labels, scores) == 0.875


@pytest.mark.parametrize('labels, scores, expected', [
    # Plain AUROC of a public evaluator: 7 of 9 pairs.
    ([0, 0, 0, 1, 1, 1], [0.21, 0.35, 0.63, 0.92, 0.32, 0.79], 7 / 9),
    ([0, 1], [0.1, 0.9], 1.), ([0, 1], [0.9, 0.1], 0.), ([0, 1], [0.5, 0.5], 0.5),
    ([0, 0, 1], [-np.inf, 0.2, -np.inf], 0.25),  # an image without a finding: 1/2 of a tie, of 2
    ([True, False], [np.inf, 0.], 1.),
])
def test_areas_by_hand(labels, scores, expected):
    assert auroc(labels, scores) == pytest.approx(expected, abs=1e-15)


def test_weights_are_repetitions():
    # A public test of weighted AUC: y 0 0 1 1 1, score 1 2 3 1 1, weight 1 1 1 4 5 gives .325.
    # By hand: of 10 positives by weight one scores 3 and beats both normals (2); nine score 1, tie
    # with one and lose to the other (9 * 1/2): 6.5 of 20 pairs.
    weights = [1, 1, 1, 4, 5]
    labels, scores = np.repeat([0, 0, 1, 1, 1], weights), np.repeat([1, 2, 3, 1, 1], weights)
    assert auroc(labels, scores) == pytest.approx(0.325, abs=1e-15)


@pytest.mark.parametrize('normals, abnormals, expected', [
    # Van Dyke's ratings 1 to 5 of reader 1 in treatments 1 and 2.
    ((47, 9, 10, 2, 1), (4, 1, 2, 10, 28), 0.91964573),
    ((23, 24, 15, 7, 0), (1, 0, 6, 5, 33), 0.94782609),
])
def test_van_dyke(normals, abnormals, expected):
    scores = np.repeat([1, 2, 3, 4, 5, 1, 2, 3, 4, 5], [*normals, *abnormals])
    labels = np.repeat([0, 1], [sum(normals), sum(abnormals)])
    assert auroc(labels, scores) == pytest.approx(expected, abs=5e-9)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(rows=st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40))
def test_any_area_and_curve_equal_scikit_learn(rows):
    labels, scores = (np.array(column) for column in zip(*rows, strict=True))
    if labels.all() or not labels.any():
        with pytest.raises(ValueError):
            auroc(labels, scores)
        return
    assert auroc(labels, scores) == pytest.approx(metrics.roc_auc_score(labels, scores), abs=1e-12)
    curve = roc_curve(labels, scores)
    rate, sensitivity, thresholds = metrics.roc_curve(labels, scores, drop_intermediate=False)
    assert curve.false_positive_rate == pytest.approx(rate)
    assert curve.true_positive_rate == pytest.approx(sensitivity)
    assert curve.thresholds.tolist() == thresholds.tolist()
    area = np.trapezoid(curve.true_positive_rate, curve.false_positive_rate) if (
        hasattr(np, 'trapezoid')) else np.trapz(curve.true_positive_rate, curve.false_positive_rate)
    assert auroc(labels, scores) == pytest.approx(area, abs=1e-12)


def test_neighbouring_numbers_stay_apart():
    # float32 would make the two scores equal, and the area 0.5.
    assert auroc([0, 1], [0.5, np.nextafter(0.5, 1)]) == 1.


def test_inputs_are_not_changed():
    labels, scores = np.array([0, 1, 0]), np.array([0.3, 0.2, 0.1])
    roc_curve(labels, scores), auroc(labels, scores)
    assert labels.tolist() == [0, 1, 0] and scores.tolist() == [0.3, 0.2, 0.1]


@pytest.mark.parametrize('labels, scores, words', [
    ([0, 0], [0.1, 0.2], 'of 2 images 0 have one'),
    ([1, 1], [0.1, 0.2], 'of 2 images 2 have one'),
    ([], [], 'of 0 images'),
    ([0, 1], [0.1, np.nan], '1 of 2 image scores are NaN'),
    ([0, 1, 1], [0.1, 0.2], r'labels \(3,\) and scores \(2,\)'),
    ([[0, 1]], [[0.1, 0.2]], 'one number per image'),
    ([0, 2], [0.1, 0.2], 'labels hold 2'),
    ([0, np.nan], [0.1, 0.2], 'labels hold nan'),
])
def test_bad_input_is_refused(labels, scores, words):
    for function in (auroc, roc_curve):
        with pytest.raises(ValueError, match=words):
            function(labels, scores)
