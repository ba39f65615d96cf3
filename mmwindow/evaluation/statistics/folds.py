"""Results over folds: the mean over the folds, whose interval resamples patients within each fold.

Each fold is tested by a model of its own, and models score on different scales. Pooled, images of
different models are ranked against each other; the mean over folds compares only what one model has
scored. So the mean comes first, and the pooled images come second (docs/method.md, section 9).
"""
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.metric_names import display_name
from mmwindow.evaluation.statistics.bootstrap import (
    DEFAULT_RESAMPLES,
    check_request,
    collect,
    has_closed_interval,
    left_out_note,
    missing_reasons,
    no_interval_reason,
    share_trials,
    statistic_interval,
    statistic_method,
)
from mmwindow.evaluation.statistics.compare import Comparison, match_images
from mmwindow.evaluation.statistics.delong import DeLongTest
from mmwindow.evaluation.statistics.differences import (
    NO_DEVIATION,
    POINT_SHARE,
    sign_p,
    studentised_difference,
    studentised_p,
)
from mmwindow.evaluation.statistics.few_units import few_units_note, join_notes, no_test_note
from mmwindow.evaluation.statistics.fold_areas import compare_mean_areas, mean_area_interval
from mmwindow.evaluation.statistics.folded_events import (
    FoldedEvents,
    Folds,
    FoldStatistics,
    check_folds,
)
from mmwindow.evaluation.statistics.intervals import Interval, share_interval
from mmwindow.evaluation.statistics.resampling import find_units, leave_one_out
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
    """Return the variance over resamples of a mean over folds; NaN where a fold has none.

    A resample of n patients varies less than a new sample, by ``(n - 1) / n``. In one data set of all
    patients this hardly counts, in folds it does: the ratio of the two is made good.

    Args:
        name: Of the statistic.
        drawn: From :meth:`FoldedEvents.resample`, or a difference of such.
        table: The folds.
    """
    counted = table.counted_folds(name)
    sizes = [table.num_fold_units(fold) for fold in counted]
    total = table.counted_units(name)
    variances = []
    for fold, size in zip(counted, sizes, strict=True):
        defined = drawn[fold][name][~np.isnan(drawn[fold][name])]
        steady = 1. if len(counted) == 1 else size / (size - 1) * (total - 1) / total
        variances.append(float(defined.var()) * steady if len(defined) > 1 else np.nan)
    return float(sum(variances)) / len(counted) ** 2


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
            notes[name] = (f'{len(left_out)} of {len(table.folds)} folds have no number and are left '
                           f'out of the mean: {", ".join(map(repr, left_out))}')
    return notes


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
    drawn = [table.resample(num_resamples, seed) for table in tables]
    between = {fold: {name: drawn[0][fold][name] - drawn[1][fold][name] for name in settings.names}
               for fold in own}
    replicates = tables[0].means(between)
    reasons = {**missing_reasons(tables[1].events, settings, estimates[1]),
               **missing_reasons(tables[0].events, settings, estimates[0])}
    test = None
    try:
        test = compare_mean_areas(tables[0], tables[1], level)
    except ValueError as error:
        reasons['delong'] = str(error)
    differences: dict[str, Interval | None] = dict.fromkeys(settings.names)
    p_values: dict[str, float | None] = dict.fromkeys(settings.names)
    for name in settings.names:
        if name in reasons:
            continue
        differences[name], p_values[name] = compare_means(
            name, estimates[0][name] - estimates[1][name], between, tables[0], level, test)
        if differences[name] is None:
            reasons[name] = no_interval_reason(name)
    untested = no_test_note(len(tables[0].units))
    if untested:
        p_values, reasons['p_values'] = dict.fromkeys(settings.names), untested
    return Comparison(
        first=estimates[0], second=estimates[1], differences=differences, p_values=p_values,
        reasons=reasons, delong=test, replicates=replicates, num_resamples=num_resamples, seed=seed,
        num_units=len(tables[0].units), num_images=len(tables[0].events), stratify_by=None,
        settings=settings)


def compare_means(name: str, difference: float, between: FoldStatistics, table: FoldedEvents,
                  level: float, test: DeLongTest | None) -> tuple[Interval | None, float | None]:
    """Return the interval and the p-value of a difference of means; None where there is none.

    AUROC: DeLong's. All else as
    :func:`~mmwindow.evaluation.statistics.compare.studentised`, which it is for one fold.

    Args:
        name: Of the statistic.
        difference: Of the means.
        between: Differences in resamples, fold by fold.
        table: Of one of the systems, for its units.
        level: Nominal confidence.
        test: Of the AUROC.
    """
    if name == AUROC:
        return (None, None) if test is None else (test.difference, test.p_value)
    is_share = has_closed_interval(name)
    units, free = table.counted_units(name), table.free_units(name)
    carriers = int((share_trials(name).of(table) > 0).sum()) if is_share else units
    variance = mean_variance(name, between, table)
    if np.isnan(variance) or not is_share and variance < NO_DEVIATION ** 2:
        return None, None
    deviation = float(np.sqrt(variance))
    found = studentised_difference(difference, deviation, carriers, free,
                                   POINT_SHARE if is_share else 0., level)
    notes = [found.note.removesuffix(few_units_note(free)).removesuffix('; '),
             left_out_note(name, table.means(between)[name]),
             few_units_note(units, carriers, f'with {share_trials(name).what}')]
    found = replace(found, note=join_notes(*notes))
    if deviation >= NO_DEVIATION:
        return found, studentised_p(difference / deviation, free)
    return found, 1. if abs(difference) < NO_DEVIATION else sign_p(carriers)


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
