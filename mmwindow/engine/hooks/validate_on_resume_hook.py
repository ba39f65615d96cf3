"""Make up for a validation that a kill cut off."""
from typing import Any

from mmdet.registry import HOOKS
from mmengine.hooks import Hook


@HOOKS.register_module()
class ValidateOnResumeHook(Hook):
    """Validate first when a training resumes at an epoch that is due for validation.

    mmengine saves an epoch's checkpoint before it validates the epoch, and never validates
    it later: a training killed during validation would resume without ever judging that
    epoch, and its best checkpoint could be another one than without the cut. Validating
    again changes nothing where it had been done. ``mmwindow.apis.train`` registers the hook.
    """

    priority = 'LOWEST'  # after CheckpointHook, which prepares itself in before_train too

    def before_train(self, runner: Any) -> None:
        """Validate where the epoch is due for it."""
        loop = runner.train_loop
        epoch = runner.epoch
        is_due = epoch % loop.val_interval == 0 or epoch == loop.max_epochs
        if runner.val_loop is not None and epoch >= max(1, loop.val_begin) and is_due:
            runner.logger.info(f'Resumed at epoch {epoch}: it is validated first, the cut may have '
                               'come before')
            runner.val_loop.run()
