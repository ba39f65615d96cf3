"""Holm's correction of p-values for the number of comparisons."""
import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

Name = TypeVar('Name')


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return Holm's adjusted p-values, in the order given.

    Each is the smallest level of all tests together at which its test is still rejected: of m
    p-values the smallest is multiplied by m, the next by m - 1 and so on; none is below one that
    was smaller, and none is above 1. Valid whatever the dependence of the tests.

    Args:
        p_values: One for each test; None (or NaN) where a test has none. Such a test is not counted
            and stays None.

    Raises:
        ValueError: A p-value is outside [0, 1].

    Source: Holm, Scand J Stat 6 (1979) 65.

    Example:
        >>> holm([0.01, None, 0.04, 0.03])
        [0.03, None, 0.06, 0.06]
    """
    known = [(value, place) for place, value in enumerate(p_values)
             if value is not None and not math.isnan(value)]
    for value, _ in known:
        if not 0 <= value <= 1:
            raise ValueError(f'a p-value is {value}; a number from 0 to 1 is expected')
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.
    for number, (value, place) in enumerate(sorted(known)):
        largest = max(largest, min((len(known) - number) * value, 1.))
        adjusted[place] = largest
    return adjusted


def holm_by_name(p_values: Mapping[Name, float | None]) -> dict[Name, float | None]:
    """Return :func:`holm` of p-values by name."""
    return dict(zip(p_values, holm(list(p_values.values())), strict=True))
