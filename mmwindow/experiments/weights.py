"""Which weights of a finished training are tested: those of one epoch, or the mean of several."""
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mmwindow.apis.batch_statistics import measure_statistics
from mmwindow.engine.averaging import average_checkpoints
from mmwindow.engine.checkpoint import (
    RESUMABLE,
    find_best_checkpoint,
    is_intact_checkpoint,
)
from mmwindow.engine.run_file import read_run
from mmwindow.utils.messages import quote, shorten

FORM = re.compile(r'(?:(best)|last|mean([1-9]\d?))(?:@([1-9]\d{0,5}))?')
EXPECTED = ('best (by validation), last, or meanN (of the weights of the last N epochs, such as '
            'mean4); last@E and meanN@E as if epoch E were the last')


@dataclass(frozen=True)
class WeightRule:
    """How the weights that are tested follow from the checkpoints of a training.

    Attributes:
        name: As the user writes it, such as 'mean4'.
        is_best: The best epoch by validation.
        num_epochs: Whose mean is taken; 1: an epoch's own weights.
        end: The last of these epochs; None: the training's last.
    """

    name: str
    is_best: bool = False
    num_epochs: int = 1
    end: int | None = None


def parse_weights(text: str) -> WeightRule:
    """Return the rule that a word names.

    Raises:
        ValueError: It names none.

    >>> parse_weights('mean4@6')
    WeightRule(name='mean4@6', is_best=False, num_epochs=4, end=6)
    """
    match = FORM.fullmatch(text)
    if match is None or match[1] and match[3] or match[2] == '1':
        raise ValueError(f'--weights {quote(text)}: expected is {EXPECTED}')
    return WeightRule(text, bool(match[1]), int(match[2] or 1), int(match[3]) if match[3] else None)


def find_weights(folder: Path, rule: WeightRule) -> list[Path]:
    """Return the checkpoints in a work dir whose mean a rule tests, in order of their epochs.

    Args:
        folder: Of a finished training.
        rule: From :func:`parse_weights`.

    Raises:
        ValueError: One is not there or damaged, there is a gap between them, or the newest is not
            that of the epoch at which the training ended.
    """
    if rule.is_best:
        return [find_best_checkpoint(folder)]
    numbers = {int(match[1]): path for path in folder.glob('*.pth')
               if (match := RESUMABLE.fullmatch(path.name))}
    ends = sorted(number for number in numbers if rule.end is None or number <= rule.end)
    chosen = ends[-rule.num_epochs:]
    steps = {later - number for number, later in zip(chosen, chosen[1:], strict=False)}
    every = sorted(numbers)
    gaps = [later - number for number, later in zip(every, every[1:], strict=False)]
    usual = {min(gaps, default=1)}
    if len(chosen) < rule.num_epochs or (steps and steps != usual) or (
            rule.end is not None and chosen[-1] != rule.end):
        raise ValueError(
            f'{shorten(str(folder))}: weights {rule.name} need {rule.num_epochs} checkpoints in a row'
            + (f' up to epoch {rule.end}' if rule.end else '') + ', and there are those of '
            f'{", ".join(map(str, sorted(numbers))) or "no epoch"}; train the run again with '
            '--weights meanN or default_hooks.checkpoint.max_keep_ckpts=-1, which keep them')
    if rule.end is None:
        check_end(folder, rule, numbers[chosen[-1]])
    damaged = [numbers[number].name for number in chosen if not is_intact_checkpoint(numbers[number])]
    if damaged:
        raise ValueError(f'{shorten(str(folder))}: {", ".join(damaged)} cannot be read, which '
                         f'weights {rule.name} need; train the run again')
    return [numbers[number] for number in chosen]


def check_end(folder: Path, rule: WeightRule, newest: Path) -> None:
    """Reject to take the newest checkpoint for the end of a training whose last one is gone.

    Args:
        folder: Of a finished training; without a ``run.json`` nothing tells of its end.
        rule: From :func:`parse_weights`.
        newest: Its newest checkpoint; one by iterations is not compared with an epoch.

    Raises:
        ValueError: The training ended at another epoch.
    """
    run = read_run(folder)
    if run is None or not run.is_finished or not newest.name.startswith('epoch_'):
        return
    if newest.name != f'epoch_{run.epoch}.pth':
        raise ValueError(
            f'{shorten(str(folder))}: weights {rule.name} need the checkpoint of epoch {run.epoch}, '
            f'at which the training ended, and the newest is {newest.name}; train the run again, or '
            f'test an earlier end with mmwindow retest --weights {rule.name}@E')


def place_weights(folder: Path, rule: WeightRule, out: Path) -> Path:
    """Return the checkpoint that a rule tests; write it where it is a mean.

    Args:
        folder: Of a finished training.
        rule: From :func:`parse_weights`.
        out: Folder of the run, with its ``config.py``; receives a mean.

    Raises:
        ValueError: As :func:`find_weights` and
            :func:`~mmwindow.engine.averaging.average_checkpoints`.
    """
    paths = find_weights(folder, rule)
    if len(paths) == 1:
        return paths[0]
    path = out / f'{rule.name}.pth'
    average_checkpoints(paths, path, partial(measure_statistics, out / 'config.py'))
    return path
