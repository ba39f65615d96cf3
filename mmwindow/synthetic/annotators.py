"""The points that annotators set on fractures: how many, how exactly, and which fractures at all."""
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from mmwindow.synthetic.fractures import Fracture
from mmwindow.utils.frame import FRAME_SIDE

# (n, 2) canvas points -> (n,) bool, True on bone that is well within the image.
Visibility = Callable[[np.ndarray], np.ndarray]
RULES = ('length', 'one', 'fragments', 'several')
MIXED = 'mixed'
MOST_POINTS = 4  # on one fracture by the rule 'several'


@dataclass(frozen=True)
class Annotators:
    """How fractures are marked; the defaults are the generator's own annotators.

    Attributes:
        points: How many points a fracture gets. 'length': one, on a long line mostly two or three;
            'one': one, in the middle; 'fragments': one on the line and one on each branch and chip;
            'several': one to four, whatever it looks like; 'mixed': each image is read by one of
            four annotators, who follow these four rules.
        jitter: Root mean square distance of a point from where it should be, in pixels of a frame of
            side 1024; a point may then lie next to the bone, but stays in the image.
        missed: Share of the fractures that nobody marks.

    Raises:
        ValueError: The rule is unknown, or a number is out of its range.
    """

    points: str = 'length'
    jitter: float = 0.
    missed: float = 0.

    def __post_init__(self) -> None:
        if self.points not in (*RULES, MIXED):
            raise ValueError(f'points are set by the rule {self.points!r}; expected one of '
                             f'{", ".join((*RULES, MIXED))}')
        if not 0 <= self.jitter < FRAME_SIDE:
            raise ValueError(f'jitter is {self.jitter}; a distance from 0 on is expected, in pixels '
                             f'of a frame of side {FRAME_SIDE}')
        if not 0 <= self.missed <= 1:
            raise ValueError(f'missed is {self.missed}; a share from 0 to 1 is expected')

    def describe(self) -> dict[str, Any]:
        """Return what differs from the generator's own annotators, by name."""
        own = asdict(self)
        return {one.name: own[one.name] for one in fields(self) if own[one.name] != one.default}


class Marks(NamedTuple):
    """Points that an annotator sets.

    Attributes:
        points: (N, 2) float64, continuous canvas pixels.
        owners: (N,) int, the fracture that each point marks.
    """

    points: np.ndarray
    owners: np.ndarray


def annotate(fractures: Sequence[Fracture], annotators: Annotators, seed: int,
             hand: np.random.Generator, is_visible: Visibility, size: tuple[int, int],
             oversample: float) -> Marks:
    """Set the points that an annotator would set on the fractures.

    Where a point is off, and which fractures are missed, is drawn apart from the points themselves:
    twice the jitter moves the same points in the same directions twice as far, and what a smaller
    share misses, a larger one misses too.

    Args:
        fractures: On the canvas.
        annotators: Who marks them.
        seed: Of the image.
        hand: Source of the points themselves.
        is_visible: Where a point may be.
        size: (height, width) of the image.
        oversample: Canvas pixels per image pixel.
    """
    off, eye, reader = (np.random.default_rng(stream)
                        for stream in np.random.SeedSequence([seed, 2]).spawn(3))
    rule = annotators.points
    if rule == MIXED:
        rule = RULES[reader.integers(len(RULES))]
    points: list[np.ndarray] = []
    owners: list[int] = []
    for owner, fracture in enumerate(fractures):
        found = mark_fracture(fracture, rule, hand, is_visible, oversample)
        is_missed = eye.random() < annotators.missed
        moves = off.normal(0, np.sqrt(.5), (len(found), 2))  # a distance of 1 in the mean square
        if annotators.jitter:
            found = move_points(found, moves * annotators.jitter * max(size) / FRAME_SIDE, size,
                                oversample)
        if not is_missed:
            points += found
            owners += [owner] * len(found)
    return Marks(np.array(points, np.float64).reshape(-1, 2), np.array(owners, int))


def mark_fracture(fracture: Fracture, rule: str, hand: np.random.Generator, is_visible: Visibility,
                  oversample: float) -> list[np.ndarray]:
    """Return the points (2,) of one fracture on the canvas by one of :data:`RULES`."""
    number = 1
    if rule == 'length':
        length = len(fracture.line) / oversample
        if length > 30 and hand.random() < .75:
            number = 2 + int(length > 60 and hand.random() < .6)
    elif rule == 'several':
        number = int(hand.integers(1, MOST_POINTS + 1))
    shares = (np.arange(number) + .5) / number
    points = [set_point(fracture.line, share, hand, is_visible, oversample) for share in shares]
    if rule == 'fragments':
        points += [set_part_point(fracture.line, part, hand, is_visible, oversample)
                   for part in fracture.parts]
    return points


def set_point(line: np.ndarray, share: float, rng: np.random.Generator, is_visible: Visibility,
              oversample: float) -> np.ndarray:
    """Return a point near ``share`` of the line where one may be; else the nearest of the line."""
    for spread in (1., .7, .4):
        at = np.clip(share + .12 * rng.normal(), .05, .95)
        point = line[int(at * (len(line) - 1))] + rng.normal(0, 1.6, 2) * oversample * spread
        if is_visible(point[None])[0]:
            return point
    allowed = np.flatnonzero(is_visible(line))
    return line[allowed[np.abs(allowed - share * len(line)).argmin()]]


def set_part_point(line: np.ndarray, part: np.ndarray, rng: np.random.Generator,
                   is_visible: Visibility, oversample: float) -> np.ndarray:
    """Return a point near a part (2,) of a fracture where one may be; else on its line."""
    for spread in (1., .7, .4):
        point = part + rng.normal(0, 1.6, 2) * oversample * spread
        if is_visible(point[None])[0]:
            return point
    allowed = line[is_visible(line)]
    return allowed[np.hypot(*(allowed - part).T).argmin()]


def move_points(points: Sequence[np.ndarray], moves: np.ndarray, size: tuple[int, int],
                oversample: float) -> list[np.ndarray]:
    """Return canvas points moved by ``(n, 2)`` image pixels, kept half a pixel inside the image."""
    height, width = size
    return [np.clip(point + move * oversample, .5 * oversample,
                    np.array([width - .5, height - .5]) * oversample)
            for point, move in zip(points, moves, strict=True)]
