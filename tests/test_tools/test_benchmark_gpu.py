"""The benchmark of a GPU: what its rows hold, on a CPU that stands in for one."""
import sys
from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import init_default_scope

from mmwindow.apis.config import load_config
from tests.imported_tools import imported_tool


@pytest.fixture(scope='module')
def tool():
    with imported_tool('benchmark_gpu') as module:
        yield module


@pytest.fixture
def stand_in(monkeypatch):
    """Let the functions of torch.cuda that the tool calls do nothing."""
    for name in ('synchronize', 'empty_cache', 'reset_peak_memory_stats'):
        monkeypatch.setattr(torch.cuda, name, lambda: None)


@pytest.mark.usefixtures('stand_in')
def test_a_row_for_each_layout(tool, write_tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'max_memory_allocated', lambda: 2_500_000_000)
    cfg = load_config(write_tiny_config(tmp_path / 'tiny.py', batch_size=2))
    init_default_scope('mmdet')
    cfg.custom_hooks = [dict(type='ChannelsLastHook')]
    args = SimpleNamespace(batch=None, steps=1, warm_up=1)
    read = tool.time_reading
    monkeypatch.setattr(tool, 'time_reading', lambda *arguments: (
        read(*arguments)[0], [9., 9., .004, .006]))  # the first two are not counted
    rows = list(tool.describe(cfg, 'tiny', args))
    assert [row['layout'] for row in rows] == ['default', 'channels_last']
    for row in rows:
        assert tuple(row) == tool.COLUMNS
        assert (row['config'], row['side'], row['batch']) == ('tiny', 64, 2)
        assert row['float32 GB'] == row['amp GB'] == '2.5'
        plain, mixed = (float(row[f'{kind} ms']) for kind in ('float32', 'amp'))
        assert float(row['ratio']) == pytest.approx(mixed / plain, abs=.02)
        assert row['reading ms an image'] == '5.0'
        assert float(row['images/s']) == pytest.approx(2000 / min(plain, mixed), abs=1)


@pytest.mark.usefixtures('stand_in')
def test_too_small_a_memory_is_said_and_not_timed(tool, write_tiny_config, tmp_path, monkeypatch):

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
