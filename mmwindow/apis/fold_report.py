"""The report of folds in their folder: means, mean curves, pictures of held-out images."""
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mmwindow.annotations.records import ImageRecord
from mmwindow.apis.compare import make_cell
from mmwindow.apis.fold_numbers import FoldTest, result_of_folds
from mmwindow.apis.folds_folder import OF_FOLDS, TRAINING, FoldsFolder
from mmwindow.apis.model_places import find_model
from mmwindow.apis.predictors import UnreadImage, iterate_predictions, load_predictor
from mmwindow.apis.reporting import TRAINING_FOLDER
from mmwindow.apis.run_numbers import ClassNumbers, ReportSettings
from mmwindow.apis.run_report import (
    FORMAT,
    ReportInputs,
    ReportOutcome,
    shown_point,
    write_run_report,
)
from mmwindow.apis.thresholds import Thresholds
from mmwindow.apis.training_log import SHOWN_METRICS, TrainingLog, read_training_log
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.hit_rules import HitRule
from mmwindow.evaluation.metric_names import PAPER_METRICS, display_name
from mmwindow.images.decode import ImageSettings
from mmwindow.images.sources import InputImage
from mmwindow.utils.files import read_json
from mmwindow.utils.markdown import format_number
from mmwindow.utils.messages import count_words, shorten
from mmwindow.visualization.examples import Example

NUM_PER_OUTCOME = 3


class HeldOutImages:
    """Held-out images of each outcome, predicted by the model of their fold when they are drawn.

    Args:
        tests: Of the folds.
        numbers: Of each class, with the folds'.
        images: Folder of the images.
        records: All images with their points.
    """

    def __init__(self, tests: Sequence[FoldTest], numbers: Sequence[ClassNumbers], images: Path,
                 records: Sequence[ImageRecord]) -> None:
        self.runs = {test.number: test.run for test in tests}
        self.numbers, self.images = list(numbers), images
        self.records = {record.img_id: record for record in records}

    def __len__(self) -> int:
        return len(self.records)

    def examples(self, label: int, threshold: float, rule: HitRule,
                 settings: ImageSettings | None = None) -> list[Example]:
        """Return the first held-out images of each outcome, each at the threshold of its fold.

        Args:
            label: Of the class.
            threshold: Is not looked at.
            rule: Is not looked at: outcomes are those of the folds' tests.
            settings: Is not looked at: each model reads images its own way.

        Raises:
            ValueError: An image is no longer there, or damaged.
        """
        names = tuple(entry.name for entry in self.numbers)
        chosen = choose_images(self.numbers[label])
        examples = []
        for number, ids in chosen.items():
            limits = tuple(shown_point(entry.folds[number])[0] for entry in self.numbers)
            points = Thresholds(names, limits, limits, ('', ) * len(names))
            predictor = load_predictor(find_model(self.runs[number]))
            records = [self.records[img_id] for img_id in ids]
            inputs = [InputImage(str(path), path, record.file_name) for record in records
                      for path in [self.images / record.file_name]]
            for record, done in zip(records, iterate_predictions(predictor, inputs), strict=True):
                if isinstance(done, UnreadImage):
                    raise ValueError(done.reason)
                cell = make_cell(record, done.pixels.to_bgr()[..., 0], done.prediction, points, names)
                name = f'fold {number}: {Path(record.file_name).stem}'
                examples.append(Example(**{**vars(cell[label]), 'name': name}))
        return examples


def choose_images(entry: ClassNumbers, number: int = NUM_PER_OUTCOME) -> dict[int, list[Any]]:
    """Return fold -> ids of the first images of each outcome at the threshold of their fold.

    The first of each fold come before the second of any, so that nobody chooses the pretty ones.

    Args:
        entry: A class with its folds.
        number: Of each outcome.
    """
    places: dict[str, list[tuple[int, int, Any]]] = {}
    for fold, part in entry.folds.items():
        threshold = shown_point(part)[0]
        seen: dict[str, int] = {}
        for img in part.result.events:
            name = outcome_at(img, threshold)
            seen[name] = seen.get(name, 0) + 1
            places.setdefault(name, []).append((seen[name], fold, img.image_id))
    chosen: dict[int, list[Any]] = {}
    for images in places.values():
        for _, fold, img_id in sorted(images, key=lambda place: place[:2])[:number]:
            chosen.setdefault(fold, []).append(img_id)
    return dict(sorted(chosen.items()))


def outcome_at(img: ImageEvents, threshold: float) -> str:
    """Return what an image is at a threshold; a missed point weighs more than a false positive."""
    if img.num_recalled(threshold) < len(img.recall_levels):
        return 'miss'
    if img.num_false_positives(threshold):
        return 'false positive'
    return 'hit' if len(img.recall_levels) else 'negative'


