"""Tiny models of all systems, built once a session."""
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest

CONFIGS = Path(__file__).parents[2] / 'configs'
SIDE = 64


class TinyModel(NamedTuple):
    """A run folder with a described checkpoint, and what it was made of."""

    folder: Path
    config: Path
    checkpoint: Path


@pytest.fixture(scope='session')
def tiny_model(tiny_dataset, tmp_path_factory):
    """Return a function from a system, such as 'windowloss/wl_kld', to its tiny model."""
    import torch
    from mmdet.registry import MODELS
    from mmengine.registry import init_default_scope
    from mmengine.runner import save_checkpoint

    from mmwindow.apis import load_config
    from mmwindow.apis.runner import quiet_mmengine
    from mmwindow.engine.model_description import describe_model
    made = {}

    def make(system):
        if system in made:
            return made[system]
        folder = tmp_path_factory.mktemp(system.replace('/', '_'))
        path = next(path for ending in ('_fpn', '')
                    if (path := CONFIGS / f'{system}_lite0{ending}.py').is_file())
        with quiet_mmengine():
            cfg = load_config(path, cfg_options={'input_size': SIDE, 'data_root': f'{tiny_dataset}/'})
            for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
                loader.update(num_workers=0, persistent_workers=False)
            cfg.work_dir = str(folder)
            cfg.dump(str(folder / 'config.py'))
            init_default_scope('mmdet')
            torch.manual_seed(0)
            model = MODELS.build(cfg.model)
        # Scores that differ between images by more than rounding: statistics as after a training.
        pixels = np.stack([cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)[:SIDE, :SIDE] for path in
                           sorted((tiny_dataset / 'images').glob('train_*.png'))]) / 64. - 2
        model.eval()
        for layer in model.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.momentum = None
                layer.train()
        with torch.no_grad():
            model.extract_feat(torch.tensor(pixels, dtype=torch.float32)[:, None].expand(
                -1, 3, -1, -1))
        for name, weights in model.named_parameters():  # of RetinaNet and FCOS: no score of 1 - 1e-7
            if name in ('bbox_head.retina_cls.weight', 'bbox_head.conv_cls.weight'):
                weights.data *= 0.1
        checkpoint = folder / 'best_froc_auroc_epoch_1.pth'
        save_checkpoint(dict(
            meta=dict(dataset_meta=dict(classes=('fracture',)),
                      model_description=describe_model(load_config(folder / 'config.py'),
                                                       ('fracture',))),
            state_dict=model.state_dict()), str(checkpoint))
        made[system] = TinyModel(folder, folder / 'config.py', checkpoint)
        return made[system]

    return make
