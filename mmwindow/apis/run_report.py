"""The report of a training or a test in its folder: page, figures, record and numbers as JSON."""
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mmwindow.apis.evaluation_outputs import one_writer
from mmwindow.apis.evaluation_report import metric_lines, settings_lines, strata_table, table
from mmwindow.apis.run_numbers import (
    AtThreshold,
    ClassNumbers,
    ReportSettings,
    measure_classes,
    plain_numbers,
)
from mmwindow.apis.training_log import TrainingLog
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.finding_counts import describe_counts
from mmwindow.evaluation.files.image_table import image_rows, write_image_table
from mmwindow.evaluation.files.records import plain
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.hit_rules import HitRule
from mmwindow.evaluation.results import EvaluationResult
from mmwindow.evaluation.statistics.bands import froc_band, roc_band
from mmwindow.evaluation.statistics.calibration import Calibration
from mmwindow.images.decode import ImageSettings
from mmwindow.utils.files import write_json, write_text
from mmwindow.utils.markdown import format_number, format_with_interval
from mmwindow.utils.messages import count_words, shorten
from mmwindow.utils.operating_points import ModelOperatingPoints, OperatingPoint
from mmwindow.utils.progress import describe_seconds

if TYPE_CHECKING:
    from mmwindow.visualization.examples import Example

FORMAT, VERSION = 'mmwindow-test', 1
FALLBACK_BUDGET = 0.1  # of pictures, where there is no stored threshold
TITLES = dict(sensitivity='sensitivity of images', specificity='specificity of images',
              recall='recall of points', fp_rate='false positives per image')
FOLDS_TEXT = ('Each image was tested once, by the model of a fold that has not seen its patient. '
              'Numbers and curves are **means over {number} folds**: scores of different models are '
              'not pooled. What other training images would change is not in the intervals.')
CHOOSE_HINT = '`mmwindow test MODEL --choose-threshold fp_budget` chooses one on validation images'


@dataclass(frozen=True)
class ReportInputs:
    """What a report is made of.

    Attributes:
        title: Of the page.
        result: With the events of all images.
        points: The stored thresholds; None where there are none.
        images: Some predicted ones.
        facts: Rows of the table at the head.
        warnings: What a reader must know before any number.
        chosen_here: The thresholds were chosen on these very images.
        image_settings: How images are read.
        training: How the training went, in its own report.
        best_epoch: Of the training.
        numbers: Of each class, where they are measured already.
    """

    title: str
    result: EvaluationResult
    points: ModelOperatingPoints | None = None
    images: 'ReportImages | None' = None
    facts: Mapping[str, object] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    chosen_here: bool = False
    image_settings: ImageSettings | None = None
    training: TrainingLog | None = None
    best_epoch: int | None = None
    numbers: Sequence[ClassNumbers] | None = None


class ReportImages(Protocol):
    """Images that a report can show."""

    def __len__(self) -> int:
        """Return how many there are."""

    def examples(self, label: int, threshold: float, rule: HitRule,
                 settings: ImageSettings | None = None) -> 'list[Example]':
        """Return examples of each outcome of a class at a threshold, with their pixels."""


@dataclass(frozen=True)
class ReportOutcome:
    """What was written.

    Attributes:
        path: The page.
        seconds: That it took.
        problems: What could not be drawn, and why.
    """

    path: Path
    seconds: float
    problems: tuple[str, ...]


def write_run_report(folder: str | Path, inputs: ReportInputs,
                     settings: ReportSettings = ReportSettings()) -> ReportOutcome:  # noqa: B008
    """Write ``report.md``, ``record.json``, ``result.json``, ``images.csv`` and the figures.

    The record is what ``mmwindow evaluate --compare`` and ``--operating-point`` read. A figure that
    cannot be drawn is named on the page, and costs no number.

    Args:
        folder: Made where it is not there.
        inputs: What is reported.
        settings: How intervals are made.

    Raises:
        ValueError: No image has a field to report by, or the folder cannot be written.
    """
    folder, started = Path(folder), time.monotonic()
    points = inputs.points.classes if inputs.points is not None else {}
    numbers = measure_classes(inputs.result, points, settings) if inputs.numbers is None else list(
        inputs.numbers)
    problems: list[str] = []
    with one_writer(folder):
        if not has_folds(numbers):  # else it would rank scores of different models
            inputs.result.write(folder / 'record.json', source=dict(
                name=inputs.title, **{key.replace(' ', '_'): str(value)
                                      for key, value in inputs.facts.items()}))
        write_json(folder / 'result.json', dict(
            format=FORMAT, version=VERSION, title=inputs.title,
            facts={key: str(value) for key, value in inputs.facts.items()},
            warnings=list(inputs.warnings), chosen_on_these_images=inputs.chosen_here,
            origin=None if inputs.points is None else {
                key: value for key, value in inputs.points.to_json().items() if key != 'classes'},
            metrics=plain(inputs.result.metrics), classes=plain_numbers(numbers)))
        write_image_table(folder / 'images.csv', [
            row for entry in numbers for part in entry.tests for row in image_rows(
                part.result.events, shown_point(part)[0], entry.name,
                reaches_down(part.result.events, shown_point(part)[0]))])
        figures = draw_run_figures(folder, inputs, numbers, settings, problems)
        path = folder / 'report.md'
        seconds = time.monotonic() - started
        write_text(path, '\n'.join(report_lines(inputs, numbers, figures, problems, seconds)))
    return ReportOutcome(path, seconds, tuple(problems))


