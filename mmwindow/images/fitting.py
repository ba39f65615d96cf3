"""From a decoded image to what a network's input takes of it: 8 bits, shrunk where it is larger.

Grey images, also those that were saved in colour, are shrunk in one channel instead of three equal
ones, which gives the same values (tests/test_images/test_fitting.py).
"""
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from mmwindow.images.decode import GrayImage, ImageSettings, read_image

LARGE = 2 ** 19  # pixels, from which on the compiled function is worth its import


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
    old_height, old_width = pixels.shape[:2]
    if height >= old_height and width >= old_width:
        return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
    if (old_height * old_width < LARGE or height >= old_height or width >= old_width
            or not (old_height % height or old_width % width)):  # for whole ratios OpenCV is faster
        return shrink_with_opencv(pixels, height, width)
    shrink = find_shrinking()
    if pixels.ndim == 2 or shrink is shrink_with_opencv:
        return shrink(pixels, height, width)
    return cv2.merge([shrink(channel, height, width) for channel in cv2.split(pixels)])


def shrink_with_opencv(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return pixels of a smaller size by OpenCV, as :func:`resize_pixels`."""
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)


@lru_cache
def find_shrinking() -> Callable[[np.ndarray, int, int], np.ndarray]:
    """Return the fastest function that shrinks grey images to OpenCV's values, bit for bit.

    That is the compiled one where numba is there and a trial gives equal bits: a processor or
    compiler that joins multiplication and addition rounds otherwise, which sizes in a ratio of 3 to 2
    show, where many means lie in the middle between two levels.
    """
    try:
        from mmwindow.images.area_numba import shrink
    except ImportError:  # also raised where numba rejects the numpy installed
        return shrink_with_opencv
    generator = np.random.default_rng(0)
    for old, new in (((90, 120), (60, 80)), ((101, 97), (55, 51)), ((99, 130), (23, 31))):
        pixels = generator.integers(0, 256, old).astype(np.uint8)
        if not np.array_equal(shrink(pixels, *new), shrink_with_opencv(pixels, *new)):
            return shrink_with_opencv
    return shrink


def grey_channel(pixels: np.ndarray) -> np.ndarray | None:
    """Return the channel ``(H, W)`` of ``(H, W, 3)`` uint8 whose three are equal; else None."""
    if pixels.shape[0] * pixels.shape[1] >= LARGE:
        try:
            from mmwindow.images.area_numba import grey_channel as compiled
        except ImportError:
            pass
        else:
            return compiled(pixels)
    first, *others = cv2.split(pixels)
    return first if all(np.array_equal(first, other) for other in others) else None


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

    def view_bgr(self) -> np.ndarray:
        """Return the same, read only; of a grey image the three channels are one in the memory."""
        return (np.broadcast_to(self.pixels[..., None], (*self.pixels.shape, 3))
                if self.pixels.ndim == 2 else self.pixels)


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
        if pixels.ndim == 3:  # radiographs saved in colour: a third of the work, and of the cache
            grey = grey_channel(pixels)
            pixels = pixels if grey is None else grey
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
