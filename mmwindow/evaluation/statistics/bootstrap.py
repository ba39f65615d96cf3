"""Bootstrap intervals over patients: AUROC, recall at each budget, FROC score, additional ones."""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.events.targets import Floats
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.statistics.delong import delong_interval
from mmwindow.evaluation.statistics.few_units import few_units_note, join_notes
from mmwindow.evaluation.statistics.intervals import (
    Interval,
    clopper_pearson,
    newcombe_auroc,
    normal_quantile,
    share_interval,
    wilson,
)
from mmwindow.evaluation.statistics.rates import rate_interval as rate_interval  # its old place
from mmwindow.evaluation.statistics.resampling import (
    Units,
    bca_tails,
    check_events,
    check_units,
    draw_weights,
    find_units,
    leave_one_out,
    unit_strata,
)
from mmwindow.evaluation.statistics.table import AUROC, find_row
from mmwindow.evaluation.statistics.weighting import EventTable, WeightedEvents
from mmwindow.utils.messages import count_words

NO_SPREAD = 'no interval: fewer than two of its resamples have a number, or all have the same'
ONE_UNIT = 'no interval: fewer than two patients (images where none is named) of one kind of image'
BOOTSTRAP_METHODS = ('default', 'percentile', 'bca', 'wilson')
DEFAULT_RESAMPLES = 2000


@dataclass(frozen=True)
class BootstrapResult:
    """Statistics of one system, their resamples and intervals.

    Attributes:
        estimates: ``auroc``, ``recall@0.1`` and so on, ``froc_score``, additional ones;
            NaN where there is no number.
        intervals: None where there is no number, or ``reasons`` tell why there is none.
        reasons: For each statistic without a number or an interval, why.
        replicates: ``(num_resamples,)``; NaN where a resample had
            only one class, or no point.
        num_resamples: Drawn.
        num_undefined: Of these, without a number.
        seed: Of numpy's default generator.
        num_units, num_images, num_positives, num_points: What was drawn from.
        stratify_by: As asked for.
        settings: Budgets, convention, denominator of the FP rate.
    """
    estimates: dict[str, Any]
    intervals: dict[str, Any]
    reasons: dict[str, Any]
    replicates: dict[str, Any]
    num_resamples: int
    num_undefined: dict[str, Any]
    seed: int
    num_units: int
    num_images: int
    num_positives: int
    num_points: int
    stratify_by: str | None
    settings: FROCSettings


def bootstrap(events: Sequence[ImageEvents], settings: FROCSettings | None = None,
              num_resamples: int = DEFAULT_RESAMPLES, seed: int = 0, level: float = 0.95,
              method: str = 'default', stratify_by: str | None = None) -> BootstrapResult:
    """Return AUROC, recall at each budget and FROC score with intervals over patients.

    Units with replacement, all images of a patient together. The threshold that spends
    a budget is found again in each resample, so its uncertainty is in the interval.

    Args:
        events: One per image, negative images included. Images of an
            equal, non-empty ``group`` are one unit.
        settings: The defaults if None.
        num_resamples: At least 100.
        seed: Of the resamples.
        level: Nominal confidence.
        method: 'default': for AUROC DeLong's by patient, not resampled
            (:func:`~mmwindow.evaluation.statistics.delong.delong_interval`); for recalls and FROC
            score 'score', :func:`~mmwindow.evaluation.statistics.intervals.share_interval` with the
            variance of the resamples; for other statistics 'bca'. These cover best in
            results/coverage. By name for all statistics: 'bca' (bias corrected and accelerated;
            Efron, J Am Stat Assoc 82 (1987) 171), 'percentile', or 'wilson' (Wilson's with the
            effective number of trials that the resamples' variance tells). Where nearly all findings
            are found and patients are few they are too short; where all resamples agree they are
            empty, and an exact or score interval with the number of units is given instead, with a
            note. An additional statistic has no interval there, and with 'wilson' the percentile one,
            unless it is a share of points.
        stratify_by: As in
            :func:`~mmwindow.evaluation.statistics.resampling.unit_strata`.

    Returns:
        BootstrapResult

    Raises:
        ValueError: No image, an image twice, fewer than two units, or settings that make
            no sense.

    Assumption: the unit is the patient, else the image.
    """
    settings = settings or FROCSettings()
    check_request(num_resamples, level, method)
    events = check_events(events)
    units = find_units(events)
    check_units(events, units)
    table = WeightedEvents(events, units, settings)
    strata = unit_strata(events, units, stratify_by)
    estimates = point_estimates(table, units)
    replicates = collect(table, draw_weights(strata, num_resamples, np.random.default_rng(seed)))
    methods = {name: statistic_method(name, method) for name in estimates}
    jackknife = collect(table, leave_one_out(len(units))) if 'bca' in methods.values() else {}
    reasons = missing_reasons(events, settings, estimates)
    intervals = {name: None if name in reasons else statistic_interval(
        name, estimate, replicates[name], jackknife.get(name), level, method, table)
        for name, estimate in estimates.items()}
    for name, interval in intervals.items():
        if interval is None and name not in reasons:
            reasons[name] = no_interval_reason(name)
    return BootstrapResult(
        estimates=estimates, intervals=intervals, reasons=reasons, replicates=replicates,
        num_resamples=num_resamples, seed=seed, num_units=len(units), num_images=len(events),
        num_undefined={name: int(np.isnan(values).sum()) for name, values in replicates.items()},
        num_positives=sum(bool(event.is_positive) for event in events),
        num_points=sum(len(event.recall_levels) for event in events), stratify_by=stratify_by,
        settings=settings)


