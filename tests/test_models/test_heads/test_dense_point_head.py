"""The head: losses from bounds, maps and boxes from logits."""
import math

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import BaseDataElement, InstanceData, PixelData

import mmwindow  # noqa: F401  (registers the models)
from mmwindow.models import DensePointHead, maximum_window_loss, window_loss
from mmwindow.models.utils import mean_logits, merge_levels
from mmwindow.structures.bounds import point_bounds

STRIDES = (4, 8, 16, 32)
SIDE = 64


def make_sample(points=(), labels=None, num_classes=1, strides=STRIDES):
    points = torch.tensor(points, dtype=torch.float32).reshape(-1, 2)
    labels = torch.zeros(len(points), dtype=torch.long) if labels is None else torch.tensor(labels)
    levels = {}
    for stride in strides:
        bounds = point_bounds(points, labels, num_classes, SIDE // stride, SIDE // stride, stride,
                              6., 14., 0.5)
        levels[f'stride{stride}'] = PixelData(lower=bounds.lower, upper=bounds.upper)
    sample = DetDataSample(metainfo=dict(img_path='film.png'))
    sample.gt_bounds = BaseDataElement(**levels)
    return sample


def make_features(num_imgs=2, channels=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(num_imgs, channels, SIDE // stride, SIDE // stride, generator=generator)
            for stride in STRIDES]


def make_head(**options):
    torch.manual_seed(0)
    head = DensePointHead(**{'num_classes': 1, 'in_channels': 8, **options})
    head.init_weights()
    return head


# No ground truth first.

def test_normals_cost_the_prior_at_the_start():
    head = make_head()
    features = [torch.zeros_like(level) for level in make_features()]
    losses = head.loss(features, [make_sample(), make_sample()])
    assert list(losses) == ['loss_p2', 'loss_p3', 'loss_p4', 'loss_p5']
    for loss in losses.values():                  # every score is .01: -log(.99)
        assert loss.item() == pytest.approx(-math.log(0.99), rel=1e-5)
    sum(losses.values()).backward()
    assert head.convolution.bias.grad.item() == pytest.approx(4 * 0.01, rel=1e-4)


def test_bias_is_the_prior_and_weights_are_small():
    head = make_head(in_channels=4000, prior_probability=0.05)
    assert head.convolution.bias.sigmoid().item() == pytest.approx(0.05, rel=1e-5)
    assert head.convolution.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert abs(head.convolution.weight.mean().item()) < 1e-3


@pytest.mark.parametrize('num_classes, labels', [(1, [0, 0]), (3, [2, 0])])
def test_losses_are_the_window_loss_of_every_level(num_classes, labels):
    head = make_head(num_classes=num_classes, loss=dict(type='WindowLoss', divergence='mse'))
    samples = [make_sample(num_classes=num_classes),
               make_sample([[20., 30.], [50., 10.]], labels, num_classes)]
    features = make_features()
    losses = head.loss(features, samples)
    for stride, features_of_level in zip(STRIDES, features, strict=True):
        logits = head.convolution(features_of_level)
        assert logits.shape == (2, num_classes, SIDE // stride, SIDE // stride)
        level = f'stride{stride}'
        expected = window_loss(
            logits, torch.stack([sample.gt_bounds.get(level).lower for sample in samples]),
            torch.stack([sample.gt_bounds.get(level).upper for sample in samples]), 'mse')
        torch.testing.assert_close(losses[f'loss_p{int(math.log2(stride))}'], expected)


def test_learning_lifts_the_point_and_lowers_the_rest():
    # One feature marks the point's disk at every level; the shared weights must find it.
    head = make_head(in_channels=1)
    sample = make_sample([[32., 32.]])
    features = [sample.gt_bounds.get(f'stride{stride}').lower[None] for stride in STRIDES]
    optimizer = torch.optim.Adam(head.parameters(), lr=0.3)
    for _ in range(80):
        optimizer.zero_grad()
        sum(head.loss(features, [sample]).values()).backward()
        optimizer.step()
    scores = head(features)[0].sigmoid()[0, 0]
    lower = sample.gt_bounds.stride4.lower[0]
    assert scores[lower > 0.9].min() > 0.8 and scores[lower < 1e-3].max() < 0.05


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_mixed_precision_gives_float32_losses_and_scores(dtype):
    head = make_head()
    samples = [make_sample(), make_sample([[20., 30.]])]
    plain = head.loss(make_features(), samples)
    with torch.autocast('cpu', dtype=dtype):
        logits = head(make_features())
        losses = head.loss_by_feat(logits, samples)
    assert logits[0].dtype == dtype
    for name, loss in losses.items():
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(plain[name].item(), rel=0.02)


# Prediction.

def make_logits(num_imgs=1, num_classes=1):
    return [torch.full((num_imgs, num_classes, SIDE // stride, SIDE // stride), -40.)
            for stride in STRIDES]


# 100 x 128 pixels, scaled by one half to 50 x 64 and padded below to 64 x 64.
META = dict(ori_shape=(100, 128), img_shape=(64, 64), scale_factor=(0.5, 0.5))


def test_validation_in_low_precision_ties_no_cells_that_differ():
    # Two cells with logits 8 + .01 and 8 + .02: one number in bfloat16, whose neighbours there are
    # 1/16 apart.
    head = make_head(in_channels=2, strides=(4, ))
    with torch.no_grad():
        head.convolution.weight[:] = torch.tensor([1., 0.01]).reshape(1, 2, 1, 1)
        head.convolution.bias.zero_()
    features = torch.tensor([[[[8., 8.]], [[1., 2.]]]]).bfloat16()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        low, high = head((features, ))[0].flatten()
        assert low == high
        sample = DetDataSample(metainfo=META | dict(img_shape=(4, 8)))
        head.predict((features, ), [sample])
        scores = sample.pred_heatmap.scores
    assert scores.flatten().tolist() == pytest.approx([1 / (1 + math.exp(-8.01)),
                                                       1 / (1 + math.exp(-8.02))], abs=1e-6)
    assert scores[0, 0, 0] < scores[0, 0, 1]


def test_a_normal_map_gives_empty_instances():
    prediction = make_head().predict_by_feat(make_logits(), [META])[0]
    assert prediction.heatmap.scores.shape == (1, 16, 16)
    assert prediction.heatmap.scores.max() < 1e-6
    assert prediction.instances.bboxes.shape == (0, 4)
    assert len(prediction.instances.scores) == len(prediction.instances.labels) == 0


def test_boxes_are_in_pixels_of_the_original_image():
    head = make_head(num_classes=2, test_cfg=dict(score_thr=0.2))
    logits = make_logits(num_classes=2)
    logits[0][0, 1, 2:4, 3:6] = 40.               # a quarter of the mean: the other levels say 0
    prediction = head.predict_by_feat(logits, [META])[0]
    instances = prediction.instances
    # Cells of 4 input pixels are 8 original ones: columns 3 to 6, rows 2 to 4.
    assert instances.bboxes.tolist() == [[24, 16, 48, 32]]
    assert instances.scores.tolist() == pytest.approx([0.25])
    assert instances.labels.tolist() == [1]
    assert prediction.heatmap.scores[1, 3, 5].item() == pytest.approx(0.25)
    unscaled = head.predict_by_feat(logits, [META], rescale=False)[0].instances
    assert unscaled.bboxes.tolist() == [[12, 8, 24, 16]]


def test_boxes_are_clipped_and_those_in_the_padding_vanish():
    head = make_head(test_cfg=dict(score_thr=0.2))
    logits = make_logits()
    logits[0][0, 0, 11:15, 14:] = 40.             # rows 44 to 60 of 50
    logits[0][0, 0, 14:, :3] = 40.                # rows 56 to 64: padding alone
    prediction = head.predict_by_feat(logits, [META])[0]
    assert prediction.instances.bboxes.tolist() == [[112, 88, 128, 100]]
    # The map keeps the complete frame, padding included: the metric sees what was predicted.
    assert prediction.heatmap.scores[0, 15, 0].item() == pytest.approx(0.25)


def test_each_image_keeps_its_own_scale_and_its_map():
    head = make_head(test_cfg=dict(score_thr=0.2))
    logits = make_logits(num_imgs=2)
    logits[0][:, 0, 0, 0] = 40.
    other = dict(ori_shape=(64, 32), img_shape=(64, 64), scale_factor=(1., 1.))
    first, second = head.predict_by_feat(logits, [META, other])
    assert first.instances.bboxes.tolist() == [[0, 0, 8, 8]]
    assert second.instances.bboxes.tolist() == [[0, 0, 4, 4]]


def test_each_axis_has_its_own_factor():
    # 40 x 100 pixels shrunk to 16 x 50 by rounding: 0.5 along x, 0.4 along y.
    head = make_head(test_cfg=dict(score_thr=0.2))
    logits = make_logits()
    logits[0][0, 0, 1, 2:4] = 40.                 # x 8 to 16, y 4 to 8 of the input
    meta = dict(ori_shape=(40, 100), img_shape=(64, 64), scale_factor=(0.5, 0.4))
    boxes = head.predict_by_feat(logits, [meta])[0].instances.bboxes
    assert boxes[0].tolist() == pytest.approx([16, 10, 32, 20])


# Refusals.

def test_missing_bounds_name_the_transform():
    sample = DetDataSample(metainfo=dict(img_path='film.png'))
    with pytest.raises(ValueError, match='film.png carries no bounds.*PointToBoundTransform'):
        make_head().loss(make_features(1), [sample])


def test_missing_level_names_what_is_there():
    with pytest.raises(ValueError, match=r'stride 32 \(found: stride16, stride4, stride8\)'):
        make_head().loss(make_features(1), [make_sample(strides=(4, 8, 16))])


def test_wrong_number_of_levels():
    with pytest.raises(ValueError, match='gives 3 levels, strides names 4'):
        make_head()(make_features()[:3])


@pytest.mark.parametrize('options, message', [
    (dict(num_classes=0), 'num_classes is 0'),
    (dict(prior_probability=1.), 'prior_probability is 1.0'),
    (dict(strides=(4, 12)), r'strides are \(4, 12\)'),
    (dict(strides=(8, 4)), 'rising powers of two'),
])
def test_impossible_options(options, message):
    with pytest.raises(ValueError, match=message):
        DensePointHead(**{'num_classes': 1, 'in_channels': 8, **options})


# The steps beyond the paper: a tower, an image window, a maximum window.

def add_instances(sample, points=(), labels=()):
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor(points, dtype=torch.float32).reshape(-1, 2),
        labels=torch.tensor(labels, dtype=torch.long))
    return sample


def test_defaults_are_the_papers_head():
    assert set(make_head().state_dict()) == {'convolution.weight', 'convolution.bias'}


def test_tower_is_shared_and_not_linear():
    head = make_head(num_convs=2)
    assert [tuple(value.shape) for name, value in head.state_dict().items() if 'tower' in name] == [
        (8, 8, 3, 3), (8, ), (8, 8, 3, 3), (8, )]
    features = make_features()
    logits = head(features)
    expected = head.convolution(
        head.tower[1].conv(head.tower[0].conv(features[1]).relu()).relu())
    torch.testing.assert_close(logits[1], expected)
    with pytest.raises(ValueError, match='num_convs is -1'):
        make_head(num_convs=-1)


def test_image_window_is_a_level_of_one_cell_whose_logit_all_cells_have():
    image_window = dict(type='WindowLoss', loss_weight=0.5)
    plain, head = make_head(), make_head(image_window=image_window)
    head.convolution.load_state_dict(plain.convolution.state_dict())
    torch.nn.init.constant_(head.image_classifier.bias, 0.75)
    features = make_features()
    logits = head(features)
    assert [tuple(level.shape) for level in logits] == [
        (2, 1, 16, 16), (2, 1, 8, 8), (2, 1, 4, 4), (2, 1, 2, 2), (2, 1, 1, 1)]
    image = head.image_classifier(features[-1].mean((2, 3), keepdim=True))
    torch.testing.assert_close(logits[-1], image)
    for with_image, without in zip(logits, plain(features), strict=False):
        torch.testing.assert_close(with_image, without + image)
    torch.testing.assert_close(head.score_maps(logits), merge_levels(logits[:-1]))
    samples = [add_instances(make_sample()),
               add_instances(make_sample([[20., 30.]]), [[20., 30.]], [0])]
    losses = head.loss_by_feat(logits, samples)
    expected = 0.5 * torch.nn.functional.binary_cross_entropy_with_logits(
        image.flatten(), torch.tensor([0., 1.]))
    torch.testing.assert_close(losses['loss_image'], expected)
    sum(value for name, value in losses.items() if name != 'loss_image').backward(retain_graph=True)
    assert head.image_classifier.weight.grad is None, 'cells, most of them negative, would lower it'
    losses['loss_image'].backward()
    assert head.image_classifier.weight.grad.abs().sum() > 0


def test_maximum_window_is_of_the_merged_map():
    head = make_head(maximum_window=dict(type='MaximumWindowLoss', loss_weight=2.))
    features = make_features()
    points, labels = [[20., 30.], [50., 10.]], [0, 0]
    samples = [add_instances(make_sample()), add_instances(make_sample(points), points, labels)]
    logits = head(features)
    merged = merge_levels(logits).double().logit().float()
    expected = 2 * maximum_window_loss(
        merged, torch.stack([sample.gt_bounds.stride4.upper for sample in samples]),
        [sample.gt_instances.bboxes for sample in samples],
        [sample.gt_instances.labels for sample in samples], 4)
    torch.testing.assert_close(head.loss_by_feat(logits, samples)['loss_maximum'], expected)
    samples[1].gt_instances.bboxes = torch.zeros(2, 4)
    with pytest.raises(ValueError, match='carries boxes'):
        head.loss_by_feat(logits, samples)


@pytest.mark.parametrize('scale', [1., 30.])
def test_mean_logits_are_those_of_the_merged_map(scale):
    levels = [(level[:, :1] * scale).requires_grad_() for level in make_features()]
    logits = mean_logits(levels)
    torch.testing.assert_close(logits.sigmoid(), merge_levels(levels), atol=1e-6, rtol=1e-5)
    logits.sum().backward()
    assert all(torch.isfinite(level.grad).all() for level in levels)
