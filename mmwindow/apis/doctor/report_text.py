"""The report on the screen: problems first, one line each."""
from mmwindow.apis.doctor.data_source import describe_source
from mmwindow.apis.doctor.problems import ERROR, NOTE, WARNING, Problem
from mmwindow.apis.doctor.report import DoctorReport, Timing
from mmwindow.utils.markdown import format_with_interval
from mmwindow.utils.messages import count_words, printable
from mmwindow.utils.progress import describe_seconds

SHOWN_ITEMS = 3  # of a problem
ALL_ITEMS = ('damaged images', 'missing images')  # are named to the last one
MAX_NAMED = 200


def render_text(report: DoctorReport, has_timing: bool = False) -> str:
    """Return the report as text.

    Args:
        report: All that was found.
        has_timing: Add what it cost.
    """
    lines = [describe_source(report.checkup.source), '']
    for problem in report.problems:
        lines += _problem_lines(problem)
    lines += [_summary(report), '']
    for table in report.tables:
        lines += [*_table_lines(table.rows), '']
    lines += _shortcut_lines(report)
    if report.suggestions:
        lines.append('suggestions')
        for suggestion in report.suggestions:
            options = f' [{suggestion.options}]' if suggestion.options else ''
            lines.append(f'  {suggestion.name}: {suggestion.value}{options}: {suggestion.reason}')
    if has_timing:
        lines += ['', describe_timing(report.timing)]
    return '\n'.join(map(printable, lines))


def _problem_lines(problem: Problem) -> list[str]:
    shown = MAX_NAMED if problem.kind in ALL_ITEMS else SHOWN_ITEMS
    lines = [problem.line(), *(f'    {item}' for item in problem.items[:shown])]
    if len(problem.items) > shown:
        lines.append(f'    and {len(problem.items) - shown} more (--json, --html)')
    return lines


def _summary(report: DoctorReport) -> str:
    counts = ', '.join(count_words(report.count(severity), severity)
                       for severity in (ERROR, WARNING, NOTE))
    end = ('training is impossible before the errors are fixed' if report.status else
           'training is possible')
    return f'{counts}: {end}'


def _table_lines(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ['  '.join(cell.ljust(width) if number == 0 else cell.rjust(width)
                      for number, (cell, width) in enumerate(zip(row, widths, strict=True)))
            for row in rows]


def _shortcut_lines(report: DoctorReport) -> list[str]:
    cues = report.shortcuts.cues
    if not cues:
        return []
    rows = [['shortcut cue', 'AUROC of the label (95 %)', ''], *(
        [cue.name, format_with_interval(cue.auroc.estimate, cue.auroc, 2),
         'warning' if cue.is_warned else ''] for cue in cues)]
    return [*(line.rstrip() for line in _table_lines(rows)), '']


def describe_timing(timing: Timing) -> str:
    """Return one line on what a check cost."""
    return (f'{count_words(timing.num_images, "file")} in {describe_seconds(timing.wall_seconds)}; '
            f'processor time: decoding {timing.decode_seconds:.1f} s, with all measures '
            f'{timing.read_seconds:.1f} s ({timing.reading_ratio:.2f} times decoding), other checks '
            f'{timing.check_seconds:.1f} s (all together {timing.total_ratio:.2f} times)')
