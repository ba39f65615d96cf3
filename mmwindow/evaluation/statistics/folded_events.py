"""The events of folds, each tested by a model of its own, scored together as the mean over folds."""
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mmwindow.annotations.groups import group_name
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.statistics.bootstrap import has_closed_interval, share_trials
from mmwindow.evaluation.statistics.resampling import (
    Units,
    check_events,
    draw_weights,
    find_units,
)
from mmwindow.evaluation.statistics.table import AUROC
from mmwindow.evaluation.statistics.weighting import WeightedEvents

Fold: TypeAlias = Hashable
Folds: TypeAlias = Mapping[Any, Sequence[ImageEvents]]
FoldStatistics: TypeAlias = dict[Any, dict[str, NDArray[Any]]]  # fold -> statistic -> ``(B,)``


def check_folds(folds: Folds) -> dict[Fold, list[ImageEvents]]:
    """Return folds with their events as lists; reject folds that share an image or a patient.

    Args:
        folds: Test images by fold.

    Raises:
        ValueError: No fold, a fold without image, or an image or a group in two of them; named.
    """
    if not folds:
        raise ValueError('there is no fold; give the test images of each, fold name to events')
    checked = {fold: check_events(events) for fold, events in folds.items()}
    for what in ('image_id', 'group'):
        seen: dict[Any, Fold] = {}
        for fold, events in checked.items():
            for event in events:
                key = group_name(event.group) if what == 'group' else event.image_id
                if key in (None, ''):
                    continue
                if seen.setdefault(key, fold) != fold:
                    raise ValueError(f'{what} {key!r} is in fold {seen[key]!r} and in fold {fold!r}; '
                                     'each is tested once')
    return checked


class FoldedEvents:
    """The events of folds, to be scored under any weights of all their units: the mean over folds.

    What resamples a :class:`~mmwindow.evaluation.statistics.weighting.WeightedEvents` resamples
    folds as well; with ``strata`` each fold keeps its number of units.

    Args:
        folds: From :func:`check_folds`.
        settings: How the FROC is read.

    Attributes:
        units: Of all folds, one after the other.
        strata: ``(U,)`` integers, the fold of each unit.
        estimates: Fold -> statistic -> number, NaN where there is none.
    """

    def __init__(self, folds: Mapping[Fold, Sequence[ImageEvents]], settings: FROCSettings) -> None:
        self.settings = settings
        self.folds = {fold: list(events) for fold, events in folds.items()}
        parts = {fold: find_units(events) for fold, events in self.folds.items()}
        self.tables = {fold: WeightedEvents(events, parts[fold], settings)
                       for fold, events in self.folds.items()}
        sizes = [len(units) for units in parts.values()]
        self.ends = np.cumsum([0, *sizes])
        self.units = Units(
            index=np.concatenate([units.index + start for units, start in
                                  zip(parts.values(), self.ends[:-1], strict=True)]),
            names=[name for units in parts.values() for name in units.names])
        self.strata = np.repeat(np.arange(len(sizes)), sizes)
        self.estimates = {
            fold: {name: float(value[0]) for name, value in
                   table.statistics(np.ones((1, len(parts[fold])), np.int32)).items()}
            for fold, table in self.tables.items()}

    def counted_folds(self, name: str) -> list[Fold]:
        """Return the folds that have a number of a statistic."""
        return [fold for fold, values in self.estimates.items() if not np.isnan(values[name])]

    def statistics(self, weights: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return the mean over folds of each statistic under each weighting.

        Args:
            weights: ``(B, U)`` int32, at least 0: how often each unit is there.

        Returns:
            dict[str, ndarray]: ``(B,)`` float64. Folds that have no number of a statistic before
            any resampling do not count; NaN where a weighting leaves another one without.
        """
        return self.means(self.fold_statistics(weights))

    def fold_statistics(self, weights: NDArray[Any]) -> FoldStatistics:
        """Return the statistics of each fold, ``(B,)``, under weights as in :meth:`statistics`."""
        return {fold: table.statistics(weights[:, start:stop]) for (fold, table), start, stop in
                zip(self.tables.items(), self.ends[:-1], self.ends[1:], strict=True)}

    def means(self, statistics: FoldStatistics) -> dict[str, NDArray[Any]]:
        """Return the mean over the folds that count of each statistic."""
        result = {}
        for name in self.settings.names:
            counted = [statistics[fold][name] for fold in self.counted_folds(name)]
            size = len(next(iter(statistics.values()))[name])
            result[name] = np.mean(counted, axis=0) if counted else np.full(size, np.nan)
        return result

    def resample(self, num_resamples: int, seed: int) -> FoldStatistics:
        """Return the statistics of each fold in resamples of its units, ``(num_resamples,)``."""
        blocks = [self.fold_statistics(weights) for weights in draw_weights(
            self.strata, num_resamples, np.random.default_rng(seed))]
        return {fold: {name: np.concatenate([block[fold][name] for block in blocks])
                       for name in self.settings.names} for fold in self.folds}

    @property
    def unit_index(self) -> NDArray[Any]:
        """``(N,)``, the unit of each image."""
        return self.units.index

    @property
    def num_units(self) -> int:
        """Units of all folds."""
        return len(self.units)

    def carriers(self, name: str, fold: Fold) -> int:
        """Return how many units of a fold carry a statistic: of a share of points those with one."""
        table = self.tables[fold]
        if name == AUROC or not has_closed_interval(name):
            return table.num_units
        return int((share_trials(name).of(table) > 0).sum())

    def counted_units(self, name: str) -> int:
        """Return how many units the folds have that have a number of a statistic."""
        return sum(self.tables[fold].num_units for fold in self.counted_folds(name))

    def free_units(self, name: str) -> int:
        """Return how many units of one fold tell a variance as well: each further fold costs one."""
        return self.counted_units(name) - len(self.counted_folds(name)) + 1

    @property
    def events(self) -> list[ImageEvents]:
        """The events of all folds."""
        return [event for events in self.folds.values() for event in events]

    @property
    def unit_points(self) -> NDArray[Any]:
        """``(U,)``, points of each unit."""
        return np.concatenate([table.unit_points for table in self.tables.values()])

    @property
    def unit_positives(self) -> NDArray[Any]:
        """``(U,)``, images with a finding of each unit."""
        return np.concatenate([table.unit_positives for table in self.tables.values()])

    def class_units(self) -> list[int]:
        """Return how many units have a positive image, and how many a negative one."""
        counts = [table.class_units() for table in self.tables.values()]
        return [sum(count[side] for count in counts) for side in (0, 1)]
