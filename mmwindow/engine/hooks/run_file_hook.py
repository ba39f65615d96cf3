"""Keep ``run.json`` of the work dir up to date."""
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmdet.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook, Hook

from mmwindow.engine.run_file import (
    BestCheckpoint,
    TrainingRun,
    read_run,
    read_training_seconds,
    write_run,
)
from mmwindow.utils.files import replace_nan
from mmwindow.utils.operating_points import ModelOperatingPoints

NUMBER = re.compile(r'(\d+)\.pth$')  # of the epoch, or the iteration, in a checkpoint's name


@HOOKS.register_module(name=['RunFileHook', 'TrainingTimeHook'])
class RunFileHook(Hook):
    """Note with each checkpoint how far a training is, how long it took, and its best checkpoint.

    The time resumes where the training does. What a cut took away, from the last checkpoint to the
    cut, is not counted: nothing of it is in the model. ``mmwindow.apis.train`` registers the hook;
    it has the second name in configs of version 0.1.

    Args:
        run: What is known before the training; nothing if None.
    """

    priority = 95  # after CheckpointHook (90), which chooses the best; before ValidateOnResumeHook

    def __init__(self, run: TrainingRun | None = None) -> None:
        self.run = run or TrainingRun()
        self.operating_points: ModelOperatingPoints | None = None  # of the validation that ends

    def before_train(self, runner: Any) -> None:
        """Start the clock, or let it go on; note classes and the size of the input."""
        self.started = time.monotonic()
        self.spent_before = read_training_seconds(runner.work_dir) if runner.iter else 0.
        before = read_run(runner.work_dir) if runner.iter else None
        dataset = getattr(getattr(runner, 'val_dataloader', None), 'dataset', None)
        if dataset is not None and is_main_process():
            inputs, size = dataset[0].get('inputs'), None
            if inputs is not None:
                height, width = inputs.shape[-2:]
                size = int(height), int(width)
            self.run = replace(
                self.run, classes=tuple((dataset.metainfo or {}).get('classes') or ()),
                input_size=size)
        self.run = replace(self.run, best=None if before is None else before.best)
        self._write(runner)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Note the time and the epoch."""
        self._write(runner, epoch=checkpoint.get('meta', {}).get('epoch'))

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, float] | None = None) -> None:
        """Note the best checkpoint, where this validation is the best."""
        hook = next((hook for hook in runner.hooks if isinstance(hook, CheckpointHook)), None)
        if hook is None or not hook.save_best:
            return
        key = hook.key_indicators[0]
        suffix = '' if len(hook.key_indicators) == 1 else f'_{key}'
        info = runner.message_hub.runtime_info
        path, score = info.get(f'best_ckpt{suffix}'), info.get(f'best_score{suffix}')
        if path is None or (self.run.best and self.run.best.checkpoint == Path(path).name
                            and self.run.best.score == score):
            return
        best = BestCheckpoint(Path(path).name, key, float(score), runner.epoch,
                              replace_nan(metrics or {}), self.operating_points)
        now, number = runner.epoch if hook.by_epoch else runner.iter, NUMBER.search(best.checkpoint)
        if number and int(number[1]) != now:
            # Of an earlier validation, whose numbers are lost with the run file that had them.
            best = replace(best, metrics={}, operating_points=None,
                           epoch=int(number[1]) if hook.by_epoch else runner.epoch)
        self.run = replace(self.run, best=best)
        self._write(runner)

    def after_train(self, runner: Any) -> None:
        """Note that the training is finished."""
        self._write(runner, is_finished=True)

    def _write(self, runner: Any, epoch: int | None = None, is_finished: bool = False) -> None:
        self.run = replace(
            self.run, epoch=getattr(runner, 'epoch', 0) if epoch is None else epoch,
            is_finished=is_finished,
            seconds=round(self.spent_before + time.monotonic() - self.started, 1))
        if is_main_process():
            write_run(runner.work_dir, self.run)
