"""Each reader against the others, and the system at the reader's place: by hand and literally."""
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwindow.annotations.merging import DEFAULT_MERGE
from mmwindow.evaluation import FROCSettings, Prediction, evaluate, froc_curve, make_hit_rule
from mmwindow.evaluation.froc_settings import counted_curve
from mmwindow.evaluation.readers import (
    MergeSettings,
    ReadImage,
    others_target,
    reader_operating_points,
)
from mmwindow.evaluation.readers.at_reader import system_at_reader
from mmwindow.evaluation.readers.operating_points import mark_rule
from mmwindow.evaluation.statistics.resampling import draw_weights, find_units

EXAMPLE = Path(__file__).parents[3] / 'docs' / 'examples' / 'readers'


def system_events(images, reader, merge=DEFAULT_MERGE, boxes=None, **options):
    """Return the events of the example's detector against the others' findings."""
    rows = json.loads((EXAMPLE / 'boxes.json').read_text()) if boxes is None else boxes
    targets = [target for image in images
               if (target := others_target(image, reader, merge)) is not None]
    predictions = []
    for target in targets:
        own = [row for row in rows if row['image_id'] == target.image_id]
        corners = [[x, y, x + width, y + height] for x, y, width, height in
                   (row['bbox'] for row in own)]
        predictions.append(Prediction(target.image_id, boxes=corners,
                                      scores=[row['score'] for row in own]))
    return evaluate(predictions, targets, **options).classes['finding'].events


def test_the_example_by_hand(example):
    points = reader_operating_points(example, system={
        reader: system_events(example, reader) for reader in ('R1', 'R2', 'R3')})
    # Reader, images, findings of the others, recall, FP rate, sensitivity, specificity; the system's
    # recall at that FP rate and sensitivity at that specificity.
    expected = [('R1', 8, 4, 2 / 4, 3 / 8, 3 / 4, 2 / 4, 3 / 4, 1 / 4),
                ('R2', 8, 2, 2 / 2, 3 / 8, 2 / 2, 3 / 6, 1 / 2, 1 / 2),
                ('R3', 7, 3, 1 / 3, 3 / 7, 2 / 3, 2 / 4, 3 / 3, 3 / 3)]
    for point, (reader, num, found, *numbers) in zip(points, expected, strict=True):
        assert (point.reader, point.num_images, point.num_points) == (reader, num, found)
        intervals = (point.recall, point.fp_rate, point.sensitivity, point.specificity)
        assert [interval.estimate for interval in intervals] == pytest.approx(numbers[:4])
        assert all(interval.low < interval.high for interval in intervals)
        system = point.system
        assert (system.recall, system.sensitivity) == pytest.approx(numbers[4:])
        for difference, theirs, ours in ((system.recall_difference, numbers[0], numbers[4]),
                                         (system.sensitivity_difference, numbers[2], numbers[5])):
            assert difference.estimate == pytest.approx(theirs - ours)
            assert difference.low < difference.high


def test_the_reference_of_a_reader_is_that_of_the_others_alone(example):
    found = {reader: [others_target(image, reader, MergeSettings()).points.tolist()
                      for image in example[:4]] for reader in ('R1', 'R2', 'R3')}
    assert found == dict(R1=[[[325, 325]], [], [], [[660, 300]]], R2=[[[310, 305]], [], [], []],
                         R3=[[[315, 320]], [[510, 400]], [], [[620, 300]]])
    assert others_target(example[7], 'R3', MergeSettings()) is None   # not read
    # One of the two others is left for image 8: two cannot be asked for.
    assert others_target(example[7], 'R1', MergeSettings(min_readers=2)).points.tolist() == [
        [400, 430]]


def test_one_other_reader_is_the_reference(example):
    two = [ReadImage(image.image_id, 1024, 1024, {name: image.marks[name] for name in ('R1', 'R2')})
           for image in example]
    first, second = reader_operating_points(two)
    # Four of five places are common, at most 50 pixels apart.
    assert (first.recall.estimate, second.recall.estimate) == (0.8, 0.8)
    assert first.fp_rate.estimate == second.fp_rate.estimate == 1 / 8


