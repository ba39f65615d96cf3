"""The exact FROC curve over images, and its operating points."""
from dataclasses import dataclass, field

import numpy as np

DEFAULT_BUDGETS = (0.1, 0.2, 0.3, 0.4, 0.5)
CONVENTIONS = ('first_crossing', 'best', 'interpolated')
COUNTED_KINDS = ('hit', 'both', 'neither')  # of findings, beside false positives
RATE_SLACK = 1e-9  # false positives


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
        floor (float, optional): The curve is known down to this threshold only; None: all
            of it is.
        counts (dict): For each kind of finding counted in all images ('hit', 'both',
            'neither'): levels ``(K,)`` descending, and the number of such findings in all
            images from each level down to the next, ``(K,)``.
    """
    thresholds: np.ndarray
    fp_rate: np.ndarray
    recall: np.ndarray
    num_images: int
    num_points: int
    floor: float | None = None
    counts: dict = field(default_factory=dict)

    def keeps_to(self, budget):
        """Tell at which thresholds the FP rate keeps to a budget ``(T,)``.

        Args:
            budget (float): False positives per image.

        Raises:
            ValueError: The budget is negative or NaN.
        """
        check_budget(budget)
        # A rate is a count over the images; a billionth of slack keeps a budget
        # that is met exactly from being lost to rounding.
        return self.fp_rate * self.num_images <= budget * self.num_images + RATE_SLACK

    def crossing(self, budget):
        """Return the index of the first threshold whose FP rate exceeds a budget.

        The number of thresholds where the rate never does.

        Raises:
            ValueError: The budget is negative or NaN, or is not spent above the floor.
        """
        over = ~self.keeps_to(budget)
        if over.any():
            return int(over.argmax())
        if self.floor is not None:
            raise ValueError(f'the curve ends at the floor {self.floor} before a budget of {budget} '
                             'is spent; make the events again with a lower floor, or none')
        return len(over)

    def num_crossings(self, budget):
        """Return how often the FP rate comes to exceed a budget as the threshold falls.

        0 where it never does; more than 1 where findings merge and the rate falls again: the
        conventions may then differ.

        Raises:
            ValueError: The budget is negative or NaN, or the curve has a floor.
        """
        self._check_whole('how often a budget is crossed')
        over = np.append(False, ~self.keeps_to(budget))
        return int((over[1:] & ~over[:-1]).sum())

    def counts_at(self, threshold):
        """Return what the findings are at a threshold, over all images.

        Args:
            threshold (float): Findings of this score or better count; inf: none does.

        Returns:
            dict: Numbers: ``false_positives``, ``recalled`` targets, and where they were
            counted ``hits``, findings that hit a target, ``both``, those that are false
            positives too, ``neither``, and ``findings``, all of them; None where not.

        Raises:
            ValueError: The threshold lies below the floor.
        """
        if self.floor is not None and threshold < self.floor:
            raise ValueError(f'the threshold is {threshold}, but the curve is known down to '
                             f'{self.floor} only')
        index = int(np.searchsorted(-self.thresholds, -threshold, 'right')) - 1
        num_fps = int(round(self.fp_rate[index] * self.num_images)) if index >= 0 else 0
        num_recalled = (int(round(self.recall[index] * self.num_points))
                        if index >= 0 and self.num_points else 0)
        found = {kind: None for kind in COUNTED_KINDS}
        for kind, (levels, numbers) in self.counts.items():
            index = int(np.searchsorted(-levels, -threshold, 'right')) - 1
            found[kind] = int(numbers[index]) if index >= 0 else 0
        total = None if None in found.values() else (
            num_fps + found['hit'] - found['both'] + found['neither'])
        return dict(false_positives=num_fps, recalled=num_recalled, hits=found['hit'],
                    both=found['both'], neither=found['neither'], findings=total)

    def counts_at_budget(self, budget):
        """Return :meth:`counts_at` the first crossing's operating point, and its threshold."""
        threshold = self.threshold_at(budget)
        return dict(threshold=threshold, **self.counts_at(threshold))

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

        Raises:
            ValueError: The convention is unknown, the budget negative or NaN, or the curve is
                not known far enough down.
        """
        if convention not in CONVENTIONS:
            raise ValueError(f'convention is {convention!r}; it must be one of {CONVENTIONS}')
        check_budget(budget)
        if self.num_points == 0:
            return float('nan')
        if convention == 'best':
            self._check_whole("the convention 'best'")
            return float(self.recall[self.keeps_to(budget)].max(initial=0.))
        index = self.crossing(budget)
        before = float(self.recall[index - 1]) if index else 0.
        if convention == 'interpolated' and index < len(self.recall):
            rate = float(self.fp_rate[index - 1]) if index else 0.
            weight = max(budget - rate, 0.) / (float(self.fp_rate[index]) - rate)
            return before + weight * (float(self.recall[index]) - before)
        return before

    def threshold_at(self, budget: float, convention: str = 'first_crossing') -> float | None:
        """Return the threshold that gives :meth:`recall_at` a budget.

        Args:
            budget: False positives per image.
            convention: As in :meth:`recall_at`. Of 'best': the highest threshold with the highest
                recall. Of 'interpolated': that of the first crossing where it has the interpolated
                recall.

        Returns:
            float: inf where no finding is called; None where no threshold has the recall.
        """
        recall = self.recall_at(budget, convention)
        if convention == 'best':
            if not recall > 0:
                return float('inf')
            return float(self.thresholds[
                (self.keeps_to(budget) & (self.recall == recall)).argmax()])
        index = self.crossing(budget)
        before = float(self.recall[index - 1]) if index else 0.
        if convention == 'interpolated' and before != recall and self.num_points:
            return None
        return float(self.thresholds[index - 1]) if index else float('inf')

    def score(self, budgets=DEFAULT_BUDGETS, convention='first_crossing'):
        """Return the FROC score, the mean recall over budgets."""
        if not len(budgets):
            raise ValueError('there is no budget to average the recall over')
        return float(np.mean([self.recall_at(budget, convention) for budget in budgets]))

    def _check_whole(self, what):
        """Refuse what needs all of the curve where it has a floor."""
        if self.floor is not None:
            raise ValueError(f'{what} depends on every threshold, but the curve is known down to '
                             f'{self.floor} only; make the events again without a floor')


def check_budget(budget):
    """Refuse a budget that is negative or NaN."""
    if not budget >= 0:
        raise ValueError(f'the budget is {budget}; false positives per image, at least 0, are '
                         'expected')


def froc_curve(events):
    """Return the exact FROC curve of a set of images.

    Args:
        events (Sequence[ImageEvents]): One per image, normals included.

    Returns:
        FROCCurve: Recall is NaN everywhere where no image has a point. It is known down to
        the highest floor of the images.

    Raises:
        ValueError: There is no image.
    """
    events = list(events)
    if not events:
        raise ValueError('froc_curve: there is no image; evaluation needs at least one')
    floors = [event.floor for event in events if event.floor is not None]
    floor = max(floors) if floors else None
    lowest = -np.inf if floor is None else floor
    num_points = sum(event.num_points for event in events)
    fp_levels, fp_changes = _join([(event.fp_levels, event.fp_changes) for event in events], lowest)
    recall_levels, recall_changes = _join([event.recall_events() for event in events], lowest)
    negated, index = np.unique(-np.concatenate([fp_levels, recall_levels]), return_inverse=True)
    num_fps = np.bincount(index[:len(fp_levels)], weights=fp_changes, minlength=len(negated))
    num_recalled = np.bincount(index[len(fp_levels):], weights=recall_changes,
                               minlength=len(negated))
    with np.errstate(invalid='ignore', divide='ignore'):
        recall = num_recalled.cumsum() / np.float64(num_points)
    counts = {kind: sum_counts(events, kind, lowest) for kind in COUNTED_KINDS
              if all(getattr(event, f'{kind}_levels') is not None for event in events)}
    return FROCCurve(thresholds=-negated, fp_rate=num_fps.cumsum() / len(events), recall=recall,
                     num_images=len(events), num_points=num_points, floor=floor, counts=counts)


def sum_counts(events, kind, lowest=-np.inf):
    """Return the number of findings of a kind in all images, at every level where it changes.

    Args:
        events (Sequence[ImageEvents]): Images that were counted.
        kind (str): 'fp', 'hit', 'both' or 'neither'.
        lowest (float): Levels below are left out.

    Returns:
        tuple: Levels ``(K,)`` descending; numbers ``(K,)`` integers, from each level down.
    """
    levels, changes = _join([(getattr(event, f'{kind}_levels'), getattr(event, f'{kind}_changes'))
                             for event in events], lowest)
    negated, index = np.unique(-levels, return_inverse=True)
    numbers = np.bincount(index, weights=changes, minlength=len(negated)).cumsum()
    return -negated, numbers.round().astype(np.int64)


def _join(pairs, lowest):
    """Return the levels and changes of all images, down to a level."""
    levels = np.concatenate([levels for levels, _ in pairs]).astype(np.float64)
    changes = np.concatenate([changes for _, changes in pairs])
    return levels[levels >= lowest], changes[levels >= lowest]
