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
    results = ResizeToInput(128).transform(dict(img=np.zeros((80, 96, 3), np.uint8)))
    assert results['scale'] == (128, 107) and results['keep_ratio'] is True
    assert results['scale_factor'] == (128 / 96, 107 / 80)  # of the rounded size
    assert results['input_size'] == (128, 128)
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


@pytest.mark.parametrize('size', [0, -1, 2.0, True, '64', None, (64,), (64, 0), (64, 32.0), '48'])
def test_sizes_that_cannot_be_meant(size):
    with pytest.raises(ValueError, match='input_size is .*a positive whole number of pixels, or two'):
        ResizeToInput(size)


@pytest.mark.parametrize('size, frame, expected', [
    # 80 x 96 into 64 x 128: the height decides, 64 / 80 = 0.8, so the width is 76.8.
    ((80, 96), (64, 128), (64, 77)), ((96, 80), (64, 128), (64, 53)),  # 80 * 64 / 96 = 53.3
    ((40, 200), (64, 128), (26, 128)), ((200, 40), [64, 128], (64, 13))])
def test_an_image_fits_a_rectangle(size, frame, expected):
    results = ResizeToInput(frame).transform(dict(
        img=np.zeros((*size, 3), np.uint8), gt_bboxes=PointBoxes([[float(size[1]), float(size[0])]])))
    assert results['img_shape'] == expected and results['input_size'] == tuple(frame)
    assert results['gt_bboxes'].tensor[0].tolist() == pytest.approx([expected[1], expected[0]])


def test_pixels_of_an_array_are_8_bit_or_rejected():
    grey = np.random.default_rng(0).integers(0, 255, (8, 8)).astype(np.uint8)
    results = ResizeToInput(8).transform(dict(img=grey, img_path=None))
    assert np.array_equal(results['img'], np.stack([grey] * 3, axis=-1))
    with pytest.raises(ValueError, match='the array: pixels are uint16; 8-bit ones are expected'):
        ResizeToInput(8).transform(dict(img=grey.astype(np.uint16)))
    with pytest.raises(ValueError, match='x.png: pixels have the shape'):
        ResizeToInput(8).transform(dict(img=np.zeros((8, 8, 4), np.uint8), img_path='x.png'))


def test_another_size_than_announced_is_rejected():
    with pytest.raises(ValueError, match='a.png: the image is 9 x 8 .*the point file says 8 x 9'):
        ResizeToInput(8).transform(dict(img=np.zeros((8, 9, 3), np.uint8), img_path='a.png',
                                        height=9, width=8))
