"""OpenCV's INTER_AREA for grey images, compiled: the same bits in less than half the time.

Source: ``computeResizeAreaTab`` and ``ResizeArea_Invoker`` of OpenCV's resize.cpp. Its sums of
float32 are taken in the same order, but each row of the image once; OpenCV takes a row that two new
rows share twice, one value at a time.
"""
import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mmwindow.utils.compiled import compile_function

SMALLEST_PART = 1e-3  # of a pixel, below which OpenCV leaves it out


class Cells(NamedTuple):
    """Which old pixels make a new one, along one axis.

    Attributes:
        starts: ``(n,)`` int32, the first of them.
        weights: ``(k, n)`` float32, of the first and those after it; 0 where there are fewer.
        counts: ``(n,)`` int32, how many there are.
    """

    starts: np.ndarray
    weights: np.ndarray
    counts: np.ndarray


@lru_cache(64)
def make_cells(old: int, new: int) -> Cells:
    """Return the cells of an axis that is shrunk.

    Args:
        old: Pixels.
        new: Fewer pixels.
    """
    scale = 1. / (new / old)
    starts, rows = [], []
    for place in range(new):
        low = place * scale
        high = low + scale
        cell = min(scale, old - low)
        last = min(math.floor(high), old - 1)
        first = min(math.ceil(low), last)
        weights = [1. / cell] * (last - first)
        if first - low > SMALLEST_PART:
            weights.insert(0, (first - low) / cell)
            first -= 1
        if high - last > SMALLEST_PART:
            weights.append(min(min(high - last, 1.), cell) / cell)
        starts.append(first)
        rows.append(weights)
    table = np.zeros((max(map(len, rows)), new), dtype=np.float32)
    for place, weights in enumerate(rows):
        table[:len(weights), place] = weights
    return Cells(np.array(starts, dtype=np.int32), table, np.array(list(map(len, rows)), np.int32))


def shrink(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a grey image of another size, as ``cv2.resize`` with INTER_AREA does.

    Args:
        pixels: ``(H, W)`` uint8.
        height: New one, smaller.
        width: New one, smaller; not both ratios are whole numbers, for which OpenCV sums otherwise.
    """
    columns, rows = make_cells(pixels.shape[1], width), make_cells(pixels.shape[0], height)
    out = np.empty((height, width), dtype=np.uint8)
    _shrink(np.ascontiguousarray(pixels), columns.starts, columns.weights, rows.starts, rows.weights,
            rows.counts, out)
    return out


@compile_function(nogil=True)
def _shrink(  # type: ignore[no-untyped-def]
        pixels, x_starts, x_weights, y_starts, y_weights, y_counts, out):
    length, width = x_weights.shape
    row = np.zeros(pixels.shape[1] + length, np.float32)  # weights of 0 may reach beyond the end
    shrunk, total = np.zeros(width, np.float32), np.zeros(width, np.float32)
    done = -1
    for new in range(out.shape[0]):
        for number in range(y_counts[new]):
            old = y_starts[new] + number
            if old != done:
                done = old
                for x in range(pixels.shape[1]):
                    row[x] = np.float32(pixels[old, x])
                if length == 3:
                    for x in range(width):
                        first = x_starts[x]
                        shrunk[x] = (row[first] * x_weights[0, x] + row[first + 1] * x_weights[1, x]
                                     + row[first + 2] * x_weights[2, x])
                elif length == 4:
                    for x in range(width):
                        first = x_starts[x]
                        shrunk[x] = (row[first] * x_weights[0, x] + row[first + 1] * x_weights[1, x]
                                     + row[first + 2] * x_weights[2, x]
                                     + row[first + 3] * x_weights[3, x])
                else:
                    for x in range(width):
                        first, value = x_starts[x], np.float32(0)
                        for place in range(length):
                            value += row[first + place] * x_weights[place, x]
                        shrunk[x] = value
            weight = y_weights[number, new]
            if number == 0:
                for x in range(width):
                    total[x] = weight * shrunk[x]
            else:
                for x in range(width):
                    total[x] += weight * shrunk[x]
        for x in range(width):
            out[new, x] = np.uint8(np.rint(total[x]))
