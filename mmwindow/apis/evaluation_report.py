"""The page that ``tools/evaluate.py`` writes: Markdown, every number with how it was made."""
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmwindow.apis.reader_study import ReaderStudy
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.finding_counts import describe_counts
from mmwindow.evaluation.metric_names import PAPER_METRICS, display_name, recall_name
from mmwindow.evaluation.results import ClassResult, EvaluationResult
from mmwindow.evaluation.statistics.compare import Comparison
from mmwindow.evaluation.statistics.leaderboard import Leaderboard
from mmwindow.evaluation.statistics.operating_point import OperatingPoint, OperatingPointResult
from mmwindow.evaluation.statistics.strata import StratifiedResult
from mmwindow.utils.files import write_text
from mmwindow.utils.markdown import (
    format_number,
    format_p_value,
    format_with_interval,
    markdown_table,
)
from mmwindow.utils.messages import count_words

UNITS = ('patient or image', 'patients or images')


@dataclass(frozen=True)
class ClassReport:
    """All that is written about one class.

    Attributes:
        name: Of the class.
        result: Curves, numbers, intervals.
        point: Of the table of images; None where its rule lacks images of a kind.
        point_result: What the point does on these images; None where it was
            chosen on them, or there is none.
        strata: By a field of the images; None where none was asked for.
        comparisons: With other systems, by name.
        other_events: The other systems' images, by name.
        leaderboard: Of this system and the others; None where there are fewer than two.
        readers: Where there are several; None where there are not.
        no_point: Why there is no point; '' where there is one.
    """

    name: str
    result: ClassResult
    point: OperatingPoint | None
    point_result: OperatingPointResult | None
    strata: StratifiedResult | None = None
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    other_events: Mapping[str, list[ImageEvents]] = field(default_factory=dict)
    leaderboard: Leaderboard | None = None
    readers: ReaderStudy | None = None
    no_point: str = ''


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return a Markdown table as lines."""
    return [markdown_table([head, *rows]), '']


def metric_lines(result: ClassResult) -> list[str]:
    """Return the numbers of one class, each recall with the threshold behind it."""
    rows = []
    for key, value in result.metrics.items():
        budget = next((entry for entry in result.thresholds if key == recall_name(entry)), None)
        crossings = '' if budget is None or result.froc.floor is not None else (
            result.froc.num_crossings(budget))
        rows.append([key, format_with_interval(value, result.intervals.get(key)),
                     '' if budget is None else format_number(result.thresholds[budget], 6),
                     crossings])
    lines = table(['', 'value (95 % interval)' if result.intervals else 'value',
                   'threshold', 'times the FP rate comes to exceed it'], rows)
    methods = sorted({interval.method for interval in result.intervals.values() if interval})
    if methods:
        lines += [f'Intervals: {", ".join(methods)}, over patients where images name one.', '']
    return lines + note_lines(result.notes)


def note_lines(notes: Sequence[str]) -> list[str]:
    """Return notes as a list, names of one text together."""
    by_text: dict[str, list[str]] = {}
    for note in notes:
        names, _, text = note.partition(': ')
        by_text.setdefault(text, []).append(names)
    return [f'- {", ".join(names)}: {text}' for text, names in by_text.items()] + [''] * bool(notes)


def point_lines(report: ClassReport) -> list[str]:
    """Return what the operating point does, with where it comes from."""
    point, title = report.point, '### Operating point'
    if point is None:
        return [title, '', f'None: {report.no_point}.', '']
    target = '' if point.target is None else f' = {point.target:g}'
    where = 'on validation images' if report.point_result else (
        'on these very images: the numbers at it flatter, give --operating-point a record of '
        'validation images')
    lines = [title, '',
             f'Score {format_number(point.threshold, 6)}, chosen by {point.rule}{target} '
             f'{where} ({point.num_images}).' + (f' {point.note}.' if point.note else ''), '']
    if report.point_result is None:
        # A threshold of image scores on a scale of their own counts no findings.
        counts = (report.result.froc.counts_at(point.threshold) if point.serves_findings else
                  {f'{key} of images': format_number(value) for key, value in point.achieved.items()})
        return lines + table(list(counts), [[('' if value is None else value)
                                             for value in counts.values()]])
    result = report.point_result
    rows = [[name, 'none: ' + result.reasons[name] if interval is None else
             format_with_interval(interval.estimate, interval)]
            for name, interval in (('sensitivity of images', result.sensitivity),
                                   ('specificity of images', result.specificity),
                                   ('recall of points', result.recall),
                                   ('false positives per image', result.fp_rate))
            if interval is not None or name.split()[0] in result.reasons]
    return [*lines, *table(['', 'value (95 % interval)'], rows),
            f'95 % intervals over {count_words(result.num_units, *UNITS)}; that of the '
            f'false positives '
            f'is a bootstrap, {result.num_resamples} resamples, seed {result.seed}.', '']


def strata_lines(report: ClassReport) -> list[str]:
    """Return the numbers of each value of a field, and of all images."""
    if report.strata is None:
        return []
    return strata_table(report.strata, list(report.result.metrics))


def strata_table(strata: StratifiedResult, names: Sequence[str]) -> list[str]:
    """Return a section with some numbers of each value of a field, and of all images."""
    parts = [*strata.strata, strata.pooled]
    rows = [[part.name, part.num_images, part.num_positives, part.num_points,
             *(format_with_interval(part.estimates[key], part.intervals[key]) for key in names)]
            for part in parts]
    notes = [f'{part.name}, {key}: {note}' for part in parts for key in names
             if (note := part.reasons.get(key) or getattr(part.intervals[key], 'note', ''))]
    return [f'### By {strata.field}', '',
            *table([strata.field, 'images', 'positives', 'points', *names], rows),
            '95 % intervals over patients: AUROC by DeLong; the rest '
            f'{strata.num_resamples} resamples, seed {strata.seed}.', '',
            *note_lines(notes)]


def comparison_lines(comparison: Comparison, name: str, other: str) -> list[str]:
    """Return the differences from another system on the same images."""
    rows = []
    for key, difference in comparison.differences.items():
        rows.append([key, format_number(comparison.first[key]), format_number(comparison.second[key]),
                     'none: ' + comparison.reasons[key] if difference is None else
                     format_with_interval(difference.estimate, difference),
                     format_number(comparison.p_values[key])])
    lines = [f'### {name} minus {other}', '',
             *table(['', name, other, 'difference (95 % interval)', 'p'], rows),
             f'Paired bootstrap over {count_words(comparison.num_units, *UNITS)}, '
             f'{comparison.num_resamples} resamples, seed {comparison.seed}.', '']
    no_test = comparison.reasons.get('p_values', '')
    if no_test:
        lines += [f'{no_test[:1].upper()}{no_test[1:]}.', '']
    elif comparison.delong is not None:
        note = f' {comparison.delong.note}.' if comparison.delong.note else ''
        lines += ['AUROC: DeLong\'s interval and test instead, z '
                  f'{format_number(comparison.delong.z)}, p '
                  f'{format_number(comparison.delong.p_value, 4)}.{note}', '']
    return lines + note_lines([f'{key}: {difference.note}' for key, difference in
                               comparison.differences.items()
                               if difference is not None and difference.note])


def leaderboard_lines(report: ClassReport, name: str) -> list[str]:
    """Return the table of all systems, with this one's tests against each."""
    board = report.leaderboard
    if board is None:
        return []
    shown = [metric for metric in (board.sort_by, *PAPER_METRICS) if metric in board.settings.names]
    shown, rows, num_tests = list(dict.fromkeys(shown)), [], 0
    for rank, row in enumerate(board.rows, 1):
        test = None if row.name == name else board.test(name, row.name, board.sort_by)
        num_tests = num_tests if test is None else test.num_tests
        rows.append([rank, row.name, *(
            format_with_interval(row.metrics[metric], row.intervals.get(metric)) for metric in shown),
            *(['', '', ''] if test is None else [
                'none' if test.difference is None else
                format_with_interval(test.difference.estimate, test.difference, signed=True),
                format_p_value(test.p_value), format_p_value(test.p_holm)])])
    reasons = dict.fromkeys(test.reason for test in board.tests if test.reason)
    family = '' if not num_tests else (
        f' p is that of one test; p (Holm) is corrected for the {count_words(num_tests, "pair")} of '
        f'systems that '
        f'have a test of the {display_name(board.sort_by)}.')
    return ['### Leaderboard', '',
            *table(['', 'system', *map(display_name, shown), f'{name} minus it', 'p', 'p (Holm)'],
                   rows),
            f'In the order of the {display_name(board.sort_by)}; 95 % intervals and paired tests '
            f'over {count_words(board.num_units, *UNITS)}, {board.num_resamples} '
            f'resamples, seed '
            f'{board.seed}.{family} All pairs and numbers, each number corrected for all its pairs: '
            'leaderboard.json and pairs.csv.', '',
            *(f'- {reason}' for reason in reasons), *[''] * bool(reasons)]


