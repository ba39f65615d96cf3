"""The interval of a rate over patients, such as false positives per image at a threshold."""
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.statistics.few_units import few_units_note, join_notes
from mmwindow.evaluation.statistics.intervals import (
    PRIOR_UNITS,
    Interval,
    normal_quantile,
    poisson_rate,
    t_quantile,
)
from mmwindow.evaluation.statistics.resampling import bca_tails, draw_weights, leave_one_out
from mmwindow.utils.messages import count_words

RATE_METHODS = ('poisson', 'bca')


def rate_interval(counts: NDArray[Any], images: NDArray[Any], level: float, num_resamples: int,
                  seed: int, method: str = 'poisson') -> Interval:
    """Return a rate over units and its interval; it always has a width.

    Args:
        counts, images: ``(U,)``, of each unit; at least two units.
        level: Nominal confidence.
        num_resamples, seed: Of the bootstrap.
        method: 'poisson': the exact interval of as many units, each taken for one image, as have the
            resamples' variance. That is blended with the variance of a Poisson count, which counts as
            :data:`~mmwindow.evaluation.statistics.intervals.PRIOR_UNITS` units, and enlarged as
            Student's t is longer than the normal. 'bca': of the resamples alone; where all agree, as
            without any false positive, the exact interval of the units.

    Raises:
        ValueError: Unknown method, fewer than two units, or no image.
    """
    if method not in RATE_METHODS:
        raise ValueError(f'method is {method!r}; it must be one of {RATE_METHODS}')
    if not images.sum() > 0:
        raise ValueError(f'the {count_words(len(images), "patient has", "patients have")} no image '
                         f'to count on')
    rate, exposed = float(counts.sum() / images.sum()), int((images > 0).sum())
    quantile, note = t_quantile(level, len(counts)), few_units_note(len(counts))

    def rates(blocks: Any) -> NDArray[Any]:
        with np.errstate(invalid='ignore'):
            values = np.concatenate([(block @ counts) / (block @ images) for block in blocks])
        return np.asarray(values[~np.isnan(values)])

    replicates = rates(draw_weights(np.zeros(len(counts), int), num_resamples,
                                    np.random.default_rng(seed)))
    if method == 'poisson':
        # A Poisson count of one image a unit has the variance rate / units.
        ratio = exposed * replicates.var() / rate if rate > 0 else 1.
        effective = exposed * (exposed + PRIOR_UNITS) / (exposed * ratio + PRIOR_UNITS)
        effective *= (normal_quantile(level) / quantile) ** 2  # the variance is an estimate
        found = poisson_rate(rate * effective, effective, level)
        return Interval(rate, found.low, found.high, level, 'bootstrap_poisson', note)
    if replicates.min() == replicates.max():
        closed = poisson_rate(rate * exposed, exposed, level)
        return Interval(rate, closed.low, closed.high, level, 'poisson', join_notes(
            f'all resamples agree; an interval from {exposed} units is given instead', note))
    tails = bca_tails(rate, replicates, rates(leave_one_out(len(counts))), level)
    low, high = np.quantile(replicates, tails, method='weibull')
    return Interval(rate, float(low), float(high), level, 'bootstrap_bca', note)
