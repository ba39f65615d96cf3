"""The detector in mmdet's own loops: loss, predict, tensor, and its visualizer."""
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.registry import init_default_scope
from mmengine.structures import BaseDataElement, PixelData

import mmwindow  # noqa: F401  (registers the models)
from mmwindow.structures.bounds import point_bounds

SIDE = 64
pytestmark = pytest.mark.smoke


def model_config(backbone='lite0', score_thr=0.5, num_classes=1, kind='DensePointDetector'):
    if backbone == 'lite0':
        backbone, channels = dict(type='EfficientNetLite', pretrained=False), [24, 40, 112, 320]
    else:
        backbone = dict(type='ResNet', depth=18, num_stages=4, out_indices=(0, 1, 2, 3))
        channels = [64, 128, 256, 512]
    return dict(
        type=kind,
        data_preprocessor=dict(type='DetDataPreprocessor', mean=[127.] * 3, std=[128.] * 3,
                               bgr_to_rgb=True, pad_size_divisor=32),
        backbone=backbone,
        neck=dict(type='FPN', in_channels=channels, out_channels=16, num_outs=4),
        bbox_head=dict(type='DensePointHead', num_classes=num_classes, in_channels=16,
                       strides=(4, 8, 16, 32), loss=dict(type='WindowLoss', divergence='kld')),
        test_cfg=dict(score_thr=score_thr, max_per_img=100))


def build_model(**options):
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build(model_config(**options))
    model.init_weights()
    return model


def make_batch(points_per_img=((), ((20., 30.), (50., 10.)))):
    """Return what a data loader yields: images of 100 x 128 pixels, scaled by one half."""
    generator = torch.Generator().manual_seed(0)
    samples = []
    for index, points in enumerate(points_per_img):
        points = torch.tensor(points).reshape(-1, 2)
        levels = {}
        for stride in (4, 8, 16, 32):
            bounds = point_bounds(points, torch.zeros(len(points), dtype=torch.long), 1,
                                  SIDE // stride, SIDE // stride, stride, 6., 14., 0.5)
            levels[f'stride{stride}'] = PixelData(lower=bounds.lower, upper=bounds.upper)
        sample = DetDataSample(metainfo=dict(
            img_id=index, img_path=f'{index}.png', ori_shape=(100, 128), img_shape=(SIDE, SIDE),
            scale_factor=(0.5, 0.5)))
        sample.gt_bounds = BaseDataElement(**levels)
        samples.append(sample)
    imgs = [torch.randint(0, 256, (3, SIDE, SIDE), dtype=torch.uint8, generator=generator)
            for _ in samples]
    return dict(inputs=imgs, data_samples=samples)


def test_normals_alone_train():
    model = build_model()
    data = model.data_preprocessor(make_batch([(), ()]), training=True)
    losses = model(**data, mode='loss')
    total, log = model.parse_losses(losses)
    assert set(log) == {'loss', 'loss_p2', 'loss_p3', 'loss_p4', 'loss_p5'}
    # The prior of .01 at four levels; random features move it a little.
    assert total.item() == pytest.approx(4 * -np.log(0.99), rel=0.2)
    total.backward()
    assert torch.isfinite(model.bbox_head.convolution.weight.grad).all()


@torch.no_grad()
def test_a_normal_map_gives_empty_instances():
    model = build_model().eval()
    samples = model(**model.data_preprocessor(make_batch()), mode='predict')
    for sample in samples:
        assert sample.pred_heatmap.scores.shape == (1, 16, 16)
        assert sample.pred_heatmap.scores.max() < 0.1
        assert sample.pred_instances.bboxes.shape == (0, 4)
        assert sample.pred_instances.scores.shape == sample.pred_instances.labels.shape == (0,)


@pytest.mark.parametrize('backbone', ['lite0', 'resnet18'])
def test_a_step_reaches_every_weight(backbone):
    model = build_model(backbone=backbone)
    data = model.data_preprocessor(make_batch(), training=True)
    total, log = model.parse_losses(model(**data, mode='loss'))
    assert total.item() == pytest.approx(
        sum(log[f'loss_p{level}'].item() for level in (2, 3, 4, 5)), rel=1e-5)
    total.backward()
    missing = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert missing == []


@torch.no_grad()
def test_map_is_the_mean_of_upsampled_sigmoids():
    model = build_model().eval()
    model.bbox_head.convolution.weight.normal_(std=1000.)  # random features are faint
    data = model.data_preprocessor(make_batch())
    logits = model(**data, mode='tensor')
    assert [tuple(level.shape[1:]) for level in logits] == [
        (1, 16, 16), (1, 8, 8), (1, 4, 4), (1, 2, 2)]
    expected = torch.stack([
        F.interpolate(level.sigmoid(), size=(16, 16), mode='bilinear', align_corners=False)
        for level in logits]).mean(dim=0)
    samples = model(**data, mode='predict')
    maps = torch.stack([sample.pred_heatmap.scores for sample in samples])
    torch.testing.assert_close(maps, expected)
    assert maps.std() > 1e-3


@torch.no_grad()
def test_instances_are_in_pixels_of_the_original_image():
    model = build_model(score_thr=0.0).eval()     # every cell: one finding, the whole frame
    sample = model(**model.data_preprocessor(make_batch([()])), mode='predict')[0]
    assert sample.pred_instances.bboxes.tolist() == [[0, 0, 128, 100]]
    assert sample.pred_instances.scores[0] == sample.pred_heatmap.scores.max()
    assert sample.img_id == 0                     # the metainfo is kept


@torch.no_grad()
def test_a_stock_detector_of_mmdet_predicts_maps_and_findings_of_two_classes():
    samples = []
    for kind in ('SingleStageDetector', 'DensePointDetector'):
        model = build_model(kind=kind, score_thr=0.0, num_classes=2).eval()
        samples += model.test_step(make_batch([()]))
    for sample in samples:
        assert sample.pred_heatmap.scores.shape == (2, 16, 16)
        assert sample.pred_instances.bboxes.tolist() == [[0, 0, 128, 100]] * 2
        assert sorted(sample.pred_instances.labels.tolist()) == [0, 1]
    # Ours computes pyramid and head as one convolution: sums in another order.
    torch.testing.assert_close(samples[0].pred_heatmap.scores, samples[1].pred_heatmap.scores,
                               rtol=1e-5, atol=0)


@torch.no_grad()
def test_padding_of_the_batch_beyond_the_frame_is_no_part_of_the_map():
    """A data preprocessor that pads to multiples of 128 changes the map's size no more."""
    model = build_model().eval()
    model.bbox_head.convolution.weight.normal_(std=1000.)
    model.data_preprocessor.pad_size_divisor = 128
    sample, = model.test_step(make_batch([()]))
    assert sample.batch_input_shape == (128, 128) and sample.img_shape == (SIDE, SIDE)
    assert sample.pred_heatmap.scores.shape == (1, 16, 16)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_mixed_precision(dtype):
    model = build_model()
    with torch.autocast('cpu', dtype=dtype):
        losses = model(**model.data_preprocessor(make_batch(), training=True), mode='loss')
    assert {loss.dtype for loss in losses.values()} == {torch.float32}
    sum(losses.values()).backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())
    model.eval()
    with torch.no_grad(), torch.autocast('cpu', dtype=dtype):
        sample = model(**model.data_preprocessor(make_batch()), mode='predict')[0]
    assert sample.pred_heatmap.scores.dtype == torch.float32