def check_request(num_resamples: int, level: float, method: str) -> None:
    """Reject a bootstrap that cannot give an interval."""
    if method not in BOOTSTRAP_METHODS:
        raise ValueError(f'method is {method!r}; it must be one of {BOOTSTRAP_METHODS}')
    if num_resamples < 100:
        raise ValueError(f'num_resamples is {num_resamples}; an interval needs at least 100, better '
                         f'{DEFAULT_RESAMPLES}')
    normal_quantile(level)


def point_estimates(table: WeightedEvents, units: Units) -> dict[str, float]:
    """Return each statistic of the images as they are: every unit once."""
    values = table.statistics(np.ones((1, len(units)), np.int32))
    return {name: float(value[0]) for name, value in values.items()}


def collect(table: EventTable, blocks: Any) -> dict[str, NDArray[Any]]:
    """Return each statistic over all blocks of weights, ``(B,)`` per name."""
    parts = [table.statistics(weights) for weights in blocks]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def missing_reasons(events: Sequence[ImageEvents], settings: FROCSettings, estimates: Any
                   ) -> dict[str, str]:
    """Return in words why a statistic has no number, by name."""
    positives = sum(bool(event.is_positive) for event in events)
    normals = len(events) - positives
    counts = f'{count_words(len(events), "image")}, {positives} with and {normals} without a finding'
    reasons = {}
    for name, value in estimates.items():
        if not np.isnan(value):
            continue
        if name in settings.added_names and not find_row(name).share_of_points:
            reasons[name] = f'there is no {find_row(name).title} of {counts}'
        elif name == AUROC:
            reasons[name] = f'AUROC compares images with and without findings; there are {counts}'
        elif not any(len(event.recall_levels) for event in events):
            reasons[name] = f'recall needs a point in a frame; there is none in {counts}'
        else:
            reasons[name] = (f'false positives are counted on {settings.fp_denominator} images; '
                             f'there are {counts}')
    return reasons


def no_interval_reason(name: str) -> str:
    """Return why a statistic that has a number has no interval."""
    return ONE_UNIT if name == AUROC else NO_SPREAD


class ShareTrials(NamedTuple):
    """What a share is of: the attribute of a table with the trials of each unit, and its name."""

    attribute: str
    what: str

    def of(self, table: EventTable) -> NDArray[Any]:
        """Return ``(U,)``, the trials of each unit."""
        return np.asarray(getattr(table, self.attribute))


def share_trials(name: str) -> ShareTrials:
    """Return what a statistic is a share of."""
    return (ShareTrials('unit_positives', 'a positive image') if find_row(name).share_of_positives
            else ShareTrials('unit_points', 'a point'))


def statistic_method(name: str, method: str) -> str:
    """Return how the interval of a statistic is made by a method of :func:`bootstrap`."""
    if method == 'default':
        return 'delong' if name == AUROC else 'score' if has_closed_interval(name) else 'bca'
    return 'percentile' if method == 'wilson' and not has_closed_interval(name) else method


