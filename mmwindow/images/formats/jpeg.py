"""JPEG: 8 bits, baseline or progressive, grey or in colour, decoded by libjpeg-turbo.

OpenCV and Pillow use the same library, but neither tells the warnings by which it reports damage
within a file: they return pixels of noise or of an even grey. ``simplejpeg`` raises on them.
"""
import re
import struct
from collections.abc import Iterator

import numpy as np

from mmwindow.images.formats.header import (
    EXIF_START,
    DamagedImageError,
    ImageHeader,
    UnsupportedImageError,
    exif_orientation,
)
from mmwindow.images.formats.packages import import_decoder

SIGNATURE = b'\xff\xd8\xff'
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of frames; the others are tables
READ_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive
OTHER_FRAMES = {0xC3: 'lossless', 0xC9: 'arithmetic', 0xCA: 'arithmetic, progressive',
                0xCB: 'lossless, arithmetic'}
WITHOUT_LENGTH = {0x00, 0x01, *range(0xD0, 0xDA)}
SCAN, APP1 = 0xDA, 0xE1
MARKER = re.compile(rb'\xff+[^\xff]', re.DOTALL)
MAX_SEGMENTS = 10000
MAX_SCANS = 500  # as libjpeg-turbo's own limit; each scan passes over the complete image


def matches(content: bytes) -> bool:
    """Return whether a file begins as a JPEG does."""
    return content.startswith(SIGNATURE)


def read_header(content: bytes) -> ImageHeader:
    """Return what the segments before the first scan say.

    Raises:
        ValueError: They are damaged, or say what is not read: 12 bits, lossless, CMYK.
    """
    orientation, frame = 1, None
    for marker, segment in iterate_segments(content):
        if marker in FRAMES and frame is None:
            frame = marker, struct.unpack_from('>BHHB', segment)
        elif marker == APP1 and segment.startswith(EXIF_START) and orientation == 1:
            orientation = exif_orientation(segment)
    if frame is None:
        raise DamagedImageError('JPEG: no size in it')
    marker, (precision, height, width, num_components) = frame
    if marker not in READ_FRAMES:
        kind = OTHER_FRAMES.get(marker, 'hierarchical or differential')
        raise UnsupportedImageError(f'a JPEG of the {kind} kind, which is not read; save it as PNG')
    if precision != 8:
        raise UnsupportedImageError(f'a JPEG of {precision} bits, of which only those of 8 are read; '
                                    'save it as a PNG of 16 bits')
    if num_components not in (1, 3):
        raise UnsupportedImageError(
            f'a JPEG of {num_components} components (CMYK has 4), whose grey levels depend on a '
            'colour profile; save it in grey')
    if content.count(bytes([0xFF, SCAN])) > MAX_SCANS:
        raise UnsupportedImageError(f'a JPEG of more than {MAX_SCANS} scans, which may take hours; '
                                    'save it as PNG')
    simplejpeg = import_decoder('simplejpeg', 'JPEG')
    try:  # what is decoded is of the size that was checked
        sides = simplejpeg.decode_jpeg_header(content)[:2]
    except ValueError as error:
        raise DamagedImageError(f'JPEG: {str(error)[:200]}') from error
    if sides != (height, width):
        raise DamagedImageError('JPEG: it has two sizes')
    return ImageHeader('JPEG', width, height, num_components, orientation=orientation)


def iterate_segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and content of each segment before the first scan."""
    place = 2
    for _ in range(MAX_SEGMENTS):
        match = MARKER.search(content, place)
        if match is None:
            raise DamagedImageError('JPEG: no pixels')
        marker, place = match[0][-1], match.end()
        if marker in WITHOUT_LENGTH:
            continue
        if marker == SCAN:
            return
        length, = struct.unpack_from('>H', content, place)
        yield marker, content[place + 2:place + length]
        place += length
    raise DamagedImageError(f'JPEG: more than {MAX_SEGMENTS} segments')


def decode(content: bytes, header: ImageHeader) -> np.ndarray:
    """Return the pixels, ``(H, W)`` or ``(H, W, 3)`` blue, green, red.

    Raises:
        ValueError: libjpeg-turbo raises an error or a warning.
    """
    simplejpeg = import_decoder('simplejpeg', 'JPEG')
    try:
        pixels = simplejpeg.decode_jpeg(content, 'BGR' if header.channels == 3 else 'GRAY',
                                        strict=True)
    except ValueError as error:
        raise DamagedImageError(f'JPEG: {str(error)[:200]}') from error
    if pixels.shape != (header.height, header.width, header.channels):
        raise DamagedImageError('JPEG: its data are not what its header says')
    return pixels[..., 0] if header.channels == 1 else pixels
