"""Agreement of calls corrected for chance: Cohen's kappa, Krippendorff's alpha, their interval."""
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mmwindow.evaluation.events.targets import Floats
from mmwindow.evaluation.statistics.few_units import few_units_note, join_notes
from mmwindow.evaluation.statistics.intervals import Interval, clopper_pearson, t_quantile
from mmwindow.utils.messages import count_words

MAX_LOG = 700.  # of a factor that a float holds
NO_DEVIATION = 1e-9  # of a logarithm; less is rounding
ONE_PATIENT = 'all images are of one patient'


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
            f'no two calls differ; from the exact limit of '
            f'{count_words(num_units, "unit")}', note)), ''
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
