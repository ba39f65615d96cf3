"""PNG: every kind that the standard knows, decoded by OpenCV from its critical chunks alone.

Chunks are checked and inflated here, and handed on as a plain PNG: neither other chunks (gamma,
profiles, transparency, frames) nor the version of OpenCV decide about pixels.
"""
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mmwindow.images.formats.header import (
    DamagedImageError,
    ImageHeader,
    UnsupportedImageError,
    exif_orientation,
)
from mmwindow.images.formats.opencv import decode_with_opencv

SIGNATURE = b'\x89PNG\r\n\x1a\n'
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # by colour type
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PALETTE = 3
IN_COLOUR = (2, PALETTE, 6)
# Start and step of the rows and columns of an interlaced image's passes (PNG, section 8).
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
          (1, 0, 2, 1))


class Chunks(NamedTuple):
    """The parts of a PNG that matter.

    Attributes:
        header: Content of IHDR.
        palette: Content of PLTE, empty where there is none.
        data: Contents of the IDAT chunks.
        exif: Content of eXIf, empty where there is none.
        num_frames: Of an animation; 1 for a picture.
    """

    header: bytes
    palette: bytes
    data: tuple[bytes, ...]
    exif: bytes
    num_frames: int


def matches(content: bytes) -> bool:
    """Return whether a file begins as a PNG does."""
    return content.startswith(SIGNATURE)


def read_header(content: bytes) -> ImageHeader:
    """Return what IHDR says; all chunks are walked through.

    sBIT says nothing about the range of pixels: it names the bits of the source, and the standard
    has writers scale these to the stored depth (PNG 1.2, section 9.1).

    Raises:
        ValueError: A chunk is damaged or missing, or the file holds several frames.
    """
    chunks = _read_chunks(content)
    width, height, depth, colour, *methods, interlace = struct.unpack('>IIBBBBB', chunks.header)
    if depth not in DEPTHS.get(colour, ()) or any(methods) or interlace > 1:
        raise DamagedImageError('PNG: the header names what the standard does not know')
    if colour == PALETTE and (not chunks.palette or len(chunks.palette) % 3
                              or len(chunks.palette) > 3 * 2 ** depth):
        raise DamagedImageError('PNG: no palette')
    if chunks.num_frames > 1:
        raise UnsupportedImageError(f'an animated PNG of {chunks.num_frames} frames; save the one '
                                    'that was annotated')
    return ImageHeader('PNG', width, height, 3 if colour in IN_COLOUR else 1,
                       16 if depth == 16 else 8, exif_orientation(chunks.exif), layout=chunks)


def decode(content: bytes, header: ImageHeader) -> np.ndarray:
    """Return the pixels, ``(H, W)`` or ``(H, W, 3)`` blue, green, red; uint8 or uint16.

    Raises:
        ValueError: The data are no rows of the announced size.
    """
    chunks: Chunks = header.layout
    stored = zlib.compress(_inflate(b''.join(chunks.data), _num_bytes(chunks.header)), 0)
    depth, colour = chunks.header[8:10]
    # A palette is completed with black: what pixels without a colour become is left to nobody.
    palette = chunks.palette.ljust(3 * 2 ** depth, b'\0') if colour == PALETTE else b''
    content = b''.join((
        SIGNATURE, *_pack_chunk(b'IHDR', chunks.header),
        *(_pack_chunk(b'PLTE', palette) if palette else ()), *_pack_chunk(b'IDAT', stored),
        *_pack_chunk(b'IEND', b'')))
    del stored  # as large as the image
    return decode_with_opencv(content, header)


def _pack_chunk(name: bytes, data: bytes) -> tuple[bytes, ...]:
    """Return the parts of a chunk."""
    return (struct.pack('>I', len(data)), name, data,
            struct.pack('>I', zlib.crc32(data, zlib.crc32(name))))


def _iterate_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of each chunk up to IEND; damaged ones that may be left out are."""
    place = len(SIGNATURE)
    while True:
        length, = struct.unpack_from('>I', content, place)
        name, data = content[place + 4:place + 8], content[place + 8:place + 8 + length]
        if not name.isalpha():
            raise DamagedImageError('PNG: no chunk where one is expected')
        checksum, = struct.unpack_from('>I', content, place + 8 + length)
        if checksum == zlib.crc32(data, zlib.crc32(name)):
            yield name, data
        elif name[:1].isupper():  # critical
            raise DamagedImageError(f'PNG: wrong checksum of {name.decode()}')
        if name == b'IEND':
            return
        place += 12 + length


def _read_chunks(content: bytes) -> Chunks:
    found: dict[bytes, bytes] = {}
    data = []
    for name, part in _iterate_chunks(content):
        if not found and name != b'IHDR':
            raise DamagedImageError('PNG: the first chunk is no header')
        if name == b'IDAT':
            data.append(part)
        elif name[:1].isupper() and (name in found or name not in (b'IHDR', b'PLTE', b'IEND')):
            raise DamagedImageError(f'PNG: the chunk {name.decode()} is not expected')
        else:
            found.setdefault(name, part)
    if len(found[b'IHDR']) != 13 or not data:
        raise DamagedImageError('PNG: no pixels')
    frames = found.get(b'acTL', b'')
    return Chunks(found[b'IHDR'], found.get(b'PLTE', b''), tuple(data), found.get(b'eXIf', b''),
                  struct.unpack_from('>I', frames)[0] if len(frames) == 8 else 1)


def _num_bytes(header: bytes) -> int:
    """Return the bytes of all rows, each with the byte of its filter."""
    width, height, depth, colour, *_, interlace = struct.unpack('>IIBBBBB', header)
    bits = depth * SAMPLES[colour]
    sizes = [(-(-(height - y) // step_y), -(-(width - x) // step_x))
             for y, x, step_y, step_x in PASSES] if interlace else [(height, width)]
    return sum(rows * (1 + -(-columns * bits // 8)) for rows, columns in sizes
               if rows > 0 and columns > 0)


def _inflate(data: bytes, num_bytes: int) -> bytes:
    """Return the inflated data, of which never more than ``num_bytes`` are held."""
    stream = zlib.decompressobj()
    try:
        rows = stream.decompress(data, num_bytes)
        rest = stream.decompress(stream.unconsumed_tail, 1)  # none: what is read here is the checksum
    except zlib.error as error:
        raise DamagedImageError(f'PNG: {error}') from error
    if rest:
        raise DamagedImageError('PNG: more pixels than its size')
    if len(rows) != num_bytes or not stream.eof:
        raise DamagedImageError('PNG: not all rows are there')
    return rows
