"""Writing the report of a training or a test: page, figures, record and numbers as JSON."""
import time
from collections.abc import Sequence
from pathlib import Path

from mmwindow.apis.evaluation_outputs import one_writer
from mmwindow.apis.run_numbers import ReportSettings, measure_classes, plain_numbers
from mmwindow.apis.run_report.figures import shown_point
from mmwindow.apis.run_report.inputs import ReportInputs, ReportOutcome
from mmwindow.apis.run_report.page import has_folds, write_page
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.image_table import image_rows, write_image_table
from mmwindow.evaluation.files.records import plain
from mmwindow.utils.files import write_json

FORMAT, VERSION = 'mmwindow-test', 1


def write_run_report(folder: str | Path, inputs: ReportInputs,
                     settings: ReportSettings = ReportSettings()) -> ReportOutcome:  # noqa: B008
    """Write ``report.md``, ``record.json``, ``result.json``, ``images.csv`` and the figures.

    The record is what ``mmwindow evaluate --compare`` and ``--operating-point`` read. Page and
    figures: :func:`~mmwindow.apis.run_report.page.write_page`.

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
        record = ('each fold has a record of its own, test.json' if has_folds(numbers) else
                  'record.json is for `mmwindow evaluate --compare` and `--operating-point`')
        return write_page(folder, inputs, numbers, settings, 'All numbers: result.json; what is '
                          f'annotated and found in each image: images.csv; {record}.', started)


def reaches_down(events: Sequence[ImageEvents], threshold: float) -> bool:
    """Return whether findings were kept down to a threshold."""
    return all(img.floor is None or img.floor <= threshold for img in events)
