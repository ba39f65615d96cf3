"""OpenCV's INTER_AREA for grey images, compiled: the same bits in a third to a fifth of the time.

Source: ``computeResizeAreaTab`` and ``ResizeArea_Invoker`` of OpenCV's resize.cpp. Its sums of
float32 are taken in the same order, first across and then down, but of many rows or columns in one
operation: blocks of rows are transposed, which costs less than to collect single values. OpenCV
takes a row that two new rows share twice, one value at a time.
"""
import math
import threading
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from mmwindow.utils.compiled import compile_function

BLOCK = 128  # rows of the image at a time: what lies between the steps stays in the fast memory
MAX_KEPT = 2 ** 22  # bytes of an array between two images
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
    step = max(1, BLOCK * height // old_height)
    firsts = rows.starts[::step]
    lasts = (rows.starts + rows.counts)[[*range(step - 1, height - 1, step), height - 1]]
    longest = int((lasts - firsts).max())
    near, levels = (MEMORY.get(name, longest * old_width, np.uint8) for name in ('near', 'levels'))
    sums, turned = (MEMORY.get(name, longest * width, np.float32) for name in ('sums', 'turned'))
    for start, first, last in zip(range(0, height, step), firsts.tolist(), lasts.tolist(),
                                  strict=True):
        block = near[:(last - first) * old_width].reshape(-1, old_width)
        np.copyto(block, pixels[first:last])  # row by row; to turn what lies far away takes longer
        block = _turn(block, levels)
        shrunk = sums[:width * (last - first)].reshape(width, -1)
        _shrink_across(block, columns.starts, columns.weights, shrunk)
        _shrink_down(_turn(shrunk, turned), first, rows, start, min(start + step, height), out)
    return out


def _turn(pixels: np.ndarray, memory: np.ndarray) -> np.ndarray:
    """Return the transposed pixels ``(H, W)``, contiguous, in memory of at least their size."""
    height, width = pixels.shape
    return cv2.transpose(pixels, memory[:height * width].reshape(width, height))


@compile_function(nogil=True)
def _shrink_across(turned, starts, weights, sums):  # type: ignore[no-untyped-def]
    """Shrink ``(W, rows)`` uint8 to ``(w, rows)`` float32: many rows at once in each operation."""
    length, width = weights.shape
    num_rows = sums.shape[1]
    last = turned.shape[0] - 1  # weights of 0 may reach beyond the end
    for x in range(width):
        first = starts[x]
        weight = weights[0, x]  # read here: the compiler cannot know that sums are elsewhere
        if length == 3:
            second, third = min(first + 1, last), min(first + 2, last)
            weight_2, weight_3 = weights[1, x], weights[2, x]
            for row in range(num_rows):
                sums[x, row] = (np.float32(turned[first, row]) * weight
                                + np.float32(turned[second, row]) * weight_2
                                + np.float32(turned[third, row]) * weight_3)
            continue
        for row in range(num_rows):
            sums[x, row] = np.float32(turned[first, row]) * weight
        for place in range(1, length):
            other, weight = min(first + place, last), weights[place, x]
            for row in range(num_rows):
                sums[x, row] += np.float32(turned[other, row]) * weight


@compile_function(nogil=True)
def _shrink_down(sums, first, cells, start, stop, out):  # type: ignore[no-untyped-def]
    """Shrink ``(rows, w)`` float32, the first of them a row of the image, to some rows of uint8."""
    starts, weights, counts = cells
    width = out.shape[1]
    total = np.zeros(width, np.float32)
    for new in range(start, stop):
        for place in range(counts[new]):
            old, weight = starts[new] + place - first, weights[place, new]
            if place == 0:
                for x in range(width):
                    total[x] = weight * sums[old, x]
            else:
                for x in range(width):
                    total[x] += weight * sums[old, x]
        for x in range(width):
            out[new, x] = np.uint8(np.rint(total[x]))


def grey_channel(pixels: np.ndarray) -> np.ndarray | None:
    """Return the channel ``(H, W)`` of ``(H, W, 3)`` uint8 whose three are equal; else None."""
    out = np.empty(pixels.shape[:2], dtype=np.uint8)
    for start in range(0, len(pixels), BLOCK):
        block = np.ascontiguousarray(pixels[start:start + BLOCK])
        if not _has_equal_channels(block):
            return None
        cv2.extractChannel(block, 0, out[start:start + BLOCK])
    return out


@compile_function(nogil=True)
def _has_equal_channels(pixels):  # type: ignore[no-untyped-def]
    """Return whether ``(H, W, 3)`` uint8 holds one value in all channels of each pixel."""
    width = pixels.shape[1]
    mask = np.full(3 * width, 255, np.uint8)
    mask[2::3] = 0  # a pixel's last value is not compared with the next pixel's first
    for y in range(pixels.shape[0]):
        row, different = pixels[y].reshape(3 * width), np.uint8(0)
        for place in range(3 * width - 1):  # without a branch: many values in each operation
            different |= (row[place] ^ row[place + 1]) & mask[place]
        if different:
            return False
    return True
