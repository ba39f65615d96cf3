"""Points, boxes and disks against the mask drawn pixel by pixel."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwindow.evaluation.events.targets import DiskMask, check_boxes, check_points

SIDE = 40
coordinate = st.floats(0, SIDE, allow_subnormal=False)


def test_no_points():
    for nothing in ([], np.zeros((0, 2)), ()):
        assert check_points(nothing).shape == (0, 2)
        assert check_boxes(nothing).shape == (0, 4)
    mask = DiskMask(np.zeros((0, 2)), 50.)
    assert mask.areas(np.array([[0., 0., 1024., 1024.]])).tolist() == [0.]
    assert mask.corner_areas(np.arange(3), np.arange(2)).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert mask.corner_window(np.arange(5.), np.arange(3.)).table.tolist() == [[0.]]


def test_points_outside_the_frame_are_left_out_and_those_on_its_rim_kept():
    points = [[0, 0], [1024, 1024], [-0.01, 5], [5, 1024.01], [7, 8]]
    assert check_points(points).tolist() == [[0, 0], [1024, 1024], [7, 8]]
    assert check_points([[9., 9.]], frame_side=8).shape == (0, 2)


def test_the_area_of_one_disk():
    # A point on a pixel's centre: whole numbers (i, j) with i^2 + j^2 <= 2500, counted row by row,
    # are 7845; pi r^2 is 7854.
    rows = np.arange(-50, 51)
    expected = int((2 * np.floor(np.sqrt(2500 - rows ** 2)) + 1).sum())
    area = DiskMask(np.array([[512.5, 512.5]]), 50.).areas(np.array([[0., 0., 1024., 1024.]]))
    assert area.tolist() == [expected] == [7845]


def test_disks_that_overlap_count_once():
    one = DiskMask(np.array([[20., 20.]]), 6., SIDE)
    two = DiskMask(np.array([[20., 20.], [20., 20.]]), 6., SIDE)
    whole = np.array([[0., 0., SIDE, SIDE]])
    assert one.areas(whole) == two.areas(whole)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(points=st.lists(st.tuples(coordinate, coordinate), max_size=3),
       radius=st.sampled_from([0.3, 1., 5.5, 60.]), whole=st.booleans(),
       corners=st.lists(st.tuples(coordinate, coordinate, coordinate, coordinate), min_size=1,
                        max_size=5))
def test_any_area_equals_the_drawn_mask(literal, points, radius, whole, corners):
    points = np.array(points).reshape(-1, 2)
    corners = np.array(corners).reshape(-1, 2, 2)
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    boxes = boxes.round() if whole else boxes
    drawn = literal.mask(points, radius, SIDE)
    expected = [literal.covered(drawn, box) for box in boxes]
    areas = DiskMask(points, radius, SIDE).areas(boxes)
    assert areas == pytest.approx(expected, abs=1e-8)
    if whole:
        assert areas.tolist() == expected  # whole pixels are counted, not measured


@settings(max_examples=60, deadline=None, derandomize=True)
@given(points=st.lists(st.tuples(coordinate, coordinate), max_size=3), num=st.integers(1, 30),
       radius=st.sampled_from([0.3, 5.5, 60.]))
def test_the_window_of_corners_holds_all_that_changes(points, num, radius):
    mask = DiskMask(np.array(points).reshape(-1, 2), radius, SIDE)
    edges = np.linspace(0, SIDE, num + 1)
    window = mask.corner_window(edges, edges)
    height, width = window.table.shape
    rows = (np.arange(num + 1) - window.row).clip(0, height - 1)
    columns = (np.arange(num + 1) - window.column).clip(0, width - 1)
    assert window.table[np.ix_(rows, columns)] == pytest.approx(
        mask.corner_areas(edges, edges), abs=1e-8)


@pytest.mark.parametrize('points, words', [
    ([1., 2.], r'shape \(2,\)'), ([[1., 2., 3.]], r'shape \(1, 3\)'),
    ([[np.nan, 1.]], 'must be finite'), ([[1., np.inf]], 'must be finite'),
])
def test_bad_points_are_refused(points, words):
    with pytest.raises(ValueError, match=words):
        check_points(points)


def test_target_boxes_are_clipped_checked_and_left_out():
    boxes = [[-5, -5, 10, 10], [2, 3, 4, 5], [-9, 0, 0, 5], [8, 8, 900, 9]]
    assert check_boxes(boxes, 12).tolist() == [[0, 0, 10, 10], [2, 3, 4, 5], [8, 8, 12, 9]]
    for bad, words in (([[5, 0, 5, 1]], 'no area'), ([[1, 2]], r'shape \(1, 2\)'),
                       ([[0, 0, np.inf, 1]], 'finite')):
        with pytest.raises(ValueError, match=words):
            check_boxes(bad)
