"""The systems of Table 1 and WL+: each learns from normals, trains and evaluates under one runner."""
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.registry import init_default_scope
from mmengine.structures import BaseDataElement, InstanceData, PixelData

import mmwindow  # noqa: F401  (registers the models)
from mmwindow.apis import load_config, train
from mmwindow.apis import test as evaluate  # pytest would collect it under its own name
from mmwindow.engine import BFloat16OptimWrapper

CONFIGS = Path(__file__).parents[2] / 'configs'
PATHS = [*sorted(CONFIGS.glob('synthetic/*.py')),
         CONFIGS / 'windowloss/wl_plus_lite0_fpn_synthetic.py']
# Not 64: torch's bfloat16 gradient of a stride-2 convolution over a single cell (RetinaNet's and
# FCOS's P6 to P7 then) reads uninitialised memory on CPUs. Nor is any input so small in use.
SIDE = 128
pytestmark = pytest.mark.usefixtures('without_run_figures')
CLASSIFIERS = ('chexnet', 'wspl', 'ufdet')
BOX_DETECTORS = ('faster_rcnn', 'retinanet', 'fcos')


def system_name(path):
    return path.stem.split('_lite0')[0]


def build(path, **backbone):
    cfg = load_config(path)
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build({**cfg.model, 'backbone': {**cfg.model.backbone, 'pretrained': False,
                                                    **backbone}})
    model.init_weights()
    return model


def make_batch(path, boxes):
    """Return a batch as the data loader gives it: one image per entry of boxes ``(N, 4)``."""
    generator = torch.Generator().manual_seed(1)
    inputs, samples = [], []
    for index, own in enumerate(boxes):
        inputs.append(torch.randint(0, 256, (3, SIDE, SIDE), generator=generator).byte())
        sample = DetDataSample(metainfo=dict(
            img_id=index, img_path=f'{index}.png', ori_shape=(SIDE, SIDE), img_shape=(SIDE, SIDE),
            scale_factor=(1., 1.)))
        own = torch.tensor(own, dtype=torch.float32).reshape(-1, 4)
        if system_name(path) == 'wl_plus':  # whose maximum window reads points
            own = (own[:, :2] + own[:, 2:]) / 2
        sample.gt_instances = InstanceData(bboxes=own, labels=torch.zeros(len(own)).long())
        levels = {}
        for stride in (4, 8, 16, 32):
            bound = torch.zeros(1, SIDE // stride, SIDE // stride)
            if len(own):
                bound[:, :1] = 1
            levels[f'stride{stride}'] = PixelData(lower=bound, upper=bound.clone())
        sample.gt_bounds = BaseDataElement(**levels)
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


def total_loss(model, batch, dtype=None):
    data = model.data_preprocessor(batch, training=True)
    with torch.autocast('cpu', dtype=dtype or torch.bfloat16, enabled=dtype is not None):
        return model.parse_losses(model(**data, mode='loss'))[0]


@pytest.mark.parametrize('path', PATHS, ids=system_name)
@pytest.mark.parametrize('boxes', [[[], []], [[], [[8., 8., 24., 24.]]]], ids=['normals', 'mixed'])
def test_normals_train(path, boxes):
    """A batch of normals alone has a finite loss and gives every trained layer a finite gradient."""
    model = build(path).train()
    loss = total_loss(model, make_batch(path, boxes))
    loss.backward()
    assert torch.isfinite(loss) and loss > 0
    trained = {name: parameter.grad for name, parameter in model.named_parameters()
               if parameter.requires_grad}
    # None would stop distributed training: a rank's batch of normals must keep every gradient.
    assert not [name for name, gradient in trained.items() if gradient is None]
    assert all(torch.isfinite(gradient).all() for gradient in trained.values())


@torch.no_grad()
@pytest.mark.parametrize('path', PATHS, ids=system_name)
def test_predictions_are_what_the_metric_reads(path):
    model = build(path).eval()
    samples = model.test_step(make_batch(path, [[], []]))
    name = system_name(path)
    for sample in samples:
        assert ('pred_heatmap' in sample) == (name not in BOX_DETECTORS)
        assert ('image_score' in sample) == (name in CLASSIFIERS)
        if name in BOX_DETECTORS:
            # Any score counts, so every image has a best box.
            assert len(sample.pred_instances) >= 1
        else:
            cells = SIDE // (8 if name == 'wl_plus' else 4)
            assert sample.pred_heatmap.scores.shape == (1, cells, cells)


@pytest.mark.parametrize('path', PATHS, ids=system_name)
def test_mixed_precision_on_a_cpu_trains(path):
    model = build(path).train()
    batch = make_batch(path, [[], [[8., 8., 24., 24.]]])
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.))
    dtypes = []
    model.backbone.register_forward_hook(
        lambda module, inputs, outputs: dtypes.append(outputs[-1].dtype))
    data = model.data_preprocessor(batch, training=True)
    with wrapper.optim_context(model):
        loss = model.parse_losses(model(**data, mode='loss'))[0]
    loss.backward()
    assert dtypes == [torch.bfloat16]
    assert torch.isfinite(loss)
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters()
               if parameter.grad is not None)


@pytest.mark.smoke
@pytest.mark.parametrize('path', PATHS, ids=system_name)
def test_each_system_trains_and_evaluates(path, tiny_dataset, tmp_path):
    """One step through runner, data loader, hooks and metric; test scores the checkpoint alike."""
    loaders = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    options = {
        **{f'{loader}.{key}': value for loader in loaders for key, value in {
            'dataset.data_root': f'{tiny_dataset}/',
            'num_workers': 0, 'persistent_workers': False}.items()},
        'input_size': 128, 'train_dataloader.batch_size': 6, 'train_cfg.max_epochs': 1,
        'default_hooks.logger.interval': 1}
    runner = train(path, work_dir=tmp_path, cfg_options=options)
    assert runner.iter == 1                       # six images in one batch
    best = list(tmp_path.glob('best_froc_auroc_epoch_1.pth'))
    assert len(best) == 1
    metrics = evaluate(path, best[0], work_dir=tmp_path / 'test', cfg_options=options)
    assert {'froc/auroc', 'froc/recall@0.1', 'froc/froc_score'} <= set(metrics)
    assert all(0 <= value <= 1 for value in metrics.values())
    assert np.isfinite(runner.message_hub.get_scalar('train/loss').current())
