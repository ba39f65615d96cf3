"""Detectors."""
from .dense_point_detector import DensePointDetector

__all__ = ['DensePointDetector']
