"""What one image was predicted to hold, and what it holds: plain arrays, checked.

Everything is in pixels of the image as it lies on disk; the step to the frame of side 1024 is
made in one place, :func:`~mmwindow.evaluation.scoring.reduce_image`.
"""
from dataclasses import dataclass, field

import numpy as np

from mmwindow.annotations.groups import group_name
from mmwindow.evaluation.events.targets import FRAME_SIDE

MAP_EXTENTS = ('frame', 'image')


@dataclass(frozen=True)
class Target:
    """The ground truth of one image; a normal has no points.

    Attributes:
        image_id (int | str): Names the image.
        height (int): Of the image in its pixels.
        width (int): Likewise.
        points (ndarray): ``(N, 2)``, x and y in pixels of this image.
        labels (ndarray): ``(N,)``, the class of each point; None for all 0.
        boxes (ndarray): ``(N, 4)``, x1, y1, x2, y2 in pixels of this image, one around each
            point, for the hit rules that ask for them; None where there are none.
        group (str): Names the patient; '' where there is none.
        fields (dict): Anything else to report by; ``file_name`` where there is a file.
    """

    image_id: object
    height: int
    width: int
    points: np.ndarray = ()
    labels: np.ndarray | None = None
    boxes: np.ndarray | None = None
    group: str = ''
    fields: dict = field(default_factory=dict)

    @property
    def name(self):
        """How messages name the image."""
        file_name = self.fields.get('file_name')
        return f'image {self.image_id!r}' + (f' ({file_name})' if file_name else '')

    @property
    def scale(self):
        """Frame pixels (side 1024) along one pixel of the image."""
        return FRAME_SIDE / max(self.height, self.width)


@dataclass(frozen=True)
class Prediction:
    """What a detector says of one image: maps, or boxes with scores.

    Attributes:
        image_id (int | str): That of the target.
        maps (ndarray): ``(n, m)`` for one class or ``(C, n, m)``, float32 or float64 scores.
        boxes (ndarray): ``(N, 4)``, x1, y1, x2, y2 in pixels of the image, after non-maximum
            suppression; where there are no maps.
        scores (ndarray): ``(N,)``, of the boxes.
        labels (ndarray): ``(N,)``, the class of each box; None for all 0.
        image_scores (ndarray): ``(C,)``; None for the maximum of the map or the best box.
        height (int): Of the image that was predicted, compared with the target's where given.
        width (int): Likewise.
    """

    image_id: object
    maps: np.ndarray | None = None
    boxes: np.ndarray | None = None
    scores: np.ndarray | None = None
    labels: np.ndarray | None = None
    image_scores: np.ndarray | None = None
    height: int | None = None
    width: int | None = None


def check_target(target, num_classes):
    """Return a target with its arrays made whole, points inside their image.

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
            raise ValueError(f'{target.name} has {len(points)} points and the boxes '
                             f'{boxes.tolist()}; one of finite, positive size around each is '
                             'expected')
    return Target(target.image_id, target.height, target.width, points,
                  _check_labels(target.labels, len(points), num_classes, target.name), boxes,
                  _group_of(target), dict(target.fields))


def _group_of(target):
    """Return the patient's name, '' where there is none: such an image is its own unit."""
    try:
        return group_name(target.group) or ''
    except ValueError as error:
        raise ValueError(f'{target.name}: its {error}') from error


def pad_to_square(scores, target):
    """Return maps over an image, ``(C, h, w)``, as maps over its padded square, ``(C, n, n)``.

    Cells are added to the right or below with the map's lowest score: they enter last, so
    that no curve has a finding there before the whole film is one.

    Raises:
        ValueError: The shape of the map is not that of the image, to one cell.
    """
    height, width = scores.shape[1:]
    side = max(height, width)
    expected = [side * target.height / max(target.height, target.width),
                side * target.width / max(target.height, target.width)]
    if abs(height - expected[0]) >= 1 or abs(width - expected[1]) >= 1:
        raise ValueError(
            f'the map has {height} x {width} cells (height x width), the image {target.height} x '
            f'{target.width} pixels, so about {expected[0]:.0f} x {expected[1]:.0f} cells are '
            "expected of a map over the image; is it over the padded square (map_extent='frame'), "
            'or of another image?')
    padded = np.repeat(scores.min(axis=(1, 2), keepdims=True), side * side, axis=2)
    padded = padded.reshape(len(scores), side, side)
    padded[:, :height, :width] = scores
    return padded


def check_maps(maps, target, num_classes, map_extent):
    """Return maps as ``(C, n, n)`` over the padded square.

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
        return pad_to_square(maps, target)
    if maps.shape[1] != maps.shape[2]:
        raise ValueError(
            f'the map has {maps.shape[1]} x {maps.shape[2]} cells; one over the padded square has '
            "as many rows as columns. Is it over the image alone (map_extent='image')?")
    return maps


def check_boxes(prediction, target, num_classes):
    """Return boxes clipped to the image, their scores and labels, and how many were left out.

    Boxes that lie wholly outside the image or have no area are left out and counted.

    Returns:
        dict: ``boxes`` ``(N, 4)`` image pixels, ``scores``, ``labels``, ``num_left_out``.

    Raises:
        ValueError: Lengths differ, a number is not finite, or corners are exchanged.
    """
    boxes = _as_rows(prediction.boxes, 4, 'boxes')
    scores = np.asarray(() if prediction.scores is None else prediction.scores).reshape(-1)
    if len(scores) != len(boxes):
        raise ValueError(f'there are {len(boxes)} boxes but {len(scores)} scores')
    if len(boxes) and not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        wrong = np.nonzero(~(np.isfinite(boxes).all(axis=1) & np.isfinite(scores)))[0][0]
        raise ValueError(f'box {wrong} is {boxes[wrong].tolist()} with the score {scores[wrong]}; '
                         'every number must be finite')
    if (boxes[:, 2:] < boxes[:, :2]).any():
        wrong = boxes[(boxes[:, 2:] < boxes[:, :2]).any(axis=1)][0]
        raise ValueError(f'the box {wrong.tolist()} has corners exchanged; x1, y1, x2, y2 with '
                         'x1 < x2 and y1 < y2 are expected')
    labels = _check_labels(prediction.labels, len(boxes), num_classes, 'boxes')
    clipped = boxes.clip(0, [target.width, target.height] * 2)
    seen = (clipped[:, 2:] > clipped[:, :2]).all(axis=1)
    return dict(boxes=clipped[seen], scores=scores[seen], labels=labels[seen],
                num_left_out=int((~seen).sum()))


def _as_rows(values, width, what):
    values = np.asarray(() if values is None else values, dtype=np.float64)
    if values.size == 0:
        return np.zeros((0, width))
    if values.ndim != 2 or values.shape[1] != width:
        raise ValueError(f'{what} have shape {values.shape}; (N, {width}) is expected')
    return values


def _check_labels(labels, num, num_classes, what):
    """Return labels ``(num,)`` as integers; all 0 where there are none."""
    if labels is None:
        labels = np.zeros(num, dtype=int)
    labels = np.asarray(labels).reshape(-1)
    if labels.size == 0:
        labels = labels.astype(int)
    if len(labels) != num or labels.dtype.kind not in 'iu' or (
            num and not 0 <= labels.min() <= labels.max() < num_classes):
        raise ValueError(f'{what}: labels are {labels.tolist()[:10]}; {num} whole numbers from 0 to '
                         f'{num_classes - 1} are expected')
    return labels
