"""Each validation of a training chooses the model's operating points; the best one's stay."""
import math
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process

from mmwindow.apis.config_parts import files_digest
from mmwindow.apis.report_examples import KeepImagesHook, KeptImages
from mmwindow.engine.hooks import RunFileHook
from mmwindow.engine.model_description import META_KEY, POINTS_KEY, preprocessing_digest
from mmwindow.evaluation.froc_metric import FROCMetric
from mmwindow.evaluation.results import EvaluationResult
from mmwindow.evaluation.statistics.model_points import choose_model_points
from mmwindow.evaluation.statistics.operating_point import check_rule
from mmwindow.utils.config_pipelines import input_size_of
from mmwindow.utils.environment import describe_versions
from mmwindow.utils.messages import shorten
from mmwindow.utils.operating_points import ModelOperatingPoints

KEEP_BUDGETS = 4  # times the largest budget: so far down do resamples of the patients spend it


@dataclass(frozen=True)
class Choice:
    """How a threshold is chosen.

    Attributes:
        rule: One of :data:`~mmwindow.utils.operating_points.RULES`.
        target: Of the rule; its default if None.
    """

    rule: str = 'fp_budget'
    target: float | None = None

    @classmethod
    def parse(cls, text: str) -> 'Choice':
        """Return the choice that a text names.

        Raises:
            ValueError: The rule or its target is none.

        >>> Choice.parse('sensitivity=.95')
        Choice(rule='sensitivity', target=0.95)
        """
        rule, equals, number = text.partition('=')
        try:
            target = float(number) if equals else None
            if target is not None and not math.isfinite(target):
                raise ValueError
        except ValueError:
            raise ValueError(f'--choose-threshold {shorten(text)}: a number is expected after "="'
                             ) from None
        try:
            check_rule(rule, target, 'all')
        except ValueError as error:
            raise ValueError(f'--choose-threshold {shorten(text)}: {error}') from None
        if target is not None and target < 0:
            raise ValueError(f'--choose-threshold {shorten(text)}: a budget of at least 0 is '
                             'expected')
        return cls(rule, target)


@dataclass(frozen=True)
class Validation:
    """What is left of one validation.

    Attributes:
        result: Its numbers and events.
        images: Some predicted ones.
        points: The thresholds that it chose.
        epoch: After which it ran.
        step: Iterations done.
    """

    result: EvaluationResult
    images: KeptImages
    points: ModelOperatingPoints
    epoch: int
    step: int


def find_metric(metrics: Any) -> FROCMetric | None:
    """Return the first FROCMetric of an evaluator's metrics; None where there is none."""
    return next((metric for metric in metrics if isinstance(metric, FROCMetric)), None)


def describe_origin(cfg: Config, split: str = 'val') -> dict[str, Any]:
    """Return where thresholds come from, as entries of :class:`ModelOperatingPoints`.

    Args:
        cfg: Complete.
        split: Whose images they are chosen on.
    """
    dataset = (cfg.get(f'{split}_dataloader') or {}).get('dataset') or {}
    while dataset.get('dataset'):
        dataset = dataset['dataset']
    origin: dict[str, Any] = dict(
        split=split, versions=describe_versions(), input_size=input_size_of(cfg),
        preprocessing=preprocessing_digest(dataset.get('pipeline'),
                                           cfg.model.get('data_preprocessor')))
    for key, name in (('data', split), ('training_data', 'train')):
        try:
            origin[key] = files_digest(cfg, name)
        except ValueError:  # no file of ours
            origin[key] = ''
    return origin


class ValidationWatch(KeepImagesHook):
    """Choose operating points by each validation; put them into its checkpoint and ``run.json``.

    A rule other than the default is the config's ``operating_point = dict(rule='sensitivity',
    target=.95)``.

    Attributes:
        newest: The validation before; None before the first, and on other ranks than the first.
        best: Likewise, of those whose weights were saved as the best.
    """

    priority = 'HIGH'  # after CheckpointContentHook, before CheckpointHook and RunFileHook

    def __init__(self) -> None:
        super().__init__()
        self.newest: Validation | None = None
        self.best: Validation | None = None
        self.origin: dict[str, Any] | None = None
        self.rule = Choice()

    def before_train(self, runner: Any) -> None:
        """Reject an ``operating_point`` of the config that is none, before the first step.

        Raises:
            ValueError: Its rule or target makes no sense.
        """
        try:
            self.rule = Choice(**(runner.cfg.get('operating_point') or {}))
            check_rule(self.rule.rule, self.rule.target, 'all')
        except (TypeError, ValueError) as error:
            raise ValueError(f'operating_point of the config: {error}') from error

    def before_val(self, runner: Any) -> None:
        """Let the metric keep what intervals need."""
        super().before_val(runner)
        metric = find_metric(runner.val_evaluator.metrics)
        if metric is not None and metric.keep_up_to is not None:
            metric.keep_up_to = max(metric.keep_up_to, KEEP_BUDGETS * max(metric.settings.budgets))

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Choose the operating points of these weights."""
        metric = find_metric(runner.val_evaluator.metrics)
        self.newest = None
        hook = next((hook for hook in runner.hooks if isinstance(hook, RunFileHook)), None)
        if hook is not None:
            hook.operating_points = None
        if metric is None or metric.result is None or not is_main_process():
            return
        if self.origin is None:
            self.origin = describe_origin(runner.cfg)
        try:
            points = choose_model_points(
                {name: entry.events for name, entry in metric.result.classes.items()},
                self.rule.rule, self.rule.target, metric.settings.fp_denominator, **self.origin)
        except ValueError as error:  # a training goes on without a threshold
            runner.logger.warning(f'no threshold is chosen by this validation: {error}')
            return
        self.newest = Validation(metric.result, self.images, points, runner.epoch, runner.iter)
        if hook is not None:
            hook.operating_points = points

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add the operating points to the description of the weights that were just validated.

        The checkpoint of an epoch is saved before its validation, the best one after it.
        """
        description = checkpoint['meta'].get(META_KEY)
        if self.newest is None or self.newest.step != runner.iter:
            return
        self.best = self.newest
        if description:
            checkpoint['meta'][META_KEY] = {**description, POINTS_KEY: self.newest.points.to_json()}
