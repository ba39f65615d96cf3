"""What one image was predicted to hold, and what it holds: plain arrays, checked.

Everything is in pixels of the image as it lies on disk; the step to the frame of side 1024 is
made in one place, :func:`~mmwindow.evaluation.scoring.reduce_image`.
"""
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmwindow.annotations.groups import group_name
from mmwindow.evaluation.events.targets import Floats
from mmwindow.utils.frame import FRAME_SIDE
from mmwindow.utils.messages import count_words, quote, shorten

Labels = NDArray[np.integer]
BEYOND = 0.01  # image pixels: what scaling a box to its image may round to


@dataclass(frozen=True)
class Target:
    """The ground truth of one image; a negative image has no points.

    Attributes:
        image_id: Names the image.
        height: Of the image in its pixels.
        width: Likewise.
        points: ``(N, 2)``, x and y in pixels of this image.
        labels: ``(N,)``, the class of each point; None for all 0.
        boxes: ``(N, 4)``, x1, y1, x2, y2 in pixels of this image, one around each point, for the
            hit rules that ask for them; None where there are none.
        group: Names the patient; None or '' where there is none: the image is its own unit.
        fields: Anything else to report by; ``file_name`` where there is a file.
    """

    image_id: Any
    height: float
    width: float
    points: ArrayLike = ()
    labels: ArrayLike | None = None
    boxes: ArrayLike | None = None
    group: Any = ''
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How messages name the image."""
        file_name = self.fields.get('file_name')
        return f'image {quote(self.image_id)}' + (f' ({shorten(file_name)})' if file_name else '')

    @property
    def scale(self) -> float:
        """Frame pixels (side 1024) along one pixel of the image."""
        return FRAME_SIDE / max(self.height, self.width)


@dataclass(frozen=True)
class Prediction:
    """What a detector says of one image: maps, or boxes or points with scores.

    Attributes:
        image_id: That of the target.
        maps: ``(n, m)`` for one class or ``(C, n, m)``, float32 or float64 scores.
        boxes: ``(N, 4)``, x1, y1, x2, y2 in pixels of the image, after non-maximum suppression;
            where there are no maps.
        scores: ``(N,)``, of the boxes or points.
        labels: ``(N,)``, the class of each box or point; None for all 0.
        image_scores: ``(C,)``; None for the maximum of the map or the best finding.
        height: Of the image that was predicted, compared with the target's where given.
        width: Likewise.
        classes: The names that the labels and the maps count; None for those of the evaluation.
        points: ``(N, 2)``, x and y in pixels of the image; where there are neither maps nor boxes.
            Only the hit rules that read a finding's centre alone judge them.
        num_repeated: How many findings the reader of the file left out since they are there twice.
    """

    image_id: Any
    maps: ArrayLike | None = None
    boxes: ArrayLike | None = None
    scores: ArrayLike | None = None
    labels: ArrayLike | None = None
    image_scores: ArrayLike | None = None
    height: float | None = None
    width: float | None = None
    classes: Sequence[str] | None = None
    points: ArrayLike | None = None
    num_repeated: int = 0


class CheckedFindings(NamedTuple):
    """Boxes clipped to their image, or points inside it.

    Attributes:
        boxes: ``(N, 4)``, image pixels; of a point x, y, x, y.
        scores: ``(N,)``.
        labels: ``(N,)``.
        num_left_out: How many lay outside the image or, of boxes, had no area.
        num_clipped: How many of the boxes that stay reached beyond the image.
    """

    boxes: Floats
    scores: NDArray[Any]
    labels: Labels
    num_left_out: int
    num_clipped: int


def check_target(target: Target, num_classes: int) -> Target:
    """Return a target with its arrays made complete, points inside their image.

    Raises:
        ValueError: A size, point, box or label that makes no sense; the message names the image.
    """
    if not (np.isfinite([target.height, target.width]).all() and target.height > 0
            and target.width > 0):
        raise ValueError(f'{target.name} has height {target.height} and width {target.width}; '
                         'both must be positive numbers of pixels')
    points = _as_rows(target.points, 2, f'{target.name}: points')
    if not np.isfinite(points).all():
        raise ValueError(f'{target.name} has a point at {points[~np.isfinite(points).all(1)][0]}; '
                         'coordinates must be finite')
    outside = ((points < 0) | (points > [target.width, target.height])).any(axis=1)
    if outside.any():
        raise ValueError(
            f'{target.name} has a point at {tuple(points[outside][0].tolist())}, outside its '
            f'{target.width} x {target.height} (width x height); points are x, y in pixels of '
            'this very image: are they of another scale, exchanged, or of another image?')
    boxes = target.boxes
    if boxes is not None:
        boxes = _as_rows(boxes, 4, f'{target.name}: target boxes')
        if (len(boxes) != len(points) or not np.isfinite(boxes).all()
                or not (boxes[:, 2:] > boxes[:, :2]).all()):
            raise ValueError(f'{target.name} has {count_words(len(points), "point")} and the boxes '
                             f'{boxes.tolist()}; one of finite, positive size around each is '
                             'expected')
    return replace(target, points=points, boxes=boxes, group=_group_of(target),
                   labels=_check_labels(target.labels, len(points), num_classes, target.name),
                   fields=dict(target.fields))


def _group_of(target: Target) -> str:
    """Return the patient's name, '' where there is none: such an image is its own unit."""
    try:
        return group_name(target.group) or ''
    except ValueError as error:
        raise ValueError(f'{target.name}: its {error}') from error


