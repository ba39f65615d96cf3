"""What one image contributes to the FROC: levels at which anything changes.

Findings are the 8-connected components of ``{map >= t}``. As t falls they appear, grow
and merge, and each has a box. An image is reduced to the levels at which its number of
false positives changes and the level at which each point is first recalled: the curve
over all images follows from these exactly, and they are a few numbers where a map is
thousands (docs/method.md, section 6).
"""
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmwindow.evaluation.events.grid import Cells, make_grid, sort_cells
from mmwindow.evaluation.events.image_events import ImageEvents, pack_counts
from mmwindow.evaluation.events.states import NO_STATES, States, count_changes, judge_states
from mmwindow.evaluation.hit_rules import (
    Floats,
    HitRule,
    check_judges_points,
    judge_findings,
    make_hit_rule,
)
from mmwindow.utils.frame import FRAME_SIDE
from mmwindow.utils.messages import count_words

FRAME_SLACK = 1e-3  # of a pixel: what scaling to the frame may round to
METHODS = ('auto', 'numba', 'plain')
Sweep = Callable[[Cells, tuple[int, int]], States]


@lru_cache
def find_sweep(method: str = 'auto') -> Sweep:
    """Return the function that sweeps a map; numba is imported only when it is asked for.

    Args:
        method: 'numba' (compiled at the first call, kept on disk), 'plain' (numpy
            and scipy; the same events, two to four times slower), or 'auto': numba
            where it is installed.

    Raises:
        ValueError: The method is unknown, or numba was asked for and is not there.
    """
    if method not in METHODS:
        raise ValueError(f'method is {method!r}; it must be one of {METHODS}')
    if method != 'plain':
        try:
            sweep: Sweep = import_module('mmwindow.evaluation.events.sweep_numba').sweep_components
            return sweep
        except ImportError as error:  # also raised where numba rejects the numpy installed
            if method == 'numba':
                raise ValueError(f'numba cannot be imported ({error}); install it (pip install '
                                 "numba), or use method='plain'") from error
    sweep = import_module('mmwindow.evaluation.events.sweep_plain').sweep_components
    return sweep


def check_scores(scores: ArrayLike, what: str) -> NDArray[Any]:
    """Return scores as float32 or float64; float16 and what is not finite are rejected."""
    scores = np.asarray(scores)
    if scores.dtype.kind == 'f' and scores.dtype.itemsize < 4:  # of either byte order
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


def check_floor(floor: float | None) -> float | None:
    """Return a floor as a float or None; rejected where it is NaN or infinite."""
    if floor is None or floor == -np.inf:
        return None
    if not np.isfinite(floor):
        raise ValueError(f'the floor is {floor}; a finite threshold is expected, or None')
    return float(floor)


