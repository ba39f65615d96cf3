"""The thresholds of a prediction: the model's operating points, a number of the user's, or 0.5."""
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.events.grid import grid_edges
from mmwindow.structures.components import component_boxes
from mmwindow.structures.image_prediction import ImagePrediction
from mmwindow.utils.messages import count_words, shorten
from mmwindow.utils.operating_points import ModelOperatingPoints

DEFAULT_THRESHOLD = 0.5
MAX_FINDINGS = 100  # of an image; the best are kept


class Findings(NamedTuple):
    """What is called in one image, highest score first.

    Attributes:
        boxes: ``(N, 4)``, x1, y1, x2, y2 in pixels of the image, inside it.
        peaks: ``(N, 2)``, x and y in pixels of the image, where the map is highest; the middle of
            the box for detectors of boxes.
        scores: ``(N,)``.
        labels: ``(N,)``, index of the class.
    """

    boxes: NDArray[np.float64]
    peaks: NDArray[np.float64]
    scores: NDArray[np.floating]
    labels: NDArray[np.integer]

    def take(self, index: Any) -> 'Findings':
        """Return some of the findings."""
        return Findings(*(values[index] for values in self))


@dataclass(frozen=True)
class Thresholds:
    """From which score on images and findings are called.

    Attributes:
        classes: Names, in the order of the labels.
        images: Of image scores, one a class.
        findings: Of findings, one a class.
        origins: Where each class's thresholds come from, in words.
        is_stored: Whether all are the model's own operating points.
    """

    classes: tuple[str, ...]
    images: tuple[float, ...]
    findings: tuple[float, ...]
    origins: tuple[str, ...]
    is_stored: bool = False

    def describe(self) -> list[str]:
        """Return a line for each class; one alone where all classes are equal."""
        lines = []
        for image, finding, origin in zip(self.images, self.findings, self.origins, strict=True):
            numbers = f'{image:.4g}' if image == finding else (
                f'{image:.4g} of image scores, {finding:.4g} of findings')
            lines.append(f'{numbers} ({origin})')
        if len(set(lines)) == 1:
            return lines[:1]
        return [f'{shorten(name, 60)}: {line}'
                for name, line in zip(self.classes, lines, strict=True)]

    def to_json(self) -> list[dict[str, Any]]:
        """Return the thresholds as JSON data, an entry a class."""
        return [{'class': name, 'images': float(image), 'findings': float(finding), 'origin': origin}
                for name, image, finding, origin in zip(
                    self.classes, self.images, self.findings, self.origins, strict=True)]


def check_threshold(threshold: float) -> float:
    """Return a threshold that is a score from 0 to 1.

    Raises:
        ValueError: It is none.
    """
    if isinstance(threshold, bool) or not isinstance(threshold, int | float | np.floating) or not (
            0 <= threshold <= 1):
        raise ValueError(f'the threshold is {shorten(threshold)}; a score from 0 to 1 is expected')
    return float(threshold)


def choose_thresholds(classes: Sequence[str], points: ModelOperatingPoints | None = None,
                      threshold: float | None = None) -> Thresholds:
    """Return the thresholds of a prediction.

    Args:
        classes: Names, in the order of the labels.
        points: The model's own, where it has any.
        threshold: The user's, for all classes and both levels; None for the model's own, and
            :data:`DEFAULT_THRESHOLD` where a class has none.

    Raises:
        ValueError: The user's is no score from 0 to 1.

    >>> choose_thresholds(['fracture']).describe()
    ['0.5 (the model has no operating point)']
    """
    names = tuple(classes)
    if threshold is not None:
        value = check_threshold(threshold)
        return Thresholds(names, (value,) * len(names), (value,) * len(names),
                          ('as asked for',) * len(names))
    images, findings, origins, is_stored = [], [], [], True
    for name in names:
        image, finding, origin, stored = _class_thresholds(name, points)
        images.append(image)
        findings.append(finding)
        origins.append(origin)
        is_stored &= stored
    return Thresholds(names, tuple(images), tuple(findings), tuple(origins), is_stored)


def _class_thresholds(name: str, points: ModelOperatingPoints | None
                      ) -> tuple[float, float, str, bool]:
    """Return thresholds of images and findings, where they come from, whether they are stored."""
    chosen = {level: None if points is None else points.point(name, level)
              for level in ('images', 'findings')}
    values = {level: DEFAULT_THRESHOLD if point is None else point.threshold
              for level, point in chosen.items()}
    if points is None or not any(chosen.values()):
        reasons = {} if points is None or name not in points.classes else points.classes[name].reasons
        why = next(iter(reasons.values()), '')
        return values['images'], values['findings'], (
            'the model has no operating point' + (f': {why}' if why else '')), False
    texts = list(dict.fromkeys(
        f'{point.describe()}, chosen on {count_words(point.num_images, "image")} '
        f'({points.split})' if point else
        f'no operating point of {level}' for level, point in chosen.items()))
    return values['images'], values['findings'], '; '.join(texts), all(chosen.values())


def find_findings(prediction: ImagePrediction, thresholds: Thresholds) -> Findings:
    """Return what is called in an image.

    A map's findings are the components of its cells at the threshold, where the metric sees them:
    a cell is as large a part of the image as of the frame. Boxes are those that score enough.

    Args:
        prediction: With its map, where the model makes maps.
        thresholds: Of the prediction's classes.

    Raises:
        ValueError: They are of other classes.
    """
    if thresholds.classes != prediction.classes:
        raise ValueError(f'thresholds of the classes {shorten(thresholds.classes)} came, the '
                         f'prediction has {shorten(prediction.classes)}')
    if prediction.heatmap is None:
        limits = np.array(thresholds.findings)[prediction.labels] if len(prediction.labels) else (
            np.zeros(0))
        boxes = np.asarray(prediction.boxes, np.float64).reshape(-1, 4)
        found = Findings(boxes, np.asarray(prediction.peaks, np.float64).reshape(-1, 2),
                         prediction.scores, prediction.labels).take(prediction.scores >= limits)
    else:
        parts = [_map_findings(scores, label, limit, prediction.image_size) for label, (scores, limit)
                 in enumerate(zip(prediction.heatmap, thresholds.findings, strict=True))]
        found = Findings(*(np.concatenate(values) for values in zip(*parts, strict=True)))
    height, width = prediction.image_size
    found = found._replace(boxes=found.boxes.clip(0, [width, height] * 2),
                           peaks=found.peaks.clip(0, [width, height]))
    # What lies in the padding alone is clipped to nothing.
    found = found.take((found.boxes[:, 2:] > found.boxes[:, :2]).all(axis=1))
    return found.take(np.argsort(-found.scores, kind='stable')[:MAX_FINDINGS])


def _map_findings(scores: np.ndarray, label: int, threshold: float, image_size: tuple[int, int]
                  ) -> Findings:
    """Return the components of one class's map, in pixels of the image, not clipped."""
    components = component_boxes(scores, threshold)
    longer = max(image_size)
    along = min(cells * longer / side for cells, side in zip(scores.shape, image_size, strict=True))
    edges = grid_edges(max(scores.shape), along, longer)
    return Findings(edges[components.boxes.astype(int)], components.peaks * (longer / along),
                    components.scores, np.full(len(components.scores), label))


def without_map(prediction: ImagePrediction) -> ImagePrediction:
    """Return a prediction without its map, to be kept."""
    return replace(prediction, heatmap=None)
