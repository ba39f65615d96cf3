"""What a training's validations paint: the same images each time, and curves, to every backend."""
import importlib.util
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData

import mmwindow  # noqa: F401  (registers the visualizer)
from mmwindow.evaluation.froc_metric import FROCMetric
from mmwindow.visualization import visualization_hook
from mmwindow.visualization.overlay import COLOURS
from mmwindow.visualization.point_visualizer import PointVisualizer
from mmwindow.visualization.visualization_hook import PointVisualizationHook

SIDE = 80


@pytest.fixture
def samples(tmp_path):
    """Return eight predicted images: the even ones have a point, which is found."""
    made = []
    for number in range(8):
        path = tmp_path / f'image_{number}.png'
        cv2.imwrite(str(path), np.full((SIDE, SIDE), 90, np.uint8))
        points = [[30.5, 20.5]] if number % 2 == 0 else []
        scores = torch.zeros(1, 20, 20)  # cells of 4 pixels
        scores[0, 4:6, 6:9] = 0.9 - .01 * number if points else 0.2 + .01 * number
        sample = DetDataSample(metainfo=dict(
            img_id=number, img_path=str(path), ori_shape=(SIDE, SIDE), img_shape=(SIDE, SIDE),
            scale_factor=(1., 1.), ori_points=points, ori_point_labels=[0] * len(points)))
        sample.pred_instances = InstanceData(bboxes=torch.zeros(0, 4), scores=torch.zeros(0),
                                             labels=torch.zeros(0, dtype=torch.long))
        sample.pred_heatmap = PixelData(scores=scores)
        made.append(sample)
    return made


def make_hook(tmp_path, backends, **options):
    visualizer = PointVisualizer.get_instance(
        f'visualizer {tmp_path}', vis_backends=backends, save_dir=str(tmp_path))
    hook = PointVisualizationHook(score_thr=0.5, **options)
    hook._visualizer = visualizer
    return hook


def validate(hook, samples, epoch, is_training=True):
    """Run a validation in batches of two, as the runner does."""
    metric = FROCMetric()
    metric.dataset_meta = dict(classes=['fracture'])
    runner = SimpleNamespace(epoch=epoch, iter=10 * epoch, cfg={}, val_evaluator=SimpleNamespace(
        metrics=[metric]))
    if is_training and epoch == 1:
        hook.before_train(runner)
    hook.before_val(runner)
    for number in range(0, len(samples), 2):
        batch = samples[number:number + 2]
        hook.after_val_iter(runner, number // 2, None, batch)
        metric.process(None, [sample.to_dict() for sample in batch])
    hook.after_val_epoch(runner, metric.evaluate(len(samples)))
    return metric


def pictures(tmp_path):
    return sorted(path.name for path in tmp_path.rglob('vis_image/*.png'))


def test_each_validation_paints_the_same_images_and_the_curves(tmp_path, samples):
    hook = make_hook(tmp_path, [dict(type='LocalVisBackend')], num_images=3)
    for epoch in (1, 2):
        validate(hook, samples, epoch)
    # The first two images with a point, the first without, the two curves; twice.
    assert pictures(tmp_path) == sorted(
        f'val_{name}_{epoch}.png' for epoch in (1, 2)
        for name in ('0_image_0', '1_image_1', '2_image_2', 'froc', 'roc'))
    path = next(tmp_path.rglob('val_0_image_0_1.png'))
    picture = cv2.imread(str(path))[..., ::-1]
    assert picture.shape == (SIDE, SIDE, 3) and tuple(picture[20, 30]) == COLOURS['found']
    assert cv2.imread(str(next(tmp_path.rglob('val_froc_1.png')))).shape[0] > 300
    # The order of the images does not choose others later.
    validate(hook, samples[::-1], 3)
    assert [name for name in pictures(tmp_path) if name.endswith('_3.png')] == [
        'val_0_image_0_3.png', 'val_1_image_1_3.png', 'val_2_image_2_3.png', 'val_froc_3.png',
        'val_roc_3.png']


def test_the_rule_is_that_of_froc_metric(tmp_path, samples):
    """FROCMetric keeps its rule in its settings; outcomes are painted by it."""
    hook = make_hook(tmp_path, [dict(type='LocalVisBackend')], num_images=1)
    metric = validate(hook, samples, 1)
    assert hook._visualizer.rule == metric.settings.rule


@pytest.mark.parametrize('options, is_training, expected', [
    (dict(num_images=0), True, 0), ({}, True, 0), (dict(num_images=2), False, 0),
    (dict(num_images=2, watch_interval=2), True, 4)])
def test_nothing_is_painted_where_nothing_is_asked_for(options, is_training, expected, tmp_path,
                                                       samples):
    """By default only where there is another backend than files; never in a validation alone."""
    hook = make_hook(tmp_path, [dict(type='LocalVisBackend')], **options)
    for epoch in (1, 2):
        validate(hook, samples, epoch, is_training)
    assert len(pictures(tmp_path)) == expected


def test_images_without_points_and_one_kind_of_image(tmp_path, samples):
    """No FROC without a point and no ROC of one kind of image; negative images are painted."""
    hook = make_hook(tmp_path, [dict(type='LocalVisBackend')], num_images=3)
    validate(hook, samples[1::2], 1)
    assert pictures(tmp_path) == ['val_0_image_1_1.png']


def test_large_images_are_shrunk(tmp_path, samples, monkeypatch):
    monkeypatch.setattr(visualization_hook, 'WATCH_SIDE', 40)
    hook = make_hook(tmp_path, [dict(type='LocalVisBackend')], num_images=1)
    validate(hook, samples, 1)
    assert cv2.imread(str(next(tmp_path.rglob('val_0_*.png')))).shape == (40, 40, 3)


def test_numbers_that_make_no_sense_are_named(tmp_path):
    for options in (dict(num_images=-1), dict(num_images='all'), dict(watch_interval=0)):
        with pytest.raises(ValueError, match=next(iter(options))):
            PointVisualizationHook(**options)


def test_tensorboard_gets_the_images_and_the_curves(tmp_path, samples):
    """One line of config, the backend, is enough: the number of images is then 6."""
    if importlib.util.find_spec('tensorboard') is None:
        pytest.skip('tensorboard is not installed (requirements/tracking.txt)')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    hook = make_hook(tmp_path, [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')])
    for epoch in (1, 2):
        validate(hook, samples, epoch)
    hook._visualizer.close()
    events = EventAccumulator(str(next(tmp_path.rglob('events.*')).parent))
    events.Reload()
    assert sorted(events.Tags()['images']) == sorted([
        *(f'val_{number}_image_{number}' for number in range(5)), 'val_5_image_6', 'val_froc',
        'val_roc'])
    assert [one.step for one in events.Images('val_froc')] == [1, 2]
