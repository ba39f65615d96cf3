"""Padding goes to the right and below, so that no point moves."""
import numpy as np
import pytest

from mmwindow.datasets.transforms import PadToInput
from mmwindow.structures import PointBoxes


@pytest.mark.parametrize('shape', [(40, 64), (64, 30), (64, 64), (1, 1)])
@pytest.mark.parametrize('pad_val', [0, 114])
def test_the_image_keeps_its_place(shape, pad_val):
    img = np.random.default_rng(0).integers(0, 255, (*shape, 3)).astype(np.uint8)
    before = img.copy()
    results = PadToInput(pad_val=pad_val).transform(dict(img=img, input_side=64))
    height, width = shape
    assert results['img'].shape == (64, 64, 3)
    assert results['img_shape'] == results['pad_shape'] == (64, 64)
    assert np.array_equal(results['img'][:height, :width], before)
    assert (results['img'][height:] == pad_val).all() and (results['img'][:, width:] == pad_val).all()


@pytest.mark.parametrize('points', [[], [[3., 4.], [-2., 70.]]])
def test_points_stay(points):
    boxes = PointBoxes(points)
    results = PadToInput(64).transform(dict(img=np.zeros((40, 64, 3), np.uint8), gt_bboxes=boxes))
    assert results['gt_bboxes'].tensor.tolist() == points


def test_too_large_an_image_is_refused():
    with pytest.raises(ValueError, match='the image is 65 x 40, larger than the square of 64; put '
                                         'ResizeToInput before it'):
        PadToInput(64).transform(dict(img=np.zeros((40, 65, 3), np.uint8)))


@pytest.mark.parametrize('key', ['gt_masks', 'gt_seg_map'])
def test_masks_are_refused(key):
    with pytest.raises(ValueError, match="load no masks, or use mmdet's Pad"):
        PadToInput(64).transform({'img': np.zeros((8, 8, 3), np.uint8), key: object()})


def test_a_side_is_needed():
    with pytest.raises(ValueError, match='PadToInput: no input_side'):
        PadToInput().transform(dict(img=np.zeros((8, 8, 3), np.uint8)))
