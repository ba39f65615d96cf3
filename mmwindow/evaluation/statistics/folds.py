"""Results over folds: the mean over the folds, whose interval resamples patients within each fold.

Each fold is tested by a model of its own, and models score on different scales. Pooled, images of
different models are ranked against each other; the mean over folds compares only what one model has
scored. So the mean comes first, and the pooled images come second (docs/method.md, section 9).
"""
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.metric_names import display_name
from mmwindow.evaluation.statistics.bootstrap import (
    DEFAULT_RESAMPLES,
    check_request,
    collect,
    missing_reasons,
    no_interval_reason,
    share_trials,
    statistic_interval,
    statistic_method,
)
from mmwindow.evaluation.statistics.few_units import few_units_note
from mmwindow.evaluation.statistics.fold_areas import mean_area_interval
from mmwindow.evaluation.statistics.folded_events import (
    FoldedEvents,
    Folds,
    FoldStatistics,
    check_folds,
)
from mmwindow.evaluation.statistics.intervals import Interval, share_interval
from mmwindow.evaluation.statistics.resampling import find_units, leave_one_out
from mmwindow.utils.messages import count_words

POOLED_TOLERANCE = 0.01  # a larger difference of pooled number and mean is said


@dataclass(frozen=True)
class FoldResult:
    """The mean over folds of each statistic, with its interval.

    Attributes:
        estimates: Mean over the folds that have a number; NaN where none has.
        intervals: 95 %, patients resampled within each fold, AUROC by DeLong's variance within each
            fold; None where there is none.
        standard_deviations: Of a sample of folds (n - 1); NaN below two folds.
        folds: Fold -> statistic -> number, NaN where there is none.
        reasons: Why a number or an interval is missing.
        notes: What a mean leaves out.
        replicates: ``(num_resamples,)`` of each statistic, NaN where undefined.
        num_resamples, seed: Of the bootstrap.
        num_units, num_images, num_positives, num_points: Of all folds.
        settings: Budgets, convention, denominator of the FP rate.
    """

    estimates: dict[str, float]
    intervals: dict[str, Interval | None]
    standard_deviations: dict[str, float]
    folds: dict[Any, dict[str, float]]
    reasons: dict[str, str]
    notes: dict[str, str]
    replicates: dict[str, NDArray[Any]]
    num_resamples: int
    seed: int
    num_units: int
    num_images: int
    num_positives: int
    num_points: int
    settings: FROCSettings


def mean_over_folds(folds: Folds, settings: FROCSettings | None = None,
                    num_resamples: int = DEFAULT_RESAMPLES, seed: int = 0, level: float = 0.95,
                    method: str = 'default') -> FoldResult:
    """Return the mean over folds of AUROC, recalls and FROC score, with intervals.

    In each resample the patients of each fold are drawn with replacement among themselves, and the
    mean of the folds' numbers is taken. The interval tells how the mean would vary with other
    patients, for these models; what other training images would change is not in it.

    Args:
        folds: Test images by fold; no image and no patient in two of them. One fold is a single test.
        settings: The defaults if None.
        num_resamples, seed, level, method: As in
            :func:`~mmwindow.evaluation.statistics.bootstrap.bootstrap`.

    Raises:
        ValueError: As in :func:`check_folds` and
            :func:`~mmwindow.evaluation.statistics.bootstrap.bootstrap`.

    Source: the stratified bootstrap of Davison and Hinkley, Bootstrap Methods, 1997, section 3.2.
    """
    settings = settings or FROCSettings()
    check_request(num_resamples, level, method)
    table = FoldedEvents(check_folds(folds), settings)
    estimates = mean_of_folds(table)
    drawn = table.resample(num_resamples, seed)
    replicates = table.means(drawn)
    methods = {name: statistic_method(name, method) for name in settings.names}
    jackknife = collect(table, leave_one_out(len(table.units))) if 'bca' in methods.values() else {}
    reasons = missing_reasons(table.events, settings, estimates)
    small = one_unit_reason(table)
    intervals: dict[str, Interval | None] = dict.fromkeys(settings.names)
    for name, estimate in estimates.items():
        if name in reasons:
            continue
        if small:
            reasons[name] = small
            continue
        if methods[name] == 'delong':
            intervals[name] = mean_area_interval(table, level)
        elif methods[name] == 'score':
            intervals[name] = mean_share_interval(name, estimate, drawn, level, table)
        else:
            intervals[name] = statistic_interval(name, estimate, replicates[name],
                                                 jackknife.get(name), level, method, table)
        if intervals[name] is None:
            reasons[name] = no_interval_reason(name)
    events = table.events
    return FoldResult(
        estimates=estimates, intervals=intervals, reasons=reasons, replicates=replicates,
        standard_deviations={name: spread_over_folds(table, name) for name in settings.names},
        folds=table.estimates, notes=left_out_notes(table), num_resamples=num_resamples, seed=seed,
        num_units=len(table.units), num_images=len(events),
        num_positives=sum(bool(event.is_positive) for event in events),
        num_points=sum(len(event.recall_levels) for event in events), settings=settings)


