"""Commands run as subprocesses, one on each device at a time, with progress and an estimate."""
import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from mmwindow.utils.locks import InUseError
from mmwindow.utils.messages import count_words
from mmwindow.utils.progress import ProgressDisplay, describe_seconds

TAIL_BYTES = 8192
# What ProgressHook writes into the log: epoch, epochs, and a bar of 20 characters.
PROGRESS = re.compile(r'epoch (\d+) of (\d+) (done|\[(#*)\.*\])')
NOT_FILED = -1  # the job of a process that succeeded and whose result could not be filed
PACE_FROM = 0.05  # below this share of a training its own pace says nothing yet


@dataclass(frozen=True)
class Job:
    """One command.

    Attributes:
        name: What messages call it.
        kind: Jobs of one kind take about as long as each other.
        command: The command and its arguments.
        log: Receives all that the command prints.
        is_done: Whether it has succeeded before, so that it is only measured.
        measure: Returns how long all of it took, once it has succeeded: more than its process's
            time where that resumed after a cut. It may file the result.
        claim: Holds what the job works in as long as it runs, and makes it ready. It yields whether
            there is anything to do, and raises :class:`~mmwindow.utils.locks.InUseError` where
            another command is at work there.
    """

    name: str
    kind: str
    command: tuple[str, ...]
    log: Path
    is_done: bool = False
    measure: Callable[[], float] | None = None
    claim: Callable[[], AbstractContextManager[bool]] | None = None


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        job: Which.
        returncode: 0 where it succeeded.
        seconds: Wall time of all of it, as far as that is known.
    """

    job: Job
    returncode: int
    seconds: float


class Process(Protocol):
    """What a job at work is asked and told; ``subprocess.Popen`` of one here is such."""

    returncode: int | None

    def poll(self) -> int | None:
        """Return the exit status; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""


@dataclass
class Running:
    """A job at work.

    Attributes:
        job: Which.
        process: Its process.
        device: Index of its device.
        started: When it began, monotonic seconds.
        log_start: Length of its log then: a job may resume after a cut.
        base: The fraction done that it began with.
        fraction: The fraction done now.
        held: Is closed when it has ended.
    """

    job: Job
    process: Process
    device: int
    started: float
    log_start: int = 0
    base: float | None = None
    fraction: float = 0.
    held: ExitStack = field(default_factory=ExitStack)

    def look(self) -> None:
        """Read from the log how far the job is."""
        num_bytes = os.path.getsize(self.job.log) - self.log_start
        fraction = read_fraction(read_tail(self.job.log, min(num_bytes, TAIL_BYTES)))
        if self.base is None and num_bytes:
            self.base = read_first_epoch(read_head(self.job.log, self.log_start))
        self.fraction = max(self.fraction, fraction)

    def pace(self) -> 'Pace':
        """Return what :func:`estimate_left` reads."""
        return Pace(self.job.kind, time.monotonic() - self.started,
                    self.fraction - (self.base or 0.), 1 - self.fraction)


class Pace(NamedTuple):
    """How fast a job at work is.

    Attributes:
        kind: Of the job.
        seconds: Since it began.
        gained: The fraction of the complete job done in these.
        missing: The fraction still to do.
    """

    kind: str
    seconds: float
    gained: float
    missing: float


def read_tail(path: str | Path, num_bytes: int = TAIL_BYTES) -> str:
    """Return the end of a text file; nothing where there is none yet."""
    if not Path(path).exists():
        return ''
    with open(path, 'rb') as stream:
        stream.seek(max(0, os.path.getsize(path) - num_bytes))
        return stream.read().decode('utf-8', errors='replace')


def read_fraction(text: str) -> float:
    """Return how much of a training is done, 0 to 1, from the end of its log.

    The last line by ``ProgressHook`` counts; 0 where there is none.
    """
    matches = PROGRESS.findall(text)
    if not matches:
        return 0.
    epoch, num_epochs, state, bar = matches[-1]
    return (int(epoch) - 1 + (1. if state == 'done' else len(bar) / 20)) / int(num_epochs)


def read_head(path: str | Path, start: int, num_bytes: int = 2**20) -> str:
    """Return the beginning of what was written to a text file from a position on."""
    with open(path, 'rb') as stream:
        stream.seek(start)
        return stream.read(num_bytes).decode('utf-8', errors='replace')


