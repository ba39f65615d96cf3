"""The score below which nothing can change the reported recalls: found, not guessed.

Recall at a budget b is read at the first crossing: the highest threshold at which the number
of false positives F(t) over all images exceeds b * N. Nothing below that threshold takes part,
whatever findings do there, and the crossing of a smaller budget lies at the same threshold or
higher. So all that is ever read lies at or above the first crossing c of the *largest* budget.

On several ranks, or while images are still to come, F is not known, but F(t) is a sum over images
of numbers that are never negative. The sum over some of the images is a lower bound of it, and the
highest threshold f at which that partial sum exceeds b * N has F(f) > b * N as well: c >= f. So each
rank drops what lies below its own floor, and all of them together give the same numbers.

This holds for 'first_crossing', and for 'interpolated', which reads the crossing too. It does not
for 'best', which depends on every threshold, nor for bootstrap resamples, which spend a budget
elsewhere: for these keep all events, or find the floor of a budget several times as large.
"""
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mmwindow.evaluation.events.image_events import EVENT_PAIRS, Floats, ImageEvents, Integers
from mmwindow.evaluation.froc import RATE_SLACK
from mmwindow.utils.messages import count_words


def find_floor(events: Sequence[ImageEvents], budgets: Sequence[float],
               num_images: int | None = None) -> float:
    """Return the level below which nothing changes the recalls at the budgets.

    Args:
        events: All images, or those seen so far.
        budgets: False positives per image; the largest decides.
        num_images: Of the complete set, if more are to come; one too large only
            makes the floor lower. The number of events if None.

    Returns:
        float: -inf where the largest budget is not spent: everything may matter.

    Raises:
        ValueError: There is no budget, one is negative, or there are fewer images than events.
    """
    events = list(events)
    allowed = allowed_false_positives(budgets, len(events) if num_images is None else num_images,
                                      len(events))
    levels = np.concatenate([np.zeros(0), *(event.fp_levels for event in events)])
    changes = np.concatenate([np.zeros(0, int), *(event.fp_changes for event in events)])
    floors = [event.floor for event in events if event.floor is not None]
    return first_excess(levels, changes, allowed, max(floors, default=-np.inf))


def allowed_false_positives(budgets: Sequence[float], num_images: int, num_seen: int) -> float:
    """Return how many false positives the largest budget allows over all images."""
    if not len(budgets) or not min(budgets) >= 0:
        raise ValueError(f'the budgets are {budgets}; at least one is expected, false positives per '
                         'image, none negative')
    if num_images < num_seen:
        raise ValueError(f'there are events of {count_words(num_seen, "image")} but num_images is '
                         f'{num_images}; '
                         'give the number of images of the complete set')
    return max(budgets) * num_images + RATE_SLACK


def first_excess(levels: Floats, changes: Integers, allowed: float,
                 known_down_to: float = -np.inf) -> float:
    """Return the highest level at which a count exceeds what is allowed.

    Args:
        levels: ``(K,)``, in any order.
        changes: ``(K,)``, of the count.
        allowed: The largest count that is none.
        known_down_to: Below, changes are missing; returned where the count keeps to
            what is allowed down to here.

    Returns:
        float: A level, or ``known_down_to``.
    """
    negated, index = np.unique(-levels, return_inverse=True)
    over = np.bincount(index, weights=changes, minlength=len(negated)).cumsum() > allowed
    over &= -negated >= known_down_to
    return float(-negated[over.argmax()]) if over.any() else float(known_down_to)


def prune_events(events: Sequence[ImageEvents], budgets: Sequence[float],
                 num_images: int | None = None) -> list[ImageEvents]:
    """Return events without what cannot change the recalls at the budgets.

    Recall, threshold and FROC score at each budget up to the largest are the same to the
    digit; see the head of this file for why, and for what is not.

    Args:
        events: All images, or those seen so far.
        budgets: False positives per image.
        num_images: As in :func:`find_floor`.

    Returns:
        list[ImageEvents]: In the same order, with their floor.

    Raises:
        ValueError: As :func:`find_floor`.
    """
    events = list(events)
    floor = find_floor(events, budgets, num_images)
    return [cut_events(event, floor) for event in events]


def cut_events(events: ImageEvents, floor: float) -> ImageEvents:
    """Return one image's events from a level on; -inf leaves them as they are.

    Args:
        events: Not changed.
        floor: Levels below are dropped; the image score is kept.
    """
    if floor == -np.inf or (events.floor is not None and events.floor >= floor):
        return events
    kept: dict[str, Any] = dict(floor=float(floor), recall_levels=np.where(
        events.recall_levels >= floor, events.recall_levels, -np.inf))
    for levels_name, changes_name in EVENT_PAIRS:
        levels, changes = getattr(events, levels_name), getattr(events, changes_name)
        if levels is not None:
            kept[levels_name] = levels[levels >= floor]
            kept[changes_name] = changes[levels >= floor]
    return replace(events, **kept)


class RunningFloor:
    """Deprecated: images are looked at completely, and :func:`prune_events` drops what cannot matter.

    Args:
        budgets: False positives per image.
        num_images: Of the complete set.

    Attributes:
        floor: -inf, from which on everything is looked at.

    Raises:
        ValueError: There is no budget, one is negative, or there is no image.
    """

    def __init__(self, budgets: Sequence[float], num_images: int) -> None:
        warnings.warn('RunningFloor saves less than it costs and goes with version 0.3; use '
                      'prune_events', FutureWarning, stacklevel=2)
        allowed_false_positives(budgets, num_images, 1)
        self.floor = -np.inf

    def update(self, events: ImageEvents) -> None:
        """Take in an image; nothing changes."""
