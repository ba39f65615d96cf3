"""Curves over folds: the mean of the folds' curves, so that what is read off equals the means."""
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mmwindow.evaluation.events.targets import Floats
from mmwindow.evaluation.froc import FROCCurve
from mmwindow.evaluation.roc import ROCCurve


@dataclass(frozen=True)
class MeanFROCCurve(FROCCurve):
    """The mean recall of several FROC curves at each FP rate; thresholds are NaN, as none is shared.

    Attributes:
        curves: Of the folds that have a point.
    """

    curves: list[FROCCurve] = field(default_factory=list)

    def recall_at(self, budget: float, convention: str = 'first_crossing') -> float:
        """Return the mean over folds of :meth:`FROCCurve.recall_at`."""
        if not self.curves:
            return float('nan')
        return float(np.mean([curve.recall_at(budget, convention) for curve in self.curves]))


def mean_froc_curve(curves: Sequence[FROCCurve]) -> FROCCurve:
    """Return the mean of the FROC curves of folds, by first crossing, at every FP rate.

    Args:
        curves: One per fold; one without a point does not count. A single curve is its own mean.

    Raises:
        ValueError: There is no curve.
    """
    if not curves:
        raise ValueError('there is no FROC curve to take the mean of')
    if len(curves) == 1:
        return curves[0]
    counted = [curve for curve in curves if curve.num_points]
    spent = [np.maximum.accumulate(curve.fp_rate) for curve in counted]
    # One that has a floor is not known beyond its last rate.
    ends = [rates[-1] if len(rates) else 0. for rates, curve in zip(spent, counted, strict=True)
            if curve.floor is not None]
    rates = np.unique(np.concatenate([[0.], *spent]))
    rates = rates[rates < min(ends, default=np.inf)]
    recalls = [[curve.recall_at(rate) for rate in rates] for curve in counted]
    return MeanFROCCurve(
        thresholds=np.full(len(rates), np.nan), fp_rate=rates,
        recall=np.mean(recalls, axis=0) if counted else np.full(len(rates), np.nan),
        num_images=sum(curve.num_images for curve in curves),
        num_points=sum(curve.num_points for curve in counted),
        floor=np.nan if ends else None, curves=counted)


def mean_roc_curve(curves: Sequence[ROCCurve]) -> ROCCurve:
    """Return the mean sensitivity of the ROC curves of folds at every specificity.

    The area under it is the mean of their areas.

    Args:
        curves: One per fold that has both kinds of images. A single curve is its own mean.

    Raises:
        ValueError: There is no curve.

    Source: vertical averaging of Fawcett, Pattern Recognit Lett 27 (2006) 861.
    """
    if not curves:
        raise ValueError('there is no ROC curve to take the mean of')
    if len(curves) == 1:
        return curves[0]
    rates = np.unique(np.concatenate([curve.false_positive_rate for curve in curves]))
    # A ROC rises straight up where a positive image has a score of its own: two heights at one rate.
    heights = np.mean([np.stack([heights_at(curve, rates, side) for side in ('left', 'right')])
                       for curve in curves], axis=0)
    return ROCCurve(thresholds=np.full(2 * len(rates), np.nan),
                    false_positive_rate=np.repeat(rates, 2), true_positive_rate=heights.T.ravel())


def heights_at(curve: ROCCurve, rates: Floats, side: str) -> Floats:
    """Return the sensitivity at rates ``(R,)``, as one comes to them from the left or the right."""
    own, first = np.unique(curve.false_positive_rate, return_index=True)
    last = np.append(first[1:], len(curve.false_positive_rate)) - 1
    low, high = curve.true_positive_rate[first], curve.true_positive_rate[last]
    place = np.searchsorted(own, rates)  # both ends, 0 and 1, are among its own
    before = np.maximum(place - 1, 0)
    exact = own[place] == rates
    width = np.where(exact, 1., own[place] - own[before])
    between = high[before] + (rates - own[before]) / width * (low[place] - high[before])
    return np.asarray(np.where(exact, (low if side == 'left' else high)[place], between))
