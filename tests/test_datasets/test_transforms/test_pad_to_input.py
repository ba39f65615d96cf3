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
    results = PadToInput(pad_val=pad_val).transform(dict(img=img, input_size=(64, 64)))
    height, width = shape
    assert results['img'].shape == (64, 64, 3)
    assert results['img_shape'] == results['pad_shape'] == (64, 64)
    assert np.array_equal(results['img'][:height, :width], before)
    assert (results['img'][height:] == pad_val).all() and (results['img'][:, width:] == pad_val).all()


@pytest.mark.parametrize('points', [[], [[3., 4.], [-2., 70.]]])
def test_points_stay(points):
    boxes = PointBoxes(points)
    results = PadToInput().transform(dict(img=np.zeros((40, 64, 3), np.uint8), gt_bboxes=boxes,
                                          input_size=(64, 64)))
    assert results['gt_bboxes'].tensor.tolist() == points


def test_too_large_an_image_is_refused():
    with pytest.raises(ValueError, match='the image is 65 x 40, larger than the input of 64 x 96; '
                                         'put ResizeToInput right before it'):
        PadToInput().transform(dict(img=np.zeros((40, 65, 3), np.uint8), input_size=(96, 64)))


@pytest.mark.parametrize('size', [(64, 80), (33, 64)])
def test_a_map_that_would_cover_more_than_the_frame_is_rejected(size):
    """The model would pad to multiples of 32 itself, and its map would shrink against the points."""
    with pytest.raises(ValueError, match=f'the input is {size[1]} x {size[0]} .*no multiple of 32'):
        PadToInput().transform(dict(img=np.zeros((8, 8, 3), np.uint8), input_size=size))
    PadToInput(divisor=1).transform(dict(img=np.zeros((8, 8, 3), np.uint8), input_size=size))


def test_a_rectangle():
    results = PadToInput().transform(dict(img=np.ones((20, 96, 3), np.uint8), input_size=(32, 96)))
    assert results['img'].shape == (32, 96, 3) and results['pad_shape'] == (32, 96)
    assert results['img'].sum() == 20 * 96 * 3


@pytest.mark.parametrize('key', ['gt_masks', 'gt_seg_map'])
def test_masks_are_refused(key):
    with pytest.raises(ValueError, match="load no masks, or use mmdet's Pad"):
        PadToInput().transform({'img': np.zeros((8, 8, 3), np.uint8), key: object()})


def test_a_size_is_needed():
    with pytest.raises(ValueError, match='PadToInput: the sample has no input_size; put'):
        PadToInput().transform(dict(img=np.zeros((8, 8, 3), np.uint8)))
