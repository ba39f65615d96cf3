"""From an encoded image to grey pixels: one decoder for all readers of images."""
import contextlib

import cv2
import numpy as np

# Radiographs are digitised with these numbers of bits and stored in 16.
BIT_DEPTHS = (8, 10, 12, 14, 16)


def to_8_bit(pixels):
    """Return 16-bit pixels as 8-bit ones.

    The range is that of the smallest usual bit depth (8, 10, 12, 14 or 16) that holds the image's
    maximum: full white of a 12-bit image, stored in 16, stays white, and images of one detector are
    scaled alike. It is not a window chosen by content.

    Args:
        pixels (ndarray): uint16, any shape.

    Returns:
        ndarray: uint8, same shape.
    """
    maximum = int(pixels.max())
    white = next(2 ** depth - 1 for depth in BIT_DEPTHS if maximum < 2 ** depth)
    return np.round(pixels.astype(np.float32) * (255 / white)).astype(np.uint8)


def decode_radiograph(content, name):
    """Return the pixels of an encoded image; its EXIF orientation is ignored.

    Points were placed in the file's own rows and columns, so these are what is kept.

    Args:
        content (bytes): The file.
        name (str): For the message.

    Returns:
        ndarray: ``(H, W, 3)`` uint8, blue, green, red; grey images have three equal channels.

    Raises:
        ValueError: The content is no image, cut short, or of an unknown depth.
    """
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = None
    if content:
        with contextlib.suppress(cv2.error):  # of sizes beyond its limits; other faults give None
            pixels = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), flags)
    if pixels is None:
        raise ValueError(
            f'{name}: {len(content)} bytes, but no whole image in them (cut short, damaged, or of a '
            'format that OpenCV cannot read); copy the file again, or take the image and its '
            'annotations out of the point file')
    if pixels.dtype == np.uint16:
        return to_8_bit(pixels)
    if pixels.dtype != np.uint8:
        raise ValueError(f'{name}: pixels are {pixels.dtype}; 8- or 16-bit whole numbers are '
                         'expected, for example a PNG')
    return pixels
