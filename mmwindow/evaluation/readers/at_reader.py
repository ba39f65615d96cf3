"""What a system does where a reader stands: at the reader's FP rate, at the reader's specificity."""
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.events.targets import Floats
from mmwindow.evaluation.froc_settings import FROCSettings, counted_events
from mmwindow.evaluation.readers.chance import ONE_PATIENT
from mmwindow.evaluation.statistics.compare import match_images
from mmwindow.evaluation.statistics.differences import POINT_SHARE, studentised_difference
from mmwindow.evaluation.statistics.few_units import join_notes
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.evaluation.statistics.resampling import Units, draw_weights, find_units
from mmwindow.evaluation.statistics.weighting import WeightedEvents

NO_NUMBER = 'no interval: most resamples of the patients have no number'


@dataclass(frozen=True)
class SystemAtReader:
    """A system against the reference that a reader is measured by.

    In each resample of patients the reader's FP rate and specificity are found again, and the system
    is read there, so that the uncertainty of where the reader stands is in the differences.

    Attributes:
        recall: Of the system at the reader's FP rate, by first crossing; NaN without a finding.
        sensitivity: Of the system at the reader's specificity, the highest at any threshold of at
            least this specificity; NaN without both kinds of images.
        recall_difference: Reader minus system; paired bootstrap over patients, see
            :func:`paired_interval`; None with a reason.
        sensitivity_difference: Likewise.
        reasons: For each difference without an interval, why.
    """

    recall: float
    sensitivity: float
    recall_difference: Interval | None
    sensitivity_difference: Interval | None
    reasons: dict[str, str]


def system_at_reader(reader: Sequence[ImageEvents], system: Sequence[ImageEvents],
                     settings: FROCSettings, num_resamples: int, seed: int, level: float
                     ) -> SystemAtReader:
    """Return what a system does where a reader stands.

    Args:
        reader: The reader's marks as events of one score, one per image.
        system: The system's events of the same images against the same reference, in any order.
        settings: Of these the denominator of the FP rate.
        num_resamples: Of the paired bootstrap.
        seed: Of the bootstrap.
        level: Nominal confidence.

    Raises:
        ValueError: The images, their labels, groups or numbers of findings differ.
    """
    system = match_images(reader, system)
    units = find_units(reader)
    pairs: dict[str, _RecallPair | _SensitivityPair] = dict(
        recall=_RecallPair(reader, system, units, settings),
        sensitivity=_SensitivityPair(reader, system, units))
    values: dict[str, float] = {}
    differences: dict[str, Interval | None] = {}
    reasons: dict[str, str] = {}
    everybody = np.ones((1, len(units)), np.int32)
    # The same resamples for both.
    drawn = list(draw_weights(np.zeros(len(units), int), num_resamples, np.random.default_rng(seed)))
    for name, pair in pairs.items():
        theirs, ours = (float(entry[0]) for entry in pair.both(everybody))
        values[name], differences[name] = ours, None
        if np.isnan(theirs - ours):
            reasons[name] = pair.missing
        elif len(units) < 2:
            reasons[name] = ONE_PATIENT
        else:
            replicates = np.concatenate([np.subtract(*pair.both(weights)) for weights in drawn])
            differences[name] = paired_interval(theirs - ours, replicates, pair.num_carriers,
                                                len(units), level)
            if differences[name] is None:
                reasons[name] = NO_NUMBER
    return SystemAtReader(values['recall'], values['sensitivity'], differences['recall'],
                          differences['sensitivity'], reasons)


def paired_interval(difference: float, replicates: Floats, num_carriers: int, num_units: int,
                    level: float) -> Interval | None:
    """Return the interval of a difference of shares from its resamples; None where most have none.

    By the deviation of the resamples, see
    :func:`~mmwindow.evaluation.statistics.differences.studentised_difference`.

    Args:
        difference: On all images.
        replicates: ``(B,)``, NaN where a resample has no number.
        num_carriers: Patients that the shares are of.
        num_units: All patients; one less are the degrees of freedom.
        level: Nominal confidence.
    """
    defined = replicates[~np.isnan(replicates)]
    if len(defined) < max(len(replicates) / 2, 2):
        return None
    num_left_out = len(replicates) - len(defined)
    interval = studentised_difference(difference, float(defined.std()), num_carriers, num_units,
                                      POINT_SHARE, level)
    return replace(interval, note=join_notes(interval.note, '' if not num_left_out else (
        f'{num_left_out} of {len(replicates)} resamples have no number and are left out')))


