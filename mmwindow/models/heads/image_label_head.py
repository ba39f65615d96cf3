"""What the heads that learn from image labels share: labels, loss, prediction."""
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from torch import Tensor, nn

from mmwindow.models.heads.map_head import MapHead
from mmwindow.models.utils import bounded_scores, resize_maps

MAP_STRIDE = 4  # input pixels a cell of the predicted map: P2, as for the Window Loss


class ImageLabelLogits(NamedTuple):
    """What the features say.

    Attributes:
        image_logits: ``(B, num_classes)`` float32, about each image.
        map_logits: ``(B, num_classes, h, w)`` float32, about each cell.
    """

    image_logits: Tensor
    map_logits: Tensor


def image_labels(labels: Sequence[Tensor], num_classes: int) -> Tensor:
    """Return which classes each image shows, from the labels of its points.

    Assumption (docs/method.md, section 10): an image label stays what it is when an augmentation
    moves a point out of the frame. A classifier must not learn from where points are.

    Args:
        labels: ``(N_i,)`` int, one tensor per image; N_i is 0 for a negative image.
        num_classes: Number of classes.

    Returns:
        ``(B, num_classes)`` float32, 1 where an image has a point of the class.

    Raises:
        ValueError: A label is not below ``num_classes``.
    """
    present = torch.zeros(len(labels), num_classes)
    for row, label in zip(present, labels, strict=True):
        if label.numel() and not 0 <= int(label.min()) <= int(label.max()) < num_classes:
            raise ValueError(f'a point has label {label.tolist()}, the head has {num_classes} '
                             "classes; set num_classes of the head to the data set's")
        row[label.long().cpu()] = 1
    return present


def image_window_loss(loss: nn.Module, logits: Tensor, samples: Sequence[DetDataSample]) -> Tensor:
    """Return the loss of the logits of images: a closed window, of 1 where a class is there, else 0.

    Args:
        loss: A Window Loss.
        logits: ``(B, num_classes, 1, 1)``.
        samples: With ``gt_instances.labels``.
    """
    labels = image_labels([sample.gt_instances.labels for sample in samples], logits.shape[1])
    bound = labels.to(logits)[..., None, None]
    value: Tensor = loss(logits, bound, bound)
    return value


class ImageLabelHead(MapHead):
    """Pool the features, classify the image; the map is the class activation map.

    One 1 x 1 convolution is the fully connected layer, for pooled features, and gives its class
    activation map (Zhou et al. 2016), bias included, for the features of every cell. Pooling is over
    everything that the network sees, padding included. A subclass says how to :meth:`pool`, or
    replaces :meth:`image_logits` and :meth:`score_maps`.

    Assumption (docs/method.md, section 10): maps are enlarged to the grid of stride 4, so that
    cells have the size of the Window Loss's.

    Args:
        num_classes: Number of classes, each a yes or no of its own.
        in_channels: Channels of the backbone's last feature map.
        stride: Stride of that map in input pixels, a multiple of 4.
        train_cfg: Unused; mmdet's detectors pass it.
        test_cfg: As in :class:`~mmwindow.models.heads.map_head.MapHead`.
        init_cfg: As in mmengine.
    """

    def __init__(self, num_classes: int, in_channels: int, stride: int = 32,
                 train_cfg: Mapping | None = None, test_cfg: Mapping | None = None,
                 init_cfg: Mapping | None = None) -> None:
        super().__init__(num_classes, MAP_STRIDE, test_cfg, init_cfg)
        if stride < MAP_STRIDE or stride % MAP_STRIDE:
            raise ValueError(f'{type(self).__name__}: stride is {stride}; a multiple of '
                             f'{MAP_STRIDE} is expected')
        self.strides = (stride, )
        self.classifier = nn.Conv2d(in_channels, num_classes, kernel_size=1)

    def init_weights(self) -> None:
        """Draw normal weights, no bias: every image's score is about one half at the start."""
        super().init_weights()
        nn.init.normal_(self.classifier.weight, std=0.01)
        if self.classifier.bias is not None:
            nn.init.zeros_(self.classifier.bias)

    def pool(self, features: Tensor) -> Tensor:
        """Return ``(B, K)`` from features ``(B, K, h, w)``."""
        raise NotImplementedError

    def image_logits(self, features: Tensor, map_logits: Tensor) -> Tensor:
        """Return logits ``(B, num_classes)``: here those of the pooled features.

        Args:
            features: ``(B, K, h, w)``, float32.
            map_logits: ``(B, num_classes, h, w)``, the classifier at every cell.
        """
        return self.classifier(self.pool(features)[..., None, None]).flatten(1)

    def forward(self, features: Sequence[Tensor]) -> ImageLabelLogits:
        """Return what the features say about the image and about each cell.

        Args:
            features: The backbone's last feature map alone, ``(B, in_channels, h, w)``.
        """
        if len(features) != 1:
            raise ValueError(f'{type(self).__name__}: the backbone gives {len(features)} levels, one '
                             'is needed: its last (out_indices=(3, )), and no neck')
        with torch.autocast(features[0].device.type, enabled=False):
            level = features[0].float()
            map_logits = self.classifier(level)
            return ImageLabelLogits(self.image_logits(level, map_logits), map_logits)

    def loss_by_feat(self, outputs: ImageLabelLogits,
                     batch_data_samples: Sequence[DetDataSample]) -> dict[str, Tensor]:
        """Return the binary cross entropy per class: the mean over images and classes.

        Args:
            outputs: From :meth:`forward`.
            batch_data_samples: With ``gt_instances.labels``.

        Returns:
            ``loss_image``, a float32 scalar.
        """
        labels = image_labels([sample.gt_instances.labels for sample in batch_data_samples],
                              self.num_classes)
        return dict(loss_image=F.binary_cross_entropy_with_logits(
            outputs.image_logits, labels.to(outputs.image_logits.device)))

    def score_maps(self, outputs: ImageLabelLogits) -> Tensor:
        """Return scores in (0, 1) on the grid of stride 4: here the class activation map's.

        At the default ``score_thr`` of 0.5 the findings are the cells that speak for the class.
        """
        return bounded_scores(self.enlarge(outputs.map_logits))

    def image_scores(self, outputs: ImageLabelLogits) -> Tensor:
        """Return the classifier's probabilities."""
        # float64: in float32 all logits from 17 on would be one score, 1.0.
        return outputs.image_logits.double().sigmoid()

    def enlarge(self, maps: Tensor) -> Tensor:
        """Return maps on the grid of stride 4."""
        factor = self.strides[0] // MAP_STRIDE
        return resize_maps(maps, [factor * cells for cells in maps.shape[-2:]])
