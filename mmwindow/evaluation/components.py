"""What one image contributes to the FROC: levels at which anything changes.

Findings are the 8-connected components of ``{map >= t}``. As t falls they appear, grow
and merge, and each has a box. An image is reduced to the levels at which its number of
false positives changes and the level at which each point is first recalled: the curve
over all images follows from these exactly, and they are a few numbers where a map is
thousands (docs/method.md, section 6).
"""
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module

import numpy as np

from .targets import FRAME_SIDE, DiskMask, check_points

METHODS = ('auto', 'numba', 'plain')


@lru_cache
def find_sweep(method='auto'):
    """Return the function that sweeps a map; numba is imported only when it is asked for.

    Args:
        method (str): 'numba' (compiled at the first call, kept on disk), 'plain' (numpy
            and scipy; the same events, two to four times slower), or 'auto': numba
            where it is installed.

    Raises:
        ValueError: The method is unknown, or numba was asked for and is not there.
    """
    if method not in METHODS:
        raise ValueError(f'method is {method!r}; it must be one of {METHODS}')
    if method != 'plain':
        try:
            return import_module('.sweep_numba', __package__).sweep_components
        except ImportError as error:  # also raised where numba refuses the numpy installed
            if method == 'numba':
                raise ValueError(f'numba cannot be imported ({error}); install it (pip install '
                                 "numba), or use method='plain'") from error
    return import_module('.sweep_plain', __package__).sweep_components


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
    """Return scores as float32 or float64; float16 and what is not finite are refused."""
    scores = np.asarray(scores)
    if scores.dtype == np.float16:
        raise ValueError(f'{what} are float16; float32 or float64 is expected. A float16 sigmoid is '
                         '1.0 from logit 8.3 on, and such ties are lost for good: compute it in '
                         'float32')
    if scores.dtype.kind not in 'fiub':
        raise ValueError(f'{what} are of type {scores.dtype}; numbers are expected')
    if scores.dtype != np.float32:
        scores = scores.astype(np.float64)
    if not np.isfinite(scores).all():
        raise ValueError(f'{what} hold {scores[~np.isfinite(scores)].flat[0]}; every score must be '
                         'finite')
    return scores


def check_rules(hit_radius, max_overlap):
    """Refuse settings of the two rules that make no sense."""
    if not (0 < hit_radius < np.inf and 0 < max_overlap <= 1):
        raise ValueError(f'hit_radius is {hit_radius} and max_overlap {max_overlap}; a positive '
                         'radius in frame pixels and a fraction in (0, 1] are expected')


def map_events(scores, points, hit_radius=50., max_overlap=0.1, frame_side=FRAME_SIDE,
               image_score=None, method='auto', **identity):
    """Reduce the score map of one image and class to its events, exactly.

    A point is recalled when it lies in a finding's box, edges included; a finding is a
    false positive when less than ``max_overlap`` of its box lies in the disks around the
    points.

    Args:
        scores (ndarray): ``(n, n)`` float32 or float64, over the whole square frame,
            padding included; a cell is ``frame_side / n`` wide.
        points (ndarray): ``(N, 2)``, x and y in frame pixels; those outside the frame are
            no targets.
        hit_radius (float): Radius of the disks in frame pixels.
        max_overlap (float): Below this fraction a box is a false positive.
        frame_side (int): Side of the frame in pixels.
        image_score (float, optional): The map's maximum if None.
        method (str): As in :func:`find_sweep`.
        **identity: ``image_id``, ``group`` and ``fields`` of the result.

    Returns:
        ImageEvents

    Raises:
        ValueError: Wrong shape or type, a value that is not finite, or rules that make
            no sense.

    Assumption (docs/method.md section 6): the curve is exact, at every score of the map.
    """
    scores = check_scores(scores, 'map scores')
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1] or scores.size == 0:
        raise ValueError(f'the map has shape {scores.shape}; (n, n) of at least one cell is '
                         'expected, one class at a time, over the square frame: pad the image '
                         'to the right and below before the network')
    check_rules(hit_radius, max_overlap)
    targets = check_points(points, frame_side)
    edges = np.arange(len(scores) + 1) * (frame_side / len(scores))
    table = DiskMask(targets, hit_radius, frame_side).corner_areas(edges, edges)
    levels, changes, recall_levels = find_sweep(method)(
        scores, edges, edges, table, targets, max_overlap)
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
        ValueError: Shapes disagree, a value is not finite, a box has no area, or the
            rules make no sense.
    """
    check_rules(hit_radius, max_overlap)
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
        fp_changes=np.bincount(index, minlength=len(levels)).astype(np.int32),
        is_positive=np.size(points) > 0, **identity)


def check_score(score):
    """Return an image score as a float, refused where it is not finite."""
    score = float(score)
    if not np.isfinite(score):
        raise ValueError(f'the image score is {score}; it must be finite')
    return score
