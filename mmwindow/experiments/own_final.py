"""The final model of a user's data, trained on all images after folds have said how long.

No image is left to choose its epoch, its threshold or its numbers: these are the folds'.
"""
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwindow.apis.config import load_config
from mmwindow.apis.config_parts import files_digest, innermost_dataset
from mmwindow.apis.fold_numbers import FoldTest
from mmwindow.apis.folds_folder import FINAL, OF_FOLDS
from mmwindow.apis.own_data.config_file import CONFIG_FOLDER, describe_change
from mmwindow.apis.own_data.plan import OwnTraining
from mmwindow.apis.run_numbers import ClassNumbers
from mmwindow.apis.runner import quiet_mmengine
from mmwindow.apis.train import train
from mmwindow.apis.validation_watch import Choice, describe_origin
from mmwindow.engine.checkpoint import find_newest_checkpoint, store_operating_points
from mmwindow.engine.run_file import BestCheckpoint, TrainingRun, read_run, write_run
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.metric_names import merge_metrics
from mmwindow.evaluation.statistics.model_points import choose_model_points
from mmwindow.utils.config_pipelines import input_size_of
from mmwindow.utils.files import replace_nan, write_text
from mmwindow.utils.messages import count_words, shorten
from mmwindow.utils.operating_points import ModelOperatingPoints, OperatingPoint

NOTE = 'the scores are those of the models of the folds, none of them this model'


@dataclass(frozen=True)
class FinalPlan:
    """How the final model is trained.

    Attributes:
        folder: Its work dir.
        cfg: Complete.
        config: Its file.
        epochs: The median of the folds' best epochs.
        fold_epochs: These, in the order of the folds.
        classes: Names, in the order of the labels.
        num_images: All of them.
    """

    folder: Path
    cfg: Config
    config: Path
    epochs: int
    fold_epochs: tuple[int, ...]
    classes: tuple[str, ...]
    num_images: int

    def describe(self) -> str:
        """Return in one line what is trained."""
        chosen = ', '.join(map(str, self.fold_epochs))
        return (f'final model: {self.folder}, all {count_words(self.num_images, "image")}, '
                f'{count_words(self.epochs, "epoch")} '
                f'(the median of the best epochs of the folds: {chosen})')


def plan_final(training: OwnTraining, tests: Sequence[FoldTest]) -> FinalPlan:
    """Return how the final model of finished folds is trained; nothing is written.

    As many epochs as the folds chose, of the same schedule, which ends there as it did for the
    weights that they tested: the learning rate is that of the folds at this epoch.

    Args:
        training: Of the folds.
        tests: Of all of them.

    Raises:
        ValueError: No fold says which of its epochs is the best, or as :func:`check_schedule`.
    """
    epochs = tuple(test.best_epoch for test in tests if test.best_epoch)
    if not epochs or training.data.points is None:
        raise ValueError(f'{shorten(str(training.work_dir))}: no fold says which of its epochs is '
                         'the best, so that the length of a final training is not known; --no-final '
                         'leaves it out')
    length = statistics.median_high(epochs)
    folder = training.work_dir / FINAL
    check_schedule(training.cfg, training.config)
    cfg = final_config(training.cfg, training.data.points, length)
    cfg.work_dir = str(folder)
    return FinalPlan(folder, cfg, folder / CONFIG_FOLDER / training.config.name, length, epochs,
                     training.data.classes, len(training.data.records))


def final_config(cfg: Config, points: Path, epochs: int) -> Config:
    """Return a config that trains on all images, without validation, for some epochs of its schedule.

    Args:
        cfg: Complete; is not changed.
        points: Point file of all images.
        epochs: After which the training ends.
    """
    cfg = Config(cfg._cfg_dict.to_dict())
    for split in ('train', 'test'):
        innermost_dataset(cfg[f'{split}_dataloader'].dataset)['ann_file'] = str(points.absolute())
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    checkpoint = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    for key in ('save_best', 'rule'):
        checkpoint.pop(key, None)
    for scheduler in list_schedulers(cfg):
        if scheduler.get('by_epoch', True):  # mmengine would end it with the training
            scheduler.setdefault('end', int(cfg.train_cfg.max_epochs))
    cfg.train_cfg.max_epochs = epochs
    return cfg


def list_schedulers(cfg: Config) -> list[Any]:
    """Return the schedulers of a config, of which one may stand without a list."""
    schedulers = cfg.get('param_scheduler') or []
    return list(schedulers) if isinstance(schedulers, (list, tuple)) else [schedulers]


