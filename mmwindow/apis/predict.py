"""Predicting images with a trained model, and writing what was found (torch only where needed)."""
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmwindow.apis.model_places import find_model
from mmwindow.apis.prediction_folders import (
    DICOM,
    DICOM_KINDS,
    OVERLAYS,
    is_result_folder,
    part_folder,
)
from mmwindow.apis.prediction_outputs import FAILED, PredictionOutputs
from mmwindow.apis.predictors import (
    PredictedImage,
    UnreadImage,
    iterate_predictions,
    load_predictor,
    override_reading,
)
from mmwindow.apis.thresholds import (
    Findings,
    Thresholds,
    check_threshold,
    choose_thresholds,
    find_findings,
)
from mmwindow.images.sources import ImageSource, InputImage, find_images
from mmwindow.utils.locks import hold_folder
from mmwindow.utils.messages import none_of, shorten
from mmwindow.utils.outputs import check_output_folder
from mmwindow.utils.progress import ProgressDisplay, track

DICOM_MARKS = ('points', 'boxes')
MAX_SHOWN = 5  # images that failed, named on the screen


@dataclass(frozen=True)
class PredictSettings:
    """How images are predicted and what is written.

    Attributes:
        threshold: Of images and findings, 0 to 1; None for the model's operating point, and 0.5 where
            it has none.
        batch_size: Images that the network gets at once.
        tta: Average mirrored and turned views.
        recursive: Read folders within folders, too.
        maps: Keep the maps, by which the predictions can be evaluated.
        overlays: Paint pictures.
        dicom: Kinds of DICOM objects for DICOM images, of :data:`DICOM_KINDS`.
        dicom_marks: What marks a finding there, of :data:`DICOM_MARKS`; '' for points in reports and
            boxes in presentation states.
        bit_depth: Of 16-bit images that do not say it; None as the model was trained.
        max_pixels: Of the largest image that is read; likewise.
        device: Of torch; None for a GPU where there is one.
        cfg_options: Overrides of the config.
    """

    threshold: float | None = None
    batch_size: int = 1
    tta: bool = False
    recursive: bool = False
    maps: bool = True
    overlays: bool = True
    dicom: tuple[str, ...] = ()
    dicom_marks: str = ''
    bit_depth: int | None = None
    max_pixels: int | None = None
    device: str | None = None
    cfg_options: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None:
            check_threshold(self.threshold)
        if self.batch_size < 1:
            raise ValueError(f'batch_size is {self.batch_size}; at least 1 image is expected')
        for name in self.dicom:
            if name not in DICOM_KINDS:
                raise ValueError(f'--dicom {shorten(name)}: {", ".join(DICOM_KINDS)} are expected')
        if self.dicom_marks not in ('', *DICOM_MARKS):
            raise ValueError(f'--dicom-marks {shorten(self.dicom_marks)}: {" or ".join(DICOM_MARKS)} '
                             'is expected')


@dataclass
class PredictResult:
    """What was predicted.

    Attributes:
        thresholds: What was called.
        num_images: That were predicted.
        num_called: Images whose score of any class reaches its threshold; each is counted once.
        num_findings: Of all images.
        failed: Images that were not read.
        num_dicom: DICOM objects that were written.
        notes: What a user should know.
    """

    thresholds: Thresholds
    num_images: int = 0
    num_called: int = 0
    num_findings: int = 0
    failed: list[UnreadImage] = field(default_factory=list)
    num_dicom: int = 0
    notes: list[str] = field(default_factory=list)


