"""What is known of a recipe of the zoo from fold 0, whose test images its training did not see."""
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.export import export
from mmwindow.apis.export_int8 import score_model
from mmwindow.apis.run_numbers import ReportSettings, apply_points
from mmwindow.apis.zoo.files import finished_run, write_checkpoint, write_half
from mmwindow.apis.zoo.recipes import Recipe
from mmwindow.engine.model_description import preprocessing_digest
from mmwindow.engine.run_file import TrainingRun
from mmwindow.evaluation.events.floor import cut_events, find_floor
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.records import Record, read_record, write_record
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.statistics.bootstrap import bootstrap
from mmwindow.evaluation.statistics.delong import delong_interval
from mmwindow.evaluation.statistics.model_points import choose_model_points
from mmwindow.runtime import RuntimeModel
from mmwindow.utils.environment import describe_machine, describe_versions
from mmwindow.utils.files import load_json, write_json
from mmwindow.utils.messages import shorten
from mmwindow.utils.operating_points import ModelOperatingPoints

SPLIT = 'validation of fold 0, by another training of this recipe that had not seen them'
FIELD = 'body_part'
KEEP_BUDGETS = 4  # times the largest: so far down do resamples of the patients spend it
NUMBERS = ('sensitivity', 'specificity', 'recall', 'fp_rate')


def collect_evidence(recipe: Recipe, run: Path, data: Path, images: Path, out: Path,
                     command: str = '') -> Path:
    """Write what a finished run of fold 0 says of a recipe: threshold, its test, cost of rounding.

    Args:
        recipe: Of the model.
        run: Of ``mmwindow folds`` on fold 0, with ``training/``, ``val.json``, ``test.json`` and
            ``result.json``. What rounding costs needs the checkpoint that it tested, too.
        data: Folder with ``annotations/test.json``.
        images: Folder of all images.
        out: Receives ``<name>.json`` and both records, shortened.
        command: Is noted.

    Returns:
        Path: The file.

    Raises:
        ValueError: The run is not finished, or is of another recipe.
    """
    training = finished_run(run / 'training')
    records = {split: read_record(run / f'{split}.json') for split in ('val', 'test')}
    points = choose_points(records['val'], training)
    for split, record in records.items():
        write_short_record(record, out / f'{recipe.name}_{split}.json')
    tested = run / 'training' / str(load_json(run / 'result.json').get('checkpoint'))
    path = out / f'{recipe.name}.json'
    write_json(path, dict(
        system=recipe.title, command=command, machine=describe_machine(),
        versions=describe_versions(), training=dict(
            data=training.data, seed=training.seed, machine=training.machine,
            versions=training.versions, checkpoint=tested.name),
        data=count_data(records['test']), metrics=records['test'].metrics,
        validation_metrics=records['val'].metrics, intervals=test_intervals(records['test']),
        operating_points=points.to_json(), at_threshold=test_threshold(points, records['test']),
        rounding=measure_rounding(recipe, tested, data / 'annotations' / 'test.json', images)
        if tested.is_file() else None))
    return path


def count_data(record: Record) -> dict[str, int]:
    """Return how many images, images with a point, and points a record is of."""
    events = record.events()
    return dict(num_images=len(events), num_positives=sum(event.is_positive for event in events),
                num_points=sum(event.num_points for event in events))


def choose_points(record: Record, training: TrainingRun) -> ModelOperatingPoints:
    """Choose the thresholds of a recipe by .1 false positives per image on validation images.

    Args:
        record: Of the validation images of fold 0.
        training: That did not see them.
    """
    parts = training.preprocessing
    return choose_model_points(
        record.classes, fp_denominator=record.settings.get('fp_denominator', 'all'), split=SPLIT,
        data=training.data.get('val', ''), training_data=training.data.get('train', ''),
        input_size=training.input_size, versions=describe_versions(),
        preprocessing=preprocessing_digest(parts.get('pipeline'), parts.get('data_preprocessor')))


