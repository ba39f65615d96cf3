"""The paper's tables as rows: Markdown for readers, CSV for machines."""
import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmwindow.evaluation.metric_names import display_name
from mmwindow.evaluation.statistics.compare import Comparison
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.experiments.summaries import METRICS, Difference, Summary, find_differences
from mmwindow.utils.markdown import format_number, format_p_value, format_with_interval

Table = dict[str, list[list[Any]]]  # 'markdown' and 'csv': rows of cells with their heads
WINDOW_KEYS = ('softness', 'lower_radius', 'upper_radius')


def format_interval(interval: Interval | None, signed: bool = False) -> str:
    """Return 'estimate (low to high)' of an Interval; 'none' for None."""
    return format_with_interval(None if interval is None else interval.estimate, interval,
                                signed=signed)


def comma_separated(rows: Iterable[Sequence[Any]]) -> str:
    """Return rows of cells, the first of them the head, as CSV; no number is an empty cell."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator='\n')
    for row in rows:
        writer.writerow(['' if cell is None or (isinstance(cell, float) and math.isnan(cell))
                         else cell for cell in row])
    return stream.getvalue()


def metric_head(has_folds: bool) -> list[str]:
    """Return the head of the columns that each metric has in Markdown."""
    head: list[str] = []
    for metric in METRICS:
        head += [display_name(metric)] + ['sd'] * has_folds + ['paper']
    return head


def metric_cells(summary: Summary, has_folds: bool) -> list[str]:
    """Return the cells of one summary in Markdown."""
    cells = []
    for metric in METRICS:
        cells.append(format_with_interval(summary.mean.estimates[metric],
                                          summary.mean.intervals[metric]))
        if has_folds:
            cells.append(format_number(summary.mean.standard_deviations[metric]))
        cells.append(format_number(summary.paper[metric]) if metric in summary.paper else '')
    return cells


def paper_only_cells(paper: Mapping[str, float], has_folds: bool) -> list[str]:
    """Return the cells of a row of the paper that was not run."""
    cells = []
    for metric in METRICS:
        cells += ['not run', *[''] * has_folds,
                  format_number(paper[metric]) if metric in paper else '']
    return cells


# Of each metric: the headline and its ends, mean and deviation over folds, the pooled images' number.
CSV_PARTS = ('', '_low', '_high', '_mean', '_sd', '_pooled', '_paper')


def csv_head() -> list[str]:
    """Return the head of the columns of a summary in CSV."""
    return [f'{metric}{part}' for metric in METRICS for part in CSV_PARTS] + [
        'num_folds', 'num_images', 'num_positives', 'num_points', 'seed', 'num_resamples']


def csv_cells(summary: Summary) -> list[Any]:
    """Return the cells of one summary in CSV: plain numbers."""
    cells: list[Any] = []
    mean, pooled = summary.mean, summary.pooled or summary.mean
    for metric in METRICS:
        interval = mean.intervals[metric]
        ends = [None, None] if interval is None else [interval.low, interval.high]
        cells += [mean.estimates[metric], *ends, mean.estimates[metric],
                  mean.standard_deviations[metric], pooled.estimates[metric],
                  summary.paper.get(metric)]
    return [*cells, len(mean.folds), mean.num_images, mean.num_positives, mean.num_points,
            mean.seed, mean.num_resamples]


def system_table(summaries: Sequence[Summary], has_folds: bool) -> Table:
    """Return Table 1, one row for each system, in the order given.

    Args:
        summaries: The rows.
        has_folds: Whether there are several folds to give the spread of.

    Returns:
        ``markdown`` and ``csv``, lists of rows with their heads.
    """
    return dict(
        markdown=[['system', *metric_head(has_folds)],
                  *([summary.label, *metric_cells(summary, has_folds)] for summary in summaries)],
        csv=[['system', 'config', *csv_head()],
             *([summary.label, summary.name, *csv_cells(summary)] for summary in summaries)])


def window_key(window: Mapping[str, Any]) -> tuple[float, ...]:
    """Return the lengths of a window in the order of :data:`WINDOW_KEYS`: equal ones are one row."""
    return tuple(float(window[name]) for name in WINDOW_KEYS)


def window_table(summaries: Sequence[Summary], windows: Mapping[str, Mapping[str, float]],
                 paper: Sequence[Mapping[str, Any]], has_folds: bool) -> Table:
    """Return Table 2 or 3: the rows of the paper in its order, then any other window.

    Several configs of one window have a row each, with their names.

    Args:
        summaries: Of one divergence.
        windows: Name of a summary -> its window, lengths in pixels of a frame of side 1024.
        paper: The paper's rows; one that was not run says so.
        has_folds: As in :func:`system_table`.

    Returns:
        ``markdown`` and ``csv``, lists of rows with their heads.
    """
    by_window: dict[tuple[float, ...], list[Summary]] = {}
    for summary in summaries:
        by_window.setdefault(window_key(windows[summary.name]), []).append(summary)
    order = list(dict.fromkeys([*(window_key(row) for row in paper), *sorted(by_window)]))
    published = {window_key(row): row for row in paper}
    rows = [['tau', 'lower', 'upper', *metric_head(has_folds)]]
    table = [[*WINDOW_KEYS, 'config', *csv_head()]]
    for window in order:
        shown = [f'{value:g}' for value in window]
        found = by_window.get(window, [])
        for summary in found:
            label = f'{shown[0]} ({summary.name})' if len(found) > 1 else shown[0]
            rows.append([label, *shown[1:], *metric_cells(summary, has_folds)])
            table.append([*shown, summary.name, *csv_cells(summary)])
        if not found:
            rows.append([*shown, *paper_only_cells(published[window], has_folds)])
    return dict(markdown=rows, csv=table)


def pooled_table(summaries: Sequence[Summary]) -> Table:
    """Return the numbers of the pooled images, next to the means over folds.

    Args:
        summaries: Of systems with several folds.

    Returns:
        ``markdown`` and ``csv``, lists of rows with their heads.
    """
    rows = [['system', *(head for metric in METRICS for head in (
        f'{display_name(metric)}, mean', 'pooled'))]]
    table = [['system', 'config', *(f'{metric}{part}' for metric in METRICS
                                    for part in ('_mean', '_pooled', '_pooled_low', '_pooled_high'))]]
    for summary in summaries:
        cells = [summary.label]
        plain: list[Any] = [summary.label, summary.name]
        pooled = summary.pooled or summary.mean
        for metric in METRICS:
            interval = pooled.intervals[metric]
            cells += [format_number(summary.mean.estimates[metric]),
                      format_with_interval(pooled.estimates[metric], interval)]
            plain += [summary.mean.estimates[metric], pooled.estimates[metric],
                      *([None, None] if interval is None else [interval.low, interval.high])]
        rows.append(cells)
        table.append(plain)
    return dict(markdown=rows, csv=table)


def comparison_table(reference: str, comparisons: Mapping[str, Comparison],
                     labels: Mapping[str, str]) -> Table:
    """Return the differences of the reference to each other system.

    Args:
        reference: Label of the reference.
        comparisons: By name of the other; reference minus other.
        labels: Name -> label.

    Returns:
        ``markdown`` and ``csv``, lists of rows with their heads.
    """
    rows = [[f'{reference} minus', 'AUROC', 'p (DeLong)', 'p (Holm)', 'recall@0.1', 'p (bootstrap)',
             'p (Holm)', 'FROC score', 'p (bootstrap)', 'p (Holm)']]
    table = [['system', *difference_head()]]
    for name, differences in find_differences(comparisons).items():
        cells, plain = difference_cells(differences)
        rows.append([labels[name], *cells])
        table.append([labels[name], *plain])
    return dict(markdown=rows, csv=table)


def difference_head() -> list[str]:
    """Return the head of the columns of a row's differences in CSV."""
    return [f'{metric}_difference{part}' for metric in METRICS
            for part in ('', '_low', '_high', '_p', '_p_holm')]