def order_classes(prediction: Prediction, classes: Sequence[str]) -> Prediction:
    """Return a prediction whose labels, maps and image scores count the given classes.

    Args:
        prediction: Names its classes, or none.
        classes: Of the evaluation.

    Raises:
        ValueError: The two name different classes.
    """
    if prediction.classes is None or tuple(prediction.classes) == tuple(classes):
        return prediction
    own = list(prediction.classes)
    if sorted(own) != sorted(classes):
        raise ValueError(f'the predictions are of the classes {own}, the annotations of '
                         f'{list(classes)}; both must name the same ones')
    order = [own.index(name) for name in classes]
    maps = None if prediction.maps is None else np.asarray(prediction.maps)
    scores, labels = prediction.image_scores, prediction.labels
    if labels is not None:
        labels = np.argsort(order)[_check_labels(labels, np.size(labels), len(own), 'boxes')]
    return replace(
        prediction, classes=tuple(classes), labels=labels,
        maps=maps if maps is None or maps.ndim < 3 or len(maps) != len(own) else maps[order],
        image_scores=scores if scores is None or np.size(scores) != len(own) else (
            np.asarray(scores).reshape(-1)[order]))


def check_maps(maps: ArrayLike, target: Target, num_classes: int,
               map_extent: str = 'frame') -> NDArray[Any]:
    """Return maps as ``(C, n, m)``.

    Raises:
        ValueError: Wrong shape or number of classes, or a value that is not finite.
    """
    maps = np.asarray(maps)
    if maps.ndim == 2:
        maps = maps[None]
    if maps.ndim != 3 or len(maps) != num_classes or maps.size == 0:
        raise ValueError(f'the map has shape {maps.shape}; ({num_classes}, n, m) is expected, a '
                         'map for each class')
    if maps.dtype.kind not in 'fiub':
        raise ValueError(f'map scores are of type {maps.dtype}; numbers are expected')
    if not np.isfinite(maps).all():
        raise ValueError(f'{int((~np.isfinite(maps)).sum())} of {maps.size} cells of the map are '
                         'NaN or infinite; every score must be finite')
    if map_extent == 'image':
        height, width = maps.shape[1:]
        cell = max(target.height, target.width) / max(height, width)
        expected = target.height / cell, target.width / cell
        if abs(height - expected[0]) >= 1 or abs(width - expected[1]) >= 1:
            raise ValueError(
                f'the map has {height} x {width} cells (height x width), the image {target.height} '
                f'x {target.width} pixels, so about {expected[0]:.0f} x {expected[1]:.0f} cells '
                "are expected of a map over the image; is it over the frame (--map-extent frame), "
                'or of another image?')
    return maps


