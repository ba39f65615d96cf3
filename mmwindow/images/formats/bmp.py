"""BMP of 1, 4, 8, 24 or 32 bits without compression, read with numpy."""
import struct
from typing import NamedTuple

import numpy as np

from mmwindow.images.formats.header import DamagedImageError, ImageHeader, UnsupportedImageError

READ_BITS = (1, 4, 8, 24, 32)
HEADER_SIZES = (40, 52, 56, 64, 108, 124)  # of the versions of the information header


class Layout(NamedTuple):
    """How the pixels of a BMP are stored.

    Attributes:
        start: Where the rows begin.
        row_bytes: Of a row, with what fills it up to four.
        bits: Of a pixel.
        is_top_down: Whether the first row is the upper one.
        palette: ``(2 ** bits, 3)`` blue, green, red; of 8 bits and fewer.
    """

    start: int
    row_bytes: int
    bits: int
    is_top_down: bool
    palette: np.ndarray


def matches(content: bytes) -> bool:
    """Return whether a file begins as a BMP does."""
    return content.startswith(b'BM') and len(content) >= 26


def read_header(content: bytes) -> ImageHeader:
    """Return what the information header says.

    Raises:
        ValueError: Rows are missing, or the kind of BMP is not read.
    """
    start, size = struct.unpack_from('<II', content, 10)
    if size not in HEADER_SIZES:
        raise UnsupportedImageError('a BMP of OS/2, or no image; save it as PNG')
    width, height, planes, bits, compression = struct.unpack_from('<iiHHI', content, 18)
    if bits not in READ_BITS or compression or planes != 1:
        raise UnsupportedImageError(f'a BMP of {bits} bits and compression {compression}; 1, 4, 8, '
                                    '24 and 32 bits without compression are read; save it as PNG')
    num_colours = (struct.unpack_from('<I', content, 46)[0] or 2 ** bits) if bits <= 8 else 0
    if start < 14 + size + 4 * num_colours:
        raise DamagedImageError(f'BMP: its pixels begin at {start}, within its headers')
    row_bytes = -(-width * bits // 32) * 4
    if width > 0 and start + row_bytes * abs(height) > len(content):
        raise DamagedImageError(f'BMP: {len(content)} of {start + row_bytes * abs(height)} bytes')
    palette = _read_palette(content, bits)
    is_grey = bits <= 8 and bool((palette == palette[:, :1]).all())
    return ImageHeader('BMP', width, abs(height), 1 if is_grey else 3,
                       layout=Layout(start, row_bytes, bits, height < 0, palette))


def decode(content: bytes, header: ImageHeader) -> np.ndarray:
    """Return the pixels, ``(H, W)`` or ``(H, W, 3)`` blue, green, red; alpha is dropped.

    Raises:
        ValueError: A pixel has a colour beyond the palette.
    """
    layout: Layout = header.layout
    rows = np.frombuffer(content, np.uint8, layout.row_bytes * header.height, layout.start)
    rows = rows.reshape(header.height, layout.row_bytes)[::1 if layout.is_top_down else -1]
    if layout.bits > 8:
        samples = layout.bits // 8
        pixels = rows[:, :samples * header.width].reshape(header.height, header.width, samples)
        return np.ascontiguousarray(pixels[..., :3])
    if layout.bits < 8:
        bits = np.unpackbits(rows, axis=1).reshape(header.height, -1, layout.bits)
        rows = np.packbits(bits, axis=2)[..., 0] // np.uint8(2 ** (8 - layout.bits))
    indices = rows[:, :header.width]
    num_colours = struct.unpack_from('<I', content, 46)[0] or 2 ** layout.bits
    if indices.max() >= num_colours:
        raise DamagedImageError(f'BMP: a pixel of colour {indices.max()}, of which there are '
                                f'{num_colours}')
    return layout.palette[indices, 0] if header.channels == 1 else layout.palette[indices]


def _read_palette(content: bytes, bits: int) -> np.ndarray:
    """Return the colours ``(2 ** bits, 3)``, blue, green, red; black where the file has fewer."""
    if bits > 8:
        return np.zeros((1, 3), np.uint8)
    size, = struct.unpack_from('<I', content, 14)
    num_colours, = struct.unpack_from('<I', content, 46)
    if num_colours > 2 ** bits:
        raise DamagedImageError(f'BMP: {num_colours} colours')
    num_bytes = 4 * (num_colours or 2 ** bits)
    stored = content[14 + size:14 + size + num_bytes]
    if len(stored) < num_bytes:
        raise DamagedImageError('BMP: colours are missing')
    return np.frombuffer(stored.ljust(4 << bits, b'\0'), np.uint8).reshape(-1, 4)[:, :3]