def read_first_epoch(text: str) -> float | None:
    """Return how much of a training was done when it began or resumed; None if none has begun.

    A training resumes where an epoch ended; its first line is of the epoch's first step, or of the
    validation that a cut had missed.
    """
    match = PROGRESS.search(text)
    return None if match is None else (int(match[1]) - (match[3] != 'done')) / int(match[2])


def estimate_left(done: Sequence[tuple[str, float]], running: Sequence[Pace],
                  waiting: Sequence[str], num_devices: int) -> float | None:
    """Return the seconds that a list of jobs still takes, or None while nothing is known.

    A job is expected to take the mean of what is known of its kind, else of all kinds.

    Args:
        done: Kind and seconds of each job that succeeded.
        running: Of each that is at work.
        waiting: Kind of each that has not begun.
        num_devices: Jobs at work at once.
    """
    known: dict[str, list[float]] = {}
    paced = [work for work in running if work.gained >= PACE_FROM]
    for kind, seconds in [*done, *((work.kind, work.seconds / work.gained)
                                   for work in paced)]:
        known.setdefault(kind, []).append(seconds)
    if not known:
        return None
    means = {kind: sum(values) / len(values) for kind, values in known.items()}
    overall = sum(means.values()) / len(means)
    at_work = [work.missing * (work.seconds / work.gained if work in paced
                                  else means.get(work.kind, overall)) for work in running]
    to_come = [means.get(kind, overall) for kind in waiting]
    # No device works on two jobs, and no job on two devices.
    return max([0., (sum(at_work) + sum(to_come)) / num_devices, *at_work, *to_come])


def describe_progress(done: int, failed: int, running: Sequence[tuple[str, float]], waiting: int,
                      left: float | None) -> str:
    """Return the progress line of a list of jobs."""
    total = done + failed + len(running) + waiting
    words = [f'{done} of {count_words(total, "run")} done'] + ([f'{failed} failed'] if failed else [])
    words += [f'{name} {fraction:.0%}' for name, fraction in running]
    return ', '.join(words) + '; ' + (
        f'about {describe_seconds(left)} left' if left is not None else 'no estimate yet')


def run_jobs(jobs: Sequence[Job], devices: Sequence[Mapping[str, str]],
             display: ProgressDisplay | None = None, poll_seconds: float = 0.5,
             start: Callable[[Job, int, Mapping[str, str]], Running] | None = None
             ) -> list[Outcome]:
    """Run every job in a subprocess, as many at once as there are devices.

    A job that fails does not stop the others. A child sees the end of its standard input
    when this process dies, whatever the cause (:mod:`.worker` then ends). A job at which another
    command is at work is passed over until it is free or done.

    Args:
        jobs: In this order; those that are done are measured and counted.
        devices: Variables added to the environment of a job on each device.
        display: Where progress is shown.
        poll_seconds: How often the processes are looked at.
        start: Starts a job; :func:`start_job` if None.

    Returns:
        Of the jobs that were run, in the order of their ends, and of those that were done before
        and whose result could not be filed.
    """
    display = display or ProgressDisplay()
    queue = JobQueue(jobs, display)
    running: list[Running] = []
    try:
        while queue.waiting or running:
            free = set(range(len(devices))) - {work.device for work in running}
            for device in sorted(free):
                claimed = queue.claim_next()
                if claimed is None:
                    break
                job, held = claimed
                try:
                    with held:  # is closed where the start fails
                        running.append((start or start_job)(job, device, devices[device]))
                        running[-1].held = held.pop_all()
                except (ValueError, OSError) as error:  # no room for its log, a cluster's refusal
                    display.say(f'{job.name}: FAILED to start: {error}')
                    queue.outcomes.append(Outcome(job, 1, 0.))
                    continue
                display.say(f'{job.name}: started, log in {job.log}')
            if not queue.waiting and not running:
                break
            time.sleep(poll_seconds)
            for work in [work for work in running if work.process.poll() is not None]:
                running.remove(work)
                queue.outcomes.append(finish_job(work, display))
            show_progress(display, queue.known, queue.outcomes, running, queue.waiting, len(devices))
    finally:  # also on Ctrl-C: no orphan trains on
        for work in running:
            stop_job(work)
    return queue.outcomes


