"""Several processes: torchrun on one machine, Slurm by a stand-in for srun."""
import argparse
import json
import os
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from mmwindow import cli

ROOT = Path(__file__).parents[2]
STUB_SRUN = """#!/usr/bin/env bash
printf '%s\\n' "$@" > "$RECORD.srun"
while [ "$1" != python ]; do shift; done
exec "$@"
"""
STUB_PYTHON = """#!/usr/bin/env bash
printf '%s\\n' "$@" > "$RECORD.python"
echo "$PYTHONPATH" > "$RECORD.path"
"""


def start(script, *arguments, path, **env):
    result = subprocess.run(
        [str(ROOT / 'tools' / script), *map(str, arguments)], capture_output=True, text=True,
        check=False, timeout=500, env={**os.environ, 'PATH': f'{path}:{os.environ["PATH"]}', **env})
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-3000:]
    return result.stdout + result.stderr


@pytest.mark.parametrize('tool, own, names', [
    ('train', ['my runs/a'], dict(work_dir='my runs/a', config='config.py')),
    ('test', ['best.pth'], dict(checkpoint='best.pth', config='config.py'))])
def test_slurm_scripts_give_srun_its_resources_and_the_tool_its_arguments(
        tool, own, names, tmp_path, monkeypatch):
    for name, text in (('srun', STUB_SRUN), ('python', STUB_PYTHON)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    record = tmp_path / 'record'
    start(f'slurm_{tool}.sh', 'gpu', 'my job', 'config.py', *own, '--cfg-options', 'a.b=3',
          path=tmp_path, RECORD=str(record), GPUS='8', GPUS_PER_NODE='2', CPUS_PER_TASK='3',
          SRUN_ARGS='--time=1:00 --mem=8G')
    resources = Path(f'{record}.srun').read_text().splitlines()
    assert resources[:resources.index('python')] == [
        '-p', 'gpu', '--job-name=my job', '--gres=gpu:2', '--ntasks=8', '--ntasks-per-node=2',
        '--cpus-per-task=3', '--kill-on-bad-exit=1', '--time=1:00', '--mem=8G']
    flag, script, *arguments = Path(f'{record}.python').read_text().splitlines()
    assert (flag, Path(script).resolve()) == ('-u', ROOT / f'tools/{tool}.py')
    assert Path(Path(f'{record}.path').read_text().split(':')[0]).resolve() == ROOT
    # The tool itself understands them.
    parser = argparse.ArgumentParser()
    import_module(cli.VERBS[tool].module).add_arguments(parser)
    parsed = vars(parser.parse_args(arguments))
    expected = {**names, 'launcher': 'slurm', 'cfg_options': {'a.b': 3}}
    assert {key: parsed[key] for key in expected} == expected


@pytest.mark.parametrize('tool, own', [('train', []), ('test', ['best.pth'])])
def test_scripts_give_the_launcher_its_processes_and_the_tool_its_arguments(tool, own, tmp_path):
    (tmp_path / 'python').write_text(STUB_PYTHON)
    (tmp_path / 'python').chmod(0o755)
    record = tmp_path / 'record'
    start(f'dist_{tool}.sh', 'my config.py', *own, '2', '--work-dir', 'my runs/a', path=tmp_path,
          RECORD=str(record), PORT='29777', NNODES='3', NODE_RANK='1', MASTER_ADDR='10.0.0.1')
    arguments = Path(f'{record}.python').read_text().splitlines()
    assert arguments[:7] == [
        '-m', 'mmwindow.utils.launcher', '--nnodes=3', '--node_rank=1', '--master_addr=10.0.0.1',
        '--master_port=29777', '--nproc_per_node=2']
    assert Path(arguments[7]).resolve() == ROOT / f'tools/{tool}.py'
    assert arguments[8:] == [
        'my config.py', *own, '--launcher', 'pytorch', '--work-dir', 'my runs/a']


@pytest.mark.parametrize('script', ['dist_train', 'dist_test', 'slurm_train', 'slurm_test'])
def test_a_script_without_its_arguments_says_what_it_wants(script):
    result = subprocess.run([str(ROOT / f'tools/{script}.sh')], capture_output=True, text=True,
                            check=False)
    assert result.returncode == 2
    assert f'tools/{script}.sh' in result.stderr and 'CONFIG' in result.stderr


@pytest.mark.long  # four processes import torch and mmdet
def test_four_processes_train_two_steps_on_a_cpu(tiny_run, tmp_path):
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        port = str(listener.getsockname()[1])
    output = start(
        'dist_train.sh', tiny_run.config, 4, '--work-dir', tmp_path, '--cfg-options',
        'train_dataloader.batch_size=1', path=Path(sys.executable).parent, PORT=port,
        OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='', PYTHONWARNINGS='ignore')
    scalars = [json.loads(line) for path in tmp_path.rglob('scalars.json')
               for line in path.read_text().splitlines()]
    steps = [row['step'] for row in scalars if 'loss' in row]
    assert steps == [1, 2], output[-2000:]  # six images on four processes of one: two each
    assert (tmp_path / 'epoch_1.pth').is_file()
    assert 0 <= json.loads((tmp_path / 'validation.json').read_text())['froc/auroc'] <= 1
