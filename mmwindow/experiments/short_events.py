"""Events shortened for result files: without what no number, and no resample, depends on."""
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mmwindow.evaluation.events.floor import cut_events, find_floor
from mmwindow.evaluation.events.image_events import EVENT_PAIRS, ImageEvents
from mmwindow.evaluation.statistics.resampling import find_units
from mmwindow.experiments.strata import POINTS, values_of
from mmwindow.experiments.systems import System

FOLD = 'fold'  # field of an image's events: the fold that it was tested in
FLOOR_FACTORS = (2, 3, 4, 6, 8)
FLOOR_DEVIATIONS = 5  # of 2,000 resamples one in 1,700 results would spend less, were it normal


def shorten_events(system: System, fields: Sequence[str] = ()) -> list[ImageEvents]:
    """Return the pooled events without what cannot change a recall at any of the budgets.

    Neither over all images, nor over those of one fold, nor over those of one value of a field in a
    fold, nor in resamples of their patients (docs/evaluation.md). Nothing is dropped where the FROC
    is read at the best recall, or false positives are counted on negative images alone. Levels in
    single precision are written with the digits that tell them apart.

    Args:
        system: With the events of each fold.
        fields: That tables are made by: of the images, or the number of points.
    """
    froc_settings = system.froc_settings()
    pooled = [replace(event.without_other_counts(), fields={} if fold is None else {FOLD: fold})
              for fold, events in system.events.items() for event in events]
    full = [event for events in system.events.values() for event in events]
    kept = [replace(event, fields={**event.fields, **{
        name: own.fields[name] for name in fields if name in own.fields}})
        for event, own in zip(pooled, full, strict=True)]
    if froc_settings.convention == 'best' or froc_settings.fp_denominator != 'all':
        return shorten_levels(kept)
    budget = max(froc_settings.budgets)
    floors = np.full(len(kept), np.inf)
    for members in list_parts(kept, list(system.events), fields):
        floor = find_resampling_floor([[kept[index] for index in members]], budget)
        floors[members] = np.minimum(floors[members], floor)
    return shorten_levels([cut_events(event, float(floor))
                           for event, floor in zip(kept, floors, strict=True)])


def list_parts(events: Sequence[ImageEvents], folds: Sequence[int | None], fields: Sequence[str]
               ) -> list[list[int]]:
    """Return the indices of the images that are resampled together: all of them, and their parts.

    Args:
        events: With their fold as a field.
        folds: All of them.
        fields: That tables are made by, where there are any; the number of points is then one, too.
    """
    every = list(range(len(events)))
    by_fold = [[index for index in every if events[index].fields.get(FOLD) == fold]
               for fold in folds]
    parts = [every, *by_fold]
    for field in dict.fromkeys([*fields, POINTS]) if fields else []:
        for members in by_fold:
            by_value: dict[str, list[int]] = {}
            for index in members:
                for value in values_of(events[index], field):
                    by_value.setdefault(value, []).append(index)
            parts += by_value.values()
    return [members for members in parts if members]


def shorten_levels(events: Sequence[ImageEvents]) -> list[ImageEvents]:
    """Return events whose levels have the shortest digits, where all are in single precision.

    The shortest digits of numbers in single precision are in the order of the numbers, and equal for
    equal ones: no count, rank or recall changes.
    """
    names = [name for pair in EVENT_PAIRS for name in pair[:1]] + ['recall_levels']
    values = [np.asarray(value, np.float64) for event in events for value in (
        event.score, -np.inf if event.floor is None else event.floor,
        *(getattr(event, name) for name in names if getattr(event, name) is not None))]
    flat = np.concatenate([np.atleast_1d(value) for value in values]) if values else np.zeros(0)
    with np.errstate(over='ignore'):
        if not np.array_equal(flat, flat.astype(np.float32).astype(np.float64)):
            return list(events)

    def shorten(value: Any) -> Any:
        short = [float(str(number)) for number in np.atleast_1d(np.asarray(value, np.float32))]
        return np.array(short, np.float64) if np.ndim(value) else short[0]
    return [replace(event, score=shorten(event.score),
                    floor=None if event.floor is None else shorten(event.floor),
                    **{name: shorten(getattr(event, name)) for name in names
                       if getattr(event, name) is not None}) for event in events]


def find_resampling_floor(parts: Sequence[Sequence[ImageEvents]], budget: float) -> float:
    """Return the level at which practically every resample of each part has spent a budget.

    It is sought at multiples of the budget: of few patients a resample may spend less than half of
    what all of them spend.

    Args:
        parts: Images that are resampled together.
        budget: The largest, false positives per image.

    Returns:
        -inf where there is no such level: nothing can be dropped.
    """
    for factor in FLOOR_FACTORS:
        floor = min(find_floor(events, [factor * budget]) for events in parts)
        if floor == -math.inf or all(spends(events, floor, budget) for events in parts):
            return floor
    return -math.inf


def spends(events: Sequence[ImageEvents], level: float, budget: float) -> bool:
    """Return whether resamples of the images' patients have spent a budget at a level.

    What is spent above the budget must be :data:`FLOOR_DEVIATIONS` of its standard deviations over
    resamples.
    """
    spent = np.bincount(find_units(events).index,
                        [event.num_false_positives(level) - budget for event in events])
    deviation = np.sqrt(((spent - spent.mean()) ** 2).sum())
    return bool(spent.sum() > FLOOR_DEVIATIONS * deviation)
