"""Images whose pixels are the same on every processor and with every version of every package.

They look a little like a broken bone. The synthetic radiographs of :mod:`mmwindow.synthetic` depend
on OpenCV's version, which draws differently; here whole numbers alone are computed.
"""
import numpy as np
from numpy.typing import NDArray

SIZES = ((384, 320), (500, 410), (256, 256))


def make_reference_image(seed: int) -> NDArray[np.uint8]:
    """Return a grey image ``(H, W)`` of a limb with a bone that is broken, by whole numbers alone.

    Args:
        seed: From 0; decides size, place, slope, gap and shift of the break.

    >>> image = make_reference_image(0)
    >>> image.shape, int(image.sum())
    ((384, 320), 5920855)
    """
    height, width = SIZES[seed % len(SIZES)]
    y, x = np.mgrid[:height, :width].astype(np.int64)
    row = height * (3 + seed % 5) // 10
    slope, gap, shift = seed % 7 - 3, 2 + seed % 4, 2 + seed // 3 % 6
    is_below = y * 8 + (x - width // 2) * slope > row * 8
    axis = width * (4 + seed % 3) // 10 + (y - row) * (seed % 4 - 1) // 16 + is_below * shift
    tissue, bone = width // 5, width // 16
    distance = np.abs(x - axis)
    value = 20 + np.clip(tissue * tissue - distance * distance, 0, None) * 60 // (tissue * tissue)
    # A tube: its walls are brighter than its middle.
    value = value + np.where(distance < bone, 60 + 60 * distance * distance // (bone * bone), 0)
    is_gap = np.abs(y * 8 + (x - width // 2) * slope - row * 8) < gap * 8
    value = value - np.where(is_gap & (distance < bone + 2), 50, 0)
    grain = ((x * 7919 + y * 104729 + x * y * 31 + seed * 613) >> 3) % 7
    return np.clip(value + grain, 0, 255).astype(np.uint8)
