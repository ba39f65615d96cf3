"""Locks: one command at a time in a folder, and a message that names who is there."""
import contextlib
import errno
import fcntl
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmwindow.utils.files import cut_name
from mmwindow.utils.messages import shorten

LOCK = '.lock'
# What a file system without locks answers, as NFS without its lock service.
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
class InUseError(ValueError):
    """Another command holds the lock; the message says which."""


_held: set[int] = set()  # descriptors; a forked child must not keep the lock of a dead parent


def _close_in_child() -> None:
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)


@contextlib.contextmanager
def hold(path: str | Path, what: str, way_out: str, wait: bool = False) -> Iterator[None]:
    """Hold a lock file, and write into it who does.

    The lock is the system's (``flock``): it goes with the process that holds it, however that ends,
    and the file that stays is no obstacle.

    Args:
        path: The lock file; its folder is made.
        what: What is held, for the message.
        way_out: What the user can do, for the message.
        wait: Until it is free; else another command's lock is an error.

    Raises:
        InUseError: Another command holds it; the message says which.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    _held.add(descriptor)
    try:
        try:
            _lock(descriptor, what, way_out, wait)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            print(f'{path.parent}: its file system has no locks ({error.strerror}); no other '
                  'command may work there', file=sys.stderr, flush=True)
        else:
            _write_holder(descriptor)
        yield
    finally:
        _held.discard(descriptor)
        os.close(descriptor)


def _lock(descriptor: int, what: str, way_out: str, wait: bool) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = f'{what}: in use by {_read_holder(descriptor)}'
        if not wait:
            raise InUseError(f'{holder}; wait for it, {way_out}') from error
        print(f'{holder}; this one waits', file=sys.stderr, flush=True)
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def hold_folder(folder: str | Path, way_out: str = 'or choose another folder') -> Any:
    """Return the context in which this process alone works in a folder (:func:`hold`)."""
    return hold(Path(folder) / LOCK, shorten(str(folder)), way_out)


def hold_file(path: str | Path, way_out: str = 'or choose another file', wait: bool = False) -> Any:
    """Return the context in which this process alone writes a file, or a folder that may go."""
    shown = shorten(str(path))
    path = Path(os.path.abspath(path))  # '.' has no name
    return hold(path.with_name(f'.{cut_name(path.name, 100)}{LOCK}'), shown, way_out, wait)


def _write_holder(descriptor: int) -> None:
    command = shlex.join([Path(sys.argv[0]).name or 'python', *sys.argv[1:]])
    text = json.dumps(dict(pid=os.getpid(), host=platform.node(), command=command[:500],
                           since=time.strftime('%Y-%m-%d %H:%M:%S')))
    with contextlib.suppress(OSError):  # a full disk holds a lock all the same
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(errors='replace'), 0)


def _read_holder(descriptor: int) -> str:
    """Return in words who holds a lock."""
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        pid, host, command, since = (str(holder[name])[:200] for name in (
            'pid', 'host', 'command', 'since'))
    except (OSError, ValueError, KeyError, TypeError):  # it is being written, or of version 0.1
        return 'another command'
    return f'"{shorten(command, 160)}" (process {pid} on {host}, since {since})'
