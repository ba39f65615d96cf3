"""Configs that leave out, add or change a part of a system, each next to that system."""
from collections.abc import Mapping, Sequence
from typing import Any

from mmwindow.evaluation.metric_names import display_name
from mmwindow.experiments.paper_tables import (
    Table,
    csv_cells,
    csv_head,
    difference_cells,
    difference_head,
)
from mmwindow.experiments.summaries import METRICS, Summary, compare_with, find_differences
from mmwindow.experiments.systems import PUBLISHED_SYSTEMS, System, paper_key
from mmwindow.utils.markdown import format_with_interval


def find_changed(systems: Mapping[str, System]) -> dict[str, list[str]]:
    """Return the name of a system -> those of its configs with a part changed, in the order given.

    Such a config is an ablation that is no row of Tables 2 and 3: a Window Loss with steps beyond the
    paper's, or another loss. Its system is the one that is no ablation and that its name begins like;
    where there is none, or several, it has no row.
    """
    main = [name for name, system in systems.items() if not system.first.get('is_ablation')]
    found: dict[str, list[str]] = {}
    for name, system in systems.items():
        key = paper_key(name, PUBLISHED_SYSTEMS)
        if not system.first.get('is_ablation') or system.first.get('divergence') or key is None:
            continue
        own = [other for other in main if paper_key(other, PUBLISHED_SYSTEMS) == key]
        if len(own) == 1:
            found.setdefault(own[0], []).append(name)
    return found


def changed_table(changed: Mapping[str, Sequence[str]], systems: Mapping[str, System],
                  summaries: Mapping[str, Summary], num_resamples: int, seed: int) -> Table:
    """Return these systems, each with its changed configs below it and their differences.

    Args:
        changed: From :func:`find_changed`.
        systems: By name.
        summaries: Of each.
        num_resamples: Of the paired bootstrap.
        seed: Of the bootstrap.

    Returns:
        ``markdown`` and ``csv``, lists of rows with their heads. A difference is the row minus its
        system, on the same images; p-values are corrected (Holm) for the rows of a system.
    """
    heads = [display_name(metric) for metric in METRICS]
    rows = [['system', *heads,
             *(text for head in heads for text in (f'{head}, difference', 'p (Holm)'))]]
    head = difference_head()
    table: list[list[Any]] = [['system', 'config', *csv_head(), *head]]
    for name, own in changed.items():
        differences = find_differences({other: compare_with(
            systems[other], [systems[name]], num_resamples, seed)[name] for other in own})
        for row in (name, *own):
            cells, plain = ([''] * 2 * len(METRICS), [None] * len(head)) if row == name else (
                difference_cells(differences[row], uncorrected=False))
            summary = summaries[row]
            numbers = [format_with_interval(summary.mean.estimates[metric],
                                            summary.mean.intervals[metric]) for metric in METRICS]
            rows.append([summary.label, *numbers, *cells])
            table.append([summary.label, row, *csv_cells(summary), *plain])
    return dict(markdown=rows, csv=table)


def describe_changed() -> list[str]:
    """Return what stands below the table."""
    return ["A difference is the row's number minus that of the system above it, on the same images, "
            'tested as the systems are; p is corrected (Holm) for the rows of that system.', '']
