"""Results by stratum (body part, hardware, ...), and by fold."""
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.statistics.bootstrap import (
    DEFAULT_RESAMPLES,
    bootstrap,
    check_request,
    missing_reasons,
    point_estimates,
)
from mmwindow.evaluation.statistics.folds import mean_over_folds, pooling_warnings
from mmwindow.evaluation.statistics.resampling import check_events, find_units
from mmwindow.evaluation.statistics.weighting import WeightedEvents
from mmwindow.utils.messages import count_words

MIN_IMAGES, MIN_POSITIVES = 10, 5  # of a part: of fewer no number is shown
TOO_FEW = 'too few images'  # in place of it


def is_small(num_images: int, num_positives: int) -> bool:
    """Return whether a part has too few images, or positive ones, for a table or a figure."""
    return num_images < MIN_IMAGES or num_positives < MIN_POSITIVES


@dataclass(frozen=True)
class StratumResult:
    """The statistics of some images; None, never 0 or NaN, where there is no number.

    Attributes:
        name: Value of the field, or 'pooled'.
        num_images, num_positives, num_normals, num_points, num_units: What is in it.
        estimates: ``auroc``, ``recall@0.1`` and so on, ``froc_score``.
        intervals: Of these.
        reasons: For each number or interval that there is not, why.
    """
    name: object
    num_images: int
    num_positives: int
    num_normals: int
    num_points: int
    num_units: int
    estimates: dict[str, Any]
    intervals: dict[str, Any]
    reasons: dict[str, Any]


@dataclass(frozen=True)
class StratifiedResult:
    """Results by a field of the images.

    Attributes:
        field: The field.
        strata: By the value's name.
        pooled: All images.
        num_resamples, seed: Of every bootstrap.
        settings: Budgets, convention, denominator of the FP rate.
    """
    field: str
    strata: list[Any]
    pooled: StratumResult
    num_resamples: int
    seed: int
    settings: FROCSettings


@dataclass(frozen=True)
class FoldedResult:
    """Results of a cross-validation.

    Attributes:
        folds: Each fold, in the order given.
        mean: Over the folds that have the number; None where none has. The headline.
        intervals: Of the mean, patients resampled within each fold; None where there is none.
        standard_deviation: Of a sample (n - 1); None below two folds.
        pooled: All images, each tested once, with intervals; comes second, see ``warnings``.
        reasons: What a mean leaves out, and why there is none.
        warnings: Statistics whose pooled number differs from the mean by more than .01.
        num_resamples, seed: Of every bootstrap.
        settings: Budgets, convention, denominator of the FP rate.
    """
    folds: list[Any]
    mean: dict[str, Any]
    standard_deviation: dict[str, Any]
    pooled: StratumResult
    reasons: dict[str, Any]
    num_resamples: int
    seed: int
    settings: FROCSettings
    intervals: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def summarise_images(name: str, events: Sequence[ImageEvents], settings: FROCSettings,
                     num_resamples: int, seed: int, level: float, method: str) -> StratumResult:
    """Return the statistics of some images and their bootstrap intervals.

    Args:
        name: Of the result.
        events: At least one.
        settings: How the FROC is read.
        num_resamples, seed, level, method: As in
            ``bootstrap``.

    Returns:
        StratumResult
    """
    units = find_units(events)
    positives = sum(bool(event.is_positive) for event in events)
    if len(units) > 1:
        result = bootstrap(events, settings, num_resamples, seed, level, method)
        estimates, intervals = result.estimates, result.intervals
        reasons = dict(result.reasons)
    else:
        estimates = point_estimates(WeightedEvents(events, units, settings), units)
        intervals = dict.fromkeys(settings.names)
        reasons = missing_reasons(events, settings, estimates)
        for statistic in settings.names:
            reasons.setdefault(statistic, 'no interval: its images are of one unit, '
                               f'{units.names[0][0]} {units.names[0][1]!r}')
    return StratumResult(
        name=name, num_images=len(events), num_positives=positives,
        num_normals=len(events) - positives,
        num_points=sum(len(event.recall_levels) for event in events), num_units=len(units),
        estimates={key: None if np.isnan(value) else value for key, value in estimates.items()},
        intervals=intervals, reasons=reasons)


