"""The systems on parts of the images: by a field of the images, or by their number of points."""
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.records import plain
from mmwindow.evaluation.froc import froc_curve
from mmwindow.evaluation.froc_settings import counted_curve
from mmwindow.evaluation.statistics.compare import Comparison
from mmwindow.evaluation.statistics.fold_comparison import compare_over_folds
from mmwindow.evaluation.statistics.folds import FoldResult, mean_over_folds
from mmwindow.evaluation.statistics.strata import is_small, stratum_of
from mmwindow.experiments.describe_numbers import describe_limits, describe_numbers
from mmwindow.experiments.summaries import Difference, find_differences
from mmwindow.experiments.systems import System
from mmwindow.utils.messages import name_some, quote

POINTS = 'points'  # in place of a field: one point against several
ONE, SEVERAL = '1', '2 or more'
MAX_VALUES = 40  # of a field: more are no table
BUDGET = .1  # false positives per image, of the threshold that all parts share

Folds: TypeAlias = Mapping[int | None, Sequence[ImageEvents]]


@dataclass(frozen=True)
class StratumSummary:
    """One system on the images of one value of a field.

    Attributes:
        value: Of the field.
        result: Means over the folds that have such images.
        differences: Metric -> the reference minus this system on these images, corrected for all
            systems and values of the field; empty for the reference, and where there is no test.
        at_one_threshold: ``recall`` and ``fp_rate`` on these images where each fold has one threshold
            for all its images, whatever the part.
    """

    value: str
    result: FoldResult
    differences: Mapping[str, Difference]
    at_one_threshold: Mapping[str, float]

    @property
    def is_small(self) -> bool:
        """Whether there are too few images, or positive ones, for a number to say anything."""
        return is_small(self.result.num_images, self.result.num_positives)


Strata: TypeAlias = dict[str, dict[str, StratumSummary]]  # value -> system -> summary


def divide(events: Folds, field: str) -> dict[str, dict[int | None, list[ImageEvents]]]:
    """Return the images of each value of a field, fold by fold.

    By the number of points each part is the positive images with so many, and all negative images: a
    rate of false positives is counted on both.

    Args:
        events: Of one system.
        field: Of the images, or :data:`POINTS`.

    Returns:
        Value -> fold -> images; folds without any are left out. Values in order.

    Raises:
        ValueError: An image lacks the field, or its values are too many.
    """
    found: dict[str, dict[int | None, list[ImageEvents]]] = {}
    for fold, images in events.items():
        for event in images:
            for value in values_of(event, field):
                found.setdefault(value, {}).setdefault(fold, []).append(event)
    if len(found) > MAX_VALUES:
        raise ValueError(f'--by {field}: it has {len(found)} values, such as '
                         f'{quote(next(iter(found)))}; at most {MAX_VALUES} are expected')
    return {value: found[value] for value in sorted(found)}


def values_of(event: ImageEvents, field: str) -> tuple[str, ...]:
    """Return the parts that an image belongs to; a negative one belongs to each number of points."""
    if field != POINTS:
        return (str(stratum_of(event, field)), )
    return (ONE if event.num_points < 2 else SEVERAL, ) if event.is_positive else (ONE, SEVERAL)


def summarise_strata(systems: Mapping[str, System], field: str, reference: str | None,
                     num_resamples: int, seed: int) -> Strata:
    """Return the numbers of all systems for each value of a field, and their tests.

    Args:
        systems: On the same images, by name.
        field: As in :func:`divide`.
        reference: The system that the others are compared with.
        num_resamples, seed: Of the bootstrap.

    Raises:
        ValueError: As :func:`divide` and :func:`check_same_values`.
    """
    check_same_values(systems, field)
    parts = {name: divide(system.events, field) for name, system in systems.items()}
    values = list(next(iter(parts.values())))
    comparisons: dict[tuple[str, str], Comparison] = {}
    for value in values:
        for name, system in systems.items():
            if reference is None or name == reference:
                continue
            try:
                comparisons[value, name] = compare_over_folds(
                    parts[reference][value], parts[name][value], system.froc_settings(),
                    num_resamples, seed)
            except ValueError:  # of one patient in a fold: there is no test
                continue
    differences = find_differences(comparisons) if comparisons else {}
    thresholds = {name: {fold: counted_curve(events, system.froc_settings()).threshold_at(
        BUDGET, 'first_crossing') for fold, events in system.events.items()}
        for name, system in systems.items()}
    return {value: {name: StratumSummary(
        value, mean_over_folds(parts[name][value], system.froc_settings(), num_resamples, seed),
        differences.get((value, name), {}),
        read_at_one_threshold(thresholds[name], parts[name][value]))
        for name, system in systems.items()} for value in values}


def check_same_values(systems: Mapping[str, System], field: str) -> None:
    """Reject systems that have different values of a field on an image: parts of other images.

    Raises:
        ValueError: The message names two systems and the images.
    """
    first, *others = systems
    mine = {event.image_id: values_of(event, field) for event in systems[first].pooled}
    for name in others:
        wrong = [event.image_id for event in systems[name].pooled
                 if values_of(event, field) != mine.get(event.image_id)]
        if wrong:
            raise ValueError(f'--by {field}: {first} and {name} have different values of it on '
                             f'images {name_some(wrong)}; test them again on one annotation file')


def read_at_one_threshold(thresholds: Mapping[int | None, float | None], part: Folds
                          ) -> dict[str, float]:
    """Return what a part has at the threshold that all images of its fold have in common.

    A model is used at one threshold. That of a fold spends :data:`BUDGET` on all its test images;
    what is called at it is counted over the folds together.

    Args:
        thresholds: Of one system's folds.
        part: Some of its images, fold by fold.

    Returns:
        ``recall`` of the part's points and ``fp_rate`` per image of the part; NaN without a point.
    """
    counts = dict.fromkeys(('recalled', 'false_positives', 'points', 'images'), 0)
    for fold, images in part.items():
        threshold, curve = thresholds[fold], froc_curve(images)
        found = curve.counts_at(math.inf if threshold is None else threshold)
        for name, number in (('recalled', found['recalled']), ('points', curve.num_points),
                             ('false_positives', found['false_positives']),
                             ('images', curve.num_images)):
            counts[name] += number
    return dict(recall=counts['recalled'] / counts['points'] if counts['points'] else math.nan,
                fp_rate=counts['false_positives'] / counts['images'])


def describe_stratum(summary: StratumSummary) -> dict[str, Any]:
    """Return one system's numbers on one part as plain data."""
    result = summary.result
    return dict(
        data=dict(num_images=result.num_images, num_positives=result.num_positives,
                  num_points=result.num_points, num_folds=len(result.folds)),
        **describe_numbers(result), at_one_threshold=plain(dict(budget=BUDGET,
                                                                **summary.at_one_threshold)),
        differences={name: interval and dict(
            difference=interval.estimate, **describe_limits(interval), p_value=p_value, p_holm=p_holm)
            for name, (interval, p_value, p_holm) in summary.differences.items()})
