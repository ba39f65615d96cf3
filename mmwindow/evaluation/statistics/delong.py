"""DeLong's variance, interval and paired test of the AUROC; ties and clusters included.

DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837, in O(N log N) by mid-ranks
(Sun and Xu, IEEE Signal Process Lett 21 (2014) 1389); for several images per patient the
clustered form of Obuchowski, Biometrics 53 (1997) 567, which is DeLong's own where each
patient has one image.
"""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit
from scipy.stats import norm, rankdata

from mmwindow.annotations.groups import unit_name
from mmwindow.evaluation.roc import auroc, check_labels
from mmwindow.evaluation.statistics.intervals import (
    Interval,
    few_units_note,
    newcombe_auroc,
    normal_quantile,
)

DELONG_METHODS = ('logit', 'newcombe', 'wald')
DIFFERENCE_METHODS = ('mover', 'wald')


@dataclass(frozen=True)
class DeLongEstimate:
    """AUROCs of systems on the same images, and their covariance.

    Attributes:
        areas: ``(S,)``.
        covariance: ``(S, S)``.
        num_positives, num_normals: Images.
        positive_units, normal_units: Independent units (patients) that have a positive
            image, and a normal one.
    """
    areas: NDArray[Any]
    covariance: NDArray[Any]
    num_positives: int
    num_normals: int
    positive_units: int
    normal_units: int


@dataclass(frozen=True)
class DeLongTest:
    """Two AUROCs on the same images compared.

    Attributes:
        first, second: The two AUROCs.
        difference: First minus second.
        variance: Of the difference.
        z: The statistic; None where the variance is 0 and the difference is not.
        p_value: Two-sided; None where z is.
        note: Says why where there is none.
    """
    first: Interval
    second: Interval
    difference: Interval
    variance: float
    z: float | None
    p_value: float | None
    note: str = ''


def cluster_indices(groups: Sequence[Any] | None, num_images: int) -> NDArray[np.int_]:
    """Return ``(N,)`` integers that number the clusters; each image its own if None."""
    if groups is None:
        return np.arange(num_images)
    if len(groups) != num_images:
        raise ValueError(f'there are {len(groups)} groups for {num_images} images')
    names = [unit_name(group, number) for number, group in enumerate(groups)]
    return np.unique(names, return_inverse=True)[1].reshape(-1)


def placements(scores: NDArray[Any], labels: NDArray[Any]) -> NDArray[Any]:
    """Return each image's share of images of the other class that it beats, ties half.

    Args:
        scores: ``(N,)`` float64, infinite allowed, no NaN.
        labels: ``(N,)`` bool.

    Returns:
        ndarray: ``(N,)``; of a positive image the share of negatives below it, of a negative the
        share of positives above it. The mean over either class is the AUROC.
    """
    ranks = rankdata(scores)
    share = np.empty(len(scores))
    share[labels] = (ranks[labels] - rankdata(scores[labels])) / (~labels).sum()
    share[~labels] = 1 - (ranks[~labels] - rankdata(scores[~labels])) / labels.sum()
    return share


def delong_covariance(labels: ArrayLike, scores: ArrayLike, groups: Sequence[Any] | None = None
                     ) -> DeLongEstimate:
    """Return the AUROCs of systems on the same images, and their covariance.

    Args:
        labels: ``(N,)``, true or 1 where the image has a finding.
        scores: ``(S, N)``, one row per system; infinite ones are allowed.
        groups: ``(N,)``, the patient of each image. Images of one
            patient are then not taken for independent.

    Returns:
        DeLongEstimate

    Raises:
        ValueError: Lengths differ, a score is NaN, only one class, or fewer than two
            independent units of a class.
    """
    rows = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    labels = check_labels(labels, rows[0])[0]
    for row in rows:
        check_labels(labels, row)
    cluster = cluster_indices(groups, len(labels))
    num_clusters = int(cluster.max()) + 1
    sides = []
    for side in (labels, ~labels):
        units = len(np.unique(cluster[side]))
        if units < 2:
            name = 'positive' if side is labels else 'normal'
            raise ValueError(f'DeLong: {int(side.sum())} {name} images of {units} unit; a variance '
                             'needs at least two independent units of each class')
        sides.append(units)
    shares = np.stack([placements(row, labels) for row in rows])
    areas = np.array([auroc(labels, row) for row in rows])
    deviations, parts = [], []
    for side, units in zip((labels, ~labels), sides, strict=True):
        sums = np.stack([np.bincount(cluster[side], weights=(share - area)[side],
                                     minlength=num_clusters)
                         for share, area in zip(shares, areas, strict=True)]) / side.sum()
        deviations.append(sums)
        parts.append(units / (units - 1) * sums @ sums.T)
    cross = num_clusters / (num_clusters - 1) * deviations[0] @ deviations[1].T
    shared = np.intersect1d(cluster[labels], cluster[~labels]).size > 0
    covariance = parts[0] + parts[1] + (cross + cross.T if shared else 0)
    return DeLongEstimate(areas=areas, covariance=covariance, num_positives=int(labels.sum()),
                          num_normals=int((~labels).sum()), positive_units=sides[0],
                          normal_units=sides[1])


