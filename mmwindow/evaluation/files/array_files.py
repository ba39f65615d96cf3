"""Reading arrays from NPY, NPZ and PNG files of anyone, at no more cost than the file's own size."""
import io
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mmwindow.utils.files import check_ordinary_file
from mmwindow.utils.messages import quote, shorten

# Bytes that compressed data may become whatever they compress to: 16 maps of 2048 x 2048 float32.
MAX_EXPANDED = 1 << 28
PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
MAX_RATIO = 100  # beyond that, how much larger than the compressed bytes


def load_npy(path: Path) -> NDArray[Any]:
    """Return the array of an NPY file.

    Raises:
        ValueError: It is no NPY of numbers, or incomplete.
    """
    check_ordinary_file(path, 'NPY file')
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
    check_ordinary_file(path, 'NPZ file')
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
    try:
        shape, is_fortran, dtype = read_header(stream)
    except Exception as error:  # numpy parses it as Python: anything may go wrong
        raise ValueError('the header is damaged') from error
    if dtype.hasobject or dtype.kind not in 'biufUS':
        raise ValueError(f'the array is of type {str(dtype)[:40]}; numbers are expected')
    num_bytes = math.prod(shape) * dtype.itemsize
    if stream.tell() + num_bytes != size:
        raise ValueError(f'the header says {num_bytes} bytes, there are {size - stream.tell()}')
    data = stream.read(num_bytes)
    if len(data) != num_bytes:
        raise ValueError(f'{len(data)} of {num_bytes} bytes are there')
    return np.frombuffer(data, dtype).reshape(shape, order='F' if is_fortran else 'C')


def check_grey_png(content: bytes) -> None:
    """Reject a grey PNG that is incomplete or damaged.

    Pillow fills rows that are missing with zeros, and looks at no checksum: scores would be wrong
    without a word. PNG of other kinds are left to the caller.

    Raises:
        ValueError: A chunk is cut short or its checksum is wrong, the header is not the first or the
            end not the last one, or the pixels are not as many as the header says.
    """
    if content[:8] != PNG_SIGNATURE:
        raise ValueError('it is no PNG')
    names: list[bytes] = []
    packed: list[bytes] = []
    place, header = 8, b''
    while place < len(content) and names[-1:] != [b'IEND']:
        length, = struct.unpack('>I', content[place:place + 4].ljust(4, b'\xff'))
        name, data = content[place + 4:place + 8], content[place + 8:place + 8 + length]
        checksum = content[place + 8 + length:place + 12 + length]
        if checksum != struct.pack('>I', zlib.crc32(name + data)):
            raise ValueError('a part of it is cut short or damaged: a checksum is wrong')
        names.append(name)
        header = data if name == b'IHDR' else header
        packed += [data] if name == b'IDAT' else []
        place += 12 + length
    if (names[:1] != [b'IHDR'] or names.count(b'IHDR') != 1 or len(header) != 13
            or names[-1:] != [b'IEND']):
        raise ValueError('it is cut short, or its header is damaged')
    width, height, depth, colour, *_, is_interlaced = struct.unpack('>IIBBBBB', header)
    if colour != 0 or is_interlaced:
        return
    expected = height * (1 + (width * depth + 7) // 8)  # a row begins with the number of its filter
    if expected > max(MAX_EXPANDED, MAX_RATIO * len(content)):
        raise ValueError(f'it has {len(content)} bytes and would become {expected}')
    unpacker = zlib.decompressobj()
    try:
        rows = unpacker.decompress(b''.join(packed), expected + 1)
    except zlib.error as error:
        raise ValueError(f'its pixels are damaged: {error}') from error
    if len(rows) != expected or not unpacker.eof:
        raise ValueError(f'its pixels are damaged, or not the {width} x {height} of its header')
    if max(rows[::1 + (width * depth + 7) // 8], default=0) > 4:
        raise ValueError('its pixels are damaged: a row has an unknown filter')


def load_png(path: Path) -> NDArray[Any]:
    """Return a grey PNG of 8 or 16 bits as float32 scores in [0, 1].

    Equal grey values are equal scores, and enter together: 8 bits have at most 256 thresholds.

    Raises:
        ValueError: It cannot be read, or is no grey image of 8 or 16 bits.
    """
    from PIL import Image

    check_ordinary_file(path, 'PNG file')
    try:
        content = path.read_bytes()
        check_grey_png(content)
        with Image.open(io.BytesIO(content)) as img:
            mode, values = img.mode, np.asarray(img)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f'{path}: the map cannot be read ({shorten(str(error))}); write it again'
                         ) from error
    if mode not in ('L', 'I;16', 'I;16B', 'I'):
        raise ValueError(f'{path}: the map is a PNG of mode {mode}; one grey channel of 8 or 16 bits '
                         'is expected (a coloured heat map is a picture, not scores)')
    return np.asarray(values.astype(np.float32) / (255 if mode == 'L' else 65535))
