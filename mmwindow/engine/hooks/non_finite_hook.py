"""Stop where a number is no number: in the loss, the weights, or what the network predicts."""
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import HOOKS
from mmengine.dist import all_gather_object, all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from mmwindow.engine.head_watch import HeadWatch
from mmwindow.utils.messages import name_some

GRADIENT = 'train/grad_norm'  # what mmengine's OptimWrapper notes where gradients are clipped


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Stop a training at its first loss that is NaN or infinite, and a test at such an output.

    The message names epoch, iteration, the term of the loss, the learning rate and the images of the
    batch. All ranks stop. Nothing that is not finite is saved, so the checkpoints of before stay.
    With a loss scale (``AmpOptimWrapper``) a step whose gradients overflow is left out by design:
    only ``patience`` such losses in a row are an error.

    In validation and test the outputs of every head are looked at: MMDetection's box detectors drop
    boxes of score NaN, so that a broken model would have an AUROC of .5 without a word.

    The hook is in our configs; ``mmwindow.apis`` registers it where a config has none.

    Args:
        patience: Losses in a row that are not finite, with a loss scale.
    """

    priority = 'HIGH'  # before all hooks that save or average weights

    def __init__(self, patience: int = 20) -> None:
        self.patience = patience
        self.in_a_row = 0
        self.last_images: list[str] = []
        self.watch = HeadWatch()

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                         outputs: Mapping[str, Any] | None = None) -> None:
        """Look at the loss.

        Raises:
            ValueError: It is not finite, on any rank.
        """
        self.last_images = image_names(data_batch)
        found = non_finite_terms(outputs or {})
        has_scale = getattr(runner.optim_wrapper, 'loss_scaler', None) is not None
        norm = runner.message_hub.log_scalars.get(GRADIENT)
        if not found and not has_scale and norm is not None and not math.isfinite(norm.current()):
            found = {'the norm of the gradient': norm.current()}
        self.in_a_row = self.in_a_row + 1 if any_rank(bool(found)) else 0
        if self.in_a_row and (not has_scale or self.in_a_row >= self.patience):
            self._stop(runner, found)

    def _stop(self, runner: Any, found: Mapping[str, float]) -> None:
        """Raise the same error on all ranks."""
        rates = sorted({rate for rates in runner.optim_wrapper.get_lr().values() for rate in rates
                        } if isinstance(runner.optim_wrapper.get_lr(), dict) else set())
        terms = ', '.join(f'{name} is {value}' for name, value in found.items())
        row = f' for {self.in_a_row} steps in a row' if self.in_a_row > 1 else ''
        # The scale of a loss does not help where a forward pass leaves the range of float16.
        cure = ('train without --amp (float16 ends at 65504), or lower'
                if getattr(runner.optim_wrapper, 'loss_scaler', None) is not None else 'lower')
        message = found and (
            f'epoch {runner.epoch + 1}, iteration {runner.iter + 1}: {terms}{row}, at a learning '
            f'rate of {", ".join(f"{rate:.3g}" for rate in rates)}; images of the batch: '
            f'{name_some(self.last_images, 16)}. Nothing of this step is saved: {cure} '
            'optim_wrapper.optimizer.lr, or look at these images')
        messages = all_gather_object(message) if get_world_size() > 1 else [message]
        raise ValueError(next(filter(None, messages)))

    def after_train_epoch(self, runner: Any) -> None:
        """Look at the weights before they are saved.

        Raises:
            ValueError: One is not finite, on any rank.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        name = non_finite_weight(model.state_dict())
        if any_rank(name is not None):
            raise ValueError(self._describe_weight(runner, name or 'a weight of another rank'))

    def before_save_checkpoint(self, runner: Any, checkpoint: Mapping[str, Any]) -> None:
        """Save nothing that is not finite.

        Raises:
            ValueError: A weight is not.
        """
        name = non_finite_weight(checkpoint.get('state_dict') or {})
        if name is not None:
            raise ValueError(self._describe_weight(runner, name))

    def _describe_weight(self, runner: Any, name: str) -> str:
        return (f'epoch {runner.epoch + 1}, iteration {runner.iter}: {name} is not finite after the '
                f'step on the images {name_some(self.last_images, 16)}; no checkpoint is written. '
                'Lower optim_wrapper.optimizer.lr, or clip gradients by optim_wrapper.clip_grad')

    def before_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Keep the names of the images, and watch the heads."""
        self.watch.start(runner.model, image_names(data_batch))

    def before_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Keep the names of the images, and watch the heads."""
        self.watch.start(runner.model, image_names(data_batch))

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, float] | None = None) -> None:
        """Watch no longer."""
        self.watch.stop()

    def after_test_epoch(self, runner: Any, metrics: Mapping[str, float] | None = None) -> None:
        """Watch no longer."""
        self.watch.stop()


def non_finite_terms(outputs: Mapping[str, Any]) -> dict[str, float]:
    """Return the terms of a loss that are not finite, of what ``train_step`` returns.

    >>> non_finite_terms({'loss': torch.tensor(1.), 'loss_cls': torch.tensor(float('nan'))})
    {'loss_cls': nan}
    """
    terms = {name: value for name, value in outputs.items()
             if isinstance(value, torch.Tensor | float)}
    if not terms:
        return {}
    numbers = torch.stack([torch.as_tensor(value).detach().float().sum() for value in terms.values()])
    if bool(numbers.isfinite().all()):  # the only wait for a GPU
        return {}
    return {name: number for name, number in zip(terms, numbers.tolist(), strict=True)
            if not math.isfinite(number)}


def non_finite_weight(state: Mapping[str, Any]) -> str | None:
    """Return the name of the first weight that is not finite; None if all are."""
    return next((name for name, value in state.items() if isinstance(value, torch.Tensor)
                 and value.is_floating_point() and not bool(value.isfinite().all())), None)


def any_rank(flag: bool) -> bool:
    """Return whether a flag is set on any rank; all must ask."""
    if get_world_size() == 1:
        return flag
    number = torch.tensor(float(flag))
    all_reduce(number, 'sum')
    return bool(number > 0)


def image_names(data_batch: Any) -> list[str]:
    """Return the file names of a batch's images, in order; of several views of an image one."""
    samples = data_batch.get('data_samples') if isinstance(data_batch, Mapping) else None
    if samples and isinstance(samples[0], list | tuple):
        samples = samples[0]
    return [Path(getattr(sample, 'img_path', f'image {index} of the batch')).name
            for index, sample in enumerate(samples or ())]
