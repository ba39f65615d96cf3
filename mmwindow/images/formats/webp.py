"""WebP: one frame, lossy or lossless, decoded by Pillow.

OpenCV fills what it cannot decode with grey and says nothing; Pillow raises.
"""
import io
import struct
from collections.abc import Iterator

import numpy as np

from mmwindow.images.formats.header import (
    DamagedImageError,
    ImageHeader,
    UnsupportedImageError,
    exif_orientation,
)
from mmwindow.images.formats.packages import import_decoder

ANIMATED = 2  # a bit of the flags in VP8X


def matches(content: bytes) -> bool:
    """Return whether a file begins as a WebP does."""
    return content[:4] == b'RIFF' and content[8:12] == b'WEBP'


def read_header(content: bytes) -> ImageHeader:
    """Return what the chunks say.

    Raises:
        ValueError: The file is shorter than it says, has no image, or several frames.
    """
    width = height = 0
    orientation = 1
    for name, data in _iterate_chunks(content):
        if name == b'VP8X' and data[0] & ANIMATED or name == b'ANIM':
            raise UnsupportedImageError('an animated WebP; save the frame that was annotated as PNG')
        if name == b'VP8 ':
            if data[3:6] != b'\x9d\x01\x2a':
                raise DamagedImageError('WebP: no key frame')
            width, height = (side & 0x3FFF for side in struct.unpack_from('<HH', data, 6))
        elif name == b'VP8L':
            sides, = struct.unpack_from('<I', data, 1)
            width, height = (sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1
        elif name == b'EXIF':
            orientation = exif_orientation(data)
    if not width:
        raise DamagedImageError('WebP: no image in it')
    return ImageHeader('WebP', width, height, 3, orientation=orientation)


def decode(content: bytes, header: ImageHeader) -> np.ndarray:
    """Return the pixels ``(H, W, 3)``, blue, green, red, also of grey ones; alpha is dropped.

    Raises:
        ValueError: They are damaged.
    """
    plugin = import_decoder('PIL.WebPImagePlugin', 'WebP')
    try:
        # Not Image.open, whose limit of pixels is one of the process: the size was checked before.
        with plugin.WebPImageFile(io.BytesIO(content)) as image:
            pixels = np.asarray(image.convert('RGB'))
    except (OSError, ValueError, SyntaxError, RuntimeError) as error:
        raise DamagedImageError(f'WebP: {str(error)[:100]}') from error
    if pixels.shape != (header.height, header.width, 3):
        raise DamagedImageError('WebP: its data are not what its header says')
    return np.ascontiguousarray(pixels[..., ::-1])


def _iterate_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of each chunk."""
    end = 8 + struct.unpack_from('<I', content, 4)[0]
    if end > len(content):
        raise DamagedImageError(f'WebP: {len(content)} of {end} bytes')
    place = 12
    while place + 8 <= end:
        length, = struct.unpack_from('<I', content, place + 4)
        if place + 8 + length > end:
            raise DamagedImageError('WebP: a chunk is longer than the file')
        yield content[place:place + 4], content[place + 8:place + 8 + length]
        place += 8 + length + length % 2
