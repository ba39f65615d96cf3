"""Depthwise 5 x 5 convolutions that train fast on CPUs: the same function, another way backwards."""
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

PADDING = 2
LEAST_WIDTH = 5


@cache
def compiled_gradient() -> Callable[..., None] | None:
    """Return the compiled sums of a gradient; None without numba."""
    try:
        from mmwindow.models.backbones.depthwise_numba import sum_gradients
    except ImportError:  # also raised where numba rejects the numpy installed
        return None
    return sum_gradients


def is_faster(features: Tensor, weight: Tensor, stride: tuple[int, ...]) -> bool:
    """Return whether :class:`DepthwiseConvolution` applies and is faster than torch's own.

    It does where weights of 5 x 5 learn on a CPU in float32, the features lie in channels_last, and
    numba is there.

    Args:
        features: ``(B, C, H, W)``.
        weight: ``(C, 1, 5, 5)``, one kernel a channel.
        stride: Of the convolution.
    """
    return (weight.shape[1:] == (1, 5, 5) and set(stride) == {1} and weight.requires_grad
            and torch.is_grad_enabled() and features.device.type == 'cpu'
            and features.dtype == weight.dtype == torch.float32
            and not torch.is_autocast_enabled('cpu') and not torch.compiler.is_compiling()
            and features.shape[-1] >= LEAST_WIDTH
            and features.is_contiguous(memory_format=torch.channels_last)
            and compiled_gradient() is not None)


class DepthwiseConvolution(torch.autograd.Function):
    """``conv2d`` of one 5 x 5 kernel a channel, with stride 1 and padding 2.

    Forwards it is torch's own. Backwards the gradient of the features is a convolution with the
    turned kernel, and those of weights and bias are summed in one pass over features and gradient,
    which torch's own library takes 4 to 6 times as long for (tools/benchmark_step.py).
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Return the convolution ``(B, C, H, W)`` of features with ``weight`` ``(C, 1, 5, 5)``."""
        ctx.save_for_backward(features, weight)
        return F.conv2d(features, weight, bias, padding=PADDING, groups=len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        """Return the gradients of features, weight and bias."""
        features, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        of_features = None
        if ctx.needs_input_grad[0]:
            of_features = F.conv2d(gradient, weight.flip(2, 3), padding=PADDING, groups=len(weight))
        of_weight, of_bias = weight_gradients(features, gradient)
        return of_features, of_weight.view_as(weight), of_bias


def weight_gradients(features: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of weights ``(C, 25)`` and bias ``(C,)``.

    Channels are divided among as many threads as torch has.

    Args:
        features: ``(B, C, H, W)`` float32 in channels_last, W of at least 5.
        gradient: Likewise, of the output.
    """
    sum_gradients = compiled_gradient()
    assert sum_gradients is not None
    num_channels = features.shape[1]
    weight = np.empty((num_channels, 25), np.float32)
    bias = np.empty(num_channels, np.float32)
    pixels, slopes = (values.detach().permute(0, 2, 3, 1).numpy() for values in (features, gradient))
    num_threads = min(torch.get_num_threads(), num_channels)
    edges = [num_channels * number // num_threads for number in range(num_threads + 1)]
    if num_threads == 1:
        sum_gradients(pixels, slopes, 0, num_channels, weight, bias)
    else:
        with ThreadPoolExecutor(num_threads) as pool:
            list(pool.map(lambda part: sum_gradients(pixels, slopes, *part, weight, bias),
                          zip(edges, edges[1:], strict=False)))
    return torch.from_numpy(weight), torch.from_numpy(bias)
