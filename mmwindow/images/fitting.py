"""From a decoded image to what a network's input takes of it: 8 bits, shrunk where it is larger.

Grey images stay grey until the end: one channel is shrunk in place of three equal ones, which gives
the same values.
"""
from collections.abc import Sequence

import cv2
import numpy as np


def check_input_size(input_size: int | Sequence[int]) -> tuple[int, int]:
    """Return an input size as ``(height, width)``; a number is the side of a square.

    Raises:
        ValueError: It is no positive whole number, nor two of them.
    """
    sides = (input_size, input_size) if isinstance(input_size, int) else input_size
    if (not isinstance(sides, Sequence) or isinstance(sides, str) or len(sides) != 2
            or not all(isinstance(side, int) and not isinstance(side, bool) and side > 0
                       for side in sides)):
        raise ValueError(f'input_size is {input_size!r}; a positive whole number of pixels, or two '
                         'as (height, width), is expected')
    return sides[0], sides[1]


def fitted_size(height: int, width: int, input_size: int | Sequence[int]) -> tuple[int, int]:
    """Return the size, at least 1 x 1, to which an image is scaled to fit the input.

    Args:
        height: Of the image.
        width: Of the image.
        input_size: Of the network: ``(height, width)``, or the side of a square.

    >>> fitted_size(80, 96, 128), fitted_size(80, 96, (64, 128))
    ((107, 128), (64, 77))
    """
    rows, columns = check_input_size(input_size)
    factor = min(rows / height, columns / width)
    return max(1, round(height * factor)), max(1, round(width * factor))


def resize_pixels(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return pixels of another size: shrinking averages areas, enlarging is bilinear.

    Args:
        pixels: ``(H, W)`` or ``(H, W, 3)``, uint8.
        height: New one.
        width: New one.
    """
    if (height, width) == pixels.shape[:2]:
        return pixels
    is_smaller = height < pixels.shape[0] or width < pixels.shape[1]
    return cv2.resize(pixels, (width, height),
                      interpolation=cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR)
