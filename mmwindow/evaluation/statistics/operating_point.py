"""A threshold chosen on validation images, and what it does on test images."""
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.froc_settings import (
    FP_DENOMINATORS,
    FROCSettings,
    counted_curve,
    counted_events,
)
from mmwindow.evaluation.statistics.bootstrap import DEFAULT_RESAMPLES
from mmwindow.evaluation.statistics.few_units import few_units_note, join_notes
from mmwindow.evaluation.statistics.intervals import Interval, clustered_proportion
from mmwindow.evaluation.statistics.rates import rate_interval
from mmwindow.evaluation.statistics.resampling import check_events, find_units
from mmwindow.evaluation.statistics.shared_images import KnownImages
from mmwindow.utils.messages import count_words
from mmwindow.utils.operating_points import RULES as RULES  # its old place
from mmwindow.utils.operating_points import OperatingPoint as OperatingPoint

DEFAULT_TARGETS = {'fp_budget': 0.1, 'sensitivity': 0.9, 'specificity': 0.9, 'youden': None}


@dataclass(frozen=True)
class OperatingPointResult:
    """What a threshold does on images it was not chosen on.

    Attributes:
        point: The threshold.
        sensitivity, specificity: Of images; None with a reason.
        recall: Of points; None with a reason.
        fp_rate: False positives per image of the denominator; None with a reason.
        counts: Images (``true_positives``, ``false_negatives``,
            ``true_negatives``, ``false_positives``), ``recalled_points`` of ``points``,
            ``false_positive_findings`` on ``counted_images``.
        reasons: For each number that there is not, why.
        seed, num_resamples: Of the interval of the FP rate.
        num_units: Patients, or images where these are unnamed.
        warning: Says which images or patients it was chosen on as well; '' where there are none.
    """
    point: OperatingPoint
    sensitivity: Interval | None
    specificity: Interval | None
    recall: Interval | None
    fp_rate: Interval | None
    counts: dict[str, Any]
    reasons: dict[str, Any]
    seed: int
    num_resamples: int
    num_units: int
    warning: str = ''


def choose_operating_point(events: Sequence[ImageEvents], rule: str = 'fp_budget',
                           target: float | None = None, fp_denominator: str = 'all',
                           same_scale: bool = True) -> OperatingPoint:
    """Choose a threshold on validation images.

    Args:
        events: The validation images, never those it is tested on.
        rule: 'fp_budget': the lowest threshold before the FP rate first exceeds
            the target (first crossing). 'sensitivity': the highest with at least the
            target's share of positive images called. 'specificity': the lowest score of
            an image with at least the target's share of negative images not called. 'youden': the
            largest sensitivity + specificity, the highest threshold among equals.
        target: FP rate 0.1, or 0.9, if None; none for 'youden'.
        fp_denominator: Of the FP rate.
        same_scale: Whether an image's score is that of its best finding, as of the
            maximum of a map. False for a classifier with a score of its own: a threshold
            then serves either findings ('fp_budget') or images (the other rules).

    Returns:
        OperatingPoint

    Raises:
        ValueError: Unknown rule, a target out of range, no image of the class the rule
            needs, or a finding above its image's score although ``same_scale``.

    Example:
        >>> from mmwindow.evaluation import box_events
        >>> events = [box_events([[90, 90, 110, 110]], [score], points, image_id=number)
        ...           for number, (score, points) in enumerate(
        ...               [(0.9, [[100, 100]]), (0.8, []), (0.7, [[100, 100]]), (0.2, [])])]
        >>> point = choose_operating_point(events, 'sensitivity', 1.)
        >>> point.threshold, point.achieved
        (0.7, {'sensitivity': 1.0, 'specificity': 0.5})
    """
    target = check_rule(rule, target, fp_denominator)
    events = check_events(events)
    if same_scale:
        check_scale(events)
    common: dict[str, Any] = dict(
        rule=rule, target=target, same_scale=same_scale, fp_denominator=fp_denominator,
        num_images=len(events), chosen_on=KnownImages.of(events))
    if rule == 'fp_budget' and target is not None:
        return OperatingPoint(**budget_threshold(events, target, fp_denominator), **common)
    missing = find_missing_images(events, rule)
    if missing:
        raise ValueError(missing)
    scores = np.array([event.score for event in events], dtype=np.float64)
    positive = np.array([bool(event.is_positive) for event in events])
    threshold = image_threshold(scores[positive], scores[~positive], rule, target)
    note = '' if np.isfinite(threshold) else (
        'no image is called: no lower score keeps to the rule' if threshold > 0 else
        'every image is called: a finding is on an image without any prediction')
    return OperatingPoint(threshold=threshold, achieved=dict(
        sensitivity=share(scores[positive] >= threshold),
        specificity=share(scores[~positive] < threshold)), note=note, **common)


