"""Tables of the systems by a field of the images, or by their number of points."""
from collections.abc import Mapping
from typing import Any

from mmwindow.evaluation.metric_names import display_name
from mmwindow.evaluation.statistics.strata import MIN_IMAGES, MIN_POSITIVES, TOO_FEW
from mmwindow.experiments.paper_tables import Table, format_interval
from mmwindow.experiments.strata import BUDGET, POINTS, Strata
from mmwindow.experiments.summaries import METRICS
from mmwindow.utils.markdown import format_number, format_p_value, format_with_interval
from mmwindow.utils.messages import count_words

PREFIX = 'by_'  # of the tables' names


def strata_title(name: str) -> str:
    """Return the title of the table of a field, from the table's name."""
    field = name.removeprefix(PREFIX)
    return 'By the number of points' if field == POINTS else f'By {field.replace("_", " ")}'


def strata_table(field: str, strata: Strata, labels: Mapping[str, str], reference: str | None
                 ) -> Table:
    """Return the numbers of each system for each value of a field, with the test of the FROC score.

    Args:
        field: Of the images, or the number of points.
        strata: Value -> system -> summary.
        labels: Name -> label, in the order of the rows.
        reference: The system that the others are compared with.
    """
    compared = reference is not None
    rows: list[list[Any]] = [[
        field.replace('_', ' '), 'images', 'with a point', 'points', 'system',
        *(display_name(metric) for metric in METRICS), 'recall, one threshold',
        'false positives per image, one threshold',
        *([] if reference is None else [f'{labels[reference]} minus this, FROC score', 'p (Holm)'])]]
    plain: list[list[Any]] = [[field, 'num_images', 'num_positives', 'num_points', 'system', *(
        f'{metric}{end}' for metric in METRICS for end in ('', '_low', '_high')),
        'recall_one_threshold', 'fp_rate_one_threshold',
        *(f'{metric}_difference{end}' for metric in METRICS
          for end in ('', '_low', '_high', '_p_holm') if compared)]]
    for value, parts in strata.items():
        for name in labels:
            if name not in parts:
                continue
            result, differences = parts[name].result, parts[name].differences
            cells = [value, result.num_images, result.num_positives, result.num_points,
                     labels[name]]
            row, numbers = list(cells), list(cells)
            for metric in METRICS:
                interval = result.intervals[metric]
                row.append(format_with_interval(result.estimates[metric], interval))
                numbers += [result.estimates[metric], *(
                    [None, None] if interval is None else [interval.low, interval.high])]
            shared = parts[name].at_one_threshold
            row += [format_number(shared[key]) for key in ('recall', 'fp_rate')]
            numbers += [shared['recall'], shared['fp_rate']]
            if parts[name].is_small:
                row[len(cells):] = [TOO_FEW] + [''] * (len(METRICS) + 1)
            if compared:
                found = differences.get('froc_score')
                row += ['', ''] if found is None or parts[name].is_small else [
                    format_interval(found.interval, signed=True), format_p_value(found.p_holm)]
                for metric in METRICS:
                    found = differences.get(metric)
                    interval = None if found is None else found.interval
                    numbers += [None] * 4 if found is None or interval is None else [
                        interval.estimate, interval.low, interval.high, found.p_holm]
            rows.append(row)
            plain.append(numbers)
    return dict(markdown=rows, csv=plain)


def describe_strata(field: str, strata: Strata) -> list[str]:
    """Return what stands below the table of a field."""
    what = ('Each part is the images with so many points and all negative images. '
            if field == POINTS else 'False positives are counted on the images of the part. ')
    tests = sum(parts[name].differences['froc_score'].p_value is not None
                for parts in strata.values() for name in parts if parts[name].differences)
    lines = [
        what + 'Means over the folds that have such images. In brackets: 95 % intervals, units '
        'resampled within folds. AUROC, recall@0.1 and FROC score read each part at thresholds of '
        'its own, which spend their budgets on the images of that part and fold: no single '
        'threshold gives this column. "One threshold": each fold has the one that spends '
        f'{BUDGET:g} false positives per image on all its images; what it calls is counted over '
        'the folds.' + (f' p: paired, corrected for all {count_words(tests, "test")} of the column, '
                        'each metric a family of its own.' if tests else ''), '']
    reasons = sorted({f'{value}, {metric}: {reason}' for value, parts in strata.items()
                      for summary in parts.values() if not summary.is_small
                      for metric, reason in {**summary.result.notes,
                                             **summary.result.reasons}.items()
                      if metric in METRICS})
    small = [value for value, parts in strata.items() if any(
        summary.is_small for summary in parts.values())]
    if small:
        lines += [f'{TOO_FEW.capitalize()} ({", ".join(small)}): less than {MIN_IMAGES}, or less '
                  f'than {MIN_POSITIVES} with a point.', '']
    return lines + [f'- {reason}' for reason in reasons] + [''] * bool(reasons)
