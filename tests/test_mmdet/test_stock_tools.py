"""The tools of an installed MMDetection work on our configs."""
import json
import sys
from types import ModuleType

import matplotlib.pyplot as plt
import numpy as np
import pytest
from mmdet.registry import MODELS
from mmengine.config import Config
from PIL import Image

from mmwindow.apis import train


def test_print_config(tiny_run, run_stock_tool):
    output = run_stock_tool('misc/print_config.py', tiny_run.config)
    assert "type='DensePointDetector'" in output and "type='FROCMetric'" in output


@pytest.mark.xfail(reason='points need a visualizer of their own')
def test_browse_dataset_paints_points(tiny_run, run_stock_tool, tmp_path):
    run_stock_tool('analysis_tools/browse_dataset.py', tiny_run.config, '--output-dir', tmp_path,
                   '--not-show')
    pictures = sorted(tmp_path.rglob('*.png'))
    assert len(pictures) == 6
    # The images are grey: coloured pixels are what was painted, on positive images alone.
    coloured = [bool(np.ptp(np.asarray(Image.open(path), dtype=int), axis=2).any())
                for path in pictures]
    assert coloured == [True, False] * 3


def test_show_dir_writes_a_picture_per_image(tiny_run, run_stock_tool, tmp_path):
    run_stock_tool('test.py', tiny_run.config, tiny_run.checkpoint, '--work-dir', tmp_path,
                   '--show-dir', 'pictures')
    names = sorted(path.name.rpartition('.')[0] for path in tmp_path.rglob('pictures/*'))
    assert [name.split('.')[0] for name in names] == [f'test_{index}' for index in range(5)]


def test_get_flops_counts_at_the_input_size(tiny_run, run_stock_tool):
    output = run_stock_tool('analysis_tools/get_flops.py', tiny_run.config)
    assert 'Input shape: (128, 128)' in output
    model = MODELS.build(Config.fromfile(tiny_run.config).model)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert f'Params: {parameters / 1e6:.3f}M' in output


@pytest.fixture
def without_seaborn(monkeypatch):
    """Stand in for seaborn, which analyze_logs.py needs for its colours alone."""
    module = ModuleType('seaborn')
    module.set_style = lambda style: None
    monkeypatch.setitem(sys.modules, 'seaborn', module)


def test_analyze_logs_plots_our_metrics(tiny_run, run_stock_tool, without_seaborn, tmp_path,
                                        monkeypatch):
    """One point a validation, and the values that the metric gave."""
    rows = [dict(step=2 * epoch, epoch=epoch, **{'froc/auroc': .5 + .1 * epoch,
                                                 'froc/froc_score': .2 * epoch})
            for epoch in range(1, 4)]
    log = tmp_path / 'validation.json'
    log.write_text(''.join(json.dumps(row) + '\n' for row in rows))
    plotted = []
    monkeypatch.setattr(plt, 'plot', lambda x, y, **options: plotted.append((list(x), list(y))))
    monkeypatch.setattr(plt, 'legend', lambda: None)
    run_stock_tool('analysis_tools/analyze_logs.py', 'plot_curve', log, '--keys', 'auroc',
                   'froc_score', '--out', tmp_path / 'curve.png')
    assert plotted == [([2, 4, 6], [.6, .7, .8]), ([2, 4, 6], [.2, .4, pytest.approx(.6)])]
    assert (tmp_path / 'curve.png').is_file()
    # What a training writes is of this form.
    written = json.loads((tiny_run.work_dir / 'validation.json').read_text())
    assert (written['step'], written['epoch']) == (2, 1) and list(written)[:2] == ['step', 'epoch']
    assert {'froc/auroc', 'froc/recall@0.1', 'froc/froc_score'} <= set(written)


def test_analyze_logs_measures_time(tiny_run, run_stock_tool, without_seaborn):
    log = next(tiny_run.work_dir.rglob('vis_data/scalars.json'))
    output = run_stock_tool('analysis_tools/analyze_logs.py', 'cal_train_time', log,
                            '--include-outliers')
    assert 'average iter time' in output


def test_a_resumed_training_continues_the_file_of_validations(tiny_run, tmp_path):
    first = (tiny_run.work_dir / 'validation.json').read_text()
    (tmp_path / 'validation.json').write_text(first)
    train(tiny_run.config, work_dir=tmp_path, resume=tiny_run.checkpoint,
          cfg_options={'train_cfg.max_epochs': 2})
    text = (tmp_path / 'validation.json').read_text()
    assert text.startswith(first)
    steps = [(row['step'], row['epoch']) for row in map(json.loads, text.splitlines())]
    assert steps == [(2, 1), (4, 2)]
