"""Training and testing a list of configs over folds, one folder for each run.

A run is finished when its folder has a ``result.json`` of the same fingerprint; anything else is
gone on with, or begun. See ``tools/run_folds.py``.
"""
import contextlib
import difflib
import fcntl
import os
import shutil
import sys
from functools import partial
from pathlib import Path

import torch
from mmengine.config import Config

import mmwindow
from mmwindow.datasets.folds import check_folds, read_folds, write_fold_files, write_folds
from mmwindow.engine.checkpoint import mend_last_checkpoint
from mmwindow.evaluation.files.records import read_record
from mmwindow.experiments.job_queue import Job, run_jobs
from mmwindow.experiments.plan import describe_system, plan_runs
from mmwindow.experiments.worker import RECORDS
from mmwindow.utils.files import PART, read_json, write_json, write_text
from mmwindow.utils.progress import ProgressDisplay

# What a start that was cut before run.json leaves.
CUT_START = {'config.py'}
SHOWN = 5


def is_finished(plan):
    """Return whether a run's folder holds a whole result of this very plan.

    The record of each split is read and checked, so nothing half-written passes.
    """
    try:
        result = read_json(plan.folder / 'result.json')
        if not result or result['mark'] != plan.mark:
            return False
        for split in plan.splits:
            read_record(plan.folder / RECORDS[split])
    except ValueError:
        return False
    return True


def read_seconds(plan):
    """Return how long a finished run took."""
    result = read_json(plan.folder / 'result.json')
    return (result['training_seconds'] if plan.trains else 0.) + result.get('test_seconds', 0.)


def complete_config(plan):
    """Return the config that is written into a run's folder and trained from."""
    cfg = Config(plan.cfg._cfg_dict.to_dict())
    cfg.work_dir = str(plan.folder / 'training')
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='ProgressHook'),
                        dict(type='TrainingTimeHook'), dict(type='ValidateOnResumeHook')]
    # While one checkpoint is written the one before must still be there.
    keep = cfg.default_hooks.checkpoint.get('max_keep_ckpts', -1)
    cfg.default_hooks.checkpoint.max_keep_ckpts = keep if keep < 1 else max(keep, 2)
    return cfg


def prepare_folder(plan, text, overwrite=False):
    """Make a run's folder, empty or as it was left, and write its config.

    Args:
        plan (RunPlan): Of the run.
        text (str): The config that is written into the folder.
        overwrite (bool): Delete a run of other settings.

    Returns:
        dict | None: Content of ``run.json``; None where the run begins.

    Raises:
        ValueError: It holds a run of other settings, or what is no run; the message says which.
    """
    state = read_json(plan.folder / 'run.json')
    if plan.folder.exists() and (not state or state['mark'] != plan.mark):
        foreign = sorted({path.name for path in plan.folder.iterdir() if path.suffix != PART}
                         - CUT_START)
        if not state and foreign:
            raise ValueError(f'{plan.folder}: there is no run.json, so it is no run of this command, '
                             f'but there is {", ".join(foreign[:SHOWN])}; move it away, or choose '
                             'another --out')
        if state and not overwrite:
            raise ValueError(f'{plan.folder} holds a run of other settings:\n'
                             f'{describe_difference(plan.folder, text)}\nChoose another --out, or '
                             'delete it with --overwrite')
        shutil.rmtree(plan.folder)
        state = None
    plan.folder.mkdir(parents=True, exist_ok=True)
    (plan.folder / 'result.json').unlink(missing_ok=True)  # of records that are gone
    write_text(plan.folder / 'config.py', text)
    return state


