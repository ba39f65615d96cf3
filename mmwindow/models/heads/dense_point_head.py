"""The head of the paper: one 1 x 1 convolution, shared by all levels; and what WL+ adds to it."""
import math
from collections.abc import Mapping, Sequence

import torch
from mmcv.cnn import ConvModule
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import PixelData
from torch import Tensor, nn

from mmwindow.models.heads.image_label_head import image_window_loss
from mmwindow.models.heads.map_head import MapHead
from mmwindow.models.utils import mean_logits, merge_levels
from mmwindow.models.utils.linear_pyramid import PendingConvolution


@MODELS.register_module()
class DensePointHead(MapHead):
    """Score every cell of every level; learn from bounds, predict one merged map.

    Every point supervises every level (docs/method.md, section 5). The defaults are the paper's head;
    ``num_convs``, ``image_window`` and ``maximum_window`` are the steps beyond it (section 11).

    Args:
        num_classes: Number of classes, each with a map of its own.
        in_channels: Channels of the feature levels.
        strides: Stride of each level in input pixels, powers of two, finest first.
        loss: Config of the loss.
        prior_probability: Score of every cell at the start; 0.01 keeps the first steps calm, since
            nearly all cells are negative (Lin et al. 2017).
        num_convs: Number of 3 x 3 convolutions with ReLU before the last one, shared by all levels.
        image_window: Config of a loss, such as ``dict(type='WindowLoss', loss_weight=0.5)``: the
            image is one more level of the pyramid, a cell whose bounds are both the image's label.
            Its logit, from the mean of the coarsest level, is added to every cell's; the cells'
            losses do not reach it. None leaves it out.
        maximum_window: Config of a loss of the merged map: ``dict(type='MaximumWindowLoss')``.
            None leaves it out.
        train_cfg: Unused; mmdet's detectors pass it.
        test_cfg: As in :class:`~mmwindow.models.heads.map_head.MapHead`.
        init_cfg: As in mmengine.
    """

    def __init__(self, num_classes: int, in_channels: int, strides: Sequence[int] = (4, 8, 16, 32),
                 loss: Mapping | None = None, prior_probability: float = 0.01, num_convs: int = 0,
                 image_window: Mapping | None = None, maximum_window: Mapping | None = None,
                 train_cfg: Mapping | None = None, test_cfg: Mapping | None = None,
                 init_cfg: Mapping | None = None) -> None:
        if not 0 < prior_probability < 1:
            raise ValueError(f'DensePointHead: prior_probability is {prior_probability}; it must '
                             'lie between 0 and 1')
        if any(stride < 1 or stride & (stride - 1) for stride in strides) or (
                sorted(set(strides)) != list(strides)):
            raise ValueError(f'DensePointHead: strides are {tuple(strides)}; rising powers of two '
                             'are expected, the finest level first, such as (4, 8, 16, 32)')
        if num_convs < 0:
            raise ValueError(f'DensePointHead: num_convs is {num_convs}; at least 0 is expected')
        super().__init__(num_classes, strides[0], test_cfg, init_cfg)
        self.strides = tuple(strides)
        self.prior_probability = prior_probability
        self.loss_module = MODELS.build(loss or dict(type='WindowLoss'))
        self.tower = nn.Sequential(*(ConvModule(in_channels, in_channels, 3, padding=1)
                                     for _ in range(num_convs))) if num_convs else None
        self.convolution = nn.Conv2d(in_channels, num_classes, kernel_size=1)
        self.image_window = None if image_window is None else MODELS.build(image_window)
        self.maximum_window = None if maximum_window is None else MODELS.build(maximum_window)
        if self.image_window is not None:
            self.image_classifier = nn.Conv2d(in_channels, num_classes, kernel_size=1)

    @property
    def takes_pending_levels(self) -> bool:
        """Whether nothing but the last convolution reads the features."""
        return self.tower is None and self.image_window is None

    def init_weights(self) -> None:
        """Draw normal weights; set a bias that makes every score the prior probability."""
        super().init_weights()
        nn.init.normal_(self.convolution.weight, std=0.01)
        if self.convolution.bias is not None:
            nn.init.constant_(self.convolution.bias,
                              -math.log((1 - self.prior_probability) / self.prior_probability))
        if self.image_window is not None:  # every image's score is one half, and adds 0 to the cells'
            nn.init.normal_(self.image_classifier.weight, std=0.01)
            if self.image_classifier.bias is not None:
                nn.init.zeros_(self.image_classifier.bias)

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return logits ``(B, num_classes, h_l, w_l)`` per level.

        With an image window the last one is the image's, ``(B, num_classes, 1, 1)``, and the others
        have it in them.

        Args:
            features: ``(B, in_channels, h_l, w_l)`` per level, or a
                :class:`~mmwindow.models.utils.linear_pyramid.PendingConvolution` of them.
        """
        if len(features) != len(self.strides):
            raise ValueError(f'DensePointHead: the neck gives {len(features)} levels, strides '
                             f'names {len(self.strides)}; set num_outs of the neck or strides')
        levels = features if self.tower is None else [self.tower(level) for level in features]
        logits = tuple(level.then(self.convolution) if isinstance(level, PendingConvolution)
                       else self.convolution(level) for level in levels)
        if self.image_window is None:
            return logits
        image = self.image_classifier(features[-1].mean((2, 3), keepdim=True))
        return (*(level + image.detach() for level in logits), image)

    def score_maps(self, outputs: Sequence[Tensor]) -> Tensor:
        """Return the merged maps ``(B, num_classes, h, w)`` on the finest grid."""
        return merge_levels(outputs[:len(self.strides)])

    def loss_by_feat(self, logits: Sequence[Tensor],
                     batch_data_samples: Sequence[DetDataSample]) -> dict[str, Tensor]:
        """Return one loss per level; their sum is the total.

        Args:
            logits: What :meth:`forward` returns.
            batch_data_samples: With ``gt_bounds``; for the windows of image and maximum with
                ``gt_instances`` too.

        Returns:
            ``loss_p2`` and so on, named by the level; ``loss_image`` and ``loss_maximum``.
        """
        losses = {}
        for stride, level in zip(self.strides, logits[:len(self.strides)], strict=True):
            bounds = [self._bounds_of(sample, stride) for sample in batch_data_samples]
            lower = torch.stack([bound.lower for bound in bounds]).to(level.device)
            upper = torch.stack([bound.upper for bound in bounds]).to(level.device)
            # (paper, eq. 6): mmdet adds up what is named loss_*
            losses[f'loss_p{int(math.log2(stride))}'] = self.loss_module(level, lower, upper)
        if self.image_window is not None:
            losses['loss_image'] = image_window_loss(self.image_window, logits[-1],
                                                     batch_data_samples)
        if self.maximum_window is not None:
            finest = [self._bounds_of(sample, self.strides[0]).upper
                      for sample in batch_data_samples]
            losses['loss_maximum'] = self.maximum_window(
                mean_logits(logits[:len(self.strides)]), torch.stack(finest).to(logits[0].device),
                [_points_of(sample) for sample in batch_data_samples],
                [sample.gt_instances.labels for sample in batch_data_samples], self.strides[0])
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


def _points_of(sample: DetDataSample) -> Tensor:
    """Return the points of a training image, ``(N, 2)`` in input pixels."""
    boxes = sample.gt_instances.bboxes
    points = getattr(boxes, 'tensor', boxes)
    if points.shape[-1] != 2:
        raise ValueError(f'DensePointHead: image {sample.metainfo.get("img_path")} carries boxes; '
                         'the maximum window needs points: a pipeline without PointsToPseudoBoxes')
    return points