def predict(model: str | Path, inputs: ImageSource | Sequence[ImageSource], out: str | Path,
            settings: PredictSettings | None = None, checkpoint: str | Path | None = None,
            config: str | Path | None = None, command: str = '') -> PredictResult:
    """Predict images and write what was found; docs/predict.md describes the files.

    An image that cannot be read does not stop the others: it is listed in ``failed.csv``.

    Args:
        model: A run folder, a checkpoint, a config (with ``checkpoint``), an exported file, or a name
            of the zoo.
        inputs: Image files, folders, patterns of names, arrays.
        out: Folder for the results.
        settings: How; the defaults if None.
        checkpoint: Where ``model`` is a config.
        config: Of a checkpoint that does not describe its model.
        command: Is kept with the predictions.

    Raises:
        ValueError: The model cannot be used, an input is missing, ``out`` cannot be written, or none
            of the images can be read.
    """
    settings = settings or PredictSettings()
    place, out = find_model(model, checkpoint, config), Path(out)
    for folder in (out, *[out / OVERLAYS] * settings.overlays, *[out / DICOM] * bool(settings.dicom)):
        check_output_folder(folder, '--out')
    images = drop_repeated(find_images(inputs, settings.recursive, out, is_result_folder))
    dicom = make_dicom_writer(settings, out, place.label)
    predictor = load_predictor(place, settings.tta, settings.device, settings.cfg_options)
    override_reading(predictor, settings.bit_depth, settings.max_pixels)
    thresholds = choose_thresholds(predictor.classes, predictor.operating_points, settings.threshold)
    result = PredictResult(thresholds, notes=notes_of(thresholds, settings))
    kept = dict(model=place.name, command=command, tta=settings.tta,
                checkpoint=None if place.checkpoint is None else Path(place.checkpoint).name)
    out.mkdir(parents=True, exist_ok=True)
    with hold_folder(out, 'or choose another --out'), PredictionOutputs(
            out, thresholds, kept, settings.maps, settings.overlays) as outputs:
        for done in track(iterate_predictions(predictor, images, settings.batch_size), len(images)):
            if isinstance(done, UnreadImage):
                outputs.fail(done)
                note_failure(result, done, is_said=len(images) > 1)  # else the error says it
                continue
            found = find_findings(done.prediction, thresholds)
            name = outputs.add(done, found)
            result.num_images += 1
            if dicom is not None:
                write_dicom(dicom, done, found, name, result, outputs)
        result.num_called, result.num_findings = outputs.num_called, outputs.num_findings
    if not result.failed:
        (out / FAILED).unlink(missing_ok=True)
    if not result.num_images:
        raise ValueError(f'{none_of(len(images), "image")} can be predicted; the first: '
                         f'{result.failed[0].reason}')
    return result


def drop_repeated(images: Iterable[InputImage]) -> list[InputImage]:
    """Return images without those that several inputs name."""
    kept: dict[Any, InputImage] = {}
    for image in images:
        is_path = isinstance(image.source, str | Path)
        key = Path(image.name).absolute() if is_path else image.name
        kept.setdefault(key, image)
    return list(kept.values())


def notes_of(thresholds: Thresholds, settings: PredictSettings) -> list[str]:
    """Return what a user should know of the thresholds."""
    notes = []
    if settings.threshold is None and not thresholds.is_stored:
        notes.append('the model has no operating point for every class: 0.5 is taken there, which is '
                     'no choice; --threshold sets another')
    if settings.tta and thresholds.is_stored:
        notes.append('the operating point was chosen without --tta; with it scores are others')
    return notes


def note_failure(result: PredictResult, failure: UnreadImage, is_said: bool = True) -> None:
    """Keep a failure, and say the first ones on the screen, where they are to be said."""
    result.failed.append(replace(failure, image=failure.image._replace(source='')))
    if not is_said:
        return
    if len(result.failed) <= MAX_SHOWN:
        ProgressDisplay().say(f'predict: {failure.reason}')
    elif len(result.failed) == MAX_SHOWN + 1:
        print(f'predict: there are more such images; {FAILED} lists them', file=sys.stderr)


def make_dicom_writer(settings: PredictSettings, out: Path, model: str) -> Any:
    """Return what writes DICOM objects; None where none are asked for.

    Raises:
        ValueError: A package is missing.
    """
    if not settings.dicom:
        return None
    from mmwindow.apis.prediction_dicom import DicomWriter
    return DicomWriter(part_folder(out / DICOM), settings.dicom, settings.dicom_marks, model)


def write_dicom(writer: Any, done: PredictedImage, found: Findings, name: str,
                result: PredictResult, outputs: PredictionOutputs) -> None:
    """Write the DICOM objects of an image; one that has none is noted."""
    try:
        result.num_dicom += writer.write(done, found, result.thresholds, name)
    except ValueError as error:
        failure = UnreadImage(done.image, f'{done.image.name}: no DICOM object: {error}')
        outputs.fail(failure)
        note_failure(result, failure)
