"""Jitter of the scale of the anatomy."""
import math
from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.registry import TRANSFORMS

from mmwindow.utils.messages import quote


def zoom_matrix(factor: float, height: int, width: int) -> np.ndarray:
    """Return the zoom about the middle of an image, ``(3, 3)`` float64.

    It acts on pixel indices, as cv2 takes it, whose middle ``((width - 1) / 2, (height - 1) / 2)`` is
    half a pixel before that of continuous pixels.

    Args:
        factor: Above 1 enlarges.
        height, width: Of the image, in pixels.
    """
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    matrix = np.diag([factor, factor, 1.])
    matrix[:2, 2] = (1 - factor) * middle
    return matrix


@TRANSFORMS.register_module()
class RandomScale(BaseTransform):
    """Zoom the image, and its points, about its middle; size and lengths stay.

    The image keeps its number of pixels: what a zoom moves out of it is cut off, and what it leaves
    free is black. Points are moved with the pixels, and one that leaves the image is kept, as by
    mmdet's ``Rotate``. The window and the pseudo-boxes keep their size in frame pixels: the radius
    within which a finding counts as found does not grow with the anatomy. mmdet's ``RandomAffine``
    zooms about the top-left corner, and uniformly in the factor.

    Required Keys:

    - img (uint8)
    - gt_bboxes (BaseBoxes) (optional)

    Modified Keys:

    - img
    - gt_bboxes
    - homography_matrix (added where it is not there)

    Args:
        factors: Smallest and largest factor, between which it is drawn uniformly in its logarithm.
            ``(1, 1)`` changes nothing and draws nothing.
    """

    def __init__(self, factors: Sequence[float] = (1., 1.)) -> None:
        is_pair = isinstance(factors, list | tuple) and len(factors) == 2 and all(
            isinstance(factor, int | float) for factor in factors)
        if not is_pair or not 0.1 <= factors[0] <= factors[1] <= 10:
            raise ValueError(f'RandomScale: factors is {quote(factors)}; the smallest and the '
                             'largest factor are expected, both from 0.1 to 10, such as (0.8, 1.3)')
        self.factors = (float(factors[0]), float(factors[1]))

    @cache_randomness
    def _draw(self) -> float:
        smallest, largest = self.factors
        return math.exp(np.random.uniform(math.log(smallest), math.log(largest)))

    def transform(self, results: dict) -> dict:
        """Zoom.

        Raises:
            ValueError: There are masks, which are not moved here.
        """
        if self.factors == (1., 1.):
            return results
        if results.get('gt_masks') is not None or results.get('gt_seg_map') is not None:
            raise ValueError('RandomScale moves points and boxes only; load no masks, or use '
                             "mmdet's RandomResize")
        height, width = results['img'].shape[:2]
        matrix = zoom_matrix(self._draw(), height, width)
        results['img'] = cv2.warpAffine(results['img'], matrix[:2], (width, height),
                                        flags=cv2.INTER_LINEAR, borderValue=(0, 0, 0))
        if results.get('gt_bboxes') is not None:
            boxes = results['gt_bboxes'].clone()
            boxes.project_(matrix)
            results['gt_bboxes'] = boxes
        before = results.get('homography_matrix')
        results['homography_matrix'] = matrix if before is None else matrix @ before
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(factors={self.factors})'
