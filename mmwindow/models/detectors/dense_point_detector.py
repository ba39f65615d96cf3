"""The detector: mmdet's single-stage one, with pyramid and head computed together."""
from typing import Any

from mmdet.models.detectors import SingleStageDetector
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from torch import Tensor

from mmwindow.models.utils.linear_pyramid import is_linear, pending_levels


@MODELS.register_module()
class DensePointDetector(SingleStageDetector):
    """Backbone, neck (if any) and a head that predicts a map: of Window Loss or of a classifier.

    Predictions carry ``pred_heatmap`` (PixelData, ``scores`` ``(C, h, w)``: the map over exactly
    the frame, what the metric reads) and ``pred_instances`` (boxes in pixels of the original
    image, scores, labels: what mmdet's own tools read). Where the head scores the image by itself,
    they carry ``image_score`` ``(C,)`` as well; without it the metric takes the maximum of the map.
    The heads write these in any single-stage detector of mmdet. Arguments are those of mmdet's
    ``SingleStageDetector``.

    Where pyramid and head are linear, as the paper's are, both are computed as one
    (:mod:`mmwindow.models.utils.linear_pyramid`): a step of training takes two thirds of the time.
    """

    def head_inputs(self, batch_inputs: Tensor) -> Any:
        """Return what the head takes: features, or those before the pyramid's last convolutions."""
        if not (is_linear(self.neck if self.with_neck else None)
                and getattr(self.bbox_head, 'takes_pending_levels', False)):
            return self.extract_feat(batch_inputs)
        return pending_levels(self.neck, self.backbone(batch_inputs))

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Return the losses of a batch ``(B, 3, H, W)``."""
        return self.bbox_head.loss(self.head_inputs(batch_inputs), batch_data_samples)

    def predict(self, batch_inputs: Tensor, batch_data_samples: SampleList, rescale: bool = True
                ) -> SampleList:
        """Return the data samples of a batch ``(B, 3, H, W)`` with predictions."""
        found = self.bbox_head.predict(self.head_inputs(batch_inputs), batch_data_samples,
                                       rescale=rescale)
        return self.add_pred_to_datasample(batch_data_samples, found)

    def _forward(self, batch_inputs: Tensor, batch_data_samples: SampleList | None = None) -> Any:
        return self.bbox_head.forward(self.head_inputs(batch_inputs))
