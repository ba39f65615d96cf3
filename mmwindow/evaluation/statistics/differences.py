"""Interval and p-value of the difference of two systems on the same patients."""
import numpy as np
from scipy.special import stdtr

from mmwindow.evaluation.statistics.few_units import few_units_note, join_notes
from mmwindow.evaluation.statistics.intervals import Interval, t_quantile

# The least deviation of a difference, in patients on whom the systems disagree completely. A patient
# moves an area by about half as much as a share.
POINT_SHARE = 0.5
AREA_SHARE = 0.25
NO_DEVIATION = 1e-12
AGREED = ('the systems agree on every patient, or both are at an end of the scale; this is no proof '
          'of equality, and the interval is that of no disagreement among {units:g} patients')


def studentised_p(statistic: float, num_units: int) -> float:
    """Return the two-sided p-value of a difference over its deviation.

    Args:
        statistic: Difference / deviation.
        num_units: Patients; one less are the degrees of freedom.
    """
    return float(2 * stdtr(num_units - 1, -abs(statistic)))


def sign_p(units: int) -> float:
    """Return the p-value where every one of some units says the same: the exact sign test's."""
    return float(min(2 * 0.5 ** units, 1.))


def studentised_difference(difference: float, deviation: float, units: float, num_units: int,
                           floor: float, level: float = 0.95) -> Interval:
    """Return the interval that goes with :func:`studentised_p`; it always has a width.

    The difference and the quantile of Student's t times its deviation, inside [-1, 1]. The deviation
    is at least that of ``floor`` patients of ``units`` who disagree: only there the interval may hold
    0 although p is below .05, never the other way. Where no patient disagrees it is the largest
    difference that leaves this a probability of (1 - level) / 2.

    Args:
        difference: First minus second.
        deviation: Of it.
        units: Patients that it rests on.
        num_units: All patients.
        floor: :data:`POINT_SHARE` or :data:`AREA_SHARE`; 0 for a statistic on a scale of its own,
            which is not cut to [-1, 1] either.
        level: Nominal confidence.

    Raises:
        ValueError: Fewer than two patients.
    """
    quantile, note = t_quantile(level, num_units), few_units_note(num_units)
    if deviation < NO_DEVIATION and floor:
        half = 1 - ((1 - level) / 2) ** (1 / units)
        note = join_notes(AGREED.format(units=units), note)
    else:
        half = quantile * max(deviation, floor / units)
    low, high = difference - half, difference + half
    if floor:
        low, high = max(low, -1.), min(high, 1.)
    return Interval(float(difference), float(low), float(high), level, 'studentised', note)


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
