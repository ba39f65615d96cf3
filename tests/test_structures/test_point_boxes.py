"""PointBoxes' own methods, against values worked by hand."""
import copy

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import BaseBoxes, HorizontalBoxes, get_box_type
from mmdet.structures.mask import BitmapMasks

from mmwindow.structures import PointBoxes


def make(points):
    return PointBoxes(points, dtype=torch.float32)


def values(boxes):
    return boxes.tensor.tolist()


def test_it_is_a_registered_box_type():
    assert get_box_type('point') == ('point', PointBoxes)
    assert issubclass(PointBoxes, BaseBoxes)


@pytest.mark.parametrize('direction, expected', [
    ('horizontal', [9., 1.]), ('vertical', [1., 5.]), ('diagonal', [9., 5.])])
def test_flips(direction, expected):
    # In an image 10 wide and 6 high: x becomes 10 - x, y becomes 6 - y.
    boxes = make([[1, 1]])
    boxes.flip_((6, 10), direction)
    assert values(boxes) == [expected]


def test_an_unknown_direction_is_refused():
    with pytest.raises(ValueError, match="'anti'; expected 'horizontal', 'vertical' or 'diagonal'"):
        make([[1, 1]]).flip_((6, 10), 'anti')


def test_translate_and_rescale():
    boxes = make([[1, 2], [3, 4]])
    boxes.translate_([10, -1])
    assert values(boxes) == [[11, 1], [13, 3]]
    boxes.rescale_((2, 0.5))
    assert values(boxes) == [[22, 0.5], [26, 1.5]]
    boxes.resize_((3, 3))  # scales sizes, of which there are none
    assert values(boxes) == [[22, 0.5], [26, 1.5]]


def test_clipping_leaves_points_where_they_are():
    boxes = make([[-5, 3], [30, 40]])
    boxes.clip_((10, 10))
    assert values(boxes) == [[-5, 3], [30, 40]]


def test_projection_acts_on_pixel_indices():
    # The centre of the top-left pixel, (0.5, 0.5), is index (0, 0); doubling indices leaves it,
    # and takes index (1, 2), the point (1.5, 2.5), to index (2, 4), the point (2.5, 4.5).
    boxes = make([[0.5, 0.5], [1.5, 2.5]])
    boxes.project_(np.diag([2., 2., 1.]))
    assert values(boxes) == [[0.5, 0.5], [2.5, 4.5]]


def test_projection_divides_by_the_third_coordinate():
    # Index (2, 0) is mapped to (2, 0, 1 + 0.5 * 2) = (1, 0), the point (1.5, 0.5).
    boxes = make([[2.5, 0.5]])
    boxes.project_(torch.tensor([[1., 0, 0], [0, 1, 0], [.5, 0, 1]]))
    assert values(boxes) == [[1.5, 0.5]]


def test_rotation_by_a_right_angle_about_the_middle():
    # An image of 4 x 4: clockwise as seen, the top left corner goes to the top right one.
    boxes = make([[0, 0], [2, 2]])
    boxes.rotate_((1.5, 1.5), 90)
    np.testing.assert_allclose(boxes.tensor, [[4, 0], [2, 2]], atol=1e-6)


def test_inside_means_kept_and_strictly_inside_means_seen():
    boxes = make([[0, 0], [9.9, 5.9], [10, 3], [3, 6], [-0.1, 3]])
    assert boxes.is_inside((6, 10)).tolist() == [True] * 5
    assert boxes.strictly_inside((6, 10)).tolist() == [True, True, False, False, False]


@pytest.mark.parametrize('name', ['widths', 'heights', 'areas'])
@pytest.mark.parametrize('points', [[], [[1, 2]]])
def test_sizes_are_refused(name, points):
    with pytest.raises(ValueError, match=f'points have no size and so no {name}'):
        getattr(make(points), name)


def test_overlaps_and_masks_are_refused():
    boxes = make([[1, 2]])
    with pytest.raises(ValueError, match='no overlaps.*PointsToPseudoBoxes'):
        PointBoxes.overlaps(boxes, boxes)
    with pytest.raises(ValueError, match='no masks'):
        boxes.create_masks((5, 5))
    with pytest.raises(ValueError, match='recompute_bbox=False'):
        PointBoxes.from_instance_masks(BitmapMasks(np.ones((1, 5, 5), np.uint8), 5, 5))


def test_a_point_has_no_inside():
    boxes = make([[1, 2], [3, 4], [5, 6]])
    assert boxes.find_inside_points(torch.zeros(4, 2)).tolist() == [[False] * 3] * 4
    assert boxes.find_inside_points(torch.zeros(3, 2), is_aligned=True).tolist() == [False] * 3


def test_conversion_takes_centres_and_refuses_the_way_back():
    boxes = HorizontalBoxes([[0, 0, 4, 2]], dtype=torch.float32)
    assert values(boxes.convert_to('point')) == [[2, 1]]
    with pytest.raises(ValueError, match=r'PointsToPseudoBoxes\(size=\.\.\.\)'):
        make([[1, 2]]).convert_to('hbox')


def test_without_points_every_method_works():
    boxes = make([])
    boxes.flip_((6, 10), 'diagonal')
    boxes.translate_([1, 2])
    boxes.rescale_((2, 2))
    boxes.resize_((2, 2))
    boxes.clip_((6, 10))
    boxes.rotate_((2, 2), 30)
    boxes.project_(np.eye(3))
    assert boxes.tensor.shape == (0, 2) and boxes.centers.shape == (0, 2)
    assert boxes.is_inside((6, 10)).shape == boxes.strictly_inside((6, 10)).shape == (0, )
    assert boxes.find_inside_points(torch.zeros(4, 2)).shape == (4, 0)
    assert boxes.convert_to('point') is boxes
    assert HorizontalBoxes(torch.zeros(0, 4)).convert_to('point').tensor.shape == (0, 2)


@pytest.mark.parametrize('move', [
    lambda boxes: boxes.flip_((6, 10)), lambda boxes: boxes.translate_([1, 1]),
    lambda boxes: boxes.rescale_((2, 2)), lambda boxes: boxes.project_(np.diag([2., 2., 1.])),
    lambda boxes: boxes.rotate_((2, 2), 30)])
def test_moving_a_copy_leaves_the_original_and_its_type(move):
    original = torch.tensor([[1., 2.]])
    boxes = PointBoxes(original, clone=False)  # as mmdet makes them from slices
    for other in (boxes.clone(), copy.deepcopy(boxes), boxes):
        move(other)
        assert other.tensor.dtype == torch.float32
    assert original.tolist() == [[1, 2]]
