"""Polygons are read or named as what they are; points are drawn as an annotator would click them."""
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwindow.annotations.polygons import (
    draw_annotation_points,
    draw_points,
    main_axis,
    polygon_mask,
    read_polygons,
)

# Places are drawn on a grid of a quarter pixel, with the outline rounded to it.
OUTSIDE = 0.3


def rectangle(left, top, width, height):
    return np.array([[left, top], [left + width, top], [left + width, top + height],
                     [left, top + height]], dtype=float)


def depth_inside(polygon, point):
    """Return how far a point lies inside a polygon, in pixels; negative outside."""
    return cv2.pointPolygonTest(polygon.astype(np.float32), tuple(map(float, point)), True)


def test_mask_is_a_polygon_at_four_times_the_resolution():
    drawn = polygon_mask([rectangle(10, 20, 5, 3)])
    assert drawn.corner.tolist() == [9, 19]
    # 5 x 3 pixels are 20 x 12 mask pixels; OpenCV draws the outline too, half a pixel wider.
    rows, columns = np.nonzero(drawn.mask)
    assert abs(columns.max() - columns.min() + 1 - 20) <= 1
    assert abs(rows.max() - rows.min() + 1 - 12) <= 1
    centre = np.array([columns.mean(), rows.mean()]) / 4 + 0.125 + drawn.corner
    np.testing.assert_allclose(centre, [12.5, 21.5], atol=0.13)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(10, 90), st.floats(10, 90)), min_size=3, max_size=7),
       st.integers(0, 50))
def test_points_lie_inside_any_polygon(corners, seed):
    polygon = cv2.convexHull(np.array(corners, dtype=np.float32)).reshape(-1, 2).astype(float)
    points = draw_points([polygon], np.random.default_rng(seed), frame_scale=2.)
    assert 1 <= len(points) <= 4
    for point in points:
        assert depth_inside(polygon, point) > -OUTSIDE


@pytest.mark.parametrize('scatter, expected', [
    # Along x, upright, and at 45 degrees, where neither side is longer: x is negative.
    ([[4, 0], [0, 1]], (-1, 0)), ([[1, 0], [0, 4]], (0, 1)), ([[0, 0], [0, 4]], (0, 1)),
    ([[2, 1], [1, 2]], (-.5 ** .5, -.5 ** .5)), ([[2, -1], [-1, 2]], (-.5 ** .5, .5 ** .5)),
    # Steep: 1 * (2.5 - 1) is not above 2 * 1 ** 2, 1 * (4 - 1) is. Eigenvectors (0.5, 1), (0.303, 1).
    ([[1, 1], [1, 2.5]], (-1 / 5 ** .5, -2 / 5 ** .5)), ([[1, 1], [1, 4]], (.28978415, .95709203))])
@pytest.mark.parametrize('sign', [1, -1])
def test_the_main_axis_has_one_sign_whatever_the_library_says(scatter, expected, sign, monkeypatch):
    svd = np.linalg.svd
    monkeypatch.setattr(np.linalg, 'svd', lambda matrix: tuple(sign * part for part in svd(matrix)))
    np.testing.assert_allclose(main_axis(np.array(scatter, float)), expected, atol=1e-8)


def test_drawn_points_do_not_hang_on_the_sign_that_the_library_returns(monkeypatch):
    polygon = np.array([[20., 20.], [24., 18.], [90., 70.], [84., 74.]])
    drawn = [draw_points([polygon], np.random.default_rng(3), frame_scale=6.)]
    svd = np.linalg.svd
    monkeypatch.setattr(np.linalg, 'svd', lambda matrix: tuple(-part for part in svd(matrix)))
    drawn.append(draw_points([polygon], np.random.default_rng(3), frame_scale=6.))
    assert len(drawn[0]) == 4 and np.array_equal(*drawn)


@pytest.mark.parametrize('length, scale, num_points', [
    # In frame pixels 40 * 2 = 80, 74 * 2 = 148, 80 * 2 = 160, 290, 310, 1000: a point for every
    # started 150, at most four.
    (40, 2, 1), (74, 2, 1), (80, 2, 2), (145, 2, 2), (155, 2, 3), (250, 4, 4)])
def test_long_fractures_get_several_points_along_their_length(length, scale, num_points):
    for seed in range(5):
        polygon = rectangle(20, 30, length, 6)
        points = draw_points([polygon], np.random.default_rng(seed), scale)
        assert len(points) == num_points
        stretch = sorted(int((x - 20) / length * num_points * 0.9999) for x, _ in points)
        assert stretch == list(range(num_points))  # one in each


def test_a_slanted_fracture_is_as_long_as_it_is():
    turn = np.deg2rad(40)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    polygon = rectangle(0, 0, 155, 6) @ matrix.T + 60
    assert len(draw_points([polygon], np.random.default_rng(0), 2.)) == 3


