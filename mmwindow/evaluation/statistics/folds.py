"""Results over folds: the mean over the folds, whose interval resamples patients within each fold.

Each fold is tested by a model of its own, and models score on different scales. Pooled, images of
different models are ranked against each other; the mean over folds compares only what one model has
scored. So the mean comes first, and the pooled images come second (docs/method.md, section 9).
"""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.metric_names import display_name
from mmwindow.evaluation.statistics.bootstrap import (
    DEFAULT_RESAMPLES,
    NO_SPREAD,
    check_request,
    collect,
    missing_reasons,
    no_interval_reason,
    statistic_interval,
    statistic_method,
)
from mmwindow.evaluation.statistics.compare import (
    Comparison,
    compare_statistic,
    match_images,
)
from mmwindow.evaluation.statistics.delong import (
    DeLongEstimate,
    area_interval,
    compare_areas,
    delong_covariance,
)
from mmwindow.evaluation.statistics.few_units import join_notes, no_test_note
from mmwindow.evaluation.statistics.folded_events import FoldedEvents, Folds, check_folds
from mmwindow.evaluation.statistics.intervals import Interval, newcombe_auroc, t_quantile
from mmwindow.evaluation.statistics.resampling import draw_weights, find_units, leave_one_out
from mmwindow.evaluation.statistics.table import AUROC

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
    replicates = collect(table, draw_weights(table.strata, num_resamples,
                                             np.random.default_rng(seed)))
    methods = {statistic_method(name, method) for name in settings.names if name != AUROC}
    jackknife = collect(table, leave_one_out(len(table.units))) if 'bca' in methods else {}
    reasons = missing_reasons(table.events, settings, estimates)
    small = one_unit_reason(table)
    intervals: dict[str, Interval | None] = {}
    for name, estimate in estimates.items():
        intervals[name] = None
        if name in reasons:
            continue
        if small:
            reasons[name] = small
            continue
        intervals[name] = mean_area_interval(table, level) if name == AUROC else statistic_interval(
            name, estimate, replicates[name], jackknife.get(name), level, method, table)
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
            notes[name] = (f'{len(left_out)} of {len(table.folds)} folds have no number and are left '
                           f'out of the mean: {", ".join(map(repr, left_out))}')
    return notes


def mean_estimate(systems: Sequence[FoldedEvents]) -> DeLongEstimate:
    """Return DeLong's estimate of the mean AUROCs of systems over folds.

    Folds share no patient, so the variance of the mean is the sum of the folds' by the square of
    their number.

    Args:
        systems: On the same images, fold by fold and in one order.

    Raises:
        ValueError: A fold has fewer than two patients of a kind; the message says so.
    """
    first = systems[0]
    counted = first.counted_folds(AUROC)
    estimates = [delong_covariance(
        [event.is_positive for event in first.folds[fold]],
        [[event.score for event in system.folds[fold]] for system in systems],
        groups=find_units(first.folds[fold]).index.tolist()) for fold in counted]
    return DeLongEstimate(
        areas=np.mean([estimate.areas for estimate in estimates], axis=0),
        covariance=np.mean([estimate.covariance for estimate in estimates], axis=0) / len(counted),
        num_positives=sum(estimate.num_positives for estimate in estimates),
        num_normals=sum(estimate.num_normals for estimate in estimates),
        positive_units=sum(estimate.positive_units for estimate in estimates),
        normal_units=sum(estimate.normal_units for estimate in estimates),
        num_units=sum(estimate.num_units for estimate in estimates),
        carriers=pooled_carriers(estimates))


def pooled_carriers(estimates: Sequence[DeLongEstimate]) -> NDArray[Any]:
    """Return ``(S,)``, how many patients of all folds the variance of a mean area rests on.

    A fold's squared contributions sum to about its variance v, their squares to ``v^2 / carriers``.
    """
    variances = np.array([np.diag(estimate.covariance) for estimate in estimates]).clip(0)
    carriers = np.array([estimate.carriers for estimate in estimates])
    fourths = np.where(carriers > 0, variances ** 2 / np.maximum(carriers, 1e-300), 0.).sum(axis=0)
    total = variances.sum(axis=0)
    return np.where(fourths > 0, total ** 2 / np.maximum(fourths, 1e-300), 0.)


