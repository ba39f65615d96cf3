"""Each hit rule against the literal sweep, on maps and on boxes, and by hand."""
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter

from mmwindow.evaluation import Target, box_events, evaluate, froc_curve, hit_rules, map_events
from mmwindow.evaluation.events.components import find_sweep
from mmwindow.evaluation.hit_rules import (
    HIT_RULES,
    HitRule,
    hit_rule_names,
    judge_findings,
    make_hit_rule,
    register_hit_rule,
)

HAS_NUMBA = find_sweep('auto').__module__.endswith('numba')
METHODS = ['plain', pytest.param('numba', marks=pytest.mark.skipif(
    not HAS_NUMBA, reason='numba is not installed'))]
AVAILABLE = ('plain', 'numba') if HAS_NUMBA else ('plain',)
SIDE = 32
# Name: the settings, and the number that the rule compares with.
RULES = {'disk_overlap': (dict(hit_radius=4., max_overlap=0.2), 0.2),
         'box_iou': (dict(min_iou=0.3), 0.3),
         'centre_in_box': ({}, None),
         'distance': (dict(hit_radius=5.), 5.)}
each_method = pytest.mark.parametrize('method', METHODS)
each_rule = pytest.mark.parametrize('rule', HIT_RULES)


def random_targets(generator, rule, num):
    """Return targets on whole pixels, so that edges and limits are met exactly."""
    if not make_hit_rule(rule).needs_boxes:
        return generator.integers(0, SIDE + 1, (num, 2)).astype(float)
    low = generator.integers(0, SIDE - 2, (num, 2))
    return np.concatenate([low, low + generator.integers(1, 16, (num, 2))], axis=1).astype(float)


def random_map(generator, number):
    side = int(generator.integers(1, 17))
    if number % 3 == 0:  # plateaus: what is no state of its own must not hit
        return generator.integers(0, 4, (side, side)).astype(np.float32)
    return gaussian_filter(generator.normal(size=(side, side)), number % 3).astype(np.float32)


@each_rule
def test_maps_equal_the_literal_sweep(rule, literal):
    generator = np.random.default_rng(5)
    numbers, limit = RULES[rule]
    for number in range(40):
        scores = random_map(generator, number)
        targets = random_targets(generator, rule, number % 4)
        expected = literal.map(scores, targets.clip(0, SIDE), rule, limit,
                               numbers.get('hit_radius'), SIDE)
        for method in AVAILABLE:
            literal.same(map_events(scores, targets, frame_side=SIDE, method=method, rule=rule,
                                    **numbers), expected)


@each_rule
@settings(max_examples=40, deadline=None, derandomize=True)
@given(scores=arrays(np.float32, (4, 4), elements=st.integers(0, 3).map(float)),
       seed=st.integers(0, 1000), num=st.integers(0, 3))
def test_small_maps_full_of_ties(rule, literal, scores, seed, num):
    numbers, limit = RULES[rule]
    targets = random_targets(np.random.default_rng(seed), rule, num)
    expected = literal.map(scores, targets.clip(0, SIDE), rule, limit, numbers.get('hit_radius'),
                           SIDE)
    for method in AVAILABLE:
        literal.same(map_events(scores, targets, frame_side=SIDE, method=method, rule=rule,
                                **numbers), expected)


@each_rule
def test_boxes_equal_the_literal_sweep(rule, literal):
    generator = np.random.default_rng(6)
    numbers, limit = RULES[rule]
    for number in range(100):
        boxes = random_targets(generator, 'box_iou', int(generator.integers(0, 10))).clip(0, SIDE)
        scores = generator.integers(0, 4, len(boxes)) / 4
        targets = random_targets(generator, rule, number % 4)
        events = box_events(boxes, scores, targets, frame_side=SIDE, rule=rule, **numbers)
        literal.same(events, literal.boxes(boxes, scores, targets.clip(0, SIDE), rule, limit,
                                           numbers.get('hit_radius'), SIDE))


@each_rule
def test_without_targets_every_finding_is_a_false_positive(rule):
    events = box_events([[0, 0, 5, 5], [9, 9, 20, 20]], [0.5, 0.4], [], rule=rule)
    assert events.fp_levels.tolist() == [0.5, 0.4] and events.fp_changes.tolist() == [1, 1]
    assert len(events.hit_levels) == len(events.both_levels) == len(events.neither_levels) == 0
    assert not events.is_positive and events.recall_levels.shape == (0,)
    scores = np.array([[0.5, 0.1], [0.1, 0.1]], np.float32)
    events = map_events(scores, [], rule=rule)
    assert events.fp_levels.tolist() == [0.5] and events.num_findings(0.1) == 1


@pytest.mark.parametrize('rule', HIT_RULES[1:])
def test_no_finding_is_both_or_neither(rule):
    generator = np.random.default_rng(8)
    events = map_events(generator.random((16, 16)), random_targets(generator, rule, 3),
                        frame_side=SIDE, rule=rule)
    assert len(events.both_levels) == len(events.neither_levels) == 0


