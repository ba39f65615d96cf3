"""Losses."""
from mmwindow.models.losses.maximum_window_loss import MaximumWindowLoss, maximum_window_loss
from mmwindow.models.losses.window_loss import WindowLoss, window_loss

__all__ = ['MaximumWindowLoss', 'WindowLoss', 'maximum_window_loss', 'window_loss']
