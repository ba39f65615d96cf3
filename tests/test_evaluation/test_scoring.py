"""The functional interface: numbers worked by hand, and every bad input refused by name."""
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwindow.evaluation.files.predictions import Prediction, Target
from mmwindow.evaluation.files.records import read_record
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.scoring import BUDGETS, evaluate


def boxes_of(image_id, *rows, **options):
    """A prediction from rows of x1, y1, x2, y2, score."""
    rows = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return Prediction(image_id, boxes=rows[:, :4], scores=rows[:, 4], **options)


# Four films of 1024 x 1024, so that image and frame pixels are the same.
TARGETS = [Target('a', 1024, 1024, [[100, 100], [800, 800]], group='p1'),
           Target('b', 1024, 1024, [[500, 500]], group='p1'),
           Target('c', 1024, 1024), Target('d', 1024, 1024, group='p2')]
PREDICTIONS = [
    boxes_of('a', (80, 80, 120, 120, 0.9), (300, 300, 340, 340, 0.6)),
    boxes_of('b', (490, 490, 510, 510, 0.5)),
    boxes_of('c', (10, 10, 60, 60, 0.7)),
    boxes_of('d')]


def test_normals_alone():
    result = evaluate([boxes_of('c', (10, 10, 60, 60, 0.7)), boxes_of('d')], TARGETS[2:])
    finding = result.classes['finding']
    assert np.isnan(result.metrics['auroc']) and np.isnan(result.metrics['froc_score'])
    assert finding.roc is None
    assert finding.notes == [
        'no AUROC: AUROC compares images with and without findings; of 2 images 0 have one',
        'no recall: the 2 images have no point']
    assert finding.froc.fp_rate.tolist() == [0.5]  # one false alarm on two films
    assert result.counts == dict(images=2, positives=0, points=0, missing=0, boxes_left_out=0)


def test_worked_by_hand():
    # Falling threshold: .9 recalls 1 of 3; .7 is a false alarm, .25 an image; .6 another, .5;
    # .5 recalls 2 of 3. The image scores are .9 and .5 (positive), .7 and -inf (normal):
    # of the four pairs .9 wins both, .5 one: AUROC .75.
    result = evaluate(PREDICTIONS, TARGETS, budgets=(0.1, 0.25, 0.5))
    finding = result.classes['finding']
    assert finding.froc.thresholds.tolist() == [.9, .7, .6, .5]
    assert finding.froc.fp_rate.tolist() == [0, .25, .5, .5]
    assert finding.froc.recall == pytest.approx([1 / 3, 1 / 3, 1 / 3, 2 / 3])
    assert result.metrics == pytest.approx({
        'auroc': .75, 'recall@0.1': 1 / 3, 'recall@0.25': 1 / 3, 'recall@0.5': 2 / 3,
        'froc_score': 4 / 9})
    assert finding.thresholds == {.1: .9, .25: .7, .5: .5}
    assert result.counts == dict(images=4, positives=2, points=3, missing=0, boxes_left_out=0)


def test_named_budgets():
    result = evaluate(PREDICTIONS, TARGETS, budgets='luna16')
    assert result.settings['budgets'] == (.125, .25, .5, 1, 2, 4, 8) == BUDGETS['luna16']
    # 1/3 at 1/8 and 1/4, 2/3 from 1/2 on.
    assert result.metrics['froc_score'] == pytest.approx((2 / 3 + 10 / 3) / 7)


def test_lengths_are_scaled_to_the_frame():
    # A film of 2048 x 1024: a box of 40 image pixels at (400, 200) is one of 20 at (200, 100)
    # in the frame. A point 60 image pixels away is 30 in the frame: its disk covers the box.
    target = Target(1, 1024, 2048, [[460, 200]])
    result = evaluate([boxes_of(1, (380, 180, 420, 220, 0.9))], [target])
    events = result.classes['finding'].events[0]
    assert events.recall_levels.tolist() == [-np.inf] and len(events.fp_levels) == 0


