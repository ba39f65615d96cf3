"""Points to the bounds that the Window Loss compares with."""
from collections.abc import Sequence

import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from mmwindow.datasets.transforms.pad_to_input import input_size_of
from mmwindow.structures import PointBoxes
from mmwindow.structures.bounds import check_window, point_bounds, scale_length


@TRANSFORMS.register_module()
class PointToBoundTransform(BaseTransform):
    """Turn the points, after every geometric transform, into bounds for each level.

    The window is given here alone, in pixels of a frame of side 1024; its lengths are scaled by the
    longer side of the input, ``max(input_size) / 1024``.

    Required Keys:

    - img_shape
    - gt_bboxes (PointBoxes)
    - gt_bboxes_labels
    - input_size

    Added Keys:

    - gt_bounds (dict: stride -> :class:`mmwindow.structures.bounds.Bounds`)

    Args:
        lower_radius: Radius of the lower bound; within it the confidence is to be high.
        upper_radius: Radius of the upper bound; outside it the confidence is to be low.
        softness: tau; 0 is the hard step.
        strides: Stride of each level of the network in input pixels.
        num_classes: One pair of bounds for each class; None takes the number of the data set's
            classes, which ``CocoPointDataset`` sets when it is built.
    """

    def __init__(self, lower_radius: float = 50, upper_radius: float = 200, softness: float = 2,
                 strides: Sequence[int] = (4, 8, 16, 32), num_classes: int | None = None) -> None:
        self.window = dict(lower_radius=lower_radius, upper_radius=upper_radius, softness=softness)
        check_window(**self.window)
        self.strides = tuple(strides)
        if not self.strides or not all(isinstance(stride, int) and stride > 0
                                       for stride in self.strides):
            raise ValueError(f'PointToBoundTransform: strides are {strides!r}; expected one or more '
                             'positive whole numbers of input pixels, those of the head')
        self.num_classes = num_classes

    def transform(self, results: dict) -> dict:
        """Add the bounds.

        Raises:
            ValueError: The boxes are no points; the number of classes is not known; the image is not
                of the input size, or its size is no multiple of a stride.
        """
        boxes = results.get('gt_bboxes')
        if not isinstance(boxes, PointBoxes):
            raise ValueError(
                f'PointToBoundTransform: gt_bboxes is {type(boxes).__name__}; points are needed: '
                "dict(type='LoadAnnotations', with_bbox=True, box_type='point') before it, and "
                'PointsToPseudoBoxes, if at all, after it')
        if self.num_classes is None:
            raise ValueError('PointToBoundTransform: num_classes is not known; CocoPointDataset sets '
                             'it, other data sets need it as an argument')
        side = max(input_size_of(self, results))
        window = {name: scale_length(length, side) for name, length in self.window.items()}
        labels = torch.as_tensor(results['gt_bboxes_labels'])
        bounds = {}
        for stride in self.strides:
            num_rows, num_columns = self._grid(results, stride)
            bounds[stride] = point_bounds(boxes.tensor, labels, self.num_classes, num_rows,
                                          num_columns, stride, **window)
        results['gt_bounds'] = bounds
        return results

    @staticmethod
    def _grid(results: dict, stride: int) -> tuple[int, int]:
        height, width = results['img_shape'][:2]
        if (height, width) != tuple(results['input_size']):
            raise ValueError(
                f'PointToBoundTransform: the image is {width} x {height}, the input '
                f'{results["input_size"][1]} x {results["input_size"][0]} (width x height); put '
                'PadToInput before it')
        if height % stride or width % stride:
            raise ValueError(
                f'PointToBoundTransform: the image is {width} x {height}, no multiple of stride '
                f'{stride}; choose input_size of ResizeToInput as a multiple of the largest stride')
        return height // stride, width // stride

    def __repr__(self) -> str:
        window = ', '.join(f'{name}={value}' for name, value in self.window.items())
        return (f'{type(self).__name__}({window}, strides={self.strides}, '
                f'num_classes={self.num_classes})')
