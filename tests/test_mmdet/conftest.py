"""A tiny trained run, and configs at a size for tests, as files that MMDetection's tools read."""
import os
import runpy
import sys
from pathlib import Path
from typing import NamedTuple

import mmdet
import pytest

from mmwindow.apis import load_config, train

ROOT = Path(__file__).parents[2]
STOCK_TOOLS = Path(mmdet.__file__).parent / '.mim/tools'
SPLITS = ('train', 'val', 'test')
SIDE = 128


def tiny_options(data, side=SIDE):
    """Return overrides that make a config train in seconds: small images, one process."""
    return {
        **{f'{split}_dataloader.{key}': value for split in SPLITS for key, value in {
            'dataset.input_side': side, 'dataset.data_root': f'{data}/', 'num_workers': 0,
            'persistent_workers': False}.items()},
        'train_dataloader.batch_size': 3, 'train_cfg.max_epochs': 1,
        'default_hooks.logger.interval': 1}


def write_config(path, data, base='windowloss/wl_kld_lite0_fpn.py', **options):
    """Write a config of ours at a size for tests; `options` are dotted, `__` for a dot."""
    cfg = load_config(ROOT / 'configs' / base)
    if cfg.model.backbone.type == 'EfficientNetLite':
        cfg.model.backbone.pretrained = False
    cfg.merge_from_dict(tiny_options(data))
    cfg.merge_from_dict({key.replace('__', '.'): value for key, value in options.items()})
    cfg.work_dir = str(path.parent / 'work')
    # mmengine keeps one visualizer per name and process, with the folder of its first run.
    cfg.visualizer.name = str(path)
    cfg.dump(path)
    return path


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
    train(config)
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
