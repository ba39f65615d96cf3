"""Detectors."""
from mmwindow.models.detectors.dense_point_detector import DensePointDetector

__all__ = ['DensePointDetector']
