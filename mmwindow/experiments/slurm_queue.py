"""Jobs submitted to Slurm through submitit, one run a task; see :mod:`.job_queue` for those run here.

A task that Slurm stops at its time limit, or takes away for another one, is queued again by submitit;
one that is killed without a word is submitted again from here. Either way the run resumes from its
newest checkpoint, as after any cut.
"""
import os
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmwindow.experiments.job_queue import Job, Running
from mmwindow.utils.messages import shorten

MAX_KILLS = 3  # of one job without a word, before it counts as failed
MAX_TIMEOUTS = 1000  # a run may take many time limits
POLL_SECONDS = 2.
DURATION = re.compile(r'(?:(\d{1,4})-)?(\d{1,6}(?::\d{1,4}){0,2})')
NAMES = dict(gpus='gpus_per_node', cpus='cpus_per_task')  # shorter words for submitit's
MISSING = ('--queue slurm: submitit is not installed; pip install "mmwindow[cluster]", or pip '
           'install -r requirements/cluster.txt')


def parse_slurm(text: str) -> dict[str, str]:
    """Return ``'partition=gpu,time=4:00:00'`` as names and values.

    Raises:
        ValueError: An item is no NAME=VALUE, or a name stands twice.

    >>> parse_slurm('partition=gpu,time=90')
    {'partition': 'gpu', 'time': '90'}
    """
    found: dict[str, str] = {}
    for item in text.split(','):
        name, _, value = item.partition('=')
        if not (name and value) or name in found:
            raise ValueError(f'--slurm {shorten(text)}: NAME=VALUE is expected, each name once, such '
                             'as partition=gpu,time=4:00:00,gpus=1,cpus=8,mem=32')
        found[name] = value
    return found


def parse_minutes(text: str) -> int:
    """Return a time limit in minutes, rounded up.

    Args:
        text: As Slurm reads it: minutes, M:SS, H:MM:SS, D-H, D-H:MM or D-H:MM:SS.

    Raises:
        ValueError: It is none, or no time at all.

    >>> parse_minutes('90'), parse_minutes('1:30:00'), parse_minutes('2-12')
    (90, 90, 3600)
    """
    match = DURATION.fullmatch(text)
    days, parts = (int(match[1] or 0), [*map(int, match[2].split(':'))]) if match else (0, [0])
    if match and match[1]:  # the first part is hours
        hours, minutes, seconds = [*parts, 0, 0][:3]
    else:  # of one or two parts the first is minutes
        hours, minutes, seconds = parts if len(parts) == 3 else [0, *parts, 0][:3]
    total = days * 1440 + hours * 60 + minutes + (seconds + 59) // 60
    if not total:
        raise ValueError(f'--slurm time={shorten(text)}: a time limit is expected, such as 90 '
                         '(minutes), 4:00:00 or 2-12')
    return total


