"""Points to boxes of one size, for detectors that learn from boxes."""
import math

import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes

from mmwindow.datasets.transforms.pad_to_input import input_size_of
from mmwindow.structures import PointBoxes
from mmwindow.structures.bounds import scale_length


@TRANSFORMS.register_module()
class PointsToPseudoBoxes(BaseTransform):
    """Replace each point by a square centred on it; put it **after** all geometry.

    A box made earlier would grow when it is rotated. Assumption (docs/method.md, section 2); also:
    a point outside the image gets no box (nothing of the finding is visible there), and a
    box that reaches over the border is not cut, so that its centre remains the point.

    Required Keys:

    - img_shape
    - gt_bboxes (PointBoxes)
    - gt_bboxes_labels, gt_ignore_flags
    - input_size

    Modified Keys:

    - gt_bboxes (HorizontalBoxes)
    - gt_bboxes_labels, gt_ignore_flags

    Args:
        size: Side of the square in pixels of a frame of side 1024; it is scaled by the longer side
            of the input.
    """

    def __init__(self, size: float = 200) -> None:
        if not 0 < size < math.inf:
            raise ValueError(f'PointsToPseudoBoxes: size is {size}; it must be positive and finite')
        self.size = size

    def transform(self, results: dict) -> dict:
        """Make the boxes.

        Raises:
            ValueError: The boxes are no points (made twice?), or no input size is known.
        """
        points = results.get('gt_bboxes')
        if not isinstance(points, PointBoxes):
            raise ValueError(
                f'PointsToPseudoBoxes: gt_bboxes is {type(points).__name__}; points are needed: '
                "dict(type='LoadAnnotations', with_bbox=True, box_type='point')")
        half = scale_length(self.size, max(input_size_of(self, results))) / 2
        kept = points.strictly_inside(results['img_shape'])
        centres = points.tensor[kept]
        results['gt_bboxes'] = HorizontalBoxes(torch.cat([centres - half, centres + half], dim=-1))
        for key in ('gt_bboxes_labels', 'gt_ignore_flags'):
            if key in results:
                results[key] = results[key][kept.numpy()]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(size={self.size})'
