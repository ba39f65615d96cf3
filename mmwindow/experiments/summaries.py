"""The numbers of one system: the mean over its folds with intervals, and the pooled images second."""
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.froc_settings import FROCSettings, counted_curve
from mmwindow.evaluation.metric_names import PAPER_METRICS
from mmwindow.evaluation.roc import auroc
from mmwindow.evaluation.statistics.bootstrap import DEFAULT_RESAMPLES
from mmwindow.evaluation.statistics.compare import Comparison
from mmwindow.evaluation.statistics.fold_comparison import compare_over_folds
from mmwindow.evaluation.statistics.folds import (
    FoldResult,
    mean_over_folds,
    pooling_warnings,
)
from mmwindow.evaluation.statistics.holm import Name, holm_by_name
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.evaluation.statistics.table import AUROC
from mmwindow.experiments.systems import System

METRICS = PAPER_METRICS


@dataclass(frozen=True)
class Summary:
    """One row of a table.

    Attributes:
        name: Of the config.
        label: What the table calls it.
        mean: The headline: the mean over folds; of one split, its numbers.
        pooled: The images of all folds together; None where there is one split.
        paper: Metric -> the paper's number; empty where it has none.
    """

    name: str
    label: str
    mean: FoldResult
    pooled: FoldResult | None
    paper: Mapping[str, float]

    @property
    def warnings(self) -> list[str]:
        """Where the pooled numbers differ from the headline by more than .01."""
        if self.pooled is None:
            return []
        return pooling_warnings({metric: self.mean.estimates[metric] for metric in METRICS},
                                self.pooled.estimates)


class Difference(NamedTuple):
    """One statistic of the reference minus that of another system.

    Attributes:
        interval: Of the difference; None where there is no number.
        p_value: Of this comparison alone; None where there is none.
        p_holm: Corrected for the comparisons of the statistic with all other systems.
    """

    interval: Interval | None
    p_value: float | None
    p_holm: float | None


def fold_metrics(events: Sequence[ImageEvents], settings: FROCSettings) -> dict[str, float]:
    """Return AUROC, recall@0.1 and FROC score of the images of one fold.

    Args:
        events: One per image.
        settings: Budgets, convention, denominator.

    Returns:
        NaN where there is no number: one kind of image, or no point.
    """
    labels = [event.is_positive for event in events]
    area = auroc(labels, [event.score for event in events]) if 0 < sum(labels) < len(labels) else (
        math.nan)
    curve = counted_curve(events, settings)
    return {'auroc': area, 'recall@0.1': curve.recall_at(0.1, settings.convention),
            'froc_score': curve.score(settings.budgets, settings.convention)}


def summarise(system: System, label: str, paper: Mapping[str, float] | None = None,
              num_resamples: int = DEFAULT_RESAMPLES, seed: int = 0) -> Summary:
    """Return the summary of one system.

    Args:
        system: From :func:`~mmwindow.experiments.results.load_systems`.
        label: What the table calls it.
        paper: The paper's numbers.
        num_resamples: Of the bootstrap over patients within folds.
        seed: Of the bootstrap.

    Raises:
        ValueError: 0.1 is none of the budgets: the records hold no recall@0.1; or a patient is in
            two folds.
    """
    settings = system.froc_settings()
    if 0.1 not in settings.budgets:
        raise ValueError(f'{system.name}: its records have the budgets {settings.budgets}; the '
                         'tables report recall at 0.1: test again with it among them')
    how = (settings, num_resamples, seed)
    try:
        mean = mean_over_folds(system.events, *how)
    except ValueError as error:
        raise ValueError(f'{system.name}: {error}') from error
    return Summary(
        name=system.name, label=label, mean=mean, paper=dict(paper or {}),
        pooled=mean_over_folds({None: system.pooled}, *how) if len(system.events) > 1 else None)


def compare_with(reference: System, systems: Sequence[System],
                 num_resamples: int = DEFAULT_RESAMPLES, seed: int = 0) -> dict[str, Comparison]:
    """Return the reference compared with each other system, on the same images fold by fold.

    Args:
        reference: First of each difference.
        systems: The others.
        num_resamples: Of the paired bootstrap.
        seed: Of the bootstrap.

    Returns:
        By name of the other.
    """
    return {system.name: compare_over_folds(reference.events, system.events,
                                            reference.froc_settings(), num_resamples, seed)
            for system in systems}


def find_differences(comparisons: Mapping[Name, Comparison], metrics: Sequence[str] = METRICS
                     ) -> dict[Name, dict[str, Difference]]:
    """Return system -> metric -> difference, with p-values corrected over all that are given.

    AUROC: DeLong's interval and test; all else: the paired bootstrap's.

    Args:
        comparisons: From :func:`compare_with`, or of several parts of the images, named by both.
        metrics: Which; each is a family of its own.
    """
    result: dict[Name, dict[str, Difference]] = {name: {} for name in comparisons}
    for metric in metrics:
        found: dict[Name, tuple[Interval | None, float | None]] = {}
        for name, comparison in comparisons.items():
            found[name] = comparison.differences[metric], comparison.p_values[metric]
            if metric == AUROC:
                test = comparison.delong
                found[name] = (None, None) if test is None else (test.difference, test.p_value)
        corrected = holm_by_name({name: p_value for name, (_, p_value) in found.items()})
        for name, (interval, p_value) in found.items():
            result[name][metric] = Difference(interval, p_value, corrected[name])
    return result
