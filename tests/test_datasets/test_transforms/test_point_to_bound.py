"""Bounds of every level, with lengths brought to the network's frame."""
import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes

from mmwindow.datasets.transforms import PointToBoundTransform
from mmwindow.structures import PointBoxes
from mmwindow.structures.bounds import point_bounds

WINDOW = dict(lower_radius=50, upper_radius=200, softness=2)  # pixels of a frame of side 1024


def make(points=((100., 40.), (30., 60.)), labels=None, **more):
    labels = [0] * len(points) if labels is None else labels
    return dict(dict(
        img_shape=(256, 256), gt_bboxes=PointBoxes([list(point) for point in points]),
        gt_bboxes_labels=np.array(labels, dtype=np.int64), input_size=(256, 256)), **more)


def transform(sample, **options):
    return PointToBoundTransform(**{'num_classes': 1, **options}).transform(sample)


def test_every_level_has_bounds_of_scaled_lengths():
    results = transform(make())
    assert list(results['gt_bounds']) == [4, 8, 16, 32]
    for stride, level in results['gt_bounds'].items():
        # At side 256 a length of 1024 is a quarter: 50, 200 and 2 are 12.5, 50 and 0.5 pixels.
        expected = point_bounds(
            torch.tensor([[100., 40.], [30., 60.]]), torch.tensor([0, 0]), 1, 256 // stride,
            256 // stride, stride, lower_radius=12.5, upper_radius=50., softness=0.5)
        assert level.lower.shape == level.upper.shape == (1, 256 // stride, 256 // stride)
        assert torch.equal(level.lower, expected.lower)
        assert torch.equal(level.upper, expected.upper)


def test_the_maximum_lies_at_the_point():
    # Cell (9, 24) of stride 4 has its centre at (98, 38), nearest to (98.4, 37.8).
    # Softer than the paper's, so that the lower bound is below 1.0.
    results = transform(make([[98.4, 37.8]]), softness=10)
    bounds = results['gt_bounds'][4]
    assert divmod(int(bounds.lower.argmax()), 64) == (9, 24)
    assert bounds.upper[0, 9, 24] == bounds.upper.max()  # which is 1.0 around


def test_a_normal_has_bounds_of_zero():
    results = transform(make([]), num_classes=2)
    for stride, level in results['gt_bounds'].items():
        assert level.lower.shape == (2, 256 // stride, 256 // stride)
        assert not level.lower.any() and not level.upper.any()


def test_own_numbers_are_scaled_by_the_longer_side():
    results = transform(
        make([[60., 60.]], labels=[2], input_size=(256, 512), img_shape=(256, 512)),
        lower_radius=20, upper_radius=40, softness=0, strides=[8], num_classes=3)
    assert list(results['gt_bounds']) == [8]
    bounds = results['gt_bounds'][8]
    assert bounds.lower.shape == (3, 32, 64)
    # Radii of 10 and 20 pixels about (60, 60), which is a cell's centre: within 10 it and its four
    # neighbours at 8; within 20 those of 0, 8, 11.3, 16 and 17.9: 1 + 4 + 4 + 4 + 8 = 21.
    assert bounds.lower.sum(dim=(1, 2)).tolist() == [0, 0, 5]
    assert bounds.upper.sum(dim=(1, 2)).tolist() == [0, 0, 21]


def test_partly_own_numbers():
    results = transform(make(), lower_radius=200)
    assert torch.equal(results['gt_bounds'][4].lower, results['gt_bounds'][4].upper)


def test_what_came_in_is_as_it_was():
    sample = make()
    transform(sample)
    assert sample['input_size'] == (256, 256)
    assert sample['gt_bboxes'].tensor.tolist() == [[100, 40], [30, 60]]


@pytest.mark.parametrize('boxes', [None, HorizontalBoxes(torch.zeros(1, 4))])
def test_boxes_are_refused(boxes):
    with pytest.raises(ValueError, match="points are needed: .*box_type='point'"):
        transform(make(gt_bboxes=boxes))


@pytest.mark.parametrize('change, says', [
    (dict(input_size=None), 'the sample has no input_size; put ResizeToInput'),
    (dict(img_shape=(240, 200)), 'the image is 200 x 240, the input 256 x 256 .*; put PadToInput'),
    (dict(img_shape=(240, 200), input_size=(240, 200)),
     'the image is 200 x 240, no multiple of stride 16; choose input_size'),
    (dict(gt_bboxes_labels=np.array([0, 1])), 'labels go from 0 to 0')])
def test_what_is_missing_or_wrong_is_told(change, says):
    with pytest.raises(ValueError, match=says):
        transform(make(**change))


def test_the_number_of_classes_is_the_data_sets():
    with pytest.raises(ValueError, match='num_classes is not known; CocoPointDataset sets it'):
        PointToBoundTransform().transform(make())


@pytest.mark.parametrize('options, says', [
    (dict(WINDOW, lower_radius=201), 'lower_radius 201 is larger than upper_radius 200'),
    (dict(WINDOW, softness=-1), 'softness is -1'), (dict(strides=()), r'strides are \(\)'),
    (dict(strides=(4, 0)), r'strides are \(4, 0\); expected one or more positive')])
def test_a_bad_config_is_refused_when_it_is_built(options, says):
    with pytest.raises(ValueError, match=says):
        PointToBoundTransform(**options)
