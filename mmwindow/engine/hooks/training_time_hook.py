"""How long a training took, over all its starts."""
import json
import time
from pathlib import Path

from mmdet.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from mmwindow.utils.files import write_text

FILE = 'training_seconds.json'


def read_training_seconds(work_dir):
    """Return the seconds that a training has taken so far; 0 where none were noted."""
    path = Path(work_dir) / FILE
    return json.loads(path.read_text(encoding='utf-8')) if path.exists() else 0.


@HOOKS.register_module()
class TrainingTimeHook(Hook):
    """Note with each checkpoint how long a training has taken, validations included.

    The time is kept in the work dir and goes on where the training does. What a cut took away, from
    the last checkpoint to the cut, is not counted: nothing of it is in the model.
    """

    priority = 'VERY_HIGH'  # the clock starts before other hooks use time

    def before_train(self, runner):
        self.started = time.monotonic()
        self.spent_before = read_training_seconds(runner.work_dir) if runner.iter else 0.

    def before_save_checkpoint(self, runner, checkpoint):
        self.note(runner)

    def after_train(self, runner):
        self.note(runner)

    def note(self, runner):
        """Write the time so far; under its own name the file is whole."""
        if is_main_process():
            seconds = self.spent_before + time.monotonic() - self.started
            write_text(Path(runner.work_dir) / FILE, json.dumps(round(seconds, 1)))
