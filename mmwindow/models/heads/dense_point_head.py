"""The head of the paper: one 1 x 1 convolution, shared by all levels."""
import math
from collections.abc import Mapping, Sequence

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import PixelData
from torch import Tensor, nn

from mmwindow.models.heads.map_head import MapHead
from mmwindow.models.utils import merge_levels


@MODELS.register_module()
class DensePointHead(MapHead):
    """Score every cell of every level; learn from bounds, predict one merged map.

    Every point supervises every level (docs/method.md, section 5).

    Args:
        num_classes: Number of classes, each with a map of its own.
        in_channels: Channels of the feature levels.
        strides: Stride of each level in input pixels, powers of two, finest first.
        loss: Config of the loss.
        prior_probability: Score of every cell at the start; 0.01 keeps the first steps calm, since
            nearly all cells are negative (Lin et al. 2017).
        train_cfg: Unused; mmdet's detectors pass it.
        test_cfg: As in :class:`~mmwindow.models.heads.map_head.MapHead`.
        init_cfg: As in mmengine.
    """

    def __init__(self, num_classes: int, in_channels: int, strides: Sequence[int] = (4, 8, 16, 32),
                 loss: Mapping | None = None, prior_probability: float = 0.01,
                 train_cfg: Mapping | None = None, test_cfg: Mapping | None = None,
                 init_cfg: Mapping | None = None) -> None:
        if not 0 < prior_probability < 1:
            raise ValueError(f'DensePointHead: prior_probability is {prior_probability}; it must '
                             'lie between 0 and 1')
        if any(stride < 1 or stride & (stride - 1) for stride in strides) or (
                sorted(set(strides)) != list(strides)):
            raise ValueError(f'DensePointHead: strides are {tuple(strides)}; rising powers of two '
                             'are expected, the finest level first, such as (4, 8, 16, 32)')
        super().__init__(num_classes, strides[0], test_cfg, init_cfg)
        self.strides = tuple(strides)
        self.prior_probability = prior_probability
        self.loss_module = MODELS.build(loss or dict(type='WindowLoss'))
        self.convolution = nn.Conv2d(in_channels, num_classes, kernel_size=1)

    def init_weights(self) -> None:
        """Draw normal weights; set a bias that makes every score the prior probability."""
        super().init_weights()
        nn.init.normal_(self.convolution.weight, std=0.01)
        if self.convolution.bias is not None:
            nn.init.constant_(self.convolution.bias,
                              -math.log((1 - self.prior_probability) / self.prior_probability))

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return logits ``(B, num_classes, h_l, w_l)`` per level.

        Args:
            features: ``(B, in_channels, h_l, w_l)`` per level.
        """
        if len(features) != len(self.strides):
            raise ValueError(f'DensePointHead: the neck gives {len(features)} levels, strides '
                             f'names {len(self.strides)}; set num_outs of the neck or strides')
        return tuple(self.convolution(level) for level in features)

    def score_maps(self, outputs: Sequence[Tensor]) -> Tensor:
        """Return the merged maps ``(B, num_classes, h, w)`` on the finest grid."""
        return merge_levels(outputs)

    def loss_by_feat(self, logits: Sequence[Tensor],
                     batch_data_samples: Sequence[DetDataSample]) -> dict[str, Tensor]:
        """Return one loss per level; their sum is the total.

        Args:
            logits: ``(B, num_classes, h_l, w_l)`` per level.
            batch_data_samples: With ``gt_bounds``.

        Returns:
            ``loss_p2`` and so on, named by the level.
        """
        losses = {}
        for stride, level in zip(self.strides, logits, strict=True):
            bounds = [self._bounds_of(sample, stride) for sample in batch_data_samples]
            lower = torch.stack([bound.lower for bound in bounds]).to(level.device)
            upper = torch.stack([bound.upper for bound in bounds]).to(level.device)
            # (paper, eq. 6): mmdet adds up what is named loss_*
            losses[f'loss_p{int(math.log2(stride))}'] = self.loss_module(level, lower, upper)
        return losses

    @staticmethod
    def _bounds_of(sample: DetDataSample, stride: int) -> PixelData:
        bounds = sample.get('gt_bounds')
        level = None if bounds is None else bounds.get(f'stride{stride}')
        if level is None:
            known = 'none' if bounds is None else ', '.join(sorted(bounds.keys()))
            raise ValueError(
                f'DensePointHead: image {sample.metainfo.get("img_path")} carries no bounds for '
                f'stride {stride} (found: {known}); the training pipeline needs '
                'PointToBoundTransform with these strides, then PackPointInputs')
        return level