def mean_area_interval(table: FoldedEvents, level: float) -> Interval | None:
    """Return the interval of the mean AUROC: DeLong's variance within folds, logit scale.

    Where a fold has a single patient of a kind and so no variance: Newcombe's score interval from
    the patients of all folds; None where there is one fold.
    """
    try:
        return area_interval(mean_estimate([table]), 0, level, 'blended')
    except ValueError as error:
        if len(table.counted_folds(AUROC)) < 2:
            return None
        area = mean_of_folds(table)[AUROC]
        positives, negatives = table.class_units()
        closed = newcombe_auroc(area, positives, negatives, level,
                                t_quantile(level, table.num_units))
        return Interval(area, closed.low, closed.high, level, closed.method, join_notes(
            str(error), 'the score interval of Newcombe (2006), method 5, is given instead'))


def compare_over_folds(first: Folds, second: Folds, settings: FROCSettings | None = None,
                       num_resamples: int = DEFAULT_RESAMPLES, seed: int = 0, level: float = 0.95
                       ) -> Comparison:
    """Compare two systems over the same folds: the difference of their means, first minus second.

    Every resample of patients within folds is scored for both systems. AUROC: DeLong's test of the
    mean of the folds' differences. One fold is a single test, compared as by
    :func:`~mmwindow.evaluation.statistics.compare.compare_systems`.

    Args:
        first, second: Test images by fold, of the same folds and images.
        settings: The defaults if None.
        num_resamples, seed, level: As in
            :func:`~mmwindow.evaluation.statistics.compare.compare_systems`.

    Raises:
        ValueError: The folds differ, or as in :func:`check_folds` and
            :func:`~mmwindow.evaluation.statistics.compare.match_images`.
    """
    settings = settings or FROCSettings()
    check_request(num_resamples, level, 'default')
    own, others = check_folds(first), check_folds(second)
    if set(own) != set(others):
        raise ValueError(f'the first system has the folds {sorted(own, key=str)}, the second '
                         f'{sorted(others, key=str)}; compare them on the same folds')
    tables = [FoldedEvents(own, settings), FoldedEvents(
        {fold: match_images(events, others[fold]) for fold, events in own.items()}, settings)]
    estimates = [mean_of_folds(table) for table in tables]
    small = one_unit_reason(tables[0])
    if small:
        raise ValueError(f'{small}; resampling needs at least two patients in each fold')
    # The same seed, so the same resamples.
    drawn = [collect(table, draw_weights(table.strata, num_resamples, np.random.default_rng(seed)))
             for table in tables]
    replicates = {name: drawn[0][name] - drawn[1][name] for name in settings.names}
    reasons = {**missing_reasons(tables[1].events, settings, estimates[1]),
               **missing_reasons(tables[0].events, settings, estimates[0])}
    reasons.update({name: NO_SPREAD for name, values in replicates.items()
                    if name not in reasons and (~np.isnan(values)).sum() < 2})
    differences: dict[str, Interval | None] = dict.fromkeys(settings.names)
    p_values: dict[str, float | None] = dict.fromkeys(settings.names)
    try:
        test = compare_areas(mean_estimate(tables), level)
    except ValueError as error:
        test, reasons['delong'] = None, str(error)
    for name in settings.names:
        if name in reasons:
            continue
        differences[name], p_values[name] = compare_statistic(
            name, estimates[0][name] - estimates[1][name], replicates[name], tables[0], level,
            'studentised', test)
        if differences[name] is None:
            reasons[name] = no_interval_reason(name)
    if no_test_note(tables[0].num_units):
        p_values = dict.fromkeys(settings.names)
        reasons['p_values'] = no_test_note(tables[0].num_units)
    return Comparison(
        first=estimates[0], second=estimates[1], differences=differences, p_values=p_values,
        reasons=reasons, delong=test, replicates=replicates, num_resamples=num_resamples, seed=seed,
        num_units=len(tables[0].units), num_images=len(tables[0].events), stratify_by=None,
        settings=settings)


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
