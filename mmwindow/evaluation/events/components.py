"""What one image contributes to the FROC: levels at which anything changes.

Findings are the 8-connected components of ``{map >= t}``. As t falls they appear, grow
and merge, and each has a box. An image is reduced to the levels at which its number of
false positives changes and the level at which each point is first recalled: the curve
over all images follows from these exactly, and they are a few numbers where a map is
thousands (docs/method.md, section 6).
"""
from functools import lru_cache
from importlib import import_module

import numpy as np

from mmwindow.evaluation.events.grid import make_grid, sort_cells
from mmwindow.evaluation.events.image_events import ImageEvents, pack_counts
from mmwindow.evaluation.events.targets import FRAME_SIDE
from mmwindow.evaluation.hit_rules import BOTH, IS_FP, IS_HIT, NEITHER, HitRule, judge_findings

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
            return import_module('mmwindow.evaluation.events.sweep_numba').sweep_components
        except ImportError as error:  # also raised where numba refuses the numpy installed
            if method == 'numba':
                raise ValueError(f'numba cannot be imported ({error}); install it (pip install '
                                 "numba), or use method='plain'") from error
    return import_module('mmwindow.evaluation.events.sweep_plain').sweep_components


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


def check_floor(floor):
    """Return a floor as a float or None; refused where it is NaN or infinite."""
    if floor is None or floor == -np.inf:
        return None
    if not np.isfinite(floor):
        raise ValueError(f'the floor is {floor}; a finite threshold is expected, or None')
    return float(floor)


def map_events(scores, targets, hit_radius=50., max_overlap=0.1, frame_side=FRAME_SIDE,
               image_score=None, method='auto', rule='disk_overlap', min_iou=0.5, floor=None,
               **identity):
    """Reduce the score map of one image and class to its events, exactly.

    Args:
        scores (ndarray): ``(n, n)`` float32 or float64, over the whole square frame,
            padding included; a cell is ``frame_side / n`` wide.
        targets (ndarray): ``(N, 2)`` points, x and y in frame pixels, or for the rules that
            ask for boxes ``(N, 4)``, x1, y1, x2, y2; those outside the frame are no targets.
        hit_radius, max_overlap, min_iou (float): Of the rule; see
            :class:`~mmwindow.evaluation.hit_rules.HitRule`.
        frame_side (int): Side of the frame in pixels.
        image_score (float, optional): The map's maximum if None.
        method (str): As in :func:`find_sweep`.
        rule (str): One of :data:`~mmwindow.evaluation.hit_rules.HIT_RULES`; the paper's by
            default.
        floor (float, optional): Cells below are not looked at; events from it on are the
            same as without. Which floor cannot change a result:
            :class:`~mmwindow.evaluation.events.floor.RunningFloor`.
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
    rule = HitRule(rule, hit_radius, max_overlap, min_iou)
    sweep, floor = find_sweep(method), check_floor(floor)
    grid = make_grid(len(scores), rule.check_targets(targets, frame_side), rule, frame_side)
    cells = sort_cells(scores, floor)
    if len(cells['order']):
        swept = sweep(cells, grid)
    else:
        swept = dict(levels=np.zeros(0), changes=np.zeros((0, 4), np.int32),
                     recall_levels=np.full(len(grid.targets), -np.inf))
    return ImageEvents(
        score=float(scores.max() if image_score is None else check_score(image_score)),
        recall_levels=swept['recall_levels'], is_positive=np.size(targets) > 0, floor=floor,
        **pack_counts(swept['levels'], swept['changes']), **identity)


def box_events(boxes, scores, targets, hit_radius=50., max_overlap=0.1, frame_side=FRAME_SIDE,
               image_score=None, rule='disk_overlap', min_iou=0.5, floor=None, **identity):
    """Reduce the scored boxes of one image and class to its events, by the same rules.

    Args:
        boxes (ndarray): ``(N, 4)``, x1, y1, x2, y2 in frame pixels, after non-maximum
            suppression, clipped to the image.
        scores (ndarray): ``(N,)``.
        targets, hit_radius, max_overlap, frame_side, rule, min_iou, floor: As in
            :func:`map_events`.
        image_score (float, optional): The best box's score if None; without boxes -inf,
            below every box (an image without a prediction still counts).
        **identity: ``image_id``, ``group`` and ``fields`` of the result.

    Returns:
        ImageEvents

    Raises:
        ValueError: Shapes disagree, a value is not finite, a box has no area or reaches
            beyond the frame, or the rules make no sense.
    """
    rule, floor = HitRule(rule, hit_radius, max_overlap, min_iou), check_floor(floor)
    scores = check_scores(np.asarray(scores).reshape(-1) if np.size(scores) else np.zeros(0),
                          'box scores').astype(np.float64)
    boxes = check_findings(boxes, scores, frame_side)
    best = float(scores.max()) if len(scores) else -np.inf
    if floor is not None:
        boxes, scores = boxes[scores >= floor], scores[scores >= floor]
    targets_in_frame = rule.check_targets(targets, frame_side)
    judged = judge_findings(boxes.T, rule.disk_mask(targets_in_frame, frame_side).areas(boxes),
                            targets_in_frame, rule.code, rule.limit)
    recall_levels = np.array([scores[hits].max(initial=-np.inf) for hits in judged['hits']])
    levels, index = np.unique(-scores, return_inverse=True)
    kinds = judged['kinds']
    counted = (kinds & IS_FP > 0, kinds & IS_HIT > 0, kinds == BOTH, kinds == NEITHER)
    changes = np.stack([np.bincount(index[chosen], minlength=len(levels)) for chosen in counted],
                       axis=1)
    return ImageEvents(
        score=best if image_score is None else check_score(image_score),
        recall_levels=recall_levels, is_positive=np.size(targets) > 0, floor=floor,
        **pack_counts(-levels, changes), **identity)


def check_findings(boxes, scores, frame_side):
    """Return scored boxes as float64 ``(N, 4)``, in the frame."""
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    if len(boxes) != len(scores):
        raise ValueError(f'there are {len(boxes)} boxes but {len(scores)} scores')
    if not np.isfinite(boxes).all():
        raise ValueError('a box has a coordinate that is not finite')
    flat = (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
    if flat.any():
        raise ValueError(f'the box {boxes[flat][0]} has no area; x1 < x2 and y1 < y2 are expected, '
                         'and boxes outside the image are to be left out')
    slack = 1e-3  # of a pixel: what scaling to the frame may round to
    beyond = (boxes < -slack).any(axis=1) | (boxes > frame_side + slack).any(axis=1)
    if beyond.any():
        raise ValueError(f'the box {boxes[beyond][0]} reaches beyond the frame of side '
                         f'{frame_side}; clip boxes to the image, and scale them to frame pixels')
    return boxes.clip(0, frame_side)


def check_score(score):
    """Return an image score as a float, refused where it is not finite."""
    score = float(score)
    if not np.isfinite(score):
        raise ValueError(f'the image score is {score}; it must be finite')
    return score