def mean_variance(name: str, drawn: FoldStatistics, table: FoldedEvents) -> float:
    """Return the variance over resamples of a mean over folds; NaN where no fold has one.

    A resample of n patients varies less than a new sample, by ``(n - 1) / n``. In one data set of all
    patients this hardly counts, in folds it does: the ratio of the two is made good, n being the
    patients that carry the number. A fold with one of these has the mean variance of the others.

    Args:
        name: Of the statistic.
        drawn: From :meth:`FoldedEvents.resample`, or a difference of such.
        table: The folds.
    """
    counted = table.counted_folds(name)
    sizes = [table.carriers(name, fold) for fold in counted]
    total = sum(sizes)
    variances = []
    for fold, size in zip(counted, sizes, strict=True):
        defined = drawn[fold][name][~np.isnan(drawn[fold][name])]
        if len(defined) > 1 and (size > 1 or len(counted) == 1):
            steady = 1. if len(counted) == 1 else size / (size - 1) * (total - 1) / total
            variances.append(float(defined.var()) * steady)
    return float(np.mean(variances)) / len(counted) if variances else float('nan')


def mean_share_interval(name: str, estimate: float, drawn: FoldStatistics, level: float,
                        table: FoldedEvents) -> Interval | None:
    """Return the score interval of a mean share; None where a fold has no variance.

    Of one fold it is that of
    :func:`~mmwindow.evaluation.statistics.bootstrap.score_interval`.
    """
    trials = share_trials(name).of(table)
    carriers, variance = int((trials > 0).sum()), mean_variance(name, drawn, table)
    if np.isnan(variance):
        return None
    found = share_interval(estimate, variance, carriers, int(trials.sum()),
                           table.free_units(name), level)
    return Interval(estimate, found.low, found.high, level, 'bootstrap_score',
                    few_units_note(table.counted_units(name), carriers,
                                   f'with {share_trials(name).what}'))


def mean_of_folds(table: FoldedEvents) -> dict[str, float]:
    """Return the mean of each statistic over the folds that have it; NaN where none has."""
    values = table.statistics(np.ones((1, len(table.units)), np.int32))
    return {name: float(value[0]) for name, value in values.items()}


def spread_over_folds(table: FoldedEvents, name: str) -> float:
    """Return the sample standard deviation of a statistic over folds; NaN below two folds."""
    values = [table.estimates[fold][name] for fold in table.counted_folds(name)]
    return float(np.std(values, ddof=1)) if len(values) > 1 else float('nan')


def one_unit_reason(table: FoldedEvents) -> str:
    """Return why there is no interval where a fold has a single unit; '' where none has."""
    for fold, events in table.folds.items():
        units = find_units(events)
        if len(units) < 2:
            where = f' of fold {fold!r}' if len(table.folds) > 1 else ''
            return (f'no interval: the images{where} are of one unit, {units.names[0][0]} '
                    f'{units.names[0][1]!r}')
    return ''


def left_out_notes(table: FoldedEvents) -> dict[str, str]:
    """Return which folds a mean leaves out, by statistic."""
    notes = {}
    for name in table.settings.names:
        counted = table.counted_folds(name)
        if 0 < len(counted) < len(table.folds):
            left_out = [fold for fold in table.folds if fold not in counted]
            notes[name] = (f'{len(left_out)} of '
                           f'{count_words(len(table.folds), "fold has", "folds have")} no number '
                           f'and are left '
                           f'out of the mean: {", ".join(map(repr, left_out))}')
    return notes


def pooling_warnings(means: Mapping[str, float | None], pooled: Mapping[str, float | None],
                     tolerance: float = POOLED_TOLERANCE) -> list[str]:
    """Return a warning for each statistic whose pooled number is not the mean over folds.

    Args:
        means: Over folds.
        pooled: Of the images of all folds together.
        tolerance: The largest difference that is not said.
    """
    warnings = []
    for name, mean in means.items():
        value = pooled.get(name)
        if mean is None or value is None or not abs(value - mean) > tolerance:
            continue
        warnings.append(
            f'{display_name(name)}: {value:.3f} of all images pooled, {mean:.3f} as the mean over '
            'folds. Pooling ranks scores of different models against each other; take the mean')
    return warnings
