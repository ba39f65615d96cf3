"""The head of the paper: one 1 x 1 convolution, shared by all levels."""
import math

import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from mmengine.structures import PixelData
from torch import nn

from mmwindow.models.utils import instances_from_map, merge_levels


@MODELS.register_module()
class DensePointHead(BaseModule):
    """Score every cell of every level; learn from bounds, predict one merged map.

    Every point supervises every level (docs/method.md, section 5).

    Args:
        num_classes (int): Number of classes, each with a map of its own.
        in_channels (int): Channels of the feature levels.
        strides (Sequence[int]): Stride of each level in input pixels, powers of two, finest
            first.
        loss (dict): Config of the loss.
        prior_probability (float): Score of every cell at the start; 0.01 keeps the
            first steps calm, since nearly all cells are negative (Lin et al. 2017).
        train_cfg (dict, optional): Unused; mmdet's detectors pass it.
        test_cfg (dict, optional): ``score_thr`` (a finding is a component of the cells
            at or above it) and ``max_per_img`` of ``pred_instances``. The metric does
            not depend on them: it reads the map.
        init_cfg (dict, optional): As in mmengine.
    """

    def __init__(self, num_classes, in_channels, strides=(4, 8, 16, 32), loss=None,
                 prior_probability=0.01, train_cfg=None, test_cfg=None, init_cfg=None):
        super().__init__(init_cfg)
        if num_classes < 1:
            raise ValueError(f'DensePointHead: num_classes is {num_classes}; at least 1 is needed')
        if not 0 < prior_probability < 1:
            raise ValueError(f'DensePointHead: prior_probability is {prior_probability}; it must '
                             'lie between 0 and 1')
        if any(stride < 1 or stride & (stride - 1) for stride in strides) or (
                sorted(set(strides)) != list(strides)):
            raise ValueError(f'DensePointHead: strides are {tuple(strides)}; rising powers of two '
                             'are expected, the finest level first, such as (4, 8, 16, 32)')
        self.num_classes = num_classes
        self.strides = tuple(strides)
        self.prior_probability = prior_probability
        self.test_cfg = {'score_thr': 0.5, 'max_per_img': 100, **(test_cfg or {})}
        self.loss_module = MODELS.build(loss or dict(type='WindowLoss'))
        self.convolution = nn.Conv2d(in_channels, num_classes, kernel_size=1)

    def init_weights(self):
        """Normal weights; a bias that makes every score the prior probability."""
        super().init_weights()
        nn.init.normal_(self.convolution.weight, std=0.01)
        nn.init.constant_(self.convolution.bias,
                          -math.log((1 - self.prior_probability) / self.prior_probability))

    def forward(self, features):
        """Return logits ``(B, num_classes, h_l, w_l)`` per level.

        Args:
            features (Sequence[Tensor]): ``(B, in_channels, h_l, w_l)`` per level.
        """
        if len(features) != len(self.strides):
            raise ValueError(f'DensePointHead: the neck gives {len(features)} levels, strides '
                             f'names {len(self.strides)}; set num_outs of the neck or strides')
        return tuple(self.convolution(level) for level in features)

    def loss(self, features, batch_data_samples):
        """Return the losses of a batch whose samples carry ``gt_bounds``."""
        return self.loss_by_feat(self(features), batch_data_samples)

    def loss_by_feat(self, logits, batch_data_samples):
        """Return one loss per level; their sum is the total (paper, eq. 6).

        Args:
            logits (Sequence[Tensor]): ``(B, num_classes, h_l, w_l)`` per level.
            batch_data_samples (Sequence[DetDataSample]): With ``gt_bounds``.

        Returns:
            dict[str, Tensor]: ``loss_p2`` and so on, named by the level.
        """
        losses = {}
        for stride, level in zip(self.strides, logits, strict=True):
            bounds = [self._bounds_of(sample, stride) for sample in batch_data_samples]
            lower = torch.stack([bound.lower for bound in bounds]).to(level.device)
            upper = torch.stack([bound.upper for bound in bounds]).to(level.device)
            losses[f'loss_p{int(math.log2(stride))}'] = self.loss_module(level, lower, upper)
        return losses

    def predict(self, features, batch_data_samples, rescale=True):
        """Return what :meth:`predict_by_feat` makes of the features."""
        # Logits of low precision would tie, and the metric could not see it in float32 maps.
        with torch.autocast(features[0].device.type, enabled=False):
            logits = self([level.float() for level in features])
        return self.predict_by_feat(logits, [
            sample.metainfo for sample in batch_data_samples], rescale)

    def predict_by_feat(self, logits, batch_img_metas, rescale=True):
        """Return a merged map and its findings for each image.

        Args:
            logits (Sequence[Tensor]): ``(B, num_classes, h_l, w_l)`` per level.
            batch_img_metas (Sequence[dict]): With ``ori_shape`` and ``scale_factor``.
            rescale (bool): Boxes in pixels of the original image rather than the input.

        Returns:
            list[dict]: ``heatmap`` (PixelData; ``scores`` ``(num_classes, h, w)`` on the
            finest grid, the whole padded frame) and ``instances`` (InstanceData;
            ``bboxes`` ``(N, 4)``, ``scores`` and ``labels`` ``(N,)``).
        """
        return [dict(heatmap=PixelData(scores=scores),
                     instances=instances_from_map(scores, img_meta, self.strides[0],
                                                  self.test_cfg, rescale))
                for scores, img_meta in zip(merge_levels(logits), batch_img_metas, strict=True)]

    @staticmethod
    def _bounds_of(sample, stride):
        bounds = sample.get('gt_bounds')
        level = None if bounds is None else bounds.get(f'stride{stride}')
        if level is None:
            found = 'none' if bounds is None else ', '.join(sorted(bounds.keys()))
            raise ValueError(
                f'DensePointHead: image {sample.metainfo.get("img_path")} carries no bounds for '
                f'stride {stride} (found: {found}); the training pipeline needs '
                'PointToBoundTransform with these strides, then PackPointInputs')
        return level
