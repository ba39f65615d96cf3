"""The benchmark of a GPU: what its rows hold, on a CPU that stands in for one."""
import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import init_default_scope

from mmwindow.apis.config import load_config

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('benchmark_gpu', ROOT / 'tools/benchmark_gpu.py')
    module = importlib.util.module_from_spec(spec)
    sys.modules['benchmark_gpu'] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    yield module
    del sys.modules['benchmark_gpu']


def test_a_row_for_each_layout(tool, write_tiny_config, tmp_path, monkeypatch):
    for name in ('synchronize', 'empty_cache', 'reset_peak_memory_stats'):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    monkeypatch.setattr(torch.cuda, 'max_memory_allocated', lambda: 2_500_000_000)
    cfg = load_config(write_tiny_config(tmp_path / 'tiny.py', batch_size=2))
    init_default_scope('mmdet')
    cfg.custom_hooks = [dict(type='ChannelsLastHook')]
    args = SimpleNamespace(batch=None, steps=1, warm_up=1)
    rows = list(tool.describe(cfg, 'tiny', args))
    assert [row['layout'] for row in rows] == ['default', 'channels_last']
    for row in rows:
        assert tuple(row) == tool.COLUMNS
        assert (row['config'], row['side'], row['batch']) == ('tiny', 64, 2)
        assert row['float32 GB'] == row['amp GB'] == '2.5'
        plain, mixed = (float(row[f'{kind} ms']) for kind in ('float32', 'amp'))
        assert float(row['ratio']) == pytest.approx(mixed / plain, abs=.02)
        assert float(row['images/s']) == pytest.approx(2000 / min(plain, mixed), abs=1)


def test_too_small_a_memory_is_said_and_not_timed(tool, write_tiny_config, tmp_path, monkeypatch):
    for name in ('synchronize', 'empty_cache', 'reset_peak_memory_stats'):
        monkeypatch.setattr(torch.cuda, name, lambda: None)

    def build_model(cfg):
        raise torch.cuda.OutOfMemoryError('no memory')
    monkeypatch.setattr(tool, 'build_model', build_model)
    cfg = load_config(write_tiny_config(tmp_path / 'tiny.py'))
    init_default_scope('mmdet')
    row, = tool.describe(cfg, 'tiny', SimpleNamespace(batch=2, steps=1, warm_up=0))
    assert row['float32 ms'] == row['amp ms'] == 'out of memory'
    assert row['ratio'] == row['images/s'] == row['amp GB'] == ''


def test_without_a_gpu_it_says_what_times_a_cpu(tool, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['benchmark_gpu.py', 'x.py'])
    with pytest.raises(ValueError, match='no GPU; on a CPU, tools/benchmark_step.py'):
        tool.main()
