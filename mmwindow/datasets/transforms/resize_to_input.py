"""Scaling an image so that it fits the network's input."""
from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from mmwindow.images.decode import read_image
from mmwindow.images.fitting import check_input_size, fitted_size, resize_pixels

__all__ = ['ResizeToInput', 'check_input_size', 'check_pixels', 'fitted_size']


@TRANSFORMS.register_module()
class ResizeToInput(BaseTransform):
    """Scale the image, and its points, to fit the network's input; here alone its size is given.

    Shrinking averages areas (no aliasing of fine bone lines), enlarging is bilinear. What comes
    later reads ``input_size`` from the sample: padding, and lengths in pixels of a frame of side
    1024, which are scaled by the longer side of the input.

    Required Keys:

    - img (uint8, ``(H, W, 3)``, or ``(H, W)`` as an inferencer may get it)
    - gt_bboxes (BaseBoxes) (optional)
    - height, width (optional: compared with the image)
    - source_shape (optional: height and width of the image file, where LoadFitted has shrunk ``img``
      already; it is taken out)

    Modified Keys:

    - img
    - img_shape
    - gt_bboxes

    Added Keys:

    - input_size (height, width)
    - scale (width, height)
    - scale_factor (x, y; the exact ratios of the rounded size)
    - keep_ratio

    Args:
        input_size: ``(height, width)`` in pixels, or the side of a square.
    """

    def __init__(self, input_size: int | Sequence[int]) -> None:
        self.input_size = check_input_size(input_size)

    def transform(self, results: dict) -> dict:
        """Scale.

        Raises:
            ValueError: The image is not 8-bit or of another size than announced, or there are masks,
                which are not moved here.
        """
        if results.get('gt_masks') is not None or results.get('gt_seg_map') is not None:
            raise ValueError('ResizeToInput moves points and boxes only; load no masks, or use '
                             "mmdet's Resize(keep_ratio=True)")
        pixels = check_pixels(results)
        height, width = results.pop('source_shape', pixels.shape[:2])
        new_height, new_width = fitted_size(height, width, self.input_size)
        pixels = resize_pixels(pixels, new_height, new_width)
        results.update(
            img=pixels, img_shape=(new_height, new_width), scale=(new_width, new_height),
            scale_factor=(new_width / width, new_height / height), keep_ratio=True,
            input_size=self.input_size)
        if results.get('gt_bboxes') is not None:
            boxes = results['gt_bboxes'].clone()
            boxes.rescale_(results['scale_factor'])
            results['gt_bboxes'] = boxes
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(input_size={self.input_size})'


def check_pixels(results: dict) -> np.ndarray:
    """Return the pixels of a sample as ``(H, W, 3)`` uint8.

    Raises:
        ValueError: They are not 8-bit, or of another size than the point file says.
    """
    pixels, name = results['img'], results.get('img_path') or 'the array'
    if pixels.dtype != np.uint8:
        raise ValueError(f'{name}: pixels are {pixels.dtype}; 8-bit ones are expected: give the path '
                         'of the file, or mmwindow.images.decode.read_image(array, '
                         'ImageSettings(bit_depth)).to_bgr()')
    pixels = read_image(pixels, name=name).to_bgr()
    announced = (results.get('height'), results.get('width'))
    shape = results.get('source_shape', pixels.shape[:2])
    if None not in announced and announced != shape:
        raise ValueError(
            f'{name}: the image is {shape[1]} x {shape[0]} (width x height), the '
            f'point file says {announced[1]} x {announced[0]}; scale its points or fix its size')
    return pixels
