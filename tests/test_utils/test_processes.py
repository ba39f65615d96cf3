"""Processes that belong together end together."""
import os
import re
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from mmwindow.utils import command_line, processes
from mmwindow.utils.command_line import describe_foreign_error, run_command
from mmwindow.utils.launcher import describe_failures
from mmwindow.utils.processes import rank_of_environment

# A launcher that starts a rank, which writes its id and then works.
LAUNCHER = '''
import subprocess, sys, time
rank = subprocess.Popen([sys.executable, '-c', """
import os, sys, time
from mmwindow.utils.processes import become_rank
become_rank('pytorch')
print(os.getpid(), flush=True)
time.sleep(60)
"""])
time.sleep(60)
'''


def is_alive(pid):
    try:
        with open(f'/proc/{pid}/stat') as stream:
            return stream.read().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def test_a_rank_ends_with_its_killed_launcher():
    launcher = subprocess.Popen([sys.executable, '-c', LAUNCHER], stdout=subprocess.PIPE, text=True)
    rank = int(launcher.stdout.readline())
    try:
        assert is_alive(rank)
        launcher.kill()
        launcher.wait()
        ends = time.monotonic() + 10
        while is_alive(rank) and time.monotonic() < ends:
            time.sleep(.02)
        assert not is_alive(rank)
    finally:
        launcher.stdout.close()
        if is_alive(rank):
            os.kill(rank, signal.SIGKILL)


@pytest.mark.parametrize('environment, rank', [
    ({}, 0), ({'RANK': '0'}, 0), ({'RANK': '3'}, 3), ({'SLURM_PROCID': '2'}, 2), ({'RANK': 'x'}, 0)])
def test_the_rank_is_known_before_there_is_a_process_group(environment, rank, monkeypatch):
    for name in ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK'):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert rank_of_environment() == rank


def verb(error, launcher='none'):
    def run(args):
        processes.become_rank(launcher)  # as the commands do: first, but after they have begun
        raise error
    return SimpleNamespace(__doc__='x', add_arguments=lambda parser: None, run=run, STOPPED='resume')


def test_ctrl_c_is_said_by_the_first_rank_alone(monkeypatch, capsys):
    left = []
    monkeypatch.setattr(processes, '_ends_at_once', False)
    monkeypatch.setattr(processes, 'leave', left.append)
    monkeypatch.setattr(processes, 'end_with_parent_process', lambda: None)
    monkeypatch.setattr(processes.signal, 'signal', lambda *_: None)  # of the process of the tests
    for rank, expected in (('0', 'train: resume\n'), ('1', '')):
        monkeypatch.setenv('RANK', rank)
        with pytest.raises(SystemExit) as caught:
            run_command(verb(KeyboardInterrupt(), 'pytorch'), 'tools/train.py', [])
        assert (caught.value.code, capsys.readouterr().err) == (1, expected)
    with pytest.raises(SystemExit):
        run_command(verb(ValueError('a.png: damaged')), 'tools/train.py', [])
    assert capsys.readouterr().err == 'train: rank 1: a.png: damaged\n'
    assert left == [1, 1, 1]
    monkeypatch.setattr(processes, '_ends_at_once', False)
    processes.end_rank()  # the only process of a command goes on, whatever RANK is in its shell
    assert processes.launched_rank() == 0 and left == [1, 1, 1]


def torch_error():
    """Return the error that torch raises where a checkpoint does not fit on a disk."""
    import torch
    try:
        torch.save({'weight': torch.ones(1 << 18)}, '/dev/full')
    except RuntimeError as error:
        return error
    raise AssertionError('torch noticed nothing')


@pytest.mark.parametrize('error, words', [
    (torch_error, 'disk full|No space left'),
    (lambda: RuntimeError('DataLoader worker (pid(s) 7) exited unexpectedly'),
     'memory may be too small'),
    (lambda: RuntimeError('[gloo/pair.cc:534] Connection closed by peer [127.0.0.1]:5'),
     'another process .* has ended'),
    (lambda: MemoryError('Unable to allocate 9 GiB'), 'memory is too small .Unable to allocate 9')])
def test_errors_of_torch_and_of_the_machine_are_one_line(error, words, capsys):
    with pytest.raises(SystemExit) as caught:
        run_command(verb(error()), 'tools/train.py', [])
    text = capsys.readouterr().err
    assert caught.value.code == 1 and text.count('\n') == 1
    assert re.search(words, text)


def test_another_runtime_error_keeps_its_traceback():
    assert describe_foreign_error(RuntimeError('mat1 and mat2 shapes cannot be multiplied')) is None
    with pytest.raises(RuntimeError, match='mat1'):
        run_command(verb(RuntimeError('mat1 and mat2')), 'tools/train.py', [])


def test_the_launcher_says_only_what_no_rank_could_say():
    failure = SimpleNamespace(exitcode=1, pid=7)
    killed = SimpleNamespace(exitcode=-9, pid=8)
    ended = SimpleNamespace(exitcode=-15, pid=9)
    assert describe_failures({0: failure, 2: ended}) is None
    assert describe_failures({}) is None
    assert 'rank 1 (process 8) was ended by SIGKILL' in describe_failures({0: ended, 1: killed})


def test_a_rank_is_interrupted_once_and_again_where_that_was_lost(monkeypatch):
    """torchrun passes on a Ctrl-C that the terminal has sent to each rank already."""
    monkeypatch.setattr(processes, '_interrupted', threading.Event())
    handler = processes.Interruption(patience=.05)
    assert not processes.is_interrupted()
    before = signal.signal(signal.SIGINT, handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        handler.patience = 3600.  # of the second timer, which is not waited for
        signal.raise_signal(signal.SIGINT)  # while the first is handled: nothing
        with pytest.raises(KeyboardInterrupt):  # as if a callback had swallowed it
            time.sleep(20)
    finally:
        signal.signal(signal.SIGINT, before)
    assert processes.is_interrupted()  # the watch over ranks has nothing to say any more


def test_ctrl_c_in_the_middle_of_an_error_says_stopped(capsys, monkeypatch):
    """torch.save turns it into an error of its own; it may also come while an error is described."""
    def save():
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError('[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0')

    def lose():
        raise RuntimeError('Connection closed by peer')

    def interrupt(error):
        raise KeyboardInterrupt
    for work in (save, lose):
        if work is lose:
            monkeypatch.setattr(command_line, 'describe_foreign_error', interrupt)
        with pytest.raises(SystemExit) as stop, command_line.one_line_errors('train', 'stopped here'):
            work()
        assert stop.value.code == 1 and capsys.readouterr().err == 'train: stopped here\n'