def submit_parameters(options: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of submitit for those that a user gave.

    Args:
        options: From :func:`parse_slurm`: ``time``, ``gpus``, ``cpus``, ``mem`` (GB), and any other
            of submitit's for Slurm, such as ``partition``, ``account``, ``qos``, ``constraint``.

    Raises:
        ValueError: A value is no number where one is expected, or there is no time.

    >>> submit_parameters({'time': '60', 'gpus': '1', 'partition': 'gpu'})
    {'timeout_min': 60, 'gpus_per_node': 1, 'slurm_partition': 'gpu'}
    """
    if 'time' not in options:
        raise ValueError('--slurm: there is no time; the limit of one task is expected, such as '
                         'time=4:00:00 (a run that takes longer is resumed)')
    found: dict[str, Any] = {}
    for name, value in options.items():
        try:
            if name == 'time':
                found['timeout_min'] = parse_minutes(value)
            elif name in NAMES:
                found[NAMES[name]] = int(value)
            elif name == 'mem':
                found['mem_gb'] = float(value.upper().removesuffix('B').removesuffix('G'))
            else:
                found[f'slurm_{name}'] = value
        except ValueError as error:
            if '--slurm' in str(error):
                raise
            raise ValueError(f'--slurm {name}={shorten(value)}: a number is expected') from error
    return found


def make_executor(folder: Path, options: Mapping[str, str], cluster: str = 'slurm') -> Any:
    """Return what submits jobs.

    Args:
        folder: For submitit's notes; on a cluster every node sees it.
        options: As in :func:`submit_parameters`.
        cluster: 'slurm', or 'local' to try it without one.

    Raises:
        ValueError: submitit is not installed, there is no Slurm here, or it knows no such parameter.
    """
    try:
        import submitit
    except ImportError as error:
        raise ValueError(MISSING) from error
    parameters = submit_parameters(options)
    try:
        executor = submitit.AutoExecutor(folder, cluster=cluster,
                                         slurm_max_num_timeout=MAX_TIMEOUTS)
        executor.update_parameters(name='mmwindow', **parameters)
    except RuntimeError as error:
        raise ValueError(f'--queue slurm: there is no Slurm here ({shorten(str(error), 100)}); '
                         'leave it out to run the jobs on this machine') from error
    except (NameError, ValueError, AssertionError) as error:
        first = next(iter(str(error).splitlines()), '')
        raise ValueError(f'--slurm {",".join(options)}: {shorten(first)}') from error
    return executor


class WorkerTask:
    """The command of one job, as a task of a cluster calls it.

    Args:
        command: And its arguments; it ends when its standard input does.
        log: Receives all that it prints.
        variables: Added to its environment.
    """

    def __init__(self, command: tuple[str, ...], log: Path, variables: Mapping[str, str]) -> None:
        self.command, self.log, self.variables = command, Path(log), dict(variables)

    def __call__(self) -> int:
        """Run the command; return its exit status. It ends with this process, however that ends."""
        with open(self.log, 'ab') as log:
            process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=log,
                                       stderr=subprocess.STDOUT,
                                       env={**os.environ, **self.variables})
        try:
            return process.wait()
        finally:  # also at the time limit: what is queued again finds the folder free
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()

    def checkpoint(self) -> Any:
        """Return what is queued again after a time limit: the same, which resumes."""
        from submitit.helpers import DelayedSubmission
        return DelayedSubmission(WorkerTask(self.command, self.log, self.variables))


class SubmittedProcess:
    """A submitted job, asked and told like a process.

    Args:
        executor: From :func:`make_executor`.
        task: What it does.
    """

    def __init__(self, executor: Any, task: WorkerTask) -> None:
        self.executor, self.task = executor, task
        self.returncode: int | None = None
        self.num_kills = 0
        self.job = submit(executor, task)

    def poll(self) -> int | None:
        """Return the exit status; None while it waits or runs. Submit again what was killed."""
        if self.returncode is None and self.job.done():
            from submitit.core.utils import UncompletedJobError
            try:
                self.returncode = int(self.job.result())
            except UncompletedJobError as error:
                self.num_kills += 1
                again = self.num_kills <= MAX_KILLS
                self.note(f'job {self.job.job_id} was killed; ' + (
                    'it is submitted again and resumes' if again else
                    f'{MAX_KILLS + 1} times now: it is given up ('
                    f'{shorten(" ".join(str(error).split()), 200)})'))
                if again:
                    try:
                        self.job = submit(self.executor, self.task)
                    except ValueError as refusal:
                        self.note(str(refusal))
                        self.returncode = 1
                else:
                    self.returncode = 1
            except Exception as error:  # submitit's own, with the trace of the task
                last = [line for line in str(error).splitlines() if line.strip()][-1:]
                self.note(f'job {self.job.job_id} failed: {shorten("".join(last), 300)}')
                self.returncode = 1
        return self.returncode

    def note(self, text: str) -> None:
        """Write a line into the job's log."""
        with open(self.task.log, 'a', encoding='utf-8') as log:
            log.write(text + '\n')

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status.

        Raises:
            subprocess.TimeoutExpired: It does not end.
        """
        started = time.monotonic()
        while (status := self.poll()) is None:
            if timeout is not None and time.monotonic() - started > timeout:
                raise subprocess.TimeoutExpired(list(self.task.command), timeout)
            time.sleep(min(POLL_SECONDS, timeout or POLL_SECONDS) / 4)
        return status

    def terminate(self) -> None:
        """Cancel the job; it is not submitted again."""
        self.num_kills = MAX_KILLS
        self.job.cancel(check=False)

    kill = terminate


def submit(executor: Any, task: WorkerTask) -> Any:
    """Submit a task; return its job.

    Raises:
        ValueError: The cluster refuses it; the message has its words.
    """
    from submitit.core.utils import FailedJobError, FailedSubmissionError
    try:
        return executor.submit(task)
    except (FailedJobError, FailedSubmissionError) as error:
        raise ValueError('the cluster took no job: '
                         f'{shorten(" ".join(str(error).split()), 300)}; see --slurm') from error


class SlurmStarter:
    """Start jobs on a cluster.

    Args:
        folder: For submitit's notes; is made when the first job starts.
        options: As in :func:`submit_parameters`; they are checked here.
        cluster: As in :func:`make_executor`.

    Raises:
        ValueError: As :func:`make_executor`.
    """

    def __init__(self, folder: Path, options: Mapping[str, str], cluster: str = 'slurm') -> None:
        self.executor = make_executor(folder, options, cluster)

    def __call__(self, job: Job, device: int, variables: Mapping[str, str]) -> Running:
        """Submit a job; its output goes to the end of its log."""
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with open(job.log, 'ab') as log:
            log_start = log.tell()
        # The task is unpickled before it can set anything: it must find this package.
        os.environ.update(variables)
        task = WorkerTask(job.command, job.log.absolute(), variables)
        process = SubmittedProcess(self.executor, task)
        return Running(job, process, device, time.monotonic(), log_start)
