"""Training and testing a list of configs over folds, one folder for each run."""
import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from mmwindow.datasets.folds import check_folds, read_folds, write_fold_files, write_folds
from mmwindow.experiments import worker
from mmwindow.experiments.devices import Devices, choose_devices
from mmwindow.experiments.job_queue import Job, Outcome, run_jobs
from mmwindow.experiments.plan import PlacedFolds, RunPlan, RunSettings, plan_runs
from mmwindow.experiments.run_folders import (
    FolderTakenError,
    check_folder,
    check_training_code,
    is_finished,
    lock_folders,
    prepare_run,
    read_seconds,
    settle_training_code,
    wait_for_folder,
)
from mmwindow.utils.locks import InUseError
from mmwindow.utils.progress import ProgressDisplay

Preparation: TypeAlias = Callable[[RunPlan, str, bool], None]  # command line, overwrite


def worker_command(plan: RunPlan, num_processes: int = 1) -> tuple[str, ...]:
    """Return the command that does one run."""
    return (sys.executable, '-m', 'mmwindow.experiments.worker', str(plan.folder),
            '--end-with-stdin', f'--processes={num_processes}', *['--amp'] * plan.amp)


def place_folds(folds: str | Path | None, out: str | Path, points: str | Path | None = None,
                numbers: Sequence[int] | None = None) -> PlacedFolds | None:
    """Check folds, keep a copy with the runs, and write the point files of each fold.

    Args:
        folds: The folds file; None: there are none, and None is returned.
        out: Folder for all runs.
        points: The point file that they divide; None: the file of the name that the folds give,
            next to them.
        numbers: Which folds; all if None.

    Raises:
        ValueError: They do not fit the point file, the runs in ``out`` are of other folds, or
            numbers or points are given without folds.
    """
    if folds is None:
        if numbers is not None or points is not None:
            raise ValueError('some folds or their point file are named, but there is no folds file; '
                             'give --folds')
        return None
    if points is None:
        points = Path(folds).parent / str(read_folds(folds)['annotations'].get('file'))
        if not points.is_file():
            raise ValueError(f'{folds} divides {points.name}, which does not lie next to it; say '
                             'where it is with --points')
    content = check_folds(folds, points)
    copy = Path(out) / 'folds.json'
    with wait_for_folder(out):
        if copy.exists() and check_folds(copy, points) != content:
            raise FolderTakenError(f'{copy} holds other folds than {folds}; their runs cannot be '
                                   'compared', ': choose another --out')
        write_folds(copy, content)
        return PlacedFolds(content, write_fold_files(
            content, points, Path(out) / 'annotations', numbers))


def run_folds(configs: Sequence[str | Path], out: str | Path, folds: str | Path | None = None,
              points: str | Path | None = None, only: Sequence[int] | None = None,
              gpus: Sequence[int] | None = None, all_gpus: bool = False,
              cfg_options: dict[str, Any] | None = None, seed: int | None = None,
              amp: bool = False, weights: str = 'best', jobs: int | None = None,
              slurm: Mapping[str, str] | None = None, **how: Any) -> list[Outcome]:
    """Train and test every config on every fold; resume where a cut stopped an earlier call.

    Args:
        configs: Config files.
        out: Folder; receives ``<config>/fold<k>/`` with config, log, checkpoints, records of test
            and validation, and ``result.json``.
        folds: The folds file; None: each config's own split, in ``<config>/single/``.
        points: The point file that the folds divide; see :func:`place_folds`.
        only: Which folds; all if None.
        gpus: As in :func:`~mmwindow.experiments.devices.choose_devices`.
        all_gpus, jobs, slurm: As ``gpus``.
        cfg_options: Overrides of every config.
        seed: Of the trainings; the config's if None.
        amp: Train in mixed precision.
        weights: Which are tested, as :mod:`.weights` reads it.
        **how: ``command_line``, ``overwrite``, ``accept`` and ``display`` of :func:`run_plans`.

    Returns:
        Of the runs that had to be done.

    Raises:
        ValueError: Anything wrong that can be known before the first training.
    """
    devices = choose_devices(gpus, all_gpus, jobs, slurm, out)
    placed = place_folds(folds, out, points, only)
    settings = RunSettings(cfg_options, seed, amp, devices.num_processes, weights=weights)
    return run_plans(plan_runs(configs, out, settings, placed), devices, **how)


