"""Hooks, registered in mmdet's HOOKS."""
from .channels_last_hook import ChannelsLastHook
from .progress_hook import ProgressHook

__all__ = ['ChannelsLastHook', 'ProgressHook']
