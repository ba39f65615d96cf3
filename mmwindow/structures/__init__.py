"""Points as a box type of mmdet's own kind; findings and predictions, which need numpy alone."""
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmwindow.structures.point_boxes import PointBoxes

__all__ = ['PointBoxes']


def __getattr__(name: str) -> object:
    if name == 'PointBoxes':  # it needs torch, which prediction without torch must not import
        return import_module('mmwindow.structures.point_boxes').PointBoxes
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
