"""Backbones that mmdet does not have."""
from mmwindow.models.backbones.efficientnet_lite import EfficientNetLite

__all__ = ['EfficientNetLite']
