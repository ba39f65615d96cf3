"""Agreement of readers: by hand, against scikit-learn and a published example."""
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from mmwindow.evaluation.readers import (
    ReadImage,
    cohens_kappa,
    krippendorffs_alpha,
    reader_agreement,
)


def images_of(calls, groups=None):
    """Return images of calls by reader, None where one has not read the image."""
    return [ReadImage(number, 1024, 1024, {
        name: [[10, 10]] if call else [] for name, call in zip('ABC', row, strict=False)
        if call is not None}, group=f'p{groups[number]}' if groups else '')
        for number, row in enumerate(calls)]


def test_the_example_by_hand(example):
    agreement = reader_agreement(example)
    assert [(entry.reader, entry.num_images, entry.num_positive, entry.num_points)
            for entry in agreement.readers] == [('R1', 8, 5, 5), ('R2', 8, 5, 5), ('R3', 7, 4, 4)]
    # R1 and R2: both on 1 2 4 8, R1 alone 3, R2 alone 7, neither 5 6. By chance (25 + 9) / 64.
    # R1 and R3, on seven: 1 4, 2 3, 6 7, 5. R2 and R3: 1 4 7, 2, 6, 3 5. By chance 25 / 49 both.
    expected = [('R1', 'R2', 8, 6 / 8, (48 - 34) / (64 - 34), 4, 8 / 10, 35),
                ('R1', 'R3', 7, 3 / 7, (21 - 25) / (49 - 25), 1, 2 / 8, math.hypot(20, 10)),
                ('R2', 'R3', 7, 5 / 7, (35 - 25) / (49 - 25), 3, 6 / 8, math.hypot(10, 30))]
    for pair, (first, second, num, same, kappa, matched, place, distance) in zip(
            agreement.pairs, expected, strict=True):
        assert (pair.first, pair.second, pair.num_images, pair.num_units) == (first, second, num, num)
        assert pair.same_call.estimate == pytest.approx(same)
        assert pair.kappa == pytest.approx(kappa)
        assert pair.num_matched == matched
        assert pair.same_place.estimate == pytest.approx(place)
        assert pair.median_distance == pytest.approx(distance)
        for interval in (pair.same_call, pair.kappa_interval, pair.same_place):
            assert interval.low < interval.estimate < interval.high
        assert 'patients' in pair.kappa_interval.note          # eight are few, and that is said
    # 14 positive and 9 negative calls; 2 3 6 7 differ, by 1 each.
    assert agreement.alpha == pytest.approx(1 - 22 * 4 / (14 * 9))
    assert agreement.alpha_interval.low < agreement.alpha < agreement.alpha_interval.high


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=20))
def test_kappa_equals_scikit_learn(calls):
    first, second = np.array(calls).T
    kappa = cohens_kappa((first & second).sum(), (first & ~second).sum(), (~first & second).sum(),
                         (~first & ~second).sum())
    if len({*first, *second}) == 1:
        assert math.isnan(kappa)     # all calls are the same: chance alone agrees
    else:
        assert kappa == pytest.approx(cohen_kappa_score(first, second))


def test_alpha_of_the_published_example():
    # Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011, example A: alpha = 0.095.
    meg, owen = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert krippendorffs_alpha(np.add(meg, owen), [2] * 10) == pytest.approx(0.095, abs=5e-4)
    assert krippendorffs_alpha([2, 0, 1], [2, 2, 1]) == 1.0    # one reader alone says nothing
    assert math.isnan(krippendorffs_alpha([0, 0], [2, 2]))


def test_readers_who_find_nothing_have_no_kappa_and_a_reason():
    agreement = reader_agreement(images_of([(0, 0)] * 4))
    pair, = agreement.pairs
    assert math.isnan(pair.kappa) and pair.kappa_interval is None
    assert 'chance' in pair.reasons['kappa']
    assert pair.same_place is None and 'marked anything' in pair.reasons['same_place']
    assert pair.same_call.estimate == 1 and pair.same_call.low < 1
    assert math.isnan(pair.median_distance) and math.isnan(agreement.alpha)
    assert 'chance' in agreement.reasons['alpha']
    assert agreement.readers[0].points_per_image == 0


def test_readers_who_always_agree_have_an_interval_of_some_width():
    agreement = reader_agreement(images_of([(1, 1), (0, 0)] * 10))
    pair, = agreement.pairs
    # None of 20 units differs: at most 1 - .025 ** (1 / 20) of them, over a chance of one half.
    low = 1 - (1 - 0.025 ** (1 / 20)) / 0.5
    assert (pair.kappa, pair.kappa_interval.low, pair.kappa_interval.high) == pytest.approx(
        (1, low, 1))
    assert agreement.alpha == 1 and agreement.alpha_interval.low < agreement.alpha_interval.high


def test_images_of_a_patient_are_drawn_together():
    calls = [(1, 1), (0, 0), (1, 0), (0, 1), (1, 1), (0, 0)] * 4
    apart = reader_agreement(images_of(calls)).pairs[0]
    together = reader_agreement(images_of(calls, [number // 6 for number in range(24)])).pairs[0]
    assert (apart.num_units, together.num_units) == (24, 4)
    assert apart.kappa == together.kappa
    # Each patient has the same table, so their spread says nothing: no number of width 0.
    assert together.kappa_interval is None and 'same' in together.reasons['kappa']
    mixed = reader_agreement(images_of(calls, [number % 8 for number in range(24)])).pairs[0]
    assert mixed.kappa_interval != apart.kappa_interval
    alone = reader_agreement(images_of(calls, [0] * 24)).pairs[0]
    assert alone.kappa_interval is None and 'one patient' in alone.reasons['kappa']
    assert alone.same_call is None and alone.same_place is None
    assert 'one patient' in alone.reasons['same_call']


def test_readers_of_different_images():
    agreement = reader_agreement(images_of([(1, None), (None, 0)]))
    assert agreement.pairs == () and agreement.reasons == {
        'A and B': 'they have read no image in common',
        'alpha': 'no image has been read by two readers'}
    agreement = reader_agreement(images_of([(1, None, 1), (0, 0, None), (1, 1, None), (0, None, 0)]))
    assert [(pair.first, pair.second, pair.num_images) for pair in agreement.pairs] == [
        ('A', 'B', 2), ('A', 'C', 2)]
    assert 'B and C' in agreement.reasons


def test_classes_are_apart():
    from mmwindow.annotations.merging import ReaderMarks
    marks = {'A': ReaderMarks(np.array([[1., 1]]), np.array([0]), (None, )),
             'B': ReaderMarks(np.array([[1., 1]]), np.array([1]), (None, ))}
    images = [ReadImage(1, 9, 9, marks), ReadImage(2, 9, 9, {'A': [], 'B': []})]
    for label in (0, 1):
        pair, = reader_agreement(images, label).pairs
        assert pair.num_matched == 0 and pair.same_call.estimate == 0.5


def test_bad_input():
    with pytest.raises(ValueError, match="only reader is 'A'"):
        reader_agreement([ReadImage(1, 9, 9, {'A': []})])
    with pytest.raises(ValueError, match='name no reader'):
        reader_agreement([])
    with pytest.raises(ValueError, match='level is 95'):
        reader_agreement(images_of([(1, 1)]), level=95)
    with pytest.raises(ValueError, match="'A' has marked"):
        ReadImage(1, 9, 9, {'A': [[1, 1], [1, 1]]})
