"""Depthwise convolutions that train fast on CPUs: the same function, another way backwards."""
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

PADDING = 2
LEAST_WIDTH = 5


class CompiledSums(NamedTuple):
    """The compiled sums of a gradient: of 5 x 5 with stride 1, and of strided convolutions."""

    even: Callable[..., None]
    strided: Callable[..., None]


@cache
def compiled_gradient() -> CompiledSums | None:
    """Return the compiled sums of a gradient; None without numba."""
    try:
        from mmwindow.models.backbones.depthwise_numba import sum_gradients, sum_strided_gradients
    except ImportError:  # also raised where numba rejects the numpy installed
        return None
    return CompiledSums(sum_gradients, sum_strided_gradients)


def is_faster(features: Tensor, weight: Tensor, stride: tuple[int, ...]) -> bool:
    """Return whether :class:`DepthwiseConvolution` applies and is faster than torch's own.

    It does where weights learn on a CPU and the features lie in channels_last: in float32 with
    numba for kernels of 5 x 5 with stride 1 and for strided ones; under bfloat16 autocast for all
    but 3 x 3 with stride 1, whose gradients torch's library has in bfloat16.

    Args:
        features: ``(B, C, H, W)``.
        weight: ``(C, 1, y, x)``, one kernel a channel.
        stride: Of the convolution.
    """
    if (len(weight) != features.shape[1] or weight.shape[1] != 1 or not weight.requires_grad
            or not torch.is_grad_enabled() or features.device.type != 'cpu'
            or torch.compiler.is_compiling() or weight.dtype != torch.float32
            or not features.is_contiguous(memory_format=torch.channels_last)):
        return False
    if computes_in_bfloat16():
        return max(weight.shape[2:]) > 3 or set(stride) != {1}
    return (features.dtype == torch.float32 and not torch.is_autocast_enabled('cpu')
            and can_sum(features, weight, stride))


def computes_in_bfloat16(device: str = 'cpu') -> bool:
    """Return whether convolutions on a kind of device run under bfloat16 autocast."""
    return (torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
            and torch.get_autocast_dtype(device) == torch.bfloat16)


def can_sum(features: Tensor, weight: Tensor, stride: tuple[int, ...]) -> bool:
    """Return whether there are compiled sums for a convolution."""
    if weight.shape[2] != weight.shape[3] or len(set(stride)) != 1 or compiled_gradient() is None:
        return False
    return stride[0] > 1 or (is_even(weight, stride) and features.shape[-1] >= LEAST_WIDTH)


def is_even(weight: Tensor, stride: tuple[int, ...]) -> bool:
    """Return whether a kernel is 5 x 5 and the stride 1."""
    return weight.shape[2:] == (5, 5) and set(stride) == {1}


class DepthwiseConvolution(torch.autograd.Function):
    """``conv2d`` of one kernel a channel; 5 x 5 with stride 1 is padded by 2.

    Forwards it is torch's own. Backwards, for 5 x 5 with stride 1 the gradient of the features is a
    convolution with the turned kernel. Those of weights and bias, strided ones too, are summed in
    one pass over features and gradient, which torch's own library takes 4 to 40 times as long for:
    it has no way of its own for most strided kernels. Under bfloat16
    autocast the convolution runs in bfloat16, and the gradients of the weights, and of strided
    features, in float32: in bfloat16 torch's library has a slow reference for them, 3 to 10 times
    as long (tools/benchmark_step.py).
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor,
                stride: tuple[int, ...] = (1, 1), padding: tuple[int, ...] = (PADDING, PADDING)
                ) -> Tensor:
        """Return the convolution ``(B, C, h, w)`` of features with ``weight`` ``(C, 1, y, x)``."""
        ctx.dtype = features.dtype
        if computes_in_bfloat16():
            features = features.bfloat16()
        ctx.save_for_backward(features, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(features, weight.to(features.dtype), bias.to(features.dtype), stride,
                        padding, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of features, weight and bias."""
        features, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        wants_features = ctx.needs_input_grad[0]
        of_features = None
        is_summed = can_sum(features, weight, ctx.stride)
        if is_summed:
            of_weight, of_bias = weight_gradients(features.float(), gradient.float(),
                                                  weight.shape[-1], ctx.stride[0], ctx.padding[0])
        if is_summed and is_even(weight, ctx.stride):
            if wants_features:
                of_features = F.conv2d(gradient, weight.flip(2, 3).to(gradient.dtype),
                                       padding=PADDING, groups=len(weight))
        elif wants_features or not is_summed:
            of_features, *others = torch.ops.aten.convolution_backward(
                gradient.float(), features.float(), weight, [len(weight)], ctx.stride, ctx.padding,
                (1, 1), False, (0, 0), len(weight), (wants_features, not is_summed, not is_summed))
            if not is_summed:
                of_weight, of_bias = others
        return (None if of_features is None else of_features.to(ctx.dtype),
                of_weight.view_as(weight), of_bias, None, None)


def weight_gradients(features: Tensor, gradient: Tensor, side: int = 5, stride: int = 1,
                     padding: int = PADDING) -> tuple[Tensor, Tensor]:
    """Return the gradients of weights ``(C, side * side)`` and bias ``(C,)``.

    Channels are divided among as many threads as torch has.

    Args:
        features: ``(B, C, H, W)`` float32 in channels_last, W of at least 5.
        gradient: ``(B, C, h, w)``, likewise, of the output.
        side: Of the kernel.
        stride: Of the convolution; 1 for a side of 5 alone.
        padding: Of the convolution.
    """
    sums = compiled_gradient()
    assert sums is not None
    num_channels = features.shape[1]
    weight = np.empty((num_channels, side * side), np.float32)
    bias = np.empty(num_channels, np.float32)
    pixels, slopes = (values.detach().permute(0, 2, 3, 1).numpy() for values in (features, gradient))
    num_threads = min(torch.get_num_threads(), num_channels)
    edges = [num_channels * number // num_threads for number in range(num_threads + 1)]

    def sum_part(part: tuple[int, int]) -> None:
        if stride == 1:
            sums.even(pixels, slopes, *part, weight, bias)
        else:
            sums.strided(pixels, slopes, *part, weight, bias, stride, padding)

    parts = list(zip(edges, edges[1:], strict=False))
    if num_threads == 1:
        sum_part(*parts)
    else:
        with ThreadPoolExecutor(num_threads) as pool:
            list(pool.map(sum_part, parts))
    return torch.from_numpy(weight), torch.from_numpy(bias)
