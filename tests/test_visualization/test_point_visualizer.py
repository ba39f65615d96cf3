"""The registered visualizer: what it paints lies on the pixels it belongs to."""
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import VISUALIZERS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.registry import init_default_scope
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from PIL import Image

import mmwindow  # noqa: F401  (registers the visualizer)
from mmwindow.evaluation.hit_rules import make_hit_rule
from mmwindow.structures import PointBoxes
from mmwindow.structures.bounds import point_bounds
from mmwindow.visualization.overlay import COLOURS
from mmwindow.visualization.point_visualizer import (
    PointVisualizationHook,
    PointVisualizer,
    stored_pixels,
)

HEIGHT, WIDTH = 60, 100


def make_prediction(path='film.png', points=((30.5, 20.5), (80.5, 40.5)), scores=None, **predicted):
    """Return a prediction of two points, the first of which lies in the only finding."""
    if scores is None:
        scores = torch.zeros(1, 25, 25)           # cells of 4 pixels of the image
        scores[0, 4:6, 6:9] = 0.9                 # x 24 to 36, y 16 to 24
    sample = DetDataSample(metainfo=dict(
        img_id=1, img_path=str(path), ori_shape=(HEIGHT, WIDTH), img_shape=(100, 100),
        scale_factor=(1., 1.), ori_points=[list(point) for point in points],
        ori_point_labels=[0] * len(points)))
    sample.pred_instances = InstanceData(bboxes=torch.zeros(0, 4), scores=torch.zeros(0),
                                         labels=torch.zeros(0, dtype=torch.long), **predicted)
    sample.pred_heatmap = PixelData(scores=scores)
    return sample


def paint(sample, image=None, bit_depth=None, **options):
    visualizer = PointVisualizer(rule='disk_overlap', bit_depth=bit_depth)
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8) if image is None else image
    visualizer.add_datasample('film', image, sample, pred_score_thr=0.5, **options)
    return visualizer.get_image()


def shows(picture, name):
    return bool((picture == COLOURS[name]).all(axis=2).any())


def test_a_negative_image_without_findings_stays_as_it_is():
    assert (paint(make_prediction(points=(), scores=torch.zeros(1, 25, 25))) == 90).all()


def test_points_and_findings_are_painted_by_their_outcome():
    picture = paint(make_prediction())
    assert tuple(picture[20, 30]) == COLOURS['found']
    assert tuple(picture[40, 80]) == COLOURS['missed']
    assert tuple(picture[16, 25]) == COLOURS['finding']     # a corner of the box, a hit
    assert not shows(picture, 'false_positive')
    alone = paint(make_prediction(points=[(80.5, 40.5)]))
    assert shows(alone, 'false_positive') and not shows(alone, 'finding')


def test_without_the_rule_nothing_is_judged():
    visualizer = PointVisualizer()
    visualizer.add_datasample('film', np.full((HEIGHT, WIDTH, 3), 90, np.uint8), make_prediction(),
                              pred_score_thr=0.5)
    assert not shows(visualizer.get_image(), 'missed') and shows(visualizer.get_image(), 'found')


def test_the_rule_is_the_metrics():
    visualizer = PointVisualizer()
    hook = PointVisualizationHook.__new__(PointVisualizationHook)
    hook._visualizer, hook.test_out_dir = visualizer, None
    rule = make_hit_rule('distance', hit_radius=20)
    metrics = [SimpleNamespace(), SimpleNamespace(rule=rule)]
    hook.before_val(SimpleNamespace(
        val_evaluator=SimpleNamespace(metrics=metrics), cfg=dict(tta_pipeline=[dict(
            type='LoadImageFromFile', backend_args=dict(bit_depth=12))])))
    assert visualizer.rule == rule and visualizer.bit_depth == 12
    visualizer.add_datasample('film', np.full((HEIGHT, WIDTH, 3), 90, np.uint8), make_prediction(
        points=[(34.5, 20.5)]), pred_score_thr=0.5)
    # In the box, but 4.5 pixels from its centre: 46 of the frame, which the rule's radius excludes.
    assert shows(visualizer.get_image(), 'missed')


def test_findings_of_several_classes():
    scores = torch.zeros(2, 25, 25)
    scores[0, 4:6, 6:9] = scores[1, 9:11, 19:22] = 0.9
    sample = make_prediction(scores=scores)
    sample.set_metainfo(dict(ori_point_labels=[0, 1]))
    picture = paint(sample)
    assert shows(picture, 'found') and not shows(picture, 'missed')
    sample.set_metainfo(dict(ori_point_labels=[1, 0]))      # each in the other one's finding
    picture = paint(sample)
    assert shows(picture, 'missed') and not shows(picture, 'found')


