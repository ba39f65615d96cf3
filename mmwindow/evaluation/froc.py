"""The exact FROC curve over images, and its operating points."""
from dataclasses import dataclass

import numpy as np

DEFAULT_BUDGETS = (0.1, 0.2, 0.3, 0.4, 0.5)
CONVENTIONS = ('first_crossing', 'best', 'interpolated')


@dataclass(frozen=True)
class FROCCurve:
    """The FROC at every threshold at which anything changes.

    Attributes:
        thresholds (ndarray): ``(T,)`` descending.
        fp_rate (ndarray): ``(T,)``, false positives per image at each threshold; not
            monotone, since findings merge.
        recall (ndarray): ``(T,)``, recalled points over all points.
        num_images (int): All images, normals included.
        num_points (int): All points in their frames.
    """
    thresholds: np.ndarray
    fp_rate: np.ndarray
    recall: np.ndarray
    num_images: int
    num_points: int

    def crossing(self, budget):
        """Return the index of the first threshold whose FP rate exceeds a budget.

        The number of thresholds where the rate never does.
        """
        if not budget >= 0:
            raise ValueError(f'the budget is {budget}; false positives per image, at least 0, are '
                             'expected')
        # A rate is a count over the images; a billionth of slack keeps a budget
        # that is met exactly from being lost to rounding.
        over = self.fp_rate * self.num_images > budget * self.num_images + 1e-9
        return int(over.argmax()) if over.any() else len(over)

    def recall_at(self, budget, convention='first_crossing'):
        """Return the recall at a budget of false positives per image.

        Args:
            budget (float): False positives per image.
            convention (str): 'first_crossing': the recall at the lowest threshold such
                that the FP rate keeps to the budget there and at every higher one, the
                operating point at which a reader lowering the threshold first spends
                it. 'best': the highest recall at any threshold that keeps to it.
                'interpolated': linear between the points before and after the first
                crossing.

        Returns:
            float: NaN where there are no points. A budget never reached gives the last
            recall.
        """
        if convention not in CONVENTIONS:
            raise ValueError(f'convention is {convention!r}; it must be one of {CONVENTIONS}')
        if self.num_points == 0:
            return float('nan')
        index = self.crossing(budget)
        before = float(self.recall[index - 1]) if index else 0.
        if convention == 'best':
            allowed = self.fp_rate * self.num_images <= budget * self.num_images + 1e-9
            return float(self.recall[allowed].max(initial=0.))
        if convention == 'interpolated' and index < len(self.recall):
            rate = float(self.fp_rate[index - 1]) if index else 0.
            weight = (budget - rate) / (float(self.fp_rate[index]) - rate)
            return before + weight * (float(self.recall[index]) - before)
        return before

    def threshold_at(self, budget):
        """Return the threshold behind the first-crossing recall; inf where none keeps to it."""
        index = self.crossing(budget)
        return float(self.thresholds[index - 1]) if index else float('inf')

    def score(self, budgets=DEFAULT_BUDGETS, convention='first_crossing'):
        """Return the FROC score, the mean recall over budgets."""
        return float(np.mean([self.recall_at(budget, convention) for budget in budgets]))


def froc_curve(events):
    """Return the exact FROC curve of a set of images.

    Args:
        events (Sequence[ImageEvents]): One per image, normals included.

    Returns:
        FROCCurve: Recall is NaN everywhere where no image has a point.

    Raises:
        ValueError: There is no image.
    """
    events = list(events)
    if not events:
        raise ValueError('froc_curve: there is no image; evaluation needs at least one')
    fp_levels = np.concatenate([event.fp_levels for event in events]).astype(np.float64)
    fp_changes = np.concatenate([event.fp_changes for event in events])
    recall_levels = np.concatenate([event.recall_levels for event in events]).astype(np.float64)
    num_points = len(recall_levels)
    recall_levels = recall_levels[np.isfinite(recall_levels)]
    negated, index = np.unique(-np.concatenate([fp_levels, recall_levels]), return_inverse=True)
    num_fps = np.bincount(index[:len(fp_levels)], weights=fp_changes, minlength=len(negated))
    num_recalled = np.bincount(index[len(fp_levels):], minlength=len(negated))
    with np.errstate(invalid='ignore', divide='ignore'):
        recall = num_recalled.cumsum() / np.float64(num_points)
    return FROCCurve(thresholds=-negated, fp_rate=num_fps.cumsum() / len(events),
                     recall=recall, num_images=len(events), num_points=num_points)
