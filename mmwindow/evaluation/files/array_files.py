"""Reading arrays from NPY, NPZ and PNG files of anyone, at no more cost than the file's own size."""
import math
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mmwindow.utils.messages import quote, shorten

# Bytes that compressed data may become whatever they compress to: 16 maps of 2048 x 2048 float32.
MAX_EXPANDED = 1 << 28
MAX_RATIO = 100  # beyond that, how much larger than the compressed bytes


def check_regular_file(path: Path, what: str) -> None:
    """Raise ``ValueError`` unless a path is an ordinary file: reading a pipe would wait forever."""
    if not path.exists():
        raise ValueError(f'{shorten(str(path))}: there is no such {what}')
    if not path.is_file():
        raise ValueError(f'{shorten(str(path))}: this is no ordinary file; a {what} is expected')


def load_npy(path: Path) -> NDArray[Any]:
    """Return the array of an NPY file.

    Raises:
        ValueError: It is no NPY of numbers, or incomplete.
    """
    check_regular_file(path, 'NPY file')
    try:
        with open(path, 'rb') as stream:
            return _read_array(stream, path.stat().st_size)
    except (OSError, EOFError, ValueError, MemoryError) as error:
        raise ValueError(f'{path}: the map cannot be read ({shorten(str(error))}); write it again'
                         ) from error


def iterate_npz(path: Path, names: list[str] | None = None) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield name and array of the entries of an NPZ, one at a time.

    Args:
        path: The file.
        names: Those that are asked for, in this order; all if None.

    Raises:
        ValueError: It is no NPZ of arrays of numbers, incomplete, an entry is missing or twice there,
            or becomes far larger than the file.
    """
    check_regular_file(path, 'NPZ file')
    try:
        with zipfile.ZipFile(path) as archive:
            members: dict[str, zipfile.ZipInfo] = {}
            for member in archive.infolist():
                key = member.filename.removesuffix('.npy')
                if key in members:
                    raise ValueError(f'the entry {quote(key)} is there twice')
                members[key] = member
            for name in members if names is None else names:
                if name not in members:
                    raise ValueError(f'there is no entry {quote(name)}')
                member = members[name]
                if member.file_size > max(MAX_EXPANDED, MAX_RATIO * member.compress_size):
                    raise ValueError(
                        f'the entry {quote(name)} has {member.compress_size} bytes and would become '
                        f'{member.file_size}; save such arrays with numpy.savez, not compressed')
                with archive.open(member) as stream:
                    yield name, _read_array(stream, member.file_size)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, MemoryError,
            NotImplementedError) as error:
        raise ValueError(f'{path}: no NPZ of plain arrays, or cut short ({shorten(str(error))}); '
                         'write it again with numpy.savez') from error


def _read_array(stream: IO[bytes], size: int) -> NDArray[Any]:
    """Return the array of an NPY stream whose header must agree with its size in bytes."""
    version = np.lib.format.read_magic(stream)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0,
                   (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read_header is None:
        raise ValueError(f'version {version} of the NPY format is unknown')
    shape, is_fortran, dtype = read_header(stream)
    if dtype.hasobject or dtype.kind not in 'biufUS':
        raise ValueError(f'the array is of type {str(dtype)[:40]}; numbers are expected')
    num_bytes = math.prod(shape) * dtype.itemsize
    if stream.tell() + num_bytes != size:
        raise ValueError(f'the header says {num_bytes} bytes, there are {size - stream.tell()}')
    data = stream.read(num_bytes)
    if len(data) != num_bytes:
        raise ValueError(f'{len(data)} of {num_bytes} bytes are there')
    return np.frombuffer(data, dtype).reshape(shape, order='F' if is_fortran else 'C')


def load_png(path: Path) -> NDArray[np.float32]:
    """Return a grey PNG of 8 or 16 bits as float32 scores in [0, 1].

    Equal grey values are equal scores, and enter together: 8 bits have at most 256 thresholds.

    Raises:
        ValueError: It cannot be read, or is no grey image of 8 or 16 bits.
    """
    from PIL import Image

    check_regular_file(path, 'PNG file')
    try:
        with Image.open(path) as img:
            mode, values = img.mode, np.asarray(img)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f'{path}: the map cannot be read ({error}); write it again') from error
    if mode not in ('L', 'I;16', 'I;16B', 'I'):
        raise ValueError(f'{path}: the map is a PNG of mode {mode}; one grey channel of 8 or 16 bits '
                         'is expected (a coloured heat map is a picture, not scores)')
    return values.astype(np.float32) / (255 if mode == 'L' else 65535)
