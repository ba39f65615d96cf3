"""One setting of one system, trained and validated, and how it compares with others."""
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.records import read_record
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.metric_names import PAPER_METRICS
from mmwindow.evaluation.statistics.fold_comparison import compare_over_folds
from mmwindow.evaluation.statistics.folds import mean_over_folds
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.experiments.plan import RunPlan
from mmwindow.experiments.run_state import read_result
from mmwindow.experiments.summaries import Difference, find_differences
from mmwindow.experiments.worker import RECORDS

COMPARED = ('auroc', 'froc_score')  # what the choice is made by


@dataclass(frozen=True)
class Candidate:
    """One setting of one system, trained and validated.

    Attributes:
        system: Name of the config.
        setting: Name of the setting.
        metrics: Of the validation split at its best epoch, over folds their mean; None where there
            is no number.
        result: Content of ``result.json``, of the first fold.
        events: Fold -> validation images; empty where they are of several classes.
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


def read_candidate(setting: str, plans: Sequence[RunPlan]) -> Candidate:
    """Return what finished runs of one setting of one system give on validation.

    Args:
        setting: Its name.
        plans: One for each fold, or the single one.

    Raises:
        ValueError: A patient is in the validation images of two folds.
    """
    results = [read_result(plan.folder) or {} for plan in plans]
    metrics: dict[str, float | None] = {}
    for name in (f'froc/{metric}' for metric in PAPER_METRICS):
        values = [result['validation_metrics'][name] for result in results]
        known = [value for value in values if value is not None]
        metrics[name] = sum(known) / len(known) if known else None
    records = {plan.fold: read_record(plan.folder / RECORDS['val']) for plan in plans}
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
