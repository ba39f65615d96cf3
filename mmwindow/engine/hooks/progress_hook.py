"""One line that tells how far a training is, for people rather than for logs."""
import time
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from mmdet.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from mmwindow.utils.progress import (
    LOG_INTERVAL,
    ProgressDisplay,
    describe_bar,
    describe_seconds,
)


@HOOKS.register_module()
class ProgressHook(Hook):
    """Show epoch, loss and an estimate of the time left on standard error.

    The estimate counts the validation after each epoch once one has been timed. Validations and
    tests tell how many of their batches are done.

    Args:
        interval: Seconds between lines where the output is no terminal.
        stream: Where to write; standard error if None.
        metrics: Names of the numbers that the line of a validation shows; all of them if None.
    """

    priority = 'VERY_LOW'

    def __init__(self, interval: float = LOG_INTERVAL, stream: TextIO | None = None,
                 metrics: Sequence[str] | None = None) -> None:
        self.metrics = metrics
        self.display = ProgressDisplay(interval, stream)
        self.validation_seconds = 0.
        self.training_seconds = 0.
        self.iterations = 0

    def before_train_epoch(self, runner: Any) -> None:
        """Start the clock."""
        self.clock = time.monotonic()

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                         outputs: Mapping[str, Any] | None = None) -> None:
        """Show epoch, loss and the time left."""
        now = time.monotonic()
        self.training_seconds += now - self.clock
        self.clock = now
        self.iterations += 1
        if not is_main_process():
            return
        left = ((runner.max_iters - runner.iter - 1) * self.training_seconds / self.iterations
                + (runner.max_epochs - runner.epoch) * self.validation_seconds)
        bar = describe_bar((batch_idx + 1) / len(runner.train_dataloader))
        loss = outputs['loss'].item() if outputs else float('nan')
        self.display.show(f'  epoch {runner.epoch + 1} of {runner.max_epochs} {bar} '
                          f'loss {loss:.4f}, about {describe_seconds(left)} left')

    def before_val_epoch(self, runner: Any) -> None:
        """Start the clock of a validation."""
        self.validation_clock = time.monotonic()

    def after_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                       outputs: Any = None) -> None:
        """Show how far a validation is."""
        self._show_batches('validation', runner.val_dataloader, batch_idx)

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, float] | None = None) -> None:
        """Leave a line with the numbers of a validation."""
        self.validation_seconds = time.monotonic() - self.validation_clock
        metrics = metrics or {}
        numbers = ', '.join(f'{name.split("/")[-1]} {metrics[name]:.3f}'
                            for name in self.metrics or metrics if name in metrics)
        if is_main_process():
            self.display.say(f'  epoch {runner.epoch} of {runner.max_epochs} done; validation: '
                             f'{numbers}')

    def after_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                        outputs: Any = None) -> None:
        """Show how far a test is."""
        self._show_batches('test', runner.test_dataloader, batch_idx)

    def after_test_epoch(self, runner: Any, metrics: Mapping[str, float] | None = None) -> None:
        """Take the line of a test away."""
        self.display.clear()

    def _show_batches(self, what: str, dataloader: Any, batch_idx: int) -> None:
        if is_main_process():
            self.display.show(f'  {what}: {batch_idx + 1} of {len(dataloader)} batches')