def test_maps_over_the_frame_and_over_the_image_agree():
    # A film of 8 x 4 cells (width x height). One finding at cell (row 1, column 6), whose point
    # lies there: x in [768, 896], y in [128, 256] of the frame.
    scores = np.full((4, 8), 0.1, np.float32)
    scores[1, 6] = 0.8
    frame = np.full((8, 8), 0.1, np.float32)
    frame[:4] = scores
    target = Target(1, 500, 1000, [[800, 150]])
    rows = [evaluate({1: values}, [target], map_extent=extent).classes['finding'].events[0]
            for values, extent in ((scores, 'image'), (frame, 'frame'))]
    for events in rows:
        assert events.recall_levels == pytest.approx([0.8])
        assert events.score == pytest.approx(0.8)
    assert rows[0].fp_levels.tolist() == rows[1].fp_levels.tolist()


def test_a_map_over_the_image_covers_it_to_the_last_pixel():
    # 410 / 125 are 3.3 rows, 3 are given: a row is 136.7 pixels, and the last one ends at 410.
    scores = np.zeros((3, 8), np.float32)
    scores[2, 7] = 0.9
    for point, hit in (([1000, 410], True), ([900, 274], True), ([900, 273], False)):
        result = evaluate({1: scores}, [Target(1, 410, 1000, [point])], map_extent='image')
        levels = result.classes['finding'].events[0].recall_levels
        assert levels.tolist() == [pytest.approx(0.9) if hit else 0.]


@pytest.mark.parametrize('shape, size', [((4, 8), (500, 1000)), ((4, 8), (1000, 500)),
                                         ((8, 4), (300, 900)), ((6, 9), (77, 33))])
def test_a_rectangular_frame_is_a_part_of_a_square_one(shape, size):
    # The image is scaled to fit the rectangle; padded to a square, the map shows the same.
    generator = np.random.default_rng(0)
    height, width = size
    side = max(height / shape[0], width / shape[1])  # pixels a cell
    square = np.full((int(np.ceil(max(size) / side)),) * 2, -1.)
    scores = generator.permutation(shape[0] * shape[1]).reshape(shape) / 100
    target = Target(1, height, width, generator.uniform(0, size[::-1], (3, 2)))
    if max(size) % side == 0:
        kept = scores[:len(square), :len(square)]
        square[:kept.shape[0], :kept.shape[1]] = kept
        scores[len(square):], scores[:, len(square):] = -1, -1
        scores[len(kept):], scores[:, kept.shape[1]:] = -1, -1
        one, other = (evaluate({1: values}, [target]).classes['finding'].events[0]
                      for values in (scores, square))
        assert one.recall_levels.tolist() == other.recall_levels.tolist()
    assert (evaluate({1: scores}, [target]).classes['finding'].events[0].recall_levels >= -1).all()


def test_maps_of_several_rectangles_are_no_frame():
    maps = {1: np.zeros((4, 8)), 2: np.zeros((8, 4))}
    targets = [Target(1, 500, 1000), Target(2, 1000, 500)]
    with pytest.raises(ValueError, match=r"image 2: the map has 8 x 4 cells.*--map-extent image"):
        evaluate(maps, targets)
    evaluate(maps, targets, map_extent='image')


