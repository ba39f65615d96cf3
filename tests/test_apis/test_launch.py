"""Training and testing through the tools, as a user starts them."""
import json
import os
import re
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmwindow.apis import load_config, train
from mmwindow.apis import test as evaluate  # pytest would collect it under its own name
from mmwindow.apis.config import expand_options
from mmwindow.apis.runner import check_checkpoint
from mmwindow.apis.train import use_mixed_precision
from mmwindow.engine.run_file import read_run
from mmwindow.utils.config_pipelines import find_steps, input_size_of
from tests.forks import Fork, run_program

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures('without_run_figures')
PAPER_CONFIGS = ['windowloss/wl_kld_r50_fpn.py', 'windowloss/wl_mse_r50_fpn.py']
# The paper's model and schedule at a size for tests: input 128, no download, one epoch.
SHRINK = {
    'input_size': 128,
    'train_dataloader.batch_size': 3,
    'train_dataloader.num_workers': 0,
    'val_dataloader.num_workers': 0,
    'test_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'val_dataloader.persistent_workers': False,
    'test_dataloader.persistent_workers': False,
    'model.backbone.depth': 18,
    'model.backbone.base_channels': 8,
    'model.backbone.init_cfg': None,
    'model.neck.in_channels': [8, 16, 32, 64],
    'model.neck.out_channels': 16,
    'model.bbox_head.in_channels': 16,
    'train_cfg.max_epochs': 1,
    'default_hooks.logger.interval': 1,
}


def shrunk(folder, **more):
    places = {f'{split}_dataloader.dataset.data_root': f'{folder}/'
              for split in ('train', 'val', 'test')}
    return {**SHRINK, **places, **more}


def as_arguments(options):
    return [f'{key}={value}'.replace(' ', '') for key, value in options.items()]


def run_tool(*command, env=None):
    result = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, cwd=ROOT, check=False,
        timeout=500, env={**os.environ, 'PYTHONWARNINGS': 'ignore', 'OMP_NUM_THREADS': '1',
                          'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
                          **(env or {})})
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout + result.stderr


def run_here(monkeypatch, capsys, *command):
    """Run a tool in this process; return what it writes."""
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(sys, 'argv', sys.argv)
        status = run_program(command)
    output = ''.join(capsys.readouterr())
    assert status == 0, output[-3000:]
    return output


def run_ranks(number, folder, *command):
    """Run a tool as torchrun does, in forks of this process, with nothing that launches them."""
    place = dict(WORLD_SIZE=str(number), MASTER_ADDR='127.0.0.1', MASTER_PORT=free_port())
    logs = [folder / f'rank{rank}.txt' for rank in range(number)]
    ranks = []
    for rank, log in enumerate(logs):
        with open(log, 'w') as stream:
            ranks.append(Fork(command, stdout=stream, env=dict(
                place, RANK=str(rank), LOCAL_RANK=str(rank))))
    statuses = [rank.wait() for rank in ranks]
    assert statuses == [0] * number, ''.join(log.read_text()[-3000:] for log in logs)


def read_logs(work_dir):
    """Return mmengine's log files, in order of time."""
    return ''.join(path.read_text() for path in sorted(Path(work_dir).rglob('*.log')))


def free_port():
    """Return a port that nobody listens on: several test runs may share a machine."""
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return str(listener.getsockname()[1])


def read_metrics(work_dir):
    """Return the last line with froc/ numbers among the scalars a runner wrote under work_dir."""
    lines = [json.loads(line) for path in sorted(Path(work_dir).rglob('*.json'))
             if path.name != 'run.json' for line in path.read_text().splitlines() if '"froc/' in line]
    return {key: value for key, value in lines[-1].items() if key.startswith('froc/')}


