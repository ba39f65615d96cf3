"""A tiny trained run, and configs at a size for tests, as files that MMDetection's tools read."""
import os
import runpy
import sys
from pathlib import Path
from typing import NamedTuple

import mmdet
import pytest

from mmwindow.apis import load_config, train
from mmwindow.utils.config_pipelines import find_steps

ROOT = Path(__file__).parents[2]
STOCK_TOOLS = Path(mmdet.__file__).parent / '.mim/tools'
SPLITS = ('train', 'val', 'test')
SIDE = 128


def set_input_size(cfg, size):
    """Set the size of the network's input in every pipeline of a config."""
    for _, step in find_steps(cfg, 'ResizeToInput'):
        step['input_size'] = size


def write_config(path, data, base='windowloss/wl_kld_lite0_fpn.py', options=None, size=SIDE):
    """Write a config that trains in seconds, of small images in one process; return its path.

    Args:
        path: Where; its work dir is the folder `work` next to it.
        data: Folder of the data set.
        base: A config of ours.
        options: More overrides, keys dotted.
        size: Of the network's input.
    """
    cfg = load_config(ROOT / 'configs' / base)
    if cfg.model.backbone.type == 'EfficientNetLite':
        cfg.model.backbone.pretrained = False
    set_input_size(cfg, size)
    for split in SPLITS:
        cfg[f'{split}_dataloader'].dataset.data_root = f'{data}/'
        cfg[f'{split}_dataloader'].update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.batch_size = 3
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.logger.interval = 1
    cfg.work_dir = str(path.parent / 'work')
    # mmengine keeps one visualizer per name and process, with the folder of its first run.
    cfg.visualizer.name = str(path)
    cfg.merge_from_dict(options or {})
    cfg.dump(path)
    return path


@pytest.fixture(scope='module', autouse=True)
def no_figures(without_run_figures):
    """Of every test here."""


class TinyRun(NamedTuple):
    """A training of two steps with its files."""

    config: Path
    checkpoint: Path
    work_dir: Path


@pytest.fixture(scope='session')
def tiny_run(tiny_dataset, tmp_path_factory):
    """WL-KLD, trained for one epoch of two steps on the tiny data set."""
    folder = tmp_path_factory.mktemp('tiny_run')
    config = write_config(folder / 'tiny.py', tiny_dataset)
    train(config, report=False)
    return TinyRun(config, folder / 'work/epoch_1.pth', folder / 'work')


@pytest.fixture
def run_stock_tool(monkeypatch, capsys):
    """Return a function that runs a tool of the installed MMDetection in this process."""
    def run(name, *arguments):
        tool = STOCK_TOOLS / name
        if not tool.is_file():
            pytest.skip(f'this mmdet was installed without its tools ({tool} is missing)')
        monkeypatch.setattr(sys, 'argv', [str(tool), *map(str, arguments)])
        monkeypatch.setattr(os, 'environ', {**os.environ})
        capsys.readouterr()
        runpy.run_path(str(tool), run_name='__main__')
        return capsys.readouterr().out
    return run
