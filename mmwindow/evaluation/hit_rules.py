"""Which findings hit which targets, and which are false positives: one class per rule.

A rule is chosen by name or given as an object that carries its numbers. Sweeps over maps, scored
boxes and pictures all ask :func:`judge_findings`, so a new rule is one class: subclass
:class:`HitRule`, decorate it with :func:`register_hit_rule`.

By all but the paper's rule, a finding that hits no target is a false positive, and one that hits
any is none; several findings on one target are one recall and no false positive, as in LUNA16.
"""
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmwindow.evaluation.events.targets import DiskMask, check_boxes, check_points
from mmwindow.utils.frame import FRAME_SIDE

# Square pixels: 0.1 * 70 is 7.000000000000001 in floating point; an overlap that is met exactly
# must not be lost to rounding.
AREA_SLACK = 1e-6
# Pixels: the centre of a box is a rounded number where its edges are.
LENGTH_SLACK = 1e-9
# What a finding is, as bits; 0 for one that is not counted yet or no longer.
IS_FP, IS_HIT, IS_COUNTED = 1, 2, 4
BOTH, NEITHER = IS_COUNTED | IS_FP | IS_HIT, IS_COUNTED

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Edges(NamedTuple):
    """The edges of K boxes, each ``(K,)``, frame pixels."""

    left: Floats
    top: Floats
    right: Floats
    bottom: Floats

    @property
    def areas(self) -> Floats:
        """The area of each box, square frame pixels."""
        return (self.right - self.left) * (self.bottom - self.top)


class Judgement(NamedTuple):
    """What findings are.

    Attributes:
        is_false_positive: ``(K,)`` bool.
        hits: ``(P, K)`` bool, which finding hits which target.
    """

    is_false_positive: Bools
    hits: Bools

    @property
    def is_hit(self) -> Bools:
        """``(K,)``, whether a finding hits any target."""
        return np.asarray(self.hits.any(axis=0))

    @property
    def kinds(self) -> NDArray[np.uint8]:
        """``(K,)``, the same as bits of IS_COUNTED, IS_FP and IS_HIT."""
        return (IS_COUNTED + IS_FP * self.is_false_positive + IS_HIT * self.is_hit).astype(np.uint8)


class HitRule(ABC):
    """What a hit and a false positive are. A subclass is a frozen dataclass of its numbers.

    Attributes:
        name: Chosen by it; a result names it.
        needs_boxes: Whether targets are boxes rather than points.
        is_nested: Whether a finding that grows keeps the targets that it hits. Otherwise a hit can
            be lost as the threshold falls, and recall counts what the findings at t hit.
        judges_points: Whether a finding may be a point, a box without size: the rule reads the
            centre of a box alone.
    """

    name: ClassVar[str]
    needs_boxes: ClassVar[bool] = False
    is_nested: ClassVar[bool] = False
    judges_points: ClassVar[bool] = False

    @abstractmethod
    def hits(self, boxes: Edges, target: Floats) -> Bools:
        """Tell which findings hit a target ``(4,)``, a box or a point as x, y, x, y."""

    def is_false_positive(self, boxes: Edges, is_hit: Bools, covered: Floats) -> Bools:
        """Tell which findings are false positives: here those that hit nothing.

        Args:
            boxes: The findings.
            is_hit: ``(K,)``, whether each hits a target.
            covered: ``(K,)``, how much of each lies in the disks, square frame pixels; zeros where
                the rule has no :attr:`disk_radius`.
        """
        return ~is_hit

    @property
    def disk_radius(self) -> float | None:
        """Radius of the disks whose share of a finding the rule asks for, frame pixels."""
        return None

    @property
    def settings(self) -> dict[str, Any]:
        """The rule and its numbers, as a result names them."""
        return {'rule': self.name, **asdict(self)}  # type: ignore[call-overload]

    def check_targets(self, targets: ArrayLike, frame_side: float = FRAME_SIDE) -> Floats:
        """Return the targets in the frame ``(N, 4)``; a point is x, y, x, y.

        Args:
            targets: ``(N, 2)`` points or ``(N, 4)`` boxes as the rule asks for, frame pixels.
            frame_side: Side of the frame.

        Raises:
            ValueError: The shape is wrong, a coordinate is not finite, or a box has no area.
        """
        if self.needs_boxes:
            return check_boxes(targets, frame_side)
        return np.tile(check_points(targets, frame_side), 2)

    def disk_mask(self, targets: Floats, frame_side: int = FRAME_SIDE) -> DiskMask:
        """Return the mask of the disks around targets ``(N, 4)``; empty where the rule has none."""
        radius = self.disk_radius
        return DiskMask(np.zeros((0, 2)) if radius is None else targets[:, :2], radius or 1.,
                        frame_side)