def prepare_run(plan, command_line, overwrite=False):
    """Make a run's folder ready to begin or to go on in.

    Raises:
        ValueError: As :func:`prepare_folder`.
    """
    tested = None
    with contextlib.suppress(ValueError):  # one cut short is made anew
        tested = read_json(plan.folder / 'result.json')
    state = prepare_folder(plan, complete_config(plan).pretty_text, overwrite)
    is_trained = bool(state and state['trained'])
    # Which code and machines trained it so far; the worker adds its own.
    noted = {name: value for name, value in {**(tested or {}), **state}.items()
             if name in ('versions', 'machine', 'earlier_starts')} if state else {}
    if not is_trained:
        mend_last_checkpoint(plan.folder / 'training')
    write_json(plan.folder / 'run.json', dict(
        **noted, mark=plan.mark, settings_mark=plan.settings_mark, system=plan.system,
        config=str(plan.config), fold=plan.fold, seed=plan.seed,
        splits=plan.splits,
        **describe_system(plan.cfg, plan.config), command=command_line,
        starts=(state['starts'] if state else 0) + 1, trained=is_trained,
        training_seconds=state['training_seconds'] if state else 0.))


def describe_difference(folder, text, num_lines=12):
    """Return the lines in which a folder's config and the text of another one differ."""
    old = folder / 'config.py'
    lines = [line for line in difflib.unified_diff(
        old.read_text(encoding='utf-8').splitlines() if old.exists() else [],
        text.splitlines(), 'there', 'now', lineterm='', n=0) if not line.startswith('@@')]
    if not lines:
        return ('  the config is the same; data, folds, seed, number of processes or versions are '
                'not')
    return '\n'.join('  ' + line for line in lines[:num_lines]) + (
        f'\n  and {len(lines) - num_lines} more lines' if len(lines) > num_lines else '')


def worker_command(plan, num_processes=1, amp=False):
    """Return the command that does one run."""
    return (sys.executable, '-m', 'mmwindow.experiments.worker', str(plan.folder),
            '--end-with-stdin', f'--processes={num_processes}', *['--amp'] * amp)


def choose_devices(gpus=None, all_gpus=False):
    """Return the environment of a job on each device, and the processes of a job.

    Args:
        gpus (Sequence[int], optional): One job on each of these; None: on each there is, or one
            job at a time on the CPU where there is none.
        all_gpus (bool): One job at a time, on all of them.

    Returns:
        dict: ``devices`` (list of dicts of variables) and ``num_processes``.

    Raises:
        ValueError: A GPU was asked for that is not there, or one twice.
    """
    if gpus is not None and len(set(gpus)) < len(gpus):
        raise ValueError(f'--gpus {",".join(map(str, gpus))} names a GPU twice; its memory would '
                         'hold two trainings')
    count = torch.cuda.device_count()
    wrong = [gpu for gpu in gpus or [] if not 0 <= gpu < count]
    if wrong or (all_gpus and not count):
        raise ValueError(f'GPUs {wrong or "all"} were asked for; this machine shows {count}')
    # This package is found where it was imported from, installed or not.
    root = str(Path(mmwindow.__file__).parents[1])
    common = dict(PYTHONPATH=os.pathsep.join(filter(None, [root, os.environ.get('PYTHONPATH')])))
    if not count or all_gpus:
        return dict(devices=[common], num_processes=max(1, count))
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    names = visible.split(',') if visible else [str(gpu) for gpu in range(count)]
    return dict(devices=[dict(common, CUDA_VISIBLE_DEVICES=names[gpu])
                         for gpu in (range(count) if gpus is None else gpus)], num_processes=1)


@contextlib.contextmanager
def lock_folders(folders):
    """Hold the folders of runs, so that no second command works in them.

    Raises:
        ValueError: Another one does.
    """
    with contextlib.ExitStack() as stack:
        for folder in folders:
            folder.parent.mkdir(parents=True, exist_ok=True)
            stream = stack.enter_context(open(folder.with_name(f'.{folder.name}.lock'), 'w'))
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ValueError(f'{folder}: another command is at work there; wait for it, or '
                                 'choose other folds or another --out') from error
        yield


