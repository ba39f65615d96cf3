"""One setting of one system, trained and judged, and how it compares with others."""
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.records import read_record
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.metric_names import PAPER_METRICS
from mmwindow.evaluation.statistics.fold_comparison import compare_over_folds
from mmwindow.evaluation.statistics.folds import mean_over_folds
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.experiments.plan import RunPlan
from mmwindow.experiments.run_state import read_result
from mmwindow.experiments.summaries import Difference, find_differences, fold_metrics
from mmwindow.experiments.worker import RECORDS

COMPARED = ('auroc', 'froc_score')  # what the choice is made by
VISIBLE = 0.01  # a difference worth seeing
POWER_FACTOR = 1.96 + 0.84  # normal quantiles of .975 and .8


@dataclass(frozen=True)
class Candidate:
    """One setting of one system, trained and judged on held-out images.

    Attributes:
        system: Name of the config.
        setting: Name of the setting.
        metrics: Of the held-out images, over folds their mean; None where there is no number.
        result: Content of ``result.json``, of the first fold.
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
        ValueError: A patient is in the held-out images of two folds.
    """
    numbers = dict(val='validation_metrics', test='metrics')[split]
    results = [read_result(plan.folder) or {} for plan in plans]
    metrics: dict[str, float | None] = {}
    for name in (f'froc/{metric}' for metric in PAPER_METRICS):
        values = [result[numbers][name] for result in results]
        known = [value for value in values if value is not None]
        metrics[name] = sum(known) / len(known) if known else None
    records = {plan.fold: read_record(plan.folder / RECORDS[split]) for plan in plans}
    first = next(iter(records.values()))
    if len(first.classes) > 1:
        return Candidate(plans[0].system, setting, metrics, results[0])
    events = {fold: record.events() for fold, record in records.items()}
    settings = FROCSettings.from_record(first.settings)
    found = mean_over_folds(events, settings)
    return Candidate(plans[0].system, setting, metrics, results[0], events, settings,
                     {f'froc/{name}': found.intervals.get(name) for name in PAPER_METRICS})


def compare_candidates(chosen: Candidate, others: Sequence[Candidate]
                       ) -> dict[str, dict[str, Difference]]:
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
    return find_differences(comparisons, COMPARED)


class FoldSpread(NamedTuple):
    """How a paired difference varies over folds.

    Attributes:
        deviation: Standard deviation of the folds' differences; None with one fold.
        num_runs: Trainings of each setting that would show a difference of :data:`VISIBLE`.
    """

    deviation: float | None
    num_runs: int | None


def spread_of_difference(reference: Candidate, other: Candidate, metric: str) -> FoldSpread:
    """Return how the difference of two settings varies over folds, and how many runs would tell.

    A fold's difference varies with its images and with the chances of both trainings. With s their
    standard deviation, n runs of each setting show a true difference d with a power of 80 % in a
    two-sided test at 5 % where ``n = ((1.96 + 0.84) s / d)^2`` (normal approximation). Of few folds s
    itself is known badly: of three its 95 % interval reaches from half of it to six times as much.

    Args:
        reference, other: Over the same folds.
        metric: 'auroc' or 'froc_score'.
    """
    if reference.froc_settings is None or len(reference.events) < 2:
        return FoldSpread(None, None)
    differences = [
        fold_metrics(other.events[fold], reference.froc_settings)[metric]
        - fold_metrics(events, reference.froc_settings)[metric]
        for fold, events in reference.events.items()]
    if any(map(math.isnan, differences)):
        return FoldSpread(None, None)
    deviation = statistics.stdev(differences)
    return FoldSpread(deviation, max(2, math.ceil((POWER_FACTOR * deviation / VISIBLE) ** 2)))
