"""Pyramid and head as one convolution: losses, gradients and predictions of the plain order."""
import copy

import pytest
import torch
from mmdet.models.necks import FPN
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import BaseDataElement, PixelData
from torch import nn

import mmwindow  # noqa: F401  (registers the models)
from mmwindow.engine.head_watch import HeadWatch
from mmwindow.models.detectors import dense_point_detector
from mmwindow.models.utils.linear_pyramid import PendingConvolution, is_linear, pending_levels
from mmwindow.structures.bounds import point_bounds

SIDE = 64
STRIDES = (4, 8, 16, 32)


def make_neck(**options):
    torch.manual_seed(1)
    neck = FPN(**{**dict(in_channels=[24, 40, 112, 320], out_channels=8, num_outs=4), **options})
    neck.init_weights()
    return neck


def make_detector(**head):
    torch.manual_seed(0)
    model = MODELS.build(dict(
        type='DensePointDetector',
        backbone=dict(type='EfficientNetLite', pretrained=False, norm_eval=True),
        neck=dict(type='FPN', in_channels=[24, 40, 112, 320], out_channels=8, num_outs=4),
        bbox_head=dict(type='DensePointHead', num_classes=2, in_channels=8, **head),
        test_cfg=dict(score_thr=0.5, max_per_img=100)))
    model.init_weights()
    for name, parameter in model.named_parameters():  # biases count
        if 'backbone' not in name:
            nn.init.normal_(parameter, std=0.3)
    return model.train()


def make_samples():
    samples = []
    for points in ([], [[20., 30.], [50., 10.]]):
        points = torch.tensor(points).reshape(-1, 2)
        bounds = {f'stride{stride}': PixelData(**vars(point_bounds(
            points, torch.arange(len(points)), 2, SIDE // stride, SIDE // stride, stride, 6., 14.,
            .5))) for stride in STRIDES}
        sample = DetDataSample(metainfo=dict(
            img_path='a.png', img_shape=(SIDE, SIDE), ori_shape=(SIDE, SIDE), scale_factor=(1., 1.)))
        sample.gt_bounds = BaseDataElement(**bounds)
        samples.append(sample)
    return samples


@pytest.fixture
def images():
    return torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))


def plain_order(monkeypatch):
    monkeypatch.setattr(dense_point_detector, 'is_linear', lambda neck: False)


def test_one_convolution_is_both(images):
    inner = nn.Conv2d(3, 6, 3, padding=1).double()
    outer = nn.Conv2d(6, 2, 1).double()
    pixels = images.double()
    torch.testing.assert_close(PendingConvolution(pixels, inner).then(outer), outer(inner(pixels)))
    inner.bias = outer.bias = None
    torch.testing.assert_close(PendingConvolution(pixels, inner).then(outer), outer(inner(pixels)))


@pytest.mark.parametrize('options', [{}, dict(start_level=1, num_outs=3),
                                     dict(upsample_cfg=dict(mode='nearest', scale_factor=2)),
                                     dict(upsample_cfg=dict(mode='bilinear', align_corners=False))])
def test_pending_levels_end_as_the_pyramid_does(options):
    neck = make_neck(**options)
    inputs = [torch.randn(2, channels, SIDE // stride, SIDE // stride)
              for channels, stride in zip((24, 40, 112, 320), STRIDES, strict=True)]
    assert is_linear(neck)
    for level, expected in zip(pending_levels(neck, inputs), neck(inputs), strict=True):
        torch.testing.assert_close(level.convolution(level.features), expected)


@pytest.mark.parametrize('neck', [
    None, nn.Identity(), make_neck(act_cfg=dict(type='ReLU')), make_neck(norm_cfg=dict(type='BN')),
    make_neck(num_outs=5), make_neck(num_outs=5, add_extra_convs='on_output')],
    ids=['no neck', 'another', 'activation', 'normalisation', 'pooled level', 'convolved level'])
def test_what_is_not_linear_is_computed_as_ever(neck):
    assert not is_linear(neck)


def test_losses_and_gradients_are_those_of_the_plain_order(images, monkeypatch):
    model = make_detector()
    found = []
    for _ in range(2):
        model.zero_grad()
        losses = model.loss(images, make_samples())
        sum(losses.values()).backward()
        found.append((losses, {name: parameter.grad.clone()
                               for name, parameter in model.named_parameters()}))
        plain_order(monkeypatch)
    (folded, slopes), (plain, expected) = found
    assert list(folded) == ['loss_p2', 'loss_p3', 'loss_p4', 'loss_p5']
    for name, value in plain.items():
        torch.testing.assert_close(folded[name], value, atol=1e-6, rtol=1e-5)
    for name, value in expected.items():
        assert value.abs().max() > 0, name
        scale = value.abs().max().item()
        torch.testing.assert_close(slopes[name], value, atol=1e-5 * scale, rtol=0, msg=name)


def test_maps_and_findings_are_those_of_the_plain_order(images, monkeypatch):
    model = make_detector().eval()
    found = []
    for _ in range(2):
        with torch.no_grad():
            found.append(model.predict(images, copy.deepcopy(make_samples())))
        plain_order(monkeypatch)
    for folded, plain in zip(*found, strict=True):
        torch.testing.assert_close(folded.pred_heatmap.scores, plain.pred_heatmap.scores,
                                   atol=1e-6, rtol=1e-5)
        assert len(folded.pred_instances.bboxes) == len(plain.pred_instances.bboxes)


@pytest.mark.parametrize('head', [
    dict(num_convs=1), dict(image_window=dict(type='WindowLoss'))], ids=['tower', 'image window'])
def test_a_head_that_reads_the_features_gets_them(images, head):
    model = make_detector(**head)
    assert all(isinstance(level, torch.Tensor) for level in model.head_inputs(images))


def test_what_the_head_gives_is_still_watched(images):
    model = make_detector().eval()
    model.bbox_head.convolution.bias.data[:] = torch.nan
    watch = HeadWatch()
    watch.start(model, ['a.png', 'b.png'])
    with pytest.raises(ValueError, match='DensePointHead gives NaN or infinity for .*a.png.*b.png'):
        model.predict(images, make_samples())


def test_in_bfloat16_the_loss_stays_near(images):
    model = make_detector()
    exact = sum(model.loss(images, make_samples()).values())
    with torch.autocast('cpu', torch.bfloat16):
        rough = sum(model.loss(images, make_samples()).values())
    assert rough.dtype == torch.float32 and rough.item() == pytest.approx(exact.item(), rel=.05)
