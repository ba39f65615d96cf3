"""The folders of runs: what is finished, what can resume, and what must not be touched.

A run is finished when its folder has a ``result.json`` of the same fingerprint, scored by this code;
anything else resumes or begins. What was trained by other code is kept only where the user says so.
"""
import contextlib
import difflib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwindow.engine.checkpoint import find_newest_checkpoint, fix_last_checkpoint
from mmwindow.evaluation.files.records import read_record
from mmwindow.experiments.plan import RunPlan, describe_system
from mmwindow.experiments.run_state import read_result, read_state
from mmwindow.experiments.weights import parse_weights
from mmwindow.experiments.worker import RECORDS, STATE_HEAD
from mmwindow.utils.environment import scoring_code, training_code
from mmwindow.utils.files import PART, write_json, write_text
from mmwindow.utils.locks import hold, hold_file
from mmwindow.utils.messages import name_some, shorten

CUT_START = {'config.py'}  # what a start that was cut before run.json leaves
NOTED = ('versions', 'machine', 'earlier_starts', 'training_code', 'accepted_code')


class FolderTakenError(ValueError):
    """A folder holds what does not belong with new runs.

    Args:
        found: What is in the way.
        advice: What the options of ``mmwindow folds`` can do about it.

    Attributes:
        found: Likewise, for commands with other options.
    """

    def __init__(self, found: str, advice: str) -> None:
        super().__init__(found + advice)
        self.found = found


def is_finished(plan: RunPlan) -> bool:
    """Return whether a run's folder holds a complete result of this very plan and scoring code.

    The record of each split is read and checked, so nothing incomplete passes.
    """
    try:
        result = read_result(plan.folder)
        if not result or (
                result.get('mark'), result.get('scoring_code'), result.get('weights') or 'best',
                result.get('views')) != (plan.mark, scoring_code(), plan.weights, plan.views):
            return False
        for split in plan.splits:
            if split not in result.get('records', plan.splits):  # its record is an earlier test's
                return False
            read_record(plan.folder / RECORDS[split])
    except ValueError:
        return False
    return True


def read_seconds(plan: RunPlan) -> float:
    """Return how long a finished run took."""
    result = read_result(plan.folder)
    result = result or {}
    return ((result.get('training_seconds') or 0.) if plan.trains else 0.) + (
        result.get('test_seconds') or 0.)


def check_training_code(plans: Sequence[RunPlan], accept: bool, overwrite: bool) -> list[RunPlan]:
    """Return the runs that were trained by other code than this; nothing is changed.

    Args:
        plans: Of all runs.
        accept: They may be kept.
        overwrite: They may be deleted.

    Raises:
        FolderTakenError: The message names the runs and says what to do.
    """
    changed = [plan for plan in plans if plan.trains and is_trained_by_other_code(plan)]
    if changed and not (accept or overwrite):
        state = read_state(changed[0].folder) or {}
        commit = (state.get('versions') or {}).get('commit')
        code = ('other code' + (f' (commit {commit})' if commit else '')
                if state.get('training_code') else
                'a version that did not note its code')
        raise FolderTakenError(
            f'trained by {code}: {name_some([plan.name for plan in changed])}',
            '. Models, data sets, hooks or images have changed since, so that they may not belong '
            'with new runs; --accept keeps them and notes it in their results, --overwrite trains '
            'them again, another --out leaves them alone')
    return changed


def settle_training_code(plan: RunPlan, accept: bool, overwrite: bool) -> None:
    """Keep or delete, as asked, what other code than this has trained in a folder that is held.

    Args:
        plan: Of the run.
        accept: Keep it; ``accepted_code`` in its result says so.
        overwrite: Delete it, so that it is trained again.

    Raises:
        FolderTakenError: As :func:`check_training_code`.
    """
    for changed in check_training_code([plan], accept, overwrite):
        if accept:
            _note_accepted_code(changed)
        else:
            shutil.rmtree(changed.folder)


def is_trained_by_other_code(plan: RunPlan) -> bool:
    """Return whether a folder holds weights of this plan that other code has made."""
    state = read_state(plan.folder)
    if not state or state.get('mark') != plan.mark:
        return False
    if not state.get('trained') and find_newest_checkpoint(plan.folder / 'training') is None:
        return False
    return training_code() not in (state.get('training_code'), *(state.get('accepted_code') or ()))


def _note_accepted_code(plan: RunPlan) -> None:
    for name, read in (('run.json', read_state), ('result.json', read_result)):
        content = read(plan.folder)
        if content:
            write_json(plan.folder / name, {**content, 'accepted_code': [
                *(content.get('accepted_code') or ()), training_code()]})


def complete_config(plan: RunPlan) -> Config:
    """Return the config that is written into a run's folder and trained from."""
    cfg = Config(plan.cfg._cfg_dict.to_dict())
    cfg.work_dir = str(plan.folder / 'training')
    # While one checkpoint is written the one before must still be there, and all that are averaged.
    keep = cfg.default_hooks.checkpoint.get('max_keep_ckpts', -1)
    needed = max(2, parse_weights(plan.weights).num_epochs)
    cfg.default_hooks.checkpoint.max_keep_ckpts = keep if keep < 1 else max(keep, needed)
    return cfg


