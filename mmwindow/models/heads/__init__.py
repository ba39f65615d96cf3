"""Heads."""
from .classifier_heads import CheXNetHead, UFDetHead, WSPLHead
from .dense_point_head import DensePointHead
from .image_label_head import image_labels

__all__ = ['CheXNetHead', 'DensePointHead', 'UFDetHead', 'WSPLHead', 'image_labels']
