"""The detector: mmdet's single-stage one, whose predictions carry the score map as well."""
from mmdet.models.detectors import SingleStageDetector
from mmdet.registry import MODELS


@MODELS.register_module()
class DensePointDetector(SingleStageDetector):
    """Backbone, neck (if any) and a head that predicts a map: of Window Loss or of a classifier.

    Predictions carry ``pred_heatmap`` (PixelData, ``scores`` ``(C, h, w)``: the merged
    map, what the metric reads) and ``pred_instances`` (boxes in pixels of the original
    image, scores, labels: what mmdet's own tools read). Where the head has a score for the image
    as a whole, they carry ``image_score`` ``(C,)`` as well; without it the metric takes the
    maximum of the map. Arguments are those of mmdet's ``SingleStageDetector``.
    """

    def predict(self, batch_inputs, batch_data_samples, rescale=True):
        """Return the data samples with maps and findings attached.

        Args:
            batch_inputs (Tensor): ``(B, 3, H, W)``, normalised.
            batch_data_samples (list[DetDataSample]): One per image.
            rescale (bool): Boxes in pixels of the original image rather than the input.
        """
        features = self.extract_feat(batch_inputs)
        predictions = self.bbox_head.predict(features, batch_data_samples, rescale=rescale)
        instances = [prediction['instances'] for prediction in predictions]
        samples = self.add_pred_to_datasample(batch_data_samples, instances)
        for sample, prediction in zip(samples, predictions, strict=True):
            sample.pred_heatmap = prediction['heatmap']
            if 'image_score' in prediction:
                sample.image_score = prediction['image_score']
        return samples
