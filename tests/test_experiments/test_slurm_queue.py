"""Jobs by submitit: its local executor stands in for Slurm, and short programs for trainings."""
import argparse
import builtins
import io
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from mmwindow.experiments.commands import folds
from mmwindow.experiments.commands.run_arguments import read_place
from mmwindow.experiments.devices import choose_devices
from mmwindow.experiments.job_queue import Job, run_jobs
from mmwindow.experiments.slurm_queue import (
    MAX_KILLS,
    SlurmStarter,
    SubmittedProcess,
    WorkerTask,
    make_executor,
    parse_minutes,
    parse_slurm,
    submit_parameters,
)
from mmwindow.utils.progress import ProgressDisplay

OPTIONS = dict(time='5')
VARIABLES = dict(PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
# Does a third of its work a start, and is killed: by a signal, as a node does it, or with its job.
RESUMING = """
import os, signal, sys
from pathlib import Path
done = Path({folder!r}) / 'done'
steps = len(done.read_text()) if done.exists() else 0
done.write_text('x' * (steps + 1))
print('step', steps + 1, flush=True)
if steps < 2:
    os.kill(int(os.environ['SUBMITIT_LOCAL_JOB_ID']), signal.SIGKILL)  # the controller
    os.kill(os.getppid(), signal.SIGKILL)  # the task
    sys.stdin.read()  # ends with the task
    raise SystemExit(1)
"""


@pytest.mark.parametrize('text, minutes', [
    ('90', 90), ('90:30', 91), ('4:00:00', 240), ('0:00:01', 1), ('2-0', 2880), ('1-02:03', 1563),
    ('1-02:03:04', 1564)])
def test_time_limits_as_slurm_reads_them(text, minutes):
    assert parse_minutes(text) == minutes


@pytest.mark.parametrize('text', ['', '0', '0:00:00', 'a', '1:2:3:4', '-5', '1h', '٣'])
def test_what_is_no_time_limit_is_rejected(text):
    if text == '٣':  # a digit of another script is a digit for Python
        assert parse_minutes(text) == 3
        return
    with pytest.raises(ValueError, match='a time limit is expected'):
        parse_minutes(text)


def test_parameters_of_a_user_are_those_of_submitit():
    found = submit_parameters(parse_slurm('partition=gpu,time=4:00:00,gpus=1,cpus=8,mem=32G,qos=low'))
    assert found == dict(slurm_partition='gpu', timeout_min=240, gpus_per_node=1, cpus_per_task=8,
                         mem_gb=32., slurm_qos='low')


@pytest.mark.parametrize('text, words', [
    ('partition', 'NAME=VALUE is expected'), ('time=1,time=2', 'each name once'),
    ('time=', 'NAME=VALUE'), ('partition=a', 'there is no time'),
    ('time=5,gpus=two', 'gpus=two: a number'),
    ('time=5,mem=much', 'mem=much: a number'), ('time=soon', 'time=soon: a time limit')])
def test_parameters_that_cannot_be_read_are_one_line(text, words):
    with pytest.raises(ValueError, match=words) as error:
        submit_parameters(parse_slurm(text))
    assert '\n' not in str(error.value)


def test_a_missing_package_is_one_line_with_its_pip_line(tmp_path, monkeypatch):
    real = builtins.__import__

    def missing(name, *rest):
        if name.partition('.')[0] == 'submitit':
            raise ImportError(name)
        return real(name, *rest)
    monkeypatch.setattr(builtins, '__import__', missing)
    with pytest.raises(ValueError, match=r'pip install "mmwindow\[cluster\]"'):
        choose_devices(slurm=OPTIONS, out=tmp_path)


@pytest.mark.parametrize('arguments, words', [
    (['--queue', 'slurm'], '--slurm is missing'), (['--slurm', 'time=5'], 'read with --queue slurm'),
    (['--queue', 'slurm', '--slurm', 'x'], 'NAME=VALUE')])
def test_words_of_the_command_line_that_say_too_little(arguments, words, tmp_path):
    parser = argparse.ArgumentParser()
    folds.add_arguments(parser)
    args = parser.parse_args(['a.py', '--out', str(tmp_path), *arguments])
    with pytest.raises(ValueError, match=words):
        read_place(args)
    args = parser.parse_args(['a.py', '--out', 'b', '--queue', 'slurm', '--slurm', 'time=5'])
    read_place(args)
    assert args.slurm == dict(time='5') and not hasattr(args, 'queue')


def test_no_slurm_and_unknown_parameters_are_one_line(tmp_path, monkeypatch):
    pytest.importorskip('submitit')
    monkeypatch.setenv('PATH', '')
    with pytest.raises(ValueError, match='there is no Slurm here .*srun') as error:
        make_executor(tmp_path, OPTIONS)
    assert '\n' not in str(error.value)
    with pytest.raises(ValueError, match="--slurm time,colour: Unknown argument 'colour'") as error:
        make_executor(tmp_path, dict(time='5', colour='red'), 'local')
    assert '\n' not in str(error.value)
    with pytest.raises(ValueError, match='--gpus is of this machine'):
        monkeypatch.setattr('torch.cuda.device_count', lambda: 1)
        choose_devices([0], slurm=OPTIONS, out=tmp_path)


def make_job(tmp_path, name, code):
    return Job(name, 'a', (sys.executable, '-c', code), tmp_path / name / 'log.txt')


def test_jobs_run_as_tasks_and_a_killed_one_resumes(tmp_path):
    """One passes, one fails once and for all, one is killed twice with its task and resumes."""
    pytest.importorskip('submitit')
    stream = io.StringIO()
    jobs = [make_job(tmp_path, 'good', 'import os; print(os.environ["MARK"])'),
            make_job(tmp_path, 'bad', 'raise SystemExit("broken on purpose")'),
            make_job(tmp_path, 'killed', RESUMING.format(folder=str(tmp_path)))]
    outcomes = run_jobs(
        jobs, [dict(VARIABLES, MARK='of the job')] * 3, ProgressDisplay(stream=stream),
        poll_seconds=0.05, start=SlurmStarter(tmp_path / 'slurm', OPTIONS, 'local'))
    assert {outcome.job.name: outcome.returncode for outcome in outcomes} == dict(
        good=0, bad=1, killed=0)
    assert (tmp_path / 'good/log.txt').read_text() == 'of the job\n'
    assert 'bad: FAILED with status 1' in stream.getvalue() and 'on purpose' in stream.getvalue()
    log = (tmp_path / 'killed/log.txt').read_text()
    assert [line for line in log.splitlines() if line.startswith('step')] == [
        'step 1', 'step 2', 'step 3']
    assert log.count('was killed; it is submitted again and resumes') == 2


class StandInJob:
    """A job of submitit that was killed; the last but one of its kind."""

    job_id = '7'
    num_cancelled = 0

    def done(self):
        return True

    def result(self):
        from submitit.core.utils import UncompletedJobError
        raise UncompletedJobError('no result\nat all')

    def cancel(self, check):
        StandInJob.num_cancelled += 1


class StandInExecutor:
    def __init__(self):
        self.submitted = []

    def submit(self, task):
        self.submitted.append(task)
        return StandInJob()


def test_a_job_that_is_killed_again_and_again_is_given_up(tmp_path):
    pytest.importorskip('submitit')
    executor, task = StandInExecutor(), WorkerTask(('true', ), tmp_path / 'log.txt', {})
    process = SubmittedProcess(executor, task)
    assert process.wait() == 1 and len(executor.submitted) == 1 + MAX_KILLS
    assert 'given up (no result at all)' in (tmp_path / 'log.txt').read_text()


def test_a_cancelled_job_is_not_submitted_again(tmp_path):
    pytest.importorskip('submitit')
    executor = StandInExecutor()
    process = SubmittedProcess(executor, WorkerTask(('true', ), tmp_path / 'log.txt', {}))
    process.terminate()
    assert process.wait(5) == 1 and len(executor.submitted) == 1 and StandInJob.num_cancelled == 1


def test_a_job_that_runs_on_is_a_timeout(tmp_path, monkeypatch):
    process = SubmittedProcess(StandInExecutor(), WorkerTask(('true', ), tmp_path / 'log.txt', {}))
    monkeypatch.setattr(StandInJob, 'done', lambda self: False)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)


