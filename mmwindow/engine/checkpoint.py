"""Resuming under torch >= 2.6, where ``torch.load`` refuses unknown types by default."""
import numpy as np
import torch
from mmengine.logging import HistoryBuffer

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
