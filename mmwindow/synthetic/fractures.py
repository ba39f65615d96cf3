"""Fractures: where they happen, the broken line, displaced pieces and fragments.

A fracture works on one bone's layer before the layers add up, as it does in a patient: the
bone is split along an irregular line, its two pieces move against each other (a step in the
cortex, a gap, or a dense band where they overlap) and neighbours in front and behind stay
unbroken.
"""
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from mmwindow.synthetic.anatomy import Patient
from mmwindow.synthetic.shapes import Layer, Pose

Site = tuple[str, tuple[float, float], tuple[float, float], float, float, float]

# bone, centre, direction of the bone there, half length of the line, cm of decay, weight
SITES: tuple[Site, ...] = (
    ('femur', (10.7, 10.4), (.82, .57), 1.7, 4., 1.3),   # subcapital
    ('femur', (11.5, 11.0), (.80, .60), 1.9, 4., 1.3),   # transcervical
    ('femur', (12.8, 12.0), (.77, .63), 2.5, 4., 1.8),   # intertrochanteric
    ('femur', (12.9, 15.6), (-.05, 1), 1.6, 4., .8),     # subtrochanteric
    ('femur', (12.6, 18.5), (-.04, 1), 1.5, 4., .7),     # shaft
    ('femur', (13.8, 10.5), (.7, -.7), 1.5, 1.6, .5),    # greater trochanter
    ('innominate', (4.8, 9.9), (-.9, .42), 1., 1.7, 1.2),    # superior pubic ramus
    ('innominate', (3.0, 10.7), (-.95, .3), .85, 1.5, 1.2),
    ('innominate', (3.0, 14.7), (-.9, -.43), .6, 1.4, 1.2),  # inferior pubic ramus
    ('innominate', (4.6, 15.3), (-.9, -.3), .7, 1.4, .8),
    ('innominate', (6.9, 12.9), (.05, 1), 1.1, 1.7, .8),     # ischium
    ('innominate', (1.2, 12.0), (1, .1), 1.4, 1.2, .6),      # body of the pubis
    ('innominate', (9.8, -1.6), (1, .15), 2.4, 1.8, 1.),     # iliac wing from the crest
    ('innominate', (12.0, .4), (.35, 1), 2.3, 1.6, .8),      # iliac wing from the spine
    ('innominate', (8.8, 5.0), (.15, 1), 3., 2., 1.),        # above the acetabulum
    ('innominate', (6.0, 8.0), (.1, 1), .8, 1.4, .6),        # medial wall
    ('sacrum', (3.3, 2.6), (1, .15), 2.2, 1.3, .9),          # ala
    ('sacrum', (-3.3, 2.6), (-1, .15), 2.2, 1.3, .9),
    ('sacrum', (0, 6.4), (0, 1), 1.9, 1.2, .4))

MEDIAN_LENGTH = 3.4  # cm of a fracture line where a spread of lengths is asked for
MOST_DEVIATION = 1.75  # of a length, in standard deviations: no bone has room for longer lines
TURNS = (0, 25, 45, 60, 70, 77)  # degrees by which a line is turned until the bone has room for it


