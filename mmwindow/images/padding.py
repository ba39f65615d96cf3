"""From an image that fits a network's input to its frame."""
import cv2
import numpy as np


def is_one_channel(pixels: np.ndarray) -> bool:
    """Tell whether the channels of ``(h, w, 3)`` are one in the memory, as of ``view_bgr``."""
    return pixels.ndim == 3 and pixels.strides[2] == 0


def pad_to_size(pixels: np.ndarray, rows: int, columns: int, pad_value: int = 0) -> np.ndarray:
    """Pad an image to the right and below.

    Args:
        pixels: ``(h, w)`` or ``(h, w, 3)`` uint8, not larger than the result.
        rows: Height of the result.
        columns: Width of the result.
        pad_value: Grey level of the padding.
    """
    height, width = pixels.shape[:2]
    if (height, width) == (rows, columns):
        return pixels
    if is_one_channel(pixels):
        padded = pad_to_size(pixels[..., 0], rows, columns, pad_value)
        return np.broadcast_to(padded[..., None], (rows, columns, 3))
    return cv2.copyMakeBorder(pixels, 0, rows - height, 0, columns - width, cv2.BORDER_CONSTANT,
                              value=(pad_value, ) * 3)
