"""What ``mmwindow predict`` writes: tables, predictions that can be evaluated, pictures."""
import contextlib
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmwindow.apis.prediction_folders import (
    IMAGE_COLUMNS,
    IMAGES,
    OutputNames,
    result_folders,
)
from mmwindow.apis.predictors import PredictedImage, UnreadImage
from mmwindow.apis.thresholds import Findings, Thresholds
from mmwindow.evaluation.files.prediction_archive import FINDINGS_FORMAT, PredictionWriter
from mmwindow.evaluation.files.predictions import Prediction
from mmwindow.images.sources import InputImage
from mmwindow.utils.files import atomic_file, write_json
from mmwindow.visualization.overlay import OUTLINE, as_rgb, overlay_heatmap

FINDINGS, FAILED = 'findings.csv', 'failed.csv'
PREDICTIONS, PREDICTIONS_JSON = 'predictions.npz', 'predictions.json'
FINDING_COLUMNS = ('file', 'class', 'score', 'x1', 'y1', 'x2', 'y2', 'peak_x', 'peak_y',
                   'finding_threshold')
FAILED_COLUMNS = ('file', 'reason')
OVERLAY_SIDE = 1536  # pixels, the longer edge of a picture
OVERLAY_QUALITY = 90


class Table:
    """A CSV that is written row by row and appears when it is complete.

    Args:
        path: The file.
        columns: Names of its cells.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns, self._stack = path, columns, contextlib.ExitStack()

    def __enter__(self) -> 'Table':
        part = self._stack.enter_context(atomic_file(self.path))
        stream = self._stack.enter_context(open(part, 'w', encoding='utf-8', newline=''))
        self._writer = csv.writer(stream)
        self._writer.writerow(self.columns)
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self._stack.__exit__(kind, error, traceback)

    def add(self, *cells: Any) -> None:
        """Write a row."""
        self._writer.writerow([_cell(cell) for cell in cells])


def _cell(value: Any) -> Any:
    """Return a cell: numbers with six digits, no text that a spreadsheet would compute."""
    if isinstance(value, float | np.floating):
        return f'{value:.6g}'
    if isinstance(value, str) and value[:1] in ('=', '+', '-', '@'):
        return f"'{value}"
    return value


class PredictionOutputs:
    """Write what is predicted, image by image; files appear when all is done.

    Args:
        out: Folder, is there.
        thresholds: What is called.
        settings: Plain data to keep: the model, the command.
        with_maps: Keep the maps, by which predictions can be evaluated.
        with_overlays: Paint pictures.
    """

    def __init__(self, out: Path, thresholds: Thresholds, settings: Mapping[str, Any],
                 with_maps: bool = True, with_overlays: bool = True) -> None:
        self.out, self.thresholds = out, thresholds
        self.settings = {**settings, 'thresholds': thresholds.to_json()}
        self.with_maps, self.with_overlays = with_maps, with_overlays
        self.names = OutputNames()
        self.num_findings = self.num_called = 0
        self._plain: list[dict[str, Any]] = []  # of images, where maps are left out
        self._writer: PredictionWriter | None = None
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> 'PredictionOutputs':
        enter = self._stack.enter_context
        self.images = enter(Table(self.out / IMAGES, IMAGE_COLUMNS))
        self.findings = enter(Table(self.out / FINDINGS, FINDING_COLUMNS))
        self.failed = enter(Table(self.out / FAILED, FAILED_COLUMNS))
        self.overlays, self.dicom = map(enter, result_folders(self.out, PREDICTIONS_JSON))
        if self.with_maps:
            self._writer = enter(PredictionWriter(self.out / PREDICTIONS, self.thresholds.classes,
                                                  self.settings))
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self._stack.__exit__(kind, error, traceback)
        if kind is None and self._writer is None:
            (self.out / PREDICTIONS).unlink(missing_ok=True)  # of a prediction before
            write_json(self.out / PREDICTIONS_JSON, dict(
                format=FINDINGS_FORMAT, version=1, classes=list(self.thresholds.classes),
                settings=self.settings, images=self._plain))

    def add(self, predicted: PredictedImage, found: Findings) -> str:
        """Write one image; return the name, without a suffix, of files that belong to it."""
        file_name, prediction = predicted.image.file_name, predicted.prediction
        name = self.names.free(file_name)
        self._add_rows(predicted.image, predicted, found)
        findings = [{'class': prediction.classes[label], 'score': float(score),
                     'box': [float(value) for value in box], 'peak': [float(x) for x in peak]}
                    for box, peak, score, label in zip(*found, strict=True)]
        height, width = prediction.image_size
        if self._writer is None:
            self._plain.append(dict(
                file_name=file_name, height=height, width=width,
                image_scores=[float(score) for score in prediction.image_scores],
                findings=findings))
        else:
            # The score of an image with boxes is that of its best one, which the metric looks for.
            arrays: dict[str, Any] = dict(
                maps=prediction.heatmap, image_scores=prediction.image_scores) if (
                    prediction.heatmap is not None) else dict(
                    boxes=prediction.boxes, scores=prediction.scores, labels=prediction.labels)
            self._writer.add(Prediction(Path(file_name).stem, height=height, width=width, **arrays),
                             file_name, findings=findings)
        if self.with_overlays:
            write_overlay(self.overlays.part / f'{name}.jpg', predicted, found)
        return name

    def _add_rows(self, image: InputImage, predicted: PredictedImage, found: Findings) -> None:
        prediction, limits, is_any_called = predicted.prediction, self.thresholds, False
        for label, class_name in enumerate(prediction.classes):
            score, num = prediction.image_scores[label], int((found.labels == label).sum())
            is_called = bool(score >= limits.images[label])
            self.images.add(image.name, *prediction.image_size, class_name, float(score),
                            int(is_called), num, limits.images[label], limits.findings[label],
                            prediction.orientation)
            is_any_called |= is_called
        self.num_called += is_any_called
        for box, peak, score, label in zip(*found, strict=True):
            self.findings.add(image.name, prediction.classes[label], float(score), *map(float, box),
                              *map(float, peak), limits.findings[label])
        self.num_findings += len(found.scores)

    def fail(self, image: UnreadImage) -> None:
        """Note an image that was not predicted."""
        self.failed.add(image.image.name, image.reason)


def paint_prediction(predicted: PredictedImage, found: Findings, side: int = OVERLAY_SIDE
                     ) -> np.ndarray:
    """Return an image with its map, findings and their scores, ``(h, w, 3)`` RGB uint8.

    Args:
        predicted: The image.
        found: What is called.
        side: A longer image is scaled down to it.
    """
    pixels = predicted.pixels.to_bgr()[..., ::-1]
    height, width = pixels.shape[:2]
    factor = min(1., side / max(height, width))
    if factor < 1:
        pixels = cv2.resize(pixels, (max(1, round(width * factor)), max(1, round(height * factor))),
                            interpolation=cv2.INTER_AREA)
    heatmap = predicted.prediction.heatmap
    painted = overlay_heatmap(as_rgb(pixels), None if heatmap is None else heatmap.max(axis=0),
                              boxes=found.boxes * factor)
    size = max(painted.shape[:2]) / 1200
    for box, score, label in zip(found.boxes * factor, found.scores, found.labels, strict=True):
        text = f'{score:.3f}'
        if len(predicted.prediction.classes) > 1:
            text = f'{predicted.prediction.classes[label]} {text}'
        write_label(painted, text, (float(box[0]), float(box[1])), size)
    return painted


def write_label(image: np.ndarray, text: str, place: tuple[float, float], size: float) -> None:
    """Paint a text above a place, or below where there is no room, with a dark outline.

    Args:
        image: ``(H, W, 3)``, is changed.
        text: ASCII; other characters become '?'.
        place: Its left end and its base line, pixels.
        size: Height of letters in 20 pixels.
    """
    text = text.encode('ascii', 'replace').decode()
    (wide, high), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    x = int(min(max(place[0], 0), max(image.shape[1] - wide, 0)))
    y = int(place[1] - high / 2)
    y = y if y >= high else int(place[1] + 1.5 * high)
    thickness = max(1, round(2 * size))
    for width, colour in ((thickness + 2, OUTLINE), (thickness, (255, 255, 255))):
        cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, width, cv2.LINE_AA)


def write_overlay(path: Path, predicted: PredictedImage, found: Findings) -> None:
    """Write the picture of a prediction as JPEG.

    Raises:
        ValueError: It cannot be written.
    """
    painted = paint_prediction(predicted, found)
    is_encoded, content = cv2.imencode('.jpg', painted[..., ::-1],
                                       [cv2.IMWRITE_JPEG_QUALITY, OVERLAY_QUALITY])
    if not is_encoded:
        raise ValueError(f'{path}: the picture cannot be encoded')
    with atomic_file(path) as part:
        part.write_bytes(content.tobytes())
