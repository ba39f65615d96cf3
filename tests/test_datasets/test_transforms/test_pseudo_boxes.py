"""Boxes are made after all geometry and keep their size."""
import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.registry import init_default_scope

from mmwindow.datasets.transforms import PointsToPseudoBoxes
from mmwindow.structures import PointBoxes


def make(points, side=256):
    num = len(points)
    return dict(
        img=np.zeros((side, side, 3), np.uint8), img_shape=(side, side), input_size=(side, side),
        gt_bboxes=PointBoxes(points, dtype=torch.float32), gt_bboxes_labels=np.arange(num),
        gt_ignore_flags=np.zeros(num, dtype=bool))


def test_boxes_are_centred_and_scaled():
    # 200 pixels of a frame of side 1024 are 50 of one of side 256; over the border it is not cut.
    results = PointsToPseudoBoxes().transform(make([[100, 60], [5, 250.5]]))
    assert isinstance(results['gt_bboxes'], HorizontalBoxes)
    assert results['gt_bboxes'].tensor.tolist() == [[75, 35, 125, 85], [-20, 225.5, 30, 275.5]]
    assert results['gt_bboxes_labels'].tolist() == [0, 1]
    assert results['gt_bboxes'].tensor.dtype == torch.float32


def test_a_box_made_after_a_rotation_keeps_its_size():
    init_default_scope('mmdet')
    cfg = dict(type='Rotate', min_mag=15., max_mag=15., reversal_prob=1.0)
    results = PointsToPseudoBoxes().transform(TRANSFORMS.build(cfg)(make([[150, 90]])))
    left, top, right, bottom = results['gt_bboxes'].tensor[0].tolist()
    assert right - left == pytest.approx(50, abs=1e-4)
    assert bottom - top == pytest.approx(50, abs=1e-4)
    # Rotated clockwise by 15 degrees about (128, 128), from (22, -38): 22 cos + 38 sin = 31.085 and
    # 22 sin - 38 cos = -31.011.
    assert (left + right) / 2 == pytest.approx(128 + 31.085, abs=0.01)
    assert (top + bottom) / 2 == pytest.approx(128 - 31.011, abs=0.01)
    # What would happen the other way round: 50 (cos + sin) = 61.2.
    first = PointsToPseudoBoxes().transform(make([[150, 90]]))
    grown = TRANSFORMS.build(cfg)(first)['gt_bboxes']
    assert grown.widths.item() == pytest.approx(61.237, abs=0.01)


def test_points_outside_get_no_box_and_lose_their_label():
    results = PointsToPseudoBoxes().transform(make([[-1, 50], [20, 30], [256, 9], [255.9, 255.9]]))
    assert results['gt_bboxes_labels'].tolist() == [1, 3]
    assert len(results['gt_bboxes']) == len(results['gt_ignore_flags']) == 2


@pytest.mark.parametrize('points', [[], [[-5, -5]]])
def test_a_normal(points):
    results = PointsToPseudoBoxes().transform(make(points))
    assert results['gt_bboxes'].tensor.shape == (0, 4)
    assert len(results['gt_bboxes_labels']) == len(results['gt_ignore_flags']) == 0


def test_own_size_is_scaled_by_the_longer_side():
    results = PointsToPseudoBoxes(size=64).transform(
        dict(make([[100, 100]]), input_size=(256, 512)))
    assert results['gt_bboxes'].tensor.tolist() == [[84, 84, 116, 116]]


def test_twice_is_refused():
    transform = PointsToPseudoBoxes()
    with pytest.raises(ValueError, match='gt_bboxes is HorizontalBoxes; points are needed'):
        transform.transform(transform.transform(make([[100, 100]])))


@pytest.mark.parametrize('size', [0, -3, float('nan'), float('inf')])
def test_impossible_sizes(size):
    with pytest.raises(ValueError, match=f'size is {size}; it must be positive and finite'):
        PointsToPseudoBoxes(size=size)


def test_an_input_size_is_needed():
    with pytest.raises(ValueError, match='PointsToPseudoBoxes: the sample has no input_size'):
        PointsToPseudoBoxes().transform(dict(make([[1, 1]]), input_size=None))