def test_false_positives_on_negative_images_alone(example):
    point = reader_operating_points(example, FROCSettings(fp_denominator='normals'))[0]
    assert point.fp_rate.estimate == 2 / 4     # on 2 and 3 of 2 3 5 6; that on 4 does not count


def test_readers_without_any_finding():
    images = [ReadImage(number, 100, 100, {'A': [], 'B': []}) for number in range(3)]
    for point in reader_operating_points(images, system={
            name: system_events(images, name, boxes=[]) for name in 'AB'}):
        assert point.recall is None and point.sensitivity is None
        assert point.fp_rate.estimate == 0 and point.specificity.estimate == 1
        assert point.fp_rate.high > 0
        assert math.isnan(point.system.recall) and point.system.recall_difference is None
        assert 'no finding' in point.system.reasons['recall']


def test_a_mark_is_judged_by_the_rule_of_the_run():
    assert mark_rule(make_hit_rule('disk_overlap', hit_radius=30)) == make_hit_rule(
        'distance', hit_radius=30)
    for rule in ('distance', 'box_iou', 'centre_in_box'):
        assert mark_rule(make_hit_rule(rule)) == make_hit_rule(rule)
    images = [ReadImage(1, 1024, 1024, {'A': [[0, 0], [90, 0], [300, 0]], 'B': [[40, 0]]})]
    images += [ReadImage(number, 1024, 1024, {'A': [], 'B': []}) for number in (2, 3, 4)]
    for radius, hits, false in ((50, 1, 1), (40, 1, 2), (39.9, 0, 3)):
        point = reader_operating_points(images, FROCSettings(rule=make_hit_rule(
            'disk_overlap', hit_radius=radius)))[0]
        # Two marks on one finding are one recall and no false positive.
        assert (point.recall.estimate, point.fp_rate.estimate) == (hits, false / 4)
    with pytest.raises(ValueError, match="image 1: the hit rule box_iou asks for .*boxes"):
        reader_operating_points(images, FROCSettings(rule=make_hit_rule('box_iou')))


def test_box_rules_judge_the_boxes_of_the_marks():
    from mmwindow.annotations.merging import ReaderMarks

    def marks(*boxes):
        corners = np.array(boxes, float).reshape(-1, 4)
        return ReaderMarks((corners[:, :2] + corners[:, 2:]) / 2, np.zeros(len(boxes), int),
                           tuple(map(tuple, corners.tolist())))
    images = [ReadImage(1, 512, 512, {'A': marks((0, 0, 20, 20)), 'B': marks((0, 0, 20, 30))}),
              ReadImage(2, 512, 512, {'A': marks((0, 0, 20, 20)), 'B': marks((0, 12, 20, 32))})]
    point = reader_operating_points(images, FROCSettings(rule=make_hit_rule('box_iou')))[0]
    assert (point.recall.estimate, point.fp_rate.estimate) == (1 / 2, 1 / 2)  # IoU 2/3 and 1/4


SCORES = st.sampled_from([.2, .4, .6, .8])
IMAGE = st.fixed_dictionaries(dict(
    mark=st.booleans(), truth=st.booleans(), apart=st.booleans(),
    findings=st.lists(st.tuples(st.booleans(), SCORES), max_size=3), group=st.integers(0, 3)))


@settings(max_examples=25, deadline=None)
@given(st.lists(IMAGE, min_size=3, max_size=8), st.sampled_from(['all', 'normals']))
def test_the_system_where_the_reader_stands_equals_the_curves(drawn, denominator):
    images, boxes = [], []
    for number, entry in enumerate(drawn):
        mark = [[400., 400.]] if entry['apart'] else [[110., 100.]]
        images.append(ReadImage(number, 1024, 1024, {
            'A': mark if entry['mark'] else [], 'B': [[100., 100.]] if entry['truth'] else []},
            group=f'p{entry["group"]}'))
        boxes += [dict(image_id=number, bbox=[80 if hit else 700, 80, 40, 40], score=score)
                  for hit, score in entry['findings']]
    settings = FROCSettings(fp_denominator=denominator)
    if denominator == 'normals' and all(entry['truth'] for entry in drawn):
        return
    reader = reader_operating_points(images, settings)[0].events
    system = system_events(images, 'A', boxes=boxes)
    result = system_at_reader(reader, system, settings, 100, 0, .95)
    check_literally(reader, system, settings, result.recall, result.sensitivity)
    units = find_units(reader)
    from mmwindow.evaluation.readers.at_reader import _RecallPair, _SensitivityPair
    for weights in draw_weights(np.zeros(len(units), int), 6, np.random.default_rng(0)):
        recalls = _RecallPair(reader, system, units, settings).both(weights)[1]
        sensitivities = _SensitivityPair(reader, system, units).both(weights)[1]
        for row, recall, sensitivity in zip(weights, recalls, sensitivities, strict=True):
            places = np.repeat(np.arange(len(reader)), row[units.index])
            check_literally([reader[place] for place in places], [system[place] for place in places],
                            settings, recall, sensitivity)