def difference_cells(differences: Mapping[str, Difference], uncorrected: bool = True
                     ) -> tuple[list[str], list[Any]]:
    """Return the cells of one row's differences, in Markdown and in CSV.

    Args:
        differences: Metric -> difference, of :func:`find_differences`.
        uncorrected: In Markdown, too, each p-value before its correction.
    """
    cells: list[str] = []
    plain: list[Any] = []
    for metric in METRICS:
        interval, p_value, p_holm = differences[metric]
        cells += [format_interval(interval, signed=True), *[format_p_value(p_value)] * uncorrected,
                  format_p_value(p_holm)]
        plain += [None] * 3 if interval is None else [interval.estimate, interval.low, interval.high]
        plain += [p_value, p_holm]
    return cells, plain


def describe_losses(reference: str, comparisons: Mapping[str, Comparison],
                    labels: Mapping[str, str]) -> list[str]:
    """Return in plain words in what the reference is behind, one line for each metric."""
    lines = []
    for metric in METRICS:
        ahead = [f'{labels[name]} ({comparison.second[metric]:.3f})'
                 for name, comparison in comparisons.items()
                 if comparison.second[metric] > comparison.first[metric]]
        own = next(iter(comparisons.values())).first[metric]
        lines.append(f'- {display_name(metric)}: {reference} ({format_number(own)}) is '
                     + (f'behind {", ".join(ahead)}.' if ahead else 'behind none.'))
    return lines
