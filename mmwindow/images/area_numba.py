"""OpenCV's INTER_AREA for grey images, compiled: the same bits in a fifth to a tenth of the time.

Source: ``computeResizeAreaTab`` and ``ResizeArea_Invoker`` of OpenCV's resize.cpp, which sums
float32 first across and then down, one value at a time. Here the sums are taken down first, whole
rows in one operation, and across in transposed blocks. That rounds otherwise, by less than a bound
that is known; a value within that bound of the middle between two levels is summed again in
OpenCV's order (:func:`_settle`), so that no level differs.
"""
import math
import threading
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from mmwindow.utils.compiled import compile_function

BLOCK = 2 ** 18  # values between the steps at a time, which stay in the fast memory
MOST_ROWS = 128  # new ones in a block
MAX_KEPT = 2 ** 22  # bytes of an array between two images
SMALLEST_PART = 1e-3  # of a pixel, below which OpenCV leaves it out


class Cells(NamedTuple):
    """Which old pixels make a new one, along one axis.

    Attributes:
        starts: ``(n,)`` int32, the first of them.
        weights: ``(k, n)`` float32, of the first and those after it; 0 where there are fewer. k is 3
            or a multiple of 4.
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
    longest = max(map(len, rows))
    table = np.zeros((longest if longest == 3 else -(-longest // 4) * 4, new), dtype=np.float32)
    for place, weights in enumerate(rows):
        table[:len(weights), place] = weights
    return Cells(np.array(starts, dtype=np.int32), table, np.array(list(map(len, rows)), np.int32))


class Memory(threading.local):
    """Arrays of one thread that are used again: to get fresh ones takes as long as to fill them."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def get(self, name: str, size: int, dtype: type[np.generic]) -> np.ndarray:
        """Return an array ``(size,)`` of any content; the caller alone uses it under this name.

        Large ones, which few images need, are not kept.
        """
        found = self.arrays.get(name)
        if found is None or len(found) < size:
            found = np.empty(size, dtype)
            if found.nbytes <= MAX_KEPT:
                self.arrays[name] = found
        return found[:size]


MEMORY = Memory()