def _by_unit(units: Units, values: Sequence[float]) -> Floats:
    return np.bincount(units.index, weights=values, minlength=len(units)).astype(np.float64)


class _RecallPair:
    """Recall of the reader, and of the system at the reader's FP rate, under weights of units."""

    missing = 'there is no finding in the reference, or no image to count false positives on'

    def __init__(self, reader: Sequence[ImageEvents], system: Sequence[ImageEvents], units: Units,
                 settings: FROCSettings) -> None:
        self.found = _by_unit(units, [image.num_recalled(-np.inf) for image in reader])
        # Both rates are over the same images: where the counts agree, so do the rates.
        self.false = _by_unit(units, [float(image.fp_changes.sum())
                                      for image in counted_events(reader, settings)])
        self.table = WeightedEvents(system, units, replace(settings, convention='first_crossing'))
        self.num_carriers = int((self.table.unit_points > 0).sum())

    def both(self, weights: NDArray[np.int32]) -> tuple[Floats, Floats]:
        table, points = self.table, (weights @ self.table.unit_points).astype(float)
        limits = np.rint(weights @ self.false).astype(np.int64)
        crossed = table.find_crossings(weights, limits[:, None])
        if table.floor > -np.inf and (crossed.index == len(table.level_ends)).any():
            raise ValueError('the events of the system have a floor above the FP rate of a reader; '
                             'make them without')
        hits = np.zeros((len(weights), len(table.hit_levels) + 1), np.int64)
        np.cumsum(weights[:, table.hit_unit] * table.hit_changes, axis=1, out=hits[:, 1:])
        recalled = hits[np.arange(len(weights)), table.hits_above[crossed.index[:, 0]]].astype(float)
        recalled[weights @ table.unit_images == 0] = np.nan
        with np.errstate(divide='ignore', invalid='ignore'):
            return weights @ self.found / points, recalled / points


class _SensitivityPair:
    """Sensitivity of the reader, and of the system at the reader's specificity."""

    missing = 'there are not both kinds of images in the reference'

    def __init__(self, reader: Sequence[ImageEvents], system: Sequence[ImageEvents],
                 units: Units) -> None:
        positive = np.array([image.is_positive for image in reader])
        calls = np.array([image.score > -np.inf for image in reader])
        self.true, self.false = (_by_unit(units, (calls & kind).astype(float))
                                 for kind in (positive, ~positive))
        self.num_carriers = len(np.unique(units.index[positive]))
        scores = np.array([image.score for image in system])
        order = np.argsort(-scores, kind='stable')
        self.unit, self.positive = units.index[order], positive[order]
        self.ends = np.flatnonzero(np.append(scores[order][1:] != scores[order][:-1], True))

    def both(self, weights: NDArray[np.int32]) -> tuple[Floats, Floats]:
        drawn = weights[:, self.unit].astype(np.int64)
        # Images called down to each distinct score; before the first none is.
        called = [np.pad(np.cumsum(drawn * kind, axis=1)[:, self.ends], ((0, 0), (1, 0)))
                  for kind in (self.positive, ~self.positive)]
        limits = np.rint(weights @ self.false).astype(np.int64)
        last = (called[1] <= limits[:, None]).sum(axis=1) - 1
        positives = called[0][:, -1].astype(float)
        negatives = called[1][:, -1]
        with np.errstate(divide='ignore', invalid='ignore'):
            ours = called[0][np.arange(len(weights)), last] / positives
            theirs = weights @ self.true / positives
        ours[negatives == 0] = np.nan
        return theirs, ours