@contextlib.contextmanager
def wait_for_folder(folder):
    """Hold a folder while files that commands share are written; wait while another one does."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / '.folds.lock', 'w') as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def place_folds(folds, out, points=None, numbers=None):
    """Check folds, keep a copy with the runs, and write the point files of each fold.

    Args:
        folds (str | Path): The folds file.
        out (str | Path): Folder for all runs.
        points (str | Path, optional): The point file that they divide; None: the file of the
            name that the folds give, beside them.
        numbers (Sequence[int], optional): Which folds; all if None.

    Returns:
        dict: ``folds`` and ``files``, from ``check_folds`` and ``write_fold_files``.

    Raises:
        ValueError: They do not fit the point file, or the runs in ``out`` are of other folds.
    """
    if points is None:
        points = Path(folds).parent / str(read_folds(folds)['annotations'].get('file'))
        if not points.is_file():
            raise ValueError(f'{folds} divides {points.name}, which does not lie beside it; say '
                             'where it is with --points')
    content = check_folds(folds, points)
    copy = Path(out) / 'folds.json'
    with wait_for_folder(out):
        if copy.exists() and check_folds(copy, points) != content:
            raise ValueError(f'{copy} holds other folds than {folds}; their runs cannot be compared: '
                             'choose another --out')
        write_folds(copy, content)
        files = write_fold_files(content, points, Path(out) / 'annotations', numbers)
    return dict(folds=content, files=files)


def run_folds(configs, out, folds=None, points=None, only=None, gpus=None, all_gpus=False,
              cfg_options=None, seed=None, amp=False, overwrite=False, command_line='', line=None):
    """Train and test every config on every fold; go on where a cut stopped an earlier call.

    Args:
        configs (Sequence[str | Path]): Config files.
        out (str | Path): Folder; receives ``<config>/fold<k>/`` with config, log, checkpoints,
            records of test and validation, and ``result.json``.
        folds (str | Path, optional): The folds file; None: each config's own split, in
            ``<config>/single/``.
        points (str | Path, optional): The point file that the folds divide; see
            :func:`place_folds`.
        only (Sequence[int], optional): Which folds; all if None.
        gpus, all_gpus: As in :func:`choose_devices`.
        cfg_options, seed, amp: As in :func:`plan_runs`.
        overwrite (bool): Delete runs of other settings that are in the way.
        command_line (str): Is noted in each result.
        line (ProgressDisplay, optional): Where progress is shown.

    Returns:
        list[Outcome]: Of the runs that had to be done.

    Raises:
        ValueError: Anything wrong that can be known before the first training.
    """
    devices = choose_devices(gpus, all_gpus)
    if folds is None and (only is not None or points is not None):
        raise ValueError('some folds or their point file are named, but there is no folds file; '
                         'give --folds')
    placed = {} if folds is None else place_folds(folds, out, points, only)
    plans = plan_runs(configs, out, cfg_options=cfg_options, seed=seed, amp=amp,
                      num_processes=devices['num_processes'], **placed)
    return run_plans(plans, devices, command_line, amp, overwrite, line)


def run_plans(plans, devices, command_line='', amp=False, overwrite=False, line=None,
              prepare=prepare_run):
    """Do what is missing of each plan, in this order; reuse what is finished.

    Args:
        plans (Sequence[RunPlan]): From :func:`plan_runs`.
        devices (dict): From :func:`choose_devices`.
        command_line, amp, overwrite, line: As in :func:`run_folds`.
        prepare (callable): Makes a folder ready, as :func:`prepare_run` does.

    Returns:
        list[Outcome]: Of the runs that had to be done.

    Raises:
        ValueError: A folder holds a run of other settings, or another command is at work there.
    """
    line = line or ProgressDisplay()
    num_processes = devices['num_processes']
    with lock_folders([plan.folder for plan in plans]):
        jobs = []
        for plan in plans:
            finished = is_finished(plan)
            if finished:
                line.say(f'{plan.name}: finished before, reused')
            else:
                prepare(plan, command_line, overwrite)
            jobs.append(Job(
                plan.name, plan.system, worker_command(plan, num_processes, amp),
                plan.folder / 'log.txt', read_seconds(plan) if finished else None,
                measure=partial(read_seconds, plan)))
        return run_jobs(jobs, devices['devices'], line)
