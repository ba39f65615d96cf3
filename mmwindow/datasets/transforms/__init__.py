"""Transforms of point-annotated radiographs, one file each, registered in mmdet's TRANSFORMS."""
from mmwindow.datasets.transforms.load_radiograph import LoadRadiograph, RadiographBackend
from mmwindow.datasets.transforms.pack_point_inputs import PackPointInputs
from mmwindow.datasets.transforms.pad_to_input import PadToInput
from mmwindow.datasets.transforms.point_to_bound import PointToBoundTransform
from mmwindow.datasets.transforms.pseudo_boxes import PointsToPseudoBoxes
from mmwindow.datasets.transforms.random_intensity import RandomIntensity
from mmwindow.datasets.transforms.random_scale import RandomScale
from mmwindow.datasets.transforms.resize_to_input import ResizeToInput

__all__ = ['LoadRadiograph', 'PackPointInputs', 'PadToInput', 'PointToBoundTransform',
           'PointsToPseudoBoxes', 'RadiographBackend', 'RandomIntensity', 'RandomScale',
           'ResizeToInput']
