"""Confidence intervals of proportions, of an AUROC and of a rate, as closed as they come.

All stay inside the range of what they estimate, at its ends too.
"""
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import beta, chi2, norm

FEW_UNITS = 30


@dataclass(frozen=True)
class Interval:
    """A number and its confidence interval.

    Attributes:
        estimate: The number.
        low, high: Ends of the two-sided interval.
        level: Nominal confidence.
        method: How the interval was made.
        note: What a reader should know about it; mostly empty.
    """
    estimate: float
    low: float
    high: float
    level: float = 0.95
    method: str = ''
    note: str = ''


def normal_quantile(level: float) -> float:
    """Return the two-sided quantile of the normal distribution, 1.96 for 0.95.

    Raises:
        ValueError: The level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f'the confidence level is {level}; a fraction such as 0.95 is expected')
    return float(norm.isf((1 - level) / 2))


def check_counts(successes: float, trials: float) -> None:
    """Reject counts that are no proportion."""
    if not (np.isfinite(trials) and trials > 0 and 0 <= successes <= trials):
        raise ValueError(f'{successes} successes of {trials} trials: at least one trial, and as many '
                         'successes at most, are expected')


def wilson(successes: float, trials: float, level: float = 0.95) -> Interval:
    """Return Wilson's score interval of a proportion.

    Args:
        successes: May be fractional, for an effective number of trials.
        trials: At least 1 success or failure.
        level: Nominal confidence.

    Raises:
        ValueError: The counts are no proportion, or the level no fraction.

    Source: Wilson, J Am Stat Assoc 22 (1927) 209.
    """
    check_counts(successes, trials)
    z = normal_quantile(level)
    share = successes / trials
    centre = (share + z ** 2 / (2 * trials)) / (1 + z ** 2 / trials)
    half = z / (1 + z ** 2 / trials) * np.sqrt(
        share * (1 - share) / trials + z ** 2 / (4 * trials ** 2))
    # The ends are 0 and 1 by algebra there; rounding would miss them by 1e-17.
    return Interval(share, 0. if successes == 0 else float(centre - half),
                    1. if successes == trials else float(centre + half), level, 'wilson')


def clopper_pearson(successes: float, trials: float, level: float = 0.95) -> Interval:
    """Return the exact binomial interval of a proportion; it covers at least the level.

    Args and errors as in :func:`wilson`. Without failures the low end is
    ``((1 - level) / 2) ** (1 / trials)``.

    Source: Clopper and Pearson, Biometrika 26 (1934) 404, in its beta form.
    """
    check_counts(successes, trials)
    normal_quantile(level)
    tail = (1 - level) / 2
    failures = trials - successes
    low = float(beta.ppf(tail, successes, failures + 1)) if successes > 0 else 0.
    high = float(beta.isf(tail, successes + 1, failures)) if failures > 0 else 1.
    return Interval(successes / trials, low, high, level, 'clopper_pearson')


PROPORTION_METHODS = {'wilson': wilson, 'clopper_pearson': clopper_pearson}


def clustered_proportion(successes: NDArray[Any], trials: NDArray[Any], level: float = 0.95,
                         method: str = 'wilson') -> Interval:
    """Return the interval of a proportion whose trials come in independent clusters.

    The number of trials is replaced by the effective one, ``p (1 - p) / variance`` with
    the variance of the ratio over clusters; at 0 and 1, where that says nothing, by the
    number of clusters. With one trial in each cluster it is the plain interval. Never
    narrower than the plain interval.

    Args:
        successes, trials: ``(C,)``, counts of each cluster (patient).
        level: Nominal confidence.
        method: 'wilson' or 'clopper_pearson'.

    Raises:
        ValueError: Unknown method, no trial, or counts that are no proportion.

    Source: Korn and Graubard, Survey Methodology 24 (1998) 193 (effective sample size).
    """
    if method not in PROPORTION_METHODS:
        raise ValueError(f'method is {method!r}; it must be one of {tuple(PROPORTION_METHODS)}')
    successes, trials = np.asarray(successes, float), np.asarray(trials, float)
    total, found = trials.sum(), successes.sum()
    check_counts(found, total)
    share = found / total
    effective = float((trials > 0).sum())
    variance = ((successes - share * trials) ** 2).sum() / total ** 2
    if 0 < share < 1:
        effective = min(total, share * (1 - share) / variance) if variance > 0 else total
    plain = PROPORTION_METHODS[method](share * effective, effective, level)
    note = '' if effective > total * (1 - 1e-9) else (
        f'{total:g} trials in {int((trials > 0).sum())} clusters count as {effective:.4g}')
    # share * effective is rounded; the estimate is the plain ratio, and so are 0 and 1.
    return Interval(float(share), 0. if share == 0 else plain.low,
                    1. if share == 1 else plain.high, level, method, note)


def poisson_rate(count: float, exposure: float, level: float = 0.95) -> Interval:
    """Return the exact interval of a rate of independent events.

    Args:
        count: Events seen; may be fractional, for an effective number.
        exposure: Over how many images (units).
        level: Nominal confidence.

    Raises:
        ValueError: A negative count, or no exposure.

    Source: Garwood, Biometrika 28 (1936) 437. Without events the high end is
    ``-log((1 - level) / 2) / exposure``, the "rule of three" for two sides.
    """
    if not (count >= 0 and exposure > 0):
        raise ValueError(f'{count} events over {exposure}: a count and a positive exposure are '
                         'expected')
    normal_quantile(level)
    tail = (1 - level) / 2
    low = float(chi2.ppf(tail, 2 * count) / 2) if count else 0.
    high = float(chi2.isf(tail, 2 * count + 2) / 2)
    return Interval(count / exposure, low / exposure, high / exposure, level, 'poisson')


def few_units_note(area: Any, num_positives: Any, num_normals: Any) -> str:
    """Return a warning of an AUROC interval that its variance may leave too short, or ''.

    With a few findings far harder than the rest, and few patients, most samples hold hardly any
    of the hard ones: intervals made from the sample's own variance then held 86 to 88 % instead
    of 95 (results/coverage, the strong system, 50 patients).
    """
    few = min(num_positives, num_normals)
    if area <= 0.95 or few >= FEW_UNITS:
        return ''
    return (f'AUROC above .95 from {few} units of one class: too short where rare findings are far '
            "harder than the rest; delong_interval(method='newcombe') is safer")


def hanley_mcneil_variance(area: Any, num_positives: Any, num_normals: Any) -> Any:
    """Return the variance of an AUROC from its value and the two numbers alone.

    Newcombe's form of Hanley and McNeil's, with the mean of the two numbers in the
    numerator: ``A (1-A) (1 + M ((1-A)/(2-A) + A/(1+A))) / (m n)``, M = (m + n)/2 - 1.
    """
    other = (num_positives + num_normals) / 2 - 1
    return area * (1 - area) / (num_positives * num_normals) * (
        1 + other * ((1 - area) / (2 - area) + area / (1 + area)))


def newcombe_auroc(area: float, num_positives: int, num_normals: int, level: float = 0.95
                  ) -> Interval:
    """Return the score interval of an AUROC: it needs no variance and holds at 0 and 1.

    The ends are the areas A with ``|A - area| = z sqrt(variance(A))``.

    Args:
        area: The AUROC, in [0, 1].
        num_positives, num_normals: Independent images (units) of each class.
        level: Nominal confidence.

    Raises:
        ValueError: The area is outside [0, 1], or a class is empty.

    Source: method 5 of Newcombe, Stat Med 25 (2006) 559.
    """
    if not 0 <= area <= 1 or num_positives < 1 or num_normals < 1:
        raise ValueError(f'AUROC {area} of {num_positives} positives and {num_normals} normals: a '
                         'number in [0, 1] and at least one of each are expected')
    z = normal_quantile(level)

    def excess(guess: Any) -> Any:
        return abs(guess - area) - z * np.sqrt(
            hanley_mcneil_variance(guess, num_positives, num_normals))

    # At the area itself the excess is negative, at 0 and 1 it is the distance: one sign change.
    low = brentq(excess, 0., area) if 0 < area < 1 else 0.
    high = brentq(excess, area, 1.) if 0 < area < 1 else 1.
    inside = 1e-9  # next to the trivial root at the area itself
    if area == 1:
        low = brentq(excess, 0., 1 - inside)
    if area == 0:
        high = brentq(excess, inside, 1.)
    return Interval(float(area), float(low), float(high), level, 'newcombe')
