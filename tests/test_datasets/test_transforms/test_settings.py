"""Own arguments first, then the data set's."""
import pytest

from mmwindow.datasets.transforms.settings import check_side, setting


@pytest.mark.parametrize('own, results, expected', [
    (3, dict(size=5), 3), (None, dict(size=5), 5), (0, dict(size=5), 0), (0.0, {}, 0.0)])
def test_own_comes_first_also_when_it_is_zero(own, results, expected):
    assert setting(object(), 'size', own, results) == expected


@pytest.mark.parametrize('results', [{}, dict(size=None)])
def test_a_setting_that_nobody_gives(results):
    class Shrink:
        pass

    with pytest.raises(ValueError, match='Shrink: no size; give it to CocoPointDataset'):
        setting(Shrink(), 'size', None, results)


@pytest.mark.parametrize('side', [None, 1, 1024])
def test_sides_that_are_meant(side):
    assert check_side(object(), side) == side


@pytest.mark.parametrize('side', [0, -1, 2.0, True, '64'])
def test_sides_that_cannot_be_meant(side):
    with pytest.raises(ValueError, match='it must be a positive whole number of pixels'):
        check_side(object(), side)
