"""The table of statistics: what an evaluation computes, one row each.

A new statistic is one function and one row of :data:`STATISTICS`. It then is in the numbers of
:func:`~mmwindow.evaluation.evaluate` and ``FROCMetric``, with an interval, in comparisons, strata,
the report and the data frame: all of them read this table.
"""
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from mmwindow.evaluation.roc import auroc

if TYPE_CHECKING:
    from mmwindow.evaluation.statistics.scored_images import ScoredImages
    from mmwindow.evaluation.statistics.weighting import WeightedScores

AUROC = 'auroc'
RECALL = 'recall'
FROC_SCORE = 'froc_score'
RATE_SLACK = 1e-9  # of a rate: one that is met exactly is not to be lost to rounding


class NoNumberError(ValueError):
    """Some images have no number of a statistic: they lack what it counts."""


@dataclass(frozen=True)
class Statistic:
    """A row of the table.

    Attributes:
        name: The key in results, without '@' and '/'.
        title: How tables and figures show it.
        function: Takes :class:`~mmwindow.evaluation.statistics.scored_images.ScoredImages` and
            returns a finite number, NaN where the images have none. Errors reach the caller, but
            :class:`NoNumberError`, which is NaN.
        per_budget: Whether there is a number for each budget, ``<name>@<budget>``; the function
            then takes the budget too.
        weighted: The same of a block of weightings, ``(B,)``, or ``(B, budgets)`` with
            ``per_budget``. None: each resample is a list of images, of which the function is
            evaluated; slower, but nothing else is needed.
        by_default: False: only where :class:`~mmwindow.evaluation.FROCSettings` name it.
        reads_all: False: it depends on image scores, and on findings down to the largest budget
            alone, so that events below need not be kept.
        share_of_points, share_of_positives: It is a share of the points, or of the images with a
            finding. Its interval is then the score interval, and exists where all resamples agree.

    Raises:
        ValueError: The name holds what separates names in results.
    """

    name: str
    title: str
    function: Callable[..., float]
    per_budget: bool = False
    weighted: 'Callable[[WeightedScores], NDArray[Any]] | None' = None
    by_default: bool = True
    reads_all: bool = True
    share_of_points: bool = False
    share_of_positives: bool = False

    def __post_init__(self) -> None:
        if not self.name or '@' in self.name or '/' in self.name:
            raise ValueError(f'a statistic is named {self.name!r}; a name without "@" and "/" is '
                             'expected, as these separate budgets and prefixes')

    def names(self, budgets: Iterable[float]) -> tuple[str, ...]:
        """Return the keys of its numbers."""
        if not self.per_budget:
            return (self.name, )
        return tuple(f'{self.name}@{budget:g}' for budget in budgets)

    def values(self, images: 'ScoredImages') -> dict[str, float]:
        """Return its numbers of some images, by key.

        Raises:
            ValueError: It depends on every finding, and the events are not known completely; or
                it is infinite.
        """
        if self.reads_all and images.floor is not None:
            raise ValueError(f'{self.name} may depend on every threshold, but the events are known '
                             f'down to {images.floor} only; make them without a floor')
        budgets = images.settings.budgets
        arguments = [(budget, ) for budget in budgets] if self.per_budget else [()]
        return {name: self._value(images, *argument)
                for name, argument in zip(self.names(budgets), arguments, strict=True)}

    def _value(self, images: 'ScoredImages', *budget: float) -> float:
        try:
            value = float(self.function(images, *budget))
        except NoNumberError:
            return math.nan
        if math.isinf(value):
            raise ValueError(f'{self.name} is {value}; a statistic is finite, or NaN where there is '
                             'no number: neither interval nor record can hold inf')
        return value


def image_auroc(images: 'ScoredImages') -> float:
    """Return the area under the ROC curve of image scores."""
    return math.nan if images.roc is None else auroc(images.labels, images.scores)


def recall_at_budget(images: 'ScoredImages', budget: float) -> float:
    """Return the recall at a budget of false positives per image."""
    return images.curve.recall_at(budget, images.settings.convention)


def froc_score(images: 'ScoredImages') -> float:
    """Return the mean recall over budgets."""
    return images.curve.score(images.settings.budgets, images.settings.convention)


def sensitivity_at_specificity(images: 'ScoredImages', specificity: float = 0.9) -> float:
    """Return the highest sensitivity of images at any threshold of at least a specificity."""
    if images.roc is None:
        return math.nan
    allowed = images.roc.false_positive_rate <= 1 - specificity + RATE_SLACK
    return float(images.roc.true_positive_rate[allowed].max())


STATISTICS: dict[str, Statistic] = {row.name: row for row in (
    Statistic(AUROC, 'AUROC', image_auroc, reads_all=False,
              weighted=lambda scores: scores.aurocs),
    Statistic(RECALL, 'recall', recall_at_budget, per_budget=True, reads_all=False,
              share_of_points=True, weighted=lambda scores: scores.recalls),
    Statistic(FROC_SCORE, 'FROC score', froc_score, reads_all=False, share_of_points=True,
              weighted=lambda scores: scores.recalls.mean(axis=1)),
    Statistic('sensitivity_at_specificity_0.9', 'sensitivity at specificity 0.9',
              sensitivity_at_specificity, by_default=False, reads_all=False,
              share_of_positives=True),
)}
# In each result; curves, operating points and the paper's tables read them.
ALWAYS = (AUROC, RECALL, FROC_SCORE)


def recall_name(budget: float) -> str:
    """Return the name of the recall at a budget of false positives per image.

    >>> recall_name(0.1), recall_name(2.)
    ('recall@0.1', 'recall@2')
    """
    return STATISTICS[RECALL].names([budget])[0]


def additional_statistics() -> list[str]:
    """Return the names of the rows that not every result has."""
    return [name for name in STATISTICS if name not in ALWAYS]


def default_statistics() -> tuple[str, ...]:
    """Return the names of the rows that results have by default, those of every result left out."""
    return tuple(name for name in additional_statistics() if STATISTICS[name].by_default)


def check_statistics(names: Sequence[str] | str | None) -> tuple[str, ...]:
    """Return the names of additional statistics; None takes the table's defaults.

    Raises:
        ValueError: A name is unknown, there twice, or of a statistic that every result has.
    """
    if names is None:
        return default_statistics()
    names = (names, ) if isinstance(names, str) else tuple(names)
    known = additional_statistics()
    for name in names:
        if name not in known or names.count(name) > 1:
            raise ValueError(f'statistics are {names}; different ones of {known} are expected, in '
                             f'addition to {ALWAYS}, which every result has')
    return names


def find_rows(statistics: Iterable[str] = ()) -> list[Statistic]:
    """Return the rows of a result with some additional statistics, in the order of tables."""
    return [STATISTICS[name] for name in (*ALWAYS, *statistics)]


def find_row(name: str) -> Statistic:
    """Return the row of a number of a result, such as ``recall@0.1``."""
    return STATISTICS[name.partition('@')[0]]
