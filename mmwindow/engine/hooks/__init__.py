"""Hooks, registered in mmdet's HOOKS."""
from mmwindow.engine.hooks.atomic_checkpoint_hook import AtomicCheckpointHook
from mmwindow.engine.hooks.channels_last_hook import ChannelsLastHook
from mmwindow.engine.hooks.checkpoint_content_hook import CheckpointContentHook
from mmwindow.engine.hooks.data_check_hook import DataCheckHook
from mmwindow.engine.hooks.evaluation_size_hook import EvaluationSizeHook
from mmwindow.engine.hooks.exact_resume_hook import ExactResumeHook
from mmwindow.engine.hooks.non_finite_hook import NonFiniteHook
from mmwindow.engine.hooks.progress_hook import ProgressHook
from mmwindow.engine.hooks.rank_watch_hook import RankWatchHook
from mmwindow.engine.hooks.run_file_hook import RunFileHook
from mmwindow.engine.hooks.settings_hook import SettingsHook
from mmwindow.engine.hooks.validate_on_resume_hook import ValidateOnResumeHook
from mmwindow.engine.hooks.validation_log_hook import ValidationLogHook

TrainingTimeHook = RunFileHook  # its name in version 0.1
__all__ = ['AtomicCheckpointHook', 'ChannelsLastHook', 'CheckpointContentHook', 'DataCheckHook',
           'EvaluationSizeHook', 'ExactResumeHook', 'NonFiniteHook', 'ProgressHook',
           'RankWatchHook', 'RunFileHook', 'SettingsHook', 'TrainingTimeHook',
           'ValidateOnResumeHook', 'ValidationLogHook']
