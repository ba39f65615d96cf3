"""Stop where a number is no number: in the loss, the weights, or what the network predicts."""
import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmdet.registry import HOOKS
from mmengine.dist import all_gather_object, all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from mmwindow.utils.messages import name_some

GRADIENT = 'train/grad_norm'  # what mmengine's OptimWrapper notes where gradients are clipped


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Stop a training at its first loss that is NaN or infinite, and a test at such an output.

    The message names epoch, iteration, the term of the loss, the learning rate and the images of the
    batch. All ranks stop. Nothing that is not finite is saved, so the checkpoints of before stay.
    With a loss scale (``AmpOptimWrapper``) a step whose gradients overflow is left out by design: only
    ``patience`` such losses in a row are an error.

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
        self.watched: list[Any] = []

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
        message = found and (
            f'epoch {runner.epoch + 1}, iteration {runner.iter + 1}: {terms}{row}, at a learning rate '
            f'of {", ".join(f"{rate:.3g}" for rate in rates)}; images of the batch: '
            f'{name_some(self.last_images, 16)}. Nothing of this step is saved: lower '
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
        self._watch(runner, data_batch)

    def before_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Keep the names of the images, and watch the heads."""
        self._watch(runner, data_batch)

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, float] | None = None) -> None:
        """Watch no longer."""
        self._unwatch()

    def after_test_epoch(self, runner: Any, metrics: Mapping[str, float] | None = None) -> None:
        """Watch no longer."""
        self._unwatch()

    def _watch(self, runner: Any, data_batch: Any) -> None:
        self.images = image_names(data_batch)
        if not self.watched:
            # A roi_head only holds others; what it predicts comes out of its bbox_head.
            self.watched = [module.register_forward_hook(self._look_at_output)
                            for name, module in runner.model.named_modules()
                            if name.rpartition('.')[2].endswith('head')]

    def _unwatch(self) -> None:
        while self.watched:
            self.watched.pop().remove()

    def _look_at_output(self, module: torch.nn.Module, inputs: Any, outputs: Any) -> None:
        """Forward hook of a head.

        Raises:
            ValueError: An output is NaN or plus infinity (a masked score is minus infinity).
        """
        if module.training:
            return
        for output in find_tensors(outputs):
            bad = output.isnan() | output.isposinf()
            if bad.any():
                images = self.images
                if bad.dim() and len(bad) == len(images):  # one row an image
                    images = [name for name, is_bad in zip(
                        images, bad.flatten(1).any(1).tolist() if bad.dim() > 1 else bad.tolist(),
                        strict=True) if is_bad]
                raise ValueError(
                    f'{type(module).__name__} gives NaN or infinity for {name_some(images, 16)}; the '
                    'weights are broken, or the pixels are not finite: no number is given')


def find_tensors(outputs: Any) -> Iterator[torch.Tensor]:
    """Yield the floating-point tensors in nested lists, tuples and dicts."""
    if isinstance(outputs, torch.Tensor):
        if outputs.is_floating_point():
            yield outputs
    elif isinstance(outputs, list | tuple):
        for part in outputs:
            yield from find_tensors(part)
    elif isinstance(outputs, Mapping):
        yield from find_tensors(list(outputs.values()))


def non_finite_terms(outputs: Mapping[str, Any]) -> dict[str, float]:
    """Return the terms of a loss that are not finite, of what ``train_step`` returns.

    >>> non_finite_terms({'loss': torch.tensor(1.), 'loss_cls': torch.tensor(float('nan'))})
    {'loss_cls': nan}
    """
    terms = {name: value for name, value in outputs.items() if isinstance(value, torch.Tensor | float)}
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
    """Return the files of a batch's images, in order; of several views of an image one name."""
    samples = data_batch.get('data_samples') if isinstance(data_batch, Mapping) else None
    if samples and isinstance(samples[0], list | tuple):
        samples = samples[0]
    return [str(getattr(sample, 'img_path', f'image {index} of the batch'))
            for index, sample in enumerate(samples or ())]
