"""One setting of one system, trained and judged, and how it compares with others."""
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mmwindow.evaluation.events.image_events import EVENT_PAIRS, ImageEvents
from mmwindow.evaluation.files.records import read_record
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.metric_names import PAPER_METRICS
from mmwindow.evaluation.statistics.fold_comparison import compare_over_folds
from mmwindow.evaluation.statistics.folds import mean_over_folds
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.experiments.plan import RunPlan
from mmwindow.experiments.run_state import read_result
from mmwindow.experiments.summaries import Difference, find_differences, fold_metrics
from mmwindow.experiments.systems import check_same_images, describe_fold, describe_settings
from mmwindow.experiments.worker import RECORDS

COMPARED = ('auroc', 'froc_score')  # what the choice is made by
VISIBLE = 0.01  # a difference worth seeing
LEVEL, POWER = 0.05, 0.8  # of the test that would see it
MAX_RUNS = 100_000


@dataclass(frozen=True)
class Candidate:
    """One setting of one system, trained and judged on held-out images.

    Attributes:
        system: Name of the config.
        setting: Name of the setting.
        metrics: Of the held-out images, over folds their mean; None where there is no number.
        result: Content of ``result.json``, of the first fold.
        runs: Of each fold: ``fold``, ``mark``, ``seed`` and ``training_seconds``.
        num_images: Held-out images of all folds.
        settings: That the records were scored with.
        events: Fold -> held-out images; empty where they are of several classes.
        froc_settings: How their FROC is read.
        intervals: By metric, by patient, over folds within each; None where there is none.
    """

    system: str
    setting: str
    metrics: Mapping[str, float | None]
    result: Mapping[str, Any]
    events: Mapping[int | None, Sequence[ImageEvents]] = field(default_factory=dict)
    froc_settings: FROCSettings | None = None
    intervals: Mapping[str, Interval | None] = field(default_factory=dict)
    runs: Sequence[Mapping[str, Any]] = ()
    num_images: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def fold_numbers(self) -> dict[str, dict[str, float | None]]:
        """Fold -> metric -> number; empty where images are of several classes."""
        if self.froc_settings is None:
            return {}
        return {str(fold): {name: None if math.isnan(value) else value for name, value in
                            fold_metrics(events, self.froc_settings).items()}
                for fold, events in self.events.items()}

    @property
    def merit(self) -> float:
        """Mean of AUROC and FROC score; minus infinity where one has no number."""
        auroc, score = self.metrics['froc/auroc'], self.metrics['froc/froc_score']
        return -math.inf if auroc is None or score is None else (auroc + score) / 2


def read_candidate(setting: str, plans: Sequence[RunPlan], split: str = 'val') -> Candidate:
    """Return what finished runs of one setting of one system give on held-out images.

    Args:
        setting: Its name.
        plans: One for each fold, or the single one.
        split: Of the held-out images, 'val' or 'test'.

    Raises:
        ValueError: A patient is in the held-out images of two folds, or two were scored differently.
    """
    numbers = dict(val='validation_metrics', test='metrics')[split]
    results = [read_result(plan.folder) or {} for plan in plans]
    metrics: dict[str, float | None] = {}
    for name in (f'froc/{metric}' for metric in PAPER_METRICS):
        values = [result[numbers][name] for result in results]
        known = [value for value in values if value is not None]
        metrics[name] = sum(known) / len(known) if known else None
    runs = [{name: result.get(name) for name in ('fold', 'mark', 'seed', 'training_seconds')}
            for result in results]
    records = {plan.fold: read_record(plan.folder / RECORDS[split]) for plan in plans}
    first = next(iter(records.values()))
    num_images = sum(len(next(iter(record.classes.values()))) for record in records.values())
    for fold, record in records.items():
        if record.settings != first.settings:
            raise ValueError(describe_settings(
                f'{plans[0].system} {setting} {describe_fold(plans[0].fold)}', first.settings,
                describe_fold(fold), record.settings))
    if len(first.classes) > 1:
        return Candidate(plans[0].system, setting, metrics, results[0], runs=runs,
                         num_images=num_images, settings=first.settings)
    events = {fold: record.events() for fold, record in records.items()}
    settings = FROCSettings.from_record(first.settings)
    found = mean_over_folds(events, settings)
    return Candidate(plans[0].system, setting, metrics, results[0], events, settings,
                     {f'froc/{name}': found.intervals.get(name) for name in PAPER_METRICS}, runs,
                     num_images, first.settings)


def check_judged_alike(candidates: Sequence[Candidate]) -> None:
    """Reject candidates of one system that were judged by other rules, images or points.

    Raises:
        ValueError: The message names two settings and what differs.
    """
    firsts: dict[str, Candidate] = {}
    for other in candidates:
        first = firsts.setdefault(other.system, other)
        names = f'{first.system} {first.setting}', other.setting
        if other.settings != first.settings:
            raise ValueError(describe_settings(names[0], first.settings, names[1], other.settings)
                             + ': numbers by other rules cannot choose')
        for fold in first.events.keys() | other.events.keys():
            check_same_images(f'{names[0]} and {names[1]}, {describe_fold(fold)}',
                              first.events.get(fold, ()), other.events.get(fold, ()))


