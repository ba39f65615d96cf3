"""Hooks, registered in mmdet's HOOKS."""
from .channels_last_hook import ChannelsLastHook
from .progress_hook import ProgressHook
from .validate_on_resume_hook import ValidateOnResumeHook

__all__ = ['ChannelsLastHook', 'ProgressHook', 'ValidateOnResumeHook']