def shrink(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a grey image of another size, as ``cv2.resize`` with INTER_AREA does.

    Args:
        pixels: ``(H, W)`` uint8.
        height: New one, smaller.
        width: New one, smaller; not both ratios are whole numbers, for which OpenCV sums otherwise.
    """
    old_height, old_width = pixels.shape
    columns, rows = make_cells(old_width, width), make_cells(old_height, height)
    out = np.empty((height, width), dtype=np.uint8)
    step = min(max(1, BLOCK // old_width), MOST_ROWS, height)
    levels, turned = (MEMORY.get(name, step * old_width, np.float32) for name in ('down', 'turned'))
    sums = MEMORY.get('across', step * width, np.float32)
    rounded = MEMORY.get('rounded', step * width, np.uint8)
    largest = np.float32(.5 - rounding_bound(len(columns.weights), len(rows.weights)))
    for start in range(0, height, step):
        num = min(step, height - start)
        down, across, new = (array[:num * side].reshape(shape) for array, side, shape in (
            (levels, old_width, (num, old_width)), (sums, width, (width, num)),
            (rounded, width, (width, num))))
        _sum_cells(pixels, rows.starts[start:start + num], rows.weights[:, start:start + num], down)
        turned_down = cv2.transpose(down, turned[:num * old_width].reshape(old_width, num))
        _sum_cells(turned_down, columns.starts, columns.weights, across)
        _settle(across, largest, pixels, columns, rows, start, new)
        cv2.transpose(new, out[start:start + num])
    return out


def rounding_bound(num_columns: int, num_rows: int) -> float:
    """Return by how much two orders of summation can differ, in levels.

    A float32 sum of n products is wrong by at most (n + 1) 2 ** -24 of the sum of their sizes
    (Higham, Accuracy and Stability of Numerical Algorithms, 3.1), here of up to 255 and a little, for
    the weights are rounded too. Both steps of both orders count; twice that is taken.

    Args:
        num_columns: Largest number of old pixels that a sum across takes.
        num_rows: Largest number of a sum down.
    """
    return 2 * 2 * (num_columns + 1 + num_rows + 1) * 2. ** -24 * 256


@compile_function(nogil=True)
def _sum_cells(source, starts, weights, sums):  # type: ignore[no-untyped-def]
    """Sum rows ``(N, k)`` into ``(n, k)`` float32, with weights: many values in each operation."""
    length = len(weights)
    last = len(source) - 1  # weights of 0 may reach beyond the end
    num_values = sums.shape[1]
    for new in range(len(sums)):
        first = starts[new]
        if length == 3:  # ratios from 1 to 2; the compiler cannot know that sums are not weights
            a, b, c = first, min(first + 1, last), min(first + 2, last)
            weight_a, weight_b, weight_c = weights[0, new], weights[1, new], weights[2, new]
            for i in range(num_values):
                sums[new, i] = (np.float32(source[a, i]) * weight_a
                                + np.float32(source[b, i]) * weight_b
                                + np.float32(source[c, i]) * weight_c)
            continue
        sums[new] = 0
        for place in range(0, length, 4):  # multiples of four, filled with weights of 0
            a, b = min(first + place, last), min(first + place + 1, last)
            c, d = min(first + place + 2, last), min(first + place + 3, last)
            weight_a, weight_b = weights[place, new], weights[place + 1, new]
            weight_c, weight_d = weights[place + 2, new], weights[place + 3, new]
            for i in range(num_values):
                sums[new, i] += (np.float32(source[a, i]) * weight_a
                                 + np.float32(source[b, i]) * weight_b
                                 + np.float32(source[c, i]) * weight_c
                                 + np.float32(source[d, i]) * weight_d)


@compile_function(nogil=True)
def _settle(sums, largest, pixels, columns, rows, start, out):  # type: ignore[no-untyped-def]
    """Round sums ``(w, k)``, transposed, to uint8; those in doubt are summed in OpenCV's order.

    Args:
        sums: Of k new rows from ``start`` on.
        largest: Distance to the next level beyond which a sum is in doubt.
        pixels: ``(H, W)``, of the image.
        columns, rows: Its cells.
        start: First new row.
        out: ``(w, k)`` uint8.
    """
    for x in range(len(sums)):
        doubts = False
        for y in range(sums.shape[1]):
            level = np.rint(sums[x, y])
            out[x, y] = np.uint8(level)
            doubts |= abs(sums[x, y] - level) > largest
        if doubts:
            for y in range(sums.shape[1]):
                if abs(sums[x, y] - np.rint(sums[x, y])) > largest:
                    out[x, y] = _sum_as_opencv(pixels, columns, rows, x, start + y)


@compile_function(nogil=True)
def _sum_as_opencv(pixels, columns, rows, x, y):  # type: ignore[no-untyped-def]
    """Return one new level, summed across first."""
    starts, weights, counts = columns
    total = np.float32(0)
    for place in range(rows.counts[y]):
        row = pixels[rows.starts[y] + place]
        across = np.float32(row[starts[x]]) * weights[0, x]
        for other in range(1, counts[x]):
            across += np.float32(row[starts[x] + other]) * weights[other, x]
        across *= rows.weights[place, y]
        total = across if place == 0 else total + across
    return np.uint8(np.rint(total))


def grey_channel(pixels: np.ndarray) -> np.ndarray | None:
    """Return the channel ``(H, W)`` of ``(H, W, 3)`` uint8 whose three are equal; else None."""
    out = np.empty(pixels.shape[:2], dtype=np.uint8)
    for start in range(0, len(pixels), MOST_ROWS):
        block = np.ascontiguousarray(pixels[start:start + MOST_ROWS])
        if not _take_channel(block.reshape(-1), out[start:start + MOST_ROWS].reshape(-1)):
            return None
    return out


@compile_function(nogil=True)
def _take_channel(values, out):  # type: ignore[no-untyped-def]
    """Write every third value, and return whether it equals the two after it: always all of them."""
    different = np.uint8(0)
    for place in range(len(out)):  # without a branch: many values in each operation
        value = values[3 * place]
        different |= (value ^ values[3 * place + 1]) | (value ^ values[3 * place + 2])
        out[place] = value
    return different == 0
