"""Hooks, registered in mmdet's HOOKS."""
from .channels_last_hook import ChannelsLastHook

__all__ = ['ChannelsLastHook']
