"""The numbers of one system: pooled with intervals, and over the folds."""
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.froc_settings import FROCSettings, counted_curve
from mmwindow.evaluation.metric_names import PAPER_METRICS
from mmwindow.evaluation.roc import auroc
from mmwindow.evaluation.statistics.bootstrap import BootstrapResult, bootstrap
from mmwindow.evaluation.statistics.compare import Comparison, compare_systems
from mmwindow.evaluation.statistics.delong import delong_interval
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.evaluation.statistics.resampling import find_units
from mmwindow.experiments.systems import System

METRICS = PAPER_METRICS


@dataclass(frozen=True)
class Summary:
    """One row of a table.

    Attributes:
        name: Of the config.
        label: What the table calls it.
        pooled: Over the images of all folds.
        delong: Of the pooled AUROC; None where there is none.
        folds: Fold -> metric -> number, NaN where there is none.
        paper: Metric -> the paper's number; empty where it has none.
    """

    name: str
    label: str
    pooled: BootstrapResult
    delong: Interval | None
    folds: Mapping[int | None, Mapping[str, float]]
    paper: Mapping[str, float]

    def mean(self, metric: str) -> float:
        """Return the mean over the folds that have a number; NaN where none has."""
        values = self.values(metric)
        return float(np.mean(values)) if values else math.nan

    def spread(self, metric: str) -> float:
        """Return the sample standard deviation over folds; NaN below two."""
        values = self.values(metric)
        return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan

    def values(self, metric: str) -> list[float]:
        """Return the numbers of the folds that have one."""
        return [fold[metric] for fold in self.folds.values() if not math.isnan(fold[metric])]


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
              num_resamples: int = 2000, seed: int = 0) -> Summary:
    """Return the summary of one system.

    Args:
        system: From :func:`~mmwindow.experiments.results.load_systems`.
        label: What the table calls it.
        paper: The paper's numbers.
        num_resamples: Of the bootstrap over patients.
        seed: Of the bootstrap.

    Raises:
        ValueError: 0.1 is none of the budgets: the records hold no recall@0.1.
    """
    settings = system.froc_settings()
    if 0.1 not in settings.budgets:
        raise ValueError(f'{system.name}: its records have the budgets {settings.budgets}; the '
                         'tables report recall at 0.1: test again with it among them')
    pooled = system.pooled
    units = find_units(pooled)
    try:
        delong = delong_interval([event.is_positive for event in pooled],
                                 [event.score for event in pooled], groups=units.index.tolist())
    except ValueError:  # too few of a class: the bootstrap's reasons say so
        delong = None
    return Summary(
        name=system.name, label=label, delong=delong, paper=dict(paper or {}),
        pooled=bootstrap(pooled, settings, num_resamples=num_resamples, seed=seed),
        folds={fold: fold_metrics(events, settings) for fold, events in system.events.items()})


def compare_with(reference: System, systems: Sequence[System], num_resamples: int = 2000,
                 seed: int = 0) -> dict[str, Comparison]:
    """Return the reference compared with each other system, on the same images.

    Args:
        reference: First of each difference.
        systems: The others.
        num_resamples: Of the paired bootstrap.
        seed: Of the bootstrap.

    Returns:
        By name of the other.
    """
    return {system.name: compare_systems(reference.pooled, system.pooled, reference.froc_settings(),
                                         num_resamples=num_resamples, seed=seed)
            for system in systems}
