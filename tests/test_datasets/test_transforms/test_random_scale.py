"""Jitter of scale: where pixels and points go, worked by hand, and what it never does."""
import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms.utils import cache_random_params
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes

from mmwindow.datasets.transforms import PointsToPseudoBoxes, PointToBoundTransform, RandomScale
from mmwindow.datasets.transforms.random_scale import zoom_matrix
from mmwindow.structures import PointBoxes


def make_sample(points=((4.5, 2.5), ), height=6, width=10):
    image = np.zeros((height, width, 3), np.uint8)
    for x, y in points:
        image[int(y), int(x)] = 200
    return dict(
        img=image, img_shape=(height, width), input_size=(height, width),
        gt_bboxes=PointBoxes(torch.tensor(points, dtype=torch.float32).reshape(-1, 2)),
        gt_bboxes_labels=np.zeros(len(points), np.int64), gt_ignore_flags=np.zeros(len(points), bool))


def draws(transform, number=2000):
    np.random.seed(0)
    return np.array([transform._draw() for _ in range(number)])


def test_a_zoom_by_two_worked_by_hand():
    # Of 10 x 6 pixels the middle is (5, 3). Pixel (4, 2), centre (4.5, 2.5), half a pixel before the
    # middle along each axis, goes to a whole pixel before it: (4, 2).
    sample = RandomScale((2, 2)).transform(make_sample())
    assert sample['gt_bboxes'].tensor.tolist() == [[4., 2.]]
    assert sample['homography_matrix'].tolist() == [[2, 0, -4.5], [0, 2, -2.5], [0, 0, 1]]
    image = sample['img'][..., 0]
    # Index i of the result reads i / 2 + 2.25 (x) and i / 2 + 1.25 (y) of the image: x = 3 and 4 read
    # 3.75 and 4.25, three quarters of the bright pixel; x = 2 and 5 read 3.25 and 4.75, a quarter.
    weights = np.zeros((6, 10))
    weights[np.ix_([0, 1, 2, 3], [2, 3, 4, 5])] = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16
    np.testing.assert_allclose(image, 200 * weights, atol=0.6)
    rows, columns = np.mgrid[:6, :10] + 0.5
    centre = (weights * columns).sum() / weights.sum(), (weights * rows).sum() / weights.sum()
    assert centre == (4, 2)


def test_points_move_with_the_pixels_whatever_is_drawn():
    height, width = 121, 160  # an odd and an even side
    rows, columns = np.mgrid[:height, :width] + 0.5
    np.random.seed(1)
    for _ in range(10):
        sample = make_sample([(60.3, 70.7)], height, width)
        distance = np.hypot(columns - 60.3, rows - 70.7)
        sample['img'] = np.repeat(np.round(240 * np.clip(12.5 - distance, 0, 1))[..., None], 3,
                                  axis=2).astype(np.uint8)
        image = RandomScale((0.5, 1.8)).transform(sample)['img'][..., 0].astype(float)
        centre = [(image * columns).sum() / image.sum(), (image * rows).sum() / image.sum()]
        # OpenCV reads at steps of 1/32 pixel, grey levels are whole numbers.
        np.testing.assert_allclose(sample['gt_bboxes'].tensor[0], centre, atol=0.05)


def test_what_is_left_free_is_black_and_the_middle_stays():
    sample = make_sample(((2.5, 1.5), ), height=20, width=30)
    sample['img'][:] = 255
    image = RandomScale((0.5, 0.5)).transform(sample)['img']
    assert image.shape == (20, 30, 3) and (image[6:14, 9:21] == 255).all()
    assert (image[:4] == 0).all() and (image[:, :6] == 0).all() and (image[:, 24:] == 0).all()
    # (15, 10) + ((2.5, 1.5) - (15, 10)) / 2
    assert sample['gt_bboxes'].tensor.tolist() == [[8.75, 5.75]]


def test_an_image_without_points_is_zoomed_as_any():
    sample = make_sample(())
    sample['img'][2:4, 4:6] = 100
    same = cv2.warpAffine(sample['img'], zoom_matrix(1.5, 6, 10)[:2], (10, 6))
    sample = RandomScale((1.5, 1.5)).transform(sample)
    assert np.array_equal(sample['img'], same) and sample['img'].any()
    assert isinstance(sample['gt_bboxes'], PointBoxes) and sample['gt_bboxes'].tensor.shape == (0, 2)
    bare = RandomScale((1.5, 1.5)).transform(dict(img=np.ones((6, 10, 3), np.uint8)))
    assert set(bare) == {'img', 'homography_matrix'}


