"""The page that ``tools/evaluate.py`` writes: Markdown, every number with how it was made."""
from pathlib import Path

import numpy as np

from mmwindow.utils.files import write_text


def number(value, digits=3):
    """Return a number as text; 'none' where there is none; infinite ones are thresholds."""
    if value is None or np.isnan(value):
        return 'none'
    if np.isinf(value):
        return 'no threshold' if value > 0 else 'every score'
    return f'{value:.{digits}f}'


def with_interval(value, interval):
    """Return a number with its interval as text, where it has one."""
    if interval is None:
        return number(value)
    return f'{number(value)} ({number(interval.low)} to {number(interval.high)})'


def table(head, rows):
    """Return a Markdown table as lines."""
    return ['| ' + ' | '.join(map(str, row)) + ' |' for row in
            (head, ['---'] * len(head), *rows)] + ['']


def metric_lines(result):
    """Return the numbers of one class, each recall with the threshold behind it."""
    rows = []
    for key, value in result.metrics.items():
        budget = next((entry for entry in result.thresholds if key == f'recall@{entry:g}'), None)
        crossings = '' if budget is None or result.froc.floor is not None else (
            result.froc.num_crossings(budget))
        rows.append([key, with_interval(value, result.intervals.get(key)),
                     '' if budget is None else number(result.thresholds[budget], 6), crossings])
    lines = table(['', 'value (95 % interval)' if result.intervals else 'value',
                   'threshold', 'times the FP rate comes to exceed it'], rows)
    methods = sorted({interval.method for interval in result.intervals.values() if interval})
    if methods:
        lines += [f'Intervals: {", ".join(methods)}, over patients where images name one.', '']
    return lines + note_lines(result.notes)


def note_lines(notes):
    """Return notes as a list, names of one text together."""
    by_text = {}
    for note in notes:
        names, _, text = note.partition(': ')
        by_text.setdefault(text, []).append(names)
    return [f'- {", ".join(names)}: {text}' for text, names in by_text.items()] + [''] * bool(notes)


def point_lines(report):
    """Return what the operating point does, with where it comes from."""
    point = report.point
    target = '' if point.target is None else f' = {point.target:g}'
    where = 'on validation images' if report.point_result else (
        'on these very images: the numbers at it flatter, give --operating-point a record of '
        'validation images')
    lines = ['### Operating point', '',
             f'Score {number(point.threshold, 6)}, chosen by {point.rule}{target} '
             f'{where} ({point.num_images}).' + (f' {point.note}.' if point.note else ''), '']
    if report.point_result is None:
        # A threshold of image scores on a scale of their own counts no findings.
        counts = (report.result.froc.counts_at(point.threshold) if point.serves_findings else
                  {f'{key} of images': number(value) for key, value in point.achieved.items()})
        return lines + table(list(counts), [[('' if value is None else value)
                                             for value in counts.values()]])
    result = report.point_result
    rows = [[name, 'none: ' + result.reasons[name] if interval is None else
             with_interval(interval.estimate, interval)]
            for name, interval in (('sensitivity of images', result.sensitivity),
                                   ('specificity of images', result.specificity),
                                   ('recall of points', result.recall),
                                   ('false positives per image', result.fp_rate))
            if interval is not None or name.split()[0] in result.reasons]
    return [*lines, *table(['', 'value (95 % interval)'], rows),
            f'95 % intervals over {result.num_units} patients or images; that of the false positives '
            f'is a bootstrap, {result.num_resamples} resamples, seed {result.seed}.', '']


def strata_lines(report):
    """Return the numbers of each value of a field, and of all images."""
    if report.strata is None:
        return []
    names = list(report.result.metrics)
    parts = [*report.strata.strata, report.strata.pooled]
    rows = [[part.name, part.num_images, part.num_positives, part.num_points,
             *(with_interval(part.estimates[key], part.intervals[key]) for key in names)]
            for part in parts]
    notes = [f'{part.name}, {key}: {part.reasons[key]}' for part in parts for key in names
             if key in part.reasons]
    return [f'### By {report.strata.field}', '',
            *table([report.strata.field, 'images', 'positives', 'points', *names], rows),
            f'95 % intervals: bootstrap over patients, {report.strata.num_resamples} resamples, seed '
            f'{report.strata.seed}.', '', *note_lines(notes)]


def comparison_lines(report, name, other):
    """Return the differences from another system on the same images."""
    comparison = report.comparison
    if comparison is None:
        return []
    rows = []
    for key, difference in comparison.differences.items():
        p_value = comparison.p_values[key]
        # The bootstrap's test rejects too often near AUROC 1 (results/coverage).
        if key == 'auroc' and comparison.delong is not None:
            difference, p_value = comparison.delong.difference, comparison.delong.p_value
        rows.append([key, number(comparison.first[key]), number(comparison.second[key]),
                     'none: ' + comparison.reasons[key] if difference is None else
                     with_interval(difference.estimate, difference), number(p_value)])
    lines = [f'### {name} minus {other}', '',
             *table(['', name, other, 'difference (95 % interval)', 'p'], rows),
             f'Paired bootstrap over {comparison.num_units} patients or images, '
             f'{comparison.num_resamples} resamples, seed {comparison.seed}.', '']
    if comparison.delong is not None:
        note = f' {comparison.delong.note}.' if comparison.delong.note else ''
        lines += [f'AUROC: DeLong\'s interval and test instead, z {number(comparison.delong.z)}, '
                  f'p {number(comparison.delong.p_value, 4)}.{note}', '']
    return lines


def settings_lines(result):
    """Return the settings and what was counted."""
    settings = [[key, ', '.join(f'{entry:g}' for entry in value) if isinstance(value, tuple) else
                 value] for key, value in result.settings.items()]
    counts = [[key.replace('_', ' '), value] for key, value in result.counts.items()]
    return ['## How', '', *table(['setting', 'value'], settings), *table(['counted', ''], counts)]


def write_report(path, name, reports, result, figures, other=None):
    """Write the page beside, then rename it.

    Args:
        path (str | Path): The ``.md``.
        name (str): Of the system.
        reports (Sequence[ClassReport]): One per class.
        result (EvaluationResult): All classes.
        figures (Sequence[str]): Names of the figures beside the page.
        other (str, optional): Name of the other system.

    Returns:
        Path: The page.
    """
    lines = [f'# Evaluation of {name}', '']
    for report in reports:
        lines += [f'## {report.name}', '', *metric_lines(report.result), *point_lines(report),
                  *strata_lines(report), *comparison_lines(report, name, other)]
    lines += [f'![{figure}]({figure})' for figure in figures] + [''] * bool(figures)
    lines += settings_lines(result)
    path = Path(path)
    write_text(path, '\n'.join(lines))
    return path
