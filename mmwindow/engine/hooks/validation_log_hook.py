"""The numbers of every validation in one file that MMDetection's analyze_logs.py plots."""
import json
from pathlib import Path

from mmdet.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmwindow.utils.files import parse_json, write_text

FILE = 'validation.json'


@HOOKS.register_module()
class ValidationLogHook(Hook):
    """Write the numbers of every validation into ``validation.json`` of the work dir.

    The runner's own log mixes them with the lines of training, and ``analyze_logs.py`` can plot what
    stands there once an epoch only if its name contains ``mAP``. Here a line is a validation, with
    ``step`` (iterations so far), ``epoch`` and the metrics::

        analyze_logs.py plot_curve work_dirs/NAME/validation.json --keys auroc froc_score

    A resumed training continues the file.
    """

    priority = 'VERY_LOW'
    lines: list[dict] | None = None

    def before_train(self, runner: Runner) -> None:
        """Read the validations before a resumed training's first epoch; else begin with none."""
        path = Path(runner.work_dir) / FILE
        old = path.read_bytes().splitlines() if runner.iter and path.is_file() else []
        self.lines = [parse_json(line, str(path), 'log of validations') for line in old]

    @master_only
    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add a line; a validation that a resumed training repeats replaces the old one."""
        if self.lines is None or not metrics:
            return
        step, epoch = runner.iter, runner.epoch
        kept = [line for line in self.lines if line['step'] < step]
        self.lines = [*kept, dict(step=step, epoch=epoch, **{
            key: float(value) for key, value in metrics.items()})]
        write_text(Path(runner.work_dir) / FILE,
                   ''.join(json.dumps(line) + '\n' for line in self.lines))
