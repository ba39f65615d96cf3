"""Checkpoints of a work dir: the newest to resume from, the best to test."""
import math
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import torch

from mmwindow.engine.model_description import META_KEY, POINTS_KEY
from mmwindow.engine.run_file import RUN_FILE, read_run, write_run
from mmwindow.engine.safe_loading import (  # noqa: F401  (some are read from here)
    allow_own_checkpoints,
    check_checkpoint,
    find_damage,
    load_data,
    load_own_checkpoint,
    own_checkpoint_types,
)
from mmwindow.utils.files import PART, atomic_file, write_text
from mmwindow.utils.operating_points import ModelOperatingPoints

RESUMABLE = re.compile(r'(?:epoch|iter)_(\d+)\.pth')  # can be resumed from

def find_best_checkpoint(folder: Path) -> Path:
    """Return the best checkpoint of a training by its recorded score.

    ``run.json`` names it. Where that is missing or behind, as after a cut, each ``best_*.pth`` is
    asked for the score that mmengine wrote into it.

    Raises:
        ValueError: There is none.
    """
    run = read_run(folder)
    if run is not None and run.best is not None and (folder / run.best.checkpoint).is_file():
        noted = (folder / RUN_FILE).stat().st_mtime_ns
        name = f'best_{run.best.metric}_'.replace('/', '_')
        later = [path for path in folder.glob(f'{name}*.pth') if path.stat().st_mtime_ns > noted
                 and path.name != run.best.checkpoint and is_complete_checkpoint(path)]
        # A kill came after a better one was written and before it was noted.
        better = [path for path in later if read_best_score(path) > run.best.score]
        return max(better, key=read_best_score, default=folder / run.best.checkpoint)
    every = sorted(folder.glob('best_*.pth'))
    checkpoints = [path for path in every if is_complete_checkpoint(path)] or every
    if not checkpoints:
        raise ValueError(f'{folder}: there is no best_*.pth' + (
            '; was the training validated, and does its config set '
            'default_hooks.checkpoint.save_best?' if any(folder.glob('*.pth')) else
            ', nor any other checkpoint; give the work dir of a training'))
    if len(checkpoints) == 1:
        return checkpoints[0]
    return max(checkpoints, key=read_best_score)


def read_best_score(path: Path) -> float:
    """Return the score that mmengine wrote into a best checkpoint; minus infinity without one."""
    content = load_own_checkpoint(path)
    info = content.get('message_hub', {}).get('runtime_info', {})
    # As many indicators, as many scores: best_score_<key>, in the file best_<key>_epoch_1.pth.
    scores = [score for name, score in info.items() if name == 'best_score' or (
        name.startswith('best_score_')
        and path.name.startswith(f'best_{name[11:]}_'.replace('/', '_')))]
    return float(scores[0]) if scores else -math.inf


def is_complete_checkpoint(path: str | Path) -> bool:
    """Return whether a checkpoint was written to its end: torch's archive ends in its index."""
    return Path(path).is_file() and zipfile.is_zipfile(path)


def is_intact_checkpoint(path: str | Path) -> bool:
    """Return whether a checkpoint is complete and its bytes are those that were written."""
    return is_complete_checkpoint(path) and find_damage(path) is None


def find_newest_checkpoint(folder: str | Path) -> Path | None:
    """Return the newest intact checkpoint that a training can resume from, or None."""
    return next(filter(is_intact_checkpoint, _resumable_checkpoints(Path(folder))), None)


def _resumable_checkpoints(folder: Path) -> list[Path]:
    """Return what a training wrote to resume from, the newest first, damaged ones included."""
    saved = {path: int(match[1]) for path in folder.glob('*.pth')
             if (match := RESUMABLE.fullmatch(path.name))}
    return sorted(saved, key=lambda path: saved[path], reverse=True)


def fix_last_checkpoint(folder: Path) -> Path | None:
    """Let ``resume='auto'`` find the newest intact checkpoint.

    mmengine 0.10 writes a checkpoint under its own name and removes the one before first: a kill in
    between leaves ``last_checkpoint`` naming a file that is gone or incomplete. What a kill left is
    deleted; a checkpoint whose bytes have changed since is named on the screen and left where it is.

    Args:
        folder: Work dir of the training; need not exist.

    Returns:
        Where the training will resume; None: it starts from the beginning.
    """
    pointer = folder / 'last_checkpoint'
    for path in folder.glob(f'.*.pth.*{PART}'):  # of a kill while a checkpoint was written
        path.unlink(missing_ok=True)
    newest = None
    damaged = []
    for path in _resumable_checkpoints(folder):
        if not is_complete_checkpoint(path):
            path.unlink(missing_ok=True)
        elif newest is None and is_intact_checkpoint(path):
            newest = path
        elif newest is None:
            damaged.append(path)
    for path in damaged:
        print(f'{path}: {find_damage(path)}; '
              + (f'{newest.name} is taken instead' if newest else 'the training begins again'),
              flush=True)
    if newest is None:
        pointer.unlink(missing_ok=True)
    else:
        write_text(pointer, str(newest.absolute()))
    return newest


def store_operating_points(path: str | Path, points: ModelOperatingPoints) -> None:
    """Put operating points into a checkpoint, and into ``run.json`` next to it if it is the best.

    The checkpoint is written anew, atomically; all else in it stays as it is.

    Args:
        path: The checkpoint.
        points: Take the place of those that it has.

    Raises:
        ValueError: The checkpoint cannot be read, or does not describe its model.
    """
    path = Path(path)
    load_own_checkpoint(path)  # with all checks
    content = load_data(path, 'cpu')
    description = (content.get('meta') or {}).get(META_KEY)
    if not isinstance(description, dict):
        raise ValueError(f'checkpoint {path}: it does not describe its model, so that nothing reads '
                         'a threshold from it; trainings since mmwindow 0.2 write the description')
    content['meta'][META_KEY] = {**description, POINTS_KEY: points.to_json()}
    with atomic_file(path) as part:
        torch.save(content, part)
    run = read_run(path.parent)
    if run is not None and run.best is not None and run.best.checkpoint == path.name:
        write_run(path.parent, replace(run, best=replace(run.best, operating_points=points)))
