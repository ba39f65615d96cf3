"""How long the missing runs of the study will take: a few steps of each system, timed."""
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from mmwindow.apis.own_data.timing import (
    Timing,
    describe_work,
    estimate_seconds,
    time_training,
)
from mmwindow.experiments.study.design import make_cells
from mmwindow.experiments.study.runs import StudyRun, plan_study_run
from mmwindow.utils.progress import describe_seconds

START_SECONDS = 20.  # of a run: imports, weights, the check of its data


class Estimate(NamedTuple):
    """What runs will take.

    Attributes:
        seconds: Of all of them, as busy as the machine is now.
        idle_seconds: The same where nothing else runs.
        timings: By system.
    """

    seconds: float
    idle_seconds: float
    timings: Mapping[str, Timing]


def estimate_study(runs: Sequence[StudyRun], out: Path, num_jobs: int) -> Estimate:
    """Time a few steps of each system on the base images, and return what the runs will take.

    Args:
        runs: Those that are to be done; the base images must be there.
        out: Folder of runs and data.
        num_jobs: Runs at a time.
    """
    timings: dict[str, Timing] = {}
    seconds: list[float] = []
    idle: list[float] = []
    for run in runs:
        base = replace(run, cell=make_cells(run.sizes, ['base'])[0], seed=0)
        cfg = plan_study_run(base, out).cfg
        if run.system not in timings:
            timings[run.system] = time_training(cfg, run.amp)
        timing, sizes = timings[run.system], run.sizes
        work = describe_work(cfg, run.cell.images.num_train, sizes.num_val, sizes.num_test)
        took = estimate_seconds(timing, replace(work, epochs=run.cell.epochs, validations=1))
        seconds.append(took + START_SECONDS)
        idle.append((took + START_SECONDS) / timing.busy)
    return Estimate(share(seconds, num_jobs), share(idle, num_jobs), timings)


def share(seconds: Sequence[float], num_jobs: int) -> float:
    """Return how long runs take, so many at a time: never less than the longest one.

    >>> share([30., 10., 20.], 2), share([30., 10.], 4), share([], 2)
    (30.0, 30.0, 0.0)
    """
    return max(sum(seconds) / num_jobs, max(seconds, default=0.))


def describe_estimate(estimate: Estimate, num_runs: int, num_jobs: int) -> str:
    """Return an estimate in one line."""
    steps = ', '.join(
        f'{system} {timing.step:.2f} s a step, {timing.step / timing.busy:.2f} s of a processor'
        for system, timing in estimate.timings.items())
    return (f'{num_runs} runs, {num_jobs} at a time: about {describe_seconds(estimate.seconds)} on '
            f'this machine as it is now, about {describe_seconds(estimate.idle_seconds)} where '
            f'nothing else runs ({steps})')
