"""How far readers agree: on images, and on the places of findings."""
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmwindow.annotations.merging import MERGE_RADIUS, check_radius
from mmwindow.annotations.readers import check_several
from mmwindow.evaluation.events.targets import Floats
from mmwindow.evaluation.readers.matching import match_points
from mmwindow.evaluation.readers.readings import ReadImage, find_image_units, reader_names
from mmwindow.evaluation.statistics.few_units import few_units_note, join_notes
from mmwindow.evaluation.statistics.intervals import (
    Interval,
    clopper_pearson,
    clustered_proportion,
    normal_quantile,
    t_quantile,
)

MAX_LOG = 700.  # of a factor that a float holds
NO_DEVIATION = 1e-9  # of a logarithm; less is rounding
ONE_PATIENT = 'all images are of one patient'


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


def cohens_kappa(both: float, first_alone: float, second_alone: float, neither: float) -> float:
    """Return Cohen's kappa of two readers' calls, NaN where chance alone would agree.

    Args:
        both: Number of images that both call positive.
        first_alone: That the first alone calls positive.
        second_alone: That the second alone calls positive.
        neither: That nobody calls positive.

    Source: Cohen, Educ Psychol Meas 20 (1960) 37.

    Example:
        >>> round(cohens_kappa(20, 5, 10, 15), 6)
        0.4
    """
    return correct_for_chance(kappa_disagreement(np.array(
        [[both, first_alone, second_alone, neither]], np.float64)))


def krippendorffs_alpha(positive: ArrayLike, readers: ArrayLike) -> float:
    """Return Krippendorff's alpha of binary calls, of any number of readers an image.

    Args:
        positive: ``(N,)``, how many readers call each image positive.
        readers: ``(N,)``, how many have read it; images of fewer than two say nothing.

    Returns:
        NaN where all calls are the same, or no image has two readers.

    Source: Krippendorff, Content Analysis, 3rd ed. 2013, chapter 12 (nominal data, by the matrix of
    coincidences).

    Example:
        >>> round(krippendorffs_alpha([2, 0, 1, 3], [2, 2, 2, 3]), 4)
        0.5556
    """
    return correct_for_chance(alpha_disagreement(coincidences(
        np.asarray(positive, np.float64), np.asarray(readers, np.float64)).sum(axis=0)[None]))


class Disagreement(NamedTuple):
    """The share of calls that differ and the share by chance, each ``(B,)``; by chance 0: NaN."""

    observed: Floats
    by_chance: Floats

    @property
    def agreement(self) -> Floats:
        """``(B,)``, what kappa and alpha both are."""
        return 1 - self.observed / self.by_chance


def correct_for_chance(disagreement: Disagreement) -> float:
    """Return the agreement corrected for chance of the only table."""
    return float(disagreement.agreement[0])


def kappa_disagreement(tables: Floats) -> Disagreement:
    """Return what Cohen's kappa is made of.

    Args:
        tables: ``(B, 4)``, images that both, the first, the second or neither calls positive.
    """
    both, first, second, neither = tables.T
    total = tables.sum(axis=1)
    products = (both + first) * (first + neither) + (both + second) * (second + neither)
    with np.errstate(divide='ignore', invalid='ignore'):
        return Disagreement((first + second) / total,
                            np.where(products > 0, products / total ** 2, np.nan))


def coincidences(positive: Floats, readers: Floats) -> Floats:
    """Return of each image its positive calls, its negative ones and its disagreements ``(N, 3)``.

    Args:
        positive: ``(N,)``, how many readers call each image positive.
        readers: ``(N,)``, how many have read it; one alone counts for nothing.
    """
    counted = readers > 1
    differing = np.where(counted, positive * (readers - positive) / np.maximum(readers - 1, 1), 0)
    return np.stack([positive * counted, (readers - positive) * counted, differing], axis=1)


def alpha_disagreement(sums: Floats) -> Disagreement:
    """Return what Krippendorff's alpha is made of.

    Args:
        sums: ``(B, 3)``, of :func:`coincidences` over images.
    """
    ones, zeros, differing = sums.T
    total = ones + zeros
    with np.errstate(divide='ignore', invalid='ignore'):
        return Disagreement(2 * differing / total, np.where(
            ones * zeros > 0, 2 * ones * zeros / (total * (total - 1)), np.nan))


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


def chance_corrected(by_unit: Floats, measure: Callable[[Floats], Disagreement], level: float = 0.95
                     ) -> tuple[float, Interval | None, str]:
    """Return an agreement corrected for chance, its interval and why there is none.

    The interval is symmetric on the scale log(observed / by chance) of the disagreement, with the
    deviation of the jackknife over units (Miller, Biometrika 61 (1974) 1) and Student's t; how often
    it holds the truth: docs/readers.md. Where no two calls differ: the exact upper limit of the share
    of units that differ, over the disagreement by chance, which stays as it is.

    Args:
        by_unit: ``(U, K)``, of whose sums the measure is a function.
        measure: Of sums ``(B, K)``.
        level: Nominal confidence.
    """
    total, num_units = by_unit.sum(axis=0), len(by_unit)
    measured = measure(total[None])
    estimate = correct_for_chance(measured)
    if math.isnan(estimate):
        return estimate, None, 'all readers call every image the same, as chance alone would'
    if num_units < 2:
        return estimate, None, ONE_PATIENT
    note = few_units_note(num_units)
    if measured.observed[0] == 0:
        share = clopper_pearson(0, num_units, level).high
        low = max(-1., 1 - share / float(measured.by_chance[0]))
        return estimate, Interval(estimate, low, 1., level, 'clopper_pearson', join_notes(
            f'no two calls differ; from the exact limit of {num_units} units', note)), ''
    deviation = _jackknife_deviation(measure(total - by_unit), 1 - estimate)
    if not deviation > NO_DEVIATION:
        return estimate, None, 'all patients say the same, so that their spread tells nothing'
    factor = math.exp(min(t_quantile(level, num_units) * deviation, MAX_LOG))
    low, high = 1 - (1 - estimate) * factor, 1 - (1 - estimate) / factor
    return estimate, Interval(estimate, max(-1., low), high, level, 'jackknife_log', note), ''


def _jackknife_deviation(left_out: Disagreement, ratio: float) -> float:
    """Return the deviation of the logarithm of a ratio, observed over by chance.

    Args:
        left_out: ``(U,)``, with each unit left out once.
        ratio: Of all units.
    """
    ratios = (left_out.observed / left_out.by_chance)[~np.isnan(left_out.by_chance)]
    # Where one unit alone differs its logarithm is lost, and the ratio itself takes its place.
    is_known = (ratios > 0).all() and len(ratios) == len(left_out.by_chance)
    values = np.log(ratios) if is_known else ratios / ratio
    if len(values) < 2:
        return 0.
    return math.sqrt((len(values) - 1) / len(values) * float(((values - values.mean()) ** 2).sum()))