@pytest.mark.parametrize('num', [3, 7, 10, 49, 100])
def test_a_point_on_the_edge_of_a_cell_is_in_both_cells(num):
    # Scaled to the frame, neither the point nor the edge is the number that it is in the image.
    for size in range(num, 3000, 37 * num):
        for cell in {1, num // 2, num - 1}:
            edge = cell * size // num
            scores = np.zeros((num, num))
            scores[0, cell], scores[1, cell - 1] = 0.9, 0.8
            events = evaluate({1: scores}, [Target(1, size, size, [
                [edge, 0], [edge, 2 * size / num], [np.nextafter(edge, 0), 0]])],
                ).classes['finding'].events[0]
            # 0.9 holds the first; at 0.8 both cells touch and are one box.
            assert events.recall_levels.tolist() == [0.9, 0.8, 0.8], (num, size, cell)


def test_classes_are_resolved_by_name():
    targets = [Target(1, 100, 100, [[10, 10]], [0]), Target(2, 100, 100, [[90, 90]], [1])]
    maps = np.zeros((2, 2, 10, 10))
    maps[0, 1, 1, 1] = maps[1, 0, 9, 9] = 0.9  # the map of the implant comes first
    for number, classes in enumerate((('b', 'a'), ('a', 'b'))):
        predictions = [Prediction(image_id, maps[index], image_scores=maps[index].max(axis=(1, 2)),
                                  classes=classes) for index, image_id in enumerate((1, 2))]
        result = evaluate(predictions, targets, classes=('a', 'b'))
        assert result.metrics['auroc'] == (1., 0.)[number]
        boxes = [Prediction(1, boxes=[[5, 5, 15, 15]], scores=[.5], labels=[1], classes=classes),
                 Prediction(2, boxes=[[85, 85, 95, 95]], scores=[.5], labels=[0], classes=classes)]
        assert evaluate(boxes, targets, classes=('a', 'b')).metrics['froc_score'] == (1., 0.)[number]
    with pytest.raises(ValueError, match=r"image 1: the predictions are of the classes \['a', 'c'\]"):
        evaluate([replace(boxes[0], classes=('a', 'c'))], targets, classes=('a', 'b'))


def test_several_classes_and_their_mean():
    targets = [Target(1, 1024, 1024, [[100, 100]], [0]), Target(2, 1024, 1024)]
    predictions = [boxes_of(1, (80, 80, 120, 120, .9), labels=[0]), boxes_of(2)]
    metrics = evaluate(predictions, targets, classes=('fracture', 'implant')).metrics
    assert metrics['fracture_auroc'] == 1 and np.isnan(metrics['implant_auroc'])
    assert metrics['auroc'] == 1 and metrics['froc_score'] == 1  # a class without points is none


def test_missing_images():
    with pytest.raises(ValueError, match="2 of 4 images have no prediction: image 'c', image 'd'"):
        evaluate(PREDICTIONS[:2], TARGETS)
    with pytest.raises(ValueError, match='4 of 4 images have no prediction'):
        evaluate([], TARGETS)
    result = evaluate(PREDICTIONS[1:3], TARGETS, missing='empty', budgets=(0.25,))
    assert result.counts['missing'] == 2
    # Image a is missing: its two points are never recalled, and still count.
    assert result.metrics['recall@0.25'] == pytest.approx(1 / 3)
    nothing = evaluate([], TARGETS, missing='empty')
    assert nothing.metrics['froc_score'] == 0 and nothing.metrics['auroc'] == 0.5


@pytest.mark.parametrize('predictions, message', [
    ([*PREDICTIONS, PREDICTIONS[0]], "image 'a' is predicted twice"),
    ([*PREDICTIONS, boxes_of('z')], "image 'z' is predicted but not among the targets"),
    ([boxes_of('a', height=512, width=512)], r"image 'a' was predicted at 512 x 512 pixels"),
    ([boxes_of('a', (0, 0, 9, 9, np.nan))], r"image 'a': box 0 .* score nan; every number"),
    ([boxes_of('a', (0, 0, 9, np.inf, .5))], r"image 'a': box 0 is \[0.0, 0.0, 9.0, inf\]"),
    ([boxes_of('a', (9, 0, 0, 9, .5))], "image 'a': the box .* has corners exchanged"),
    ([Prediction('a', boxes=[[0, 0, 9, 9]], scores=[.1, .2])], "image 'a': 1 box but 2"),
    ([boxes_of('a', (0, 0, 9, 9, .5), labels=[1])], r"image 'a': boxes: labels are \[1\]"),
    ([Prediction('a', maps=np.full((4, 4), np.nan))], "image 'a': 16 of 16 cells of the map are NaN"),
    ([Prediction('a', maps=np.full((4, 4), np.inf))], "image 'a': 16 of 16 cells"),
    ([Prediction('a', maps=np.zeros((2, 4, 4)))], r"image 'a': the map has shape \(2, 4, 4\)"),
    ([Prediction('a', maps=np.zeros((4, 4), np.float16))], "image 'a': map scores are float16"),
    ([Prediction('a', maps=np.full((4, 4), '1'))], "image 'a': map scores are of type <U1"),
    ([np.zeros((4, 4))], 'a prediction is of type ndarray; Prediction objects'),
    ({'a': boxes_of('b')}, "the prediction under 'a' is of image 'b'"),
    ([Prediction('a')], "image 'a': a prediction has either maps or boxes"),
    ([boxes_of('a', image_scores=[.1, .2])], "image 'a': 2 image scores for 1 class"),
    ([boxes_of('a', image_scores=[np.nan])], "image 'a': the image score is nan")])
def test_bad_predictions(predictions, message):
    with pytest.raises(ValueError, match=message):
        evaluate(predictions, TARGETS, missing='empty')


@pytest.mark.parametrize('target, message', [
    (Target('a', 100, 200, [[50, 150]]),
     r"image 'a' has a point at \(50.0, 150.0\), outside its 200 x 100 \(width x height\)"),
    (Target('a', 100, 200, [[np.nan, 1]]), "image 'a' has a point at .*must be finite"),
    (Target('a', 100, 200, [[1, 2, 3]]), r"image 'a': points have shape \(1, 3\)"),
    (Target('a', 0, 200), "image 'a' has height 0"),
    (Target('a', 100, 200, [[1, 2]], labels=[3]), r"image 'a': labels are \[3\]"),
    (Target('a', 100, 200, [[1, 2]], boxes=[[1, 2, 1, 5]]), "image 'a' has 1 point and the boxes"),
    (Target('a', 100, 200, [[1, 2]], boxes=[[0, 0, np.inf, 5]]), 'one of finite, positive size')])
def test_bad_targets(target, message):
    with pytest.raises(ValueError, match=message):
        evaluate([], [target], missing='empty')


def test_bad_sets_and_settings():
    with pytest.raises(ValueError, match="image 'a' occurs twice among the targets"):
        evaluate([], [TARGETS[0]] * 2)
    with pytest.raises(ValueError, match='there is no target image'):
        evaluate([], [])
    for options, message in ((dict(convention='last'), "convention is 'last'"),
                             (dict(map_extent='half'), "map_extent is 'half'"),
                             (dict(missing='drop'), "missing is 'drop'"),
                             (dict(budgets='coco'), "budgets are 'coco'"),
                             (dict(budgets=()), r'budgets are \(\)'),
                             (dict(budgets=(-1,)), r'budgets are \(-1.0,\)')):
        with pytest.raises(ValueError, match=message):
            evaluate(PREDICTIONS, TARGETS, **options)


@pytest.mark.parametrize('classes', [(), ('fracture', 'fracture')])
def test_classes_of_one_name_would_hide_each_other(classes):
    with pytest.raises(ValueError, match='each with a name of its own'):
        evaluate([], TARGETS, classes=classes, missing='empty')


def test_one_class_may_be_named_without_a_list():
    assert list(evaluate([], TARGETS, classes='fracture', missing='empty').classes) == ['fracture']


def test_maps_of_another_image():
    # 200 x 100 pixels (width x height): a map over it has half as many rows as columns.
    with pytest.raises(ValueError, match='so about 4 x 8 cells are expected'):
        evaluate({1: np.zeros((8, 8), np.float32)}, [Target(1, 100, 200)], map_extent='image')


def test_the_size_of_a_prediction_is_height_and_width():
    upright = [Target('a', 200, 100, [[50, 50]])]
    assert evaluate([boxes_of('a', height=200, width=100)], upright).metrics['froc_score'] == 0
    with pytest.raises(ValueError, match=r"'a' was predicted at 100 x 200 .* annotated at 200 x 100"):
        evaluate([boxes_of('a', height=100, width=200)], upright)


def test_boxes_outside_their_image_are_counted():
    prediction = boxes_of('c', (-50, -50, -10, -10, .9), (5, 5, 5, 9, .8), (-10, -10, 30, 30, .7))
    result = evaluate([prediction], TARGETS, missing='empty')
    assert result.counts['boxes_left_out'] == 2
    assert result.classes['finding'].events[2].fp_levels.tolist() == [.7]


def test_inputs_are_not_changed():
    boxes = np.array([[-10., -10, 30, 30]])
    scores = np.array([.7])
    points = np.array([[10., 10.]])
    evaluate([Prediction(1, boxes=boxes, scores=scores)], [Target(1, 100, 100, points)])
    assert boxes.tolist() == [[-10, -10, 30, 30]] and points.tolist() == [[10, 10]]


def test_the_record_of_a_result(tmp_path):
    result = evaluate(PREDICTIONS, TARGETS, budgets=(0.1, 0.25, 0.5))
    record = read_record(result.write(tmp_path / 'record.json', source=dict(points='a.json')))
    assert record.metrics == result.metrics
    assert [img.image_id for img in record.events()] == ['a', 'b', 'c', 'd']
    assert record.events()[0].group == 'p1'
    assert record.source == dict(points='a.json', counts=result.counts)
    assert record.settings['convention'] == 'first_crossing'


@st.composite
def box_sets(draw):
    """Films with up to three points and four boxes; scores on a grid, so that ties are common."""
    coordinate = st.integers(0, 9)
    films = []
    for number in range(draw(st.integers(1, 5))):
        points = draw(st.lists(st.tuples(coordinate, coordinate), max_size=3))
        rows = draw(st.lists(st.tuples(coordinate, coordinate, st.integers(1, 20)), max_size=4))
        films.append((
            Target(number, 1024, 1024, np.array(points, float).reshape(-1, 2) * 100 + 50),
            boxes_of(number, *[(x * 100 + 20, y * 100 + 20, x * 100 + 80, y * 100 + 80, score / 20)
                               for x, y, score in rows])))
    return films


def score_films(films, budgets=(0.1, 0.3, 0.5, 1, 2)):
    return evaluate([film[1] for film in films], [film[0] for film in films],
                    budgets=budgets).classes['finding']


@settings(max_examples=60, deadline=None)
@given(films=box_sets())
def test_a_monotone_transform_of_the_scores_changes_nothing(films):
    changed = [(target, Prediction(prediction.image_id, boxes=prediction.boxes,
                                   scores=np.exp(5 * prediction.scores) - 7))
               for target, prediction in films]
    first, second = score_films(films), score_films(changed)
    assert first.froc.fp_rate.tolist() == second.froc.fp_rate.tolist()
    assert first.froc.recall == pytest.approx(second.froc.recall, nan_ok=True)
    assert first.metrics == pytest.approx(second.metrics, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(films=box_sets(), num_normals=st.integers(1, 4))
def test_a_normal_without_a_finding_only_scales_the_fp_rate(films, num_normals):
    normals = [(Target(f'normal {number}', 1024, 1024), boxes_of(f'normal {number}'))
               for number in range(num_normals)]
    first, second = score_films(films).froc, score_films([*films, *normals]).froc
    assert second.fp_rate * (len(films) + num_normals) == pytest.approx(first.fp_rate * len(films))
    assert first.recall == pytest.approx(second.recall, nan_ok=True)
    assert first.thresholds.tolist() == second.thresholds.tolist()


@settings(max_examples=60, deadline=None)
@given(films=box_sets())
def test_duplicating_the_set_changes_nothing(films):
    twins = [(Target(f'{target.image_id} again', 1024, 1024, target.points),
              Prediction(f'{target.image_id} again', boxes=prediction.boxes,
                         scores=prediction.scores)) for target, prediction in films]
    first, second = score_films(films), score_films([*films, *twins])
    assert first.froc.fp_rate == pytest.approx(second.froc.fp_rate)
    assert first.metrics == pytest.approx(second.metrics, nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_same_three_properties_for_maps(seed):
    generator = np.random.default_rng(seed)
    maps = {number: generator.integers(0, 8, (6, 6)).astype(np.float32) for number in range(3)}
    targets = [Target(number, 1024, 1024, generator.uniform(0, 1024, (number, 2)))
               for number in range(3)]
    base = evaluate(maps, targets).classes['finding']
    changed = evaluate({key: np.exp(value) for key, value in maps.items()}, targets)
    assert changed.metrics == pytest.approx(base.metrics, nan_ok=True)
    twice = evaluate({**maps, **{f'{key}': value for key, value in maps.items()}},
                     [*targets, *(Target(f'{target.image_id}', 1024, 1024, target.points)
                                  for target in targets)])
    assert twice.metrics == pytest.approx(base.metrics, nan_ok=True)
    normal = evaluate({**maps, 'normal': np.zeros((1, 1), np.float32) - 9},
                      [*targets, Target('normal', 1024, 1024)]).classes['finding'].froc
    # A map always has one finding at its lowest threshold, here -9, below all others.
    assert normal.fp_rate[:-1] * 4 == pytest.approx(base.froc.fp_rate * 3)


RULE_TARGETS = [Target(1, 2048, 2048, [[400, 400]], boxes=[[300, 300, 500, 500]])]


@pytest.mark.parametrize('rule, recalled, false', [
    # One finding, [400, 400, 700, 700] of the film, [200, 200, 350, 350] of the frame. Its target,
    # [150, 150, 250, 250] there, shares 50 x 50 with it: IoU 2500 / (22500 + 10000 - 2500) = 1/12.
    # Its centre (275, 275) lies outside the target, 75 sqrt(2) = 106 from the point (200, 200).
    (dict(rule='box_iou', min_iou=0.08), True, False),
    (dict(rule='box_iou', min_iou=0.09), False, True),
    (dict(rule='centre_in_box'), False, True),
    (dict(rule='distance', hit_radius=107), True, False),
    (dict(rule='distance', hit_radius=106), False, True),
    # A quarter of the disk of radius 50 covers 1963 of 22500: less than a tenth. The point is a
    # corner of the box and so in it: a hit and a false alarm in one.
    (dict(rule='disk_overlap'), True, True)])
def test_hit_rules_by_name(rule, recalled, false):
    result = evaluate([boxes_of(1, (400, 400, 700, 700, .9))], RULE_TARGETS, **rule)
    events = result.classes['finding'].events[0]
    assert events.recall_levels.tolist() == [.9 if recalled else -np.inf]
    assert events.fp_levels.tolist() == [.9] * false
    assert {key: result.settings[key] for key in rule} == rule


def test_a_rule_that_asks_for_boxes():
    with pytest.raises(ValueError, match="image 'a': the hit rule box_iou asks for target boxes"):
        evaluate(PREDICTIONS, TARGETS, rule='box_iou')
    result = evaluate([boxes_of('c')], [TARGETS[2]], rule='box_iou')  # a normal lacks none
    assert result.settings['min_iou'] == 0.5 and 'hit_radius' not in result.settings
    with pytest.raises(ValueError, match="the hit rule is 'nearest'"):
        evaluate(PREDICTIONS, TARGETS, rule='nearest')


def test_false_alarms_per_normal():
    # Of the false alarms at .7 and .6 the latter is on a positive: 1 on 2 normals, .5 a normal.
    result = evaluate(PREDICTIONS, TARGETS, fp_denominator='normals', budgets=(0.4, 0.5))
    assert result.classes['finding'].froc.fp_rate.max() == 0.5
    assert result.metrics['recall@0.4'] == pytest.approx(1 / 3)
    assert result.metrics['recall@0.5'] == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="fp_denominator is 'normals', but none of the 2 images"):
        evaluate(PREDICTIONS[:2], TARGETS[:2], fp_denominator='normals')


def test_intervals_hold_the_numbers_and_say_their_seed(tmp_path):
    generator = np.random.default_rng(0)
    targets, predictions = [], []
    for number in range(60):
        points = [[500., 500.]] if number % 3 == 0 else np.zeros((0, 2))
        targets.append(Target(number, 1024, 1024, points, group=f'patient {number // 2}'))
        corner = generator.choice([100., 480.])
        predictions.append(boxes_of(number, (corner, corner, corner + 40, corner + 40,
                                             generator.random() + (number % 3 == 0))))
    result = evaluate(predictions, targets, num_resamples=200, seed=3)
    again = evaluate(predictions, targets, num_resamples=200, seed=3)
    finding = result.classes['finding']
    assert set(finding.intervals) == set(finding.metrics)
    for name, interval in finding.intervals.items():
        assert 0 <= interval.low <= result.metrics[name] <= interval.high <= 1
        assert interval == again.classes['finding'].intervals[name]
    assert (result.settings['seed'], result.settings['num_resamples']) == (3, 200)
    record = read_record(result.write(tmp_path / 'record.json'))
    written = record.intervals['finding']['froc_score']
    assert written['low'] == finding.intervals['froc_score'].low and written['level'] == 0.95
    assert evaluate(PREDICTIONS, TARGETS).classes['finding'].intervals == {}


def test_normals_alone_have_no_interval():
    finding = evaluate([boxes_of('c'), boxes_of('d')], TARGETS[2:],
                       num_resamples=100).classes['finding']
    assert set(finding.intervals.values()) == {None}


def test_one_normal_leaves_the_auroc_without_an_interval():
    # DeLong's variance needs two patients of each kind; all else has its interval.
    finding = evaluate(PREDICTIONS[:3], TARGETS[:3], num_resamples=100).classes['finding']
    assert finding.metrics['auroc'] == .5  # of .9 and .5 against .7
    assert finding.intervals['auroc'] is None and finding.intervals['froc_score'] is not None
    assert any(note.startswith('auroc: no interval') for note in finding.notes)


def test_a_result_shows_itself_briefly():
    classes = tuple(f'finding {number}' for number in range(60))
    empty = evaluate([], TARGETS[2:3], classes=classes, missing='empty')
    for result in (evaluate(PREDICTIONS, TARGETS), empty):
        assert len(repr(result)) <= 1000 and repr(result).startswith('EvaluationResult(auroc=')
        assert len(repr(next(iter(result.classes.values())))) <= 1000
    result = evaluate(PREDICTIONS, TARGETS, classes='<b>', num_resamples=100)
    assert '4 images' in repr(result) and 'froc_score=' in repr(result)
    table = result._repr_html_()
    assert table.count('<tr>') == 8 and '&lt;b&gt;' in table and ' to ' in table
    rows = list(result.rows())
    assert [row['metric'] for row in rows] == list(result.metrics)
    assert rows[1]['threshold'] == result.classes['<b>'].thresholds[0.1]
    assert rows[-1]['low'] <= rows[-1]['value'] <= rows[-1]['high']
    assert rows[0]['threshold'] is rows[-1]['threshold'] is None


def test_a_result_as_a_frame_and_as_figures(tmp_path, monkeypatch):
    result = evaluate(PREDICTIONS, TARGETS)
    pytest.importorskip('matplotlib')
    for plot in (result.plot_froc, result.plot_roc):
        assert plot(tmp_path / f'{plot.__name__}.png').stat().st_size > 1000
    normals = evaluate([], TARGETS[2:3], missing='empty')
    for plot in (normals.plot_froc, normals.plot_roc):
        with pytest.raises(ValueError, match='no class has a curve'):
            plot(tmp_path / 'none.png')
    frames = SimpleNamespace(DataFrame=lambda rows: rows)
    monkeypatch.setitem(sys.modules, 'pandas', frames)
    assert result.to_frame() == list(result.rows())
    for name in ('pandas', 'mmwindow.visualization.curves'):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match='pip install pandas'):
        result.to_frame()
    with pytest.raises(ValueError, match=r'mmwindow\[plots\]'):
        result.plot_froc(tmp_path / 'a.png')


def test_settings_answer_as_a_dict_does():
    settings = evaluate(PREDICTIONS, TARGETS, rule='distance', budgets=(.5,)).settings
    assert settings['rule'] == 'distance' and settings['hit_radius'] == 50.
    assert dict(settings) == settings.as_dict() and 'max_overlap' not in settings
    assert settings.get('seed') is None and len(settings) == 8
    assert FROCSettings.from_record(dict(settings)) == settings
    with pytest.raises(KeyError):
        settings['colour']


def test_image_scores_of_some_images_alone_are_refused():
    """Those of the others would come from their findings: two scales in one ranking."""
    targets = [Target(1, 10, 10, points=[[5., 5.]]), Target(2, 10, 10)]
    mixed = [boxes_of(1, [4, 4, 6, 6, .3], image_scores=[.99]), boxes_of(2, [4, 4, 6, 6, .4])]
    with pytest.raises(ValueError, match='has image scores, .* has none: they would be ranked'):
        evaluate(mixed, targets)
    with pytest.raises(ValueError, match='image scores are float16'):
        evaluate([replace(mixed[0], image_scores=np.array([.99], np.float16))], targets[:1])


def test_one_patient_has_numbers_and_a_reason_in_place_of_intervals():
    targets = [Target(1, 10, 10, points=[[5., 5.]], group='p'), Target(2, 10, 10, group='p')]
    result = evaluate([boxes_of(1, [4, 4, 6, 6, .9]), boxes_of(2, [4, 4, 6, 6, .4])], targets,
                      num_resamples=100)
    entry = result.classes['finding'] if 'finding' in result.classes else next(
        iter(result.classes.values()))
    assert result.metrics['auroc'] == 1 and set(entry.intervals.values()) == {None}
    assert any('all images are of one patient' in note for note in entry.notes)


@pytest.mark.parametrize('budgets', [(.1, float('nan')), (float('nan'), .1), (.1, float('inf'))])
def test_budgets_that_are_no_numbers_are_refused(budgets):
    with pytest.raises(ValueError, match='finite FP rates'):
        FROCSettings(budgets)


def test_the_budget_that_is_there_twice_is_named():
    with pytest.raises(ValueError, match="have one name, 'recall@0.2'"):
        FROCSettings((.1, .2, .2))