def statistic_interval(name: str, estimate: float, replicates: NDArray[Any],
                       jackknife: NDArray[Any] | None, level: float, method: str,
                       table: EventTable) -> Interval | None:
    """Return the interval of one statistic from its resamples; None where they tell none.

    Args:
        name: Of the statistic.
        estimate: On all images; no NaN.
        replicates: ``(B,)``, NaN where undefined.
        jackknife: ``(U,)``, each unit left out once; for 'bca'.
        level: Nominal confidence.
        method: As in :func:`bootstrap`.
        table: The events, and their units.
    """
    method = statistic_method(name, method)
    if method in ('delong', 'score'):
        return (area_of(table, level) if method == 'delong' else
                score_interval(name, estimate, replicates, level, table))
    defined = replicates[~np.isnan(replicates)]
    note = left_out_note(name, replicates)
    if note and has_closed_interval(name):
        note += '; stratify_by="is_positive" avoids that'
    note = join_notes(note, few_units_note(table.num_units))
    if len(defined) < 2 or defined.min() == defined.max():
        return closed_interval(name, estimate, level, table) if has_closed_interval(name) else None
    if method == 'wilson':
        closed = (wilson_interval(estimate, defined, level) if 0 < estimate < 1 else
                  closed_interval(name, estimate, level, table))
        return Interval(estimate, closed.low, closed.high, level, f'bootstrap_{closed.method}',
                        join_notes(note, closed.note))
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    if method == 'bca':
        tails = bca_tails(estimate, defined, jackknife, level)
    # Order statistics at (B + 1) tail: Davison and Hinkley, Bootstrap Methods, 1997, eq. 5.6.
    low, high = np.quantile(defined, tails, method='weibull')
    if low == high:  # all but a few resamples agree
        return closed_interval(name, estimate, level, table) if has_closed_interval(name) else None
    return Interval(estimate, float(low), float(high), level, f'bootstrap_{method}', note)


def area_of(table: EventTable, level: float) -> Interval | None:
    """Return the interval of the AUROC, everywhere this one; None below two units of a class."""
    if min(table.class_units()) < 2:
        return None
    return delong_interval([bool(event.is_positive) for event in table.events],
                           [event.score for event in table.events], level,
                           groups=table.unit_index.tolist())


def score_interval(name: str, estimate: float, replicates: NDArray[Any], level: float,
                   table: EventTable) -> Interval | None:
    """Return the score interval of a share; None below two resamples with a number."""
    trials = share_trials(name).of(table)
    carriers = int((trials > 0).sum())
    defined = replicates[~np.isnan(replicates)]
    if len(defined) < 2:
        return None
    found = share_interval(estimate, float(defined.var()), carriers, int(trials.sum()),
                           table.num_units, level)
    return Interval(estimate, found.low, found.high, level, 'bootstrap_score',
                    few_units_note(table.num_units, carriers, f'with {share_trials(name).what}'))


def left_out_note(name: str, replicates: Floats) -> str:
    """Return how many resamples of a statistic have no number, and why; '' where all have one."""
    num_undefined = int(np.isnan(replicates).sum())
    what = 'had one class only or no point' if has_closed_interval(name) else 'have no number'
    return '' if not num_undefined else (
        f'{num_undefined} of {len(replicates)} resamples {what}, and are left out')


def has_closed_interval(name: str) -> bool:
    """Tell whether a statistic has an interval without resamples; see :func:`closed_interval`."""
    row = find_row(name)
    return name == AUROC or row.share_of_points or row.share_of_positives


def wilson_interval(estimate: float, replicates: Floats, level: float) -> Interval:
    """Return Wilson's interval with as many trials as give the variance of the resamples.

    A proportion p of n independent trials has the variance p (1 - p) / n; the n that fits
    the bootstrap's is the effective number of trials (as of a design effect in surveys:
    Korn and Graubard, Survey Methodology 24 (1998) 193).
    """
    variance = replicates.var()
    trials = estimate * (1 - estimate) / variance
    return wilson(estimate * trials, trials, level)


def closed_interval(name: str, estimate: float, level: float, table: EventTable) -> Interval:
    """Return the interval where all resamples agree: at 0 and 1, and of constant scores.

    AUROC: Newcombe's score interval. Recall and FROC score: Clopper and Pearson's, with
    as many trials as units have a point (a FROC score of 1 has every recall 1).
    """
    if name == AUROC:
        positives, normals = table.class_units()
        closed = newcombe_auroc(estimate, positives, normals, level)
        size = f'{positives} positive and {normals} negative units'
    else:
        trials = int((share_trials(name).of(table) > 0).sum())
        closed = clopper_pearson(estimate * trials, trials, level)
        size = f'{trials} units with {share_trials(name).what}'
    return Interval(estimate, closed.low, closed.high, level, closed.method,
                    f'the resamples say nothing at {estimate:g}; an interval from {size} is given '
                    'instead')
