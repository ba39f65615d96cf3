"""Confidence intervals of proportions, of an AUROC and of a rate, as closed as they come.

All stay inside the range of what they estimate, at its ends too.
"""
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtri, stdtrit
from scipy.stats import beta, chi2

PRIOR_UNITS = 3  # what a variance of few patients is blended with counts as so many of them


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
    return float(-ndtri((1 - level) / 2))


def t_quantile(level: float, num_units: int) -> float:
    """Return the two-sided quantile of Student's t for a variance estimated from units.

    Args:
        level: Nominal confidence.
        num_units: Patients; one less are the degrees of freedom.

    Raises:
        ValueError: The level is not between 0 and 1, or there are fewer than two units.

    >>> round(t_quantile(0.95, 12), 3), round(t_quantile(0.95, 10 ** 6), 3)
    (2.201, 1.96)
    """
    normal_quantile(level)
    if num_units < 2:
        raise ValueError(f'there is {num_units} unit; a variance needs at least two patients')
    return float(-stdtrit(num_units - 1, (1 - level) / 2))


def check_counts(successes: float, trials: float) -> None:
    """Reject counts that are no proportion."""
    if not (np.isfinite(trials) and trials > 0 and 0 <= successes <= trials):
        raise ValueError(f'{successes} successes of {trials} trials: at least one trial, and as many '
                         'successes at most, are expected')


def wilson(successes: float, trials: float, level: float = 0.95, quantile: float | None = None
          ) -> Interval:
    """Return Wilson's score interval of a proportion.

    Args:
        successes: May be fractional, for an effective number of trials.
        trials: At least 1 success or failure.
        level: Nominal confidence.
        quantile: In place of the normal one, as where the number of trials is estimated.

    Raises:
        ValueError: The counts are no proportion, or the level no fraction.

    Source: Wilson, J Am Stat Assoc 22 (1927) 209.
    """
    check_counts(successes, trials)
    z = normal_quantile(level) if quantile is None else quantile
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
CLUSTERED_METHODS = ('score', *PROPORTION_METHODS)


def effective_trials(share: float, variance: float, units: float, most: float) -> float:
    """Return how many independent trials a share is worth.

    The variance of the share is compared with that of ``units`` trials, ``p (1 - p) / units``. The
    ratio is blended with 1, which counts as :data:`PRIOR_UNITS` units: a variance from few units may
    be far too small, and at a share of 0 or 1 it says nothing.

    Args:
        share: The estimate, in [0, 1].
        variance: Of it, over units.
        units: How many units have a trial.
        most: Trials; no share is worth more.

    Source: Korn and Graubard, Survey Methodology 24 (1998) 193 (effective sample size).
    Assumption: the blending is ours (docs/evaluation.md); results/coverage says how it does.
    """
    plain = share * (1 - share)
    ratio = max(units * variance / plain, units / most) if plain > 0 else 1.
    ratio = (units * ratio + PRIOR_UNITS) / (units + PRIOR_UNITS)
    return float(min(units / ratio, most))


def share_interval(share: float, variance: float, units: float, most: float, num_units: int,
                   level: float = 0.95) -> Interval:
    """Return the score interval of a share whose variance over patients is known.

    Wilson's with :func:`effective_trials` and the quantile of Student's t. It has a width
    always, and is wider with fewer patients.

    Args:
        share, variance, units, most: As in :func:`effective_trials`.
        num_units: All patients, those without a trial included; at least 2.
        level: Nominal confidence.
    """
    trials = effective_trials(share, variance, units, most)
    found = wilson(share * trials, trials, level, t_quantile(level, num_units))
    # share * trials is rounded; the estimate is the plain ratio, and so are 0 and 1.
    return Interval(float(share), 0. if share == 0 else found.low, 1. if share == 1 else found.high,
                    level, 'score')


