"""What leaves the pipeline: image, points, bounds, and what the metric needs."""
import copy
import pickle

import numpy as np
import torch
from mmengine.dataset import pseudo_collate

from mmwindow.datasets.transforms import PackPointInputs
from mmwindow.structures import PointBoxes
from mmwindow.structures.bounds import Bounds


def make(points=((3., 4.), (50., 6.)), **more):
    num = len(points)
    bounds = {stride: Bounds(lower=torch.full((1, 64 // stride, 64 // stride), 0.25),
                             upper=torch.full((1, 64 // stride, 64 // stride), 0.75))
              for stride in (4, 8)}
    return dict(dict(
        img=np.full((64, 64, 3), 7, np.uint8), img_id=5, img_path='a.png', ori_shape=(30, 40),
        img_shape=(64, 64), scale_factor=(1.6, 1.6), flip=True, flip_direction='horizontal',
        input_size=(64, 64), group='patient 7', ori_points=[[1.5, 2.5]], ori_point_labels=[0],
        gt_bboxes=PointBoxes([list(point) for point in points]),
        gt_bboxes_labels=np.zeros(num, np.int64), gt_ignore_flags=np.zeros(num, dtype=bool),
        gt_bounds=bounds), **more)


def test_everything_is_packed():
    packed = PackPointInputs().transform(make())
    assert packed['inputs'].shape == (3, 64, 64) and packed['inputs'].dtype == torch.uint8
    sample = packed['data_samples']
    assert isinstance(sample.gt_instances.bboxes, PointBoxes)
    assert sample.gt_instances.bboxes.tensor.tolist() == [[3, 4], [50, 6]]
    assert sample.gt_instances.labels.tolist() == [0, 0]
    assert sorted(sample.gt_bounds.keys()) == ['stride4', 'stride8']
    assert sample.gt_bounds.stride8.lower.shape == (1, 8, 8)
    assert (sample.gt_bounds.stride4.lower == 0.25).all()
    assert (sample.gt_bounds.stride4.upper == 0.75).all()
    assert sample.img_id == 5 and sample.group == 'patient 7' and sample.input_size == (64, 64)
    assert sample.ori_points == [[1.5, 2.5]] and sample.ori_point_labels == [0]
    assert sample.ori_shape == (30, 40) and sample.scale_factor == (1.6, 1.6)
    assert sample.flip_direction == 'horizontal'


def test_a_normal():
    packed = PackPointInputs().transform(make((), ori_points=[], ori_point_labels=[]))
    sample = packed['data_samples']
    assert sample.gt_instances.bboxes.tensor.shape == (0, 2) and len(sample.gt_instances) == 0
    assert sample.ori_points == [] and 'gt_bounds' in sample


def test_in_testing_there_are_no_points_and_no_bounds():
    results = {key: value for key, value in make().items() if not key.startswith('gt_')}
    sample = PackPointInputs().transform(results)['data_samples']
    assert 'gt_bounds' not in sample
    assert sample.ori_points == [[1.5, 2.5]]  # the metric still has what it needs


def test_bounds_travel_to_another_process_and_another_type():
    packed = pickle.loads(pickle.dumps(PackPointInputs().transform(make())))
    batch = pseudo_collate([packed, copy.deepcopy(packed)])
    assert len(batch['inputs']) == len(batch['data_samples']) == 2
    moved = batch['data_samples'][0].to('cpu', torch.float64)
    assert moved.gt_bounds.stride4.lower.dtype == torch.float64


def test_meta_keys_can_be_chosen():
    sample = PackPointInputs(meta_keys=['img_id']).transform(make())['data_samples']
    assert sample.metainfo_keys() == ['img_id']


def test_the_ignored_are_set_apart():
    results = make(gt_ignore_flags=np.array([False, True]))
    sample = PackPointInputs().transform(results)['data_samples']
    assert sample.gt_instances.bboxes.tensor.tolist() == [[3, 4]]
    assert sample.ignored_instances.bboxes.tensor.tolist() == [[50, 6]]


def test_it_says_what_it_packs():
    assert 'ori_points' in repr(PackPointInputs())
