"""Filling an image up to the network's square."""
import cv2
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from mmwindow.datasets.transforms.settings import check_side, setting


@TRANSFORMS.register_module()
class PadToInput(BaseTransform):
    """Pad to the right and below up to the square of the input side; points stay.

    Required Keys:

    - img
    - input_side (unless given here)

    Modified Keys:

    - img
    - img_shape (the square from here on)

    Added Keys:

    - pad_shape

    Args:
        input_side (int, optional): Pixels; None takes the data set's.
        pad_val (int): Grey level of the padding.
    """

    def __init__(self, input_side=None, pad_val=0):
        self.input_side = check_side(self, input_side)
        self.pad_val = pad_val

    def transform(self, results):
        """Pad.

        Raises:
            ValueError: The image is larger than the square, or there are masks.
        """
        if results.get('gt_masks') is not None or results.get('gt_seg_map') is not None:
            raise ValueError("PadToInput pads images only; load no masks, or use mmdet's Pad")
        side = setting(self, 'input_side', self.input_side, results)
        height, width = results['img'].shape[:2]
        if max(height, width) > side:
            raise ValueError(f'PadToInput: the image is {width} x {height}, larger than the square '
                             f'of {side}; put ResizeToInput before it')
        if (height, width) != (side, side):
            results['img'] = cv2.copyMakeBorder(
                results['img'], 0, side - height, 0, side - width, cv2.BORDER_CONSTANT,
                value=(self.pad_val, ) * 3)
        results['img_shape'] = results['pad_shape'] = (side, side)
        return results

    def __repr__(self):
        return f'{type(self).__name__}(input_side={self.input_side}, pad_val={self.pad_val})'
