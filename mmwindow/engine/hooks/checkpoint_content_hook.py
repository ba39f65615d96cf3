"""What goes into a checkpoint, and what comes out of one."""
import os
from typing import Any

from mmdet.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook as MMCheckpointHook
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmwindow.engine.announce import announce
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
        """Compare the weights with the model's; where a training resumes, check what it resumes from.

        Raises:
            ValueError: As :func:`~mmwindow.engine.weights.check_weights` and
                :func:`check_resumable`.
        """
        if runner._resume:
            check_resumable(checkpoint, runner._load_from or runner.work_dir)
            folder = checkpoint_folder(runner)
            for missing in keep_in_folder(checkpoint['message_hub']['runtime_info'], folder):
                announce(runner, f'the best checkpoint so far, {missing}, is not in {folder}: the '
                                 'best is chosen anew, from the epochs that are trained here')
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        warning = check_weights(model, checkpoint, runner._load_from or 'to resume from',
                                runner.cfg.filename, self.is_fine_tuned)
        if warning:
            runner.logger.warning(warning)
            if is_main_process():
                print(f'warning: {warning}', flush=True)


def check_resumable(checkpoint: dict[str, Any], path: object) -> None:
    """Reject a checkpoint that a training cannot resume from.

    Args:
        checkpoint: Its content.
        path: For the message.

    Raises:
        ValueError: It does not say how far its training was.
    """
    meta, hub = checkpoint.get('meta'), checkpoint.get('message_hub')
    progress = [meta.get(name) for name in ('epoch', 'iter')] if isinstance(meta, dict) else [None]
    parts = [hub.get(name) for name in ('log_scalars', 'runtime_info', 'resumed_keys')
             ] if isinstance(hub, dict) else [None]
    if not all(type(number) is int and number >= 0 for number in progress) or not all(
            isinstance(part, dict) for part in parts):
        raise ValueError(f'checkpoint {path}: no training can resume from it, as it does not say how '
                         'far its training was; to begin with its weights give --cfg-options '
                         'load_from=FILE')


def checkpoint_folder(runner: Runner) -> str | None:
    """Return where a training writes its checkpoints; None where that is no folder."""
    hook = next((hook for hook in runner.hooks if isinstance(hook, MMCheckpointHook)), None)
    if hook is None or hook.out_dir is None or str(hook.out_dir) == runner.work_dir:
        return runner.work_dir
    if '://' in str(hook.out_dir):
        return None
    return os.path.join(hook.out_dir, os.path.basename(runner.work_dir.rstrip(os.sep)))


def keep_in_folder(info: dict[str, Any], folder: str | None) -> list[str]:
    """Let the checkpoints that a training may delete, or call its best, be of its own folder.

    The message hub has the complete path of the best checkpoint, which is deleted when a better one
    comes: in a copy of a work dir it would be the original's, and in a checkpoint of anyone any file.
    A best checkpoint that is not in the folder is forgotten with its score: else a training that
    resumes in another folder may end without any.

    Args:
        info: ``runtime_info`` of a checkpoint; is changed.
        folder: Of the training's checkpoints.

    Returns:
        The names of the best checkpoints that are not there.
    """
    missing = []
    for name, path in list(info.items()):
        if name == 'last_ckpt' or name == 'best_ckpt' or name.startswith('best_ckpt_'):
            if folder is not None and isinstance(path, str):
                info[name] = os.path.join(folder, os.path.basename(path))
                if name != 'last_ckpt' and not os.path.exists(info[name]):
                    missing.append(os.path.basename(path))
                    del info[name]
                    info.pop(name.replace('best_ckpt', 'best_score', 1), None)
            elif path is not None and not isinstance(path, str):
                del info[name]
    steps = info.get('keep_ckpt_ids', [])
    if not isinstance(steps, list) or not all(type(step) is int for step in steps):
        del info['keep_ckpt_ids']
    return missing
