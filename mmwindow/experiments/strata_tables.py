"""Tables of the systems by a field of the images, or by their number of points."""
from collections.abc import Mapping
from typing import Any

from mmwindow.evaluation.metric_names import display_name
from mmwindow.experiments.paper_tables import Table, format_interval
from mmwindow.experiments.strata import POINTS, Strata
from mmwindow.experiments.summaries import METRICS
from mmwindow.utils.markdown import format_p_value, format_with_interval

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
        *(display_name(metric) for metric in METRICS),
        *([] if reference is None else [f'{labels[reference]} minus this, FROC score', 'p (Holm)'])]]
    plain: list[list[Any]] = [[field, 'num_images', 'num_positives', 'num_points', 'system', *(
        f'{metric}{end}' for metric in METRICS for end in ('', '_low', '_high')),
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
            if compared:
                found = differences.get('froc_score')
                row += ['', ''] if found is None else [
                    format_interval(found.interval, signed=True), format_p_value(found.p_holm)]
                for metric in METRICS:
                    found = differences.get(metric)
                    interval = None if found is None else found.interval
                    numbers += [None] * 4 if found is None or interval is None else [
                        interval.estimate, interval.low, interval.high, found.p_holm]
            rows.append(row)
            plain.append(numbers)
    return dict(markdown=rows, csv=plain)


def describe_strata(field: str, num_comparisons: int) -> list[str]:
    """Return what stands below the table of a field."""
    what = ('Each part is the images with so many points and all negative images. '
            if field == POINTS else 'False positives are counted on the images of the part. ')
    return [what + 'Means over the folds that have such images. In brackets: 95 % intervals, '
            f'patients resampled within folds. p: paired, corrected for the {num_comparisons} '
            'comparisons of one part, and not for the number of parts.', '']
