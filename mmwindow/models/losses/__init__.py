"""Losses."""
from mmwindow.models.losses.window_loss import WindowLoss, window_loss

__all__ = ['WindowLoss', 'window_loss']
