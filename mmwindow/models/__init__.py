"""Losses, heads, detectors and backbones, registered in mmdet's MODELS."""
from mmwindow.models.backbones import EfficientNetLite
from mmwindow.models.detectors import DensePointDetector, PointTTAModel
from mmwindow.models.heads import (
    CheXNetHead,
    DensePointHead,
    RetinaImageHead,
    UFDetHead,
    WSPLHead,
)
from mmwindow.models.losses import (
    MaximumWindowLoss,
    WindowLoss,
    maximum_window_loss,
    window_loss,
)

__all__ = ['CheXNetHead', 'DensePointDetector', 'DensePointHead', 'EfficientNetLite',
           'MaximumWindowLoss', 'PointTTAModel', 'RetinaImageHead', 'UFDetHead', 'WSPLHead',
           'WindowLoss', 'maximum_window_loss', 'window_loss']