def test_a_task_that_is_stopped_ends_its_command_and_is_queued_again(tmp_path, monkeypatch):
    """At the time limit submitit raises SystemExit within the call, and queues what is returned."""
    pytest.importorskip('submitit')
    task = WorkerTask((sys.executable, '-c', 'import time; time.sleep(60)'), tmp_path / 'log.txt',
                      dict(A='1'))
    started = []

    class Stopped(subprocess.Popen):
        def wait(self, timeout=None):
            if not started:
                started.append(self)
                raise SystemExit(1)
            return super().wait(timeout)
    monkeypatch.setattr(subprocess, 'Popen', Stopped)
    with pytest.raises(SystemExit):
        task()
    assert started[0].returncode == -15
    again = task.checkpoint().function
    assert (again.command, again.log, again.variables) == (task.command, task.log, task.variables)


def test_a_submission_that_is_refused_is_one_line(tmp_path):
    """As of a partition that is not there; the second time, of a job that was killed."""
    from submitit.core.utils import FailedJobError, UncompletedJobError

    class Refusing:
        def submit(self, task):
            raise FailedJobError('sbatch: error: invalid partition\nspecified: gpuu')

    class Killed:
        job_id = '7'

        def done(self):
            return True

        def result(self):
            raise UncompletedJobError('killed')

    task = WorkerTask(('true', ), tmp_path / 'log.txt', {})
    with pytest.raises(ValueError, match='took no job: .*invalid partition specified: gpuu') as error:
        SubmittedProcess(Refusing(), task)
    assert '\n' not in str(error.value)
    first = SimpleNamespace(submit=lambda task: Killed())
    process = SubmittedProcess(first, task)
    process.executor = Refusing()
    assert process.poll() == 1 and 'invalid partition' in (tmp_path / 'log.txt').read_text()
