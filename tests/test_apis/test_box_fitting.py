"""Anchors and ranges that fit pseudo-boxes, measured on the priors that mmdet builds of a config."""
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.models.dense_heads import FCOSHead
from mmdet.registry import TASK_UTILS
from mmdet.structures.bbox import bbox_overlaps
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from mmwindow.apis.box_fitting import anchors_of_one_size, ranges_of_one_size
from mmwindow.apis.config import load_config
from mmwindow.utils.config_pipelines import check_applied

CONFIGS = Path(__file__).parents[2] / 'configs'
RETINANET, FASTER, FCOS = (f'{name}/{name}_lite0_fpn_fracatlas.py'
                           for name in ('retinanet', 'faster_rcnn', 'fcos'))


def load(path, **options):
    init_default_scope('mmdet')
    return load_config(CONFIGS / path, cfg_options=options)


def boxes_of(points, side):
    centres = torch.tensor(points, dtype=torch.float32).reshape(-1, 2)
    return torch.cat([centres - side / 2, centres + side / 2], dim=1)


def best_overlaps(generator, side, frame):
    """Return the IoU of each pseudo-box with its best anchor, for points anywhere in the frame."""
    built = TASK_UTILS.build(generator)
    sizes = [(math.ceil(frame / stride), math.ceil(frame / stride)) for stride, _ in built.strides]
    anchors = torch.cat(built.grid_priors(sizes, device='cpu'))
    points = np.random.default_rng(0).uniform(0, frame, (150, 2))
    points[:4] = [[0, 0], [frame - .01] * 2, [0, frame - .01], [frame / 2, frame / 2]]
    return bbox_overlaps(boxes_of(points, side), anchors).amax(dim=1)


@pytest.mark.parametrize('path, head', [(RETINANET, 'bbox_head'), (FASTER, 'rpn_head'), (
    'retinanet/ablations/retinanet_lite0_fpn_image_fracatlas.py', 'bbox_head')])
def test_every_pseudo_box_has_an_anchor_that_fits(path, head):
    fitted = load(path)
    assert 'fit_boxes' not in fitted
    # 200 of 1024 pixels are 75 of 384. At stride 8 an anchor's centre is at most 4 away on each axis:
    # 71 x 71 of two times 75 x 75 - 71 x 71, .812; at stride 4 2 away, .900.
    worst = {'rpn_head': .900, 'bbox_head': .812}[head]
    overlaps = best_overlaps(fitted.model[head].anchor_generator, 75, 384)
    assert worst - .001 < overlaps.min() < worst + .04
    plain = best_overlaps(load(path, fit_boxes=False).model[head].anchor_generator, 75, 384)
    assert plain.min() < .75


def test_anchors_follow_input_size_and_size_of_boxes():
    for options, side in (({'input_size': 512}, 100), ({'input_size': (256, 512)}, 100),
                          ({'pipeline.PointsToPseudoBoxes.size': 100}, 37.5)):
        generator = load(RETINANET, fit_boxes=True, **options).model.bbox_head.anchor_generator
        assert generator.base_sizes == [side] * 5


def test_anchors_worked_by_hand():
    generator = TASK_UTILS.build(anchors_of_one_size(10, [8, 16]))
    priors = generator.grid_priors([(1, 2), (1, 1)], device='cpu')
    assert priors[0].tolist() == [[-1, -1, 9, 9], [7, -1, 17, 9]]  # around (4, 4) and (12, 4)
    assert priors[1].tolist() == [[3, 3, 13, 13]]                  # around (8, 8)


def levels_of(cfg, *points):
    """Return at how many cells of each level FCOS learns the pseudo-boxes of points."""
    head = cfg.model.bbox_head
    head = FCOSHead(1, 32, feat_channels=32, strides=head.strides, regress_ranges=head.get(
        'regress_ranges', ((-1, 64), (64, 128), (128, 256), (256, 512), (512, 1e8))))
    sizes = [(math.ceil(384 / stride), ) * 2 for stride in head.strides]
    cells = head.prior_generator.grid_priors(sizes, dtype=torch.float32, device='cpu')
    labels, _ = head.get_targets(cells, [InstanceData(
        bboxes=boxes_of(points, 75), labels=torch.zeros(len(points), dtype=torch.long))])
    return [int((level == 0).sum()) for level in labels]


