"""From which score on something is called, and what findings that gives."""
import numpy as np
import pytest

from mmwindow.apis.thresholds import (
    MAX_FINDINGS,
    choose_thresholds,
    find_findings,
    without_map,
)
from mmwindow.structures.image_prediction import ImagePrediction
from mmwindow.utils.operating_points import (
    ClassOperatingPoints,
    ModelOperatingPoints,
    OperatingPoint,
)
from mmwindow.visualization.examples import find_boxes


def predict_map(heatmap, image_size, classes=('a',)):
    heatmap = np.asarray(heatmap, np.float32)
    return ImagePrediction('image', classes, image_size, heatmap.max(axis=(1, 2)), np.zeros((0, 4)),
                           np.zeros(0), np.zeros(0, int), heatmap)


def point(threshold, rule='youden', target=None):
    return OperatingPoint(threshold, rule, target, True, 'all', {}, 90)


def points(**classes):
    return ModelOperatingPoints(classes, 'val', 90, 80)


def test_components_of_each_class_at_its_own_threshold():
    """Cells of an 8 x 4 map over an image of 40 x 80 pixels are 10 pixels long."""
    heatmap = np.zeros((2, 8, 8))
    heatmap[0, 1, 1:3] = .6, .9
    heatmap[0, 2, 3] = .5              # joined at a corner, above .4 only
    heatmap[1, 0, 7] = .45
    stored = points(a=ClassOperatingPoints(point(.4), point(.4)),
                    b=ClassOperatingPoints(point(.5), point(.5)))
    prediction = predict_map(heatmap, (40, 80), ('a', 'b'))
    found = find_findings(prediction, choose_thresholds(('a', 'b'), stored))
    assert found.boxes.tolist() == [[10, 10, 40, 30]] and found.labels.tolist() == [0]
    assert found.peaks.tolist() == [[25, 15]] and found.scores.tolist() == [np.float32(.9)]
    both = find_findings(prediction, choose_thresholds(('a', 'b'), None, .45))
    assert both.boxes.tolist() == [[10, 10, 40, 30], [70, 0, 80, 10]]
    assert both.labels.tolist() == [0, 1]
    with pytest.raises(ValueError, match='of the classes'):
        find_findings(prediction, choose_thresholds(('b', 'a')))


def test_boxes_are_those_of_the_metrics_pictures_and_padding_holds_none():
    """Against the function that pictures use, on random maps; padding is left out."""
    generator = np.random.default_rng(0)
    for size in ((37, 81), (81, 37), (50, 50), (1, 1)):
        heatmap = generator.random((1, 16, 16))
        found = find_findings(predict_map(heatmap, size), choose_thresholds(('a',), None, .8))
        expected = find_boxes(heatmap[0], .8, size).clip(0, [size[1], size[0]] * 2)
        expected = expected[(expected[:, 2:] > expected[:, :2]).all(axis=1)]
        assert np.allclose(sorted(found.boxes.tolist()), sorted(expected.tolist()))
        assert (np.diff(found.scores) <= 0).all()
    padding = np.zeros((1, 8, 8))
    padding[0, 6, 3] = .9
    assert not len(find_findings(predict_map(padding, (40, 80)), choose_thresholds(('a',))).boxes)


def test_boxes_of_a_detector_and_a_negative_image():
    prediction = ImagePrediction(
        'image', ('a', 'b'), (50, 60), np.array([.9, .3]), np.array([[0., 0, 70, 20], [5, 5, 9, 9],
                                                                     [1, 1, 2, 2]]),
        np.array([.9, .3, .6]), np.array([0, 1, 0]), peaks=np.array([[30., 10], [7, 7], [1.5, 1.5]]))
    found = find_findings(prediction, choose_thresholds(('a', 'b'), None, .6))
    assert found.boxes.tolist() == [[0, 0, 60, 20], [1, 1, 2, 2]]  # clipped; equal scores are called
    nothing = find_findings(prediction, choose_thresholds(('a', 'b'), None, 1.))
    assert [values.shape for values in nothing] == [(0, 4), (0, 2), (0,), (0,)]
    empty = predict_map(np.zeros((1, 4, 4)), (10, 10))
    assert not len(find_findings(empty, choose_thresholds(('a',))).scores)
    assert len(find_findings(empty, choose_thresholds(('a',), None, 0.)).scores) == 1
    assert without_map(empty).heatmap is None


def test_the_best_findings_are_kept():
    heatmap = np.zeros((1, 64, 64))
    heatmap[0, ::2, ::2] = .5 + np.arange(32 * 32).reshape(32, 32) / 4096
    found = find_findings(predict_map(heatmap, (64, 64)), choose_thresholds(('a',), None, .5))
    assert len(found.scores) == MAX_FINDINGS and found.scores[0] == np.float32(.5 + 1023 / 4096)


def test_thresholds_say_where_they_come_from():
    stored = points(a=ClassOperatingPoints(point(.3), point(.6, 'fp_budget', .1)),
                    b=ClassOperatingPoints(reasons={'images': 'too few patients'}))
    limits = choose_thresholds(('a', 'b'), stored)
    assert limits.images == (.3, .5) and limits.findings == (.6, .5) and not limits.is_stored
    first, second = limits.describe()
    assert first.startswith('a: 0.3 of image scores, 0.6 of findings') and '90 images (val)' in first
    assert second == 'b: 0.5 (the model has no operating point: too few patients)'
    asked = choose_thresholds(('a', 'b'), stored, 1)
    assert asked.describe() == ['1 (as asked for)'] and asked.findings == (1., 1.)
    assert [entry['class'] for entry in asked.to_json()] == ['a', 'b']
    # Only one level is stored: the other one is 0.5, and said.
    half = choose_thresholds(('a',), points(a=ClassOperatingPoints(images=point(.3))))
    assert half.findings == (.5,) and 'no operating point of findings' in half.describe()[0]
    for value in (-.1, 1.1, float('nan'), True, '0.5'):
        with pytest.raises(ValueError, match='a score from 0 to 1 is expected'):
            choose_thresholds(('a',), None, value)
