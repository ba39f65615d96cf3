"""From what components are, and from which threshold to which, to the events of an image."""
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.events.grid import Grid
from mmwindow.evaluation.hit_rules import BOTH, IS_FP, IS_HIT, NEITHER, Floats, judge_findings


class States(NamedTuple):
    """The boxes that the components of a map have as the threshold falls.

    Equal scores enter together: what a component is between two cells of one level is no state.

    Attributes:
        cells: ``(K, 4)``: first row, last row + 1, first column, last column + 1.
        first: ``(K,)``, the level at which each begins.
        end: ``(K,)``, the level at which it is over, -inf where it never is.
        previous: ``(K,)``, the state of the same component that it follows; -1 for none.
    """

    cells: NDArray[np.int32]
    first: Floats
    end: Floats
    previous: NDArray[np.int32]


NO_STATES = States(np.zeros((0, 4), np.int32), np.zeros(0), np.zeros(0), np.zeros(0, np.int32))


class Changes(NamedTuple):
    """Levels ``(K,)``, descending, and by how much counts change there, ``(K,)`` or ``(K, 4)``."""

    levels: Floats
    changes: NDArray[np.int32]


class MapEvents(NamedTuple):
    """The events of one map.

    Attributes:
        counts: Of false positives, hits, both and neither, ``(K, 4)``.
        recall_levels: ``(P,)``, the highest level at which each target is hit, -inf for none.
        recalled: Number of targets that are hit; None where a target, once hit, stays so.
    """

    counts: Changes
    recall_levels: Floats
    recalled: Changes | None


def judge_states(states: States, grid: Grid) -> MapEvents:
    """Return the events of one map from the states of its components."""
    covered = None if grid.rule.disk_radius is None else grid.covered_areas(states.cells)
    judged = judge_findings(grid.rule, grid.boxes(states.cells), grid.targets, covered=covered)
    recall_levels = np.array([states.first[hits].max(initial=-np.inf) for hits in judged.hits])
    return MapEvents(count_changes(judged.kinds, states), recall_levels,
                     None if grid.rule.is_nested else count_recalled(judged.hits, states))


def count_changes(kinds: NDArray[np.uint8], states: States) -> Changes:
    """Return the levels at which the four counts change, and by how much.

    Args:
        kinds: ``(K,)``, what a component is in each state.
        states: Of the components.
    """
    follows = states.previous >= 0
    # A component that stays what it was when its next state begins changes nothing.
    same = follows & (kinds == kinds[states.previous])
    ends = states.end > -np.inf
    ends[states.previous[same]] = False
    levels = np.concatenate([states.first[~same], states.end[ends]])
    kinds = np.concatenate([kinds[~same], kinds[ends]])
    signs = np.repeat([1, -1], [(~same).sum(), ends.sum()])
    counted = (kinds & IS_FP > 0, kinds & IS_HIT > 0, kinds == BOTH, kinds == NEITHER)
    return sum_changes(levels, np.stack([signs * chosen for chosen in counted], axis=1))


def count_recalled(hits: NDArray[np.bool_], states: States) -> Changes:
    """Return the levels at which the number of targets hit changes, and by how much.

    Args:
        hits: ``(P, K)``, which state hits which target.
        states: Of the components.
    """
    levels, changes = [np.zeros(0)], [np.zeros(0, int)]
    for hit in hits:
        ends = hit & (states.end > -np.inf)
        findings = sum_changes(np.concatenate([states.first[hit], states.end[ends]]),
                               np.repeat([1, -1], [hit.sum(), ends.sum()]))
        is_hit = findings.changes.cumsum() > 0
        levels.append(findings.levels)
        changes.append(np.diff(is_hit, prepend=False).astype(int)
                       * np.where(is_hit, 1, -1))
    return sum_changes(np.concatenate(levels), np.concatenate(changes))


def sum_changes(levels: Floats, changes: NDArray[np.int_]) -> Changes:
    """Return changes summed by level, without those that are 0.

    Args:
        levels: ``(N,)``, in any order.
        changes: ``(N,)`` or ``(N, C)``.
    """
    negated, index = np.unique(-levels, return_inverse=True)
    columns = changes[:, None] if changes.ndim == 1 else changes
    summed = np.stack([np.bincount(index, weights=column, minlength=len(negated))
                       for column in columns.T], axis=1).astype(np.int32)
    kept = summed.any(axis=1)
    return Changes(-negated[kept], summed[kept].reshape(-1, *changes.shape[1:]))
