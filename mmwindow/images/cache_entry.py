"""One entry of the cache: pixels as they are, with a head that says whose they are.

Nothing is compressed: inflating pixels takes longer than decoding the JPEG that many come from.
"""
import struct
import zlib
from io import BufferedReader
from typing import NamedTuple

import numpy as np

from mmwindow.images.fitting import FittedImage

MAGIC = b'MMWPIX1\n'
# Magic, key, rows, columns, rows and columns of the source, channels, orientation, sum of the pixels.
HEAD = struct.Struct('<8s32s4I2BI')
SUM = struct.Struct('<I')
HEAD_BYTES = HEAD.size + SUM.size


class DamagedEntryError(ValueError):
    """An entry is cut short, changed, or another than its name says."""


class EntryHead(NamedTuple):
    """What an entry says before its pixels.

    Attributes:
        shape: Of the pixels, ``(h, w)`` or ``(h, w, 3)``.
        source_shape: Height and width of the image file.
        orientation: Tag of the image file.
        checksum: CRC-32 of the pixels.
    """

    shape: tuple[int, ...]
    source_shape: tuple[int, int]
    orientation: int
    checksum: int

    @property
    def num_bytes(self) -> int:
        """Of the pixels."""
        return int(np.prod(self.shape, dtype=np.int64))


def pack_entry(key: bytes, image: FittedImage) -> tuple[bytes, memoryview]:
    """Return head and pixels of an entry.

    Args:
        key: 32 bytes, by which it is looked for.
        image: What it holds.
    """
    pixels = np.ascontiguousarray(image.pixels)
    rows, columns = pixels.shape[:2]
    data = pixels.data.cast('B')
    head = HEAD.pack(MAGIC, key, rows, columns, *image.source_shape,
                     1 if pixels.ndim == 2 else 3, image.orientation, zlib.crc32(data))
    return head + SUM.pack(zlib.crc32(head)), data


def read_entry_head(stream: BufferedReader, key: bytes, file_size: int) -> EntryHead:
    """Read the head of an entry.

    Args:
        stream: At the beginning of its file.
        key: That it must have.
        file_size: Bytes of its file.

    Raises:
        DamagedEntryError: It is none, cut short, changed or of another key.
    """
    head = stream.read(HEAD_BYTES)
    if len(head) != HEAD_BYTES or head[HEAD.size:] != SUM.pack(zlib.crc32(head[:HEAD.size])):
        raise DamagedEntryError('its head is damaged')
    magic, found, rows, columns, height, width, channels, orientation, checksum = (
        HEAD.unpack_from(head))
    if magic != MAGIC or found != key:
        raise DamagedEntryError('it is another entry than its name says')
    shape = (rows, columns) if channels == 1 else (rows, columns, channels)
    entry = EntryHead(shape, (height, width), orientation, checksum)
    if file_size != HEAD_BYTES + entry.num_bytes:
        raise DamagedEntryError('its size is another than its head says')
    return entry


def read_entry(stream: BufferedReader, key: bytes, file_size: int) -> FittedImage:
    """Read an entry; the pixels may be written to.

    Args:
        stream: At the beginning of its file.
        key: That it must have.
        file_size: Bytes of its file.

    Raises:
        DamagedEntryError: As :func:`read_entry_head`; or the pixels are changed.
    """
    head = read_entry_head(stream, key, file_size)
    data = bytearray(head.num_bytes)
    if stream.readinto(data) != len(data) or zlib.crc32(data) != head.checksum:
        raise DamagedEntryError('its pixels are damaged')
    return FittedImage(np.frombuffer(data, np.uint8).reshape(head.shape), head.source_shape,
                       head.orientation)
