"""The band around a FROC curve: an interval of the recall at each of many FP rates."""
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.statistics.bootstrap import DEFAULT_RESAMPLES, bootstrap


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