def stratum_of(event: Any, field: str) -> Any:
    """Return the value of a field of one image; 'group' and 'is_positive' are fields too.

    Raises:
        ValueError: The image lacks it.
    """
    if field in event.fields:
        return event.fields[field]
    if field == 'group' and event.group:
        return event.group
    if field == 'is_positive':
        return bool(event.is_positive)
    raise ValueError(f'image {event.image_id!r} has no field {field!r}; it has '
                     f'{sorted(event.fields)}. Give every image a value, such as "unknown"')


def evaluate_strata(events: Sequence[ImageEvents], field: str,
                    settings: FROCSettings | None = None, num_resamples: int = DEFAULT_RESAMPLES,
                    seed: int = 0, level: float = 0.95, method: str = 'default') -> StratifiedResult:
    """Return the statistics for each value of a field, and for all images.

    The FP rate of a stratum is that of its own images.

    Args:
        events: One per image, negative images included.
        field: An entry of ``ImageEvents.fields``, or 'group'.
        settings: The defaults if None.
        num_resamples, seed, level, method: As in
            ``bootstrap``.

    Returns:
        StratifiedResult

    Raises:
        ValueError: An image lacks the field, or as in
            ``bootstrap``; a stratum that is too small for a
            number is no error, but says so.
    """
    settings = settings or FROCSettings()
    check_request(num_resamples, level, method)
    events = check_events(events)
    strata: dict[Any, list[ImageEvents]] = {}
    for event in events:
        strata.setdefault(stratum_of(event, field), []).append(event)
    how = (settings, num_resamples, seed, level, method)
    return StratifiedResult(
        field=field, strata=[summarise_images(name, strata[name], *how)
                             for name in sorted(strata, key=str)],
        pooled=summarise_images('pooled', events, *how), num_resamples=num_resamples, seed=seed,
        settings=settings)


def evaluate_folds(folds: dict[str, Sequence[ImageEvents]], settings: FROCSettings | None = None,
                   num_resamples: int = DEFAULT_RESAMPLES, seed: int = 0, level: float = 0.95,
                   method: str = 'default') -> FoldedResult:
    """Return the mean over folds with intervals, its spread, each fold's statistics, and pooled ones.

    Pooled, scores of the folds' models are ranked together; where these are on different
    scales the pooled numbers fall below the mean of the folds, and ``warnings`` say so.

    Args:
        folds: Test images by fold; each image once.
        settings: The defaults if None.
        num_resamples, seed, level, method: As in
            ``bootstrap``.

    Returns:
        FoldedResult

    Raises:
        ValueError: As in
            :func:`~mmwindow.evaluation.statistics.folded_events.check_folds` and
            ``bootstrap``.
    """
    settings = settings or FROCSettings()
    overall = mean_over_folds(folds, settings, num_resamples, seed, level, method)
    how = (settings, num_resamples, seed, level, method)
    results = [summarise_images(name, list(events), *how) for name, events in folds.items()]
    pooled = summarise_images('pooled', [event for events in folds.values() for event in events],
                              *how)
    mean = {key: None if np.isnan(value) else value for key, value in overall.estimates.items()}
    deviation = {key: None if np.isnan(value) else value
                 for key, value in overall.standard_deviations.items()}
    reasons = {}
    for key in settings.names:
        without = [result for result in results if result.estimates[key] is None]
        if without:
            number = count_words(len(results), 'fold has', 'folds have')
            reasons[key] = f'{len(without)} of {number} no number: ' + '; '.join(
                f'{result.name!r}: {result.reasons[key]}' for result in without)
        elif key in overall.reasons:
            reasons[key] = overall.reasons[key]
        elif len(results) < 2:
            reasons[key] = 'one fold has no standard deviation'
    return FoldedResult(folds=results, mean=mean, standard_deviation=deviation, pooled=pooled,
                        reasons=reasons, num_resamples=num_resamples, seed=seed, settings=settings,
                        intervals=overall.intervals,
                        warnings=pooling_warnings(mean, pooled.estimates))