@pytest.mark.smoke
@pytest.mark.parametrize('config', PAPER_CONFIGS)
def test_paper_configs_train_and_evaluate_when_shrunk(config, tiny_dataset, tmp_path):
    runner = train(ROOT / 'configs' / config, work_dir=tmp_path, cfg_options=shrunk(tiny_dataset))
    assert runner.iter == 2  # six images in batches of three
    assert list(tmp_path.glob('best_froc_auroc_epoch_1.pth'))
    metrics = evaluate(ROOT / 'configs' / config, tmp_path / 'epoch_1.pth',
                   work_dir=tmp_path / 'test', cfg_options=shrunk(tiny_dataset),
                   out=tmp_path / 'predictions.pkl')
    assert {'froc/auroc', 'froc/recall@0.1', 'froc/froc_score'} <= set(metrics)
    assert all(0 <= metrics[key] <= 1 for key in metrics)
    assert (tmp_path / 'predictions.pkl').stat().st_size > 0


def test_paper_configs_hold_the_paper_to_the_letter():
    cfg = load_config(ROOT / 'configs' / PAPER_CONFIGS[0])
    assert cfg.optim_wrapper.optimizer == dict(type='Adam', lr=4e-5, weight_decay=1e-3)
    assert cfg.train_cfg.max_epochs == 100
    assert cfg.train_dataloader.batch_size * 4 == 48
    assert cfg.model.backbone.depth == 50
    assert cfg.model.backbone.init_cfg.checkpoint == 'torchvision://resnet50'
    assert input_size_of(cfg) == (1024, 1024)
    (_, bounds), = find_steps(cfg, 'PointToBoundTransform')
    assert bounds == dict(
        type='PointToBoundTransform', lower_radius=50, upper_radius=200, softness=2)
    assert 'param_scheduler' not in cfg
    assert (cfg.default_hooks.checkpoint.save_best, cfg.default_hooks.checkpoint.rule) == (
        'froc/auroc', 'greater')
    assert cfg.train_cfg.val_interval == 1


def test_mse_differs_from_kld_by_one_line():
    lines = [(ROOT / 'configs' / config).read_text().splitlines() for config in PAPER_CONFIGS]
    assert sum(a != b for a, b in zip(*lines, strict=True)) == 1


def test_data_place_is_one_variable(tmp_path, monkeypatch):
    monkeypatch.setenv('MMWINDOW_DATA', str(tmp_path))
    cfg = load_config(ROOT / 'configs' / PAPER_CONFIGS[0])
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        assert dataset.data_root == f'{tmp_path}/'
        assert dataset.ann_file == f'annotations/{split}.json'


@pytest.mark.parametrize('change, message', [
    ({'lower_radius': 300}, 'lower_radius 300 is larger than upper_radius 200'),
    ({'softness': -1}, 'softness is -1; it must be finite and not negative')])
def test_a_window_that_cannot_be_meant_stops_before_training(
        change, message, tiny_dataset, tmp_path):
    options = {f'window.{key}': value for key, value in change.items()}
    with pytest.raises(ValueError, match=message):
        train(ROOT / 'configs' / PAPER_CONFIGS[0], work_dir=tmp_path,
              cfg_options=shrunk(tiny_dataset, **options))
    assert not list(tmp_path.rglob('*.pth'))


@pytest.mark.smoke
def test_two_cpu_ranks_give_the_metric_of_one_process(tiny_dataset, tmp_path):
    """dist_train.sh with 2 processes: 2 steps, then a validation whose 5 images split unevenly."""
    config = ROOT / 'configs' / PAPER_CONFIGS[0]
    options = shrunk(tiny_dataset, **{'train_dataloader.batch_size': 2,
                                      'default_hooks.checkpoint.save_best': None})
    arguments = ['--cfg-options', *as_arguments(options)]
    run_tool(ROOT / 'tools/dist_train.sh', config, 2, '--work-dir', tmp_path / 'train',
             *arguments, env={'PORT': free_port()})
    two_ranks = read_metrics(tmp_path / 'train')
    checkpoint = tmp_path / 'train' / 'epoch_1.pth'
    on_val = {**options, 'test_dataloader.dataset.ann_file': 'annotations/val.json'}
    one_process = evaluate(config, checkpoint, work_dir=tmp_path / 'one', cfg_options=on_val)
    assert len(two_ranks) >= 7
    assert two_ranks == pytest.approx(one_process, abs=1e-12, nan_ok=True)
    # What dist_test.sh calls is in tests/test_mmdet/test_launchers.py.
    run_ranks(2, tmp_path, sys.executable, ROOT / 'tools/test.py', config, checkpoint, '--launcher',
              'pytorch', '--work-dir', tmp_path / 'two', '--cfg-options', *as_arguments(on_val))
    assert read_metrics(tmp_path / 'two') == pytest.approx(one_process, abs=1e-12, nan_ok=True)