def check_boxes(prediction: Prediction, target: Target, num_classes: int) -> CheckedFindings:
    """Return boxes clipped to the image, their scores and labels, and what was counted.

    Boxes that lie outside the image or have no area are left out and counted; those that reach
    beyond it are clipped and counted.

    Raises:
        ValueError: Lengths differ, a number is not finite, or corners are exchanged.
    """
    boxes = _as_rows(prediction.boxes, 4, 'boxes')
    scores, labels = _check_scored(prediction, boxes, 'box', num_classes)
    if (boxes[:, 2:] < boxes[:, :2]).any():
        exchanged = boxes[(boxes[:, 2:] < boxes[:, :2]).any(axis=1)][0]
        raise ValueError(f'the box {exchanged.tolist()} has corners exchanged; x1, y1, x2, y2 with '
                         'x1 < x2 and y1 < y2 are expected')
    clipped = boxes.clip(0, [target.width, target.height] * 2)
    seen = (clipped[:, 2:] > clipped[:, :2]).all(axis=1)
    beyond = (np.abs(boxes - clipped) > BEYOND).any(axis=1)
    return CheckedFindings(clipped[seen], scores[seen], labels[seen], int((~seen).sum()),
                           int((beyond & seen).sum()))


def check_finding_points(prediction: Prediction, target: Target, num_classes: int
                         ) -> CheckedFindings:
    """Return points of confidence as boxes without size, their scores and labels.

    Points outside the image are left out and counted.

    Raises:
        ValueError: Lengths differ, or a number is not finite.
    """
    points = _as_rows(prediction.points, 2, 'points of findings')
    scores, labels = _check_scored(prediction, points, 'point', num_classes)
    seen = ((points >= 0) & (points <= [target.width, target.height])).all(axis=1)
    return CheckedFindings(np.tile(points[seen], 2), scores[seen], labels[seen],
                           int((~seen).sum()), 0)


def _check_scored(prediction: Prediction, places: Floats, what: str, num_classes: int
                  ) -> tuple[NDArray[Any], Labels]:
    """Return the scores and labels of findings at places ``(N, 2)`` or ``(N, 4)``."""
    scores = np.asarray(() if prediction.scores is None else prediction.scores).reshape(-1)
    if len(scores) and scores.dtype.kind not in 'fiub':
        raise ValueError(f'{what} scores are of type {scores.dtype}; numbers are expected')
    if len(scores) != len(places):
        number = count_words(len(places), what, 'boxes' if what == 'box' else '')
        raise ValueError(f'{number} but {count_words(len(scores), "score")}; each has one')
    if len(places) and not (np.isfinite(places).all() and np.isfinite(scores).all()):
        wrong = np.nonzero(~(np.isfinite(places).all(axis=1) & np.isfinite(scores)))[0][0]
        raise ValueError(f'{what} {wrong} is {places[wrong].tolist()} with the score '
                         f'{scores[wrong]}; every number must be finite')
    return scores, _check_labels(prediction.labels, len(places), num_classes,
                                 'boxes' if what == 'box' else 'points')


def _as_rows(values: ArrayLike | None, width: int, what: str) -> Floats:
    values = np.asarray(() if values is None else values)
    if values.size == 0:
        return np.zeros((0, width))
    if values.dtype.kind not in 'fiub':
        raise ValueError(f'{what} are of type {values.dtype}; numbers are expected')
    values = values.astype(np.float64)
    if values.ndim != 2 or values.shape[1] != width:
        raise ValueError(f'{what} have shape {values.shape}; (N, {width}) is expected')
    return values


def _check_labels(labels: ArrayLike | None, num: int, num_classes: int, what: str) -> Labels:
    """Return labels ``(num,)`` as integers; all 0 where there are none."""
    if labels is None:
        labels = np.zeros(num, dtype=int)
    labels = np.asarray(labels).reshape(-1)
    if labels.size == 0:
        labels = labels.astype(int)
    if len(labels) != num or labels.dtype.kind not in 'iu' or (
            num and not 0 <= labels.min() <= labels.max() < num_classes):
        raise ValueError(f'{what}: labels are {shorten(labels.tolist())}; {num} integers from 0 to '
                         f'{num_classes - 1} are expected')
    return labels
