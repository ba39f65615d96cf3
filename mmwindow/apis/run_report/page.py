"""The page of a training or a test: numbers, thresholds, figures, settings."""
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmwindow.apis.evaluation_report import metric_lines, settings_lines, strata_table, table
from mmwindow.apis.run_numbers import ClassNumbers, ReportSettings
from mmwindow.apis.run_report.calibration import calibration_section
from mmwindow.apis.run_report.figures import draw_run_figures, shown_point
from mmwindow.apis.run_report.inputs import ReportInputs, ReportOutcome
from mmwindow.apis.run_report.points import by_field_section, point_section
from mmwindow.evaluation.files.finding_counts import describe_counts
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.utils.files import write_text
from mmwindow.utils.markdown import format_number
from mmwindow.utils.messages import count_words
from mmwindow.utils.progress import describe_seconds

PAGE = 'report.md'
FOLDS_TEXT = ('Each image was tested once, by the model of a fold that has not seen its patient. '
              'Numbers and curves are **means over {number} folds**: scores of different models are '
              'not pooled. What other training images would change is not in the intervals.')


def write_page(folder: Path, inputs: ReportInputs, numbers: Sequence[ClassNumbers],
               settings: ReportSettings, files: str, started: float | None = None) -> ReportOutcome:
    """Draw the figures and write the page, for whatever was tested.

    A figure that cannot be drawn is named on the page, and costs no number.

    Args:
        folder: Exists.
        inputs: What is reported.
        numbers: Of each class.
        settings: How intervals and bands are made.
        files: What the other files hold, in words.
        started: When the report was begun, monotonic seconds; None: now.
    """
    started = time.monotonic() if started is None else started
    problems: list[str] = []
    figures = draw_run_figures(folder, inputs, numbers, settings, problems)
    seconds = time.monotonic() - started
    lines = report_lines(inputs, numbers, figures, problems)
    lines += [f'This report took {describe_seconds(seconds)}. {files}', '']
    write_text(folder / PAGE, '\n'.join(lines))
    return ReportOutcome(folder / PAGE, seconds, tuple(problems))


def has_folds(numbers: Sequence[ClassNumbers]) -> bool:
    """Return whether numbers are means over folds."""
    return any(entry.folds for entry in numbers)


def report_lines(inputs: ReportInputs, numbers: Sequence[ClassNumbers],
                 figures: Mapping[str, Sequence[str]], problems: Sequence[str]) -> list[str]:
    """Return the page as lines of Markdown."""
    warnings = [*inputs.warnings, *(f'{text}.' for text in describe_counts(inputs.result.counts)),
                *problems]
    lines = [f'# {inputs.title}', '', *[f'- {text}' for text in dict.fromkeys(warnings)],
             *[''] * bool(warnings)]
    if inputs.facts:
        lines += table(['', ''], list(inputs.facts.items()))
    if has_folds(numbers):
        lines += [FOLDS_TEXT.format(number=len(numbers[0].folds)), '']
    for entry in numbers:
        lines += class_lines(entry, inputs, figures.get(entry.name, ()))
    if figures.get(''):
        lines += ['## Training', '', *figure_lines(figures[''])]
    return lines + settings_lines(inputs.result)


def class_lines(entry: ClassNumbers, inputs: ReportInputs, figures: Sequence[str]) -> list[str]:
    """Return what is said of one class."""
    positives = sum(bool(img.is_positive) for img in entry.result.events)
    lines = [f'## {entry.name}', '',
             f'{count_words(len(entry.result.events), "image")}, {positives} with a finding, '
             f'{len(entry.result.events) - positives} without; '
             f'{count_words(entry.result.froc.num_points, "point")}.', '',
             *metric_lines(entry.result),
             *fold_table(entry),
             *[f'- {note}' for note in entry.notes], *[''] * bool(entry.notes),
             *point_section(entry, inputs), *figure_lines(figures),
             *calibration_section(entry.calibration),
             *(line for part in entry.strata
               for line in strata_table(part, list(entry.result.metrics))),
             *by_field_section(entry)]
    if any(name.startswith('overlays') for name in figures):
        threshold, meaning = shown_point(entry)
        at = (f'a score of {threshold:.3f}, {meaning}' if not entry.folds else
              'the threshold of the fold that tested the image (images.csv), by its model'
              + (', of a fold without one at a threshold chosen for the pictures on its very '
                 'images' if any(part.points.findings is None for part in entry.tests) else ''))
        lines += [f'Pictures show findings at {at}; hit rule '
                  f'{FROCSettings.from_record(inputs.result.settings).rule.name}. They are the '
                  'first of each outcome among the first images, none is chosen.', '']
    return lines


def fold_table(entry: ClassNumbers) -> list[str]:
    """Return the numbers of each fold next to each other; nothing of one test."""
    if not entry.folds:
        return []
    return table(['', *(f'fold {number}' for number in entry.folds)], [
        ['images', *(len(part.result.events) for part in entry.folds.values())],
        *([key, *(format_number(part.result.metrics[key]) for part in entry.folds.values())]
          for key in entry.result.metrics)])


def figure_lines(names: Sequence[str]) -> list[str]:
    """Return links to figures next to the page."""
    return [line for name in names for line in (f'![{name}](<{name}>)', '')]