def has_folds(numbers: Sequence[ClassNumbers]) -> bool:
    """Return whether numbers are means over folds."""
    return any(entry.folds for entry in numbers)


def reaches_down(events: Sequence[ImageEvents], threshold: float) -> bool:
    """Return whether findings were kept down to a threshold."""
    return all(img.floor is None or img.floor <= threshold for img in events)


def shown_point(entry: ClassNumbers) -> tuple[float, str]:
    """Return the threshold of findings that pictures show, and its meaning in words."""
    point = entry.points.findings
    if point is not None:
        return point.threshold, f'the stored threshold by {point.describe()}'
    threshold = None
    with suppress(ValueError):  # events were not kept so far down
        threshold = entry.result.froc.threshold_at(FALLBACK_BUDGET)
    if threshold is None or not np.isfinite(threshold):
        return 0.5, 'as there is no stored threshold and none keeps to a budget'
    return float(threshold), (f'chosen for the pictures on these very images, '
                              f'{FALLBACK_BUDGET:g} false positives per image')


def draw_run_figures(folder: Path, inputs: ReportInputs, numbers: Sequence[ClassNumbers],
                     settings: ReportSettings, problems: list[str]) -> dict[str, list[str]]:
    """Draw all figures; return their names by class, '' for those of the run.

    Args:
        folder: Exists.
        inputs: What is reported.
        numbers: Of each class.
        settings: Of the bands.
        problems: Receives what could not be drawn.
    """
    figures: dict[str, list[str]] = {}

    def draw(group: str, name: str, function: Callable[[Path], Any]) -> None:
        (folder / name).unlink(missing_ok=True)  # of a report before
        if any('matplotlib' in problem for problem in problems):
            return
        try:
            function(folder / name)
            figures.setdefault(group, []).append(name)
        except ImportError as error:
            problems.append(f'no figures: {error}')
        except Exception as error:  # noqa: BLE001  (a picture must cost no number)
            problems.append(f'{name}: {type(error).__name__}: {shorten(str(error))}')

    from mmwindow.visualization.run_figures import plot_training
    if inputs.training is not None and (inputs.training.losses or inputs.training.metrics):
        log = inputs.training
        draw('', 'training.png', lambda path: plot_training(log.losses, log.metrics, path,
                                                            inputs.best_epoch))
    for label, entry in enumerate(numbers):
        suffix = '' if len(numbers) == 1 else '_' + re.sub(r'[^\w.-]', '-', entry.name)
        for kind, function in class_figures(label, entry, inputs, settings).items():
            draw(entry.name, f'{kind}{suffix}.png', function)
    return figures