def check_rule(rule: str, target: float | None, fp_denominator: str) -> float | None:
    """Return the target of a rule, its default if None."""
    if rule not in RULES:
        raise ValueError(f'rule is {rule!r}; it must be one of {RULES}')
    if fp_denominator not in FP_DENOMINATORS:
        raise ValueError(f'fp_denominator is {fp_denominator!r}; it must be one of '
                         f'{FP_DENOMINATORS}')
    if rule == 'youden':
        if target is not None:
            raise ValueError(f'an operating point by youden has no target, but {target} came; leave '
                             'it out (--choose-target)')
        return None
    target = DEFAULT_TARGETS[rule] if target is None else float(target)
    if target is not None and rule != 'fp_budget' and not 0 < target <= 1:
        raise ValueError(f'operating point by {rule}: the target is {target}; a share in (0, 1] is '
                         'expected (--choose-target)')
    return target


def find_missing_images(events: Sequence[ImageEvents], rule: str) -> str:
    """Return in words which images a rule needs and does not have; '' where it has them.

    Args:
        events: The validation images.
        rule: As in :func:`choose_operating_point`.
    """
    num_positive, num_images = sum(bool(event.is_positive) for event in events), len(events)
    has_positive, has_negative = num_positive > 0, num_positive < num_images
    needed, has_needed = {
        'fp_budget': ('', True), 'sensitivity': ('with', has_positive),
        'specificity': ('without', has_negative),
        'youden': ('with and without', has_positive and has_negative)}[rule]
    return '' if has_needed else (
        f'an operating point by {rule} needs images {needed} a finding; of '
        f'{count_words(num_images, "validation image")} {num_positive} have one')


def check_scale(events: Sequence[ImageEvents]) -> None:
    """Reject images with a finding above their score: the two are on different scales."""
    for event in events:
        best = max([-np.inf, *event.fp_levels, *event.recall_levels])
        if best > event.score:
            raise ValueError(
                f'image {event.image_id!r} has the score {event.score} but a finding at {best}: '
                'one threshold cannot serve both; pass same_scale=False to choose a threshold for '
                'images or findings alone')


def share(called: Any) -> float | None:
    """Return the share of true values; None of nothing."""
    return float(np.mean(called)) if len(called) else None


def budget_threshold(events: Sequence[ImageEvents], budget: float, fp_denominator: str
                    ) -> dict[str, Any]:
    """Return threshold, achieved numbers and note of the rule 'fp_budget'."""
    curve = counted_curve(events, FROCSettings((budget,), fp_denominator=fp_denominator))
    index = curve.crossing(budget)
    threshold = curve.threshold_at(budget)
    note = ''
    if index == 0:
        note = (f'no finding is called: the best are {curve.fp_rate[0]:g} false positives per image '
                'already' if len(curve.thresholds) else 'there is no finding at all')
    elif index == len(curve.thresholds):
        note = f'the budget is never spent; the threshold is that of the last of {index} changes'
    recall = None if curve.num_points == 0 else float(curve.recall[index - 1]) if index else 0.
    return dict(threshold=threshold, note=note, achieved=dict(
        fp_rate=float(curve.fp_rate[index - 1]) if index else 0., recall=recall))


def image_threshold(positives: NDArray[Any], normals: NDArray[Any], rule: str, target: float | None
                   ) -> float:
    """Return the threshold of a rule on image scores.

    Args:
        positives, normals: ``(P,)`` and ``(N,)`` float64, infinite allowed; not
            empty where the rule reads them.
        rule: 'sensitivity', 'specificity' or 'youden'.
        target: Share of one of the two; None for 'youden'.
    """
    candidates = np.append(np.unique(np.concatenate([positives, normals])), np.inf)  # rising
    called = len(positives) - np.searchsorted(np.sort(positives), candidates, 'left')
    spared = np.searchsorted(np.sort(normals), candidates, 'left')
    # A billionth of an image of slack: a share that is met exactly stays met.
    if rule == 'sensitivity' and target is not None:
        return float(candidates[called >= target * len(positives) - 1e-9][-1])
    if rule == 'specificity' and target is not None:
        return float(candidates[spared >= target * len(normals) - 1e-9][0])
    gain = called * len(normals) + spared * len(positives)  # integers: equals are equal
    return float(candidates[np.flatnonzero(gain == gain.max())[-1]])


