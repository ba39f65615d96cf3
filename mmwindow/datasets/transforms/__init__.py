"""Transforms of point-annotated radiographs, one file each, registered in mmdet's TRANSFORMS."""
from .load_radiograph import LoadRadiograph
from .pack_point_inputs import PackPointInputs
from .pad_to_input import PadToInput
from .point_to_bound import PointToBoundTransform
from .pseudo_boxes import PointsToPseudoBoxes
from .random_intensity import RandomIntensity
from .resize_to_input import ResizeToInput

__all__ = ['LoadRadiograph', 'PackPointInputs', 'PadToInput', 'PointToBoundTransform',
           'PointsToPseudoBoxes', 'RandomIntensity', 'ResizeToInput']
