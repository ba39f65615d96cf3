"""Check before the first step that the data can give what the config asks for."""
from typing import Any

from mmdet.registry import HOOKS
from mmengine.hooks import Hook

from mmwindow.engine.data_check import check_training_data


@HOOKS.register_module()
class DataCheckHook(Hook):
    """Stop before the first step where validation data cannot choose a best checkpoint.

    A validation set of one kind of image has no AUROC: a training would end without a ``best_*.pth``,
    which nobody would know before its end. The hook is in our configs; ``mmwindow.apis`` checks the
    same where a config has none.
    """

    def before_train(self, runner: Any) -> None:
        """Check the data sets.

        Raises:
            ValueError: As :func:`~mmwindow.engine.data_check.check_training_data`.
        """
        check_training_data(runner)
