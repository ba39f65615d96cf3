"""Hooks, registered in mmdet's HOOKS."""
from .channels_last_hook import ChannelsLastHook
from .evaluation_size_hook import EvaluationSizeHook
from .progress_hook import ProgressHook
from .training_time_hook import TrainingTimeHook
from .validate_on_resume_hook import ValidateOnResumeHook

__all__ = ['ChannelsLastHook', 'EvaluationSizeHook', 'ProgressHook', 'TrainingTimeHook',
           'ValidateOnResumeHook']
