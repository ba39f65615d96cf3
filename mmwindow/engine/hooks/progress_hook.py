"""One line that tells how far a training is, for people rather than for logs."""
import sys
import time

from mmdet.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from mmwindow.utils.progress import describe_seconds


@HOOKS.register_module()
class ProgressHook(Hook):
    """Print epoch, loss and an estimate of the time left to standard error.

    On a terminal the line is rewritten in place; in a log file a new line appears
    every ``interval`` seconds. The estimate counts the validation after each epoch
    once one has been timed.

    Args:
        interval (float): Seconds between lines where the output is no terminal.
        stream: Where to write; standard error if None.
    """

    priority = 'VERY_LOW'

    def __init__(self, interval=20., stream=None):
        self.interval = interval
        self.stream = stream
        self.last_line = 0.
        self.validation_seconds = 0.
        self.training_seconds = 0.
        self.iterations = 0

    def write(self, text, end_line):
        stream = self.stream or sys.stderr
        if not is_main_process():
            return
        if stream.isatty():
            stream.write('\r\033[K' + text + ('\n' if end_line else ''))
        elif end_line or time.monotonic() - self.last_line >= self.interval:
            stream.write(text + '\n')
            self.last_line = time.monotonic()
        stream.flush()

    def before_train_epoch(self, runner):
        self.clock = time.monotonic()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        now = time.monotonic()
        self.training_seconds += now - self.clock
        self.clock = now
        self.iterations += 1
        left = ((runner.max_iters - runner.iter - 1) * self.training_seconds / self.iterations
                + (runner.max_epochs - runner.epoch) * self.validation_seconds)
        length = len(runner.train_dataloader)
        filled = round(20 * (batch_idx + 1) / length)
        loss = outputs['loss'].item() if outputs else float('nan')
        self.write(f'  epoch {runner.epoch + 1} of {runner.max_epochs} '
                   f'[{"#" * filled}{"." * (20 - filled)}] loss {loss:.4f}, '
                   f'about {describe_seconds(left)} left', end_line=False)

    def before_val_epoch(self, runner):
        self.validation_clock = time.monotonic()

    def after_val_epoch(self, runner, metrics=None):
        self.validation_seconds = time.monotonic() - self.validation_clock
        numbers = ', '.join(f'{name.split("/")[-1]} {metrics[name]:.3f}'
                            for name in ('froc/auroc', 'froc/recall@0.1', 'froc/froc_score')
                            if metrics and name in metrics)
        self.write(f'  epoch {runner.epoch} of {runner.max_epochs} done; validation: {numbers}',
                   end_line=True)
