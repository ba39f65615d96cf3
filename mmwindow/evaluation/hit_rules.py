"""Which findings hit which targets, and which are false positives: rules chosen by name.

``disk_overlap``
    The paper's. Targets are points. A finding hits a point that lies in its box, edges included;
    it is a false positive when the disks around the points cover less than ``max_overlap`` of
    its box. A finding can be both or neither (docs/method.md, section 6).
``box_iou``
    Targets are boxes. A finding hits a box when their intersection over union is at least
    ``min_iou``.
``centre_in_box``
    Targets are boxes. A finding hits a box that holds the centre of its own box, edges included.
``distance``
    Targets are points. A finding hits a point within ``hit_radius`` of the centre of its box.

By all but the paper's, a finding that hits no target is a false positive, and one that hits any
is none; several findings on one target are one recall and no false positive, as in LUNA16.
"""
from dataclasses import dataclass

import numpy as np

from mmwindow.evaluation.events.targets import FRAME_SIDE, DiskMask, check_boxes, check_points

HIT_RULES = ('disk_overlap', 'box_iou', 'centre_in_box', 'distance')
DISK_OVERLAP, BOX_IOU, CENTRE_IN_BOX, DISTANCE = range(4)  # as the compiled sweep knows them
# The numbers that each reads; a result names these and no others.
RULE_NUMBERS = dict(disk_overlap=('hit_radius', 'max_overlap'), box_iou=('min_iou', ),
                    centre_in_box=(), distance=('hit_radius', ))
# Square pixels: 0.1 * 70 is 7.000000000000001 in floating point; an overlap that is met exactly
# must not be lost to rounding.
AREA_SLACK = 1e-6
# What a finding is, as bits; 0 for one that is not counted yet or no more.
IS_FP, IS_HIT, IS_COUNTED = 1, 2, 4
BOTH, NEITHER = IS_COUNTED | IS_FP | IS_HIT, IS_COUNTED


@dataclass(frozen=True)
class HitRule:
    """A rule with its numbers.

    Attributes:
        name (str): One of ``HIT_RULES``.
        hit_radius (float): Of the disks ('disk_overlap') or around a point ('distance'), in
            pixels of a frame of side 1024.
        max_overlap (float): Below this fraction a box is a false positive ('disk_overlap').
        min_iou (float): From this intersection over union on a box is hit ('box_iou').

    Raises:
        ValueError: The name is unknown, or a number makes no sense.
    """
    name: str = 'disk_overlap'
    hit_radius: float = 50.
    max_overlap: float = 0.1
    min_iou: float = 0.5

    def __post_init__(self):
        if self.name not in HIT_RULES:
            raise ValueError(f'the hit rule is {self.name!r}; it must be one of {HIT_RULES}')
        if not (0 < self.hit_radius < np.inf and 0 < self.max_overlap <= 1):
            raise ValueError(
                f'hit_radius is {self.hit_radius} and max_overlap {self.max_overlap}; a positive '
                'radius in frame pixels and a fraction in (0, 1] are expected')
        if not 0 < self.min_iou <= 1:
            raise ValueError(f'min_iou is {self.min_iou}; a fraction in (0, 1] is expected')

    @property
    def code(self):
        """The rule's number in the sweeps."""
        return HIT_RULES.index(self.name)

    @property
    def needs_boxes(self):
        """Whether targets are boxes rather than points."""
        return self.code in (BOX_IOU, CENTRE_IN_BOX)

    @property
    def settings(self):
        """The rule and the numbers that it reads, as a result names them."""
        return dict(rule=self.name, **{name: getattr(self, name) for name in RULE_NUMBERS[self.name]})

    @property
    def limit(self):
        """The number that the rule compares with."""
        return (self.max_overlap, self.min_iou, 0., self.hit_radius)[self.code]

    def check_targets(self, targets, frame_side=FRAME_SIDE):
        """Return the targets in the frame ``(N, 4)``; a point is x, y, x, y.

        Args:
            targets (ndarray): ``(N, 2)`` points or ``(N, 4)`` boxes as the rule asks for,
                frame pixels.
            frame_side (float): Side of the frame.

        Raises:
            ValueError: The shape is wrong, a coordinate is not finite, or a box has no area.
        """
        if self.needs_boxes:
            return check_boxes(targets, frame_side)
        return np.tile(check_points(targets, frame_side), 2)

    def disk_mask(self, targets, frame_side=FRAME_SIDE):
        """Return the mask of the disks; an empty one where the rule asks for none.

        Args:
            targets (ndarray): ``(N, 4)``, from :meth:`check_targets`.
            frame_side (int): Side of the frame.
        """
        points = targets[:, :2] if self.code == DISK_OVERLAP else np.zeros((0, 2))
        return DiskMask(points, self.hit_radius, frame_side)


def find_hits(boxes, target, code, limit):
    """Tell which findings hit a target.

    Args:
        boxes (tuple): Left, top, right and bottom edges, each ``(K,)``, frame pixels.
        target (ndarray): ``(4,)``.
        code (int): The rule's number.
        limit (float): The number it compares with.

    Returns:
        ndarray: ``(K,)`` bool.
    """
    left, top, right, bottom = boxes
    x0, y0, x1, y1 = target
    if code == DISK_OVERLAP:
        return (left <= x0) & (x0 <= right) & (top <= y0) & (y0 <= bottom)
    centre_x, centre_y = (left + right) / 2, (top + bottom) / 2
    if code == DISTANCE:
        return (centre_x - x0) ** 2 + (centre_y - y0) ** 2 <= limit ** 2
    if code == CENTRE_IN_BOX:
        return (x0 <= centre_x) & (centre_x <= x1) & (y0 <= centre_y) & (centre_y <= y1)
    width = np.maximum(np.minimum(right, x1) - np.maximum(left, x0), 0.)
    height = np.maximum(np.minimum(bottom, y1) - np.maximum(top, y0), 0.)
    common = width * height
    union = (right - left) * (bottom - top) + (x1 - x0) * (y1 - y0) - common
    return common >= limit * union - AREA_SLACK


def judge_findings(boxes, covered, targets, code, limit):
    """Tell what each finding is, and which it hits.

    Args:
        boxes (tuple): Left, top, right and bottom edges, each ``(K,)``, frame pixels.
        covered (ndarray): ``(K,)``, how much of each lies in the disks, square pixels;
            read by 'disk_overlap' alone.
        targets (ndarray): ``(P, 4)``.
        code (int): The rule's number.
        limit (float): The number it compares with.

    Returns:
        dict: ``kinds``, ``(K,)`` uint8, bits of IS_COUNTED, IS_FP and IS_HIT; ``hits``,
        ``(P, K)`` bool.
    """
    left, top, right, bottom = boxes
    hits = np.zeros((len(targets), len(left)), dtype=bool)
    for number, target in enumerate(targets):
        hits[number] = find_hits(boxes, target, code, limit)
    is_hit = hits.any(axis=0)
    if code == DISK_OVERLAP:
        is_fp = covered < limit * ((right - left) * (bottom - top)) - AREA_SLACK
    else:
        is_fp = ~is_hit
    kinds = (IS_COUNTED + IS_FP * is_fp + IS_HIT * is_hit).astype(np.uint8)
    return dict(kinds=kinds, hits=hits)
