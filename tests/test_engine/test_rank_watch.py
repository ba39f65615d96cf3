"""A rank that does not answer is named, and a killed launcher takes its ranks along."""
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mmwindow.engine.hooks import RankWatchHook, rank_watch_hook
from mmwindow.engine.hooks.rank_watch_hook import Beat, find_silent_ranks

ROOT = Path(__file__).parents[2]
PATIENCE = 240  # seconds: on a busy machine, an end of two processes takes long


def beat(heard=100., moved=100., steps=5):
    return Beat(1, steps, 'here', heard, moved)


@pytest.mark.parametrize('beats, silent', [
    ({}, {}),
    ({0: beat(), 1: beat()}, {}),
    ({0: beat(), 1: beat(heard=80.)}, {1: 30.}),  # stopped: its process does not answer
    ({0: beat(heard=105, moved=90.), 1: beat(heard=105., moved=70., steps=4)}, {1: 40.}),  # it hangs
    ({0: beat(heard=109., moved=10.), 1: beat(heard=109., moved=10.)}, {}),  # all compute a metric
    ({0: beat(heard=109., moved=101., steps=4), 1: beat(heard=109., moved=102.)}, {}),  # a slow one
])
def test_only_a_rank_that_the_others_wait_for_is_silent(beats, silent):
    assert find_silent_ranks(beats, now=110., seconds=20.) == silent


def test_a_rank_is_heard_by_its_number_and_moves_by_its_steps(monkeypatch):
    clock = iter([1., 2., 3.])
    monkeypatch.setattr(time, 'monotonic', lambda: next(clock))
    hook = RankWatchHook(7.)
    for number, steps in ((1, 4), (2, 4), (2, 6)):
        hook.hear(1, number, steps, 'process 5 on a')
    assert (hook.beats[1].heard, hook.beats[1].moved) == (2., 3.)
    assert re.search(r'rank 1 \(process 5 on a\) has not answered for 30 s', hook.describe(1, 30.))


def test_the_time_out_is_a_setting(monkeypatch):
    assert RankWatchHook().seconds == 1800
    monkeypatch.setenv('MMWINDOW_RANK_TIMEOUT', '60')
    assert (RankWatchHook().seconds, RankWatchHook(9.).seconds) == (60, 9)
    for text in ('soon', '-1', 'nan', 'inf'):
        monkeypatch.setenv('MMWINDOW_RANK_TIMEOUT', text)
        with pytest.raises(ValueError, match='MMWINDOW_RANK_TIMEOUT is'):
            RankWatchHook()


def test_a_run_after_another_is_watched_too(monkeypatch):
    """A runner may train and then test; each run has a thread, which ends with it."""
    monkeypatch.setattr(rank_watch_hook.torch_distributed, 'is_available', lambda: True)
    monkeypatch.setattr(rank_watch_hook.torch_distributed, 'is_initialized', lambda: True)
    monkeypatch.setattr(rank_watch_hook.torch_distributed, 'get_world_size', lambda: 2)
    watched = []
    monkeypatch.setattr(RankWatchHook, '_watch', lambda hook: watched.append(
        (hook.is_over, hook.is_over.is_set(), dict(hook.beats))))
    hook = RankWatchHook(7.)
    for _ in range(2):
        hook.before_run(None)
        hook.hear(1, 1, 1, 'here')
        hook.after_run(None)
    for thread in threading.enumerate():
        if thread.name == 'mmwindow ranks':
            thread.join()
    assert [was_over for _, was_over, _ in watched] == [False, False]
    assert [event.is_set() for event, _, _ in watched] == [True, True]
    assert watched[1][2] == {}


def find_ranks(launcher):
    """Return rank -> process id of the children of a launcher."""
    ranks = {}
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            fields = stat.read_text().rpartition(')')[2].split()
            if int(fields[1]) == launcher.pid and fields[0] != 'Z':
                environment = (stat.parent / 'environ').read_bytes().split(b'\0')
                rank = next(item[5:] for item in environment if item.startswith(b'RANK='))
                ranks[int(rank)] = int(stat.parent.name)
        except (OSError, StopIteration):
            continue
    return ranks


@pytest.fixture
def launched(write_tiny_config, tmp_path, request):
    """Start a training without end on two ranks; return launcher, ranks and log, once it trains.

    The parameter is the seconds after which a rank is silent. On a busy machine a rank takes seconds
    to end: with a short time-out the others say that it is silent before they have ended, too.
    """
    config = write_tiny_config(tmp_path / 'tiny.py', batch_size=1, max_epochs=1000)
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        port = str(listener.getsockname()[1])
    log = tmp_path / 'log.txt'
    with open(log, 'wb') as stream:
        launcher = subprocess.Popen(
            [ROOT / 'tools/dist_train.sh', config, '2', '--work-dir', tmp_path / 'work'],
            stdout=stream, stderr=subprocess.STDOUT, cwd=ROOT, start_new_session=True,
            env={**os.environ, 'PORT': port, 'OMP_NUM_THREADS': '1', 'PYTHONWARNINGS': 'ignore',
                 'MMWINDOW_RANK_TIMEOUT': getattr(request, 'param', '600'),
                 'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}'})
    try:
        # After the first validation, in which numba compiles: Python drops a Ctrl-C in its callbacks.
        wait_for(lambda: any(int(path.stem[6:]) >= 3 for path in tmp_path.glob('work/epoch_*.pth')),
                 PATIENCE, log)
        yield launcher, find_ranks(launcher), log
    finally:
        for pid in [launcher.pid, *find_ranks(launcher).values()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        launcher.wait()


def wait_for(condition, seconds, log):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, log.read_text()[-3000:]
        time.sleep(.1)


def is_alive(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


@pytest.mark.long
@pytest.mark.parametrize('launched', ['4'], indirect=True)
def test_a_stopped_rank_is_named_and_all_end(launched):
    launcher, ranks, log = launched
    assert sorted(ranks) == [0, 1]
    os.kill(ranks[1], signal.SIGSTOP)
    assert launcher.wait(PATIENCE) == 1
    text = log.read_text()
    assert re.search(rf'rank 1 \(process {ranks[1]} on .*\) has not answered for \d+ s', text)
    assert 'Traceback' not in text and text.count('has not answered') == 1
    assert not any(map(is_alive, ranks.values()))


@pytest.mark.long
def test_a_killed_launcher_takes_the_ranks_of_a_training_along(launched):
    launcher, ranks, log = launched
    os.kill(launcher.pid, signal.SIGKILL)
    wait_for(lambda: not any(map(is_alive, ranks.values())), 10, log)


@pytest.mark.long
def test_a_killed_rank_ends_a_training_with_one_line(launched):
    launcher, ranks, log = launched
    before = len(log.read_text())
    os.kill(ranks[1], signal.SIGKILL)
    assert launcher.wait(PATIENCE) == 1
    text = log.read_text()[before:]
    assert f'rank 1 (process {ranks[1]}) was ended by SIGKILL' in text and 'Traceback' not in text


@pytest.mark.long
def test_ctrl_c_ends_all_ranks_with_one_line(launched):
    launcher, ranks, log = launched
    os.killpg(launcher.pid, signal.SIGINT)  # as a terminal sends it
    assert launcher.wait(PATIENCE) == 1
    text = log.read_text()
    assert text.count('train: stopped; ') == 1 and 'Traceback' not in text
    assert not any(map(is_alive, ranks.values()))