def test_boxes_of_a_box_detector():
    sample = make_prediction()
    del sample.pred_heatmap
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([[24., 16, 36, 24], [60, 4, 70, 14]]), scores=torch.tensor([.9, .4]),
        labels=torch.tensor([0, 0]))
    picture = paint(sample)
    assert tuple(picture[16, 25]) == COLOURS['finding'] and (picture[4, 60:71] == 90).all()


# Pixels.

def test_an_image_that_mmcv_would_turn_is_painted_as_it_is_stored(tmp_path):
    pixels = np.full((HEIGHT, WIDTH), 20, np.uint8)
    pixels[10:30, 20:40] = 200
    exif = Image.Exif()
    exif[0x0112] = 6                                        # to be turned by a right angle
    Image.fromarray(pixels).save(tmp_path / 'turned.jpg', exif=exif, quality=100)
    turned = cv2.imread(str(tmp_path / 'turned.jpg'))
    assert turned.shape[:2] == (WIDTH, HEIGHT)
    picture = paint(make_prediction(tmp_path / 'turned.jpg', points=[(30.5, 20.5)],
                                    scores=torch.zeros(1, 25, 25)), turned)
    assert picture.shape == (HEIGHT, WIDTH, 3) and picture[12, 22].min() > 190
    assert tuple(picture[20, 30]) == COLOURS['missed']


def test_twelve_bits_are_not_black(tmp_path):
    cv2.imwrite(str(tmp_path / 'deep.png'), np.full((HEIGHT, WIDTH), 4095, np.uint16))
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)          # what the upper eight bits show
    sample = make_prediction(tmp_path / 'deep.png', (), torch.zeros(1, 25, 25))
    assert (paint(sample, black, bit_depth=12) == 255).all()


def test_another_image_is_rejected():
    with pytest.raises(ValueError, match=r'gone.png: .*\(50, 100\).*was made on \(60, 100\)'):
        stored_pixels(np.zeros((50, 100, 3)), dict(img_path='gone.png', ori_shape=(60, 100)))


# Training samples.

def training_sample(targets):
    sample = DetDataSample(metainfo=dict(img_path='film.png'))
    sample.gt_instances = InstanceData(bboxes=targets, labels=torch.zeros(len(targets)).long())
    return sample


def test_points_and_bounds_of_a_training_sample():
    points = torch.tensor([[40., 32.]])
    sample = training_sample(PointBoxes(points))
    bounds = point_bounds(points, torch.zeros(1).long(), 1, 16, 16, 4, 8., 20., 1.)
    sample.gt_bounds = BaseDataElement(stride4=PixelData(lower=bounds.lower, upper=bounds.upper))
    picture = paint(sample, np.full((64, 64, 3), 90, np.uint8), draw_pred=False)
    assert tuple(picture[31, 39]) == COLOURS['found']
    for name, radius in (('lower', 8), ('upper', 20)):
        rows, columns = np.nonzero((picture == COLOURS[name]).all(axis=2))
        away = np.hypot(columns + .5 - 40, rows + .5 - 32)
        on_contour = np.abs(away - radius) < 2.5
        assert on_contour.sum() > 3 * radius


def test_a_negative_training_sample_and_pseudo_boxes():
    image = np.full((64, 64, 3), 90, np.uint8)
    empty = training_sample(PointBoxes(torch.zeros(0, 2)))
    assert (paint(empty, image, draw_pred=False) == 90).all()
    boxes = training_sample(HorizontalBoxes(torch.tensor([[10., 10., 40., 50.]])))
    boxes.set_metainfo(dict(ori_points=[[1., 1.]]))
    picture = paint(boxes, image, draw_pred=False)
    assert tuple(picture[10, 20]) == COLOURS['finding'] and shows(picture, 'found')


# As MMDetection uses it.

def test_it_is_registered_and_images_of_one_name_do_not_overwrite_each_other(tmp_path):
    init_default_scope('mmdet')
    visualizer = VISUALIZERS.build(dict(type='PointVisualizer', name='of this test'))
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for path in ('a/film.tif', 'b/film.tif', 'a/film.tif'):
        visualizer.add_datasample('film', image, make_prediction(path),
                                  out_file=str(tmp_path / 'film.tif'))
    assert sorted(path.name for path in tmp_path.iterdir()) == ['film.tif.png', 'film.tif_2.png']


def test_samples_without_points_are_painted_by_mmdet():
    sample = DetDataSample(metainfo=dict(ori_shape=(HEIGHT, WIDTH)))
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([[10., 10., 40., 50.]]), scores=torch.ones(1),
        labels=torch.zeros(1).int())
    picture = paint(sample)
    assert (picture != 90).any() and not shows(picture, 'finding')
