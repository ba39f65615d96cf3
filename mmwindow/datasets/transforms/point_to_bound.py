"""Points to the bounds that the Window Loss compares with."""
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from mmwindow.datasets.transforms.settings import check_side, setting
from mmwindow.structures import PointBoxes
from mmwindow.structures.bounds import check_window, point_bounds, scale_length


@TRANSFORMS.register_module()
class PointToBoundTransform(BaseTransform):
    """Turn the points, after every geometric transform, into bounds for each level.

    Lengths are pixels of a frame of side 1024; they are multiplied by ``input_side / 1024`` here.
    What is None is taken from the data set, so that each number stands once in a config.

    Required Keys:

    - img_shape
    - gt_bboxes (PointBoxes)
    - gt_bboxes_labels
    - input_side, window, num_classes (unless given here)

    Added Keys:

    - gt_bounds (dict: stride -> :class:`mmwindow.structures.bounds.Bounds`)

    Args:
        lower_radius (float, optional): Radius of the lower bound.
        upper_radius (float, optional): Radius of the upper bound.
        softness (float, optional): tau; 0 is the hard step.
        strides (Sequence[int]): Stride of each level of the network in input pixels.
        num_classes (int, optional): One pair of bounds for each class.
        input_side (int, optional): Side of the network's frame in pixels.
    """

    def __init__(self, lower_radius=None, upper_radius=None, softness=None, strides=(4, 8, 16, 32),
                 num_classes=None, input_side=None):
        self.window = dict(lower_radius=lower_radius, upper_radius=upper_radius, softness=softness)
        if None not in self.window.values():
            check_window(**self.window)
        self.strides = tuple(strides)
        if not self.strides or not all(isinstance(stride, int) and stride > 0
                                       for stride in self.strides):
            raise ValueError(f'PointToBoundTransform: strides are {strides!r}; expected one or more '
                             'positive whole numbers of input pixels, those of the head')
        self.num_classes = num_classes
        self.input_side = check_side(self, input_side)

    def transform(self, results):
        """Add the bounds.

        Raises:
            ValueError: A number is given nowhere; the boxes are no points; the image's size is no
                multiple of a stride.
        """
        boxes = results.get('gt_bboxes')
        if not isinstance(boxes, PointBoxes):
            raise ValueError(
                f'PointToBoundTransform: gt_bboxes is {type(boxes).__name__}; points are needed: '
                "dict(type='LoadAnnotations', with_bbox=True, box_type='point') before it, and "
                'PointsToPseudoBoxes, if at all, after it')
        side = setting(self, 'input_side', self.input_side, results)
        window = {name: scale_length(setting(self, name, own, results.get('window') or {}), side)
                  for name, own in self.window.items()}
        num_classes = setting(self, 'num_classes', self.num_classes, results)
        labels = torch.as_tensor(results['gt_bboxes_labels'])
        results['gt_bounds'] = {
            stride: point_bounds(boxes.tensor, labels, num_classes,
                                 *self._grid(results['img_shape'], stride), stride, **window)
            for stride in self.strides}
        return results

    @staticmethod
    def _grid(img_shape, stride):
        height, width = img_shape[:2]
        if height % stride or width % stride:
            raise ValueError(
                f'PointToBoundTransform: the image is {width} x {height}, no multiple of stride '
                f'{stride}; put PadToInput before it and choose input_side as a multiple of the '
                'largest stride')
        return height // stride, width // stride

    def __repr__(self):
        window = ', '.join(f'{name}={value}' for name, value in self.window.items())
        return (f'{type(self).__name__}({window}, strides={self.strides}, '
                f'num_classes={self.num_classes}, input_side={self.input_side})')
