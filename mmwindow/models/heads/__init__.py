"""Heads."""
from .dense_point_head import DensePointHead

__all__ = ['DensePointHead']
