"""DICOM objects of a prediction: reports, presentation states, secondary captures."""
import io
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
from mmwindow.dicom_out.presentation import check_has_grey_levels
from mmwindow.dicom_out.source import import_highdicom, name_elements
from mmwindow.images.dicom_tags import is_dicom_image
from mmwindow.images.sources import ImageSource
from mmwindow.utils.files import atomic_file


class DicomWriter:
    """Write DICOM objects for DICOM images.

    Args:
        folder: Where they are written.
        kinds: 'sr', 'gsps', 'sc'.
        marks: 'points', 'boxes', or '' for points in reports and boxes in presentation states.
        model: Name of the model, for the objects.

    Raises:
        ValueError: highdicom is missing.
    """

    def __init__(self, folder: Path, kinds: Sequence[str], marks: str = '', model: str = ''
                 ) -> None:
        import_highdicom()
        self.folder, self.kinds, self.marks, self.model = folder, tuple(kinds), marks, model

    def write(self, predicted: PredictedImage, found: Findings, thresholds: Thresholds, name: str
              ) -> int:
        """Write the objects of an image; return how many.

        Args:
            predicted: The image.
            found: What is called.
            thresholds: By which.
            name: Of the files, without a suffix.

        Raises:
            ValueError: The source is no DICOM image, or lacks an identifier; or an object cannot be
                made. Then none is written.
        """
        path = predicted.image.source
        if not is_dicom_file(path):
            raise ValueError('its source is no DICOM file, whose patient and study an object would '
                             'name; leave --dicom out for it')
        source = read_source(path)  # type: ignore[arg-type]
        what = describe_found(predicted, found, thresholds, self.model)
        # All are made before one is written: an image has all of its objects, or none and a reason.
        contents = {kind: self._encode(kind, source, what, predicted, found) for kind in self.kinds}
        for kind, content in contents.items():
            with atomic_file(self.folder / f'{name}_{kind}.dcm') as part:
                part.write_bytes(content)
        return len(contents)

    def _encode(self, kind: str, source: Any, what: FoundImage, predicted: PredictedImage,
                found: Findings) -> bytes:
        """Return the file of an object of a kind.

        Raises:
            ValueError: It cannot be made.
        """
        if kind == 'gsps':
            check_has_grey_levels(source)
        content = io.BytesIO()
        try:
            self._make(kind, source, what, predicted, found).save_as(
                content, enforce_file_format=True)
        except Exception as error:  # highdicom and pydicom raise errors of many kinds
            # Their words may show a patient's data: elements alone are named.
            named = name_elements(error)
            raise ValueError(
                f'its {kind} object cannot be made ({type(error).__name__}'
                f'{", about " + " and ".join(named) if named else ""}); correct the elements of the '
                'file, or leave this kind out (--dicom)') from error
        return content.getvalue()

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