def test_iou_by_hand():
    # Target 10 x 10. A box of the same size shifted by 5 shares 50 of 150 pixels: IoU 1/3.
    target = [[0., 0., 10., 10.]]
    for min_iou, hit in ((1 / 3, True), (0.34, False)):
        events = box_events([[5, 0, 15, 10]], [0.7], target, rule='box_iou', min_iou=min_iou)
        assert events.recall_levels.tolist() == [0.7 if hit else -np.inf]
        assert events.num_false_positives(0.7) == (not hit)
    # 7 of 10 pixels: .7 is met exactly, though 0.7 * 10 is not 7 in floating point for all such.
    events = box_events([[0, 0, 7, 1]], [0.5], [[0, 0, 10, 1]], rule='box_iou', min_iou=0.7)
    assert events.recall_levels.tolist() == [0.5]


def test_an_overlap_that_is_met_exactly_is_no_false_positive():
    # The mask of a point at a pixel's centre with a radius below 1 is that pixel. Boxes of 10, 30,
    # 60 and 70 pixels hold 1, 3, 6 and 7 such: exactly a tenth; 0.1 * 30 is 3.0000000000000004.
    for width in (10, 30, 60, 70):
        points = [[column + 0.5, 0.5] for column in range(width // 10)]
        events = box_events([[0, 0, width, 1]], [0.5], points, hit_radius=0.6)
        assert len(events.fp_levels) == 0
        events = box_events([[0, 0, width + 1, 1]], [0.5], points, hit_radius=0.6)
        assert events.fp_changes.tolist() == [1]


def test_centre_in_box_by_hand():
    # Centres (5, 5), on the target's edge, and (4.5, 5), outside.
    target = [[5., 0., 20., 10.]]
    events = box_events([[0, 0, 10, 10], [0, 0, 9, 10]], [0.9, 0.8], target, rule='centre_in_box')
    assert events.recall_levels.tolist() == [0.9]
    assert events.fp_levels.tolist() == [0.8]


def test_distance_by_hand():
    # Centre (5, 5); the points are 5 (3, 4, 5) and a little more away.
    events = box_events([[0, 0, 10, 10]], [0.9], [[8., 9.], [8., 9.01]], hit_radius=5.,
                        rule='distance')
    assert events.recall_levels.tolist() == [0.9, -np.inf]
    assert len(events.fp_levels) == 0  # it hits one: no false positive


@pytest.mark.parametrize('rule', ['box_iou', 'centre_in_box'])
def test_several_findings_on_one_target_are_one_recall_and_no_false_positive(rule):
    events = box_events([[0, 0, 10, 10], [0, 0, 10, 9]], [0.9, 0.8], [[0., 0., 10., 10.]], rule=rule)
    assert events.recall_levels.tolist() == [0.9] and len(events.fp_levels) == 0
    assert events.count('hit', 0.8) == 2


@each_method
def test_a_hit_that_a_merge_loses_is_no_recall(method):
    # A frame of 8 pixels, cells of one. The target is cell (0, 0). The finding there has an IoU of
    # 1 at .9 and of 1/64 at .1, when everything is one box: recalled at .9, lost and an FP at .1.
    scores = np.full((8, 8), 0.1)
    scores[0, 0] = 0.9
    events = map_events(scores, [[0., 0., 1., 1.]], frame_side=8, rule='box_iou', method=method)
    assert events.recall_levels.tolist() == [0.9]
    assert events.recalled_levels.tolist() == [0.9, 0.1]
    assert events.recalled_changes.tolist() == [1, -1]
    assert (events.fp_levels.tolist(), events.fp_changes.tolist()) == ([0.1], [1])
    curve = froc_curve([events])
    assert curve.recall.tolist() == [1., 0.] and curve.fp_rate.tolist() == [0., 1.]
    assert (curve.recall_at(0.5), curve.recall_at(1.)) == (1., 0.)
    assert (curve.recall_at(1., 'best'), curve.threshold_at(1., 'best')) == (1., 0.9)


def test_the_papers_hits_are_nested_and_need_no_list_of_changes():
    scores = np.random.default_rng(0).random((8, 8))
    assert map_events(scores, [[5., 5.]], frame_side=8).recalled_levels is None
    # Boxes stay as the threshold falls: under every rule.
    assert box_events([[0, 0, 9, 9]], [0.5], [[5., 5.]], rule='distance').recalled_levels is None


@dataclass(frozen=True)
class LeftOf(HitRule):
    """A toy rule: a finding hits points to the right of its box; wide ones are false positives."""

    name: ClassVar[str] = 'left_of'
    max_width: float = 9.

    def hits(self, boxes, target):
        return boxes.right < target[0]

    def is_false_positive(self, boxes, is_hit, covered):
        return boxes.right - boxes.left > self.max_width


@pytest.mark.parametrize('kind', range(3))
def test_a_new_rule_takes_one_class(kind, literal, monkeypatch):
    monkeypatch.setattr(hit_rules, '_RULES', dict(hit_rules._RULES))
    register_hit_rule(LeftOf)
    assert 'left_of' in hit_rule_names()
    generator = np.random.default_rng(kind)
    for number in range(20):
        scores = random_map(generator, kind)
        targets = generator.integers(0, SIDE + 1, (number % 4, 2)).astype(float)
        for method in AVAILABLE:
            events = map_events(scores, targets, frame_side=SIDE, method=method, rule='left_of')
            for threshold in np.unique(scores).tolist():
                boxes = literal.findings(scores, threshold, SIDE)
                fps = [box for box in boxes if box[2] - box[0] > 9]
                hits = [point for point in targets if any(box[2] < point[0] for box in boxes)]
                assert events.num_false_positives(threshold) == len(fps)
                assert events.num_recalled(threshold) == len(hits)
                assert events.num_findings(threshold) == len(boxes)
    # By name or as an object, in the one call too.
    result = evaluate({1: scores}, [Target(1, 20, 20)], rule=LeftOf(max_width=3.))
    assert (result.settings['rule'], result.settings['max_width']) == ('left_of', 3.)


@each_rule
def test_findings_are_judged_by_one_function(rule, literal):
    generator = np.random.default_rng(4)
    numbers, limit = RULES[rule]
    boxes = random_targets(generator, 'box_iou', 30).clip(0, SIDE)
    targets = random_targets(generator, rule, 3).clip(0, SIDE)
    judged = judge_findings(make_hit_rule(rule, **numbers), boxes, targets, SIDE)
    mask = literal.mask(targets, numbers.get('hit_radius', 1.), SIDE)
    for number, box in enumerate(boxes):
        hits = literal.hits(box, targets, rule, limit)
        assert np.flatnonzero(judged.hits[:, number]).tolist() == sorted(hits)
        is_fp = (literal.covered(mask, box) < limit * (box[2] - box[0]) * (box[3] - box[1]) - 1e-6
                 if rule == 'disk_overlap' else not hits)
        assert judged.is_false_positive[number] == is_fp
    assert judge_findings(rule, [], []).hits.shape == (0, 0)
    with pytest.raises(ValueError, match=r'shape \(1, 3\)'):
        judge_findings(rule, boxes, [[1., 2., 3.]])


@each_method
def test_what_stands_between_cells_of_one_level_hits_nothing(method):
    # Three cells of .5 in a row enter together; the target is the middle one's box of one cell.
    # A box of the first two, or of one, is no finding at any threshold: IoU 1/3 is all there is.
    scores = np.zeros((3, 3))
    scores[1] = 0.5
    events = map_events(scores, [[1., 1., 2., 2.]], frame_side=3, rule='box_iou', min_iou=0.4,
                        method=method)
    assert events.recall_levels.tolist() == [-np.inf]


def test_target_boxes_are_clipped_to_the_frame():
    # Half of the target lies outside; what is left is 10 x 10, and the finding equals it.
    events = box_events([[0, 0, 10, 10]], [0.9], [[-10., 0., 10., 10.], [-9., -9., 0., 0.]],
                        rule='box_iou', min_iou=1.)
    assert events.recall_levels.tolist() == [0.9]  # the second has no part in the frame


@pytest.mark.parametrize('settings, targets, words', [
    (dict(rule='iou'), [], "hit rule is 'iou'"),
    (dict(rule='box_iou', min_iou=0.), [], 'min_iou is 0'),
    (dict(rule='box_iou', min_iou=1.5), [], 'min_iou is 1.5'),
    (dict(rule='distance', hit_radius=-1.), [], 'hit_radius is -1'),
    (dict(rule='box_iou'), [[1., 2.]], r'target boxes have shape \(1, 2\)'),
    (dict(rule='centre_in_box'), [[5., 5., 5., 9.]], 'no area'),
    (dict(rule='distance'), [[1., 2., 3., 4.]], r'points have shape \(1, 4\)'),
    (dict(rule='box_iou'), [[1., 2., np.nan, 4.]], 'must be finite'),
    (dict(floor=np.nan), [], 'the floor is nan'),
    (dict(floor=np.inf), [], 'the floor is inf'),
])
def test_bad_rules_and_targets_are_refused(settings, targets, words):
    with pytest.raises(ValueError, match=words):
        map_events(np.ones((2, 2)), targets, **settings)
    with pytest.raises(ValueError, match=words):
        box_events([[0, 0, 5, 5]], [0.5], targets, **settings)


def test_findings_beyond_the_frame_are_refused():
    with pytest.raises(ValueError, match='reaches beyond the frame'):
        box_events([[0, 0, 1030, 5]], [0.5], [])
    # Rounding in the scaling to the frame is none.
    assert box_events([[0, 0, 1024.0000001, 5]], [0.5], []).num_false_positives(0.5) == 1