def run_plans(plans: Sequence[RunPlan], devices: Devices, command_line: str = '',
              overwrite: bool = False, accept: bool = False,
              display: ProgressDisplay | None = None, prepare: Preparation = prepare_run,
              measure: Callable[[RunPlan], float] = read_seconds) -> list[Outcome]:
    """Do what is missing of each plan, in this order; reuse what is finished.

    A run is held from its begin to its end, so that several commands may work in one folder: a run
    at which another one is at work is passed over, and looked at again until it is free or finished.

    Args:
        plans: From :func:`plan_runs`.
        devices: For the runs.
        command_line: Is noted in each result.
        overwrite: Delete runs of other settings, or of other training code, that are in the way.
        accept: Keep runs of other training code.
        display: Where progress is shown.
        prepare: Makes a folder ready.
        measure: Returns how long a run took, when it has just ended or was found finished: a
            caller's may file it, so that what a stopped command left is filed by the next.

    Returns:
        Of the runs that had to be done, and of those finished before whose result ``measure`` could
        not file.

    Raises:
        ValueError: A folder holds a run of other settings or other code.
    """
    display = display or ProgressDisplay()
    with hold_free(plans) as free:
        finished = check_plans(free, overwrite, accept)
        for plan in free:  # nothing stands in the way of any run: what is kept is noted
            if plan.folder in finished:
                settle_training_code(plan, accept, overwrite)
    jobs = [Job(plan.name, plan.system, worker_command(plan, devices.num_processes),
                plan.folder / 'log.txt', is_done=plan.folder in finished,
                measure=partial(measure, plan),
                claim=partial(claim_run, plan, command_line, overwrite, accept, prepare))
            for plan in plans]
    return run_jobs(jobs, devices.environments, display, start=devices.start)


@contextlib.contextmanager
def hold_free(plans: Sequence[RunPlan]) -> Iterator[list[RunPlan]]:
    """Hold the folders of the runs at which no other command is at work; yield these runs."""
    with contextlib.ExitStack() as stack:
        free = []
        for plan in plans:
            with contextlib.suppress(InUseError):
                stack.enter_context(lock_folders([plan.folder]))
                free.append(plan)
        yield free


def check_plans(plans: Sequence[RunPlan], overwrite: bool, accept: bool) -> set[Path]:
    """Reject what stands in the way of any run before the first begins; return finished folders.

    Nothing is changed: what one run may delete or note must wait until the others are checked.

    Args:
        plans: Whose folders are held.
        overwrite, accept: As in :func:`run_plans`.

    Raises:
        ValueError: As :func:`run_plans`.
    """
    changed = check_training_code(plans, accept, overwrite)
    replaced = set() if accept else {plan.folder for plan in changed}
    finished = {plan.folder for plan in plans if plan.folder not in replaced and is_finished(plan)}
    for plan in plans:
        if plan.folder not in finished:
            check_folder(plan, overwrite)
    return finished


@contextlib.contextmanager
def claim_run(plan: RunPlan, command_line: str, overwrite: bool, accept: bool, prepare: Preparation
              ) -> Iterator[bool]:
    """Hold the folder of a run and make it ready; yield whether there is anything to do.

    Args:
        plan: Of the run.
        command_line, overwrite, accept, prepare: As in :func:`run_plans`.

    Raises:
        InUseError: Another command holds it.
        ValueError: As :func:`run_plans`.
    """
    with lock_folders([plan.folder]):
        settle_training_code(plan, accept, overwrite)
        if is_finished(plan):  # by another command, in the meantime
            yield False
            return
        prepare(plan, command_line, overwrite)
        yield True


def run_here(plan: RunPlan, command_line: str = '', overwrite: bool = False, accept: bool = False,
             predictions: str | None = None) -> bool:
    """Do what is missing of one plan in this process.

    Args:
        plan: Of the run.
        command_line: As in :func:`run_plans`.
        overwrite: As in :func:`run_plans`.
        accept: As in :func:`run_plans`.
        predictions: Name of a file in the run's folder that receives every prediction of the test.

    Returns:
        Whether anything had to be done.

    Raises:
        ValueError: As :func:`run_plans`.
    """
    with lock_folders([plan.folder]):
        settle_training_code(plan, accept, overwrite)
        if is_finished(plan) and (predictions is None or (plan.folder / predictions).exists()):
            return False
        prepare_run(plan, command_line, overwrite)
        worker.run(plan.folder, predictions=predictions)
        return True
