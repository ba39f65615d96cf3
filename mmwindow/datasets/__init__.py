"""Data sets of point-annotated radiographs, their transforms, splits and samplers."""
from mmwindow.datasets.coco_point import CocoPointDataset
from mmwindow.datasets.samplers import BalancedImageSampler
from mmwindow.datasets.transforms import *  # noqa: F401,F403
from mmwindow.datasets.transforms import __all__ as _transforms

__all__ = ['CocoPointDataset', 'BalancedImageSampler', *_transforms]