Rule = TypeVar('Rule', bound=type[HitRule])
_RULES: dict[str, type[HitRule]] = {}


def register_hit_rule(rule: Rule) -> Rule:
    """Make a subclass of :class:`HitRule` known by its name.

    Raises:
        ValueError: Another rule has the name.
    """
    if _RULES.setdefault(rule.name, rule).__qualname__ != rule.__qualname__:
        raise ValueError(f'the hit rule {rule.name!r} is {_RULES[rule.name].__name__} already; give '
                         f'{rule.__name__} a name of its own')
    _RULES[rule.name] = rule
    return rule


def hit_rule_names() -> tuple[str, ...]:
    """Return the names of all registered rules, the paper's first."""
    return tuple(_RULES)


def make_hit_rule(rule: 'str | HitRule' = 'disk_overlap', **numbers: float) -> HitRule:
    """Return a rule by its name.

    Args:
        rule: A registered name, or a rule, which is returned as it is.
        **numbers: Of the rule; those of other rules are ignored.

    Raises:
        ValueError: The name is unknown, or a number makes no sense.
    """
    if isinstance(rule, HitRule):
        return rule
    if rule not in _RULES:
        raise ValueError(f'the hit rule is {rule!r}; it must be one of {hit_rule_names()}')
    own = rule_numbers(rule)
    return _RULES[rule](**{name: value for name, value in numbers.items() if name in own})


def rule_numbers(rule: str) -> tuple[str, ...]:
    """Return the names of the numbers that a rule reads."""
    return tuple(field.name for field in fields(_RULES[rule]))  # type: ignore[arg-type]


def check_judges_points(rule: HitRule) -> None:
    """Raise ``ValueError`` where a rule asks for the extent of a finding, which a point has not."""
    if not rule.judges_points:
        names = ' or '.join(name for name, other in _RULES.items() if other.judges_points)
        raise ValueError(
            f'the findings are points, and the hit rule {rule.name} asks how much of a finding '
            f'overlaps, which a point does not tell; use the rule {names} (--rule), or boxes '
            '(x1, y1, x2, y2)')


def check_length(name: str, value: float) -> None:
    """Raise ``ValueError`` unless a number is a positive length."""
    if not 0 < value < np.inf:
        raise ValueError(f'{name} is {value}; a positive number of frame pixels is expected')


def check_fraction(name: str, value: float) -> None:
    """Raise ``ValueError`` unless a number is a fraction in (0, 1]."""
    if not 0 < value <= 1:
        raise ValueError(f'{name} is {value}; a fraction in (0, 1] is expected')


@register_hit_rule
@dataclass(frozen=True)
class DiskOverlap(HitRule):
    """The paper's: a finding hits a point that lies in its box, edges included.

    It is a false positive when the disks around the points cover less than a fraction of its box.
    A finding can be both or neither (docs/method.md, section 6).

    Attributes:
        hit_radius: Of the disks, in pixels of a frame of side 1024.
        max_overlap: Below this fraction a box is a false positive.
    """

    name: ClassVar[str] = 'disk_overlap'
    is_nested: ClassVar[bool] = True
    hit_radius: float = 50.
    max_overlap: float = 0.1

    def __post_init__(self) -> None:
        check_length('hit_radius', self.hit_radius)
        check_fraction('max_overlap', self.max_overlap)

    @property
    def disk_radius(self) -> float:
        """Radius of the disks, frame pixels."""
        return self.hit_radius

    def hits(self, boxes: Edges, target: Floats) -> Bools:
        """Tell which findings hold a point."""
        x, y = target[:2]
        found: Bools = (
            (boxes.left <= x) & (x <= boxes.right) & (boxes.top <= y) & (y <= boxes.bottom))
        return found

    def is_false_positive(self, boxes: Edges, is_hit: Bools, covered: Floats) -> Bools:
        """Tell which findings the disks cover too little of."""
        return covered < self.max_overlap * boxes.areas - AREA_SLACK


