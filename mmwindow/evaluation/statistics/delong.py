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
from scipy.stats import rankdata

from mmwindow.annotations.groups import unit_name
from mmwindow.evaluation.roc import auroc, check_labels
from mmwindow.evaluation.statistics.differences import (
    AREA_SHARE,
    mover_difference,
    studentised_difference,
    studentised_p,
)
from mmwindow.evaluation.statistics.few_units import few_units_note, join_notes, no_test_note
from mmwindow.evaluation.statistics.intervals import (
    Ends,
    Interval,
    newcombe_auroc,
    normal_quantile,
    t_quantile,
)
from mmwindow.utils.messages import count_words

DELONG_METHODS = ('blended', 'logit', 'newcombe', 'wald')
DIFFERENCE_METHODS = ('studentised', 'mover', 'wald')
AREA_PRIOR = 5  # units that Newcombe's interval counts as, next to DeLong's
NO_VARIANCE = 1e-12  # of a deviation: placements that are all equal differ by rounding only


@dataclass(frozen=True)
class DeLongEstimate:
    """AUROCs of systems on the same images, and their covariance.

    Attributes:
        areas: ``(S,)``.
        covariance: ``(S, S)``.
        num_positives, num_normals: Images.
        positive_units, normal_units: Independent units (patients) that have a positive
            image, and a normal one.
        num_units: All independent units.
        carriers: ``(S,)``, how many units the variance of each area effectively rests on: the
            squared sum of their squares over the sum of their fourth powers; 0 without a variance.
    """
    areas: NDArray[Any]
    covariance: NDArray[Any]
    num_positives: int
    num_normals: int
    positive_units: int
    normal_units: int
    num_units: int
    carriers: NDArray[Any]


@dataclass(frozen=True)
class DeLongTest:
    """Two AUROCs on the same images compared.

    Attributes:
        first, second: The two AUROCs.
        difference: First minus second.
        variance: Of the difference.
        z: The statistic; None where the variance is 0 and the difference is not.
        p_value: Two-sided, of Student's t with one degree of freedom less than units; None where z
            is, or below eight units.
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
        raise ValueError(f'{count_words(len(groups), "group")} for '
                         f'{count_words(num_images, "image")}')
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
    squares = (deviations[0] + deviations[1]) ** 2
    total = squares.sum(axis=1)
    carriers = np.where(total > NO_VARIANCE ** 2,
                        total ** 2 / np.maximum((squares ** 2).sum(axis=1), 1e-300), 0.)
    return DeLongEstimate(areas=areas, covariance=covariance, num_positives=int(labels.sum()),
                          num_normals=int((~labels).sum()), positive_units=sides[0],
                          normal_units=sides[1], num_units=num_clusters, carriers=carriers)


def blended_ends(estimate: DeLongEstimate, index: int, level: float) -> Ends:
    """Return the ends of an interval of one area that few patients do not leave far too short.

    Where all but a few patients are ranked perfectly, DeLong's variance comes from those few, and the
    next sample may hold a patient that is far harder. On the logit scale the reach of DeLong's
    interval to either side is blended with that of Newcombe's, which depends on the area and the
    numbers of patients alone: the root of the mean of their squares. DeLong's has the weight of the
    units that its variance rests on, Newcombe's that of :data:`AREA_PRIOR` units: in a fair system of
    many patients it hardly counts. Both have the quantile of Student's t.

    Assumption: the blending is ours (docs/evaluation.md); results/coverage says how it does.
    """
    quantile = t_quantile(level, estimate.num_units)
    area = float(estimate.areas[index])
    model = newcombe_auroc(area, estimate.positive_units, estimate.normal_units, level, quantile)
    return blend_ends(area, float(estimate.covariance[index, index]), float(estimate.carriers[index]),
                      Ends(model.low, model.high), quantile)


def blend_ends(area: float, variance: float, weight: float, model: Ends, quantile: float) -> Ends:
    """Return DeLong's ends blended with those of a model; see :func:`blended_ends`.

    Args:
        area: The estimate.
        variance: DeLong's.
        weight: Of DeLong's, in units.
        model: The other ends.
        quantile: Of DeLong's.
    """
    if not 0 < area < 1:
        return model
    own = quantile * np.sqrt(max(variance, 0.)) / (area * (1 - area))
    centre = logit(area)
    below, above = (np.sqrt((weight * own ** 2 + AREA_PRIOR * (centre - logit(end)) ** 2)
                            / (weight + AREA_PRIOR)) for end in model)
    return Ends(float(expit(centre - below)), float(expit(centre + above)))


def area_interval(estimate: DeLongEstimate, index: int, level: float, method: str) -> Interval:
    """Return the interval of one system of a :class:`DeLongEstimate`."""
    if method not in DELONG_METHODS:
        raise ValueError(f'method is {method!r}; it must be one of {DELONG_METHODS}')
    area, variance = float(estimate.areas[index]), float(estimate.covariance[index, index])
    deviation, z = np.sqrt(max(variance, 0.)), normal_quantile(level)
    if method == 'wald':
        return Interval(area, area - z * deviation, area + z * deviation, level, 'delong_wald')
    note = few_units_note(estimate.num_units, min(estimate.positive_units, estimate.normal_units),
                          'of one kind')
    if method == 'blended':
        low, high = blended_ends(estimate, index, level)
        return Interval(area, low, high, level, 'delong_blended', note)
    if method == 'newcombe' or deviation < NO_VARIANCE or not 0 < area < 1:
        interval = newcombe_auroc(area, estimate.positive_units, estimate.normal_units, level)
        instead = '' if method == 'newcombe' else (
            "DeLong's variance is 0 here; the score interval of Newcombe (2006), method 5, is given "
            'instead')
        return Interval(area, interval.low, interval.high, level, 'newcombe',
                        join_notes(instead, note))
    half = z * deviation / (area * (1 - area))
    return Interval(area, float(expit(logit(area) - half)), float(expit(logit(area) + half)), level,
                    'delong_logit', note)


def delong_interval(labels: ArrayLike, scores: ArrayLike, level: float = 0.95,
                    method: str = 'blended', groups: Sequence[Any] | None = None) -> Interval:
    """Return the AUROC and its confidence interval.

    Args:
        labels: ``(N,)``, true or 1 where the image has a finding.
        scores: ``(N,)``; infinite ones are allowed.
        level: Nominal confidence.
        method: 'blended', the default: DeLong's on the logit scale, blended with Newcombe's
            where its variance rests on few patients (:func:`blended_ends`). 'logit': DeLong's alone,
            with the normal quantile (Pepe, The Statistical Evaluation of Medical Tests, 2003, section
            5.2.5); too short for strong systems; where the variance is 0, as at AUROC 0 and 1,
            Newcombe's score interval and a note. 'newcombe': that one always; too long for fair
            systems. 'wald': DeLong's own, unclipped and empty at AUROC 1: for comparison with other
            software.
        groups: As in :func:`delong_covariance`.

    Raises:
        ValueError: As in :func:`delong_covariance`, or an unknown method.
    """
    return area_interval(delong_covariance(labels, scores, groups), 0, level, method)


def delong_test(labels: ArrayLike, first_scores: Sequence[float], second_scores: Sequence[float],
                level: float = 0.95, method: str = 'studentised',
                groups: Sequence[Any] | None = None) -> DeLongTest:
    """Compare the AUROCs of two systems on the same images.

    Args:
        labels: ``(N,)``.
        first_scores, second_scores: ``(N,)``; infinite ones are allowed.
        level: Nominal confidence.
        method: Interval of the difference. 'studentised': that of the test, inside [-1, 1]; see
            :func:`studentised_difference`. 'mover': from the two default intervals
            and the correlation of the areas (Zou, Psychol Methods 12 (2007) 399); longer.
            'wald': DeLong's own, unclipped. The p-value is the same in all cases: DeLong's z
            against Student's t.
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


