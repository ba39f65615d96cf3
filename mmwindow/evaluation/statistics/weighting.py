"""Scores of a data set under any weighting of its patients, thousands of weightings at once.

A resample with replacement is an integer weight for each unit (patient). All events
are sorted once; under a weighting the FROC is then a cumulative sum, and the sweep ends
where every resample of a block has spent the largest budget. Each value equals exactly
what :func:`~mmwindow.evaluation.froc_curve` and :func:`~mmwindow.evaluation.auroc` give
for the images repeated so often.
"""
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.statistics.resampling import Units
from mmwindow.evaluation.statistics.scored_images import ScoredImages
from mmwindow.evaluation.statistics.table import Statistic, find_rows

CHUNK = 4096  # events swept at a time: with 64 resamples they stay in a core's cache


@dataclass(frozen=True)
class Crossings:
    """Where counts of false positives cross limits.

    Attributes:
        index: ``(B, budgets)``, the level of the FP events that ends the
            stretch; the number of levels where none does.
        before, at: ``(B, budgets)``, the count just above that level and at it
            (of the convention 'first_crossing' and 'interpolated' only).
    """
    index: NDArray[Any]
    before: NDArray[Any]
    at: NDArray[Any]


class EventTable(Protocol):
    """What is resampled: a :class:`WeightedEvents`, or several of them as folds."""

    @property
    def events(self) -> list[ImageEvents]:
        """One per image."""

    @property
    def unit_index(self) -> NDArray[Any]:
        """``(N,)``, the unit of each image."""

    @property
    def unit_points(self) -> NDArray[Any]:
        """``(U,)``, points of each unit."""

    @property
    def unit_positives(self) -> NDArray[Any]:
        """``(U,)``, images with a finding of each unit."""

    @property
    def num_units(self) -> int:
        """How many units there are."""

    def statistics(self, weights: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return each statistic, ``(B,)``, under weights ``(B, U)`` of the units."""

    def class_units(self) -> list[int]:
        """Return how many units have a positive image, and how many a negative one."""


class WeightedEvents:
    """The events of one system, sorted once, to be scored under any weights of its units.

    Args:
        events: One per image, negative images included.
        units: From :func:`find_units`.
        settings: How the FROC is read.

    Raises:
        ValueError: The convention 'best' on events that have a floor: it needs all of them.
    """

    def __init__(self, events: Sequence[ImageEvents], units: Units, settings: FROCSettings) -> None:
        self.settings = settings
        floors = [event.floor for event in events if event.floor is not None]
        self.floor = max(floors, default=-np.inf)
        if floors and settings.convention == 'best':
            raise ValueError("the convention 'best' depends on every threshold, but the events are "
                             f'known down to {self.floor} only; make them without a floor')
        self.events, self.unit_index = list(events), units.index
        self.num_units = num_units = len(units)
        positive = np.array([bool(event.is_positive) for event in events])
        scores = np.array([event.score for event in events], dtype=np.float64)
        points = np.array([event.num_points for event in events])
        counted = np.ones(len(events), bool) if settings.fp_denominator == 'all' else ~positive
        self.unit_points = np.bincount(units.index, weights=points,
                                       minlength=num_units).astype(np.int64)
        self.unit_positives = np.bincount(units.index[positive], minlength=num_units)
        self.unit_images = np.bincount(units.index[counted], minlength=num_units)
        self._sort_scores(units.index, positive, scores)
        self._sort_hits(events, units.index)
        self._sort_false_positives(events, units.index, counted)

    def _sort_scores(self, unit: NDArray[Any], positive: NDArray[Any], scores: NDArray[Any]) -> None:
        """Place each positive among the sorted negative images."""
        order = np.flatnonzero(~positive)[np.argsort(scores[~positive], kind='stable')]
        self.normal_unit, self.positive_unit = unit[order], unit[positive]
        self.num_below = np.searchsorted(scores[order], scores[positive], 'left')
        self.num_not_above = np.searchsorted(scores[order], scores[positive], 'right')

    def _sort_hits(self, events: Sequence[ImageEvents], unit: Any) -> None:
        """Sort the changes of the number of points recalled, the highest level first."""
        pairs = [event.recall_events() for event in events]
        levels = np.concatenate([levels for levels, _ in pairs]).astype(np.float64)
        changes = np.concatenate([changes for _, changes in pairs])
        owner = np.repeat(unit, [len(levels) for levels, _ in pairs])
        order = np.argsort(-levels, kind='stable')
        order = order[levels[order] >= self.floor]
        self.hit_levels, self.hit_unit = levels[order], owner[order]
        self.hit_changes = changes[order].astype(np.int32)
        self.hits_are_nested = not (self.hit_changes < 0).any()

    def _sort_false_positives(self, events: Sequence[ImageEvents], unit: Any, counted: Any) -> None:
        """Sort the changes of the number of false positives, one per unit and level."""
        kept = [event for event, inside in zip(events, counted, strict=True) if inside]
        levels = np.concatenate([[], *(event.fp_levels for event in kept)])
        changes = np.concatenate([[], *(event.fp_changes for event in kept)])
        owner = np.repeat(unit[counted], [len(event.fp_levels) for event in kept])
        known = levels >= self.floor
        levels, changes, owner = levels[known], changes[known], owner[known]
        negated, level = np.unique(-levels.astype(np.float64), return_inverse=True)
        num_units = int(unit.max()) + 1
        pairs, pair = np.unique(level.reshape(-1) * num_units + owner, return_inverse=True)
        changes = np.bincount(pair.reshape(-1), weights=changes, minlength=len(pairs))
        pairs, changes = pairs[changes != 0], changes[changes != 0]
        level, self.fp_unit = np.divmod(pairs, num_units)
        self.fp_changes = changes.astype(np.int32)
        self.level_ends = np.flatnonzero(np.append(np.diff(level), 1)) if len(level) else level
        self.fp_levels = fp_levels = -negated[level[self.level_ends]]
        # The points recalled strictly above each level, and at it; beyond the last, all.
        self.hits_above = np.append(np.searchsorted(-self.hit_levels, -fp_levels, 'left'),
                                    len(self.hit_levels))
        self.hits_at = np.append(np.searchsorted(-self.hit_levels, -fp_levels, 'right'),
                                 len(self.hit_levels))

    def statistics(self, weights: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return each statistic under each weighting.

        Args:
            weights: ``(B, U)`` int32, at least 0: how often each unit is there.

        Returns:
            dict[str, ndarray]: ``(B,)`` float64 for each name of the settings; NaN where a
            weighting leaves one class, no point or no image to count on.
        """
        scores, result = WeightedScores(self, weights), {}
        rows = find_rows(self.settings.statistics)
        unweighted = self._repeated_values([row for row in rows if row.weighted is None], weights)
        for row in rows:
            names = row.names(self.settings.budgets)
            if row.weighted is None:
                result.update({name: unweighted[name] for name in names})
            else:
                values = row.weighted(scores)
                result.update(zip(names, values.T if row.per_budget else [values], strict=True))
        return result

    def _repeated_values(self, rows: Sequence[Statistic], weights: NDArray[Any]
                         ) -> dict[str, NDArray[Any]]:
        """Return statistics of the images repeated as often as weights say, ``(B,)`` by name."""
        names = [name for row in rows for name in row.names(self.settings.budgets)]
        result = {name: np.full(len(weights), np.nan) for name in names}
        if not rows:
            return result
        for number, weighting in enumerate(weights):
            places = np.repeat(np.arange(len(self.events)), weighting[self.unit_index])
            images = ScoredImages([self.events[place] for place in places], self.settings)
            for row in rows:
                for name, value in row.values(images).items():
                    result[name][number] = value
        return result

    def class_units(self) -> list[int]:
        """Return how many units have a positive image, and how many a normal one."""
        return [len(np.unique(unit)) for unit in (self.positive_unit, self.normal_unit)]

    def aurocs(self, weights: NDArray[np.int32]) -> NDArray[Any]:
        """Return ``(B,)``, the AUROC under each weighting; ties count half."""
        below = np.zeros((len(weights), len(self.normal_unit) + 1), dtype=np.int64)
        np.cumsum(np.take(weights, self.normal_unit, axis=1), axis=1, out=below[:, 1:])
        positives = np.take(weights, self.positive_unit, axis=1).astype(np.int64)
        doubled = np.take(below, self.num_below, axis=1)
        doubled += np.take(below, self.num_not_above, axis=1)
        wins = np.einsum('ij,ij->i', positives, doubled) / 2
        with np.errstate(invalid='ignore'):
            return np.asarray(wins / (positives.sum(axis=1) * below[:, -1]))

    def recalls(self, weights: NDArray[np.int32]) -> NDArray[Any]:
        """Return ``(B, budgets)``, the recall at each budget under each weighting."""
        settings = self.settings
        images, points = weights @ self.unit_images, weights @ self.unit_points
        limits = np.multiply.outer(images, settings.budgets) + 1e-9  # as in FROCCurve.crossing
        hits = np.zeros((len(weights), len(self.hit_levels) + 1), dtype=np.int64)
        np.cumsum(np.take(weights, self.hit_unit, axis=1) * self.hit_changes, axis=1,
                  out=hits[:, 1:])
        if settings.convention == 'best' and not self.hits_are_nested:
            return self._best_recalls(weights, hits, limits, images, points)
        found = self.find_crossings(weights, np.floor(limits).astype(np.int64))
        self._check_known(found)
        rows = np.arange(len(weights))[:, None]
        with np.errstate(invalid='ignore', divide='ignore'):
            recall = hits[rows, self.hits_above[found.index]] / points[:, None].astype(float)
            if settings.convention == 'interpolated':
                crossed = found.index < len(self.level_ends)
                at = hits[rows, self.hits_at[found.index]] / points[:, None].astype(float)
                rate, rate_at = found.before / images[:, None], found.at / images[:, None]
                weight = np.maximum(np.array(settings.budgets) - rate, 0) / (rate_at - rate)
                recall = np.where(crossed, recall + weight * (at - recall), recall)
        recall[images == 0] = np.nan
        return np.asarray(recall)

    def _best_recalls(self, weights: NDArray[Any], hits: NDArray[Any], limits: NDArray[Any],
                      images: NDArray[Any], points: NDArray[Any]) -> NDArray[Any]:
        """Return the highest recall at any threshold within each limit, where recall can fall.

        Args:
            weights: ``(B, U)``.
            hits: ``(B, H + 1)``, running number of recalled points.
            limits: ``(B, budgets)``; a count above exceeds it.
            images, points: ``(B,)``, of each weighting.
        """
        fp_levels = np.repeat(self.fp_levels, np.diff(self.level_ends, prepend=-1))
        negated = np.unique(-np.concatenate([fp_levels, self.hit_levels]))
        fps_at = np.searchsorted(-fp_levels, negated, 'right')
        hits_at = np.searchsorted(-self.hit_levels, negated, 'right')
        best = np.zeros(limits.shape)
        for row, weighting in enumerate(weights):  # one at a time: there may be many levels
            counts = np.append(0, np.cumsum(weighting[self.fp_unit] * self.fp_changes))[fps_at]
            found = hits[row, hits_at]
            for number, limit in enumerate(limits[row]):
                best[row, number] = found[counts <= limit].max(initial=0)
        with np.errstate(invalid='ignore', divide='ignore'):
            recall = best / points[:, None]
        recall[images == 0] = np.nan
        return np.asarray(recall)

    def _check_known(self, found: Any) -> None:
        """Reject a resample that comes to the floor with a budget unspent."""
        unspent = (found.index == len(self.level_ends)).any(axis=1)
        if self.floor > -np.inf and unspent.any():
            raise ValueError(
                f'{int(unspent.sum())} of {len(unspent)} resamples have not spent the budgets '
                f'{self.settings.budgets} at the floor {self.floor} of the events: what comes below '
                'matters to them. Make the events without a floor, or prune them for budgets '
                'several times as large')

    def find_crossings(self, weights: NDArray[Any], limits: NDArray[Any]) -> Crossings:
        """Return where the number of false positives first exceeds each limit.

        With the convention 'best' instead: where the lowest stretch of thresholds that
        keeps to the limit ends.

        Args:
            weights: ``(B, U)``.
            limits: ``(B, budgets)`` integers; a count above exceeds it.

        Returns:
            Crossings
        """
        best = self.settings.convention == 'best'
        num_levels, shape = len(self.level_ends), limits.shape
        # No level passed yet: the stretch above all levels keeps to any limit.
        found = Crossings(np.full(shape, 0 if best else num_levels), np.zeros(shape, np.int64),
                          np.zeros(shape, np.int64))
        last = np.zeros(len(weights), dtype=np.int64)
        start_level = 0
        while start_level < num_levels:
            start = self.level_ends[start_level - 1] + 1 if start_level else 0
            # Up to the last level that ends within the chunk, but at least one level.
            stop_level = max(int(np.searchsorted(self.level_ends, start + CHUNK)), start_level + 1)
            stop = self.level_ends[stop_level - 1] + 1
            counts = np.take(weights, self.fp_unit[start:stop], axis=1)
            counts *= self.fp_changes[start:stop]
            np.cumsum(counts, axis=1, out=counts)
            if stop - start > stop_level - start_level:  # several units share a level
                counts = np.take(counts, self.level_ends[start_level:stop_level] - start, axis=1)
            counts += last[:, None].astype(counts.dtype)
            if best:
                self._find_last_allowed(counts, limits, start_level, found)
            elif self._find_first_excess(counts, limits, start_level, last, found):
                break
            last = counts[:, -1].astype(np.int64)
            start_level = stop_level
        return found

    def _find_first_excess(self, counts: Any, limits: Any, start_level: Any, last: Any, found: Any
                          ) -> bool:
        """Enter the crossings of a chunk; true when there is none left to find."""
        largest = counts.max(axis=1)
        for number in range(limits.shape[1]):
            pending = found.index[:, number] == len(self.level_ends)
            rows = np.flatnonzero(pending & (largest > limits[:, number]))
            if len(rows) == 0:
                continue
            first = (counts[rows] > limits[rows, number, None]).argmax(axis=1)
            found.index[rows, number] = start_level + first
            found.at[rows, number] = counts[rows, first]
            found.before[rows, number] = np.where(first > 0, counts[rows, first - 1], last[rows])
        return bool((found.index < len(self.level_ends)).all())

    @staticmethod
    def _find_last_allowed(counts: Any, limits: Any, start_level: Any, found: Any) -> None:
        """Enter the last level of a chunk that keeps to each limit."""
        smallest = counts.min(axis=1)  # mostly above every limit: one look for all budgets
        for number in range(limits.shape[1]):
            rows = np.flatnonzero(smallest <= limits[:, number])
            allowed = counts[rows] <= limits[rows, number, None]
            final = counts.shape[1] - 1 - allowed[:, ::-1].argmax(axis=1)
            found.index[rows, number] = start_level + final + 1


@dataclass(frozen=True)
class WeightedScores:
    """What statistics with a weighted form are made of, computed once for a block.

    Attributes:
        table: The events.
        weights: ``(B, U)`` int32.
    """

    table: WeightedEvents
    weights: NDArray[Any]

    @cached_property
    def aurocs(self) -> NDArray[Any]:
        """``(B,)``, see :meth:`WeightedEvents.aurocs`."""
        return self.table.aurocs(self.weights)

    @cached_property
    def recalls(self) -> NDArray[Any]:
        """``(B, budgets)``, see :meth:`WeightedEvents.recalls`."""
        return self.table.recalls(self.weights)