@dataclass(frozen=True)
class Break:
    """One fracture line on the canvas; lengths in canvas pixels.

    Attributes:
        name: The layer it breaks.
        origin, along, across: (2,); ``across`` is the bone's direction, ``along``
            the line's.
        half: The line reaches from -half to half.
        wander: (n,) offset of the line in the direction of the bone, one a pixel
            from -len/2 on.
        width: Of the gap.
        depth: Share of the bone that is missing in the gap.
        slip, gap: How far the pieces move along and away from the line.
        turn: Angle between the pieces, radians.
        decay: How far from the line the pieces move.
        ends: Where the gap fades out, shares of half (beyond 1: never).
    """
    name: str
    origin: np.ndarray
    along: np.ndarray
    across: np.ndarray
    half: float
    wander: np.ndarray
    width: float
    depth: float
    slip: float
    gap: float
    turn: float
    decay: float
    ends: tuple[float, float]

    def offset(self, lengths: np.ndarray) -> np.ndarray:
        """Return the line's offset at lengths along it (any shape), canvas pixels."""
        index = np.clip(lengths + len(self.wander) // 2, 0, len(self.wander) - 1)
        return self.wander[index.astype(np.int32)]

    def point(self, lengths: np.ndarray) -> np.ndarray:
        """Return the (n, 2) canvas points of the line at (n,) lengths."""
        lengths = np.atleast_1d(lengths)
        return (self.origin + lengths[:, None] * self.along
                + self.offset(lengths)[:, None] * self.across)


@dataclass
class Fracture:
    """What is known of one fracture afterwards.

    Attributes:
        name: The bone.
        line: (n, 2) canvas points of the line within the bone.
        extent: (m, 2) canvas outlines of what belongs to the fracture.
        faint: Drawn to be easily missed.
        parts: (2,) canvas points, the middle of each branch and chip.
    """
    name: str
    line: np.ndarray
    extent: list[np.ndarray] = field(default_factory=list)
    faint: bool = False
    parts: list[np.ndarray] = field(default_factory=list)


def draw_break(rng: np.random.Generator, pose: Pose, patient: Patient, site: Site,
               side: str) -> tuple[Break, bool]:
    """Draw the random shape of a fracture at a site; return it and whether it is faint."""
    bone, middle, heading, half, decay, _ = site
    place = 'middle' if bone == 'sacrum' else side
    centre, axis = np.array(middle), np.array(heading, float) / np.hypot(*heading)
    centre = centre + axis * rng.normal(0, .35) + rng.normal(0, .1, 2)
    tilt = np.deg2rad(rng.normal(0, 16))
    axis = np.array([axis[0] * np.cos(tilt) - axis[1] * np.sin(tilt),
                     axis[0] * np.sin(tilt) + axis[1] * np.cos(tilt)])
    ends = patient.locate([centre, centre + axis], place)
    origin, across = pose(ends[:1])[0], pose.direction(*ends)
    along = np.array([-across[1], across[0]])
    faint, cm = bool(rng.random() < .13), pose.scale
    half = half * rng.uniform(.95, 1.2) * cm
    strength = .25 if faint else 1.
    inner = rng.random() < .25  # the gap stops within the bone
    stop = (1.6, rng.uniform(0, .5)) if inner else (1.6, 1.6)
    return Break(
        name=bone if place == 'middle' else f'{bone}_{side}', origin=origin, along=along,
        across=across, half=half, wander=wandering(rng, int(2 * half + 4 * cm), cm),
        width=max(3. if not faint else 2., rng.uniform(.16, .42) * cm * (.7 if faint else 1)),
        depth=rng.uniform(.3, .5) if faint else rng.uniform(.65, 1.),
        slip=strength * rng.normal(0, .42) * cm * (.4 if inner else 1),
        gap=strength * rng.uniform(-.25, .4) * cm * (.4 if inner else 1),
        turn=strength * rng.normal(0, .1) * (.3 if inner else 1), decay=decay * cm,
        ends=stop if rng.random() < .5 else stop[::-1]), faint


def wandering(rng: np.random.Generator, length: int, cm: float) -> np.ndarray:
    """Draw the (length,) float32 offsets of an irregular line: a bow, a walk with corners, teeth."""
    at = np.arange(length, dtype=np.float32)
    bow = rng.normal(0, .25) * ((at / length - .5) ** 2 * 4 - .3)
    corners = np.arange(0, length + cm, rng.uniform(.35, .9) * cm)
    walk = np.cumsum(rng.normal(0, .24, len(corners)))
    teeth = np.arange(0, length + cm, rng.uniform(.12, .3) * cm)
    jags = rng.normal(0, .07, len(teeth))
    line = bow + np.interp(at, corners, walk) + np.interp(at, teeth, jags)
    return ((line - line[length // 2]) * cm).astype(np.float32)


def draw_length(rng: np.random.Generator, spread: float) -> float:
    """Draw the length of a fracture line in cm: lognormal around the median of the sites' own."""
    return MEDIAN_LENGTH * float(np.exp(spread * np.clip(rng.normal(), -MOST_DEVIATION,
                                                         MOST_DEVIATION)))


def fit_length(crack: Break, layer: Layer, length: float, cm: float, rng: np.random.Generator
               ) -> Break:
    """Return a break whose line in the bone has a length, as far as the bone has room for it.

    A line longer than the bone is wide runs obliquely, as spiral fractures do; a shorter one ends
    within the bone, where the pieces hardly move.

    Args:
        crack: From :func:`draw_break`.
        layer: The bone.
        length: Canvas pixels.
        cm: Canvas pixels per centimetre.
        rng: Of the course of the line and the direction of its turn.
    """
    half = .5 * length + cm
    crack = replace(crack, half=half, ends=(1.6, 1.6), wander=wandering(
        rng, int(2.3 * half + 4 * cm), cm))
    turns = np.deg2rad(TURNS) * rng.choice([-1, 1])
    best, run = crack, 0
    for turn in turns:
        along = np.cos(turn) * crack.along + np.sin(turn) * crack.across
        turned = replace(crack, along=along, across=np.array([along[1], -along[0]]))
        line = bone_run(turned, layer)
        if line is not None and len(line) > run:
            best, run = turned, len(line)
        if run >= length:
            break
    line = bone_run(best, layer)
    if line is None:
        return best
    reach = (line - best.origin) @ best.along
    middle = np.clip(0., reach[0] + length / 2, max(reach[-1] - length / 2, reach[0] + length / 2))
    first, last = max(reach[0], middle - length / 2), min(reach[-1], middle + length / 2)
    is_inside = last - first < reach[-1] - reach[0] - 2
    half = max(abs(first), abs(last), 1.)
    return replace(best, half=half, ends=(-first / half, last / half) if is_inside else (1.6, 1.6),
                   slip=best.slip * (.4 if is_inside else 1), gap=best.gap * (.4 if is_inside else 1),
                   turn=best.turn * (.3 if is_inside else 1))


def bone_run(crack: Break, layer: Layer) -> np.ndarray | None:
    """Return the line's stretch in the bone through its middle, (n, 2) canvas points, or None."""
    lengths = np.arange(-crack.half * 1.15, crack.half * 1.15, 1.)
    reach = (-crack.ends[0] * crack.half, crack.ends[1] * crack.half)
    lengths = lengths[(lengths > reach[0]) & (lengths < reach[1])]
    if not len(lengths):
        return None
    points = crack.point(lengths)
    columns, rows = (points - (layer.box[1], layer.box[0])).astype(int).T
    height, width = layer.mask.shape
    inside = (columns >= 0) & (rows >= 0) & (columns < width) & (rows < height)
    on_bone = np.zeros(len(points), bool)
    on_bone[inside] = layer.mask[rows[inside], columns[inside]] > 0
    if not on_bone.any():
        return None
    start = int(np.flatnonzero(on_bone)[np.abs(lengths[on_bone]).argmin()])
    first = last = start
    while first > 0 and on_bone[first - 1]:
        first -= 1
    while last + 1 < len(points) and on_bone[last + 1]:
        last += 1
    return points[first:last + 1]


def break_layer(crack: Break, layer: Layer, cm: float) -> np.ndarray:
    """Return a copy of a layer's attenuation, broken: pieces moved, the gap taken out.

    Args:
        crack: The line.
        layer: The bone, left as it is.
        cm: Canvas pixels per centimetre.
    """
    attenuation = layer.attenuation.copy()
    centre = crack.origin - (layer.box[1], layer.box[0])
    reach = max(crack.half + 1.6 * cm, 1.7 * crack.decay)
    low = np.maximum((centre - reach).astype(int), 0)
    high = np.minimum((centre + reach).astype(int) + 1, attenuation.shape[::-1])
    part = (slice(low[1], high[1]), slice(low[0], high[0]))
    x, y = np.meshgrid(np.arange(low[0], high[0], dtype=np.float32),
                       np.arange(low[1], high[1], dtype=np.float32))
    dx, dy = x + np.float32(.5 - centre[0]), y + np.float32(.5 - centre[1])
    s = dx * np.float32(crack.along[0]) + dy * np.float32(crack.along[1])
    q = dx * np.float32(crack.across[0]) + dy * np.float32(crack.across[1]) - crack.offset(s)
    moving = np.clip((crack.half + 1.3 * cm - np.abs(s)) / (.9 * cm), 0, 1)
    moving = moving * moving * (3 - 2 * moving) * np.exp(-(1.3 * q / crack.decay) ** 2)
    local = attenuation[part]
    pieces = np.zeros_like(local)
    step = .5 * (crack.slip * crack.along + crack.gap * crack.across)
    for sign in (-1, 1):
        share = np.clip(.5 + sign * q, 0, 1)
        shift_x = sign * moving * (step[0] - .5 * crack.turn * dy)
        shift_y = sign * moving * (step[1] + .5 * crack.turn * dx)
        pieces += cv2.remap(local * share, (x - low[0] - shift_x).astype(np.float32),
                            (y - low[1] - shift_y).astype(np.float32), cv2.INTER_LINEAR,
                            borderMode=cv2.BORDER_REPLICATE)
    fade = np.clip((s + crack.ends[0] * crack.half) / (.5 * cm) + 1, 0, 1)
    fade = fade * np.clip((crack.ends[1] * crack.half - s) / (.5 * cm) + 1, 0, 1)
    missing = crack.depth * fade * np.exp(-(2 * q / crack.width) ** 4)
    attenuation[part] = pieces * (1 - missing * np.clip(moving * 3, 0, 1))
    return attenuation
