"""Detectors."""
from mmwindow.models.detectors.dense_point_detector import DensePointDetector
from mmwindow.models.detectors.point_tta_model import PointTTAModel

__all__ = ['DensePointDetector', 'PointTTAModel']
