"""Events shortened for result files: without what no number, and no resample, depends on."""
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmwindow.evaluation.events.floor import cut_events, find_floor
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.statistics.resampling import find_units
from mmwindow.experiments.systems import System

FOLD = 'fold'  # field of an image's events: the fold that it was tested in
FLOOR_FACTORS = (2, 3, 4, 6, 8)
FLOOR_DEVIATIONS = 5  # of 2,000 resamples one in 1,700 results would spend less, were it normal


def shorten_events(system: System) -> list[ImageEvents]:
    """Return the pooled events without what cannot change a recall at any of the budgets.

    Neither over all images nor over those of one fold, nor in resamples of their patients
    (docs/evaluation.md). Nothing is dropped where the FROC is read otherwise than by first crossing
    over all images.

    Args:
        system: With the events of each fold.
    """
    froc_settings = system.froc_settings()
    folds = {fold: [replace(event.without_other_counts(),
                            fields={} if fold is None else {FOLD: fold}) for event in events]
             for fold, events in system.events.items()}
    pooled = [event for events in folds.values() for event in events]
    if froc_settings.convention == 'best' or froc_settings.fp_denominator != 'all':
        return pooled
    floor = find_resampling_floor([pooled, *folds.values()], max(froc_settings.budgets))
    return [cut_events(event, floor) for event in pooled]


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
