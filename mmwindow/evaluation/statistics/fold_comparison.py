"""Two systems over the same folds: the difference of their means."""
from dataclasses import replace

import numpy as np

from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.statistics.bootstrap import (
    DEFAULT_RESAMPLES,
    check_request,
    has_closed_interval,
    left_out_note,
    missing_reasons,
    no_interval_reason,
    share_trials,
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
from mmwindow.evaluation.statistics.few_units import (
    TEST_FROM,
    few_units_note,
    join_notes,
    no_test_note,
)
from mmwindow.evaluation.statistics.fold_areas import compare_mean_areas
from mmwindow.evaluation.statistics.folded_events import (
    FoldedEvents,
    Folds,
    FoldStatistics,
    check_folds,
)
from mmwindow.evaluation.statistics.folds import mean_of_folds, mean_variance, one_unit_reason
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.evaluation.statistics.table import AUROC
from mmwindow.utils.messages import count_words


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
    untested = no_test_reason(tables[0])
    if untested:
        p_values, reasons['p_values'] = dict.fromkeys(settings.names), untested
    return Comparison(
        first=estimates[0], second=estimates[1], differences=differences, p_values=p_values,
        reasons=reasons, delong=test, replicates=replicates, num_resamples=num_resamples, seed=seed,
        num_units=len(tables[0].units), num_images=len(tables[0].events), stratify_by=None,
        settings=settings, degrees={name: free_units(name, tables[0]) - 1
                                    for name, found in differences.items() if found is not None})


def no_test_reason(table: FoldedEvents) -> str:
    """Return why there is no p-value, or ''; each fold but the first asks for one patient more."""
    units, needed = len(table.units), TEST_FROM + len(table.folds) - 1
    if len(table.folds) == 1:
        return no_test_note(units)
    return '' if units >= needed else (
        f'no p-value: {count_words(units, "patient")} (images where none is named) in '
        f'{count_words(len(table.folds), "fold")}; a '
        f'test needs at least {needed}')


def free_units(name: str, table: FoldedEvents) -> int:
    """Return the units that tell the variance of a difference; one less are its degrees of freedom.

    Of one fold as in a single test. Few patients with a point in each fold tell a variance badly, so
    that of a share of points these alone count, and each further fold costs one.
    """
    counted = table.counted_folds(name)
    if name == AUROC or len(counted) == 1:
        return table.free_units(name)
    return sum(table.carriers(name, fold) for fold in counted) - len(counted) + 1


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
    is_share, units = has_closed_interval(name), table.counted_units(name)
    counted = table.counted_folds(name)
    carriers = sum(table.carriers(name, fold) for fold in counted)
    free = free_units(name, table)
    variance = mean_variance(name, between, table)
    if free < 2 or np.isnan(variance) or not is_share and variance < NO_DEVIATION ** 2:
        return None, None
    deviation = float(np.sqrt(variance))
    if is_share and len(counted) > 1 and abs(difference) >= NO_DEVIATION:
        # At least half a patient's disagreement in the smallest fold, where one moves the mean most:
        # of a single patient with a point no resample tells a spread.
        fewest = min(table.carriers(name, fold) for fold in counted)
        deviation = max(deviation, POINT_SHARE / (len(counted) * max(fewest, 1)))
    found = studentised_difference(difference, deviation, carriers, free,
                                   POINT_SHARE if is_share else 0., level)
    notes = [found.note.removesuffix(few_units_note(free)).removesuffix('; '),
             left_out_note(name, table.means(between)[name]),
             few_units_note(units, carriers, f'with {share_trials(name).what}')]
    found = replace(found, note=join_notes(*notes))
    if deviation >= NO_DEVIATION:
        return found, studentised_p(difference / deviation, free)
    return found, 1. if abs(difference) < NO_DEVIATION else sign_p(carriers)