def check_schedule(cfg: Config, config: Path) -> None:
    """Reject a schedule that no final model can follow: it would end in each training elsewhere.

    Args:
        cfg: Of the folds, complete.
        config: Its file, for the message.

    Raises:
        ValueError: A scheduler counts iterations and has no end: mmengine ends it with the training,
            and an iteration of all images is another part of an epoch than one of a fold.
    """
    for place, scheduler in enumerate(list_schedulers(cfg)):
        if not scheduler.get('by_epoch', True) and 'end' not in scheduler:
            raise ValueError(
                f'{shorten(str(config))}: param_scheduler[{place}] ({scheduler.get("type")}) has '
                'by_epoch=False and no end, so that the final model, of other length and more '
                'images, would not have the learning rate of the folds; set its end, or '
                'by_epoch=True with convert_to_iter_based=True, or leave the final model out with '
                '--no-final')


def train_final(plan: FinalPlan, tests: Sequence[FoldTest], numbers: Sequence[ClassNumbers],
                amp: bool = False) -> None:
    """Train the final model, or resume it, and store the folds' thresholds and means with it.

    Nothing is done where an earlier call has finished it.

    Args:
        plan: From :func:`plan_final`.
        tests: Of the folds.
        numbers: Of the folds.
        amp: Train in mixed precision.

    Raises:
        ValueError: Its folder holds a model that other folds or other images asked for.
    """
    with quiet_mmengine():
        text = plan.cfg.pretty_text
    run = read_run(plan.folder)
    if plan.config.is_file() and _without_places(
            plan.config.read_text(encoding='utf-8')) != _without_places(text):
        raise ValueError(f'{shorten(str(plan.folder))} holds another final model than these folds '
                         f'ask for: {describe_change(plan.config, text)}. Delete this folder, and '
                         'the same command trains it')
    if run is not None and run.data.get('train') not in (None, files_digest(plan.cfg, 'train')):
        raise ValueError(f'{shorten(str(plan.folder))} holds a final model of other annotations; '
                         'delete this folder, and the same command trains it')
    if run is None or not run.is_finished:
        write_text(plan.config, text)
        train(plan.config, work_dir=plan.folder, amp=amp, resume='auto', report=False)
        run = read_run(plan.folder)
    if run is not None and run.best is None:
        note_best(plan, run, tests, numbers)


def _without_places(text: str) -> str:
    """Return a complete config as text without spaces, work dir and the folders of files.

    A project that has moved, or is called from another folder, has the same final model.
    """
    text = re.sub(r'work_dir=([\'"]).*?\1', '', ''.join(text.split()))
    return re.sub(r'([\'"])/[^\'"]*/', r'\1', text)


def note_best(plan: FinalPlan, run: TrainingRun, tests: Sequence[FoldTest],
              numbers: Sequence[ClassNumbers]) -> None:
    """Store the folds' thresholds and means with the last checkpoint of a final model."""
    checkpoint = find_newest_checkpoint(plan.folder)
    if checkpoint is None:
        raise ValueError(f'{shorten(str(plan.folder))}: its checkpoint is not there; delete this '
                         'folder, and the same command trains it again')
    points = choose_points(plan, tests)
    store_operating_points(checkpoint, points)
    metrics = {f'{OF_FOLDS}{key}': value for key, value in merge_metrics(
        {entry.name: entry.result.metrics for entry in numbers}).items()}
    means = replace_nan(metrics)
    write_run(plan.folder, replace(
        run, classes=plan.classes, input_size=points.input_size, best=BestCheckpoint(
            checkpoint.name, f'{OF_FOLDS}auroc', means[f'{OF_FOLDS}auroc'] or 0., plan.epochs, means,
            points)))


def choose_points(plan: FinalPlan, tests: Sequence[FoldTest]) -> ModelOperatingPoints:
    """Choose the thresholds of the final model on the held-out images of all folds.

    A threshold is sought that keeps to the rule over the folds' models together, as they are what
    is known of a model of this recipe; each image has the score of the model that did not see it.
    """
    with quiet_mmengine():
        cfg = load_config(plan.config)
    rule = Choice(**(cfg.get('operating_point') or {}))
    events: Mapping[str, list[ImageEvents]] = {
        name: [img for test in tests for img in test.events[name]] for name in tests[0].events}
    origin = {**describe_origin(cfg, 'test'), 'input_size': input_size_of(cfg),
              'split': f'held-out images of {count_words(len(tests), "fold")}'}
    points = choose_model_points(events, rule.rule, rule.target, **origin)

    def noted(point: OperatingPoint | None) -> OperatingPoint | None:
        return None if point is None else replace(
            point, note='; '.join(filter(None, (point.note, NOTE))))

    return replace(points, classes={
        name: replace(entry, images=noted(entry.images), findings=noted(entry.findings))
        for name, entry in points.classes.items()})
