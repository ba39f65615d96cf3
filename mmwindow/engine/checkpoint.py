"""Resuming under torch >= 2.6, where ``torch.load`` refuses unknown types by default."""
import re
import zipfile
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from mmwindow.utils.files import write_text

RESUMABLE = re.compile(r'(?:epoch|iter)_(\d+)\.pth')  # a checkpoint that a training can go on from

STATISTICS = ('min', 'max', 'current', 'mean')


def history_buffer_method(owner, name):
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


def own_checkpoint_types():
    """Return what mmengine's checkpoints hold beside tensors and builtins.

    The message hub keeps its curves in ``HistoryBuffer`` objects around numpy
    arrays, and some of its scalars are numpy's. None of these runs code when it is
    unpickled, so naming them keeps the check of ``torch.load`` in force.
    """
    core = np._core if hasattr(np, '_core') else np.core  # renamed in numpy 2
    numpy_types = [np.dtype, np.ndarray, core.multiarray._reconstruct, core.multiarray.scalar]
    dtypes = {type(np.dtype(name)) for name in ('bool', 'int32', 'int64', 'float32', 'float64')}
    return [HistoryBuffer, *numpy_types, *dtypes]


def allow_own_checkpoints():
    """Let ``torch.load(weights_only=True)`` read mmengine's own checkpoints.

    mmengine 0.10.7 calls bare ``torch.load``; since torch 2.6 that means
    ``weights_only=True``, which fails on the types above and so breaks
    ``--resume``. They are allow-listed; the check itself is never switched off,
    neither for the user's files nor for downloaded ones.
    """
    if not hasattr(torch.serialization, 'add_safe_globals'):
        return  # torch < 2.4: there is no such check yet
    types = [*own_checkpoint_types(), (history_buffer_method, 'builtins.getattr')]
    core = np._core if hasattr(np, '_core') else np.core
    # A checkpoint written under numpy 1 names numpy.core, one under numpy 2 numpy._core;
    # either must open under either.
    for function in (core.multiarray._reconstruct, core.multiarray.scalar):
        for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
            types.append((function, f'{module}.{function.__name__}'))
    torch.serialization.add_safe_globals(types)


def find_best_checkpoint(folder):
    """Return the newest best_*.pth of a training."""
    checkpoints = sorted(folder.glob('best_*.pth'), key=lambda path: path.stat().st_mtime)
    if not checkpoints:
        raise ValueError(f'{folder}: there is no best_*.pth though the training ended; delete '
                         'the folder and start again')
    return checkpoints[-1]


def is_whole_checkpoint(path):
    """Return whether a checkpoint was written to its end: torch's archive ends in its index."""
    return Path(path).is_file() and zipfile.is_zipfile(path)


def find_newest_checkpoint(folder):
    """Return the newest whole checkpoint that a training can go on from, or None."""
    saved = {path: int(match[1]) for path in Path(folder).glob('*.pth')
             if (match := RESUMABLE.fullmatch(path.name))
             and is_whole_checkpoint(path)}
    return max(saved, key=saved.get, default=None)


def mend_last_checkpoint(folder):
    """Let ``resume='auto'`` find the newest checkpoint that is whole.

    mmengine writes a checkpoint under its own name and removes the one before first: a
    kill in between leaves ``last_checkpoint`` naming a file that is gone or cut short.

    Args:
        folder (Path): Work dir of the training; need not exist.

    Returns:
        Path | None: Where the training will go on; None: from the start.
    """
    pointer = folder / 'last_checkpoint'
    for path in folder.glob('*.pth'):
        if RESUMABLE.fullmatch(path.name) and not is_whole_checkpoint(path):
            path.unlink(missing_ok=True)
    newest = find_newest_checkpoint(folder)
    if newest is None:
        pointer.unlink(missing_ok=True)
    else:
        write_text(pointer, str(newest.absolute()))
    return newest
