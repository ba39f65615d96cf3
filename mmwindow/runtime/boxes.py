"""From what the heads of a box detector give to boxes: decoding and suppression (numpy).

The same functions as mmdet 3.3's ``delta2bbox``, ``distance2bbox``, ``filter_scores_and_topk`` and
mmcv's ``batched_nms``, in float32 as there. What differs in the last bit can exchange boxes of equal
score, nothing else.
"""
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def sigmoid(logits: Floats) -> Floats:
    """Return ``1 / (1 + exp(-x))`` as float32; no exponential overflows."""
    values = np.asarray(logits, dtype=np.float64)
    return (0.5 * (1 + np.tanh(0.5 * values))).astype(np.float32)


def softmax(logits: Floats) -> Floats:
    """Return the softmax over the last axis as float32."""
    values = np.asarray(logits, dtype=np.float64)
    powers = np.exp(values - values.max(axis=-1, keepdims=True, initial=-np.inf))
    return (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)


def grid_points(rows: int, columns: int, stride: Sequence[float], offset: float) -> Floats:
    """Return x and y of the points of a level, ``(rows * columns, 2)``, row by row.

    >>> grid_points(1, 2, (8, 8), 0.5).tolist()
    [[4.0, 4.0], [12.0, 4.0]]
    """
    y, x = np.meshgrid((np.arange(rows) + offset) * stride[1],
                       (np.arange(columns) + offset) * stride[0], indexing='ij')
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


def grid_anchors(base: Floats, rows: int, columns: int, stride: Sequence[float]) -> Floats:
    """Return the anchors of a level, ``(rows * columns * A, 4)``, those of a cell together.

    Args:
        base: ``(A, 4)`` around the top-left corner.
        rows: Of the level.
        columns: Of the level.
        stride: Of x and y.
    """
    shifts = np.tile(grid_points(rows, columns, stride, 0.), 2)
    return (base[None] + shifts[:, None]).reshape(-1, 4).astype(np.float32)


def flatten_level(values: Floats, width: int) -> Floats:
    """Return values ``(A * width, h, w)`` of a level as ``(h * w * A, width)``."""
    return values.transpose(1, 2, 0).reshape(-1, width)


def clip_boxes(boxes: Floats, shape: Sequence[int]) -> Floats:
    """Return boxes ``(N, 4)`` clipped to a frame of ``shape``, height and width."""
    return np.clip(boxes, np.float32(0), np.array([shape[1], shape[0]] * 2, dtype=np.float32))


def decode_deltas(boxes: Floats, deltas: Floats, means: Sequence[float], deviations: Sequence[float],
                  shape: Sequence[int] | None, ratio_clip: float = 16 / 1000) -> Floats:
    """Return the boxes that shift and scale others (Girshick et al. 2014).

    Args:
        boxes: ``(N, 4)``.
        deltas: ``(N, 4)``.
        means: That the deltas were normalised by, likewise ``deviations``.
        deviations: See ``means``.
        shape: Height and width to which boxes are clipped; None: they are not.
        ratio_clip: Sides change by a factor from this to its inverse.
    """
    deltas = (deltas * np.asarray(deviations, dtype=np.float32)
              + np.asarray(means, dtype=np.float32))
    middles, sides = (boxes[:, :2] + boxes[:, 2:]) * np.float32(.5), boxes[:, 2:] - boxes[:, :2]
    limit = np.float32(abs(np.log(ratio_clip)))
    middles = middles + sides * deltas[:, :2]
    halves = sides * np.exp(np.clip(deltas[:, 2:], -limit, limit)) * np.float32(.5)
    decoded = np.concatenate([middles - halves, middles + halves], axis=1)
    return decoded if shape is None else clip_boxes(decoded, shape)


def decode_distances(points: Floats, distances: Floats, shape: Sequence[int] | None) -> Floats:
    """Return the boxes whose sides lie at distances from points: left, top, right, bottom.

    >>> decode_distances(np.float32([[4, 4]]), np.float32([[1, 2, 3, 9]]), (8, 8)).tolist()
    [[3.0, 2.0, 7.0, 8.0]]
    """
    boxes = np.concatenate([points - distances[:, :2], points + distances[:, 2:]], axis=1)
    return boxes if shape is None else clip_boxes(boxes, shape)


def best_candidates(scores: Floats, threshold: float, limit: int) -> tuple[NDArray[np.intp], ...]:
    """Return row and column of scores above a threshold, highest first, at most ``limit``.

    Args:
        scores: ``(N, C)``.
        threshold: Scores are above it.
        limit: So many; 0 or less: none, as in mmdet it would be; callers give what a config says.
    """
    rows, columns = np.nonzero(scores > threshold)
    order = np.argsort(-scores[rows, columns], kind='stable')[:max(limit, 0)]
    return rows[order], columns[order]


def suppress(boxes: Floats, scores: Floats, groups: NDArray[np.integer], overlap: float, limit: int
             ) -> NDArray[np.intp]:
    """Return the indices of boxes that no better one of their group overlaps, best first.

    Args:
        boxes: ``(N, 4)``.
        scores: ``(N,)``.
        groups: ``(N,)``, whole numbers: boxes of two groups never suppress each other.
        overlap: Intersection over union from which, exclusive, the worse one goes.
        limit: No more are returned.
    """
    # As mmcv: boxes of a group are moved away from those of all others.
    step = boxes.max(initial=0) + np.float32(1)
    order = np.argsort(-scores, kind='stable')
    places = (boxes + groups[:, None].astype(np.float32) * step)[order]
    areas = (places[:, 2] - places[:, 0]) * (places[:, 3] - places[:, 1])
    left = np.arange(len(order))
    kept: list[int] = []
    while len(left) and len(kept) < limit:
        best, left = left[0], left[1:]
        kept.append(int(best))
        sides = np.maximum(np.minimum(places[best, 2:], places[left, 2:])
                           - np.maximum(places[best, :2], places[left, :2]), 0)
        shared = sides[:, 0] * sides[:, 1]
        with np.errstate(invalid='ignore', divide='ignore'):  # two boxes without area
            ratio = shared / (areas[best] + areas[left] - shared)
        left = left[~(ratio > overlap)]
    return order[np.array(kept, dtype=np.intp)]


def is_large(boxes: Floats, min_size: float) -> NDArray[np.bool_]:
    """Return which boxes ``(N, 4)`` are wider and higher than a size; all for a negative size."""
    if min_size < 0:
        return np.ones(len(boxes), dtype=bool)
    return np.asarray((boxes[:, 2:] - boxes[:, :2] > min_size).all(axis=1))
