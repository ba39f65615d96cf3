"""What the heads that learn from image labels share: labels, loss, prediction."""
import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.structures import PixelData
from torch import nn

from mmwindow.models.utils import bounded_scores, enlarge, instances_from_map

MAP_STRIDE = 4  # input pixels a cell of the predicted map: P2, as for the Window Loss


def image_labels(labels, num_classes):
    """Return which classes each image shows, from the labels of its points.

    Assumption (docs/method.md, section 10): an image label stays what it is when an augmentation
    moves a point out of the frame. A classifier must not learn from where points are.

    Args:
        labels (Sequence[Tensor]): ``(N_i,)`` int, one tensor per image; N_i is 0 for a normal.
        num_classes (int): Number of classes.

    Returns:
        Tensor: ``(B, num_classes)`` float32, 1 where an image has a point of the class.

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


class ImageLabelHead(BaseModule):
    """Pool the features, classify the image; the map is the class activation map.

    One 1 x 1 convolution is the fully connected layer, for pooled features, and gives its class
    activation map (Zhou et al. 2016), bias included, for the features of every cell. Pooling is over
    the whole padded frame, which is what the network sees. A subclass says how to :meth:`pool`, or
    replaces :meth:`image_logits` and :meth:`score_map`.

    Args:
        num_classes (int): Number of classes, each a yes or no of its own.
        in_channels (int): Channels of the backbone's last feature map.
        stride (int): Stride of that map in input pixels, a multiple of 4.
        train_cfg (dict, optional): Unused; mmdet's detectors pass it.
        test_cfg (dict, optional): ``score_thr`` and ``max_per_img`` of ``pred_instances``, as
            for ``DensePointHead``. The metric does not depend on them: it reads the map.
        init_cfg (dict, optional): As in mmengine.
    """

    def __init__(self, num_classes, in_channels, stride=32, train_cfg=None, test_cfg=None,
                 init_cfg=None):
        super().__init__(init_cfg)
        name = type(self).__name__
        if num_classes < 1:
            raise ValueError(f'{name}: num_classes is {num_classes}; at least 1 is needed')
        if stride < MAP_STRIDE or stride % MAP_STRIDE:
            raise ValueError(f'{name}: stride is {stride}; a multiple of {MAP_STRIDE} is expected')
        self.num_classes = num_classes
        self.strides = (stride, )
        self.test_cfg = {'score_thr': 0.5, 'max_per_img': 100, **(test_cfg or {})}
        self.classifier = nn.Conv2d(in_channels, num_classes, kernel_size=1)

    def init_weights(self):
        """Normal weights, no bias: every image's score is about one half at the start."""
        super().init_weights()
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)

    def pool(self, features):
        """Return ``(B, K)`` from features ``(B, K, h, w)``."""
        raise NotImplementedError

    def image_logits(self, features, map_logits):
        """Return logits ``(B, num_classes)``: here those of the pooled features.

        Args:
            features (Tensor): ``(B, K, h, w)``, float32.
            map_logits (Tensor): ``(B, num_classes, h, w)``, the classifier at every cell.
        """
        return self.classifier(self.pool(features)[..., None, None]).flatten(1)

    def score_map(self, map_logits):
        """Return scores in [0, 1] on the grid of stride 4: here the class activation map's.

        At the default ``score_thr`` of 0.5 the findings are the cells that speak for the class.
        """
        return bounded_scores(self.enlarge(map_logits))

    def forward(self, features):
        """Return what the features say about the image and about each cell.

        Args:
            features (Sequence[Tensor]): The backbone's last feature map alone,
                ``(B, in_channels, h, w)``.

        Returns:
            dict[str, Tensor]: ``image_logits`` ``(B, num_classes)`` and ``map_logits``
            ``(B, num_classes, h, w)``, both float32.
        """
        if len(features) != 1:
            raise ValueError(f'{type(self).__name__}: the backbone gives {len(features)} levels, one '
                             'is needed: its last (out_indices=(3, )), and no neck')
        with torch.autocast(features[0].device.type, enabled=False):
            level = features[0].float()
            map_logits = self.classifier(level)
            return dict(image_logits=self.image_logits(level, map_logits), map_logits=map_logits)

    def loss(self, features, batch_data_samples):
        """Return the loss of a batch whose samples carry ``gt_instances.labels``."""
        return self.loss_by_feat(self(features)['image_logits'], batch_data_samples)

    def loss_by_feat(self, image_logits, batch_data_samples):
        """Return the binary cross entropy per class: the mean over images and classes.

        Args:
            image_logits (Tensor): ``(B, num_classes)``.
            batch_data_samples (Sequence[DetDataSample]): With ``gt_instances.labels``.

        Returns:
            dict[str, Tensor]: ``loss_image``, a float32 scalar.
        """
        labels = image_labels([sample.gt_instances.labels for sample in batch_data_samples],
                              self.num_classes)
        return dict(loss_image=F.binary_cross_entropy_with_logits(
            image_logits, labels.to(image_logits.device)))

    def predict(self, features, batch_data_samples, rescale=True):
        """Return what :meth:`predict_by_feat` makes of the features."""
        return self.predict_by_feat(**self(features), batch_img_metas=[
            sample.metainfo for sample in batch_data_samples], rescale=rescale)

    def predict_by_feat(self, image_logits, map_logits, batch_img_metas, rescale=True):
        """Return a map, its findings and the image's scores for each image.

        Assumption (docs/method.md, section 10): maps are enlarged to the grid of stride 4, so that
        cells have the size of the Window Loss's.

        Args:
            image_logits (Tensor): ``(B, num_classes)``.
            map_logits (Tensor): ``(B, num_classes, h, w)``.
            batch_img_metas (Sequence[dict]): With ``ori_shape`` and ``scale_factor``.
            rescale (bool): Boxes in pixels of the original image rather than the input.

        Returns:
            list[dict]: ``heatmap`` and ``instances`` as ``DensePointHead`` gives them, and
            ``image_score`` ``(num_classes,)`` float64: the classifier's probability.
        """
        # float64: in float32 all logits from 17 on would be one score, 1.0.
        image_scores = image_logits.double().sigmoid()
        return [dict(heatmap=PixelData(scores=scores), image_score=image_score,
                     instances=instances_from_map(scores, img_meta, MAP_STRIDE, self.test_cfg,
                                                  rescale))
                for scores, image_score, img_meta in zip(
                    self.score_map(map_logits), image_scores, batch_img_metas, strict=True)]

    def enlarge(self, maps):
        """Return maps on the grid of stride 4."""
        return enlarge(maps, self.strides[0] // MAP_STRIDE)