def class_figures(label: int, entry: ClassNumbers, inputs: ReportInputs, settings: ReportSettings
                  ) -> dict[str, Callable[[Path], Any]]:
    """Return what draws each figure of a class, by kind; those that it has numbers for."""
    from mmwindow.visualization.curves import plot_froc, plot_roc
    from mmwindow.visualization.marks import CurveMark
    from mmwindow.visualization.panels import save_overlays
    from mmwindow.visualization.run_figures import plot_reliability
    how = FROCSettings.from_record(inputs.result.settings)
    right = max(1., *how.budgets)
    drawn: dict[str, Any] = dict(num_resamples=settings.band_resamples, seed=settings.seed)
    found = entry.at_threshold.intervals if entry.at_threshold is not None else {}
    threshold, meaning = shown_point(entry)

    def mark(x: str, y: str, flip: bool) -> list[CurveMark]:
        across, up = found.get(x), found.get(y)
        if across is None or up is None:
            return []
        return [CurveMark('threshold', 1 - across.estimate if flip else across.estimate,
                          up.estimate, kind='stored ')]

    def draw_froc(path: Path) -> None:
        band = None
        for end in (right, max(how.budgets)):  # events may not be kept as far down as the axis goes
            with suppress(ValueError):  # also of one patient
                if entry.folds:  # a band of pooled scores would not belong to the mean curve
                    break
                band = froc_band(entry.result.events, how, end, num_rates=26, **drawn)
                break
        plot_froc(entry.result.froc, path, how.budgets, right, band, how.convention,
                  operating_points=mark('fp_rate', 'recall', False))

    def draw_roc(path: Path) -> None:
        try:
            band = None if entry.folds else roc_band(entry.result.events, **drawn)
        except ValueError:
            band = None
        if entry.result.roc is not None:
            plot_roc(entry.result.roc, path, bands=band,
                     operating_points=mark('specificity', 'sensitivity', True))

    def draw_overlays(path: Path) -> None:
        if inputs.images is not None:
            examples = inputs.images.examples(label, threshold, how.rule, inputs.image_settings)
            save_overlays(examples, path, rule=how.rule,
                          title=f'{entry.name}: findings at ' + (
                              "each fold's own threshold" if entry.folds else
                              f'a score of {threshold:.3f}'))

    figures: dict[str, Callable[[Path], Any]] = {}
    if entry.result.froc.num_points:
        figures['froc'] = draw_froc
    if entry.result.roc is not None:
        figures['roc'] = draw_roc
    if entry.calibration is not None and entry.calibration.bins:
        calibration = entry.calibration
        figures['calibration'] = lambda path: plot_reliability(calibration, path)
    if inputs.images is not None and len(inputs.images):
        figures['overlays'] = draw_overlays
    return figures


def report_lines(inputs: ReportInputs, numbers: Sequence[ClassNumbers],
                 figures: Mapping[str, Sequence[str]], problems: Sequence[str], seconds: float
                 ) -> list[str]:
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
        positives = sum(bool(img.is_positive) for img in entry.result.events)
        lines += [f'## {entry.name}', '',
                  f'{count_words(len(entry.result.events), "image")}, {positives} with a finding, '
                  f'{len(entry.result.events) - positives} without; '
                  f'{count_words(entry.result.froc.num_points, "point")}.', '',
                  *metric_lines(entry.result),
                  *fold_table(entry),
                  *[f'- {note}' for note in entry.notes], *[''] * bool(entry.notes),
                  *point_section(entry, inputs), *figure_lines(figures.get(entry.name, ())),
                  *calibration_section(entry.calibration),
                  *(line for part in entry.strata
                    for line in strata_table(part, list(entry.result.metrics))),
                  *by_field_section(entry)]
        if any(name.startswith('overlays') for name in figures.get(entry.name, ())):
            threshold, meaning = shown_point(entry)
            at = (f'a score of {threshold:.3f}, {meaning}' if not entry.folds else
                  'the threshold of the fold that tested the image (images.csv), by its model'
                  + (', of a fold without one at a threshold chosen for the pictures on its very '
                     'images' if any(part.points.findings is None for part in entry.tests) else ''))
            lines += [f'Pictures show findings at {at}; hit rule '
                      f'{FROCSettings.from_record(inputs.result.settings).rule.name}. They are the '
                      'first of each outcome among the first images, none is chosen.', '']
    if figures.get(''):
        lines += ['## Training', '', *figure_lines(figures[''])]
    lines += settings_lines(inputs.result)
    record = ('each fold has a record of its own, test.json' if has_folds(numbers) else
              'record.json is for `mmwindow evaluate --compare` and `--operating-point`')
    return [*lines, f'This report took {describe_seconds(seconds)}. All numbers: result.json; what '
            f'is annotated and found in each image: images.csv; {record}.', '']


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


def point_section(entry: ClassNumbers, inputs: ReportInputs) -> list[str]:
    """Return what the stored thresholds of a class are and do."""
    lines = ['### Operating point', '']
    if entry.folds:
        return lines + fold_points(entry)
    if entry.at_threshold is None or inputs.points is None:
        why = entry.points.reasons.get('findings') or entry.points.reasons.get('images')
        return [*lines, f'No stored threshold{": " + why if why else ""}. {CHOOSE_HINT}.', '']
    where = ('on these very images: the numbers at it flatter' if inputs.chosen_here else
             f'on {count_words(inputs.points.num_images, "image")} of '
             f'{count_words(inputs.points.num_patients, "patient")} '
             f'({inputs.points.split})')
    images, findings = entry.points.images, entry.points.findings
    if images == findings:
        lines += [point_sentence('Images and findings', images, where), '']
    else:
        lines += [line for name, point in (('Images', images), ('Findings', findings))
                  for line in (point_sentence(name, point, where), '')]
    return [*lines, *threshold_tables(entry.at_threshold),
            'Intervals of the numbers are over patients; that the threshold was chosen on '
            'finitely many images is in the interval of the threshold alone.', '']