def map_events(scores: ArrayLike, targets: ArrayLike, hit_radius: float = 50.,
               max_overlap: float = 0.1, frame_side: int = FRAME_SIDE,
               image_score: float | None = None, method: str = 'auto',
               rule: str | HitRule = 'disk_overlap', min_iou: float = 0.5,
               floor: float | None = None,
               cells_along: tuple[float, float] | None = None,
               **identity: Any) -> ImageEvents:
    """Reduce the score map of one image and class to its events, exactly.

    Args:
        scores: ``(n, m)`` float32 or float64, from the frame's top left corner on, padding
            included.
        targets: ``(N, 2)`` points, x and y in frame pixels, or for the rules that ask for boxes
            ``(N, 4)``, x1, y1, x2, y2; those outside the frame are no targets.
        hit_radius: Of the rule, as are ``max_overlap`` and ``min_iou``; see
            :mod:`~mmwindow.evaluation.hit_rules`.
        max_overlap: Likewise.
        frame_side: Side of the frame in pixels.
        image_score: The map's maximum if None.
        method: As in :func:`find_sweep`.
        rule: The name of a rule, the paper's by default, or an object, which has its own numbers.
        min_iou: Of the rule.
        floor: Cells below are not looked at; events from it on are the same as without. Which
            floor cannot change a result: :mod:`~mmwindow.evaluation.events.floor`.
        cells_along: How many cells the frame's side is long in x and in y, which a rectangular map
            need not cover; the longer side of the map if None.
        **identity: ``image_id``, ``group`` and ``fields`` of the result.

    Returns:
        ImageEvents

    Raises:
        ValueError: Wrong shape or type, a value that is not finite, or rules that make
            no sense.

    Example:
        Two cells of 512 frame pixels score more than the rest; the point lies in the first.

        >>> events = map_events([[0.9, 0.1], [0.1, 0.1]], [[100., 100.]])
        >>> events.recall_levels.tolist(), events.fp_levels.tolist()
        ([0.9], [0.9])

    Assumption (docs/method.md section 6): the curve is exact, at every score of the map.
    """
    scores = check_scores(scores, 'map scores')
    if scores.ndim != 2 or scores.size == 0:
        raise ValueError(f'the map has shape {scores.shape}; (n, m) of at least one cell is '
                         'expected, one class at a time')
    rule = make_hit_rule(rule, hit_radius=hit_radius, max_overlap=max_overlap, min_iou=min_iou)
    sweep, floor = find_sweep(method), check_floor(floor)
    grid = make_grid(scores.shape, rule.check_targets(targets, frame_side), rule, frame_side,
                     cells_along)
    cells = sort_cells(scores, floor)
    found = judge_states(sweep(cells, grid.shape) if len(cells.order) else NO_STATES, grid)
    recalled: dict[str, Any] = {} if found.recalled is None else dict(
        recalled_levels=found.recalled.levels, recalled_changes=found.recalled.changes)
    return ImageEvents(
        score=float(scores.max()) if image_score is None else check_score(image_score),
        recall_levels=found.recall_levels, is_positive=np.size(targets) > 0, floor=floor,
        **pack_counts(*found.counts), **recalled, **identity)


def box_events(boxes: ArrayLike, scores: ArrayLike, targets: ArrayLike, hit_radius: float = 50.,
               max_overlap: float = 0.1, frame_side: int = FRAME_SIDE,
               image_score: float | None = None, rule: str | HitRule = 'disk_overlap',
               min_iou: float = 0.5, floor: float | None = None, **identity: Any) -> ImageEvents:
    """Reduce the scored boxes of one image and class to its events, by the same rules.

    Boxes stay as the threshold falls, so a target that is hit stays hit under every rule.

    Args:
        boxes: ``(N, 4)``, x1, y1, x2, y2 in frame pixels, after non-maximum suppression, clipped
            to the image.
        scores: ``(N,)``.
        targets: As in :func:`map_events`, and so are the arguments not named here.
        hit_radius: Of the rule.
        max_overlap: Of the rule.
        frame_side: In pixels.
        image_score: The best box's score if None; without boxes -inf, below every box (an image
            without a prediction still counts).
        rule: Name or object.
        min_iou: Of the rule.
        floor: Boxes below are left out.
        **identity: ``image_id``, ``group`` and ``fields`` of the result.

    Returns:
        ImageEvents

    Raises:
        ValueError: Shapes disagree, a value is not finite, a box has no area or reaches
            beyond the frame, or the rules make no sense.

    Example:
        >>> events = box_events([[90, 90, 110, 110], [600, 600, 620, 620]], [0.8, 0.6], [[100, 100]])
        >>> events.recall_levels.tolist(), events.fp_levels.tolist()
        ([0.8], [0.6])
    """
    rule = make_hit_rule(rule, hit_radius=hit_radius, max_overlap=max_overlap, min_iou=min_iou)
    scores = check_finding_scores(scores)
    boxes = check_findings(boxes, scores, frame_side)
    return scored_events(boxes, scores, targets, rule, frame_side, image_score, floor, **identity)


