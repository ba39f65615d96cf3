"""Both sweeps against a literal one: label at every distinct value, count, compare."""
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter

from mmwindow.evaluation import ImageEvents, box_events, map_events
from mmwindow.evaluation.events.components import check_scores, find_sweep
from mmwindow.evaluation.events.image_events import KINDS

HAS_NUMBA = find_sweep('auto').__module__.endswith('numba')
METHODS = ['plain', pytest.param('numba', marks=pytest.mark.skipif(
    not HAS_NUMBA, reason='numba is not installed'))]
AVAILABLE = ('plain', 'numba') if HAS_NUMBA else ('plain',)
# In a frame of side 64 with disks of radius 6 the literal sweep is quick.
SIDE, RADIUS = 64, 6.
each_method = pytest.mark.parametrize('method', METHODS)


def random_map(generator, kind, side):
    """Return an ``(n, n)`` map: noise, few values (plateaus and ties), or smooth blobs."""
    if kind == 'plateaus':
        return generator.integers(0, 5, (side, side)).astype(np.float32) / 4
    noise = generator.normal(size=(side, side))
    if kind == 'smooth':
        noise = gaussian_filter(noise, 1.5) * 4
    if kind == 'double':
        return noise
    return (1 / (1 + np.exp(-noise))).astype(np.float32)


def random_points(generator, num, side):
    """Return points inside, outside, on cells' corners and on the frame's rim."""
    points = generator.uniform(-0.2 * SIDE, 1.2 * SIDE, (num, 2))
    on_edge = generator.random(num) < 0.3
    points[on_edge] = generator.integers(0, side + 1, (num, 2))[on_edge] * (SIDE / side)
    return points


def in_frame(points):
    return points[((points >= 0) & (points <= SIDE)).all(axis=1)]


@pytest.mark.parametrize('kind', ['noise', 'plateaus', 'smooth', 'double'])
def test_maps_equal_the_literal_sweep(kind, literal):
    generator = np.random.default_rng(7)
    for number in range(60):
        side = int(generator.integers(1, 17))
        scores = random_map(generator, kind, side)
        points = random_points(generator, number % 4, side)  # every fourth is a normal
        expected = literal.map(scores, in_frame(points), radius=RADIUS, side=SIDE)
        for method in AVAILABLE:
            events = map_events(scores, points, RADIUS, frame_side=SIDE, method=method)
            literal.same(events, expected)
            assert events.score == scores.max()
            assert events.is_positive == (len(points) > 0)


@pytest.mark.parametrize('kind', ['noise', 'plateaus', 'smooth'])
def test_a_larger_map_in_the_frame_of_1024(kind, literal):
    generator = np.random.default_rng(11)
    scores = random_map(generator, kind, 15)  # cells of 68.27 pixels cut pixels of the mask
    points = np.array([[300.5, 410.25], [980., 40.], [1024., 1024.], [512., 512.]])
    expected = literal.map(scores, points)
    for method in AVAILABLE:
        literal.same(map_events(scores, points, method=method), expected)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(scores=arrays(np.float32, st.integers(1, 8).map(lambda side: (side, side)),
                     elements=st.integers(-3, 3).map(float)),
       points=st.lists(st.tuples(st.integers(-2, 18), st.integers(-2, 18)), max_size=3),
       radius=st.sampled_from([0.4, 3., 30.]), max_overlap=st.sampled_from([0.1, 0.5, 1.]))
def test_any_small_map_equals_the_literal_sweep(literal, scores, points, radius, max_overlap):
    points = np.array(points, dtype=float).reshape(-1, 2)
    inside = points[((points >= 0) & (points <= 16)).all(axis=1)]
    expected = literal.map(scores, inside, limit=max_overlap, radius=radius, side=16)
    for method in AVAILABLE:
        literal.same(map_events(scores, points, radius, max_overlap, frame_side=16, method=method),
                     expected)


@pytest.mark.skipif(not HAS_NUMBA, reason='numba is not installed: nothing to compare with')
@pytest.mark.parametrize('rule', ['disk_overlap', 'distance'])
@pytest.mark.parametrize('kind, side', [('smooth', 256), ('plateaus', 100), ('noise', 640)])
def test_both_sweeps_agree_on_large_maps(rule, kind, side):
    # 640 x 640 cells of noise have more components than 16 bits count.
    generator = np.random.default_rng(13)
    scores = random_map(generator, kind, side)
    points = generator.uniform(0, 1024, (3, 2))
    for floor in (None, float(np.quantile(scores, 0.9))):
        one, other = (map_events(scores, points, rule=rule, method=method, floor=floor)
                      for method in ('plain', 'numba'))
        assert np.array_equal(one.recall_levels, other.recall_levels)
        for kind in KINDS:
            for name in (f'{kind}_levels', f'{kind}_changes'):
                assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_without_numba_the_plain_sweep_is_taken(monkeypatch):
    monkeypatch.setitem(sys.modules, 'numba', None)
    monkeypatch.delitem(sys.modules, 'mmwindow.evaluation.events.sweep_numba', raising=False)
    find_sweep.cache_clear()
    try:
        assert find_sweep('auto').__module__.endswith('sweep_plain')
        with pytest.raises(ValueError, match="use method='plain'"):
            find_sweep('numba')
    finally:
        find_sweep.cache_clear()


