"""The long edge becomes the input side, and points stay on what they mark."""
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.structures.bbox import HorizontalBoxes

from mmwindow.datasets.transforms import ResizeToInput
from mmwindow.datasets.transforms.resize_to_input import fitted_size
from mmwindow.structures import PointBoxes


def draw(height, width, point, radius=9):
    """Return an image with a soft-edged disk."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    distance = np.hypot(columns - point[0], rows - point[1])
    return np.repeat(np.round(240 * np.clip(radius + .5 - distance, 0, 1))[..., None], 3,
                     axis=-1).astype(np.uint8)


def centroid(img):
    rows, columns = np.mgrid[:img.shape[0], :img.shape[1]] + 0.5
    weights = img[..., 0].astype(float)
    return [(weights * columns).sum() / weights.sum(), (weights * rows).sum() / weights.sum()]


@pytest.mark.parametrize('size, side, expected', [
    ((80, 96), 128, (107, 128)),  # 80 * 128 / 96 = 106.67
    ((96, 80), 48, (48, 40)), ((100, 100), 64, (64, 64)), ((1, 1000), 64, (1, 64)),
    ((2880, 2304), 1024, (1024, 819)), ((50, 50), 50, (50, 50))])
def test_sizes(size, side, expected):
    assert fitted_size(*size, side) == expected


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 2048))
def test_the_long_edge_fits_exactly(height, width, side):
    fitted = fitted_size(height, width, side)
    assert max(fitted) == side and min(fitted) >= 1
    assert fitted == fitted_size(width, height, side)[::-1]


@pytest.mark.parametrize('side', [64, 120, 160, 333])  # shrunk, hardly, not at all, enlarged
def test_points_stay_on_their_disk(side):
    point = [70.3, 51.6]
    boxes = PointBoxes([point], dtype=torch.float32)
    results = ResizeToInput(side).transform(dict(img=draw(120, 160, point), gt_bboxes=boxes))
    assert max(results['img'].shape[:2]) == side and results['img_shape'] == results['img'].shape[:2]
    np.testing.assert_allclose(results['gt_bboxes'].tensor[0], centroid(results['img']), atol=0.05)
    assert boxes.tensor[0].tolist() == pytest.approx(point)  # what came in is as it was


def test_what_is_recorded():
    results = ResizeToInput().transform(dict(img=np.zeros((80, 96, 3), np.uint8), input_side=128))
    assert results['scale'] == (128, 107) and results['keep_ratio'] is True
    assert results['scale_factor'] == (128 / 96, 107 / 80)  # of the rounded size
    assert 'gt_bboxes' not in results  # as in testing


def test_a_normal():
    results = ResizeToInput(64).transform(dict(img=draw(120, 160, (5, 5)), gt_bboxes=PointBoxes([])))
    assert results['gt_bboxes'].tensor.shape == (0, 2) and results['img'].shape == (48, 64, 3)


def test_boxes_are_moved_too():
    boxes = HorizontalBoxes([[0, 0, 96, 80]], dtype=torch.float32)
    results = ResizeToInput(48).transform(dict(img=np.zeros((80, 96, 3), np.uint8), gt_bboxes=boxes))
    assert results['gt_bboxes'].tensor.tolist() == [[0, 0, 48, 40]]


def test_shrinking_averages():
    img = np.tile(np.array([0, 200], np.uint8), (8, 4))[..., None].repeat(3, axis=-1)
    assert (ResizeToInput(4).transform(dict(img=img))['img'] == 100).all()


@pytest.mark.parametrize('key', ['gt_masks', 'gt_seg_map'])
def test_masks_are_refused(key):
    with pytest.raises(ValueError, match='moves points and boxes only; load no masks'):
        ResizeToInput(64).transform({'img': np.zeros((8, 8, 3), np.uint8), key: object()})


def test_a_side_is_needed():
    with pytest.raises(ValueError, match='ResizeToInput: no input_side; give it to CocoPointDataset'):
        ResizeToInput().transform(dict(img=np.zeros((8, 8, 3), np.uint8), input_side=None))
    with pytest.raises(ValueError, match='input_side is 0; it must be a positive whole number'):
        ResizeToInput(0)
