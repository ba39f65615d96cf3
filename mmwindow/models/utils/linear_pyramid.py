"""A linear pyramid under a linear head: their last two convolutions are one, of a few channels.

mmdet's feature pyramid ends each level with a 3 x 3 convolution without an activation, and the head
of the Window Loss is a 1 x 1 convolution. Applied one after the other they are one 3 x 3 convolution
whose kernel is the product of both. It has as many outputs as there are classes, in place of 64 or
256: the same function of the same parameters, gradients included, up to rounding.
"""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from mmdet.models.necks import FPN
from torch import Tensor, nn


def multiply_kernels(inner: nn.Conv2d, pointwise: nn.Conv2d) -> tuple[Tensor, Tensor | None]:
    """Return kernel and bias of the one convolution that two are, in their precision.

    Args:
        inner: ``(K', K, y, x)``, the first.
        pointwise: ``(C, K', 1, 1)``, applied to its output.

    Returns:
        ``(C, K, y, x)``, and ``(C,)``; None where neither has a bias.
    """
    outer, bias = pointwise.weight[..., 0, 0], pointwise.bias
    if inner.bias is not None:
        bias = outer @ inner.bias + (0. if bias is None else bias)
    return torch.einsum('ck,kjyx->cjyx', outer, inner.weight), bias


@dataclass(frozen=True)
class PendingConvolution:
    """Features before a convolution, and the convolution.

    Attributes:
        features: ``(B, K, h, w)``.
        convolution: Linear; what comes next sees its output.
    """

    features: Tensor
    convolution: nn.Conv2d

    @property
    def device(self) -> torch.device:
        """Of the features."""
        return self.features.device

    def float(self) -> 'PendingConvolution':
        """Return the same in float32."""
        return PendingConvolution(self.features.float(), self.convolution)

    def then(self, pointwise: nn.Conv2d) -> Tensor:
        """Return ``pointwise(convolution(features))``, computed as one convolution.

        Args:
            pointwise: 1 x 1, ``(C, K', 1, 1)``.

        Returns:
            ``(B, C, h, w)``.
        """
        inner = self.convolution
        with torch.autocast(self.device.type, enabled=False):  # kernels are small: in their precision
            weight, bias = multiply_kernels(inner, pointwise)
        return F.conv2d(self.features, weight.to(self.features.dtype),
                        None if bias is None else bias.to(self.features.dtype), inner.stride,
                        inner.padding, inner.dilation)


def is_linear(neck: Any) -> bool:
    """Return whether a neck is mmdet's FPN whose levels each end in one plain convolution."""
    return type(neck) is FPN and neck.num_outs == len(neck.lateral_convs) and not any(
        level.with_norm or level.with_activation or type(level.conv) is not nn.Conv2d
        or level.conv.groups != 1 or level.conv.padding_mode != 'zeros' for level in neck.fpn_convs)


def pending_levels(neck: FPN, inputs: Sequence[Tensor]) -> tuple[PendingConvolution, ...]:
    """Return what :meth:`FPN.forward` gives, each level before its last convolution.

    Args:
        neck: As :func:`is_linear` asks.
        inputs: ``(B, C_l, h_l, w_l)`` per level of the backbone.
    """
    levels = [lateral(inputs[index + neck.start_level])
              for index, lateral in enumerate(neck.lateral_convs)]
    for index in range(len(levels) - 1, 0, -1):
        size = {} if 'scale_factor' in neck.upsample_cfg else dict(size=levels[index - 1].shape[2:])
        levels[index - 1] = levels[index - 1] + F.interpolate(
            levels[index], **size, **neck.upsample_cfg)
    return tuple(PendingConvolution(level, last.conv)
                 for level, last in zip(levels, neck.fpn_convs, strict=True))