def clustered_proportion(successes: NDArray[Any], trials: NDArray[Any], level: float = 0.95,
                         method: str = 'wilson') -> Interval:
    """Return the interval of a proportion whose trials come in independent clusters.

    The number of trials is replaced by the effective one, from the variance of the ratio over
    clusters. 'wilson' and 'clopper_pearson' take this variance as it is, at 0 and 1, where it says
    nothing, the number of clusters; with one trial in each cluster they are the plain intervals.
    'score' steadies it, see :func:`share_interval`. None is narrower than the plain interval.

    Args:
        successes, trials: ``(C,)``, counts of each cluster (patient).
        level: Nominal confidence.
        method: 'score', 'wilson' or 'clopper_pearson'.

    Raises:
        ValueError: Unknown method, no trial, counts that are no proportion, or with 'score' fewer
            than two clusters.

    Source: Korn and Graubard, Survey Methodology 24 (1998) 193 (effective sample size).
    """
    if method not in CLUSTERED_METHODS:
        raise ValueError(f'method is {method!r}; it must be one of {CLUSTERED_METHODS}')
    successes, trials = np.asarray(successes, float), np.asarray(trials, float)
    total, found = trials.sum(), successes.sum()
    check_counts(found, total)
    share, clusters = float(found / total), int((trials > 0).sum())
    variance = float(((successes - share * trials) ** 2).sum() / total ** 2)
    if method == 'score':
        interval = share_interval(share, variance, clusters, total, len(trials), level)
        effective = effective_trials(share, variance, clusters, total)
    else:
        effective = float(clusters)
        if 0 < share < 1:
            effective = min(total, share * (1 - share) / variance) if variance > 0 else total
        interval = PROPORTION_METHODS[method](share * effective, effective, level)
    note = '' if effective > total * (1 - 1e-9) else (
        f'{total:g} trials in {clusters} clusters count as {effective:.4g}')
    # share * effective is rounded; the estimate is the plain ratio, and so are 0 and 1.
    return Interval(share, 0. if share == 0 else interval.low,
                    1. if share == 1 else interval.high, level, method, note)


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


def hanley_mcneil_variance(area: Any, num_positives: Any, num_normals: Any) -> Any:
    """Return the variance of an AUROC from its value and the two numbers alone.

    Newcombe's form of Hanley and McNeil's, with the mean of the two numbers in the
    numerator: ``A (1-A) (1 + M ((1-A)/(2-A) + A/(1+A))) / (m n)``, M = (m + n)/2 - 1.
    """
    other = (num_positives + num_normals) / 2 - 1
    return area * (1 - area) / (num_positives * num_normals) * (
        1 + other * ((1 - area) / (2 - area) + area / (1 + area)))


def newcombe_auroc(area: float, num_positives: int, num_normals: int, level: float = 0.95,
                   quantile: float | None = None) -> Interval:
    """Return the score interval of an AUROC: it needs no variance and holds at 0 and 1.

    The ends are the areas A with ``|A - area| = z sqrt(variance(A))``.

    Args:
        area: The AUROC, in [0, 1].
        num_positives, num_normals: Independent images (units) of each class.
        level: Nominal confidence.
        quantile: In place of the normal one.

    Raises:
        ValueError: The area is outside [0, 1], or a class is empty.

    Source: method 5 of Newcombe, Stat Med 25 (2006) 559.
    """
    if not 0 <= area <= 1 or num_positives < 1 or num_normals < 1:
        raise ValueError(f'AUROC {area} of {num_positives} positives and {num_normals} normals: a '
                         'number in [0, 1] and at least one of each are expected')
    low, high = score_ends(area, partial(hanley_mcneil_variance, num_positives=num_positives,
                                         num_normals=num_normals),
                           normal_quantile(level) if quantile is None else quantile)
    return Interval(float(area), low, high, level, 'newcombe')


class Ends(NamedTuple):
    """Of an interval."""

    low: float
    high: float


def score_ends(area: float, variance: Callable[[float], float], quantile: float) -> Ends:
    """Return the areas A with ``|A - area| = quantile * sqrt(variance(A))``, one on each side.

    Args:
        area: The estimate, in [0, 1].
        variance: Of an estimate whose truth is A; 0 at 0 and 1.
        quantile: Of the interval.
    """
    def excess(guess: float) -> float:
        return float(abs(guess - area) - quantile * np.sqrt(variance(guess)))

    # At the area itself the excess is negative, at 0 and 1 it is the distance: one sign change.
    low = brentq(excess, 0., area) if 0 < area < 1 else 0.
    high = brentq(excess, area, 1.) if 0 < area < 1 else 1.
    inside = 1e-9  # next to the trivial root at the area itself
    if area == 1:
        low = brentq(excess, 0., 1 - inside)
    if area == 0:
        high = brentq(excess, inside, 1.)
    return Ends(float(low), float(high))
