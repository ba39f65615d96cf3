"""DICOM objects of a prediction: reports, presentation states, secondary captures."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mmwindow
from mmwindow.apis.prediction_outputs import paint_prediction
from mmwindow.apis.predictors import PredictedImage
from mmwindow.apis.thresholds import Findings, Thresholds
from mmwindow.dicom_out import (
    FoundImage,
    Mark,
    make_capture,
    make_presentation,
    make_report,
    read_source,
)
from mmwindow.dicom_out.source import import_highdicom
from mmwindow.images.dicom_tags import is_dicom_image
from mmwindow.images.sources import ImageSource
from mmwindow.utils.files import atomic_file

FOLDER = 'dicom'


class DicomWriter:
    """Write DICOM objects for DICOM images.

    Args:
        out: Folder of the results.
        kinds: 'sr', 'gsps', 'sc'.
        marks: 'points', 'boxes', or '' for points in reports and boxes in presentation states.
        model: Name of the model, for the objects.

    Raises:
        ValueError: highdicom is missing.
    """

    def __init__(self, out: Path, kinds: Sequence[str], marks: str = '', model: str = '') -> None:
        import_highdicom()
        self.folder, self.kinds, self.marks, self.model = out / FOLDER, tuple(kinds), marks, model

    def write(self, predicted: PredictedImage, found: Findings, thresholds: Thresholds, name: str
              ) -> int:
        """Write the objects of an image; return how many.

        Args:
            predicted: The image.
            found: What is called.
            thresholds: By which.
            name: Of the files, without a suffix.

        Raises:
            ValueError: The source is no DICOM image, or lacks an identifier.
        """
        path = predicted.image.source
        if not is_dicom_file(path):
            raise ValueError('its source is no DICOM file, whose patient and study an object would '
                             'name; leave --dicom out for it')
        source = read_source(path)  # type: ignore[arg-type]
        what = describe_found(predicted, found, thresholds, self.model)
        for kind in self.kinds:
            with atomic_file(self.folder / f'{name}_{kind}.dcm') as part:
                self._make(kind, source, what, predicted, found).save_as(
                    part, enforce_file_format=True)
        return len(self.kinds)

    def _make(self, kind: str, source: Any, what: FoundImage, predicted: PredictedImage,
              found: Findings) -> Any:
        """Return an object of a kind."""
        if kind == 'sr':
            return make_report(source, what, self.marks or 'points')
        if kind == 'gsps':
            return make_presentation(source, what, self.marks or 'boxes')
        return make_capture(source, what, paint_prediction(predicted, found))


def is_dicom_file(source: ImageSource) -> bool:
    """Tell whether a source is a file that begins as DICOM does."""
    return isinstance(source, str | Path) and is_dicom_image(source)


def describe_found(predicted: PredictedImage, found: Findings, thresholds: Thresholds,
                   model: str = '') -> FoundImage:
    """Return what is said of an image in DICOM."""
    classes = predicted.prediction.classes
    marks = tuple(Mark(classes[label], float(score), (float(peak[0]), float(peak[1])),
                       (float(box[0]), float(box[1]), float(box[2]), float(box[3])))
                  for box, peak, score, label in zip(*found, strict=True))
    scores = tuple(zip(classes, map(float, predicted.prediction.image_scores), strict=True))
    return FoundImage(marks, scores, tuple(zip(classes, thresholds.findings, strict=True)),
                      model or 'unnamed model', mmwindow.__version__)
