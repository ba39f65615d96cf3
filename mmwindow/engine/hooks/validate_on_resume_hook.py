"""Make up for a validation that a kill cut off."""
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmdet.registry import HOOKS
from mmengine.hooks import Hook, ParamSchedulerHook

from mmwindow.engine.hooks.exact_resume_hook import ExactResumeHook


@HOOKS.register_module()
class ValidateOnResumeHook(Hook):
    """Validate first when a training resumes where a validation was due.

    mmengine saves an epoch's checkpoint before it validates the epoch, and never validates
    it later: a training killed during validation would resume without ever judging that
    epoch, and its best checkpoint could be another one than without the cut. Where it had been
    done, which the checkpoint tells (:class:`~mmwindow.engine.hooks.ExactResumeHook`), validating
    again changes nothing: schedulers that a validation moves on, such as ``ReduceOnPlateauLR``, are
    not moved twice. The hook is in our configs; ``mmwindow.apis`` registers it where a config has
    none.
    """

    priority = 'LOWEST'  # after CheckpointHook, which prepares itself in before_train too

    def before_train(self, runner: Any) -> None:
        """Validate where it is due."""
        if runner.val_loop is not None and is_validation_due(runner):
            runner.logger.info(f'Resumed at epoch {runner.epoch}: it is validated first, the cut may '
                               'have come before')
            with keep_schedulers(runner):
                runner.val_loop.run()


@contextmanager
def keep_schedulers(runner: Any) -> Iterator[None]:
    """Let no validation move schedulers on, where the loaded checkpoint was saved after it.

    mmengine saves an epoch's checkpoint again when its validation is the best, and by then the
    schedulers have taken its numbers.
    """
    is_validated = any(isinstance(hook, ExactResumeHook) and hook.validated_at == runner.iter
                       for hook in runner.hooks)
    hooks = [hook for hook in runner.hooks if is_validated and isinstance(hook, ParamSchedulerHook)]
    for hook in hooks:
        hook.after_val_epoch = lambda *args, **kwargs: None
    try:
        yield
    finally:
        for hook in hooks:
            del hook.after_val_epoch


def is_validation_due(runner: Any) -> bool:
    """Return whether a training that stands where this one resumes validates there."""
    loop = runner.train_loop
    if hasattr(loop, '_decide_current_val_interval'):
        loop._decide_current_val_interval()  # config: dynamic_intervals
    if hasattr(loop, 'dataloader_iterator'):  # it counts iterations
        done, last = runner.iter, loop.max_iters
    else:
        done, last = runner.epoch, loop.max_epochs
        if runner.iter != done * len(loop.dataloader):
            return False  # in the middle of an epoch
    return done >= max(1, loop.val_begin) and (done % loop.val_interval == 0 or done == last)
