"""Bounds against the paper's own recipe, hand-worked values and what must always hold."""
import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from mmwindow.structures.bounds import (
    Bounds,
    bounds_from_distance,
    check_window,
    distance_to_nearest,
    point_bounds,
    scale_length,
)

PAPER = dict(lower_radius=50., upper_radius=200., softness=2.)  # in a frame of side 1024
# A vectorised exponential is good to a unit or two in the last place and not monotone to that: of two
# distances or radii that differ by less, the larger may give the smaller float32.
ROUNDING = 3e-7
SMALL = dict(lower_radius=10., upper_radius=30., softness=2.)
coordinates = st.floats(-40, 104, width=32)  # also outside a frame of side 64
point_lists = st.lists(st.tuples(coordinates, coordinates), max_size=5)


def bounds_of(points, labels=None, num_classes=1, side=64, stride=4, **window):
    points = torch.tensor(points, dtype=torch.float32).reshape(-1, 2)
    labels = torch.zeros(len(points), dtype=torch.long) if labels is None else torch.tensor(labels)
    return point_bounds(points, labels, num_classes, side // stride, side // stride, stride,
                        **{**SMALL, **window})


def literal_bound(points, radius, softness, side=1024):
    """Eq. 1 as it is written: at every pixel of the full frame the maximum over the points."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    bound = np.zeros((side, side))
    for x, y in points:
        distance = np.hypot(columns - x, rows - y)
        bound = np.maximum(bound, expit((radius - distance) / softness))
    return bound.astype(np.float32)


def compare_with_full_map(points, radius, softness, stride):
    """Return the difference of each cell from the paper's full map, resized bilinearly."""
    size = 1024 // stride
    expected = cv2.resize(literal_bound(points, radius, softness), (size, size),
                          interpolation=cv2.INTER_LINEAR)
    bounds = bounds_of(points, side=1024, stride=stride, lower_radius=radius, upper_radius=radius,
                       softness=softness)
    return np.abs(bounds.lower[0].numpy() - expected)


@pytest.mark.parametrize('softness, tolerance', [(2., 0.004), (5., 0.0007), (10., 0.0004)])
@pytest.mark.parametrize('stride', [4, 8, 16, 32])
def test_agrees_with_resizing_the_papers_full_map(softness, tolerance, stride):
    # Resizing takes the mean of the four pixels about a cell's centre, half a pixel away along
    # both axes. A sigmoid of width tau is bent by at most 0.0962 / tau^2, so the mean is off by
    # up to 0.0962 / tau^2 * 0.5^2 / 2 = 0.0030 for tau = 2, 0.0005 for 5 and 0.0001 for 10; the
    # curvature of the circle and float32 add the rest.
    points = [(301.3, 512.9), (1010., 3.5), (-30., 800.)]
    for point, radius in zip(points, (50., 200., 50.), strict=True):
        assert compare_with_full_map([point], radius, softness, stride).max() < tolerance


@pytest.mark.parametrize('stride', [4, 8])
def test_two_disks_differ_from_the_full_map_only_along_their_seam(stride):
    # Where two disks meet the map has a crease, which resizing rounds off: by at most half a
    # pixel of the steepest slope, 0.5 / (4 tau) = 0.0625. The seam here is x = 514, the centre of
    # the cells of column 128 at stride 4; of all cells only few there differ by more than 0.02.
    difference = compare_with_full_map([(474., 514.), (554., 514.)], 50., 2., stride)
    assert difference.max() < 0.0625
    rows, columns = np.nonzero(difference > 0.02)
    assert len(columns) <= 12 and np.abs((columns + 0.5) * stride - 514).max(initial=0) < 1
    assert (len(columns) > 0) == (stride == 4)  # the case is the one that is meant


def test_values_at_known_distances():
    # The only point is the centre of cell (2, 3): D is 0 there, 4 one cell on, 4 sqrt(2) diagonally.
    # sigmoid((10 - 0) / 2) = sigmoid(5) = 1 / (1 + e^-5) = 0.993307; sigmoid(3) = 0.952574; and
    # (10 - 5.656854) / 2 = 2.171573, e^-2.171573 = 0.113998, 1 / 1.113998 = 0.897668.
    lower = bounds_of([[14., 10.]]).lower[0]
    assert lower[2, 3] == pytest.approx(0.993307, abs=1e-6)
    for row, column in ((2, 4), (2, 2), (1, 3), (3, 3)):
        assert lower[row, column] == pytest.approx(0.952574, abs=1e-6)
    assert lower[3, 4] == pytest.approx(0.897668, abs=1e-6)


