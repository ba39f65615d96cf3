"""Commands run as subprocesses, one on each device at a time, with progress and an estimate."""
import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmwindow.utils.progress import ProgressDisplay, describe_seconds

TAIL_BYTES = 8192
# What ProgressHook writes into the log: epoch, epochs, and a bar of 20 characters.
PROGRESS = re.compile(r'epoch (\d+) of (\d+) (done|\[(#*)\.*\])')
PACE_FROM = 0.05  # below this share of a training its own pace says nothing yet


@dataclass(frozen=True)
class Job:
    """One command.

    Attributes:
        name (str): Names it in messages.
        kind (str): Jobs of one kind take about as long as each other.
        command (tuple[str]): The command and its arguments.
        log (Path): Receives all that the command prints.
        seconds (float, optional): How long it took where it is done already.
        measure (callable, optional): Returns how long all of it took, once it has succeeded: more
            than its process's time where that went on after a cut.
    """

    name: str
    kind: str
    command: tuple
    log: Path
    seconds: float | None = None
    measure: Callable | None = None


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        job (Job): Which.
        returncode (int): 0 where it succeeded.
        seconds (float): Wall time of all of it, as far as that is known.
    """

    job: Job
    returncode: int
    seconds: float


@dataclass
class Running:
    """A job at work.

    Attributes:
        job (Job): Which.
        process (subprocess.Popen): Its process.
        device (int): Index of its device.
        started (float): When it began, monotonic seconds.
        log_start (int): Length of its log then: a job may go on after a cut.
        base (float, optional): The fraction done that it began with.
        fraction (float): The fraction done now.
    """

    job: Job
    process: subprocess.Popen
    device: int
    started: float
    log_start: int = 0
    base: float | None = None
    fraction: float = 0.

    def look(self):
        """Read from the log how far the job is."""
        num_bytes = os.path.getsize(self.job.log) - self.log_start
        fraction = read_fraction(read_tail(self.job.log, min(num_bytes, TAIL_BYTES)))
        if self.base is None and num_bytes:
            self.base = read_first_epoch(read_head(self.job.log, self.log_start))
        self.fraction = max(self.fraction, fraction)

    def describe(self):
        """Return what :func:`estimate_left` reads."""
        return dict(kind=self.job.kind, seconds=time.monotonic() - self.started,
                    gained=self.fraction - (self.base or 0.), missing=1 - self.fraction)


def read_tail(path, num_bytes=TAIL_BYTES):
    """Return the end of a text file; nothing where there is none yet."""
    if not Path(path).exists():
        return ''
    with open(path, 'rb') as stream:
        stream.seek(max(0, os.path.getsize(path) - num_bytes))
        return stream.read().decode('utf-8', errors='replace')


def read_fraction(text):
    """Return how much of a training is done, 0 to 1, from the end of its log.

    The last line by ``ProgressHook`` counts; 0 where there is none.
    """
    matches = PROGRESS.findall(text)
    if not matches:
        return 0.
    epoch, num_epochs, state, bar = matches[-1]
    return (int(epoch) - 1 + (1. if state == 'done' else len(bar) / 20)) / int(num_epochs)


def read_head(path, start, num_bytes=2**20):
    """Return the beginning of what was written to a text file from a position on."""
    with open(path, 'rb') as stream:
        stream.seek(start)
        return stream.read(num_bytes).decode('utf-8', errors='replace')


def read_first_epoch(text):
    """Return how much of a training was done when it began or went on; None if none has begun.

    A training goes on where an epoch ended; its first line is of the epoch's first step, or of the
    validation that a cut had missed.
    """
    match = PROGRESS.search(text)
    return None if match is None else (int(match[1]) - (match[3] != 'done')) / int(match[2])


def estimate_left(done, running, waiting, num_devices):
    """Return the seconds that a list of jobs still takes, or None while nothing is known.

    A job is expected to take the mean of what is known of its kind, else of all kinds.

    Args:
        done (Sequence[tuple[str, float]]): Kind and seconds of each job that succeeded.
        running (Sequence[dict]): Of each that is at work its ``kind``, ``seconds`` so far, and
            the fractions of the whole ``gained`` in these and still ``missing``.
        waiting (Sequence[str]): Kind of each that has not begun.
        num_devices (int): Jobs at work at once.
    """
    known = {}
    paced = [work for work in running if work['gained'] >= PACE_FROM]
    for kind, seconds in [*done, *((work['kind'], work['seconds'] / work['gained'])
                                   for work in paced)]:
        known.setdefault(kind, []).append(seconds)
    if not known:
        return None
    means = {kind: sum(values) / len(values) for kind, values in known.items()}
    overall = sum(means.values()) / len(means)
    at_work = [work['missing'] * (work['seconds'] / work['gained'] if work in paced
                                  else means.get(work['kind'], overall)) for work in running]
    to_come = [means.get(kind, overall) for kind in waiting]
    # No device works on two jobs, and no job on two devices.
    return max([0., (sum(at_work) + sum(to_come)) / num_devices, *at_work, *to_come])


def describe_progress(done, failed, running, waiting, left):
    """Return the progress line of a list of jobs."""
    total = done + failed + len(running) + waiting
    words = [f'{done} of {total} runs done'] + ([f'{failed} failed'] if failed else [])
    words += [f'{name} {fraction:.0%}' for name, fraction in running]
    return ', '.join(words) + '; ' + (
        f'about {describe_seconds(left)} left' if left is not None else 'no estimate yet')


def run_jobs(jobs, devices, line=None, poll_seconds=0.5):
    """Run every job in a subprocess, as many at once as there are devices.

    A job that fails does not stop the others. A child sees the end of its standard input
    when this process dies, whatever the cause (a worker of :mod:`.run_worker` then ends).

    Args:
        jobs (Sequence[Job]): In this order; those with ``seconds`` are done and only counted.
        devices (Sequence[dict]): Variables added to the environment of a job on each device.
        line (ProgressDisplay, optional): Where progress is shown.
        poll_seconds (float): How often the processes are looked at.

    Returns:
        list[Outcome]: Of the jobs that were run, in the order of their ends.
    """
    line = line or ProgressDisplay()
    known = [(job.kind, job.seconds) for job in jobs if job.seconds is not None]
    waiting = [job for job in jobs if job.seconds is None]
    running, outcomes = [], []
    try:
        while waiting or running:
            free = set(range(len(devices))) - {work.device for work in running}
            for device in sorted(free)[:len(waiting)]:
                running.append(start_job(waiting.pop(0), device, devices[device]))
                line.say(f'{running[-1].job.name}: started, log in {running[-1].job.log}')
            time.sleep(poll_seconds)
            for work in [work for work in running if work.process.poll() is not None]:
                running.remove(work)
                outcomes.append(finish_job(work, line))
            show_progress(line, known, outcomes, running, waiting, len(devices))
    finally:  # also on Ctrl-C: no orphan trains on
        for work in running:
            stop_job(work)
    return outcomes


def start_job(job, device, variables):
    """Start a job's process; its output goes to the end of its log."""
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with open(job.log, 'ab') as log:
        log_start = log.tell()
        process = subprocess.Popen(
            list(job.command), stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
            env={**os.environ, **variables})
    return Running(job, process, device, time.monotonic(), log_start)


