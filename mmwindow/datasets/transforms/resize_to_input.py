"""Scaling an image so that its long edge fits the network."""
import cv2
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from mmwindow.datasets.transforms.settings import check_side, setting


def fitted_size(height, width, side):
    """Return ``(height, width)`` with the long edge equal to ``side``, at least 1 pixel each."""
    factor = side / max(height, width)
    return max(1, round(height * factor)), max(1, round(width * factor))


@TRANSFORMS.register_module()
class ResizeToInput(BaseTransform):
    """Scale the image, and its points, so that the long edge equals the input side.

    Shrinking averages areas (no aliasing of fine bone lines), enlarging is bilinear.

    Required Keys:

    - img
    - gt_bboxes (BaseBoxes) (optional)
    - input_side (unless given here)

    Modified Keys:

    - img
    - img_shape
    - gt_bboxes

    Added Keys:

    - scale (width, height)
    - scale_factor (x, y; the exact ratios of the rounded size)
    - keep_ratio

    Args:
        input_side (int, optional): Pixels; None takes the data set's.
    """

    def __init__(self, input_side=None):
        self.input_side = check_side(self, input_side)

    def transform(self, results):
        """Scale.

        Raises:
            ValueError: No input side is known, or there are masks, which are not moved here.
        """
        if results.get('gt_masks') is not None or results.get('gt_seg_map') is not None:
            raise ValueError('ResizeToInput moves points and boxes only; load no masks, or use '
                             "mmdet's Resize(keep_ratio=True)")
        side = setting(self, 'input_side', self.input_side, results)
        height, width = results['img'].shape[:2]
        new_height, new_width = fitted_size(height, width, side)
        if (new_height, new_width) != (height, width):
            method = cv2.INTER_AREA if side < max(height, width) else cv2.INTER_LINEAR
            results['img'] = cv2.resize(results['img'], (new_width, new_height),
                                        interpolation=method)
        results['img_shape'] = (new_height, new_width)
        results['scale'] = (new_width, new_height)
        results['scale_factor'] = (new_width / width, new_height / height)
        results['keep_ratio'] = True
        if results.get('gt_bboxes') is not None:
            boxes = results['gt_bboxes'].clone()
            boxes.rescale_(results['scale_factor'])
            results['gt_bboxes'] = boxes
        return results

    def __repr__(self):
        return f'{type(self).__name__}(input_side={self.input_side})'