@torch.no_grad()
@pytest.mark.parametrize('score_thr, is_painted', [(0.5, False), (0.0, True)])
def test_visualizer_of_mmdet_paints_the_findings(tmp_path, score_thr, is_painted):
    model = build_model(score_thr=score_thr).eval()
    sample = model(**model.data_preprocessor(make_batch([()])), mode='predict')[0]
    visualizer = DetLocalVisualizer()
    visualizer.dataset_meta = dict(classes=('fracture', ), palette=[(220, 20, 60)])
    img = np.full((100, 128, 3), 90, np.uint8)
    visualizer.add_datasample('film', img, sample, draw_gt=True, pred_score_thr=0.0,
                              out_file=str(tmp_path / 'film.png'))
    painted = visualizer.get_image()[..., :3]
    assert (tmp_path / 'film.png').exists()
    assert bool((painted.astype(int) - 90 != 0).any()) is is_painted


def test_state_survives_a_round_trip(tmp_path):
    model = build_model().eval()
    with torch.no_grad():
        model.bbox_head.convolution.weight.normal_(std=1000.)  # random features are faint
    torch.save(model.state_dict(), tmp_path / 'model.pth')
    other = build_model().eval()
    with torch.no_grad():
        other.bbox_head.convolution.weight.zero_()
        other.load_state_dict(torch.load(tmp_path / 'model.pth'))
        first, second = (each(**each.data_preprocessor(make_batch([()])), mode='predict')[0]
                         for each in (model, other))
    # Not bit by bit: a convolution's kernel may depend on where its weights lie in memory.
    torch.testing.assert_close(first.pred_heatmap.scores, second.pred_heatmap.scores)
    assert first.pred_heatmap.scores.std() > 1e-3  # zeroed weights would give one score