def test_intervals(record: Record) -> dict[str, dict[str, Any]]:
    """Return 95 % intervals over patients of the numbers of a record, as result files have them.

    Args:
        record: Of the test images.
    """
    result = bootstrap(record.events(), FROCSettings.from_record(record.settings))
    return {f'froc/{name}': dict(low=interval.low, high=interval.high, method=interval.method)
            for name, interval in result.intervals.items() if interval is not None}


def test_threshold(points: ModelOperatingPoints, record: Record) -> list[dict[str, Any]]:
    """Return what the thresholds do on test images, of all and by body part.

    Args:
        points: Chosen on other images.
        record: Of the test images, by the same weights.

    Returns:
        An entry for each value of the body part, 'all' last; each number is ``[estimate, low,
        high]``, 95 % over patients, or null.
    """
    events = record.events()
    of_class = points.classes[next(iter(record.classes))]
    values = sorted({str(event.fields.get(FIELD, '')) for event in events} - {''})
    groups = {value: [event for event in events if event.fields.get(FIELD) == value]
              for value in values} | {'all': events}
    return [dict(name=name, counts=found.counts, **{
        key: None if interval is None else [interval.estimate, interval.low, interval.high]
        for key in NUMBERS for interval in [found.intervals.get(key)]})
        for name, images in groups.items()
        for found in [apply_points(name, of_class, images, ReportSettings())]]


def areas_by_body_part(record: Record, parts: Mapping[Any, str]) -> list[dict[str, Any]]:
    """Return the AUROC of each body part and of all images, by DeLong over patients.

    Recall by budget has no interval here: of one body part's images resamples spend other budgets
    than of all, and the committed events do not reach so far down.

    Args:
        record: Committed, of the test images.
        parts: Body part of each image by its id.
    """
    events = record.events()
    groups = {value: [event for event in events if parts[event.image_id] == value]
              for value in sorted(set(parts.values()))} | {'all': events}
    rows: list[dict[str, Any]] = []
    for name, images in groups.items():
        positives = [bool(event.is_positive) for event in images]
        row: dict[str, Any] = dict(name=name, images=len(images), positives=sum(positives),
                                   points=sum(event.num_points for event in images), auroc=None)
        try:
            area = delong_interval(positives, [event.score for event in images],
                                   groups=[event.group for event in images])
            row['auroc'] = [area.estimate, area.low, area.high]
        except ValueError as error:
            row['reason'] = shorten(str(error))
        rows.append(row)
    return rows


def write_short_record(record: Record, path: Path) -> None:
    """Write a record without what no number of its images, or of resamples of them, depends on."""
    budget = KEEP_BUDGETS * max(record.settings['budgets'])
    classes: dict[str, Sequence[ImageEvents]] = {}
    for name, events in record.classes.items():
        floor = find_floor(events, [budget])
        classes[name] = [replace(
            cut_events(event.without_other_counts(), floor),
            fields={key: event.fields[key] for key in (FIELD,) if key in event.fields})
            for event in events]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_record(path, classes, record.settings, record.metrics, record.source)


def measure_rounding(recipe: Recipe, checkpoint: Path, points: Path, images: Path
                     ) -> dict[str, Any]:
    """Return AUROC and FROC score on test images with weights in single and in half precision.

    Args:
        recipe: Of the model.
        checkpoint: Of a training on the training part of fold 0.
        points: Point file of its test images.
        images: Folder of all images.
    """
    with TemporaryDirectory() as folder:
        place = Path(folder)
        single = export(recipe.config_path, place / 'single.onnx', checkpoint, images, 2)
        write_checkpoint(recipe, checkpoint, None, place / 'half.pth')
        half = write_half(recipe, place / 'half.pth', place / 'half.onnx', images, 2)
        settings = single.info.evaluation
        metrics = [score_model(RuntimeModel(result.path), points, images, settings)
                   for result in (single, half)]
        return dict(images=len(read_point_file(points).records), single=metrics[0], half=metrics[1],
                    bytes=[result.path.stat().st_size for result in (single, half)])