@each_method
def test_one_blob_by_hand(method):
    # A frame of 4 pixels, 4 x 4 cells of one pixel, a point in the middle of cell (1, 1), radius 1:
    # the mask holds the cells whose centres are within 1, the cell and its four neighbours: 5 pixels.
    scores = np.zeros((4, 4), np.float32)
    scores[1, 1], scores[1, 2], scores[3, 3] = 0.9, 0.8, 0.7
    # 0.9: the box is cell (1, 1), all mask: no FP, and the point is in it.
    # 0.8: two cells, both mask. 0.7: a finding of its own at (3, 3), not touching (1, 2): an FP.
    # 0.0: everything is one box of 16 pixels, 5 of them mask: 31 % is more than 10 %, no FP.
    events = map_events(scores, [[1.5, 1.5]], 1., frame_side=4, method=method)
    assert events.fp_levels.tolist() == pytest.approx([0.7, 0.0])
    assert events.fp_changes.tolist() == [1, -1]
    assert events.recall_levels.tolist() == [scores[1, 1]]
    assert [events.num_false_positives(level) for level in (1., 0.7, 0.5, 0.)] == [0, 0, 1, 0]


@each_method
def test_diagonal_cells_touch(method):
    # Without points every component is an FP; the two cells are one from the start of the second.
    scores = np.array([[0.9, 0.1], [0.1, 0.8]], np.float32)
    events = map_events(scores, [], method=method)
    assert events.fp_levels.tolist() == [scores[0, 0]] and events.fp_changes.tolist() == [1]


@each_method
def test_a_merge_of_several_findings(method):
    # Four corners and then the middle cell: 1, 2, 3, 4 components, then one.
    scores = np.zeros((3, 3), np.float32)
    scores[0, 0], scores[0, 2], scores[2, 0], scores[2, 2], scores[1, 1] = 9, 8, 7, 6, 5
    events = map_events(scores, [], method=method)
    assert events.fp_levels.tolist() == [9, 8, 7, 6, 5]
    assert events.fp_changes.tolist() == [1, 1, 1, 1, -3]


@each_method
def test_a_flat_map_is_one_finding(method):
    events = map_events(np.full((8, 8), 0.5, np.float32), [], method=method)
    assert (events.fp_levels.tolist(), events.fp_changes.tolist()) == ([0.5], [1])


