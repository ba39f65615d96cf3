"""A model of a few weights that draws from every generator, trained here, cut and resumed."""
import sys
from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.structures import InstanceData

import mmwindow  # noqa: F401  (registers our types)
from mmwindow.apis import load_config, train
from mmwindow.engine.checkpoint import load_own_checkpoint

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module', autouse=True)
def no_figures(without_run_figures):
    """Of every test here."""


@MODELS.register_module()
class NoisyModel(BaseModel):
    """Score an image by its mean grey level, with dropout and noise of numpy and torch.

    Args:
        data_preprocessor: As in mmdet.
        broken: Add NaN to one of the outputs of every batch whose images have this name.
    """

    def __init__(self, data_preprocessor=None, broken=None):
        super().__init__(data_preprocessor)
        self.backbone = torch.nn.Linear(3, 8)
        self.bbox_head = torch.nn.Linear(8, 1)
        self.dropout = torch.nn.Dropout(0.5)
        self.broken = broken

    def forward(self, inputs, data_samples, mode='tensor'):
        features = self.dropout(self.backbone(inputs.mean(dim=(2, 3)) + inputs.amax(dim=(2, 3))))
        for row, sample in enumerate(data_samples):
            if self.broken and self.broken in sample.img_path:
                features = features.index_fill(0, torch.tensor(row), float('nan'))
        logits = self.bbox_head(features)[:, 0]
        if mode == 'loss':
            noise = torch.randn(len(logits)) + float(np.random.normal())
            target = torch.tensor([float(len(sample.gt_instances) > 0) for sample in data_samples])
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits + noise, target)
            return dict(loss_point=loss, loss_size=self.backbone.weight.square().mean())
        for sample, logit in zip(data_samples, logits, strict=True):
            score = torch.sigmoid(logit)[None]
            keep = score > 0  # NaN is dropped, as in mmdet's box heads
            sample.pred_instances = InstanceData(
                bboxes=torch.tensor([[10., 10., 50., 50.]])[keep], scores=score[keep],
                labels=torch.zeros(1, dtype=torch.int64)[keep])
        return data_samples


@TRANSFORMS.register_module()
class NoiseOfAllGenerators(BaseTransform):
    """Add noise of Python's, numpy's, torch's and OpenCV's generators."""

    def transform(self, results):
        import random
        noise = np.zeros((1, 1), np.float32)
        cv2.randn(noise, 0, 5)
        shift = random.gauss(0, 5) + np.random.normal(0, 5) + float(torch.randn(1)) + noise[0, 0]
        results['img'] = (results['img'].astype(np.float32) + shift).clip(0, 255).astype(np.uint8)
        return results


class Cut(Exception):
    """What stands for a kill."""


class Cutter(Hook):
    """Raise after a step, or before a batch of the validation after a step.

    Args:
        step: Steps done.
        validation: Steps done before the validation.
    """

    priority = 'LOWEST'

    def __init__(self, step=None, validation=None):
        self.step, self.validation = step, validation

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.step:
            raise Cut

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.validation and batch_idx:
            raise Cut