def test_at_its_radius_a_bound_is_one_half():
    # From the point (2, 2) the centre of cell (0, 5), (22, 2), lies 20 away.
    bounds = bounds_of([[2., 2.]], lower_radius=20., upper_radius=20.)
    assert bounds.lower[0, 0, 5] == bounds.upper[0, 0, 5] == 0.5


def test_softness_zero_is_the_hard_step_and_the_radius_belongs_to_the_disk():
    # Centres at 2, 6, 10 ...: from (2, 2) along the first row 0, 4, 8 away; 8 is within 8.
    bounds = bounds_of([[2., 2.]], side=16, lower_radius=4., upper_radius=8., softness=0)
    assert bounds.lower[0].tolist() == [[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert bounds.upper[0].tolist() == [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_radius_zero_is_a_window_that_asks_for_no_confidence():
    bounds = bounds_of([[3., 3.]], lower_radius=0., softness=0)
    assert bounds.lower.sum() == 0 and bounds.upper.sum() > 0


@pytest.mark.parametrize('softness', [0, 0.4, 2, 10])
@pytest.mark.parametrize('num_classes', [1, 3])
def test_no_points_no_confidence(softness, num_classes):
    bounds = bounds_of([], num_classes=num_classes, softness=softness)
    for bound in (bounds.lower, bounds.upper):
        assert bound.shape == (num_classes, 16, 16) and bound.dtype == torch.float32
        assert (bound == 0).all()
    assert torch.isinf(distance_to_nearest(torch.zeros(0, 2), 2, 3, 4)).all()


def test_each_class_has_bounds_of_its_own():
    points = [[10., 10.], [50., 50.], [20., 60.]]
    bounds = bounds_of(points, labels=[2, 0, 2], num_classes=3)
    assert bounds.lower.shape == bounds.upper.shape == (3, 16, 16)
    for label, own in ((0, [points[1]]), (1, []), (2, [points[0], points[2]])):
        alone = bounds_of(own)
        assert torch.equal(bounds.lower[label], alone.lower[0])
        assert torch.equal(bounds.upper[label], alone.upper[0])


def test_a_point_outside_the_frame_lends_its_disk():
    # From (-6, 2) the centre of cell (0, 0), (2, 2), lies 8 away: sigmoid((10 - 8) / 2) = 0.731059.
    bounds = bounds_of([[-6., 2.]])
    assert bounds.lower[0, 0, 0] == pytest.approx(0.731059, abs=1e-6)
    assert bounds.lower[0, 0, 8] < 1e-6


def test_distance_is_that_of_brute_force():
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(7, 2, generator=generator) * 200 - 40
    rows, columns = torch.meshgrid((torch.arange(9) + .5) * 8, (torch.arange(13) + .5) * 8,
                                   indexing='ij')
    centres = torch.stack([columns, rows], dim=-1).reshape(-1, 2)
    expected = torch.cdist(centres.double(), points.double()).min(dim=1).values.reshape(9, 13)
    found = distance_to_nearest(points, 9, 13, 8)
    torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-6)


def test_inputs_are_not_changed_and_half_precision_points_are_accepted():
    points = torch.tensor([[14., 10.]], dtype=torch.float16)
    found = distance_to_nearest(points, 16, 16, 4)
    assert found.dtype == torch.float32 and found[2, 3] == 0
    assert points.tolist() == [[14, 10]]


@settings(max_examples=60, deadline=None)
@given(point_lists, st.floats(0, 40), st.floats(0, 40), st.sampled_from([0, 0.4, 2, 10]),
       st.sampled_from([4, 8, 16]))
def test_bounds_are_ordered_and_grow_with_the_radius(points, radius, more, softness, stride):
    bounds = bounds_of(points, stride=stride, lower_radius=radius, upper_radius=radius + more,
                       softness=softness)
    assert (0 <= bounds.lower).all() and (bounds.upper <= 1).all()
    assert (bounds.lower <= bounds.upper + ROUNDING).all()
    equal = bounds_of(points, stride=stride, lower_radius=radius, upper_radius=radius,
                      softness=softness)
    assert torch.equal(equal.lower, equal.upper)
    assert torch.equal(equal.lower, bounds.lower)


@settings(max_examples=60, deadline=None)
@given(point_lists, st.tuples(coordinates, coordinates))
def test_one_more_point_never_lowers_a_bound(points, point):
    fewer, more = bounds_of(points), bounds_of([*points, point])
    assert (more.lower >= fewer.lower - ROUNDING).all()
    assert (more.upper >= fewer.upper - ROUNDING).all()
    assert torch.equal(bounds_of([point, *points]).upper, more.upper)  # in any order
    assert torch.equal(bounds_of([*points, point, point]).upper, more.upper)  # and twice as once


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 64, width=16), st.floats(0, 64, width=16)), max_size=4))
def test_bounds_mirror_with_their_points(points):
    mirrored = bounds_of([(64 - x, y) for x, y in points])
    torch.testing.assert_close(bounds_of(points).upper.flip(-1), mirrored.upper)


