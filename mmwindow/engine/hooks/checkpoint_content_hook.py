"""What goes into a checkpoint, and what comes out of one."""
from typing import Any

from mmdet.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmwindow.engine.model_description import META_KEY, describe_model
from mmwindow.engine.weights import check_weights


@HOOKS.register_module()
class CheckpointContentHook(Hook):
    """Describe the model in each checkpoint; reject a checkpoint that does not fill the model.

    mmengine loads what fits and leaves the rest at random values with a line in the log: a test would
    score a random head. ``mmwindow.apis`` registers the hook.

    Args:
        is_fine_tuned: A training begins with the weights: parts of the model may be others, which is
            said on the screen.
    """

    priority = 'VERY_HIGH'  # before EMAHook, which loads the weights, too

    def __init__(self, is_fine_tuned: bool = False) -> None:
        self.is_fine_tuned = is_fine_tuned
        self.description: dict[str, Any] | None = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the description of the model (:mod:`mmwindow.engine.model_description`)."""
        if self.description is None:
            classes = checkpoint['meta'].get('dataset_meta', {}).get('classes')
            try:
                self.description = describe_model(runner.cfg, classes)
            except ValueError as error:
                runner.logger.warning(f'{error}; the checkpoints are used with their config only')
                self.description = {}
        if self.description:
            checkpoint['meta'][META_KEY] = self.description

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Compare the weights with the model's.

        Raises:
            ValueError: As :func:`~mmwindow.engine.weights.check_weights`.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        warning = check_weights(model, checkpoint, runner._load_from or 'to resume from',
                                runner.cfg.filename, self.is_fine_tuned)
        if warning:
            runner.logger.warning(warning)
            if is_main_process():
                print(f'warning: {warning}', flush=True)
