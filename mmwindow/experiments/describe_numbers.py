"""Numbers and intervals as plain data, as result files hold them."""
import math
from typing import Any

from mmwindow.evaluation.statistics.folds import FoldResult
from mmwindow.evaluation.statistics.intervals import Interval


def describe_interval(interval: Interval | None) -> dict[str, Any] | None:
    """Return an Interval as plain data, or None."""
    return None if interval is None else describe_limits(interval)


def describe_limits(interval: Interval) -> dict[str, Any]:
    """Return the limits of an Interval and how they were made, as plain data."""
    return dict(low=interval.low, high=interval.high, level=interval.level, method=interval.method,
                **({'note': interval.note} if interval.note else {}))


def describe_numbers(result: FoldResult) -> dict[str, Any]:
    """Return the numbers and intervals of a result; a number that is not there is left out."""
    return dict(
        metrics={f'froc/{name}': value for name, value in result.estimates.items()
                 if not math.isnan(value)},
        no_number={**result.reasons, **result.notes},
        intervals={f'froc/{name}': describe_interval(interval)
                   for name, interval in result.intervals.items()})
