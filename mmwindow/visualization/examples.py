"""One image with what is annotated and what is predicted, judged by the metric's own rule."""
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mmwindow.evaluation.events.grid import grid_edges, place_on_grid
from mmwindow.evaluation.hit_rules import HitRule, judge_findings, make_hit_rule
from mmwindow.structures.components import component_boxes
from mmwindow.utils.frame import FRAME_SIDE


@dataclass(frozen=True)
class Example:
    """What is drawn of one image.

    Attributes:
        img: ``(H, W)`` or ``(H, W, 3)`` RGB, uint8.
        points: ``(N, 2)``, x and y in pixels of the image.
        scores: ``(h, w)`` in [0, 1], over the frame (image at the top left, padding to the right or
            below); None for a detector of boxes.
        boxes: ``(M, 4)``, findings as x1, y1, x2, y2 in pixels of the image; None to take them from
            ``scores`` at ``threshold``.
        threshold: Score from which on a cell belongs to a finding.
        name: Title of the panel.
    """

    img: np.ndarray
    points: ArrayLike
    scores: np.ndarray | None = None
    boxes: ArrayLike | None = None
    threshold: float = 0.5
    name: str = ''


class JudgedFindings(NamedTuple):
    """What the rule says of one image.

    Attributes:
        boxes: ``(M, 4)``, findings in pixels of the image.
        found: ``(N,)`` bool, whether a point is recalled.
        is_hit: ``(M,)`` bool, whether a finding hits a point.
        is_false_positive: ``(M,)`` bool. By the paper's rule a wide finding is both.
    """

    boxes: np.ndarray
    found: np.ndarray
    is_hit: np.ndarray
    is_false_positive: np.ndarray


def cells_along(map_shape: tuple[int, int], img_shape: tuple[int, ...]) -> float:
    """Return how many cells of a map the longer edge of its image is long; may be fractional.

    The map covers the frame, into which the image was scaled to fit: one of its edges fills it.
    """
    longer = max(img_shape[:2])
    return min(cells * longer / edge for cells, edge in zip(map_shape, img_shape[:2], strict=True))


def find_boxes(scores: np.ndarray, threshold: float, img_shape: tuple[int, ...]) -> np.ndarray:
    """Return the boxes of the 8-connected components of ``{scores >= threshold}``.

    Args:
        scores: ``(h, w)``, over the frame.
        threshold: A cell belongs to a finding from this score on.
        img_shape: Height and width of the image.

    Returns:
        ``(M, 4)`` float64, x1, y1, x2, y2 in pixels of the image, whole cells, not clipped: the
        padding belongs to the frame.

    Example:
        >>> find_boxes(np.array([[.9, .1], [.1, .1]]), 0.5, (100, 200))
        array([[  0.,   0., 100., 100.]])
    """
    scores = np.asarray(scores)
    edges = grid_edges(max(scores.shape), cells_along(scores.shape, img_shape), max(img_shape[:2]))
    return edges[component_boxes(scores, threshold)[0].astype(int)]


def judge_example(example: Example, rule: str | HitRule = 'disk_overlap',
                  **numbers: Any) -> JudgedFindings:
    """Tell which points are recalled, which findings hit and which are false positives.

    :func:`~mmwindow.evaluation.hit_rules.judge_findings` decides, as for the metric.

    Args:
        example: One image.
        rule: The run's rule.
        **numbers: Of a rule given by its name, such as ``hit_radius``.

    Raises:
        ValueError: The rule is unknown or asks for target boxes.
    """
    points = np.asarray(example.points, dtype=np.float64).reshape(-1, 2)
    longer = max(example.img.shape[:2])
    scale = FRAME_SIDE / longer
    targets = points * scale
    if example.boxes is None:
        scores = np.asarray(example.scores)
        num = cells_along(scores.shape, example.img.shape)
        edges = grid_edges(max(scores.shape), num)
        frame_boxes = edges[component_boxes(scores, example.threshold)[0].astype(int)]
        targets = place_on_grid(targets, points * num / longer, edges)
    else:
        frame_boxes = np.asarray(example.boxes, dtype=np.float64).reshape(-1, 4) * scale
    judgement = judge_findings(make_hit_rule(rule, **numbers), frame_boxes, targets)
    return JudgedFindings(frame_boxes / scale, np.any(judgement.hits, axis=1), judgement.is_hit,
                          judgement.is_false_positive)
