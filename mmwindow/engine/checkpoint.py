"""Checkpoints: reading them safely, the newest to resume from, the best to test."""
import math
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from mmwindow.engine.run_file import read_run
from mmwindow.utils.files import write_text

RESUMABLE = re.compile(r'(?:epoch|iter)_(\d+)\.pth')  # can be resumed from

STATISTICS = ('min', 'max', 'current', 'mean')


def history_buffer_method(owner: Any, name: str) -> Any:
    """Stand in for ``getattr`` while unpickling: only ``HistoryBuffer``'s four statistics.

    A pickled ``HistoryBuffer`` names its methods through ``getattr``. Allowing the real one
    would let a file reach any attribute of any allowed object.

    Raises:
        ValueError: Anything else is asked for.
    """
    if owner is not HistoryBuffer or name not in STATISTICS:
        raise ValueError(f'the checkpoint asks for {name!r} of {owner!r}; only the statistics '
                         f'{STATISTICS} of HistoryBuffer are allowed. Is it from a trusted place?')
    return getattr(owner, name)


def own_checkpoint_types() -> list[type]:
    """Return what mmengine's checkpoints hold besides tensors and builtins.

    The message hub keeps its curves in ``HistoryBuffer`` objects around numpy
    arrays, and some of its scalars are numpy's. None of these runs code when it is
    unpickled, so naming them keeps the check of ``torch.load`` in force.
    """
    core = np._core if hasattr(np, '_core') else np.core  # renamed in numpy 2
    numpy_types = [np.dtype, np.ndarray, core.multiarray._reconstruct, core.multiarray.scalar]
    dtypes = {type(np.dtype(name)) for name in ('bool', 'int32', 'int64', 'float32', 'float64')}
    return [HistoryBuffer, *numpy_types, *dtypes]


def allow_own_checkpoints() -> None:
    """Let ``torch.load(weights_only=True)`` read mmengine's own checkpoints.

    mmengine 0.10.7 calls bare ``torch.load``; since torch 2.6 that means
    ``weights_only=True``, which fails on the types above and so breaks
    ``--resume``. They are allow-listed; the check itself is never switched off,
    neither for the user's files nor for downloaded ones.
    """
    if not hasattr(torch.serialization, 'add_safe_globals'):
        return  # torch < 2.4: there is no such check yet
    types: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
        *own_checkpoint_types(), (history_buffer_method, 'builtins.getattr')]
    core = np._core if hasattr(np, '_core') else np.core
    # A checkpoint written under numpy 1 names numpy.core, one under numpy 2 numpy._core;
    # either must open under either.
    for function in (core.multiarray._reconstruct, core.multiarray.scalar):
        for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
            types.append((function, f'{module}.{function.__name__}'))
    torch.serialization.add_safe_globals(types)


def load_own_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return the content of one of mmengine's checkpoints, on the CPU, with the check of types on.

    The types are allowed again each time: the maintained fork of mmengine allows them for its own
    loading alone, and at its end takes them away for the complete process.
    """
    allow_own_checkpoints()
    content: dict[str, Any] = torch.load(path, map_location='cpu', weights_only=True)
    return content


def find_best_checkpoint(folder: Path) -> Path:
    """Return the best checkpoint of a training by its recorded score.

    ``run.json`` names it. Where that is missing or behind, as after a cut, each ``best_*.pth`` is
    asked for the score that mmengine wrote into it.

    Raises:
        ValueError: There is none.
    """
    run = read_run(folder)
    if run is not None and run.best is not None and (folder / run.best.checkpoint).is_file():
        return folder / run.best.checkpoint
    every = sorted(folder.glob('best_*.pth'))
    checkpoints = [path for path in every if is_complete_checkpoint(path)] or every
    if not checkpoints:
        raise ValueError(f'{folder}: there is no best_*.pth; was the training validated, '
                         'and does its config set default_hooks.checkpoint.save_best?')
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


def find_newest_checkpoint(folder: str | Path) -> Path | None:
    """Return the newest complete checkpoint that a training can resume from, or None."""
    saved = {path: int(match[1]) for path in Path(folder).glob('*.pth')
             if (match := RESUMABLE.fullmatch(path.name)) and is_complete_checkpoint(path)}
    return max(saved, key=lambda path: saved[path], default=None)


def fix_last_checkpoint(folder: Path) -> Path | None:
    """Let ``resume='auto'`` find the newest complete checkpoint.

    mmengine writes a checkpoint under its own name and removes the one before first: a
    kill in between leaves ``last_checkpoint`` naming a file that is gone or incomplete.

    Args:
        folder: Work dir of the training; need not exist.

    Returns:
        Where the training will resume; None: it starts from the beginning.
    """
    pointer = folder / 'last_checkpoint'
    for path in folder.glob('*.pth'):
        if RESUMABLE.fullmatch(path.name) and not is_complete_checkpoint(path):
            path.unlink(missing_ok=True)
    newest = find_newest_checkpoint(folder)
    if newest is None:
        pointer.unlink(missing_ok=True)
    else:
        write_text(pointer, str(newest.absolute()))
    return newest


def check_checkpoint(path: str | Path, what: str = 'checkpoint') -> None:
    """Reject a checkpoint that cannot be loaded, before anything is built.

    Args:
        path: A file, or an address, which is not looked at.
        what: Where the path comes from, for the message.

    Raises:
        ValueError: There is no such file, it is empty, or it is incomplete.
    """
    if '://' in str(path):
        return
    if not Path(path).is_file():
        raise ValueError(f'{what} {path}: there is no such file; a training writes best_*.pth and '
                         'epoch_*.pth into its work dir')
    with open(path, 'rb') as stream:
        start = stream.read(2)
    if start not in (b'PK', b'\x80\x02'):  # torch's formats since 1.6 and before
        raise ValueError(f'{what} {path}: this is no checkpoint of torch')
    if start == b'PK' and not zipfile.is_zipfile(path):  # the index of the archive comes last
        raise ValueError(f'{what} {path}: it is incomplete, as a kill while it was written leaves '
                         'it; delete it and take another, or --resume without a path for the newest '
                         'complete one')