def point_events(points: ArrayLike, scores: ArrayLike, targets: ArrayLike,
                 rule: str | HitRule = 'distance', hit_radius: float = 50.,
                 frame_side: int = FRAME_SIDE, image_score: float | None = None,
                 floor: float | None = None, **identity: Any) -> ImageEvents:
    """Reduce the scored points of one image and class to its events: points of confidence.

    Args:
        points: ``(N, 2)``, x and y in frame pixels, in the frame.
        scores: ``(N,)``.
        targets: As in :func:`map_events`, and so are the arguments not named here.
        rule: One that judges a finding by its centre: 'distance' or 'centre_in_box'.
        hit_radius: Of 'distance'.
        frame_side: In pixels.
        image_score: The best point's score if None; without points -inf.
        floor: Points below are left out.
        **identity: ``image_id``, ``group`` and ``fields`` of the result.

    Returns:
        ImageEvents

    Raises:
        ValueError: The rule asks for the extent of a finding, shapes disagree, a value is not
            finite, or a point lies outside the frame.

    Example:
        >>> events = point_events([[100, 130], [600, 600]], [0.8, 0.6], [[100, 100]])
        >>> events.recall_levels.tolist(), events.fp_levels.tolist()
        ([0.8], [0.6])
    """
    rule = make_hit_rule(rule, hit_radius=hit_radius)
    check_judges_points(rule)
    scores = check_finding_scores(scores)
    points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if len(points) != len(scores):
        raise ValueError(f'{count_words(len(points), "point")} but '
                         f'{count_words(len(scores), "score")}; each has one')
    if not (np.isfinite(points).all() and (points >= -FRAME_SLACK).all()
            and (points <= frame_side + FRAME_SLACK).all()):
        raise ValueError(f'a point is not finite, or outside the frame of side {frame_side}; leave '
                         'points outside the image out, and scale them to frame pixels')
    return scored_events(np.tile(points.clip(0, frame_side), 2), scores, targets, rule, frame_side,
                         image_score, floor, **identity)


def scored_events(boxes: Floats, scores: Floats, targets: ArrayLike, rule: HitRule, frame_side: int,
                  image_score: float | None, floor: float | None, **identity: Any) -> ImageEvents:
    """Return the events of checked boxes ``(N, 4)``, or of points as boxes without size."""
    floor = check_floor(floor)
    best = float(scores.max()) if len(scores) else -np.inf
    if floor is not None:
        boxes, scores = boxes[scores >= floor], scores[scores >= floor]
    judged = judge_findings(rule, boxes, rule.check_targets(targets, frame_side), frame_side)
    recall_levels = np.array([scores[hits].max(initial=-np.inf) for hits in judged.hits])
    states = NO_STATES._replace(first=scores, end=np.full(len(scores), -np.inf),
                                previous=np.full(len(scores), -1, np.int32))
    return ImageEvents(
        score=best if image_score is None else check_score(image_score),
        recall_levels=recall_levels, is_positive=np.size(targets) > 0, floor=floor,
        **pack_counts(*count_changes(judged.kinds, states)), **identity)


def check_finding_scores(scores: ArrayLike) -> Floats:
    """Return scores of findings as float64 ``(N,)``; float16 and what is not finite are rejected."""
    return np.asarray(check_scores(
        np.asarray(scores).reshape(-1) if np.size(scores) else np.zeros(0), 'box scores'), np.float64)


def check_findings(boxes: ArrayLike, scores: Floats, frame_side: float) -> Floats:
    """Return scored boxes as float64 ``(N, 4)``, in the frame."""
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    if len(boxes) != len(scores):
        raise ValueError(f'{count_words(len(boxes), "box", "boxes")} but '
                         f'{count_words(len(scores), "score")}; each has one')
    if not np.isfinite(boxes).all():
        raise ValueError('a box has a coordinate that is not finite')
    flat = (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
    if flat.any():
        raise ValueError(f'the box {boxes[flat][0]} has no area; x1 < x2 and y1 < y2 are expected, '
                         'and boxes outside the image are to be left out')
    beyond = (boxes < -FRAME_SLACK).any(axis=1) | (boxes > frame_side + FRAME_SLACK).any(axis=1)
    if beyond.any():
        raise ValueError(f'the box {boxes[beyond][0]} reaches beyond the frame of side '
                         f'{frame_side}; clip boxes to the image, and scale them to frame pixels')
    return boxes.clip(0, frame_side)


def check_score(score: float) -> float:
    """Return an image score as a float, rejected where it is not finite."""
    score = float(score)
    if not np.isfinite(score):
        raise ValueError(f'the image score is {score}; it must be finite')
    return score
