"""From a decoded image to what a network's input takes of it: 8 bits, shrunk where it is larger.

Grey images stay grey until the end: one channel is shrunk in place of three equal ones, which gives
the same values (tests/test_images/test_fitting.py).
"""
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mmwindow.images.decode import GrayImage, ImageSettings, read_image


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


@dataclass(frozen=True)
class FittedImage:
    """The pixels of an image of which a network's input takes no more.

    Attributes:
        pixels: ``(h, w)``, or ``(h, w, 3)`` blue, green, red; uint8. Of the size that fits the input
            where the image is larger; else all of the image, which is enlarged later.
        source_shape: Height and width of the image file, in whose pixels points are given.
        orientation: EXIF or TIFF orientation tag of the file, 1 to 8; it is not applied.
    """

    pixels: np.ndarray
    source_shape: tuple[int, int]
    orientation: int = 1

    def to_bgr(self) -> np.ndarray:
        """Return ``(h, w, 3)`` uint8, blue, green, red."""
        return (cv2.cvtColor(self.pixels, cv2.COLOR_GRAY2BGR) if self.pixels.ndim == 2
                else self.pixels)


def fit_image(image: GrayImage, input_size: int | Sequence[int]) -> FittedImage:
    """Return what a network's input takes of an image.

    Args:
        image: As it was decoded.
        input_size: Of the network: ``(height, width)``, or the side of a square.

    >>> image = GrayImage(np.array([[0, 100], [50, 250]], dtype=np.uint8))
    >>> fit_image(image, 1).pixels.tolist(), fit_image(image, 1).source_shape
    ([[100]], (2, 2))
    """
    height, width = fitted_size(*image.shape, input_size)
    pixels = image.to_8_bit()
    if height < pixels.shape[0] or width < pixels.shape[1]:
        pixels = resize_pixels(pixels, height, width)
    return FittedImage(pixels, image.shape, image.orientation)


def read_fitted(source: str | Path | bytes, input_size: int | Sequence[int],
                settings: ImageSettings | None = None, name: str | None = None) -> FittedImage:
    """Read what a network's input takes of one image file.

    Args:
        source: Path of a file, or the content of one.
        input_size: Of the network: ``(height, width)``, or the side of a square.
        settings: What the file does not say; None for the defaults.
        name: Of the image in messages.

    Raises:
        ValueError: As :func:`~mmwindow.images.decode.read_image`.
    """
    return fit_image(read_image(source, settings, name), input_size)
