"""What the heads share that predict a score map: mmdet's call graph around it."""
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from mmdet.structures import DetDataSample
from mmengine.model import BaseModule
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from mmwindow.models.utils import check_upright, crop_to_frame, instances_from_map
from mmwindow.models.utils.findings import DEFAULT_TEST_CFG


class MapPrediction(NamedTuple):
    """What a head predicts of one image.

    Attributes:
        heatmap: ``scores`` ``(num_classes, h, w)`` over exactly the frame.
        instances: Findings of the map, ``bboxes`` ``(N, 4)``, ``scores`` and ``labels`` ``(N,)``.
        image_score: ``(num_classes,)`` float64, the probabilities of a classifier; else None, and
            the image's score is the maximum of its map.
    """

    heatmap: PixelData
    instances: InstanceData
    image_score: Tensor | None = None


class MapHead(BaseModule):
    """A head for mmdet's single-stage detectors whose prediction is a map.

    ``predict`` returns findings, as mmdet expects of a head, and writes ``pred_heatmap`` (and
    ``image_score``) into the data samples, from where the metric reads them. A subclass has
    ``forward``, ``loss_by_feat`` and :meth:`score_maps`.

    Args:
        num_classes: Number of classes, each with a map of its own.
        map_stride: Side of a cell of the predicted map in input pixels.
        test_cfg: ``score_thr`` (a finding is a component of the cells at or above it) and
            ``max_per_img`` of ``pred_instances``. The metric does not depend on them: it reads the
            map.
        init_cfg: As in mmengine.
    """

    def __init__(self, num_classes: int, map_stride: int, test_cfg: Mapping | None = None,
                 init_cfg: Mapping | None = None) -> None:
        super().__init__(init_cfg)
        if num_classes < 1:
            raise ValueError(f'{type(self).__name__}: num_classes is {num_classes}; at least 1 is '
                             'needed')
        self.num_classes = num_classes
        self.map_stride = map_stride
        self.test_cfg = {**DEFAULT_TEST_CFG, **(test_cfg or {})}

    def score_maps(self, outputs: Any) -> Tensor:
        """Return scores ``(B, num_classes, h, w)`` in [0, 1] from what ``forward`` returns."""
        raise NotImplementedError

    def image_scores(self, outputs: Any) -> Tensor | None:
        """Return scores ``(B, num_classes)`` of the images, or None for the map's maximum."""
        return None

    def loss(self, features: Sequence[Tensor],
             batch_data_samples: Sequence[DetDataSample]) -> dict[str, Tensor]:
        """Return the losses of a batch."""
        return self.loss_by_feat(self(features), batch_data_samples)

    def predict(self, features: Sequence[Tensor], batch_data_samples: Sequence[DetDataSample],
                rescale: bool = True) -> list[InstanceData]:
        """Return the findings of each image; attach maps and image scores to the data samples.

        Args:
            features: ``(B, C_l, h_l, w_l)`` per level.
            batch_data_samples: One per image, with ``img_shape``, ``ori_shape``, ``scale_factor``.
            rescale: Boxes in pixels of the original image rather than the input.

        Raises:
            ValueError: As :meth:`predict_by_feat`.
        """
        # Logits of low precision would tie, and the metric could not see it in float32 maps.
        with torch.autocast(features[0].device.type, enabled=False):
            outputs = self([level.float() for level in features])
        predictions = self.predict_by_feat(
            outputs, [sample.metainfo for sample in batch_data_samples], rescale)
        for sample, prediction in zip(batch_data_samples, predictions, strict=True):
            sample.pred_heatmap = prediction.heatmap
            if prediction.image_score is not None:
                sample.image_score = prediction.image_score
        return [prediction.instances for prediction in predictions]

    def predict_by_feat(self, outputs: Any, batch_img_metas: Sequence[Mapping],
                        rescale: bool = True) -> list[MapPrediction]:
        """Return map, findings and, from a classifier, scores of each image.

        Args:
            outputs: What ``forward`` returns.
            batch_img_metas: With ``img_shape``, ``ori_shape`` and ``scale_factor``.
            rescale: Boxes in pixels of the original image rather than the input.

        Raises:
            ValueError: An image was mirrored or turned, or no part of the map covers its frame.
        """
        maps, image_scores = self.score_maps(outputs), self.image_scores(outputs)
        predictions = []
        for index, img_meta in enumerate(batch_img_metas):
            check_upright(img_meta)
            scores = crop_to_frame(maps[index], img_meta, self.map_stride)
            predictions.append(MapPrediction(
                PixelData(scores=scores),
                instances_from_map(scores, img_meta, self.test_cfg, rescale),
                None if image_scores is None else image_scores[index]))
        return predictions
