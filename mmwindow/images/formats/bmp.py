"""BMP of 1, 4, 8, 24 or 32 bits without compression, decoded by OpenCV."""
import struct

import numpy as np

from mmwindow.images.formats.header import DamagedImageError, ImageHeader, UnsupportedImageError
from mmwindow.images.formats.opencv import decode_with_opencv

READ_BITS = (1, 4, 8, 24, 32)
HEADER_SIZES = (40, 52, 56, 64, 108, 124)  # of the versions of the information header


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
        raise UnsupportedImageError(f'a BMP of {bits} bits and compression {compression}; of BMPs, '
                                    'those of 8, 24 or 32 bits without compression are read; save '
                                    'it as PNG')
    colours = _num_colours(content, bits)
    if start < 14 + size + 4 * colours:  # OpenCV would take headers for pixels
        raise DamagedImageError(f'BMP: its pixels begin at {start}, within its headers')
    row = -(-width * bits // 32) * 4
    if width > 0 and start + row * abs(height) > len(content):
        raise DamagedImageError(f'BMP: {len(content)} of {start + row * abs(height)} bytes')
    # A palette counts as colour: three equal channels where it is grey.
    return ImageHeader('BMP', width, abs(height), 1 if _has_grey_palette(content, bits) else 3)


def decode(content: bytes, header: ImageHeader) -> np.ndarray:
    """Return the pixels, ``(H, W)`` or ``(H, W, 3)`` blue, green, red; alpha is dropped.

    Raises:
        ValueError: OpenCV cannot read them.
    """
    return decode_with_opencv(content, header)


def _num_colours(content: bytes, bits: int) -> int:
    """Return the number of colours in the palette."""
    if bits > 8:
        return 0
    return int(min(struct.unpack_from('<I', content, 46)[0] or 2 ** bits, 2 ** bits))


def _has_grey_palette(content: bytes, bits: int) -> bool:
    """Return whether each colour of the palette has three equal values."""
    if bits > 8:
        return False
    size, = struct.unpack_from('<I', content, 14)
    palette = content[14 + size:14 + size + 4 * _num_colours(content, bits)]
    return palette[0::4] == palette[1::4] == palette[2::4]
