"""The detector: mmdet's single-stage one under the name that our configs use."""
from mmdet.models.detectors import SingleStageDetector
from mmdet.registry import MODELS


@MODELS.register_module()
class DensePointDetector(SingleStageDetector):
    """Backbone, neck (if any) and a head that predicts a map: of Window Loss or of a classifier.

    Predictions carry ``pred_heatmap`` (PixelData, ``scores`` ``(C, h, w)``: the map over exactly
    the frame, what the metric reads) and ``pred_instances`` (boxes in pixels of the original
    image, scores, labels: what mmdet's own tools read). Where the head scores the image by itself,
    they carry ``image_score`` ``(C,)`` as well; without it the metric takes the maximum of the map.
    The heads write these in any single-stage detector of mmdet. Arguments are those of mmdet's
    ``SingleStageDetector``.
    """