def apply_operating_point(point: OperatingPoint, events: Sequence[ImageEvents],
                          level: float = 0.95, num_resamples: int = DEFAULT_RESAMPLES,
                          seed: int = 0, proportion_method: str = 'score') -> OperatingPointResult:
    """Return what a threshold does on test images, with intervals over patients.

    Sensitivity, specificity and recall are proportions at a fixed threshold: the score interval with
    the effective number of trials (``clustered_proportion``). The FP rate: the exact Poisson interval
    with the effective number of patients (``rate_interval``). None has zero width.
    The intervals are those of the test images; that the threshold itself was chosen on
    finitely many is not in them. Warns where images or patients are the same that the threshold was
    chosen on.

    Args:
        point: From :func:`choose_operating_point`.
        events: The test images.
        level: Nominal confidence.
        num_resamples, seed: Of the bootstrap.
        proportion_method: 'score', 'wilson' or 'clopper_pearson'.

    Returns:
        OperatingPointResult

    Raises:
        ValueError: No image, an image twice, a finding above its image's score although the
            point says they share a scale, or events whose floor is above the threshold.
    """
    events = check_events(events)
    if point.same_scale:
        check_scale(events)
    warning = '' if point.chosen_on is None else point.chosen_on.shared(events).warning
    if warning:
        warnings.warn(warning, stacklevel=2)
    units = find_units(events)
    unit = {name: np.bincount(units.index, weights=values, minlength=len(units))
            for name, values in image_counts(point, events).items()}
    total = {name: int(values.sum()) for name, values in unit.items()}
    numbers, reasons = dict.fromkeys(('sensitivity', 'specificity', 'recall', 'fp_rate')), {}
    shares = dict(sensitivity=('true_positives', 'positives', 'image with a finding',
                               'a positive image'),
                  specificity=('true_negatives', 'normals', 'image without a finding',
                               'a negative image'),
                  recall=('recalled_points', 'points', 'point in its frame', 'a point'))
    one_unit = f'no interval, so no number: all images are of one unit, {units.names[0]}'
    for name, (successes, trials, what, carried) in shares.items():
        if total[trials] == 0:
            reasons[name] = f'no {what} among {count_words(len(events), "test image")}'
        elif len(units) < 2:
            reasons[name] = one_unit
        else:
            found = clustered_proportion(unit[successes], unit[trials], level, proportion_method)
            carriers = int((unit[trials] > 0).sum())
            numbers[name] = replace(found, note=join_notes(
                found.note, few_units_note(len(units), carriers, f'with {carried}')))
    if total['counted_images'] == 0:
        reasons['fp_rate'] = (f'false positives are counted on {point.fp_denominator} images; there '
                              f'is none among {count_words(len(events), "test image")}')
    elif len(units) < 2:
        reasons['fp_rate'] = one_unit
    else:
        numbers['fp_rate'] = rate_interval(unit['false_positive_findings'], unit['counted_images'],
                                           level, num_resamples, seed)
    for name in out_of_scale(point):
        numbers[name], reasons[name] = None, (
            f'the threshold was chosen by {point.rule} on another scale (same_scale=False)')
    counts = dict(true_positives=total['true_positives'],
                  false_negatives=total['positives'] - total['true_positives'],
                  true_negatives=total['true_negatives'],
                  false_positives=total['normals'] - total['true_negatives'],
                  recalled_points=total['recalled_points'], points=total['points'],
                  false_positive_findings=total['false_positive_findings'],
                  counted_images=total['counted_images'])
    return OperatingPointResult(point=point, counts=counts, reasons=reasons, seed=seed,
                                num_resamples=num_resamples, num_units=len(units), warning=warning,
                                **numbers)


def out_of_scale(point: OperatingPoint) -> tuple[str, ...]:
    """Return the numbers that a threshold does not give where images have a scale of their own."""
    if point.same_scale:
        return ()
    return ('sensitivity', 'specificity') if point.serves_findings else ('recall', 'fp_rate')


def image_counts(point: OperatingPoint, events: Sequence[ImageEvents]) -> dict[str, NDArray[Any]]:
    """Return what each image adds to each count, ``(N,)`` integers by name."""
    positive = np.array([bool(event.is_positive) for event in events])
    called = np.array([event.score >= point.threshold for event in events])
    counted = np.ones(len(events), bool) if point.fp_denominator == 'all' else ~positive
    findings = counted_events(events, FROCSettings(fp_denominator=point.fp_denominator))
    return dict(
        true_positives=positive & called, positives=positive, true_negatives=~positive & ~called,
        normals=~positive, counted_images=counted,
        recalled_points=np.array([event.num_recalled(point.threshold) for event in events]),
        points=np.array([len(event.recall_levels) for event in events]),
        false_positive_findings=np.array([event.num_false_positives(point.threshold)
                                          for event in findings]))