def join_logs(tests: Sequence[FoldTest]) -> TrainingLog:
    """Return the losses and one number of the validations of all folds, a curve each."""
    logs = {f'fold {test.number}': read_training_log(test.run / TRAINING) for test in tests}
    shown = next((name for log in logs.values() for name in log.metrics
                  if name.rpartition('/')[2] == SHOWN_METRICS[0]), None)
    return TrainingLog(
        {name: log.losses['loss'] for name, log in logs.items() if 'loss' in log.losses},
        {f'{name}, {display_name(shown)}': log.metrics[shown] for name, log in logs.items()
         if shown is not None and shown in log.metrics})


@dataclass(frozen=True)
class FoldData:
    """What the pictures of a report of folds need of the data.

    Attributes:
        images: Folder of the images.
        records: All images with their points; none: no pictures.
        facts: Rows of the table at the head.
    """

    images: Path = Path()
    records: Sequence[ImageRecord] = ()
    facts: Mapping[str, object] = field(default_factory=dict)


def write_fold_report(folder: Path, title: str, tests: Sequence[FoldTest],
                      numbers: Sequence[ClassNumbers], how: Mapping[str, Any], data: FoldData,
                      settings: ReportSettings = ReportSettings()) -> ReportOutcome:  # noqa: B008
    """Write the report of folds; see :func:`~mmwindow.apis.run_report.write_run_report`.

    Args:
        folder: Made where it is not there.
        title: Of the page.
        tests: Of the folds.
        numbers: From :func:`~mmwindow.apis.fold_numbers.measure_folds`.
        how: FROC settings of the tests.
        data: For the pictures.
        settings: That made the numbers.

    Raises:
        ValueError: The folder cannot be written.
    """
    images = HeldOutImages(tests, numbers, data.images, data.records) if data.records else None
    return write_run_report(folder, ReportInputs(
        title, result_of_folds(numbers, how), images=images, facts=data.facts,
        training=join_logs(tests), numbers=numbers), settings)


class FoldMeans(NamedTuple):
    """The means of a report of folds.

    Attributes:
        metrics: As :class:`~mmwindow.evaluation.results.EvaluationResult` names them, after
            ``folds/``.
        text: The same for the screen, with intervals.
    """

    metrics: dict[str, float]
    text: str


def describe_means(classes: Sequence[Mapping[str, Any]], num_folds: int) -> str:
    """Return the means over folds as lines of text.

    Args:
        classes: Plain numbers of each class: ``name``, ``metrics`` and ``intervals``.
        num_folds: That they are of.
    """
    lines = [f'mean of {count_words(num_folds, "fold")}, each image tested by a model that has not '
             f'seen its patient '
             '(95 % intervals by patient):']
    for entry in classes:
        of = f' of {entry["name"]}' if len(classes) > 1 else ''
        for key in PAPER_METRICS:
            value, interval = entry['metrics'].get(key), entry['intervals'].get(key)
            bounds = '' if interval is None else f' ({interval["low"]:.3f} to {interval["high"]:.3f})'
            lines.append(f'{display_name(key)}{of}: '
                         + ('no number' if value is None else f'{format_number(value)}{bounds}'))
    return '\n'.join(lines) + '\n'


def read_fold_means(folder: Path) -> FoldMeans:
    """Return the means that a report of folds holds.

    Args:
        folder: Of the report.

    Raises:
        ValueError: There is no such report.
    """
    path = folder / 'result.json'
    content = read_json(path)
    try:
        if content['format'] != FORMAT:
            raise KeyError
        classes, num_folds = content['classes'], len(content['classes'][0]['folds'])
        values = {entry['name']: entry['metrics'] for entry in classes}
        names = [*next(iter(values.values()))]
        metrics = {f'{OF_FOLDS}{key}': float('nan') if content['metrics'][key] is None else
                   float(content['metrics'][key]) for key in content['metrics']}
        if not num_folds or not names:
            raise KeyError
        return FoldMeans(metrics, describe_means(classes, num_folds))
    except (KeyError, IndexError, TypeError, json.JSONDecodeError):
        raise ValueError(f'{shorten(str(path))}: it is no report of folds; "mmwindow train --data" '
                         'writes it after the folds: give the same command again') from None


def show_fold_means(folds: FoldsFolder, options: Mapping[str, Any]) -> dict[str, float]:
    """Print the means over folds, which their training has tested; return them, after ``folds/``.

    Args:
        folds: Of the model.
        options: Of a test that predicts, which none is done here; all are to be empty.

    Raises:
        ValueError: An option is given, or the report of the folds is missing.
    """
    name = shorten(str(folds.folder))
    for option, value in options.items():
        if value:
            raise ValueError(f'--{option.replace("_", "-").replace("choose", "choose-threshold")}: '
                             f'{name} holds folds, which their training has tested; give --data '
                             'OTHER, which tests the final model, or one of the runs, such as '
                             f'{folds.runs[0]}')
    means = read_fold_means(folds.folder / TRAINING_FOLDER)
    print(f'{means.text}report: {folds.folder / TRAINING_FOLDER / "report.md"}', flush=True)
    return means.metrics
