"""Heads."""
from mmwindow.models.heads.classifier_heads import CheXNetHead, UFDetHead, WSPLHead
from mmwindow.models.heads.dense_point_head import DensePointHead
from mmwindow.models.heads.image_label_head import image_labels
from mmwindow.models.heads.retina_image_head import RetinaImageHead

__all__ = ['CheXNetHead', 'DensePointHead', 'RetinaImageHead', 'UFDetHead', 'WSPLHead',
           'image_labels']
