"""Data sets of point-annotated radiographs, their transforms, splits and samplers."""
from .coco_point import CocoPointDataset
from .samplers import BalancedImageSampler
from .transforms import *  # noqa: F401,F403
from .transforms import __all__ as _transforms

__all__ = ['CocoPointDataset', 'BalancedImageSampler', *_transforms]
