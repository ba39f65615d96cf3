"""Hooks, registered in mmdet's HOOKS."""
from mmwindow.engine.hooks.channels_last_hook import ChannelsLastHook
from mmwindow.engine.hooks.evaluation_size_hook import EvaluationSizeHook
from mmwindow.engine.hooks.progress_hook import ProgressHook
from mmwindow.engine.hooks.settings_hook import SettingsHook
from mmwindow.engine.hooks.training_time_hook import TrainingTimeHook
from mmwindow.engine.hooks.validate_on_resume_hook import ValidateOnResumeHook
from mmwindow.engine.hooks.validation_log_hook import ValidationLogHook

__all__ = ['ChannelsLastHook', 'EvaluationSizeHook', 'ProgressHook', 'SettingsHook',
           'TrainingTimeHook', 'ValidateOnResumeHook', 'ValidationLogHook']
