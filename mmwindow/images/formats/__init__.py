"""Formats of image files: one module each, with ``matches``, ``read_header`` and ``decode``."""
import struct
import zlib
from types import ModuleType

import numpy as np

from mmwindow.images.formats import bmp, dicom, jpeg, pgm, png, tiff, webp
from mmwindow.images.formats.header import (
    COPY_AGAIN,
    DamagedImageError,
    ImageHeader,
    UnsupportedImageError,
)

# DICOM first: a file that is DICOM and TIFF at once is shown as its window says.
FORMATS: dict[str, ModuleType] = {'DICOM': dicom, 'PNG': png, 'JPEG': jpeg, 'TIFF': tiff, 'BMP': bmp,
                                  'WebP': webp, 'PGM': pgm}
# Beginnings of formats that are known and not read.
OTHER_FORMATS = {
    b'GIF8': 'GIF', b'\0\0\0\x0cjP  ': 'JPEG 2000', b'\xff\x4f\xff\x51': 'JPEG 2000',
    b'\xff\x0a': 'JPEG XL', b'\0\0\0\x0cJXL ': 'JPEG XL', b'v/1\x01': 'OpenEXR',
    **{b'P%d' % number + space: 'PNM' for number in (1, 2, 3, 4, 6, 7) for space in (b'\n', b' ')}}
READ_FORMATS = 'BMP, DICOM, JPEG, PGM (P5), PNG, TIFF and WebP'


def read_header(content: bytes) -> ImageHeader:
    """Return what the header of an image file says; the name of the file does not matter.

    Raises:
        ValueError: It is no image, damaged, or of a kind that is not read.
    """
    module = next((module for module in FORMATS.values() if module.matches(content)), None)
    if module is None:
        raise _describe_other(content)
    try:
        header: ImageHeader = module.read_header(content)
    except (struct.error, IndexError, OverflowError, KeyError) as error:
        raise DamagedImageError('its header ends too early') from error
    return header


def decode(content: bytes, header: ImageHeader) -> np.ndarray:
    """Return the pixels of an image file, ``(H, W)`` or ``(H, W, 3)`` blue, green, red.

    Args:
        content: The file.
        header: What :func:`read_header` returned for it.

    Raises:
        ValueError: The file is damaged.
    """
    try:
        pixels: np.ndarray = FORMATS[header.kind].decode(content, header)
    except (struct.error, IndexError, OverflowError, zlib.error) as error:
        raise DamagedImageError(f'{header.kind}: {str(error)[:100]}') from error
    return pixels


def _describe_other(content: bytes) -> ValueError:
    name = next((name for start, name in OTHER_FORMATS.items() if content.startswith(start)), None)
    if content[4:8] == b'ftyp':
        name = 'HEIF or AVIF'
    if name:
        return UnsupportedImageError(f'a file of the format {name}; {READ_FORMATS} are read; save it '
                                     'as PNG')
    return UnsupportedImageError(f'is no image that can be read; {COPY_AGAIN}')