def test_points_come_mostly_near_the_middle():
    # In a square of side 40 the mean depth of a place drawn with the square of its depth:
    # integral of t^3 (40 - 2 t) over that of t^2 (40 - 2 t), t from 0 to 20, is
    # (40 * 20^4 / 4 - 2 * 20^5 / 5) / (40 * 20^3 / 3 - 2 * 20^4 / 4) = 320000 / 26667 = 12;
    # drawn evenly it would be 6.7.
    polygon = rectangle(10, 10, 40, 40)
    generator = np.random.default_rng(0)
    depths = [depth_inside(polygon, draw_points([polygon], generator, 1.)[0]) for _ in range(300)]
    assert np.mean(depths) == pytest.approx(12, abs=0.8)  # a standard deviation of 3.8 / sqrt(300)


def test_several_polygons_are_one_fracture():
    parts = [rectangle(10, 10, 20, 6), rectangle(180, 10, 20, 6)]
    points = draw_points(parts, np.random.default_rng(0), 1.)
    assert len(points) == 2  # 190 frame pixels from end to end
    assert all(max(depth_inside(part, point) for part in parts) > -OUTSIDE for point in points)


@pytest.mark.parametrize('polygon', [np.full((3, 2), 20.), np.array([[5., 5], [25, 5], [15, 5]])])
def test_a_polygon_without_area_still_gets_its_point(polygon):
    points = draw_points([polygon], np.random.default_rng(0), 1.)
    assert len(points) == 1 and 4 <= points[0][0] <= 26


@pytest.mark.parametrize('segmentation, words', [
    (None, 'polygons are expected'), ([], 'polygons are expected'), ('rle', 'polygons are expected'),
    (dict(counts=[1], size=[2, 2]), 'run-length mask'), ([1, 2, 3, 4, 5, 6], 'no list'),
    ([[1, 2, 3, 4]], '2 corners, fewer than three'), ([[]], '0 corners, fewer than three'),
    ([[1, 2, 3, 4, 5, 6, 7]], r'odd number of coordinates \(7\)'),
    ([[1, 2, 3, 4, 5, float('nan')]], 'finite numbers'), ([[1, 2, 3, 4, 5, 'x']], 'finite numbers'),
    ([[1, 2, 3, 4, 5, True]], 'finite numbers'), ([[1, 2, 3, 4, 5, None]], 'finite numbers'),
    ([[1, 2, 3, 4, 5, 6], 7], 'polygon 1 of its segmentation is 7, no list'),
    ([[[1, 2], [3, 4], [5, 6]]], 'nested too deep'), ([[1, 2, 3, 4, 5, [6]]], 'nested too deep'),
    ([['x' * 5000] * 6], r'\(\d+ characters\)')])
def test_what_is_no_polygon_is_named(segmentation, words):
    with pytest.raises(ValueError, match=f'annotation 3.*{words}') as caught:
        read_polygons(segmentation, 'annotation 3')
    assert len(str(caught.value)) < 500


def test_polygons_are_pairs_of_numbers():
    first, second = read_polygons([[1, 2, 3, 4.5, 5, 6], [0] * 8], 'annotation 3')
    assert first.tolist() == [[1, 2], [3, 4.5], [5, 6]] and second.shape == (4, 2)


def test_drawn_points_follow_the_annotation_alone():
    polygons = [rectangle(10, 20, 30, 12)]
    first = draw_annotation_points(polygons, 3, (400, 512), 'annotation 3')
    assert first == draw_annotation_points(polygons, 3, (400, 512), 'another name')
    others = [draw_annotation_points(polygons, key, (400, 512), '', seed)
              for key, seed in ((4, 0), (3, 1), ('3', 0), (-3, 0), ('x', 0))]
    assert len({*map(tuple, others), tuple(first)}) == 6
    # The stream of a number is that of the seed and the number, as it has been from the beginning.
    drawn = draw_points(polygons, np.random.default_rng([0, 3]), 2.)
    assert first == [tuple(np.round(drawn[0], 2))]


def test_a_polygon_that_no_mask_can_hold():
    with pytest.raises(ValueError, match='too many for a mask'):
        polygon_mask([rectangle(0, 0, 1e5, 1e5)])


def test_the_mask_and_the_box_are_those_of_pycocotools():
    mask_api = pytest.importorskip('pycocotools.mask')
    generator = np.random.default_rng(0)
    for _ in range(20):
        corners = generator.uniform(5, 90, (5, 2))
        polygon = corners[np.argsort(np.arctan2(*(corners - corners.mean(0)).T))]
        encoded = mask_api.merge(mask_api.frPyObjects([polygon.ravel().tolist()], 100, 100))
        # Its mask is of complete pixels, which a pointed corner does not fill.
        x, y, width, height = mask_api.toBbox(encoded)
        low, high = polygon.min(axis=0), polygon.max(axis=0)
        np.testing.assert_allclose([x, y, x + width, y + height], [*low, *high], atol=2)
        ours = polygon_mask([polygon])
        assert ours.mask.sum() / 16 == pytest.approx(mask_api.area(encoded), rel=0.1, abs=60)
        point = draw_points([polygon], generator, 1.)[0]
        inside = mask_api.decode(encoded)
        row, column = int(point[1]), int(point[0])
        assert inside[max(row - 1, 0):row + 2, max(column - 1, 0):column + 2].any()
