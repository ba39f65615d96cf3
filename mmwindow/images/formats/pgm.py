"""PGM of the binary kind (P5), whose header states the value of white; read with numpy."""
import re

import numpy as np

from mmwindow.images.formats.header import DamagedImageError, ImageHeader, UnsupportedImageError

# Three numbers after the signature, with comments up to the ends of their lines between them.
GAP = rb'(?:\s|#[^\n\r]{0,1000}[\n\r]){1,100}'
HEADER = re.compile(rb'P5' + GAP + rb'(\d{1,10})' + GAP + rb'(\d{1,10})' + GAP + rb'(\d{1,5})\s')
READ_BITS = (8, 9, 10, 11, 12, 13, 14, 15, 16)


def matches(content: bytes) -> bool:
    """Return whether a file begins as a binary PGM does."""
    return content[:2] == b'P5' and content[2:3].isspace()


def read_header(content: bytes) -> ImageHeader:
    """Return what the header says: size and the value of white.

    Raises:
        ValueError: It is incomplete, white is no 2 ** bits - 1, or there are several images.
    """
    match = HEADER.match(content)
    if match is None:
        raise DamagedImageError('PGM: no header')
    width, height, white = map(int, match.groups())
    bits = white.bit_length()
    if bits not in READ_BITS or white != 2 ** bits - 1:
        raise UnsupportedImageError(f'a PGM whose white is {white}; 255, or 2 ** bits - 1 of 9 to 16 '
                                    'bits, is read; save it as PNG')
    end = match.end() + width * height * (1 if bits == 8 else 2)
    if end > len(content):
        raise DamagedImageError(f'PGM: {len(content)} of {end} bytes')
    if matches(content[end:]):
        raise UnsupportedImageError('a PGM of several images; save the one that was annotated')
    return ImageHeader('PGM', width, height, bits=bits, layout=match.end())


def decode(content: bytes, header: ImageHeader) -> np.ndarray:
    """Return the pixels ``(H, W)``, uint8 or uint16."""
    pixels = np.frombuffer(content, np.uint8 if header.bits == 8 else '>u2', header.num_pixels,
                           header.layout)
    pixels = pixels.reshape(header.height, header.width)
    if header.bits < 16 and pixels.max(initial=0) >= 2 ** header.bits:
        raise DamagedImageError(f'PGM: pixels above its white, {2 ** header.bits - 1}')
    return pixels.astype(np.uint8 if header.bits == 8 else np.uint16)
