"""How a FROC is read: budgets, convention, denominator; one object, written into each result."""
from dataclasses import dataclass, replace

import numpy as np

from mmwindow.evaluation.froc import CONVENTIONS, DEFAULT_BUDGETS, froc_curve

FP_DENOMINATORS = ('all', 'normals')


@dataclass(frozen=True)
class FROCSettings:
    """How a FROC is read; written into each result.

    Attributes:
        budgets (tuple[float]): FP rates at which recall is reported.
        convention (str): As in :meth:`~mmwindow.evaluation.FROCCurve.recall_at`.
        fp_denominator (str): 'all': false positives on all images, per image. 'normals':
            those on normal images alone, per normal image.
    """
    budgets: tuple = DEFAULT_BUDGETS
    convention: str = 'first_crossing'
    fp_denominator: str = 'all'

    def __post_init__(self):
        object.__setattr__(self, 'budgets', tuple(float(budget) for budget in self.budgets))
        if not self.budgets or not min(self.budgets) >= 0 or not max(self.budgets) < np.inf:
            raise ValueError(f'budgets are {self.budgets}; some finite FP rates of at least 0 are '
                             'expected')
        if len(set(self.names)) != len(self.names):
            raise ValueError(f'budgets are {self.budgets}; two of them have one name, such as '
                             f'{self.names[1]!r}: they must differ within six digits')
        if self.convention not in CONVENTIONS:
            raise ValueError(f'convention is {self.convention!r}; it must be one of {CONVENTIONS}')
        if self.fp_denominator not in FP_DENOMINATORS:
            raise ValueError(f'fp_denominator is {self.fp_denominator!r}; it must be one of '
                             f'{FP_DENOMINATORS}')

    @property
    def names(self):
        """Names of the statistics: ``auroc``, ``recall@0.1`` and so on, ``froc_score``."""
        return ('auroc', *(f'recall@{budget:g}' for budget in self.budgets), 'froc_score')


def counted_events(events, settings):
    """Return events with the false positives that the settings count; inputs are untouched."""
    if settings.fp_denominator == 'all':
        return list(events)
    return [replace(event, fp_levels=event.fp_levels[:0], fp_changes=event.fp_changes[:0])
            if event.is_positive else event for event in events]


def counted_curve(events, settings):
    """Return the FROC curve whose FP rate has the denominator of the settings.

    Args:
        events (Sequence[ImageEvents]): One per image, normals included.
        settings (FROCSettings): Of these only the denominator matters.

    Returns:
        FROCCurve: Its ``num_images`` is the denominator. With 'normals' it has no ``counts``
        of other findings, which are counted on all images.

    Raises:
        ValueError: No image, or none to count false positives on.
    """
    events = list(events)
    curve = froc_curve(counted_events(events, settings))
    if settings.fp_denominator == 'all':
        return curve
    normals = sum(not event.is_positive for event in events)
    if normals == 0:
        raise ValueError(f"fp_denominator is 'normals', but none of the {len(events)} images is one; "
                         "use 'all'")
    counts = np.rint(curve.fp_rate * curve.num_images)  # whole numbers, of which the rate was made
    return replace(curve, fp_rate=counts / normals, num_images=normals, counts={})
