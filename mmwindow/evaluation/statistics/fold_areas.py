"""The mean AUROC over folds: DeLong's variance within each fold, its interval and its paired test."""
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmwindow.evaluation.events.targets import Floats
from mmwindow.evaluation.roc import auroc
from mmwindow.evaluation.statistics.delong import (
    DeLongEstimate,
    DeLongTest,
    blend_ends,
    compare_areas,
    delong_covariance,
)
from mmwindow.evaluation.statistics.few_units import few_units_note, join_notes
from mmwindow.evaluation.statistics.folded_events import Fold, FoldedEvents
from mmwindow.evaluation.statistics.intervals import (
    Interval,
    hanley_mcneil_variance,
    score_ends,
    t_quantile,
)
from mmwindow.evaluation.statistics.table import AUROC
from mmwindow.utils.messages import count_words


@dataclass(frozen=True)
class MeanArea:
    """The mean AUROC of one system over folds.

    Attributes:
        area: The mean.
        class_units: ``(K, 2)``, patients with a positive image and with a negative one of each fold.
        variances: ``(K,)``, DeLong's of each fold; NaN where it has a single patient of a kind.
        carriers: ``(K,)``, how many patients each rests on.
    """

    area: float
    class_units: Floats
    variances: Floats
    carriers: Floats

    def model_variance(self, area: float) -> float:
        """Return the variance of the mean for a true area, in Newcombe's form (one fold: his)."""
        return float(sum(hanley_mcneil_variance(area, *units) for units in self.class_units)
                     / len(self.class_units) ** 2)

    def variance(self) -> float:
        """Return the variance of the mean, from the folds'; one without its own has the model's."""
        known = ~np.isnan(self.variances)
        missing = sum(hanley_mcneil_variance(self.area, *units) for units in self.class_units[~known])
        return float((np.maximum(self.variances[known], 0.).sum() + missing)
                     / len(self.class_units) ** 2)

    def weight(self) -> float:
        """Return how many patients the variance rests on, as of one fold."""
        counted = self.carriers > 0
        own, carriers = self.variances[counted], self.carriers[counted]
        return float(own.sum() ** 2 / (own ** 2 / carriers).sum()) if own.sum() > 0 else 0.


def find_mean_area(table: FoldedEvents) -> MeanArea:
    """Return the mean AUROC of the folds that have one."""
    counted = table.counted_folds(AUROC)
    variances, carriers = [], []
    for fold in counted:
        try:
            estimate = fold_estimate([table], fold)
        except ValueError:  # a single patient of a kind
            variances.append(np.nan)
            carriers.append(0.)
        else:
            variances.append(float(estimate.covariance[0, 0]))
            carriers.append(float(estimate.carriers[0]))
    return MeanArea(float(np.mean([table.estimates[fold][AUROC] for fold in counted])),
                    np.array([table.tables[fold].class_units() for fold in counted], float),
                    np.array(variances), np.array(carriers))


def fold_estimate(systems: Sequence[FoldedEvents], fold: Fold) -> DeLongEstimate:
    """Return DeLong's estimate of systems in one fold, by patient.

    Raises:
        ValueError: It has fewer than two patients of a kind.
    """
    events = systems[0].folds[fold]
    return delong_covariance(
        [bool(event.is_positive) for event in events],
        [[event.score for event in system.folds[fold]] for system in systems],
        systems[0].tables[fold].unit_index.tolist())


def mean_area_interval(table: FoldedEvents, level: float) -> Interval | None:
    """Return the interval of the mean AUROC, on the logit scale; None below two patients of a kind.

    Of one fold it is that of :func:`~mmwindow.evaluation.statistics.delong.delong_interval`.
    """
    return _mean_interval(find_mean_area(table), table.counted_units(AUROC), level)


@dataclass(frozen=True)
class ScoredFold:
    """The test images of one fold, of which scores alone are known.

    Attributes:
        labels: ``(N,)`` bool.
        scores: ``(N,)``.
        groups: ``(N,)``, the patient of each image.
    """

    labels: Floats
    scores: Floats
    groups: Sequence[int | str]


def scored_area_interval(folds: Sequence[ScoredFold], level: float) -> Interval | None:
    """Return what :func:`mean_area_interval` does, without events; folds share no patient.

    None also where no fold has images of both kinds.
    """
    areas, class_units, variances, carriers, counted_units = [], [], [], [], 0
    for fold in folds:
        labels, groups = np.asarray(fold.labels, bool), np.asarray(fold.groups)
        if labels.all() or not labels.any():
            continue
        units = [len(np.unique(groups[side])) for side in (labels, ~labels)]
        variance, carrier = np.nan, 0.
        if min(units) > 1:
            estimate = delong_covariance(labels, [fold.scores], groups.tolist())
            variance, carrier = float(estimate.covariance[0, 0]), float(estimate.carriers[0])
        areas.append(auroc(labels, fold.scores))
        class_units.append(units)
        variances.append(variance)
        carriers.append(carrier)
        counted_units += len(np.unique(groups))
    if not areas:
        return None
    return _mean_interval(MeanArea(float(np.mean(areas)), np.array(class_units, float),
                                   np.array(variances), np.array(carriers)), counted_units, level)


def _mean_interval(mean: MeanArea, counted_units: int, level: float) -> Interval | None:
    """Return the interval of a mean AUROC.

    Args:
        mean: Of the folds that have an AUROC.
        counted_units: Patients of these folds.
        level: Of the interval.
    """
    few = int(mean.class_units.sum(axis=0).min())
    if few < 2 or len(mean.variances) == 1 and np.isnan(mean.variances[0]):
        return None
    # Each further fold costs a degree of freedom (FoldedEvents.free_units).
    quantile = t_quantile(level, counted_units - len(mean.variances) + 1)
    note = few_units_note(counted_units, few, 'of one kind')
    if np.isnan(mean.variances).any():
        number = count_words(int(np.isnan(mean.variances).sum()), 'fold has', 'folds have')
        note = join_notes(f'{number} a single patient of a kind, and so no variance of their own',
                          note)
    ends = blend_ends(mean.area, mean.variance(), mean.weight(),
                      score_ends(mean.area, mean.model_variance, quantile), quantile)
    return Interval(mean.area, ends.low, ends.high, level, 'delong_blended', note)


def compare_mean_areas(first: FoldedEvents, second: FoldedEvents, level: float) -> DeLongTest:
    """Compare the mean AUROCs of two systems on the same images, fold by fold and in one order.

    Folds share no patient, so that covariances add up.

    Raises:
        ValueError: A fold has fewer than two patients of a kind, or no fold has an AUROC.
    """
    counted = first.counted_folds(AUROC)
    if not counted:
        raise ValueError('AUROC compares images with and without findings; no fold has both')
    estimates = [fold_estimate([first, second], fold) for fold in counted]
    test = compare_areas(DeLongEstimate(
        areas=np.mean([estimate.areas for estimate in estimates], axis=0),
        covariance=np.mean([estimate.covariance for estimate in estimates], axis=0) / len(counted),
        num_positives=sum(estimate.num_positives for estimate in estimates),
        num_normals=sum(estimate.num_normals for estimate in estimates),
        positive_units=sum(estimate.positive_units for estimate in estimates),
        normal_units=sum(estimate.normal_units for estimate in estimates),
        num_units=first.free_units(AUROC), carriers=np.zeros(2)), level)
    one, other = (mean_area_interval(table, level) for table in (first, second))
    return test if one is None or other is None else replace(test, first=one, second=other)
