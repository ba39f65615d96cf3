"""The names of the numbers, as results key them and as tables and figures show them."""
import math
from collections.abc import Iterable, Mapping

import numpy as np

from mmwindow.evaluation.statistics.table import (
    AUROC,
    FROC_SCORE,
    STATISTICS,
    find_rows,
    recall_name,
)

__all__ = ['AUROC', 'FROC_SCORE', 'PAPER_METRICS', 'display_name', 'merge_metrics',
           'metric_names', 'recall_name']

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


def merge_metrics(rows: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each number over the classes that have it, then each class's own.

    Args:
        rows: Class to number by name; NaN where there is none.

    >>> merge_metrics({'a': {'auroc': 0.5}, 'b': {'auroc': 1.0}})
    {'auroc': 0.75, 'a_auroc': 0.5, 'b_auroc': 1.0}
    """
    metrics = {}
    for key in next(iter(rows.values())):
        known = [row[key] for row in rows.values() if not math.isnan(row[key])]
        metrics[key] = float(np.mean(known)) if known else math.nan
    if len(rows) > 1:
        for name, row in rows.items():
            metrics.update({f'{name}_{key}': value for key, value in row.items()})
    return metrics