def write_config(cfg, path):
    """Write a config outside the work dir, where the runner writes one of the same name."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(''.join(f'{name} = {value!r}\n' for name, value in cfg.to_dict().items()))
    return path


@pytest.fixture
def noisy_config(tiny_dataset, tmp_path):
    """Return a function that writes a config of the noisy model: 6 images in 3 steps, 3 epochs."""
    def write(workers=0, **options):
        cfg = load_config(ROOT / 'configs/windowloss/wl_kld_lite0_fpn.py',
                          cfg_options=dict(input_size=64, random_scale=(0.8, 1.3)))
        cfg.model = dict(type='NoisyModel', data_preprocessor=dict(
            type='DetDataPreprocessor', mean=[127.] * 3, std=[128.] * 3))
        cfg.custom_hooks = []
        for split in ('train', 'val', 'test'):
            loader = cfg[f'{split}_dataloader']
            loader.update(num_workers=workers, persistent_workers=workers > 0)
            loader.dataset.data_root = f'{tiny_dataset}/'
            loader.batch_size = 2
        cfg.train_dataloader.dataset.pipeline.insert(-2, dict(type='NoiseOfAllGenerators'))
        cfg.train_cfg.max_epochs = 3
        cfg.default_hooks.logger.interval = 1
        cfg.merge_from_dict(deepcopy(options))
        return write_config(cfg, tmp_path / 'configs/noisy.py')
    return write


@pytest.fixture
def system_config(tiny_dataset, tmp_path):
    """Return a function that writes the config of a system of ours: input 64, 3 epochs of 3 steps."""
    def write(base, **options):
        small = dict(input_size=64)
        if 'faster_rcnn' in base:
            small['fit_boxes'] = False  # which takes a larger input
        cfg = load_config(ROOT / 'configs' / base, cfg_options=small)
        cfg.model.backbone.pretrained = False
        for split in ('train', 'val', 'test'):
            loader = cfg[f'{split}_dataloader']
            loader.update(num_workers=0, persistent_workers=False, batch_size=2)
            loader.dataset.data_root = f'{tiny_dataset}/'
        cfg.train_cfg.max_epochs = 3
        cfg.merge_from_dict(options)
        return write_config(cfg, tmp_path / 'configs/system.py')
    return write


@pytest.fixture(scope='session')
def finished(tmp_path_factory):
    """Return the folders of uncut trainings by the text of their config; read only."""
    return {'': tmp_path_factory.mktemp('finished')}


@pytest.fixture
def train_uncut(run_training, finished):
    """Return a function: the folder of the uncut training of a config, run once for all tests."""
    def folder_of(config):
        text = config.read_text()
        if text not in finished:
            folder = finished[''] / str(len(finished))
            run_training(config, folder)
            finished[text] = folder
        return finished[text]
    return folder_of


@pytest.fixture
def run_training(monkeypatch):
    """Return a function that trains, and is cut after a step or in a validation (:class:`Cutter`)."""
    module = sys.modules['mmwindow.apis.train']
    build = module.build_runner
    # What takes longer than these trainings: writing the config for each checkpoint.
    monkeypatch.setattr(Config, 'pretty_text', property(lambda cfg: repr(cfg._cfg_dict)))
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)

    def run(config, work_dir, cut=None, resume=None, **options):
        def build_with_hook(*args, **kwargs):
            runner = build(*args, **kwargs)
            if cut:
                runner.register_hook(Cutter(**cut))
            return runner
        monkeypatch.setattr(module, 'build_runner', build_with_hook)
        try:
            return train(config, work_dir=work_dir, resume=resume, cfg_options=options or None)
        except Cut:
            return None
    return run


def read_end(work_dir, name):
    """Return what a training has come to, without what names time or place."""
    checkpoint = load_own_checkpoint(work_dir / name)
    path = work_dir / 'validation.json'
    info = checkpoint['message_hub']['runtime_info']
    return dict(weights=checkpoint['state_dict'], optimizer=checkpoint['optimizer'],
                schedulers=checkpoint.get('param_schedulers'), score=info.get('best_score'),
                best=[path.name for path in sorted(work_dir.glob('best_*.pth'))],
                validations=path.read_text() if path.is_file() else '')


def list_differences(one, other, place=''):
    """Return where two nested contents differ in any bit."""
    if isinstance(one, torch.Tensor):
        return [] if torch.equal(one, other) else [place]
    if isinstance(one, dict) and isinstance(other, dict) and set(one) == set(other):
        return [found for key in one for found in list_differences(
            one[key], other[key], f'{place}.{key}')]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [found for index, pair in enumerate(zip(one, other, strict=True))
                for found in list_differences(*pair, f'{place}.{index}')]
    return [] if one == other else [place]


@pytest.fixture
def find_differences():
    """Return a function that names in what two finished trainings differ, of some parts or all."""
    def find(one, other, name='epoch_3.pth', parts=None):
        ends = [read_end(folder, name) for folder in (one, other)]
        return list_differences(*({part: end[part] for part in parts or end} for end in ends))
    return find
