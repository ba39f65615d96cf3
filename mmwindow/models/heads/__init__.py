"""Heads."""
from mmwindow.models.heads.classifier_heads import CheXNetHead, UFDetHead, WSPLHead
from mmwindow.models.heads.dense_point_head import DensePointHead
from mmwindow.models.heads.image_label_head import image_labels

__all__ = ['CheXNetHead', 'DensePointHead', 'UFDetHead', 'WSPLHead', 'image_labels']