def compare_areas(estimate: DeLongEstimate, level: float = 0.95, method: str = 'studentised'
                  ) -> DeLongTest:
    """Compare the two systems of an estimate; see :func:`delong_test`."""
    if method not in DIFFERENCE_METHODS:
        raise ValueError(f'method is {method!r}; it must be one of {DIFFERENCE_METHODS}')
    first, second = (area_interval(estimate, index, level, 'blended') for index in (0, 1))
    contrast = np.array([1., -1.])
    difference = float(contrast @ estimate.areas)
    variance = max(float(contrast @ estimate.covariance @ contrast), 0.)
    deviation, note = np.sqrt(variance), ''
    if deviation >= NO_VARIANCE:
        z = difference / deviation
    elif abs(difference) < NO_VARIANCE:
        z, note = 0., 'the two systems rank the images alike'
    else:
        z, note = None, ('the variance of the difference is 0 although there is one: every image '
                         'says the same; there is no z')
    if method == 'studentised':
        few = min(estimate.positive_units, estimate.normal_units)
        interval = studentised_difference(difference, float(deviation), few, estimate.num_units,
                                          AREA_SHARE, level)
    elif method == 'mover':
        interval = mover_difference(first, second, correlation(estimate.covariance), level)
    else:
        half = normal_quantile(level) * deviation
        interval = Interval(difference, difference - half, difference + half, level, 'delong_wald')
    untested = no_test_note(estimate.num_units)
    return DeLongTest(first, second, interval, variance, z,
                      None if z is None or untested else studentised_p(z, estimate.num_units),
                      join_notes(note, untested))


def correlation(covariance: NDArray[Any]) -> float:
    """Return the correlation of two areas; 0 where one of them has no variance."""
    scale = np.sqrt(max(covariance[0, 0], 0) * max(covariance[1, 1], 0))
    return float(np.clip(covariance[0, 1] / scale, -1, 1)) if scale > 1e-24 else 0.
