"""Points as a box type of mmdet's own kind."""
from mmwindow.structures.point_boxes import PointBoxes

__all__ = ['PointBoxes']