def finish_job(work, line):
    """Say how a job ended and return its outcome."""
    work.process.stdin.close()
    seconds = time.monotonic() - work.started
    whole = work.job.measure() if work.job.measure and not work.process.returncode else None
    outcome = Outcome(work.job, work.process.returncode, seconds if whole is None else whole)
    if outcome.returncode:
        last = [text for text in read_tail(work.job.log).splitlines() if text.strip()][-1:]
        line.say(f'{work.job.name}: FAILED with status {outcome.returncode}; see {work.job.log}: '
                 + ''.join(last)[:300])
    else:
        line.say(f'{work.job.name}: done in {describe_seconds(seconds)}')
    return outcome


def stop_job(work, patience=10.):
    """End a job's process, by force where it does not end by itself."""
    work.process.terminate()
    with contextlib.suppress(OSError):
        work.process.stdin.close()
    try:
        work.process.wait(patience)
    except subprocess.TimeoutExpired:
        work.process.kill()
        work.process.wait()


def show_progress(line, known, outcomes, running, waiting, num_devices):
    """Show how far a list of jobs is."""
    done = known + [(outcome.job.kind, outcome.seconds) for outcome in outcomes
                    if outcome.returncode == 0]
    failed = sum(outcome.returncode != 0 for outcome in outcomes)
    for work in running:
        work.look()
    left = estimate_left(done, [work.describe() for work in running],
                         [job.kind for job in waiting], num_devices)
    line.show(describe_progress(len(done), failed, [(work.job.name, work.fraction)
                                                    for work in running], len(waiting), left))