@register_hit_rule
@dataclass(frozen=True)
class BoxIoU(HitRule):
    """A finding hits a box when their intersection over union is at least ``min_iou``."""

    name: ClassVar[str] = 'box_iou'
    needs_boxes: ClassVar[bool] = True
    min_iou: float = 0.5

    def __post_init__(self) -> None:
        check_fraction('min_iou', self.min_iou)

    def hits(self, boxes: Edges, target: Floats) -> Bools:
        """Tell which findings overlap a box enough."""
        x0, y0, x1, y1 = target
        width = np.maximum(np.minimum(boxes.right, x1) - np.maximum(boxes.left, x0), 0.)
        height = np.maximum(np.minimum(boxes.bottom, y1) - np.maximum(boxes.top, y0), 0.)
        common = width * height
        union = boxes.areas + (x1 - x0) * (y1 - y0) - common
        return np.asarray(common >= self.min_iou * union - AREA_SLACK)


@register_hit_rule
@dataclass(frozen=True)
class CentreInBox(HitRule):
    """A finding hits a box that holds the centre of its own box, edges included."""

    name: ClassVar[str] = 'centre_in_box'
    needs_boxes: ClassVar[bool] = True
    judges_points: ClassVar[bool] = True

    def hits(self, boxes: Edges, target: Floats) -> Bools:
        """Tell which findings have their centre in a box."""
        x0, y0, x1, y1 = target
        x, y = (boxes.left + boxes.right) / 2, (boxes.top + boxes.bottom) / 2
        found: Bools = (
            (x0 - LENGTH_SLACK <= x) & (x <= x1 + LENGTH_SLACK)
                & (y0 - LENGTH_SLACK <= y) & (y <= y1 + LENGTH_SLACK))
        return found


@register_hit_rule
@dataclass(frozen=True)
class Distance(HitRule):
    """A finding hits a point within ``hit_radius`` frame pixels of the centre of its box."""

    name: ClassVar[str] = 'distance'
    judges_points: ClassVar[bool] = True
    hit_radius: float = 50.

    def __post_init__(self) -> None:
        check_length('hit_radius', self.hit_radius)

    def hits(self, boxes: Edges, target: Floats) -> Bools:
        """Tell which findings have their centre near a point."""
        x, y = (boxes.left + boxes.right) / 2, (boxes.top + boxes.bottom) / 2
        distance = np.sqrt((x - target[0]) ** 2 + (y - target[1]) ** 2)
        return np.asarray(distance <= self.hit_radius + LENGTH_SLACK)


HIT_RULES = hit_rule_names()


def judge_findings(rule: str | HitRule, boxes: ArrayLike, targets: ArrayLike,
                   frame_side: int = FRAME_SIDE, covered: ArrayLike | None = None) -> Judgement:
    """Tell which findings are false positives, and which hits which target.

    Args:
        rule: A name or an object.
        boxes: ``(K, 4)``, x1, y1, x2, y2 in frame pixels.
        targets: ``(P, 2)`` points or ``(P, 4)`` boxes as the rule asks for, frame pixels.
        frame_side: Side of the frame.
        covered: ``(K,)``, how much of each box lies in the disks, square frame pixels, where it is
            known already.

    Returns:
        Judgement: In the order of ``boxes`` and ``targets``.

    Raises:
        ValueError: The rule is unknown, or the targets are not what it asks for.

    Example:
        >>> found = judge_findings('distance', [[0, 0, 10, 10], [90, 90, 99, 99]], [[30, 40]])
        >>> found.is_false_positive.tolist(), found.hits.tolist()
        ([False, True], [[True, False]])
    """
    rule = make_hit_rule(rule)
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    targets = np.asarray(targets, dtype=np.float64)
    if targets.size == 0:
        targets = np.zeros((0, 4))
    if targets.ndim != 2 or targets.shape[1] not in ((4,) if rule.needs_boxes else (2, 4)):
        raise ValueError(f'the targets have shape {targets.shape}; the rule {rule.name!r} asks for '
                         f'{"boxes (P, 4)" if rule.needs_boxes else "points (P, 2)"}')
    targets = np.tile(targets, 2) if targets.shape[1] == 2 else targets
    edges = Edges(*boxes.T)
    if rule.disk_radius is None:
        covered = np.zeros(len(boxes))
    elif covered is None:
        covered = rule.disk_mask(targets, frame_side).areas(boxes)
    hits = np.zeros((len(targets), len(boxes)), dtype=bool)
    for number, target in enumerate(targets):
        hits[number] = rule.hits(edges, target)
    is_hit: Bools = np.asarray(hits.any(axis=0))
    return Judgement(rule.is_false_positive(edges, is_hit, np.asarray(covered)), hits)