def area_interval(estimate: DeLongEstimate, index: int, level: float, method: str) -> Interval:
    """Return the interval of one system of a :class:`DeLongEstimate`."""
    if method not in DELONG_METHODS:
        raise ValueError(f'method is {method!r}; it must be one of {DELONG_METHODS}')
    z = normal_quantile(level)
    area, variance = float(estimate.areas[index]), float(estimate.covariance[index, index])
    deviation = np.sqrt(max(variance, 0.))
    if method == 'wald':
        return Interval(area, area - z * deviation, area + z * deviation, level, 'delong_wald')
    # 1e-12: placements that are all equal differ by rounding only.
    degenerate = deviation < 1e-12 or not 0 < area < 1
    if method == 'newcombe' or degenerate:
        interval = newcombe_auroc(area, estimate.positive_units, estimate.normal_units,
                                  level)
        note = ('' if method == 'newcombe' else 'DeLong\'s variance is 0 here; the score interval '
                'of Newcombe (2006), method 5, is given instead')
        return Interval(area, interval.low, interval.high, level, 'newcombe', note)
    half = z * deviation / (area * (1 - area))
    note = few_units_note(area, estimate.positive_units, estimate.normal_units)
    return Interval(area, float(expit(logit(area) - half)), float(expit(logit(area) + half)), level,
                    'delong_logit', note)


def delong_interval(labels: ArrayLike, scores: ArrayLike, level: float = 0.95,
                    method: str = 'logit', groups: Sequence[Any] | None = None) -> Interval:
    """Return the AUROC and its confidence interval.

    Args:
        labels: ``(N,)``, true or 1 where the image has a finding.
        scores: ``(N,)``; infinite ones are allowed.
        level: Nominal confidence.
        method: 'logit': DeLong's variance on the logit scale, inside [0, 1]
            (Pepe, The Statistical Evaluation of Medical Tests, 2003, section 5.2.5);
            where the variance is 0, as at AUROC 0 and 1, Newcombe's score interval and a
            note. 'newcombe': that one always. 'wald': DeLong's own, unclipped and
            empty at AUROC 1: for comparison with other software.
        groups: As in :func:`delong_covariance`.

    Raises:
        ValueError: As in :func:`delong_covariance`, or an unknown method.
    """
    return area_interval(delong_covariance(labels, scores, groups), 0, level, method)


def delong_test(labels: ArrayLike, first_scores: Sequence[float], second_scores: Sequence[float],
                level: float = 0.95, method: str = 'mover', groups: Sequence[Any] | None = None
               ) -> DeLongTest:
    """Compare the AUROCs of two systems on the same images.

    Args:
        labels: ``(N,)``.
        first_scores, second_scores: ``(N,)``; infinite ones are allowed.
        level: Nominal confidence.
        method: Interval of the difference. 'mover': from the two logit intervals
            and the correlation of the areas (Zou, Psychol Methods 12 (2007) 399); it is
            inside [-1, 1] and has a width at AUROC 1. 'wald': DeLong's own, unclipped.
            The p-value is that of DeLong's z in both cases.
        groups: As in :func:`delong_covariance`.

    Returns:
        DeLongTest

    Raises:
        ValueError: As in :func:`delong_covariance`, or an unknown method.
    """
    if len(first_scores) != len(second_scores):
        raise ValueError(f'the systems have {len(first_scores)} and {len(second_scores)} scores; '
                         'both must have scored the same images')
    return compare_areas(delong_covariance(labels, [first_scores, second_scores], groups), level,
                         method)


def compare_areas(estimate: DeLongEstimate, level: float = 0.95, method: str = 'mover') -> DeLongTest:
    """Compare the two systems of an estimate; see :func:`delong_test`."""
    if method not in DIFFERENCE_METHODS:
        raise ValueError(f'method is {method!r}; it must be one of {DIFFERENCE_METHODS}')
    first, second = (area_interval(estimate, index, level, 'logit') for index in (0, 1))
    contrast = np.array([1., -1.])
    difference = float(contrast @ estimate.areas)
    variance = max(float(contrast @ estimate.covariance @ contrast), 0.)
    deviation, note = np.sqrt(variance), ''
    if deviation >= 1e-12:
        z = difference / deviation
    elif abs(difference) < 1e-12:
        z, note = 0., 'the two systems rank the images alike'
    else:
        z, note = None, ('the variance of the difference is 0 although there is one: every image '
                         'says the same; there is no z')
    if method == 'mover':
        interval = mover_difference(first, second, correlation(estimate.covariance), level)
    else:
        half = normal_quantile(level) * deviation
        interval = Interval(difference, difference - half, difference + half, level, 'delong_wald')
    return DeLongTest(first, second, interval, variance, z,
                      None if z is None else float(2 * norm.sf(abs(z))), note)


def correlation(covariance: NDArray[Any]) -> float:
    """Return the correlation of two areas; 0 where one of them has no variance."""
    scale = np.sqrt(max(covariance[0, 0], 0) * max(covariance[1, 1], 0))
    return float(np.clip(covariance[0, 1] / scale, -1, 1)) if scale > 1e-24 else 0.


def mover_difference(first: Interval, second: Interval, correlation: float, level: float = 0.95
                    ) -> Interval:
    """Return the interval of a difference from the intervals of its two terms.

    Args:
        first, second: The terms.
        correlation: Of the two estimates.
        level: That of both intervals.

    Source: Zou, Psychol Methods 12 (2007) 399, equations 15 and 16.
    """
    def reach(one: float, other: float) -> float:
        found: float = (
            np.sqrt(max(one ** 2 - 2 * correlation * one * other + other ** 2, 0.)))
        return found

    difference = first.estimate - second.estimate
    below = reach(first.estimate - first.low, second.high - second.estimate)
    above = reach(first.high - first.estimate, second.estimate - second.low)
    return Interval(difference, float(max(difference - below, -1.)),
                    float(min(difference + above, 1.)), level, 'mover')
