"""What one image contributes to the FROC: levels at which anything changes.

Findings are the 8-connected components of ``{map >= t}``. As t falls they appear, grow
and merge, and each has a box. An image is reduced to the levels at which its number of
false positives changes and the level at which each point is first recalled: the curve
over all images follows from these exactly, and they are a few numbers where a map is
thousands (docs/method.md, section 6).
"""
from dataclasses import dataclass, field

import numpy as np

from .targets import FRAME_SIDE, DiskMask, check_points

try:
    from .sweep_numba import sweep_components
    HAS_NUMBA = True
except ImportError:
    from .sweep_plain import sweep_components
    HAS_NUMBA = False


@dataclass(frozen=True)
class ImageEvents:
    """All that the FROC and the ROC need of one image and class.

    Attributes:
        score (float): Image score.
        recall_levels (ndarray): ``(P,)``, for each point in the frame the highest
            threshold at which it is recalled; -inf where it never is.
        fp_levels (ndarray): ``(K,)``, thresholds at which the number of false positives
            changes, descending.
        fp_changes (ndarray): ``(K,)`` integers, by how much; their sum over the levels
            ``>= t`` is the number of false positives at t.
        is_positive (bool): Whether the image carries a point (in the frame or not).
        image_id: Names the image.
        group (str): Names the patient.
        fields (dict): Anything else to report by.
    """
    score: float
    recall_levels: np.ndarray
    fp_levels: np.ndarray
    fp_changes: np.ndarray
    is_positive: bool
    image_id: object = None
    group: str = ''
    fields: dict = field(default_factory=dict)

    def num_false_positives(self, threshold):
        """Return the number of false positives at a threshold."""
        return int(self.fp_changes[self.fp_levels >= threshold].sum())


def check_scores(scores, what):
    """Return scores as float32 or float64, refused where they are neither or not finite."""
    scores = np.asarray(scores)
    if scores.dtype not in (np.float32, np.float64):
        if scores.dtype.kind in 'iub' or scores.dtype == np.float16:
            raise ValueError(f'{what} are {scores.dtype}; float32 or float64 is expected. A float16 '
                             'sigmoid is 1.0 from logit 8.3 on: compute it in float32')
        scores = scores.astype(np.float64)
    if not np.isfinite(scores).all():
        raise ValueError(f'{what} hold {scores[~np.isfinite(scores)].flat[0]}; every score must be '
                         'finite')
    return scores


def map_events(scores, points, hit_radius=50., max_overlap=0.1, frame_side=FRAME_SIDE,
               image_score=None, sweep=None, **identity):
    """Reduce the score map of one image and class to its events, exactly.

    A point is recalled when it lies in a finding's box, edges included; a finding is a
    false positive when less than ``max_overlap`` of its box lies in the disks around the
    points.

    Args:
        scores (ndarray): ``(h, w)`` float32 or float64, over the whole square frame;
            a cell is ``frame_side / w`` wide and ``frame_side / h`` high.
        points (ndarray): ``(N, 2)``, x and y in frame pixels; those outside the frame are
            no targets.
        hit_radius (float): Radius of the disks in frame pixels.
        max_overlap (float): Below this fraction a box is a false positive.
        frame_side (int): Side of the frame in pixels.
        image_score (float, optional): The map's maximum if None.
        sweep (callable, optional): Another implementation, for tests.
        **identity: ``image_id``, ``group`` and ``fields`` of the result.

    Returns:
        ImageEvents

    Raises:
        ValueError: Wrong shape or type, or a value that is not finite.
    """
    scores = check_scores(scores, 'map scores')
    if scores.ndim != 2 or scores.size == 0:
        raise ValueError(f'the map has shape {scores.shape}; (height, width) of at least one cell '
                         'is expected, one class at a time')
    targets = check_points(points, frame_side)
    height, width = scores.shape
    x_edges = np.arange(width + 1) * (frame_side / width)
    y_edges = np.arange(height + 1) * (frame_side / height)
    table = DiskMask(targets, hit_radius, frame_side).corner_areas(x_edges, y_edges)
    levels, changes, recall_levels = (sweep or sweep_components)(
        scores, x_edges, y_edges, table, targets, max_overlap)
    return ImageEvents(
        score=float(scores.max() if image_score is None else check_score(image_score)),
        recall_levels=recall_levels, fp_levels=levels, fp_changes=changes,
        is_positive=np.size(points) > 0, **identity)


def box_events(boxes, scores, points, hit_radius=50., max_overlap=0.1, frame_side=FRAME_SIDE,
               image_score=None, **identity):
    """Reduce the scored boxes of one image and class to its events, by the same two rules.

    Args:
        boxes (ndarray): ``(N, 4)``, x1, y1, x2, y2 in frame pixels, after non-maximum
            suppression, clipped to the image.
        scores (ndarray): ``(N,)``.
        points (ndarray): ``(P, 2)``, frame pixels.
        hit_radius, max_overlap, frame_side: As in :func:`map_events`.
        image_score (float, optional): The best box's score if None; without boxes -inf,
            below every box (an image without a prediction still counts).
        **identity: ``image_id``, ``group`` and ``fields`` of the result.

    Returns:
        ImageEvents

    Raises:
        ValueError: Shapes disagree, a value is not finite, or a box has no area.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    scores = check_scores(np.asarray(scores).reshape(-1) if np.size(scores) else np.zeros(0),
                          'box scores')
    if len(boxes) != len(scores):
        raise ValueError(f'there are {len(boxes)} boxes but {len(scores)} scores')
    if not np.isfinite(boxes).all():
        raise ValueError('a box has a coordinate that is not finite')
    box_areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    if len(boxes) and not ((boxes[:, 2:] > boxes[:, :2]).all()):
        wrong = boxes[(boxes[:, 2:] <= boxes[:, :2]).any(axis=1)][0]
        raise ValueError(f'the box {wrong} has no area; x1 < x2 and y1 < y2 are expected, and boxes '
                         'outside the image are to be left out')
    targets = check_points(points, frame_side)
    is_fp = DiskMask(targets, hit_radius, frame_side).areas(boxes) < max_overlap * box_areas
    levels, index = np.unique(-scores[is_fp], return_inverse=True)
    recall_levels = np.full(len(targets), -np.inf)
    for number, (x, y) in enumerate(targets):
        holds = ((boxes[:, 0] <= x) & (x <= boxes[:, 2]) & (boxes[:, 1] <= y) & (y <= boxes[:, 3]))
        if holds.any():
            recall_levels[number] = scores[holds].max()
    best = float(scores.max()) if len(scores) else -np.inf
    return ImageEvents(
        score=best if image_score is None else check_score(image_score),
        recall_levels=recall_levels, fp_levels=-levels,
        fp_changes=np.bincount(index, minlength=len(levels)).astype(np.int64),
        is_positive=np.size(points) > 0, **identity)


def check_score(score):
    """Return an image score as a float, refused where it is not finite."""
    score = float(score)
    if not np.isfinite(score):
        raise ValueError(f'the image score is {score}; it must be finite')
    return score
