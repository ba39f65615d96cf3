"""Every config builds, and stays readable: short leaves, short chains."""
from pathlib import Path

import pytest
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

import mmwindow  # noqa: F401

ROOT = Path(__file__).parents[1]
LEAVES = sorted(path for path in (ROOT / 'configs').rglob('*.py') if '_base_' not in path.parts)


def chain_length(path):
    """Return the number of files on the longest way down to a base without bases."""
    text = path.read_text()
    if '_base_ =' not in text:
        return 1
    bases = Config._parse_base_files(str(path)) if hasattr(Config, '_parse_base_files') else (
        Config._get_base_files(str(path)))
    return 1 + max(chain_length((path.parent / base).resolve()) for base in bases)


@pytest.mark.parametrize('path', LEAVES, ids=lambda path: f'{path.parent.name}/{path.stem}')
def test_leaf_is_short_and_its_model_builds(path):
    assert len(path.read_text().splitlines()) <= 15
    assert chain_length(path) <= 3
    cfg = Config.fromfile(str(path))
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    strides = cfg.model.bbox_head.strides
    assert cfg.train_dataloader.dataset.input_side % max(strides) == 0
    assert sum(parameter.numel() for parameter in model.parameters()) > 1e6


@pytest.mark.parametrize('path', LEAVES, ids=lambda path: f'{path.parent.name}/{path.stem}')
def test_lengths_stand_once(path):
    """Training, validation and test share the input side and the window of one variable."""
    cfg = Config.fromfile(str(path))
    loaders = [cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader]
    assert len({loader.dataset.input_side for loader in loaders}) == 1
    assert len({tuple(sorted(loader.dataset.window.items())) for loader in loaders}) == 1
    assert not loaders[0].dataset.get('filter_cfg')
