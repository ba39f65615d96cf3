"""Losses, heads, detectors and backbones, registered in mmdet's MODELS."""
from .backbones import EfficientNetLite
from .detectors import DensePointDetector
from .heads import CheXNetHead, DensePointHead, UFDetHead, WSPLHead
from .losses import WindowLoss, window_loss

__all__ = ['CheXNetHead', 'DensePointDetector', 'DensePointHead', 'EfficientNetLite', 'UFDetHead',
           'WSPLHead', 'WindowLoss', 'window_loss']
