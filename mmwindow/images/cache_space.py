"""How much the cache may take, and what goes when it is full."""
import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mmwindow.utils.files import PART

TAG = 'CACHEDIR.TAG'  # by which programs for backups know a cache (bford.info/cachedir)
TAG_TEXT = ('Signature: 8a477f597d28d172789f06886806bc55\n'
            '# Decoded images of mmwindow; "mmwindow cache --clear" takes them away.\n')
ENTRIES, SOURCES = 'pixels', 'sources'  # folders
NAME = re.compile(r'[0-9a-f]{64}')
PART_NAME = re.compile(rf'\.[0-9a-f]{{64}}\.[0-9a-f]{{12}}{re.escape(PART)}')
GIB = 2 ** 30
DEFAULT_LIMIT = 50 * GIB
FREE_SPACE = GIB  # of the disk, which is left to others
IN_USE = 24 * 3600.  # seconds: what was used since then does not go
LEFT_BEHIND = 3600.  # seconds, after which nobody writes a temporary file any more
TOUCH_AFTER = 3600.  # seconds, after which a use is noted again
FIRST_STEP = 2 ** 24  # bytes written between two looks at the folder, at least


class CacheSize(NamedTuple):
    """What a cache takes.

    Attributes:
        num_entries: Images at an input size.
        num_bytes: Of all its files.
    """

    num_entries: int
    num_bytes: int


class StoredFile(NamedTuple):
    """A file of a cache."""

    path: str
    num_bytes: int
    used: float


def check_limit(gibibytes: float | str) -> int:
    """Return a limit in bytes.

    Args:
        gibibytes: A positive number.

    Raises:
        ValueError: It is none.
    """
    try:
        limit = float(gibibytes)
        if not 0 < limit < 2 ** 33:
            raise ValueError
    except ValueError:
        raise ValueError(f'the limit of the cache is {str(gibibytes)[:50]!r}; a positive number of '
                         'GiB is expected, such as MMWINDOW_CACHE_LIMIT=50') from None
    return int(limit * GIB)


def iterate_files(folder: Path, kind: str) -> Iterator[StoredFile]:
    """Yield the files of a cache, temporary ones included; what is not named as ours is left out."""
    with contextlib.suppress(OSError), os.scandir(folder / kind) as parts:
        for part in parts:
            if len(part.name) != 2 or not part.is_dir(follow_symlinks=False):
                continue
            with contextlib.suppress(OSError), os.scandir(part) as files:
                for file in files:
                    if NAME.fullmatch(file.name) or PART_NAME.fullmatch(file.name):
                        with contextlib.suppress(OSError):  # another process took it away
                            state = file.stat(follow_symlinks=False)
                            yield StoredFile(file.path, state.st_size, state.st_mtime)


def measure(folder: Path) -> CacheSize:
    """Return what a cache takes."""
    entries = list(iterate_files(folder, ENTRIES))
    others = sum(file.num_bytes for file in iterate_files(folder, SOURCES))
    return CacheSize(sum(not file.path.endswith(PART) for file in entries),
                     sum(file.num_bytes for file in entries) + others)


def clear(folder: Path) -> CacheSize:
    """Take away all files of a cache, and nothing else; return what they took.

    Raises:
        ValueError: The folder holds files and is no cache.
        OSError: A file cannot be taken away.
    """
    if not folder.exists():
        return CacheSize(0, 0)
    try:
        is_ours = (folder / TAG).read_text(encoding='utf-8') == TAG_TEXT
    except (OSError, UnicodeError):
        is_ours = False
    if not is_ours:
        raise ValueError(f'{folder}: this is no cache of mmwindow (no {TAG} of its own in it); '
                         'nothing was taken away')
    size = measure(folder)
    for kind in (ENTRIES, SOURCES):
        for file in list(iterate_files(folder, kind)):
            Path(file.path).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            for part in (folder / kind).iterdir():
                with contextlib.suppress(OSError):  # not empty: somebody writes, or it is not ours
                    part.rmdir()
    return size


class CacheSpace:
    """The bookkeeping of one process: whether there is place for another entry.

    Where there is none, what was not used for a day goes, the longest unused first. A data set that
    is larger than the limit therefore keeps what it has in the cache, and the rest of it is decoded:
    taking out what the next epoch needs would only cost.

    Args:
        folder: Of the cache.
        limit: Bytes; several processes may pass it by 16 MiB each.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self._used = -1
        self._next_look = 0

    def reserve(self, num_bytes: int) -> bool:
        """Return whether a file of a size may be written, after others went where they had to."""
        if shutil.disk_usage(self.folder).free - num_bytes < FREE_SPACE:
            return False
        if self._used < 0 or self._used + num_bytes > self._next_look:
            self._look(num_bytes)
        if self._used + num_bytes > self.limit:
            return False
        self._used += num_bytes
        return True

    def _look(self, num_bytes: int) -> None:
        """Measure the folder, make place in it, and decide when to look again."""
        files = [*iterate_files(self.folder, ENTRIES), *iterate_files(self.folder, SOURCES)]
        self._used = sum(file.num_bytes for file in files)
        now = time.time()
        for file in files:
            if file.path.endswith(PART) and file.used < now - LEFT_BEHIND:
                self._take_out(file)
        if self._used + num_bytes > self.limit:
            for file in sorted(files, key=lambda file: file.used):
                if self._used + num_bytes <= 0.9 * self.limit or file.used > now - IN_USE:
                    break
                self._take_out(file)
        step = max(FIRST_STEP, (self.limit - self._used) // 32)
        self._next_look = max(self._used + num_bytes, min(self._used + step, self.limit))

    def _take_out(self, file: StoredFile) -> None:
        with contextlib.suppress(OSError):
            os.unlink(file.path)
            self._used -= file.num_bytes