def compare_candidates(chosen: Candidate, others: Sequence[Candidate],
                       metrics: Sequence[str] = PAPER_METRICS) -> dict[str, dict[str, Difference]]:
    """Return the chosen setting minus each other one of its system, by setting and metric.

    p-values are corrected for the number of settings (Holm). Empty where images are of several
    classes, or of one patient.
    """
    comparisons = {}
    for other in others:
        try:
            comparisons[other.setting] = compare_over_folds(chosen.events, other.events,
                                                            chosen.froc_settings)
        except ValueError:  # no events, or too few patients: there is no test
            return {}
    return find_differences(comparisons, metrics)


class CandidateTests:
    """Paired comparisons of candidates, each computed once: file and screen ask for the same.

    Args:
        candidates: Of any systems and settings.

    Raises:
        ValueError: As :func:`check_judged_alike`.
    """

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        check_judged_alike(candidates)
        self.candidates = tuple(candidates)
        self._found: dict[tuple[str, str], dict[str, dict[str, Difference]]] = {}

    def against(self, reference: Candidate) -> dict[str, dict[str, Difference]]:
        """Return the reference minus each other candidate of its system, by setting and metric."""
        key = reference.system, reference.setting
        if key not in self._found:
            self._found[key] = compare_candidates(reference, [
                other for other in self.candidates
                if other.system == reference.system and other.setting != reference.setting])
        return self._found[key]


def has_same_predictions(first: Candidate, second: Candidate) -> bool:
    """Return whether two candidates give each image the same score, hits and false positives."""
    return bool(first.events) and all(
        len(events) == len(second.events[fold]) and all(
            ours.image_id == theirs.image_id and ours.score == theirs.score
            and all(same_arrays(getattr(ours, name), getattr(theirs, name))
                    for name in ('recall_levels', *(name for pair in EVENT_PAIRS for name in pair)))
            for ours, theirs in zip(events, second.events[fold], strict=True))
        for fold, events in first.events.items())


def same_arrays(first: NDArray[Any] | None, second: NDArray[Any] | None) -> bool:
    """Return whether two arrays are equal, or both are not there."""
    if first is None or second is None:
        return first is second
    return np.array_equal(first, second)


class FoldSpread(NamedTuple):
    """How a paired difference varies over folds: with their images and the chances of trainings.

    Attributes:
        differences: Of each fold, the other setting minus the reference; empty with one fold.
        deviation: Their standard deviation; None with one fold.
        low, high: 95 % interval of their mean by Student's t; None with one fold.
        num_runs: Folds on which both settings are to be trained to see a difference of
            :data:`VISIBLE`; None with one fold.
    """

    differences: tuple[float, ...] = ()
    deviation: float | None = None
    low: float | None = None
    high: float | None = None
    num_runs: int | None = None


def spread_of_difference(reference: Candidate, other: Candidate, metric: str) -> FoldSpread:
    """Return how the difference of two settings varies over folds, and how many runs would tell.

    Args:
        reference, other: Over the same folds.
        metric: One of the paper's.
    """
    if reference.froc_settings is None or len(reference.events) < 2:
        return FoldSpread()
    differences = tuple(
        fold_metrics(other.events[fold], reference.froc_settings)[metric]
        - fold_metrics(events, reference.froc_settings)[metric]
        for fold, events in reference.events.items())
    if any(map(math.isnan, differences)):
        return FoldSpread()
    deviation, count = statistics.stdev(differences), len(differences)
    half = float(stats.t.ppf(0.975, count - 1)) * deviation / math.sqrt(count)
    mean = statistics.fmean(differences)
    return FoldSpread(differences, deviation, mean - half, mean + half,
                      runs_to_see(VISIBLE, deviation))


def detection_power(num_runs: int, effect: float) -> float:
    """Return how often a paired t-test at :data:`LEVEL` finds a true difference.

    Args:
        num_runs: Pairs, two or more.
        effect: True difference over the standard deviation of the pairs' differences.

    Source: the noncentral t distribution; Cohen, *Statistical Power Analysis*, 1988, section 2.
    """
    freedom, shift = num_runs - 1, math.sqrt(num_runs) * effect
    limit = stats.t.ppf(1 - LEVEL / 2, freedom)
    return float(stats.nct.sf(limit, freedom, shift) + stats.nct.cdf(-limit, freedom, shift))


@lru_cache(maxsize=1024)
def runs_to_see(difference: float, deviation: float) -> int | None:
    """Return how many runs of each of two settings see a true difference with a power of 80 %.

    Args:
        difference: The true one.
        deviation: Standard deviation of the difference from run to run.

    Returns:
        Two or more; None above :data:`MAX_RUNS`.

    >>> runs_to_see(0.01, 0.01), runs_to_see(0.01, 0.02)
    (10, 34)
    """
    if deviation == 0:
        return 2
    effect = difference / deviation
    # The normal approximation is at most a few below; the exact number follows it upwards.
    quantiles = stats.norm.ppf(1 - LEVEL / 2) + stats.norm.ppf(POWER)
    number = max(2, math.floor((quantiles / effect) ** 2))
    if number > MAX_RUNS:
        return None
    while detection_power(number, effect) < POWER:
        number += 1
    return number


def factors_of_count(num_folds: int) -> tuple[float, float]:
    """Return by which factors a number of runs may be wrong whose deviation is of so few folds.

    The count goes with the square of the deviation, whose 95 % interval is that of chi-squared.

    >>> [round(factor, 2) for factor in factors_of_count(3)]
    [0.27, 39.5]
    """
    freedom = num_folds - 1
    return (float(freedom / stats.chi2.ppf(0.975, freedom)),
            float(freedom / stats.chi2.ppf(0.025, freedom)))
