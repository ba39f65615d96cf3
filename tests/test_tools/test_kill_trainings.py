"""The tool that kills trainings: what it compares, and that it leaves no process behind."""
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.imported_tools import imported_tool

ROOT = Path(__file__).parents[2]
TREE = ("import subprocess, time; subprocess.Popen(['sleep', '600']); print('up', flush=True); "
        "time.sleep(600)")


@pytest.fixture(scope='module')
def tool():
    with imported_tool('kill_trainings') as module:
        yield module


def test_a_digest_sees_every_bit_and_no_order_of_keys(tool):
    state = dict(a=torch.tensor([1., 2.]), b=dict(step=3, empty=torch.empty(0)))
    assert tool.digest(state) == tool.digest(dict(reversed(state.items())))
    for other in (dict(state, a=torch.tensor([1., 2.0000002])), dict(state, b=dict(step=4)),
                  dict(state, a=torch.tensor([[1., 2.]])), dict(state, a=torch.tensor([1, 2]))):
        assert tool.digest(other) != tool.digest(state)


def test_a_kill_takes_all_processes_and_is_placed(tool, tmp_path):
    target = tool.Target('sleep', lambda work: [sys.executable, '-c', TREE], ('training', ))
    run = tool.Run(target, tmp_path, {})
    while 'up' not in (tmp_path / 'output.txt').read_text():
        time.sleep(0.02)
    every = [run.process.pid, *tool.descendants(run.process.pid)]
    assert len(every) == 2 and all(map(tool.is_alive, every))
    (tmp_path / 'training/1').mkdir(parents=True)
    assert run.place() == 'start'
    for line, place in (('Epoch(train)  [1][2/3]', 'steps'), ('Saving checkpoint at 1', 'checkpoint'),
                        ('Epoch(val) [1][1/2]', 'validation')):
        with open(tmp_path / 'training/1/1.log', 'a') as log:
            log.write(f'{line}\n')
        assert run.place() == place
    (tmp_path / 'training/.epoch_1.pth.0.part').touch()
    assert run.place() == 'checkpoint'
    assert run.kill(rank_only=False) == 0
    assert not any(map(tool.is_alive, every))


def test_a_moment_that_does_not_come_ends_with_the_command(tool, tmp_path):
    run = tool.Run(tool.Target('true', lambda work: ['true'], ()), tmp_path, {})
    assert not tool.wait_for_moment(run, 'step', tool.np.random.default_rng(0), 1.)


@pytest.mark.long
def test_a_killed_training_of_two_ranks_ends_as_the_uncut_one(tmp_path):
    subprocess.run([sys.executable, str(ROOT / 'tools/kill_trainings.py'), '--out', str(tmp_path),
                    '--kills', '2', '--targets', 'train_two_ranks', '--results',
                    str(tmp_path / 'results')], check=True)
    result = json.loads((tmp_path / 'results/train_two_ranks.json').read_text())
    assert result['num_kills'] == 2 and result['num_equal'] == result['num_runs']