def warning_lines(reports: Sequence[ClassReport], result: EvaluationResult) -> list[str]:
    """Return what a reader must know before any number: findings left out, patients in common."""
    notes = [f'{text}.' for text in describe_counts(result.counts)]
    notes += [f'Warning: {report.point_result.warning}.' for report in reports
              if report.point_result is not None and report.point_result.warning]
    return [f'- {note}' for note in dict.fromkeys(notes)] + [''] * bool(notes)


def settings_lines(result: EvaluationResult) -> list[str]:
    """Return the settings and what was counted."""
    settings = [[key, ', '.join(f'{entry:g}' for entry in value) if isinstance(value, tuple) else
                 value] for key, value in result.settings.items()]
    counts = [[key.replace('_', ' '), value] for key, value in result.counts.items()]
    return ['## How', '', *table(['setting', 'value'], settings),
            *(table(['counted', ''], counts) if counts else [])]


def write_report(path: str | Path, name: str, reports: Sequence[ClassReport],
                 result: EvaluationResult, figures: Sequence[str],
                 more_lines: Mapping[str, Sequence[str]] | None = None) -> Path:
    """Write the page atomically.

    Args:
        path: The ``.md``.
        name: Of the system.
        reports: One per class.
        result: All classes.
        figures: Names of the figures next to the page.
        more_lines: Of some classes, by name, such as those about readers.

    Returns:
        Path: The page.
    """
    lines = [f'# Evaluation of {name}', '', *warning_lines(reports, result)]
    for report in reports:
        lines += [f'## {report.name}', '', *metric_lines(report.result),
                  *leaderboard_lines(report, name), *point_lines(report), *strata_lines(report)]
        for other, comparison in report.comparisons.items():
            lines += comparison_lines(comparison, name, other)
        if len(report.comparisons) > 1:
            lines += ['Each p-value of the comparisons above is that of one test; those of the '
                      'leaderboard are corrected.', '']
        lines += (more_lines or {}).get(report.name, [])
    # In angle brackets a link may have blanks, as the names of classes do.
    lines += [f'![{figure}](<{figure}>)' if ' ' in figure else f'![{figure}]({figure})'
              for figure in figures] + [''] * bool(figures)
    lines += settings_lines(result)
    path = Path(path)
    write_text(path, '\n'.join(lines))
    return path