def test_a_point_that_leaves_lends_its_disk_and_gets_no_box():
    def zoomed():  # 32 x 32: (4, 16) goes to (16 - 2 * 12, 16) = (-8, 16)
        return RandomScale((2, 2)).transform(make_sample(((4., 16.), ), 32, 32))

    assert zoomed()['gt_bboxes'].tensor.tolist() == [[-8., 16.]]
    bounds = PointToBoundTransform(320, 640, 2, strides=(4, ), num_classes=1).transform(
        zoomed())['gt_bounds'][4]  # radii of 10 and 20 pixels, tau 1/16
    # The cells at y = 14 have their centres at x = 2, 6, 10, ...: 10.198, 14.1, 18.1 and 22.1 from
    # the point; 1 / (1 + exp(16 (10.198 - 10))) = .0404.
    assert bounds.lower[0, 3].tolist() == pytest.approx([.0404, *[0] * 7], abs=1e-3)
    assert (bounds.upper[0, 3] > .5).tolist() == [True, True, True, *[False] * 5]
    sample = PointsToPseudoBoxes(200).transform(zoomed())
    assert sample['gt_bboxes'].tensor.shape == (0, 4) and len(sample['gt_bboxes_labels']) == 0


def test_the_window_keeps_its_size_in_frame_pixels():
    """The same bounds as for a point that was there from the beginning: lengths are not zoomed."""
    window = PointToBoundTransform(320, 640, 2, strides=(4, ), num_classes=1)
    moved = window.transform(RandomScale((2, 2)).transform(make_sample(((12., 18.), ), 32, 32)))
    there = window.transform(make_sample(((8., 20.), ), 32, 32))  # (16, 16) + 2 ((12, 18) - (16, 16))
    assert torch.equal(moved['gt_bounds'][4].lower, there['gt_bounds'][4].lower)
    assert torch.equal(moved['gt_bounds'][4].upper, there['gt_bounds'][4].upper)


def test_factors_are_uniform_in_their_logarithm():
    found = np.log(draws(RandomScale((0.5, 2))))
    assert -np.log(2) <= found.min() < -.69 and .69 < found.max() <= np.log(2)
    # The mean of 2000 uniform numbers of width log 4 has a standard deviation of .0089.
    assert abs(found.mean()) < 6 * .0089
    assert abs(np.mean(found < -np.log(2) / 2) - .25) < 6 * np.sqrt(.25 * .75 / 2000)


def test_off_it_changes_nothing_and_leaves_the_random_stream_as_it_is():
    sample = make_sample()
    pixels, boxes = sample['img'], sample['gt_bboxes']
    np.random.seed(5)
    before = np.random.get_state()[2]
    sample = TRANSFORMS.build(dict(type='RandomScale')).transform(sample)
    assert np.random.get_state()[2] == before and 'homography_matrix' not in sample
    assert sample['img'] is pixels and sample['gt_bboxes'] is boxes


def test_the_same_state_gives_the_same_image_and_what_came_in_stays():
    """A resumed training restores numpy's state alone; nothing else may decide."""
    found = []
    for _ in range(2):
        sample = make_sample()
        pixels, boxes = sample['img'].copy(), sample['gt_bboxes']
        np.random.seed(3)
        found.append(RandomScale((0.5, 2)).transform({**sample}))
        assert np.array_equal(sample['img'], pixels) and boxes.tensor.tolist() == [[4.5, 2.5]]
    assert np.array_equal(found[0]['img'], found[1]['img'])
    assert torch.equal(found[0]['gt_bboxes'].tensor, found[1]['gt_bboxes'].tensor)


def test_a_cached_draw_is_repeated():
    transform = RandomScale((0.5, 2))
    with cache_random_params(transform):
        first, second = (transform.transform(make_sample())['homography_matrix'] for _ in range(2))
    assert np.array_equal(first, second)


def test_the_matrix_comes_after_those_before_it_and_boxes_follow():
    sample = make_sample()
    shift = np.array([[1., 0, 3], [0, 1, 0], [0, 0, 1]])
    sample.update(homography_matrix=shift, gt_bboxes=HorizontalBoxes(torch.tensor([[3., 2, 5, 4]])))
    sample = RandomScale((2, 2)).transform(sample)
    assert np.array_equal(sample['homography_matrix'], zoom_matrix(2, 6, 10) @ shift)
    # mmdet's own boxes take the matrix as it is: 2 x - 4.5, 2 y - 2.5.
    assert sample['gt_bboxes'].tensor.tolist() == [[1.5, 1.5, 5.5, 5.5]]


@pytest.mark.parametrize('factors', [(1.3, 0.8), (0, 1), (0.8, ), 1.3, (0.8, float('nan')),
                                     (0.8, 30), ('0.8', 1), None])
def test_factors_that_cannot_be_meant(factors):
    with pytest.raises(ValueError, match=r'RandomScale: factors is .*\(0\.8, 1\.3\)'):
        RandomScale(factors)


def test_masks_are_rejected():
    with pytest.raises(ValueError, match='load no masks'):
        RandomScale((0.8, 1.3)).transform(dict(img=np.zeros((4, 4, 3), np.uint8), gt_masks=[]))