def test_a_pseudo_box_is_learnt_at_one_level_of_fcos():
    fitted, plain = load(FCOS), load(FCOS, fit_boxes=False)
    assert levels_of(fitted) == levels_of(plain) == [0] * 5  # a negative image
    # Of 75 pixels: 9 or 10 cells of 8 pixels along each axis.
    found = levels_of(fitted, [190.3, 200.9])
    assert 81 <= found[0] <= 100 and found[1:] == [0, 0, 0, 0]
    assert min(levels_of(plain, [190.3, 200.9])[:2]) > 0
    assert ranges_of_one_size(75, 3) == ((-1, 75), (75, 150), (150, 1e8))


@pytest.mark.parametrize('path', [RETINANET, FCOS])
def test_what_is_written_into_a_run_folder_is_read_back(path):
    cfg = load(path, fit_boxes=True)
    again = Config.fromstring(cfg.pretty_text, '.py')
    assert again.model.to_dict() == cfg.model.to_dict()


@pytest.mark.parametrize('data', ['', '_synthetic', '_fracatlas'])
@pytest.mark.parametrize('system', ['retinanet', 'faster_rcnn', 'fcos'])
def test_every_small_config_fits_and_switched_off_its_model_is_that_of_mmdet(system, data):
    """The small models of a system fit each other: a training begins with another's weights."""
    def model(**options):
        return load(f'{system}/{system}_lite0_fpn{data}.py', **options).model.to_dict()

    assert model() == model(fit_boxes=True) != model(fit_boxes=False)
    head = 'rpn_head' if system == 'faster_rcnn' else 'bbox_head'
    if system != 'fcos':
        mmdets = dict(octave_base_scale=4, scales_per_octave=3) if system == 'retinanet' else dict(
            scales=[8])
        assert model(fit_boxes=False)[head]['anchor_generator'].items() >= dict(
            mmdets, type='AnchorGenerator', ratios=[.5, 1., 2.]).items()
    else:
        assert 'regress_ranges' not in model(fit_boxes=False)[head]


@pytest.mark.parametrize('path', ['chexnet/chexnet_lite0.py', 'windowloss/wl_kld_lite0_fpn.py'])
def test_models_without_boxes_are_rejected(path):
    with pytest.raises(ValueError, match=r'fit_boxes: the model is a DensePointDetector with'):
        load(path, fit_boxes=True)


def test_a_level_of_one_anchor_is_rejected_where_mmdet_cannot_read_it():
    path = 'faster_rcnn/faster_rcnn_lite0_fpn.py'
    with pytest.raises(ValueError, match='fit_boxes: at input 64 the last level of RPNHead has one .*'
                                         'more than 64 pixels, or fit_boxes = False$'):
        load(path, input_size=64)
    for options in (dict(input_size=96), dict(input_size=(32, 96)),
                    dict(input_size=64, fit_boxes=False)):
        load(path, **options)
    load('retinanet/retinanet_lite0_fpn.py', input_size=64)


def test_boxes_of_other_sizes_are_rejected():
    plain = load(RETINANET)
    pipeline = [step for step in plain.train_dataloader.dataset.pipeline
                if step.type != 'PointsToPseudoBoxes']
    with pytest.raises(ValueError, match='no PointsToPseudoBoxes'):
        load(RETINANET, fit_boxes=True, **{'train_dataloader.dataset.pipeline': pipeline})


def test_other_tools_do_not_ignore_it():
    with pytest.raises(ValueError, match='the config sets fit_boxes, which only the tools of mmwind'):
        check_applied(Config(dict(fit_boxes=True)))
    with pytest.raises(ValueError, match='into the work dir, or set fit_boxes to False$'):
        check_applied(Config(dict(fit_boxes=True)))
    check_applied(Config(dict(fit_boxes=False)))  # asks for nothing