def threshold_tables(found: AtThreshold) -> list[str]:
    """Return what thresholds do on images, and the confusion."""
    lines = table(['', 'value (95 % interval)'], [
        [TITLES[key], value_or_reason(found, key)] for key in TITLES])
    counts = found.counts
    if counts.get('true_positives') is not None:
        lines += table(['images', 'called', 'not called'], [
            ['with a finding', counts['true_positives'], counts['false_negatives']],
            ['without', counts['false_positives'], counts['true_negatives']]])
    return lines


def fold_points(entry: ClassNumbers) -> list[str]:
    """Return the thresholds of folds and what they do together."""
    rows = []
    for number, part in entry.folds.items():
        images, findings = part.points.images, part.points.findings
        chosen = findings or images
        rows.append([number, *('none' if point is None else f'{point.threshold:.4g}'
                               for point in (images, findings)),
                     '' if chosen is None else f'{chosen.describe()}, on '
                                               f'{count_words(chosen.num_images, "image")} '
                                               'of its validation'])
    lines = table(['fold', 'images', 'findings', 'chosen by'], rows)
    if entry.at_threshold is None:
        return [*lines, 'No fold has a stored threshold.', '']
    return [*lines, 'Each image is called or not at the threshold of its own fold, which was chosen '
            'on other images. These decisions, not the scores, are counted together:', '',
            *threshold_tables(entry.at_threshold), 'Intervals are over patients.', '']


def point_sentence(name: str, point: OperatingPoint | None, where: str) -> str:
    """Return a threshold with its origin in words."""
    if point is None:
        return f'{name}: no stored threshold.'
    ends = point.threshold_interval
    between = '' if ends is None else f' (95 % interval {ends[0]:.4g} to {ends[1]:.4g})'
    note = f' {point.note[:1].upper()}{point.note[1:]}.' if point.note else ''
    return (f'{name}: from a score of {point.threshold:.4g}{between}, chosen by {point.describe()} '
            f'{where}.{note}')


def value_or_reason(part: AtThreshold, key: str, with_note: bool = True) -> str:
    """Return a number at a threshold with its interval, or why there is none."""
    interval = part.intervals.get(key)
    if interval is None:
        return f'none: {part.reasons.get(key, "not counted")}'
    return format_with_interval(interval.estimate, interval) + (
        f'; {interval.note}' if interval.note and with_note else '')


def calibration_section(calibration: Calibration | None) -> list[str]:
    """Return how far image scores are probabilities."""
    if calibration is None:
        return []
    names = dict(brier='Brier score', ece='expected calibration error', slope='slope',
                 intercept='intercept (slope 1)')
    rows = []
    for key, title in names.items():
        interval = getattr(calibration, key)
        rows.append([title, 'none: ' + calibration.reasons.get(key, 'no number') if interval is None
                     else format_with_interval(interval.estimate, interval)])
    lines = ['### Calibration of image scores', '',
             f'Mean score {format_number(calibration.mean_score)}, share of images with a finding '
             f'{format_number(calibration.prevalence)}. A calibrated model has slope 1 and intercept '
             '0; with the scores as probabilities, the expected calibration error would be '
             f'{format_number(calibration.ece_by_chance)} by chance alone on these images.', '',
             *table(['', 'value (95 % interval)'], rows),
             *[f'- {note}' for note in calibration.notes], *[''] * bool(calibration.notes)]
    if calibration.bins:
        lines += table(['score', 'images', 'mean score', 'share with a finding (95 % interval)'], [
            [f'{row.low:.1f} to {row.high:.1f}', row.num_images, format_number(row.mean_score),
             format_with_interval(row.share.estimate, row.share if np.isfinite(row.share.low)
                                  else None)] for row in calibration.bins])
    return lines


def by_field_section(entry: ClassNumbers) -> list[str]:
    """Return what the stored thresholds do for each value of each field."""
    lines = []
    for key, parts in entry.by_field.items():
        if parts:
            lines += [f'### At the stored threshold, by {key}', '', *table(
                [key, *TITLES.values()],
                [[part.name, *(value_or_reason(part, name, False) for name in TITLES)]
                 for part in parts])]
    return lines
