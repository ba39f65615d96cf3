"""Loading checkpoints as data: no code of theirs runs, whoever loads them.

A checkpoint of mmengine is a pickle, and carries its config as Python text that mmengine executes:
``Runner.resume`` and ``DetInferencer`` without a config do. The maintained fork loads a checkpoint
without any check where the check finds something that it does not know, and downloads are loaded
without it on both. Importing :mod:`mmwindow.engine` puts the loader of this module in the place of
all of these: only tensors and plain data are read, and the config's text is dropped.
"""
import io
import os
import zipfile
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from mmwindow.engine.storage_check import check_storages
from mmwindow.utils.files import check_ordinary_file
from mmwindow.utils.messages import shorten

STATISTICS = ('min', 'max', 'current', 'mean')
CONFIG_TEXTS = ('config', 'cfg')  # of ``meta`` and of the message hub: Python that mmengine executes


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


def drop_config_text(content: Any) -> Any:
    """Return a checkpoint's content without the text of its config, which mmengine would execute.

    It lies in ``meta`` and in the runtime information of the message hub. A training that resumes
    would also copy the latter into its own checkpoints.

    Args:
        content: Of a checkpoint; is not changed.
    """
    if not isinstance(content, dict):
        return content
    content = _copy_dict(content)
    hub = content.get('message_hub')
    if isinstance(hub, dict):
        hub = content['message_hub'] = _copy_dict(hub)
    for owner, name in ((content, 'meta'), (hub, 'runtime_info')):
        if isinstance(owner, dict) and isinstance(owner.get(name), dict):
            owner[name] = {key: value for key, value in owner[name].items()
                           if key not in CONFIG_TEXTS}
    return content


def _copy_dict(value: dict[Any, Any]) -> dict[Any, Any]:
    """Return a shallow copy of the same type: a state dict keeps its versions in an attribute."""
    copied = value.copy()
    if hasattr(value, '_metadata'):
        copied._metadata = value._metadata  # type: ignore[attr-defined]
    return copied


def find_damage(path: str | Path) -> str | None:
    """Return what is wrong with the bytes of a checkpoint; None where nothing is.

    torch reads an archive without looking at its check sums, so a flipped bit becomes a wrong weight.
    Reading all of it costs about 0.1 s per 100 MB (``tools/benchmark_checkpoint.py``); the answer is
    kept while the file stays as it is. torch's format before 1.6 has no check sums.

    Args:
        path: An ordinary file.
    """
    info = Path(path).stat()
    return _find_damage(str(path), info.st_size, info.st_mtime_ns)


@lru_cache(maxsize=64)
def _find_damage(path: str, size: int, modified: int) -> str | None:
    with open(path, 'rb') as stream:
        start = stream.read(2)
    if start not in (b'PK', b'\x80\x02'):  # torch's formats since 1.6 and before
        return 'this is no checkpoint of torch'
    if start != b'PK':
        return None
    if not zipfile.is_zipfile(path):  # the index of the archive comes last
        return 'it is incomplete, as a kill while it was written leaves it'
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if not any(member.CRC for member in members):
                return None  # torch.serialization.set_crc32_options(False) writes none
            for member in members:
                # torch stores members as they are; one that unpacks to gigabytes is none of its own.
                if member.file_size != member.compress_size:
                    return f'its part {shorten(member.filename, 80)} is compressed'
            member_name = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        return f'it is damaged ({shorten(str(error), 120)})'
    return member_name and f'it is damaged: its part {shorten(member_name, 80)} has a wrong check sum'


def check_checkpoint(path: str | Path, what: str = 'checkpoint') -> None:
    """Reject a checkpoint that cannot be loaded, before anything is built.

    Args:
        path: A file, or an address, which is not looked at.
        what: Where the path comes from, for the message.

    Raises:
        ValueError: There is no such file, it is none of torch, incomplete or damaged.
    """
    name = f'{what} {shorten(str(path))}'
    if '://' in str(path):
        return
    if not Path(path).exists():
        raise ValueError(f'{name}: there is no such file; a training writes best_*.pth and '
                         'epoch_*.pth into its work dir')
    check_ordinary_file(path, what)
    damage = find_damage(path)
    if damage:
        raise ValueError(f'{name}: {damage}; copy it again or take another (a training: --resume '
                         'without a path takes the newest complete one)')