class JobQueue:
    """The jobs that wait.

    Args:
        jobs: In this order; those that are done are measured at once.
        display: Where is said what happens to them.

    Attributes:
        waiting: Those that were not begun.
        known: Kind and seconds of those that were done before, or by another command.
        outcomes: Of those that were run, and of those whose result could not be filed.
    """

    def __init__(self, jobs: Sequence[Job], display: ProgressDisplay) -> None:
        self.waiting = [job for job in jobs if not job.is_done]
        self.display = display
        self.known: list[tuple[str, float]] = []
        self.outcomes: list[Outcome] = []
        self._said: set[str] = set()  # names of jobs of which was said that another works on them
        for job in jobs:
            if job.is_done:
                self.reuse(job, 'finished before, reused')

    def reuse(self, job: Job, words: str) -> None:
        """Count a job that was done before or elsewhere, and say so in words."""
        outcome = measure_job(job, 0., self.display)
        if outcome.returncode:
            self.outcomes.append(outcome)
        else:
            self.known.append((job.kind, outcome.seconds))
            self.display.say(f'{job.name}: {words}')

    def claim_next(self) -> tuple[Job, ExitStack] | None:
        """Take the first job that is free, and what it holds; None where none is."""
        for job in tuple(self.waiting):
            held = ExitStack()
            try:
                is_needed = job.claim is None or held.enter_context(job.claim())
            except InUseError as error:
                if job.name not in self._said:
                    self.display.say(f'{job.name}: another command is at work on it, it is looked at '
                                     f'again later ({error})')
                    self._said.add(job.name)
                continue
            except (ValueError, OSError) as error:
                self.display.say(f'{job.name}: FAILED to begin: {error}')
                self.outcomes.append(Outcome(job, 1, 0.))
                self.waiting.remove(job)
                continue
            self.waiting.remove(job)
            if is_needed:
                return job, held
            with held:  # nobody else begins before its result is filed
                self.reuse(job, 'finished by another command, reused')
        return None


def start_job(job: Job, device: int, variables: Mapping[str, str]) -> Running:
    """Start a job's process; its output goes to the end of its log."""
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with open(job.log, 'ab') as log:
        log_start = log.tell()
        process = subprocess.Popen(
            list(job.command), stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
            env={**os.environ, **variables})
    return Running(job, process, device, time.monotonic(), log_start)


def measure_job(job: Job, seconds: float, display: ProgressDisplay) -> Outcome:
    """Return the outcome of a job that succeeded; a result that cannot be filed ends no other job.

    Args:
        job: Which.
        seconds: It took, where it does not measure that itself.
        display: Where a result that cannot be filed is said.
    """
    try:
        return Outcome(job, 0, job.measure() if job.measure else seconds)
    except (ValueError, OSError) as error:
        display.say(f'{job.name}: FAILED, it ended but its result could not be filed: {error}')
        return Outcome(job, NOT_FILED, seconds)


def finish_job(work: Running, display: ProgressDisplay) -> Outcome:
    """Say how a job ended and return its outcome."""
    close_input(work.process)
    seconds = time.monotonic() - work.started
    status = work.process.wait()
    with work.held:
        if not status:
            outcome = measure_job(work.job, seconds, display)
            if outcome.returncode == 0:
                display.say(f'{work.job.name}: done in {describe_seconds(seconds)}')
            return outcome
    last = [text for text in read_tail(work.job.log).splitlines() if text.strip()][-1:]
    display.say(f'{work.job.name}: FAILED with status {status}; see {work.job.log}: '
                + ''.join(last)[:300])
    return Outcome(work.job, status, seconds)


def close_input(process: Process) -> None:
    """Close our end of a process's standard input, where it is a pipe."""
    stream = getattr(process, 'stdin', None)
    if stream is not None:
        stream.close()


def stop_job(work: Running, patience: float = 10.) -> None:
    """End a job's process, by force where it does not end by itself."""
    work.process.terminate()
    with contextlib.suppress(OSError):
        close_input(work.process)
    try:
        work.process.wait(patience)
    except subprocess.TimeoutExpired:
        work.process.kill()
        work.process.wait()
    work.held.close()


def show_progress(display: ProgressDisplay, known: Sequence[tuple[str, float]],
                  outcomes: Sequence[Outcome], running: Sequence[Running], waiting: Sequence[Job],
                  num_devices: int) -> None:
    """Show how far a list of jobs is."""
    done = [*known] + [(outcome.job.kind, outcome.seconds) for outcome in outcomes
                    if outcome.returncode == 0]
    failed = sum(outcome.returncode != 0 for outcome in outcomes)
    for work in running:
        work.look()
    left = estimate_left(done, [work.pace() for work in running],
                         [job.kind for job in waiting], num_devices)
    display.show(describe_progress(len(done), failed, [(work.job.name, work.fraction)
                                                       for work in running], len(waiting), left))