def test_lengths_scale_with_the_input_side():
    assert scale_length(50, 1024) == 50
    assert scale_length(200, 256) == 50
    # The same scene at half the side, cells of half the stride: the same bounds.
    large = bounds_of([[30., 41.]], side=128, stride=8, lower_radius=20., upper_radius=60.,
                      softness=4.)
    small = bounds_of([[15., 20.5]], side=64, stride=4, lower_radius=10., upper_radius=30.,
                      softness=2.)
    torch.testing.assert_close(large.lower, small.lower)
    torch.testing.assert_close(large.upper, small.upper)


@pytest.mark.parametrize('change, message', [
    (dict(lower_radius=201), 'lower_radius 201 is larger than upper_radius 200'),
    (dict(softness=-1), 'softness is -1; it must be finite and not negative'),
    (dict(upper_radius=float('nan')), 'upper_radius is nan'),
    (dict(upper_radius=float('inf')), 'upper_radius is inf'),
    (dict(lower_radius=-2), 'lower_radius is -2'),
    (dict(softness=None), 'softness is None; a number'),
    (dict(softness=True), 'softness is True; a number'),
    (dict(lower_radius='50'), "lower_radius is '50'; a number")])
def test_a_window_that_cannot_be_meant_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        check_window(**{**PAPER, **change})
    with pytest.raises(ValueError, match=message):
        bounds_of([[1., 1.]], **{**PAPER, **change})


@pytest.mark.parametrize('window', [
    (50, 200, 2), (50., 200., 0), (0, 0, 0), (50, 50, 0), (150, 200, 0.4)])
def test_windows_of_the_papers_tables_are_accepted(window):
    check_window(*window)


@pytest.mark.parametrize('change, message', [
    (dict(points=torch.zeros(2, 3)), r'shape \(2, 3\); \(N, 2\) is expected'),
    (dict(points=torch.zeros(2)), r'shape \(2,\)'),
    (dict(points=torch.tensor([[1., torch.nan]])), 'NaN or infinity.*fix the point file'),
    (dict(num_rows=0), '0 x 3 cells of side 4 is empty'),
    (dict(stride=0), 'of side 0 is empty')])
def test_a_grid_or_points_that_cannot_be_meant_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        distance_to_nearest(**{**dict(points=torch.zeros(1, 2), num_rows=2, num_columns=3, stride=4),
                               **change})


def test_labels_must_fit():
    with pytest.raises(ValueError, match='2 points came with 1 labels'):
        bounds_of([[1., 1.], [2., 2.]], labels=[0])
    for label in (-1, 2):
        with pytest.raises(ValueError, match=f'labels .{label}. came with 2 classes; labels go from'):
            bounds_of([[1., 1.]], labels=[label], num_classes=2)
    with pytest.raises(ValueError, match='must not be negative'):
        bounds_from_distance(torch.zeros(1), -1, 2)


def test_bounds_is_what_is_returned():
    assert isinstance(bounds_of([]), Bounds)