def config_text(plan: RunPlan) -> str:
    """Return the config that is written into a run's folder."""
    text: str = (complete_config(plan) if plan.trains else plan.cfg).pretty_text
    return text


def check_folder(plan: RunPlan, overwrite: bool = False) -> dict[str, Any] | None:
    """Return ``run.json`` of a plan's folder; None where the run begins. Nothing is changed.

    Args:
        plan: Of the run.
        overwrite: A run of other settings may be deleted.

    Raises:
        FolderTakenError: It holds a run of other settings, or what is no run; the message says
            which.
    """
    state = read_state(plan.folder)
    if not plan.folder.exists() or state and state.get('mark') == plan.mark:
        return state
    foreign = {path.name for path in plan.folder.iterdir() if path.suffix != PART} - CUT_START
    if not state and foreign:
        raise FolderTakenError(
            f'{plan.folder}: there is no run.json, so it is no run of this command, but there is '
            f'{name_some(foreign)}', '; move it away, or choose another --out')
    if state and not overwrite:
        raise FolderTakenError(
            f'{plan.folder} holds a run of other settings: '
            f'{describe_config_difference(plan.folder, config_text(plan))}',
            '. Choose another --out, or delete it with --overwrite')
    return None


def prepare_folder(plan: RunPlan, overwrite: bool = False) -> dict[str, Any] | None:
    """Make a run's folder, empty or as it was left, and write its config.

    Args:
        plan: Of the run.
        overwrite: Delete a run of other settings.

    Returns:
        Content of ``run.json``; None where the run begins.

    Raises:
        FolderTakenError: As :func:`check_folder`.
    """
    state = check_folder(plan, overwrite)
    if state is None and plan.folder.exists():
        shutil.rmtree(plan.folder)
    plan.folder.mkdir(parents=True, exist_ok=True)
    (plan.folder / 'result.json').unlink(missing_ok=True)  # of records that are gone
    write_text(plan.folder / 'config.py', config_text(plan))
    return state


def prepare_run(plan: RunPlan, command_line: str, overwrite: bool = False) -> None:
    """Make a run's folder ready to begin or to resume in.

    Raises:
        FolderTakenError: As :func:`prepare_folder`.
    """
    tested = None
    with contextlib.suppress(ValueError):  # an incomplete one is made again
        tested = read_result(plan.folder)
    state = prepare_folder(plan, overwrite)
    is_trained = bool(state and state.get('trained'))
    # Which code and machines trained it so far; the worker adds its own.
    noted = {name: value for name, value in {**(tested or {}), **state}.items()
             if name in NOTED} if state else {}
    if not is_trained and fix_last_checkpoint(plan.folder / 'training') is None:
        noted['training_code'] = training_code()
        noted.pop('accepted_code', None)  # of weights that are gone
    write_json(plan.folder / 'run.json', dict(
        **STATE_HEAD, **noted, mark=plan.mark, scoring_code=scoring_code(),
        settings_mark=plan.settings_mark,
        system=plan.system, config=str(plan.config), fold=plan.fold, seed=plan.seed,
        splits=plan.splits, weights=plan.weights, **describe_system(plan.cfg, plan.config),
        command=command_line,
        starts=((state or {}).get('starts') or 0) + 1, trained=is_trained,
        training_seconds=(state or {}).get('training_seconds') or 0.))


def describe_config_difference(folder: Path, text: str, num_lines: int = 4) -> str:
    """Return in one line how a folder's config and the text of another one differ."""
    old = folder / 'config.py'
    lines = [line for line in difflib.unified_diff(
        old.read_text(encoding='utf-8').splitlines() if old.exists() else [],
        text.splitlines(), lineterm='', n=0) if not line.startswith(('@@', '---', '+++'))]
    if not lines:
        return 'the config is the same; data, folds, seed, number of processes or versions are not'
    shown = [f'{"there" if line[0] == "-" else "now"} {shorten(line[1:].strip(), 80)}'
             for line in lines[:num_lines]]
    more = f'; and {len(lines) - num_lines} more lines' if len(lines) > num_lines else ''
    return '; '.join(shown) + more


@contextlib.contextmanager
def lock_folders(folders: Sequence[Path]) -> Iterator[None]:
    """Hold the folders of runs, so that no second command works in them.

    Raises:
        InUseError: Another one does.
    """
    with contextlib.ExitStack() as stack:
        for folder in folders:
            stack.enter_context(hold_file(folder, 'or choose other folds or another --out'))
        yield


def wait_for_folder(folder: str | Path) -> contextlib.AbstractContextManager[None]:
    """Hold a folder while files that commands share are written; wait while another one does."""
    return hold(Path(folder) / '.folds.lock', str(folder), '', wait=True)
