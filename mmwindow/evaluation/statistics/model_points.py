"""The operating points of a model, for images and findings of each class, from validation events."""
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.event_checks import FROM_FINDINGS, score_source
from mmwindow.evaluation.froc_settings import FROCSettings, counted_events
from mmwindow.evaluation.statistics.few_units import WARN_BELOW, WARN_CARRIERS_BELOW
from mmwindow.evaluation.statistics.operating_point import (
    apply_operating_point,
    check_rule,
    choose_operating_point,
    image_threshold,
)
from mmwindow.evaluation.statistics.resampling import (
    Units,
    check_events,
    draw_weights,
    find_units,
)
from mmwindow.utils.messages import count_words
from mmwindow.utils.operating_points import (
    LEVELS,
    ClassOperatingPoints,
    ModelOperatingPoints,
    OperatingPoint,
)

NUM_RESAMPLES = 500  # of the interval of a threshold: its ends are seen in two digits
# What a user can do where there are too few images to choose a threshold on.
ADVICE = (f'with annotated images of at least {WARN_BELOW} patients, {WARN_CARRIERS_BELOW} of them '
          'with a finding, that the training has not seen, "mmwindow test MODEL --data OTHER '
          '--choose-threshold fp_budget" stores one; until then choose one yourself: "mmwindow '
          'predict --threshold"')
FIRST_LEVELS = 200_000  # findings that such a resample looks at


def has_one_scale(events: Sequence[ImageEvents]) -> bool:
    """Tell whether each image's score is that of its best finding: one threshold then serves both.

    A classifier's scores may lie above all findings of their images, and are of another scale yet.
    """
    return score_source(events) == FROM_FINDINGS


def choose_model_points(classes: Mapping[str, Sequence[ImageEvents]], rule: str = 'fp_budget',
                        target: float | None = None, fp_denominator: str = 'all', *,
                        split: str = 'val', num_resamples: int = NUM_RESAMPLES, seed: int = 0,
                        **origin: Any) -> ModelOperatingPoints:
    """Choose the thresholds of a model on validation images.

    Where image scores and findings are on one scale, one threshold serves both: the images that are
    called are those with a finding. A classifier has two: the findings' by a budget of false
    positives, the images' by the rule, or by Youden's index where the rule is a budget.

    Args:
        classes: The validation images of each class, negative ones included.
        rule, target, fp_denominator: As in
            :func:`~mmwindow.evaluation.statistics.operating_point.choose_operating_point`.
        split: Where the images are from.
        num_resamples, seed: Of the intervals.
        **origin: Other entries of :class:`~mmwindow.utils.operating_points.ModelOperatingPoints`.

    Returns:
        A class has no threshold, but a reason, below :data:`~.few_units.WARN_BELOW` patients,
        below :data:`~.few_units.WARN_CARRIERS_BELOW` of them with a positive image (or, where the
        rule needs negative images, with one of these), and where no finite threshold keeps to the
        rule.

    Raises:
        ValueError: Unknown rule, a target out of range, or no class.
    """
    check_rule(rule, target, fp_denominator)
    if not classes:
        raise ValueError('there is no class to choose a threshold for')
    points, events = {}, []
    for name, images in classes.items():
        events = check_events(images)
        points[name] = choose_class_points(events, rule, target, fp_denominator, num_resamples, seed)
    return ModelOperatingPoints(points, split, len(events), len(find_units(events)), **origin)


def choose_class_points(events: Sequence[ImageEvents], rule: str, target: float | None,
                        fp_denominator: str, num_resamples: int = NUM_RESAMPLES, seed: int = 0
                        ) -> ClassOperatingPoints:
    """Return the thresholds of one class; see :func:`choose_model_points`."""
    one_scale = has_one_scale(events)
    rules = {level: (rule, target) for level in LEVELS}
    if not one_scale:
        rules['images' if rule == 'fp_budget' else 'findings'] = (
            ('youden', None) if rule == 'fp_budget' else ('fp_budget', None))
    chosen: dict[str, OperatingPoint | None] = {}
    reasons: dict[str, str] = {}
    for level, choice in rules.items():
        if one_scale and level == 'findings':
            chosen[level] = chosen['images']
            reasons.update({level: reasons['images']} if 'images' in reasons else {})
            continue
        chosen[level], reason = choose_point(events, *choice, fp_denominator, one_scale,
                                             num_resamples, seed)
        if reason:
            reasons[level] = reason
    return ClassOperatingPoints(**chosen, reasons=reasons)


