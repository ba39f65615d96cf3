"""The cache: images as a network's input takes them, decoded once.

An entry is what :func:`~mmwindow.images.fitting.read_fitted` returns, so that a training with the
cache sees the pixels of one without. It is found by a digest of the file's content, of the settings,
of the input size and of the code and libraries that decode: what changes one of them finds nothing,
and the image is decoded. No name, date or identifier of a file is in it.
"""
import contextlib
import hashlib
import os
import time
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from mmwindow.images.cache_entry import (
    DamagedEntryError,
    EntryHead,
    pack_entry,
    read_entry,
    read_entry_head,
)
from mmwindow.images.cache_space import (
    DEFAULT_LIMIT,
    ENTRIES,
    SOURCES,
    TAG,
    TAG_TEXT,
    TOUCH_AFTER,
    CacheSpace,
    check_limit,
)
from mmwindow.images.decode import ImageSettings
from mmwindow.images.fitting import FittedImage
from mmwindow.utils.environment import code_mark
from mmwindow.utils.files import atomic_file, write_text

PLACE, LIMIT = 'MMWINDOW_CACHE', 'MMWINDOW_CACHE_LIMIT'  # environment variables
LIBRARIES = ('numpy', 'opencv-python', 'opencv-python-headless', 'opencv-contrib-python',
             'simplejpeg', 'Pillow', 'pydicom', 'python-gdcm', 'pylibjpeg', 'pylibjpeg-openjpeg',
             'pyjpegls', 'imagecodecs')
# Seconds after a file's last change before its time stamps are trusted: a second change within the
# resolution of the stamps (2 s on FAT) and the drift of a file server's clock could not be seen.
SETTLED = 10.


class FileStamp(NamedTuple):
    """By what a file that was not changed is known without reading it.

    Attributes:
        name: Digest of its path, device, inode, size and times of change; 64 hexadecimal digits.
        is_settled: Whether its last change is so long ago that another would show.
    """

    name: str
    is_settled: bool


def default_folder(place: str | Path | None = None) -> Path:
    """Return where the cache lies.

    Args:
        place: Folder of it; None for the variable ``MMWINDOW_CACHE``, else ``mmwindow`` in
            ``XDG_CACHE_HOME``, else ``~/.cache/mmwindow``.

    Raises:
        ValueError: There is no home folder.
    """
    found = place or os.environ.get(PLACE)
    if not found:
        base = os.environ.get('XDG_CACHE_HOME')
        try:
            found = Path(base) / 'mmwindow' if base else Path.home() / '.cache' / 'mmwindow'
        except RuntimeError:
            raise ValueError(f'no home folder for the cache of images; set {PLACE}') from None
    return Path(os.path.abspath(found)) / 'images'


@lru_cache
def decoder_mark() -> str:
    """Return a mark of the code and the libraries that decide about pixels."""
    versions = []
    for name in LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            versions.append(f'{name} {version(name)}')
    code = code_mark(('mmwindow.images.decode', 'mmwindow.images.fitting'), ('images', ))
    return ', '.join([code, *versions])


def file_stamp(path: str | Path) -> FileStamp:
    """Return the stamp of a file.

    Raises:
        OSError: It is not there.
    """
    state = os.stat(path)
    parts = (os.path.abspath(path), state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns,
             state.st_ctime_ns)
    name = hashlib.blake2b('\0'.join(map(str, parts)).encode(errors='surrogateescape'),
                           digest_size=32).hexdigest()
    return FileStamp(name, time.time() - max(state.st_mtime, state.st_ctime) > SETTLED)


def digest(content: bytes) -> bytes:
    """Return 32 bytes that stand for the content of a file."""
    return hashlib.blake2b(content, digest_size=32).digest()


