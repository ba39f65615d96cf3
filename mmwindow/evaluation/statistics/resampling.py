"""Units of resampling (patients, else images), their strata, and seeded resamples of them."""
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from mmwindow.annotations.groups import group_name
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.utils.messages import count_words

BLOCK = 64  # resamples at a time


@dataclass(frozen=True)
class Units:
    """The units that are drawn: patients, where an image names one, else images.

    Attributes:
        index: ``(N,)`` integers, the unit of each image.
        names: ``(U,)``: ``('group', name)``, or ``('image', image_id)``.
    """
    index: NDArray[Any]
    names: list[Any]

    def __len__(self) -> int:
        return len(self.names)


def check_events(events: Iterable[ImageEvents]) -> list[ImageEvents]:
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


def find_units(events: Sequence[ImageEvents]) -> Units:
    """Return the units of images: those of one group are one, one without a group is its own."""
    numbers: dict[tuple[str, Any], int] = {}
    index: list[int] = []
    names: list[tuple[str, Any]] = []
    for position, event in enumerate(events):
        group = group_name(event.group)
        key = ('image', position) if group is None else ('group', group)
        if key not in numbers:
            numbers[key] = len(names)
            names.append(('image', event.image_id) if group is None else key)
        index.append(numbers[key])
    return Units(index=np.array(index), names=names)


def check_units(events: Sequence[ImageEvents], units: Units) -> None:
    """Reject a data set of a single unit: resampling it says nothing."""
    if len(units) < 2:
        raise ValueError(f'the {count_words(len(events), "image is", "images are")} of one unit, '
                         f'{units.names[0]}; resampling '
                         'needs at least two patients (ImageEvents.group)')


def unit_strata(events: Sequence[ImageEvents], units: Units, stratify_by: str | None
               ) -> NDArray[np.int_]:
    """Return ``(U,)`` integers, the stratum in which each unit is drawn.

    Args:
        events: The images.
        units: Their units.
        stratify_by: None: all units are drawn together. 'is_positive':
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
    found: dict[int, Any] = {}
    for event, unit in zip(events, units.index, strict=True):
        if stratify_by not in event.fields:
            raise ValueError(f'stratify_by={stratify_by!r}: image {event.image_id!r} has no such '
                             f'field; it has {sorted(event.fields)}')
        value = event.fields[stratify_by]
        if found.setdefault(unit, value) != value:
            raise ValueError(f'stratify_by={stratify_by!r}: the images of {units.names[unit]} have '
                             f'{found[unit]!r} and {value!r}; a unit is drawn '
                             'in one stratum, with all its images')
    values = [str(found[unit]) for unit in range(len(units))]
    return np.unique(values, return_inverse=True)[1].reshape(-1)


def draw_weights(strata: NDArray[Any], num_resamples: int, rng: np.random.Generator,
                 block: int = BLOCK) -> Iterator[NDArray[np.int32]]:
    """Yield resamples as weights ``(B, U)`` int32, at most ``block`` at a time.

    Args:
        strata: ``(U,)``, from :func:`unit_strata`; each keeps its size.
        num_resamples: In all.
        rng: Its draws depend on neither block nor machine.
        block: Resamples at a time.
    """
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    for start in range(0, num_resamples, block):
        rows = min(block, num_resamples - start)
        weights = np.zeros((rows, len(strata)), dtype=np.int32)
        # One row after the other, so that a seed gives the same resamples whatever the block; within
        # a single stratum numpy draws all rows at once in that very order.
        if len(members) == 1:
            drawn = [rng.integers(len(strata), size=(rows, len(strata)))]
        else:
            each = [[rng.integers(len(mine), size=len(mine)) for mine in members]
                    for _ in range(rows)]
            drawn = [np.stack(parts) for parts in zip(*each, strict=True)]
        for mine, places in zip(members, drawn, strict=True):
            places += np.arange(rows)[:, None] * len(mine)
            weights[:, mine] = np.bincount(
                places.ravel(), minlength=rows * len(mine)).reshape(rows, len(mine))
        yield weights


def leave_one_out(num_units: int, block: int = BLOCK) -> Iterator[NDArray[np.int32]]:
    """Yield the weights ``(B, U)`` of the jackknife: each unit left out once."""
    for start in range(0, num_units, block):
        left_out = np.arange(start, min(start + block, num_units))
        weights = np.ones((len(left_out), num_units), dtype=np.int32)
        weights[np.arange(len(left_out)), left_out] = 0
        yield weights


def bca_tails(estimate: float, replicates: NDArray[Any], jackknife: NDArray[Any] | None, level: float
             ) -> NDArray[Any]:
    """Return the two tail probabilities of the BCa interval.

    Replicates equal to the estimate count half, as a recall is a lumpy number. Where the
    estimate lies outside all replicates, the percentile interval's tails.
    """
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    share = ((replicates < estimate).sum() + (replicates == estimate).sum() / 2) / len(replicates)
    if not 0 < share < 1:
        return tails
    bias = norm.ppf(share)
    jackknife = np.asarray(jackknife)
    deviations = np.nanmean(jackknife) - jackknife[~np.isnan(jackknife)]
    scale = (deviations ** 2).sum() ** 1.5
    acceleration = (deviations ** 3).sum() / (6 * scale) if scale > 0 else 0.
    moved = bias + norm.ppf(tails)
    # |acceleration| is 1/6 at most, so only extreme levels come near the pole.
    return np.asarray(norm.cdf(bias + moved / np.maximum(1 - acceleration * moved, 1e-9)))
