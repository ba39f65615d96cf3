"""Losses, heads, detectors and backbones, registered in mmdet's MODELS."""
from .backbones import EfficientNetLite
from .detectors import DensePointDetector
from .heads import DensePointHead
from .losses import WindowLoss, window_loss

__all__ = ['DensePointDetector', 'DensePointHead', 'EfficientNetLite', 'WindowLoss', 'window_loss']
