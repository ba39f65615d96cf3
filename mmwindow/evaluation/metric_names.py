"""The names of the numbers, as results key them and as tables and figures show them."""
from collections.abc import Iterable

from mmwindow.evaluation.statistics.table import (
    AUROC,
    FROC_SCORE,
    STATISTICS,
    find_rows,
    recall_name,
)

__all__ = ['AUROC', 'FROC_SCORE', 'PAPER_METRICS', 'display_name', 'metric_names', 'recall_name']

# What the paper's tables show.
PAPER_METRICS = (AUROC, recall_name(0.1), FROC_SCORE)


def metric_names(budgets: Iterable[float], statistics: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the names of all numbers of one class, in the order of tables.

    Args:
        budgets: False positives per image.
        statistics: Names of additional rows of the table of statistics.

    >>> metric_names([0.1, 0.5])
    ('auroc', 'recall@0.1', 'recall@0.5', 'froc_score')
    """
    budgets = tuple(budgets)
    return tuple(name for row in find_rows(statistics) for name in row.names(budgets))


def display_name(name: str) -> str:
    """Return how tables and figures show a number, whatever prefix a metric of mmengine gives it.

    >>> display_name('froc/auroc'), display_name('recall@0.1'), display_name('froc_score')
    ('AUROC', 'recall@0.1', 'FROC score')
    """
    name, at, budget = name.rpartition('/')[2].partition('@')
    return (STATISTICS[name].title if name in STATISTICS else name) + at + budget