class ImageCache:
    """A folder of decoded images, for any number of processes at a time.

    A cache that cannot be written (a full disk, a read-only folder, its limit) is read only from
    there on, and ``problem`` says why: a training never ends for its cache.

    Args:
        place: As for :func:`default_folder`.
        limit: Bytes; None for the variable ``MMWINDOW_CACHE_LIMIT`` (GiB), else 50 GiB.

    Attributes:
        folder: Where the files lie.
        problem: Why nothing more is kept, with its fix; '' while everything is.
        num_found: How many images this process has found,
        num_kept: has written,
        num_damaged: has met as damaged entries, which are made again.
    """

    def __init__(self, place: str | Path | None = None, limit: int | None = None) -> None:
        self.folder = default_folder(place)
        if limit is None:
            given = os.environ.get(LIMIT)
            limit = check_limit(given) if given else DEFAULT_LIMIT
        self.problem = ''
        self.num_found = self.num_kept = self.num_damaged = 0
        self.mark = decoder_mark()
        self._space = CacheSpace(self.folder, limit)
        self._made = False

    def key(self, content_digest: bytes, settings: ImageSettings, input_size: tuple[int, int]
            ) -> bytes:
        """Return 32 bytes by which an image is found.

        Args:
            content_digest: Of the file (:func:`digest`).
            settings: By which it is read.
            input_size: ``(height, width)``.
        """
        text = f'{self.mark}\0{settings.bit_depth}\0{input_size[0]}\0{input_size[1]}\0'
        return digest(text.encode() + content_digest)

    def find_digest(self, stamp: FileStamp) -> bytes | None:
        """Return the digest of a file's content where it is known without reading the file."""
        if not stamp.is_settled:
            return None
        try:
            record = self._path(SOURCES, stamp.name).read_bytes()
        except OSError:
            return None
        # The record names its file too: one that was renamed or cut short stands for nothing.
        content, check = record[:32], record[32:]
        return content if check == digest(content + stamp.name.encode()) else None

    def remember(self, stamp: FileStamp, content_digest: bytes) -> None:
        """Note the digest of a file that has not changed for a while."""
        if stamp.is_settled:
            check = digest(content_digest + stamp.name.encode())
            self._write(self._path(SOURCES, stamp.name), content_digest + check)

    def find_head(self, key: bytes) -> EntryHead | None:
        """Return what an entry says before its pixels, which are not read; None where it is not."""
        try:
            with open(self._path(ENTRIES, key.hex()), 'rb') as stream:
                return read_entry_head(stream, key, os.fstat(stream.fileno()).st_size)
        except (OSError, DamagedEntryError):
            return None

    def find(self, key: bytes) -> FittedImage | None:
        """Return the image of a key; None where there is none, or a damaged one, which is dropped."""
        path = self._path(ENTRIES, key.hex())
        try:
            with open(path, 'rb') as stream:
                state = os.fstat(stream.fileno())
                image = read_entry(stream, key, state.st_size)
        except DamagedEntryError:
            self.num_damaged += 1
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        except OSError:
            return None
        if time.time() - state.st_mtime > TOUCH_AFTER:  # what is used stays: CacheSpace
            with contextlib.suppress(OSError):
                os.utime(path)
        self.num_found += 1
        return image

    def keep(self, key: bytes, image: FittedImage) -> None:
        """Write an entry, unless one could not be written before."""
        self._write(self._path(ENTRIES, key.hex()), *pack_entry(key, image))
        self.num_kept += not self.problem

    def _path(self, kind: str, name: str) -> Path:
        return self.folder / kind / name[:2] / name

    def _write(self, path: Path, *parts: bytes | memoryview) -> None:
        if self.problem:
            return
        try:
            self._make_folder()
            if not self._space.reserve(sum(map(len, parts))):
                raise OSError('its limit, or the end of the disk, is reached')
            with atomic_file(path) as part, open(part, 'wb') as stream:
                for data in parts:
                    stream.write(data)
        except OSError as error:
            self.problem = (
                f'{self.folder}: the cache of images takes no more ({error.strerror or error}), and '
                f'what it lacks is decoded each time; set {PLACE} to another folder or {LIMIT} to '
                'more GiB, or take old images out by "mmwindow cache --clear"')

    def _make_folder(self) -> None:
        if self._made:
            return
        if not (self.folder / TAG).exists():
            # Images of patients: nobody else reads them unless the owner lets them.
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_text(self.folder / TAG, TAG_TEXT)
        self._made = True