def choose_point(events: Sequence[ImageEvents], rule: str, target: float | None, fp_denominator: str,
                 same_scale: bool, num_resamples: int, seed: int
                 ) -> tuple[OperatingPoint | None, str]:
    """Return a threshold with intervals; or None and the reason."""
    units = find_units(events)
    positives = np.array([bool(event.is_positive) for event in events])
    reason = too_few_reason(units, positives, rule, fp_denominator)
    if reason:
        return None, reason
    point = choose_operating_point(events, rule, target, fp_denominator, same_scale)
    if not np.isfinite(point.threshold):
        return None, point.note or f'no finite threshold keeps to {point.describe()}'
    return replace(point, chosen_on=None, intervals=own_intervals(point, events, seed),
                   threshold_interval=threshold_interval(point, events, num_resamples, seed)), ''


def own_intervals(point: OperatingPoint, events: Sequence[ImageEvents], seed: int
                  ) -> dict[str, tuple[float, float, float]]:
    """Return what a threshold does on the images it was chosen on, name to estimate, low, high end.

    Findings are counted where the events reach down to the threshold.
    """
    floors = [event.floor for event in events if event.floor is not None]
    names = ['sensitivity', 'specificity', 'recall', 'fp_rate']
    if floors and point.threshold < max(floors):
        events, names = without_findings(events), names[:2]
    applied = apply_operating_point(replace(point, chosen_on=None), events, seed=seed)
    return {name: (interval.estimate, interval.low, interval.high) for name in names
            if (interval := getattr(applied, name)) is not None}


def without_findings(events: Sequence[ImageEvents]) -> list[ImageEvents]:
    """Return images with their scores alone: nothing of findings, nor how far these were kept."""
    nothing: dict[str, Any] = dict(
        recall_levels=np.zeros(0), fp_levels=np.zeros(0), fp_changes=np.zeros(0, np.int32),
        recalled_levels=None, recalled_changes=None, floor=None)
    return [replace(event, **nothing) for event in events]


def too_few_reason(units: Units, positives: NDArray[Any], rule: str, fp_denominator: str) -> str:
    """Return why there are too few images to choose a threshold on; '' where there are enough.

    Args:
        units: Patients.
        positives: ``(N,)`` bool, of images.
        rule, fp_denominator: As in :func:`choose_model_points`.
    """
    counts = f'{count_words(len(positives), "image")} of {count_words(len(units), "patient")}'
    if len(units) < WARN_BELOW:
        return f'{counts}; at least {WARN_BELOW} patients are needed'
    needs_negatives = rule in ('specificity', 'youden') or fp_denominator == 'normals'
    for kind, are in (('with a finding', positives), ('without a finding', ~positives)):
        carriers = len(set(units.index[are].tolist()))
        if carriers < WARN_CARRIERS_BELOW and (kind == 'with a finding' or needs_negatives):
            return (f'{counts}, {carriers} with an image {kind}; at least {WARN_CARRIERS_BELOW} are '
                    'needed')
    return ''