def load_own_checkpoint(path: str | Path, map_location: Any = 'cpu') -> dict[str, Any]:
    """Return the content of a checkpoint: tensors and plain data, without the text of its config.

    The types are allowed again each time: the maintained fork of mmengine allows them for its own
    loading alone, and at its end takes them away for the complete process.

    Raises:
        ValueError: As :func:`check_checkpoint`, or it holds anything else, which could run code.
    """
    path = Path(path).expanduser()
    check_checkpoint(path)
    check_storages(path)
    content = load_data(path, map_location)
    if not isinstance(content, dict):
        raise ValueError(f'checkpoint {shorten(str(path))}: it holds {type(content).__name__}; '
                         'a dict with the state_dict of a model is expected')
    return drop_config_text(content)


class BoundedReader(io.BufferedReader):
    """Read a file and ask for no more bytes than are left in it.

    Python reserves what is asked for before it reads. A pickle says how long its strings are, and
    torch's format before 1.6 is unpickled from the file: seven bytes could ask for 4 GB.

    Args:
        path: An ordinary file.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(io.FileIO(str(path)))
        self.num_bytes = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next ``size`` bytes, or what is left."""
        left = max(0, self.num_bytes - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


def load_data(file: Any, map_location: Any = None, weights_only: bool | None = None) -> Any:
    """Call ``torch.load`` with its check on; it has the arguments of the fork's own loader.

    Args:
        file: A path or a stream.
        map_location: As in ``torch.load``.
        weights_only: Is ignored: the check is always on.

    Raises:
        ValueError: The file holds more than tensors and plain data.
    """
    allow_own_checkpoints()
    name = 'checkpoint ' + shorten(str(file)) if isinstance(file, str | Path) else 'checkpoint'
    try:
        if not isinstance(file, str | Path) or zipfile.is_zipfile(file):
            return torch.load(file, map_location=map_location, weights_only=True)
        with BoundedReader(file) as stream:
            return torch.load(stream, map_location=map_location, weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # of any kind, as struct.error of a header that is cut short
        reason = shorten(' '.join(str(error).partition('WeightsUnpickler error: ')[2].split())
                         or f'{type(error).__name__}: {error}', 200)
        raise ValueError(f'{name}: it cannot be read as tensors and plain data ({reason}); anything '
                         'else in a checkpoint could run code. Save its state_dict alone where you '
                         'trust it') from error


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_from_local(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Load a file for mmengine: ``load_from``, ``--resume``, ``init_cfg`` and its inferencers."""
    return load_own_checkpoint(filename, map_location)


def load_url(url: str, model_dir: str | None = None, map_location: Any = None,
             progress: bool = True, **options: Any) -> dict[str, Any]:
    """Download a checkpoint and load it with the check on, for all of mmengine's addresses."""
    content: dict[str, Any] = torch.hub.load_state_dict_from_url(
        url, model_dir=model_dir, map_location=map_location, progress=progress,
        **{**options, 'weights_only': True})
    return drop_config_text(content)


def guard_mmengine() -> None:
    """Let mmengine's other loaders use those of this module: downloads, and the fork's fall-back."""
    allow_own_checkpoints()
    # "Loads checkpoint by local backend" goes to the log: without a logger mmengine prints it.
    mmengine_checkpoint._load_checkpoint.__defaults__ = (None, 'current')
    mmengine_checkpoint.load_url = load_url
    mmengine_checkpoint.load_from_local = load_from_local
    if hasattr(mmengine_checkpoint, '_safe_torch_load'):  # of the maintained fork
        mmengine_checkpoint._safe_torch_load = load_data
