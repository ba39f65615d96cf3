"""The names of the numbers, as results key them and as tables and figures show them."""
from collections.abc import Iterable

AUROC = 'auroc'
FROC_SCORE = 'froc_score'


def recall_name(budget: float) -> str:
    """Return the name of the recall at a budget of false positives per image.

    >>> recall_name(0.1), recall_name(2.)
    ('recall@0.1', 'recall@2')
    """
    return f'recall@{budget:g}'


def metric_names(budgets: Iterable[float]) -> tuple[str, ...]:
    """Return the names of all numbers of one class, in the order of tables.

    >>> metric_names([0.1, 0.5])
    ('auroc', 'recall@0.1', 'recall@0.5', 'froc_score')
    """
    return (AUROC, *map(recall_name, budgets), FROC_SCORE)


# What the paper's tables show.
PAPER_METRICS = (AUROC, recall_name(0.1), FROC_SCORE)
DISPLAY_NAMES = {AUROC: 'AUROC', FROC_SCORE: 'FROC score'}


def display_name(name: str) -> str:
    """Return how tables and figures show a number, whatever prefix a metric of mmengine gives it.

    >>> display_name('froc/auroc'), display_name('recall@0.1'), display_name('froc_score')
    ('AUROC', 'recall@0.1', 'FROC score')
    """
    name = name.rpartition('/')[2]
    return DISPLAY_NAMES.get(name, name)
