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
        gt_bboxes_labels=np.array(labels, dtype=np.int64), input_side=256, window=dict(WINDOW),
        num_classes=1), **more)


def test_every_level_has_bounds_of_scaled_lengths():
    results = PointToBoundTransform().transform(make())
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
    window = dict(WINDOW, softness=10)  # softer, so that the lower bound is below 1.0
    results = PointToBoundTransform().transform(make([[98.4, 37.8]], window=window))
    bounds = results['gt_bounds'][4]
    assert divmod(int(bounds.lower.argmax()), 64) == (9, 24)
    assert bounds.upper[0, 9, 24] == bounds.upper.max()  # which is 1.0 around


def test_a_normal_has_bounds_of_zero():
    results = PointToBoundTransform().transform(make([], num_classes=2))
    for stride, level in results['gt_bounds'].items():
        assert level.lower.shape == (2, 256 // stride, 256 // stride)
        assert not level.lower.any() and not level.upper.any()


def test_own_numbers_come_before_the_data_sets():
    own = PointToBoundTransform(lower_radius=20, upper_radius=40, softness=0, strides=[8],
                                num_classes=3, input_side=512)
    results = own.transform(make([[60., 60.]], labels=[2]))
    assert list(results['gt_bounds']) == [8]
    bounds = results['gt_bounds'][8]
    # Radii of 10 and 20 pixels about (60, 60), which is a cell's centre: within 10 it and its four
    # neighbours at 8; within 20 those of 0, 8, 11.3, 16 and 17.9: 1 + 4 + 4 + 4 + 8 = 21.
    assert bounds.lower.sum(dim=(1, 2)).tolist() == [0, 0, 5]
    assert bounds.upper.sum(dim=(1, 2)).tolist() == [0, 0, 21]


def test_partly_own_numbers():
    results = PointToBoundTransform(lower_radius=200).transform(make())
    assert torch.equal(results['gt_bounds'][4].lower, results['gt_bounds'][4].upper)


def test_what_came_in_is_as_it_was():
    sample = make()
    PointToBoundTransform().transform(sample)
    assert sample['window'] == WINDOW
    assert sample['gt_bboxes'].tensor.tolist() == [[100, 40], [30, 60]]


@pytest.mark.parametrize('boxes', [None, HorizontalBoxes(torch.zeros(1, 4))])
def test_boxes_are_refused(boxes):
    with pytest.raises(ValueError, match="points are needed: .*box_type='point'"):
        PointToBoundTransform().transform(make(gt_bboxes=boxes))


@pytest.mark.parametrize('change, says', [
    (dict(window=None), 'no lower_radius; give it to CocoPointDataset'),
    (dict(window=dict(lower_radius=1, upper_radius=2)), 'no softness'),
    (dict(input_side=None), 'no input_side'), (dict(num_classes=None), 'no num_classes'),
    (dict(img_shape=(240, 200)), 'the image is 200 x 240, no multiple of stride 16; put PadToInput'),
    (dict(window=dict(WINDOW, lower_radius=300)), 'is larger than upper_radius'),
    (dict(gt_bboxes_labels=np.array([0, 1])), 'labels go from 0 to 0')])
def test_what_is_missing_or_wrong_is_told(change, says):
    with pytest.raises(ValueError, match=says):
        PointToBoundTransform().transform(make(**change))


@pytest.mark.parametrize('options, says', [
    (dict(WINDOW, lower_radius=201), 'lower_radius 201 is larger than upper_radius 200'),
    (dict(WINDOW, softness=-1), 'softness is -1'), (dict(strides=()), r'strides are \(\)'),
    (dict(strides=(4, 0)), r'strides are \(4, 0\); expected one or more positive'),
    (dict(input_side=1.5), 'input_side is 1.5')])
def test_a_bad_config_is_refused_when_it_is_built(options, says):
    with pytest.raises(ValueError, match=says):
        PointToBoundTransform(**options)
