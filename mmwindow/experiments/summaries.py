"""The numbers of one system: pooled with intervals, and over the folds."""
import math
from dataclasses import dataclass

import numpy as np

from mmwindow.evaluation.froc_settings import counted_curve
from mmwindow.evaluation.metric_names import PAPER_METRICS
from mmwindow.evaluation.roc import auroc
from mmwindow.evaluation.statistics.bootstrap import BootstrapResult, bootstrap
from mmwindow.evaluation.statistics.compare import compare_systems
from mmwindow.evaluation.statistics.delong import delong_interval
from mmwindow.evaluation.statistics.resampling import find_units

METRICS = PAPER_METRICS


@dataclass(frozen=True)
class Summary:
    """One row of a table.

    Attributes:
        name (str): Of the config.
        label (str): What the table calls it.
        pooled (BootstrapResult): Over the images of all folds.
        delong (Interval): Of the pooled AUROC; None where there is none.
        folds (dict): fold -> metric -> number, NaN where there is none.
        paper (dict): metric -> the paper's number; empty where it has none.
    """

    name: str
    label: str
    pooled: BootstrapResult
    delong: object
    folds: dict
    paper: dict

    def mean(self, metric):
        """Return the mean over the folds that have a number; NaN where none has."""
        values = self.values(metric)
        return float(np.mean(values)) if values else math.nan

    def spread(self, metric):
        """Return the sample standard deviation over folds; NaN below two."""
        values = self.values(metric)
        return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan

    def values(self, metric):
        """Return the numbers of the folds that have one."""
        return [fold[metric] for fold in self.folds.values() if not math.isnan(fold[metric])]


def fold_metrics(events, reading):
    """Return AUROC, recall@0.1 and FROC score of the images of one fold.

    Args:
        events (Sequence[ImageEvents]): One per image.
        reading (FROCSettings): Budgets, convention, denominator.

    Returns:
        dict[str, float]: NaN where there is no number: one kind of image, or no point.
    """
    labels = [event.is_positive for event in events]
    area = auroc(labels, [event.score for event in events]) if 0 < sum(labels) < len(labels) else (
        math.nan)
    curve = counted_curve(events, reading)
    return {'auroc': area, 'recall@0.1': curve.recall_at(0.1, reading.convention),
            'froc_score': curve.score(reading.budgets, reading.convention)}


def summarise(system, label, paper=None, num_resamples=2000, seed=0):
    """Return the summary of one system.

    Args:
        system (System): From :func:`~mmwindow.experiments.results.load_systems`.
        label (str): What the table calls it.
        paper (dict, optional): The paper's numbers.
        num_resamples, seed (int): Of the bootstrap over patients.

    Raises:
        ValueError: 0.1 is none of the budgets: the records hold no recall@0.1.
    """
    reading = system.reading()
    if 0.1 not in reading.budgets:
        raise ValueError(f'{system.name}: its records have the budgets {reading.budgets}; the tables '
                         'report recall at 0.1: test again with it among them')
    pooled = system.pooled
    units = find_units(pooled)
    try:
        delong = delong_interval([event.is_positive for event in pooled],
                                 [event.score for event in pooled], groups=units.index.tolist())
    except ValueError:  # too few of a class: the bootstrap's reasons say so
        delong = None
    return Summary(
        name=system.name, label=label, delong=delong, paper=dict(paper or {}),
        pooled=bootstrap(pooled, reading, num_resamples=num_resamples, seed=seed),
        folds={fold: fold_metrics(events, reading) for fold, events in system.events.items()})


def compare_with(reference, systems, num_resamples=2000, seed=0):
    """Return the reference compared with each other system, on the same images.

    Args:
        reference (System): First of each difference.
        systems (Sequence[System]): The others.
        num_resamples, seed (int): Of the paired bootstrap.

    Returns:
        dict[str, Comparison]: By name of the other.
    """
    return {system.name: compare_systems(reference.pooled, system.pooled, reference.reading(),
                                         num_resamples=num_resamples, seed=seed)
            for system in systems}