@pytest.mark.smoke
def test_resume_goes_on_after_a_cut(tiny_dataset, tmp_path, monkeypatch, capsys):
    config = ROOT / 'configs' / PAPER_CONFIGS[0]
    options = shrunk(tiny_dataset)
    train(config, work_dir=tmp_path, cfg_options=options)
    longer = {**options, 'train_cfg.max_epochs': 2}
    output = run_here(monkeypatch, capsys, sys.executable, ROOT / 'tools/train.py', config,
                      '--work-dir', tmp_path, '--resume', '--cfg-options', *as_arguments(longer))
    assert 'resumed epoch: 1, iter: 2' in read_logs(tmp_path)
    assert len(output.splitlines()) < 20 and '6 images to train, 5 images to validate' in output
    run = read_run(tmp_path)
    assert (run.epoch, run.is_finished, run.classes, run.input_size) == (
        2, True, ('fracture',), (128, 128))
    assert (tmp_path / run.best.checkpoint).exists() and 'froc/auroc' in output
    assert (tmp_path / 'epoch_2.pth').exists()


def write_cut_training(folder):
    """Write what a kill leaves: epoch 1 whole, epoch 2 cut short, and named as the last."""
    torch.save(dict(state_dict=dict(weight=torch.zeros(500))), folder / 'epoch_1.pth')
    content = (folder / 'epoch_1.pth').read_bytes()
    (folder / 'epoch_2.pth').write_bytes(content[:len(content) // 2])
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_2.pth'))


@pytest.mark.parametrize('launcher, env, resumes_from', [
    ('none', {}, 'epoch_1.pth'), ('none', {'SLURM_PROCID': '3'}, 'epoch_1.pth'),
    ('pytorch', {'RANK': '0'}, 'epoch_1.pth'), ('pytorch', {'RANK': '1'}, 'epoch_2.pth')])
def test_resume_passes_over_a_checkpoint_that_was_cut(
        launcher, env, resumes_from, tmp_path, monkeypatch):
    """Rank 0 alone mends the folder, before the process group forms."""
    write_cut_training(tmp_path)
    for name in ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK'):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)

    class Started(Exception):
        pass

    def build_runner(cfg, verbose):
        assert cfg.resume and cfg.load_from is None
        raise Started((tmp_path / 'last_checkpoint').read_text())

    monkeypatch.setattr(import_module('mmwindow.apis.train'), 'build_runner', build_runner)
    with pytest.raises(Started, match=resumes_from):
        train(ROOT / 'configs' / PAPER_CONFIGS[0], work_dir=tmp_path, launcher=launcher,
              resume='auto')
    assert (tmp_path / 'epoch_2.pth').exists() == (resumes_from == 'epoch_2.pth')


@pytest.mark.parametrize('has_checkpoint', [False, True])
def test_weights_of_the_config_are_taken_where_there_is_nothing_to_go_on_from(
        has_checkpoint, tmp_path, monkeypatch):
    (tmp_path / 'work').mkdir()
    if has_checkpoint:
        write_cut_training(tmp_path / 'work')
    torch.save({}, tmp_path / 'pretrained.pth')
    started = []

    def build_runner(cfg, verbose):
        started.append((bool(cfg.resume), cfg.load_from))
        raise InterruptedError

    monkeypatch.setattr(import_module('mmwindow.apis.train'), 'build_runner', build_runner)
    for options in ({'load_from': str(tmp_path / 'pretrained.pth')}, {}):
        with pytest.raises(InterruptedError):
            train(ROOT / 'configs' / PAPER_CONFIGS[0], work_dir=tmp_path / 'work', resume='auto',
                  cfg_options=options)
    assert started == ([(True, None)] * 2 if has_checkpoint else [
        (False, str(tmp_path / 'pretrained.pth')), (False, None)])


def test_a_cut_checkpoint_is_named(tmp_path):
    write_cut_training(tmp_path)
    config = ROOT / 'configs' / PAPER_CONFIGS[0]
    for call in (lambda: evaluate(config, tmp_path / 'epoch_2.pth'),
                 lambda: train(config, work_dir=tmp_path, resume=tmp_path / 'epoch_2.pth')):
        with pytest.raises(ValueError, match='epoch_2.pth: it is incomplete'):
            call()
    check_checkpoint(tmp_path / 'epoch_1.pth')
    torch.save({}, tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    check_checkpoint(tmp_path / 'old.pth')  # the format before torch 1.6 has no index


def test_amp_switches_the_optimizer_wrapper(monkeypatch):
    for has_gpu, wrapper in ((False, 'BFloat16OptimWrapper'), (True, 'Float16OptimWrapper')):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda has_gpu=has_gpu: has_gpu)
        cfg = load_config(ROOT / 'configs' / PAPER_CONFIGS[0])
        use_mixed_precision(cfg)
        assert cfg.optim_wrapper.type == wrapper
        assert cfg.optim_wrapper.get('loss_scale') == ('dynamic' if has_gpu else None)
        assert cfg.optim_wrapper.optimizer == dict(type='Adam', lr=4e-5, weight_decay=1e-3)


@pytest.mark.smoke
def test_amp_trains_in_bfloat16_without_a_gpu(tiny_dataset, tmp_path, monkeypatch, capsys):
    run_here(monkeypatch, capsys, sys.executable, ROOT / 'tools/train.py',
             ROOT / 'configs' / PAPER_CONFIGS[0],
             '--work-dir', tmp_path, '--amp', '--cfg-options', *as_arguments(shrunk(tiny_dataset)))
    losses = [float(value) for value in re.findall(r'  loss: ([0-9.a-z]+)', read_logs(tmp_path))]
    assert 'BFloat16OptimWrapper' in next(tmp_path.glob('*.py')).read_text()
    assert len(losses) == 2
    assert all(0 < value < 10 for value in losses)


@pytest.mark.smoke
def test_stock_mmdet_train_script_runs_our_config(tiny_dataset, tmp_path):
    import mmdet
    script = Path(mmdet.__file__).parent / '.mim/tools/train.py'
    if not script.exists():
        pytest.skip(f'this mmdet was installed without its tools ({script} is missing)')
    # The script knows nothing of mmwindow: custom_imports in the config does it all.
    config = ROOT / 'configs' / PAPER_CONFIGS[0]
    options = expand_options(Config.fromfile(str(config)), shrunk(tiny_dataset))
    run_tool(sys.executable, script, config, '--work-dir', tmp_path,
             '--cfg-options', *as_arguments(options))
    assert (tmp_path / 'epoch_1.pth').exists()


def test_missing_config_and_checkpoint_are_named(tmp_path):
    with pytest.raises(ValueError, match='nowhere.py: there is no such file.*mmwindow::'):
        load_config(tmp_path / 'nowhere.py')
    with pytest.raises(ValueError, match='nothing.pth: there is no such file'):
        evaluate(ROOT / 'configs' / PAPER_CONFIGS[0], tmp_path / 'nothing.pth')
    with pytest.raises(ValueError, match='must end in .npz'):
        evaluate(ROOT / 'configs' / PAPER_CONFIGS[0], 'https://x/y.pth',
                        out=tmp_path / 'a.json')


def test_auto_scale_needs_a_base_batch_size(tiny_dataset, tmp_path):
    with pytest.raises(ValueError, match='auto_scale_lr.base_batch_size'):
        train(ROOT / 'configs/windowloss/wl_kld_lite0_fpn_synthetic.py', work_dir=tmp_path,
              auto_scale_lr=True)