def threshold_interval(point: OperatingPoint, events: Sequence[ImageEvents],
                       num_resamples: int = NUM_RESAMPLES, seed: int = 0
                       ) -> tuple[float, float] | None:
    """Return the interval of a threshold: percentiles of those that resamples of patients choose.

    Args:
        point: From :func:`~mmwindow.evaluation.statistics.operating_point.choose_operating_point`.
        events: The images that it was chosen on.
        num_resamples, seed: Of the bootstrap.

    Returns:
        The ends of the 95 % interval; None where fewer than 19 of 20 resamples have a finite
        threshold.
    """
    units = find_units(events)
    choose = (BudgetResampler if point.rule == 'fp_budget' else ImageResampler)(point, events, units)
    blocks = draw_weights(np.zeros(len(units), int), num_resamples, np.random.default_rng(seed))
    found = np.array([choose(weights) for block in blocks for weights in block])
    finite = found[np.isfinite(found)]
    if len(finite) < 0.95 * num_resamples:
        return None
    low, high = np.quantile(finite, [0.025, 0.975], method='inverted_cdf')
    return float(low), float(high)


class BudgetResampler:
    """Choose the threshold of a budget of false positives in resamples.

    Args:
        point: With rule 'fp_budget'.
        events: One per image.
        units: Their patients.
    """

    def __init__(self, point: OperatingPoint, events: Sequence[ImageEvents], units: Units) -> None:
        self.budget = point.target or 0.
        counted = counted_events(events, FROCSettings(fp_denominator=point.fp_denominator))
        recalls = [event.recall_events()[0] for event in events]
        levels = np.concatenate([*(event.fp_levels for event in counted), *recalls])
        changes = np.concatenate([*(event.fp_changes for event in counted),
                                  *(np.zeros(len(levels)) for levels in recalls)])
        image = np.concatenate([np.repeat(np.arange(len(events)), [len(part) for part in parts])
                                for parts in ([event.fp_levels for event in counted], recalls)])
        order = np.argsort(-levels, kind='stable')[:FIRST_LEVELS]
        self.levels, self.changes = levels[order], changes[order]
        self.unit = units.index[image[order]]
        # The last of equal levels: all findings of one score are called together.
        self.ends = np.append(np.flatnonzero(np.diff(self.levels)), len(self.levels) - 1) if len(
            self.levels) else np.zeros(0, int)
        exposed = [point.fp_denominator == 'all' or not event.is_positive for event in events]
        self.images = np.bincount(units.index, weights=exposed, minlength=len(units))

    def __call__(self, weights: NDArray[Any]) -> float:
        """Return the lowest threshold before the FP rate first exceeds the budget.

        Args:
            weights: ``(U,)``, how often each patient was drawn.
        """
        exposure = float(weights @ self.images)
        if not exposure or not len(self.levels):
            return np.nan
        drawn = weights[self.unit]
        rate = np.cumsum(self.changes * drawn)[self.ends] / exposure
        over = rate > self.budget * (1 + 1e-12)
        within = self.ends[:over.argmax()] if over.any() else self.ends
        # A level is one of the resample where one of its findings was drawn.
        start = 0 if not len(within) else int(within[-1]) + 1
        seen = np.flatnonzero(drawn[:start])
        return float(self.levels[seen[-1]]) if len(seen) else np.inf


class ImageResampler:
    """Choose the threshold of a rule on image scores in resamples.

    Args:
        point: With another rule than 'fp_budget'.
        events: One per image.
        units: Their patients.
    """

    def __init__(self, point: OperatingPoint, events: Sequence[ImageEvents], units: Units) -> None:
        self.point, self.unit = point, units.index
        self.scores = np.array([event.score for event in events], np.float64)
        self.positive = np.array([bool(event.is_positive) for event in events])

    def __call__(self, weights: NDArray[Any]) -> float:
        """Return the threshold; NaN where the resample lacks the images that the rule needs.

        Args:
            weights: ``(U,)``, how often each patient was drawn.
        """
        index = np.repeat(np.arange(len(self.unit)), weights[self.unit])
        scores, positive = self.scores[index], self.positive[index]
        if (not positive.any() and self.point.rule != 'specificity') or (
                positive.all() and self.point.rule != 'sensitivity'):
            return np.nan
        return image_threshold(scores[positive], scores[~positive], self.point.rule,
                               self.point.target)
