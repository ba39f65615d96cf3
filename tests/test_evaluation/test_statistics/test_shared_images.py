"""The same patients or images in validation and test are noticed, counted and named."""
import warnings

import numpy as np
import pytest

from mmwindow.evaluation import ImageEvents, apply_operating_point, choose_operating_point
from mmwindow.evaluation.statistics.shared_images import KnownImages


def make_images(groups, prefix, positive=True, named=True):
    """Return an image for each group, every other one with a point."""
    return [ImageEvents(
        score=.1 + number / 50, recall_levels=np.array([.1 + number / 50] * has_point),
        fp_levels=np.array([.1 + number / 50] * (not has_point)),
        fp_changes=np.ones(int(not has_point), np.int32), is_positive=has_point, image_id=number,
        group=group, fields=dict(file_name=f'{prefix}_{number}.png') if named else {})
        for number, group in enumerate(groups) for has_point in [positive and number % 2 == 0]]


def apply(validation, test):
    return apply_operating_point(choose_operating_point(validation, 'fp_budget', .2), test,
                                 num_resamples=100)


def test_patients_of_both_are_a_warning_that_counts_and_names_them():
    validation = make_images([f'patient {number}' for number in range(8)], 'val')
    test = make_images(['patient 6', 'patient 6', 'patient 7', 'other', '', None, 'x', 'y'], 'test')
    with pytest.warns(UserWarning, match=r"2 patients \('patient 6', 'patient 7'\) in common, 3 of 8 "
                                         'test images.*flatter.*by patient') as caught:
        result = apply(validation, test)
    assert result.warning == str(caught[0].message)
    assert caught[0].filename == __file__


def test_images_of_both_are_recognised_by_file_or_by_id_and_no_file():
    validation = make_images([''] * 8, 'val')
    with pytest.warns(UserWarning, match=r"8 images \('val_0.png'.* and 3 more\) in common"):
        apply(validation, validation)
    nameless = make_images([''] * 8, '', named=False)
    with pytest.warns(UserWarning, match=r"8 images \('0', '1'"):
        apply(nameless, nameless)


def test_nothing_in_common_is_no_warning():
    # Ids are the same: each annotation file counts from 1. No group is no common patient.
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert apply(make_images(['', None, 'a', 'b'], 'val'),
                     make_images(['', None, 'c', 'd'], 'test')).warning == ''


def test_negative_images_alone():
    known = KnownImages.of(make_images(['a', 'b'], 'val', positive=False))
    assert known.shared(make_images(['b', 'c'], 'test', positive=False)) == ((), ('b', ), 1, 2)
    assert known.shared([]).warning == ''
