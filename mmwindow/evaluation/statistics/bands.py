"""Bands: of a FROC the interval of the recall at each FP rate, of a ROC that of the sensitivity."""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.roc import roc_curve
from mmwindow.evaluation.statistics.bootstrap import DEFAULT_RESAMPLES, bootstrap
from mmwindow.evaluation.statistics.intervals import share_interval
from mmwindow.evaluation.statistics.resampling import (
    check_events,
    check_units,
    draw_weights,
    find_units,
)


@dataclass(frozen=True)
class FROCBand:
    """Pointwise intervals of the recall, widened so that neither edge falls.

    Each holds at its FP rate alone; the complete true curve lies within the band less often.

    Attributes:
        fp_rate: ``(K,)``, rising.
        low, high: ``(K,)``, ends of the interval.
        level: Nominal confidence of each.
        num_resamples, seed: Of the bootstrap.
    """

    fp_rate: NDArray[Any]
    low: NDArray[Any]
    high: NDArray[Any]
    level: float
    num_resamples: int
    seed: int


def froc_band(events: Sequence[ImageEvents], settings: FROCSettings | None = None,
              max_fp_rate: float = 1., num_rates: int = 51, num_resamples: int = DEFAULT_RESAMPLES,
              seed: int = 0, level: float = 0.95) -> FROCBand:
    """Return the band around the FROC curve of some images, by bootstrap over patients.

    Args:
        events: One per image, negative images included.
        settings: Convention and denominator; the defaults if None.
        max_fp_rate: Where the band ends.
        num_rates: How many FP rates from 0 on have an interval.
        num_resamples, seed: Of the bootstrap.
        level: Nominal confidence.

    Returns:
        FROCBand

    Raises:
        ValueError: The images have no point, or as in ``bootstrap``.
    """
    settings = settings or FROCSettings()
    # Rounded, so that each has a name of its own among the statistics.
    rates = np.round(np.linspace(0, max_fp_rate, num_rates), 5)
    result = bootstrap(events, FROCSettings(tuple(rates), settings.convention,
                                            settings.fp_denominator, statistics=()),
                       num_resamples=num_resamples, seed=seed, level=level)
    intervals = [result.intervals[f'recall@{rate:g}'] for rate in rates]
    if any(interval is None for interval in intervals):
        raise ValueError('the images have no point, so there is no recall to draw a band around')
    low = np.array([interval.low for interval in intervals])
    high = np.array([interval.high for interval in intervals])
    # Recall never falls with the budget, but an end of its interval can, as where the bootstrap
    # runs out of variety and an exact interval takes its place. The wider of both is kept.
    return FROCBand(fp_rate=rates, low=np.minimum.accumulate(low[::-1])[::-1],
                    high=np.maximum.accumulate(high), level=level, num_resamples=num_resamples,
                    seed=seed)


@dataclass(frozen=True)
class ROCBand:
    """Pointwise intervals of the sensitivity, widened so that neither edge falls.

    Attributes:
        false_positive_rate: ``(K,)``, 1 - specificity, rising from 0 to 1.
        low, high: ``(K,)``, ends of the interval.
        level: Nominal confidence of each.
        num_resamples, seed: Of the bootstrap.
    """

    false_positive_rate: NDArray[Any]
    low: NDArray[Any]
    high: NDArray[Any]
    level: float
    num_resamples: int
    seed: int


def roc_band(events: Sequence[ImageEvents], num_rates: int = 51,
             num_resamples: int = DEFAULT_RESAMPLES, seed: int = 0, level: float = 0.95) -> ROCBand:
    """Return the band around the ROC curve of some images, by bootstrap over patients.

    At each false positive rate the sensitivity is read off the curve (straight lines between its
    points, as for the area); its interval is the score interval with the variance of the resamples,
    as that of a recall.

    Args:
        events: One per image.
        num_rates: How many rates from 0 to 1 have an interval.
        num_resamples, seed: Of the bootstrap; resamples of one kind of image are left out.
        level: Nominal confidence.

    Raises:
        ValueError: There is one kind of image only, or fewer than two patients.
    """
    events = check_events(events)
    units = find_units(events)
    check_units(events, units)
    positive = np.array([bool(event.is_positive) for event in events])
    scores = np.array([event.score for event in events], float)
    rates = np.linspace(0, 1, num_rates)
    curve = roc_curve(positive, scores)
    estimates = np.interp(rates, curve.false_positive_rate, curve.true_positive_rate)
    order = np.argsort(-scores, kind='stable')
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    unit, is_positive = units.index[order], positive[order]
    replicates = []
    for block in draw_weights(np.zeros(len(units), int), num_resamples, np.random.default_rng(seed)):
        for weights in block[:, unit]:
            counts = [np.append(0, np.cumsum(weights * kind)[ends])
                      for kind in (~is_positive, is_positive)]
            if all(count[-1] for count in counts):
                replicates.append(np.interp(rates, *(count / count[-1] for count in counts)))
    carriers = len(np.unique(units.index[positive]))
    variances = np.var(replicates, axis=0) if len(replicates) > 1 else np.zeros(num_rates)
    found = [share_interval(float(share), float(variance), carriers, int(positive.sum()), len(units),
                            level) for share, variance in zip(estimates, variances, strict=True)]
    low, high = (np.array([getattr(one, end) for one in found]) for end in ('low', 'high'))
    return ROCBand(rates, np.minimum.accumulate(low[::-1])[::-1], np.maximum.accumulate(high), level,
                   num_resamples, seed)
