"""The gradients of depthwise convolutions' weights, compiled: their inputs are read once."""
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwindow.utils.compiled import compile_function

Array = NDArray[Any]
SIDE = 5     # of the kernel
BLOCK = 256  # channels at a time: their 26 sums stay in a processor's first cache (26 kB)


@compile_function(nogil=True)
def write_sums(sums: Array, start: int, num: int, weight: Array, bias: Array) -> None:
    """Write the sums of a block of channels, ``(cells + 1, BLOCK)``, to their gradients.

    Args:
        sums: One row for each cell of the kernel, the last for the bias.
        start: First channel of the block.
        num: Channels of the block.
        weight: ``(C, cells)``.
        bias: ``(C,)``.
    """
    cells = weight.shape[1]
    for c in range(num):
        bias[start + c] = sums[cells, c]
        for k in range(cells):
            weight[start + c, k] = sums[k, c]


# With fastmath sums run in vectors; their order is fixed on one kind of processor.
@compile_function(fastmath=True, nogil=True, error_model='numpy')
def sum_gradients(features: Array, gradient: Array, first: int, last: int, weight: Array,
                  bias: Array) -> None:
    """Write the gradients of weights and bias of some channels; padding 2, stride 1.

    The innermost loops run over channels, which lie next to each other; two cells of a row share
    what they read.

    Args:
        features: ``(B, H, W, C)`` float32, the convolution's input; W of at least 5.
        gradient: ``(B, H, W, C)`` float32, of its output.
        first: First channel.
        last: Behind the last channel.
        weight: ``(C, 25)`` float32, receives the sums, row by row of the kernel.
        bias: ``(C,)`` float32, receives the sums.
    """
    num_imgs, height, width = features.shape[:3]
    inner = 2 + 2 * ((width - 4) // 2)  # columns below this, from 2 on, are taken in pairs
    sums = np.zeros((SIDE * SIDE + 1, BLOCK), np.float32)
    for start in range(first, last, BLOCK):
        num = min(BLOCK, last - start)
        stop = start + num
        sums[:] = 0
        total = sums[SIDE * SIDE, :num]
        for img in range(num_imgs):
            for row in range(height):
                for column in range(width):
                    value = gradient[img, row, column, start:stop]
                    for c in range(num):
                        total[c] += value[c]
                for i in range(SIDE):
                    source = row + i - 2
                    if source < 0 or source >= height:
                        continue
                    s0, s1 = sums[SIDE * i, :num], sums[SIDE * i + 1, :num]
                    s2, s3 = sums[SIDE * i + 2, :num], sums[SIDE * i + 3, :num]
                    s4 = sums[SIDE * i + 4, :num]
                    for column in range(2, inner, 2):
                        a = gradient[img, row, column, start:stop]
                        b = gradient[img, row, column + 1, start:stop]
                        f0 = features[img, source, column - 2, start:stop]
                        f1 = features[img, source, column - 1, start:stop]
                        f2 = features[img, source, column, start:stop]
                        f3 = features[img, source, column + 1, start:stop]
                        f4 = features[img, source, column + 2, start:stop]
                        f5 = features[img, source, column + 3, start:stop]
                        for c in range(num):
                            u, v = a[c], b[c]
                            s0[c] += u * f0[c] + v * f1[c]
                            s1[c] += u * f1[c] + v * f2[c]
                            s2[c] += u * f2[c] + v * f3[c]
                            s3[c] += u * f3[c] + v * f4[c]
                            s4[c] += u * f4[c] + v * f5[c]
                    for column in range(width):
                        if 2 <= column < inner:
                            continue
                        a = gradient[img, row, column, start:stop]
                        for j in range(max(0, 2 - column), min(SIDE, width + 2 - column)):
                            f0 = features[img, source, column + j - 2, start:stop]
                            s0 = sums[SIDE * i + j, :num]
                            for c in range(num):
                                s0[c] += a[c] * f0[c]
        write_sums(sums, start, num, weight, bias)


@compile_function(fastmath=True, nogil=True, error_model='numpy')
def sum_strided_gradients(features: Array, gradient: Array, first: int, last: int, weight: Array,
                          bias: Array, stride: int, padding: int) -> None:
    """Write the gradients of weights and bias of some channels, for any square kernel and stride.

    Args:
        features: ``(B, H, W, C)`` float32, the convolution's input.
        gradient: ``(B, h, w, C)`` float32, of its output.
        first: First channel.
        last: Behind the last channel.
        weight: ``(C, side * side)`` float32, receives the sums, row by row of the kernel.
        bias: ``(C,)`` float32, receives the sums.
        stride: Of the convolution, down and across.
        padding: Likewise, on each side.
    """
    num_imgs, height, width = features.shape[:3]
    num_rows, num_columns = gradient.shape[1:3]
    side = int(np.sqrt(weight.shape[1]))
    sums = np.zeros((side * side + 1, BLOCK), np.float32)
    for start in range(first, last, BLOCK):
        num = min(BLOCK, last - start)
        stop = start + num
        sums[:] = 0
        total = sums[side * side, :num]
        for img in range(num_imgs):
            for row in range(num_rows):
                for column in range(num_columns):
                    a = gradient[img, row, column, start:stop]
                    for c in range(num):
                        total[c] += a[c]
                    left = column * stride - padding
                    for i in range(side):
                        source = row * stride + i - padding
                        if source < 0 or source >= height:
                            continue
                        for j in range(max(0, -left), min(side, width - left)):
                            f = features[img, source, left + j, start:stop]
                            s = sums[side * i + j, :num]
                            for c in range(num):
                                s[c] += a[c] * f[c]
        write_sums(sums, start, num, weight, bias)
