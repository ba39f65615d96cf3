"""How far readers agree: on images, and on the places of findings."""
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmwindow.annotations.merging import MERGE_RADIUS, check_radius
from mmwindow.annotations.readers import check_several
from mmwindow.evaluation.events.targets import Floats
from mmwindow.evaluation.readers.chance import (
    ONE_PATIENT,
    alpha_disagreement,
    chance_corrected,
    coincidences,
    kappa_disagreement,
)
from mmwindow.evaluation.readers.matching import match_points
from mmwindow.evaluation.readers.readings import ReadImage, find_image_units, reader_names
from mmwindow.evaluation.statistics.intervals import (
    Interval,
    clustered_proportion,
    normal_quantile,
)


@dataclass(frozen=True)
class ReaderCounts:
    """What one reader has read and marked.

    Attributes:
        reader: Name.
        num_images: Read.
        num_positive: Of these, with a mark.
        num_points: Marks.
    """

    reader: str
    num_images: int
    num_positive: int
    num_points: int

    @property
    def points_per_image(self) -> float:
        """Mean number of marks on an image that the reader has read."""
        return self.num_points / self.num_images


@dataclass(frozen=True)
class PairAgreement:
    """Two readers on the images that both have read.

    Attributes:
        first: Name.
        second: Name.
        num_images: Read by both.
        num_units: Patients of these, or images where these are unnamed.
        same_call: Share of images that both call positive or both negative, with the score
            interval by patient; None where all images are of one.
        kappa: Cohen's; NaN where both call every image the same, so that chance alone would.
        kappa_interval: None where there is none; ``reasons`` says why.
        num_first: Marks of the first.
        num_second: Marks of the second.
        num_matched: Pairs of marks within the radius, matched one to one.
        same_place: ``2 num_matched / (num_first + num_second)``, the F1 of either against the other
            (positive specific agreement); likewise, and None without marks.
        median_distance: Of matched marks, frame pixels; NaN without.
        reasons: For each number or interval that there is not, why.
    """

    first: str
    second: str
    num_images: int
    num_units: int
    same_call: Interval | None
    kappa: float
    kappa_interval: Interval | None
    num_first: int
    num_second: int
    num_matched: int
    same_place: Interval | None
    median_distance: float
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ReaderAgreement:
    """All readers of some images, for one class.

    Attributes:
        readers: In the order of their names.
        pairs: Of readers who have read an image in common.
        alpha: Krippendorff's, nominal, of the calls of images by all readers; NaN where all call
            every image the same. With missing readings; with two readers it is close to kappa.
        alpha_interval: None where there is none.
        reasons: Why ``alpha`` or its interval is missing, and which pairs have no image in common.
        radius: Within which two marks are of one place, frame pixels.
    """

    readers: tuple[ReaderCounts, ...]
    pairs: tuple[PairAgreement, ...]
    alpha: float
    alpha_interval: Interval | None
    reasons: dict[str, str]
    radius: float


def reader_agreement(images: Sequence[ReadImage], label: int = 0, radius: float = MERGE_RADIUS,
                     level: float = 0.95) -> ReaderAgreement:
    """Return how far the readers of some images agree, for one class.

    Args:
        images: With the marks of each reader.
        label: The class.
        radius: Within which two marks are of one place, frame pixels.
        level: Nominal confidence.

    Raises:
        ValueError: Fewer than two readers, or a setting that makes no sense.

    Example:
        >>> images = [ReadImage(number, 1024, 1024, {'A': a, 'B': b}) for number, (a, b) in enumerate(
        ...     [([[100, 100]], [[130, 140]]), ([], []), ([[9, 9]], []), ([], [])])]
        >>> pair, = reader_agreement(images).pairs
        >>> pair.same_call.estimate, pair.kappa, pair.same_place.estimate, pair.median_distance
        (0.75, 0.5, 0.6666666666666666, 50.0)
    """
    check_radius(radius)
    normal_quantile(level)
    names = reader_names(images)
    check_several('the images', names)
    counts = []
    for name in names:
        read = [image for image in images if name in image.marks]
        counts.append(ReaderCounts(name, len(read), sum(image.calls(name, label) for image in read),
                                   sum(len(image.frame_points(name, label)) for image in read)))
    pairs, reasons = [], {}
    for first, second in itertools.combinations(names, 2):
        common = [image for image in images if first in image.marks and second in image.marks]
        if common:
            pairs.append(_agree(common, first, second, label, radius, level))
        else:
            reasons[f'{first} and {second}'] = 'they have read no image in common'
    per_image = coincidences(
        np.array([sum(image.calls(name, label) for name in image.marks) for image in images], float),
        np.array([len(image.marks) for image in images], float))
    counted = [image for image in images if len(image.marks) > 1]
    alpha, interval, reason = math.nan, None, 'no image has been read by two readers'
    if counted:
        units = find_image_units(counted)
        by_unit = _sum_by_unit(per_image[[len(image.marks) > 1 for image in images]], units.index,
                               len(units))
        alpha, interval, reason = chance_corrected(by_unit, alpha_disagreement, level)
    reasons.update({'alpha': reason} if reason else {})
    return ReaderAgreement(tuple(counts), tuple(pairs), alpha, interval, reasons, radius)


def _sum_by_unit(values: Floats, index: NDArray[np.int_], num_units: int) -> Floats:
    """Return values of images ``(N, K)`` summed by unit ``(U, K)``."""
    return np.stack([np.bincount(index, weights=column, minlength=num_units)
                     for column in values.T], axis=1)


def _agree(images: Sequence[ReadImage], first: str, second: str, label: int, radius: float,
           level: float) -> PairAgreement:
    """Return the agreement of two readers on the images that both have read."""
    units = find_image_units(images)
    calls = np.array([[image.calls(name, label) for name in (first, second)] for image in images])
    table = np.stack([calls.all(1), calls[:, 0] & ~calls[:, 1], ~calls[:, 0] & calls[:, 1],
                      ~calls.any(1)], axis=1).astype(float)
    points = [(image.frame_points(first, label), image.frame_points(second, label))
              for image in images]
    matches = [match_points(*pair, radius=radius) for pair in points]
    matched = np.array([len(entry.distances) for entry in matches], float)
    marks = np.array([[len(entry) for entry in pair] for pair in points], float).reshape(-1, 2)
    by_unit = _sum_by_unit(np.column_stack([table, matched, marks]), units.index, len(units))
    reasons = {}
    kappa, interval, reason = chance_corrected(by_unit[:, :4], kappa_disagreement, level)
    if reason:
        reasons['kappa'] = reason
    same_call = same_place = None
    if len(units) < 2:
        reasons['same_call'] = reasons['same_place'] = ONE_PATIENT
    else:
        same_call = clustered_proportion(by_unit[:, 0] + by_unit[:, 3], by_unit[:, :4].sum(axis=1),
                                         level, 'score')
    if not marks.sum():
        reasons['same_place'] = 'neither reader has marked anything'
    elif len(units) > 1:
        same_place = clustered_proportion(2 * by_unit[:, 4], by_unit[:, 5:].sum(axis=1), level,
                                          'score')
    distances = np.concatenate([entry.distances for entry in matches])
    return PairAgreement(
        first, second, len(images), len(units), same_call, kappa, interval,
        int(marks[:, 0].sum()), int(marks[:, 1].sum()), int(matched.sum()), same_place,
        float(np.median(distances)) if len(distances) else math.nan, reasons)
