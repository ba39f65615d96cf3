"""Test-time augmentation: the views of an image are predicted, put back and merged."""
from collections.abc import Callable, Mapping, Sequence
from functools import wraps

import numpy as np
import torch
from mmdet.models.test_time_augs import DetTTAModel
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.model import BaseTTAModel
from mmengine.structures import InstanceData, PixelData
from torch import nn

from mmwindow.models.utils import average_maps, move_boxes, vote_boxes
from mmwindow.models.utils.findings import DEFAULT_TEST_CFG, instances_from_map
from mmwindow.models.utils.geometry import view_matrix


@MODELS.register_module()
class PointTTAModel(BaseTTAModel):
    """Average the maps, or merge the boxes, of mirrored and turned views of each image.

    The geometry that transforms recorded for a view (:func:`~mmwindow.models.utils.view_matrix`) is
    undone: maps are read where the view saw each cell and averaged, image scores are averaged. The
    centre of a box is turned back, its size is kept (the box around a turned box would be larger),
    and :func:`~mmwindow.models.utils.vote_boxes` merges what overlaps.

    The grid of the result is that of the first view without its geometry, so views are to be made
    after ``PadToInput``, from the complete frame (configs/_base_/datasets/points.py).

    Args:
        module: The detector or its config.
        tta_cfg: ``iou_threshold`` (0.5) and ``max_per_img`` (100) of the merged boxes.
        data_preprocessor: As in mmengine.
    """

    def __init__(self, module: Mapping | nn.Module, tta_cfg: Mapping | None = None,
                 data_preprocessor: Mapping | nn.Module | None = None) -> None:
        super().__init__(module, data_preprocessor)
        self.tta_cfg = dict(tta_cfg or {})
        unknown = set(self.tta_cfg) - {'iou_threshold', 'max_per_img'}
        if unknown:
            raise ValueError(f'PointTTAModel: tta_cfg has {sorted(unknown)}; iou_threshold and '
                             'max_per_img are expected')

    def test_step(self, data: Mapping) -> list[DetDataSample]:
        """Return one prediction per image.

        Args:
            data: ``inputs`` and ``data_samples``, each a list over views of a list over images.

        Raises:
            ValueError: What was done to a view cannot be undone; the message names the image.
        """
        for samples in data['data_samples']:
            for sample in samples:
                # The detector sees an upright image: from here on this class alone knows better.
                sample.set_metainfo(dict(view_matrix=view_matrix(sample.metainfo), flip=False,
                                         flip_direction=None, homography_matrix=None))
        return super().test_step(data)

    def merge_preds(self, data_samples_list: Sequence[Sequence[DetDataSample]]
                    ) -> list[DetDataSample]:
        """Return one sample per image from its views."""
        return [self.merge_views(views) for views in data_samples_list]

    def merge_views(self, views: Sequence[DetDataSample]) -> DetDataSample:
        """Return the first view's sample with the merged predictions.

        Raises:
            ValueError: The views together do not show every cell of the frame.
        """
        merged = views[0].clone()
        del merged.view_matrix
        if 'pred_heatmap' not in merged:
            merged.pred_instances = vote_boxes(InstanceData.cat(
                [self.upright_boxes(view) for view in views]), **self.tta_cfg)
            return merged
        base = np.linalg.inv(cells_of_pixels(views[0]) @ scaling_of(views[0]))
        try:
            scores = average_maps(
                [view.pred_heatmap.scores for view in views],
                [cells_of_pixels(view) @ view.view_matrix @ base for view in views])
        except ValueError as error:
            raise ValueError(f'PointTTAModel, {merged.metainfo.get("img_path")}: {error}') from error
        merged.pred_heatmap = PixelData(scores=scores)
        head = getattr(self.module, 'bbox_head', None)
        merged.pred_instances = instances_from_map(
            scores, merged.metainfo, getattr(head, 'test_cfg', DEFAULT_TEST_CFG))
        if 'image_score' in merged:
            merged.image_score = torch.stack([view.image_score for view in views]).mean(dim=0)
        return merged

    @staticmethod
    def upright_boxes(view: DetDataSample) -> InstanceData:
        """Return the boxes of a view where they lie in the original image."""
        instances = view.pred_instances
        back = np.linalg.inv(view.view_matrix) @ scaling_of(view)
        return InstanceData(bboxes=move_boxes(instances.bboxes, back), scores=instances.scores,
                            labels=instances.labels)


def scaling_of(view: DetDataSample) -> np.ndarray:
    """Return the matrix from pixels of the image to those of the input, without any other change."""
    return np.diag([*view.metainfo.get('scale_factor', (1., 1.)), 1.])


def cells_of_pixels(view: DetDataSample) -> np.ndarray:
    """Return the matrix from input pixels of a view to cells of its map."""
    height, width = view.img_shape[:2]
    rows, columns = view.pred_heatmap.scores.shape[1:]
    return np.diag([columns / width, rows / height, 1.])


def reject_maps(merge_preds: Callable) -> Callable:
    """Return a ``merge_preds`` that raises where predictions are maps."""
    @wraps(merge_preds)
    def checked(self: DetTTAModel, data_samples_list: Sequence[Sequence[DetDataSample]]
                ) -> list[DetDataSample]:
        if any('pred_heatmap' in sample for views in data_samples_list for sample in views):
            raise ValueError('DetTTAModel merges boxes and would keep the map of the first view '
                             "alone; set tta_model = dict(type='PointTTAModel') and the "
                             'tta_pipeline of configs/_base_/datasets/points.py')
        return merge_preds(self, data_samples_list)
    return checked


# mmdet's tools/test.py --tta takes its own class where a config names none. Nothing else tells the
# two apart for a detector, and the number that comes out would be that of one view.
if not hasattr(DetTTAModel.merge_preds, '__wrapped__'):
    DetTTAModel.merge_preds = reject_maps(DetTTAModel.merge_preds)