@each_method
def test_a_wide_box_is_a_hit_and_a_false_positive(method):
    # The disk of radius 50 covers 7854 pixels, a tenth of a square of side 280.
    # Cells of 4 pixels; a centred square of 280 pixels (0.1002) is no FP, one of 288 (0.0947) is.
    for width, is_fp in ((280, 0), (288, 1)):
        scores = np.zeros((256, 256), np.float32)
        low, high = (512 - width // 2) // 4, (512 + width // 2) // 4
        scores[low:high, low:high] = 1.
        events = map_events(scores, [[512., 512.]], method=method)
        assert events.recall_levels.tolist() == [1.]
        assert events.num_false_positives(1.) == is_fp


@each_method
@pytest.mark.parametrize('side', [3, 7, 49, 60, 103])
def test_a_point_on_the_far_corner_of_the_frame_is_recalled(method, side):
    # side * (1024 / side) is not 1024 for 49, 103 ... in floating point.
    events = map_events(np.zeros((side, side)), [[1024., 1024.]], method=method)
    assert events.recall_levels.tolist() == [0.]


@each_method
def test_points_outside_the_frame_are_no_targets(method):
    events = map_events(np.ones((4, 4)), [[-0.1, 5.], [5., 1024.5]], method=method)
    assert events.recall_levels.shape == (0,)
    assert events.is_positive
    assert events.fp_changes.tolist() == [1]


@each_method
def test_inputs_are_not_changed(method):
    scores = np.random.default_rng(0).random((9, 9), dtype=np.float32)
    points = np.array([[3., 4.], [2000., 0.]])
    before = scores.copy(), points.copy()
    map_events(scores, points, method=method)
    assert np.array_equal(scores, before[0]) and np.array_equal(points, before[1])


@each_method
def test_a_transposed_view_and_integers_are_read_right(method, literal):
    scores = np.random.default_rng(1).integers(0, 255, (6, 6)).astype(np.uint8).T
    literal.same(map_events(scores, [[10., 20.]], RADIUS, frame_side=SIDE, method=method),
                 literal.map(scores.astype(float), [[10., 20.]], radius=RADIUS, side=SIDE))


def test_identity_is_kept():
    events = map_events(np.ones((2, 2)), [], image_score=0.25, image_id=3, group='p', fields={'a': 1})
    assert (events.score, events.image_id, events.group, events.fields) == (0.25, 3, 'p', {'a': 1})


@pytest.mark.parametrize('scores, words', [
    (np.ones(3), r'shape \(3,\)'),
    (np.ones((1, 2, 2)), r'shape \(1, 2, 2\)'),
    (np.ones((0, 0)), r'shape \(0, 0\)'),
    (np.ones((2, 2), np.float16), 'float16'),
    (np.array([[1, np.nan], [0, 0]]), 'hold nan'),
    (np.array([[1, np.inf], [0, 0]]), 'hold inf'),
    (np.array([['a']]), 'numbers are expected'),
])
def test_bad_maps_are_refused(scores, words):
    with pytest.raises(ValueError, match=words):
        map_events(scores, [])


@pytest.mark.parametrize('settings, words', [
    (dict(hit_radius=0), 'hit_radius is 0'), (dict(hit_radius=np.nan), 'hit_radius is nan'),
    (dict(max_overlap=0.), 'max_overlap is 0'), (dict(max_overlap=1.1), 'max_overlap is 1.1'),
    (dict(image_score=np.nan), 'image score is nan'), (dict(method='fast'), "method is 'fast'"),
])
def test_bad_settings_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        map_events(np.ones((2, 2)), [], **settings)


def test_boxes_equal_the_literal_sweep(literal):
    generator = np.random.default_rng(3)
    for number in range(150):
        num = int(generator.integers(0, 12))
        corners = np.sort(generator.integers(0, SIDE, (num, 2, 2)), axis=1)
        boxes = np.concatenate([corners[:, 0], corners[:, 1] + 1], axis=1).astype(float)
        boxes += generator.uniform(0, 1, boxes.shape) * (number % 2)  # fractional edges
        boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)].clip(0, SIDE)
        scores = generator.integers(0, 4, len(boxes)) / 4  # ties
        points = random_points(generator, number % 3, 16)
        events = box_events(boxes, scores, points, RADIUS, frame_side=SIDE)
        literal.same(events, literal.boxes(boxes, scores, in_frame(points), radius=RADIUS, side=SIDE))


def test_no_box_at_all():
    events = box_events([], [], [[5., 5.]])
    assert events.score == -np.inf
    assert events.recall_levels.tolist() == [-np.inf]
    assert events.is_positive and len(events.fp_levels) == 0


def test_a_box_far_away_is_no_hit():
    # The defect: matched to the only point of the image however far it is.
    events = box_events([[900, 900, 950, 950]], [0.9], [[100., 100.]])
    assert events.recall_levels.tolist() == [-np.inf]
    assert (events.fp_levels.tolist(), events.fp_changes.tolist()) == ([0.9], [1])


def test_several_boxes_on_one_point_are_one_recall_and_no_false_positive():
    events = box_events([[90, 90, 110, 110], [80, 80, 120, 120]], [0.4, 0.6], [[100., 100.]])
    assert events.recall_levels.tolist() == [0.6]
    assert len(events.fp_levels) == 0


def test_equal_scores_enter_together_in_any_order():
    boxes, scores = np.array([[0, 0, 10, 10], [500, 500, 510, 510]]), [0.5, 0.5]
    for order in ([0, 1], [1, 0]):
        events = box_events(boxes[order], scores, [[5., 5.]])
        assert events.recall_levels.tolist() == [0.5]
        assert (events.fp_levels.tolist(), events.fp_changes.tolist()) == ([0.5], [1])


@pytest.mark.parametrize('boxes, scores, words', [
    ([[0, 0, 1, 1]], [0.1, 0.2], '1 box but 2 scores'),
    ([[0, 0, np.nan, 1]], [0.1], 'not finite'),
    ([[5, 0, 5, 9]], [0.1], 'no area'),
    ([[0, 0, 1, 1]], [np.nan], 'hold nan'),
    ([[0, 0, 1, 1]], [np.inf], 'hold inf'),
])
def test_bad_boxes_are_refused(boxes, scores, words):
    with pytest.raises(ValueError, match=words):
        box_events(boxes, scores, [])


def test_false_positives_at_a_threshold():
    events = ImageEvents(0.9, np.zeros(0), np.array([0.9, 0.5]), np.array([2, -1]), False)
    assert [events.num_false_positives(level) for level in (1., 0.9, 0.6, 0.5)] == [0, 2, 2, 1]


@pytest.mark.parametrize('kind', ['<f2', '>f2'])
def test_half_precision_of_either_byte_order_is_refused(kind):
    with pytest.raises(ValueError, match='are float16'):
        check_scores(np.zeros((2, 2)).astype(kind), 'maps')
