"""The score below which nothing can change the reported recalls: found, not guessed.

Recall at a budget b is read at the first crossing: the highest threshold at which the number
of false positives F(t) over all images exceeds b * N. Nothing below that threshold takes part,
whatever findings do there, and the crossing of a smaller budget lies at the same threshold or
higher. So all that is ever read lies at or above the first crossing c of the *largest* budget.

While images are still to come, F is not known, but F(t) is a sum over images of numbers that
are never negative. The sum over the images seen so far is a lower bound of it, and the highest
threshold f at which that partial sum exceeds b * N has F(f) > b * N as well: c >= f. The floor f
rises with every image, and an image needs to be looked at from the present floor on only.
Images looked at before with a lower floor, on other ranks even, change nothing about it: each
partial sum is a lower bound of its own.

This holds for 'first_crossing', and for 'interpolated', which reads the crossing too. It does not
for 'best', which depends on every threshold, nor for bootstrap resamples, which spend a budget
elsewhere: for these keep all events, or find the floor of a budget several times as large.
"""
from dataclasses import replace

import numpy as np

from mmwindow.evaluation.events.image_events import EVENT_PAIRS
from mmwindow.evaluation.froc import RATE_SLACK


def find_floor(events, budgets, num_images=None):
    """Return the level below which nothing changes the recalls at the budgets.

    Args:
        events (Sequence[ImageEvents]): All images, or those seen so far.
        budgets (Sequence[float]): False positives per image; the largest decides.
        num_images (int, optional): Of the whole set, if more are to come; one too large only
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


def allowed_false_positives(budgets, num_images, num_seen):
    """Return how many false positives the largest budget allows over all images."""
    if not len(budgets) or not min(budgets) >= 0:
        raise ValueError(f'the budgets are {budgets}; at least one is expected, false positives per '
                         'image, none negative')
    if num_images < num_seen:
        raise ValueError(f'there are events of {num_seen} images but num_images is {num_images}; '
                         'give the number of images of the whole set')
    return max(budgets) * num_images + RATE_SLACK


def first_excess(levels, changes, allowed, known_down_to=-np.inf):
    """Return the highest level at which a count exceeds what is allowed.

    Args:
        levels (ndarray): ``(K,)``, in any order.
        changes (ndarray): ``(K,)``, of the count.
        allowed (float): The largest count that is none.
        known_down_to (float): Below, changes are missing; returned where the count keeps to
            what is allowed down to here.

    Returns:
        float: A level, or ``known_down_to``.
    """
    negated, index = np.unique(-levels, return_inverse=True)
    over = np.bincount(index, weights=changes, minlength=len(negated)).cumsum() > allowed
    over &= -negated >= known_down_to
    return float(-negated[over.argmax()]) if over.any() else float(known_down_to)


def prune_events(events, budgets, num_images=None):
    """Return events without what cannot change the recalls at the budgets.

    Recall, threshold and FROC score at each budget up to the largest are the same to the
    digit; see the head of this file for why, and for what is not.

    Args:
        events (Sequence[ImageEvents]): All images, or those seen so far.
        budgets (Sequence[float]): False positives per image.
        num_images (int, optional): As in :func:`find_floor`.

    Returns:
        list[ImageEvents]: In the same order, with their floor.

    Raises:
        ValueError: As :func:`find_floor`.
    """
    events = list(events)
    floor = find_floor(events, budgets, num_images)
    return [cut_events(event, floor) for event in events]


def cut_events(events, floor):
    """Return one image's events from a level on; -inf leaves them as they are.

    Args:
        events (ImageEvents): Not changed.
        floor (float): Levels below are dropped; the image score is kept.
    """
    if floor == -np.inf or (events.floor is not None and events.floor >= floor):
        return events
    kept = dict(floor=float(floor), recall_levels=np.where(
        events.recall_levels >= floor, events.recall_levels, -np.inf))
    for levels_name, changes_name in EVENT_PAIRS:
        levels, changes = getattr(events, levels_name), getattr(events, changes_name)
        if levels is not None:
            kept[levels_name] = levels[levels >= floor]
            kept[changes_name] = changes[levels >= floor]
    return replace(events, **kept)


class RunningFloor:
    """The floor while images stream in: each image is looked at from it on only::

        running = RunningFloor(budgets, num_images=len(maps))
        for scores, points in zip(maps, all_points):
            events.append(map_events(scores, points, floor=running.floor))
            running.update(events[-1])
        curve = froc_curve(prune_events(events, budgets))

    The first images are looked at whole; the floor rises while they fill the budget of the
    whole set. On several ranks each keeps its own, with the number of images of the whole set.

    Args:
        budgets (Sequence[float]): False positives per image; the largest decides.
        num_images (int): Of the whole set.

    Attributes:
        floor (float): -inf until the largest budget of the whole set is spent.

    Raises:
        ValueError: There is no budget, one is negative, or there is no image.
    """

    def __init__(self, budgets, num_images):
        self.allowed = allowed_false_positives(budgets, num_images, 1)
        self.num_images = num_images
        self.num_seen = 0
        self.floor = -np.inf
        self._levels = np.zeros(0)
        self._changes = np.zeros(0, int)
        self._new = []

    def update(self, events):
        """Take in an image; the floor may rise.

        Args:
            events (ImageEvents): Looked at from this floor or a lower one on.

        Raises:
            ValueError: The events have a higher floor, or there are more images than said.
        """
        if events.floor is not None and events.floor > self.floor:
            raise ValueError(f'image {events.image_id!r} was looked at down to {events.floor} only; '
                             f'the floor is {self.floor} so far')
        if self.num_seen == self.num_images:
            raise ValueError(f'more than the {self.num_images} images said at the start came; the '
                             'floor would be too high')
        self.num_seen += 1
        kept = events.fp_levels >= self.floor
        self._new.append((events.fp_levels[kept], events.fp_changes[kept]))
        # Joined when the new are as many as the old: sorting stays cheap over many images.
        if sum(len(levels) for levels, _ in self._new) >= max(len(self._levels), 64):
            self._join()

    def _join(self):
        levels = np.concatenate([self._levels, *(levels for levels, _ in self._new)])
        changes = np.concatenate([self._changes, *(changes for _, changes in self._new)])
        self._new = []
        self.floor = first_excess(levels, changes, self.allowed, self.floor)
        # Levels at and above the floor decide where the count exceeds next.
        kept = levels >= self.floor
        self._levels, self._changes = levels[kept], changes[kept]