def check_literally(reader, system, settings, recall, sensitivity):
    """Compare with the curve of exactly these images, repeated as often as they are there."""
    positive = np.array([image.is_positive for image in reader])
    if settings.fp_denominator == 'normals' and positive.all():
        return
    if not any(image.num_points for image in reader):
        assert math.isnan(recall)
    else:
        rate = counted_curve(reader, settings).fp_rate
        expected = counted_curve(system, settings).recall_at(rate[-1] if len(rate) else 0.)
        assert recall == pytest.approx(expected)
    if positive.all() or not positive.any():
        assert math.isnan(sensitivity)
        return
    calls = np.array([image.score > -np.inf for image in reader])
    scores = np.array([image.score for image in system])
    best = 0.
    for threshold in {np.inf, *scores}:
        if (scores[~positive] >= threshold).sum() <= calls[~positive].sum():
            best = max(best, (scores[positive] >= threshold).mean())
    assert sensitivity == pytest.approx(best)


def test_a_reader_who_is_the_system_differs_by_nothing_and_the_interval_has_a_width(example):
    point = reader_operating_points(example)[0]
    result = system_at_reader(point.events, point.events, FROCSettings(), 200, 0, .95)
    assert (result.recall, result.sensitivity) == (0.5, 0.75)
    # Of four patients with a finding at most 1 - .025 ** (1 / 4) disagree, on either side.
    half = 1 - 0.025 ** (1 / 4)
    found = result.recall_difference
    assert (found.estimate, found.low, found.high) == pytest.approx((0, -half, half))
    assert 'no proof of equality' in ' '.join(found.note.split()) and '8 patients' in found.note
    assert froc_curve(point.events).recall_at(3 / 8) == 0.5      # the curve's only point


def test_the_system_is_read_before_it_exceeds_the_false_positives_of_the_reader():
    # A has one false mark. The system: a false positive at .9, a hit at .8, a second one at .7, then
    # the other hit at .6, which the budget of one false positive in four images does not reach.
    images = [ReadImage(1, 1024, 1024, {'A': [[100, 100]], 'B': [[100, 100]]}),
              ReadImage(2, 1024, 1024, {'A': [], 'B': [[100, 100]]}),
              ReadImage(3, 1024, 1024, {'A': [[500, 500]], 'B': []}),
              ReadImage(4, 1024, 1024, {'A': [], 'B': []})]
    boxes = [dict(image_id=number, bbox=[80, 80, 40, 40], score=score)
             for number, score in ((3, .9), (1, .8), (4, .7), (2, .6))]
    system = reader_operating_points(images, system={
        name: system_events(images, name, boxes=boxes) for name in 'AB'})[0].system
    assert system.recall == 0.5
    # The specificity is 1/2 as well: above .7 one negative image is called, and image 1.
    assert system.sensitivity == 0.5


def test_events_of_other_images_are_rejected(example):
    events = system_events(example, 'R3')
    with pytest.raises(ValueError, match='different images'):
        reader_operating_points(example, system=dict(R1=events, R2=events, R3=events))


def test_nobody_to_compare_with():
    with pytest.raises(ValueError, match='no image has been read by two readers'):
        reader_operating_points([ReadImage(1, 9, 9, {'A': []}), ReadImage(2, 9, 9, {'B': []})])
    with pytest.raises(ValueError, match="only reader is 'A'"):
        reader_operating_points([ReadImage(1, 9, 9, {'A': []})])
