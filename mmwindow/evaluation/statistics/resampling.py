"""Units of resampling (patients, else images), their strata, and seeded resamples of them."""
from dataclasses import dataclass

import numpy as np

from mmwindow.annotations.groups import group_name

BLOCK = 64  # resamples at a time


@dataclass(frozen=True)
class Units:
    """The units that are drawn: patients, where an image names one, else images.

    Attributes:
        index (ndarray): ``(N,)`` integers, the unit of each image.
        names (list): ``(U,)``: ``('group', name)``, or ``('image', image_id)``.
    """
    index: np.ndarray
    names: list

    def __len__(self):
        return len(self.names)


def check_events(events):
    """Return events as a list.

    Raises:
        ValueError: There is no image, one is there twice, or its score is NaN.
    """
    events = list(events)
    if not events:
        raise ValueError('there is no image; statistics need at least one')
    ids = [event.image_id for event in events if event.image_id is not None]
    if len(set(ids)) != len(ids):
        twice = next(name for number, name in enumerate(ids) if name in ids[:number])
        raise ValueError(f'image {twice!r} is there twice; each image enters once')
    for event in events:
        if np.isnan(event.score):
            raise ValueError(f'the score of image {event.image_id!r} is NaN')
    return events


def find_units(events):
    """Return the units of images: those of one group are one, one without a group is its own."""
    numbers, index, names = {}, [], []
    for position, event in enumerate(events):
        group = group_name(event.group)
        key = ('image', position) if group is None else ('group', group)
        if key not in numbers:
            numbers[key] = len(names)
            names.append(('image', event.image_id) if group is None else key)
        index.append(numbers[key])
    return Units(index=np.array(index), names=names)


def check_units(events, units):
    """Refuse a data set of a single unit: resampling it says nothing."""
    if len(units) < 2:
        raise ValueError(f'the {len(events)} images are of one unit, {units.names[0]}; resampling '
                         'needs at least two patients (ImageEvents.group)')


def unit_strata(events, units, stratify_by):
    """Return ``(U,)`` integers, the stratum in which each unit is drawn.

    Args:
        events (Sequence[ImageEvents]): The images.
        units (Units): Their units.
        stratify_by (str, optional): None: all units are drawn together. 'is_positive':
            units with a positive image apart from those without. Else the name of a
            field, equal for all images of a unit.

    Raises:
        ValueError: An image lacks the field, or images of one unit differ in it.
    """
    if stratify_by is None:
        return np.zeros(len(units), dtype=int)
    if stratify_by == 'is_positive':
        positive = [bool(event.is_positive) for event in events]
        return (np.bincount(units.index, weights=positive, minlength=len(units)) > 0).astype(int)
    found = {}
    for event, unit in zip(events, units.index, strict=True):
        if stratify_by not in event.fields:
            raise ValueError(f'stratify_by={stratify_by!r}: image {event.image_id!r} has no such '
                             f'field; it has {sorted(event.fields)}')
        value = event.fields[stratify_by]
        if found.setdefault(unit, value) != value:
            raise ValueError(f'stratify_by={stratify_by!r}: the images of {units.names[unit]} have '
                             f'{found[unit]!r} and {value!r}; a unit is drawn whole, in one stratum')
    values = [str(found[unit]) for unit in range(len(units))]
    return np.unique(values, return_inverse=True)[1].reshape(-1)


def draw_weights(strata, num_resamples, rng, block=BLOCK):
    """Yield resamples as weights ``(B, U)`` int32, at most ``block`` at a time.

    Args:
        strata (ndarray): ``(U,)``, from :func:`unit_strata`; each keeps its size.
        num_resamples (int): In all.
        rng (numpy.random.Generator): Its draws depend on neither block nor machine.
        block (int): Resamples at a time.
    """
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    for start in range(0, num_resamples, block):
        rows = min(block, num_resamples - start)
        weights = np.zeros((rows, len(strata)), dtype=np.int32)
        # One row after the other, so that a seed gives the same resamples whatever the block.
        drawn = [[rng.integers(len(mine), size=len(mine)) for mine in members]
                 for _ in range(rows)]
        for number, mine in enumerate(members):
            places = np.stack([row[number] for row in drawn])
            places += np.arange(rows)[:, None] * len(mine)
            weights[:, mine] = np.bincount(
                places.ravel(), minlength=rows * len(mine)).reshape(rows, len(mine))
        yield weights


def leave_one_out(num_units, block=BLOCK):
    """Yield the weights ``(B, U)`` of the jackknife: each unit left out once."""
    for start in range(0, num_units, block):
        left_out = np.arange(start, min(start + block, num_units))
        weights = np.ones((len(left_out), num_units), dtype=np.int32)
        weights[np.arange(len(left_out)), left_out] = 0
        yield weights
