"""What makes a fracture more than a line: branches, chips, its extent and its points."""
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from mmwindow.synthetic.anatomy import Patient
from mmwindow.synthetic.fractures import (
    SITES,
    Break,
    Fracture,
    bone_run,
    break_layer,
    draw_break,
)
from mmwindow.synthetic.shapes import Layer, Pose, fixed_point
from mmwindow.synthetic.texture import blur

# (n, 2) canvas points -> (n,) bool, True on bone that is well within the image.
Visibility = Callable[[np.ndarray], np.ndarray]


class Marks(NamedTuple):
    """Points that an annotator sets.

    Attributes:
        points: (N, 2) float64, continuous canvas pixels.
        owners: (N,) int, the fracture that each point marks.
    """

    points: np.ndarray
    owners: np.ndarray


def add_fractures(layers: dict[str, Layer], pose: Pose, patient: Patient, rng: np.random.Generator,
                  is_visible: Visibility) -> list[Fracture]:
    """Break one to three of the layers, in place, and return what was broken.

    Args:
        layers: The bones, by name.
        pose: Where they lie.
        patient: Whose they are.
        rng: Source.
        is_visible: Where a fracture may show.
    """
    wanted = 1 + int(rng.random() < .42) + int(rng.random() < .12)
    weights = np.array([site[-1] for site in SITES])
    fractures: list[Fracture] = []
    side = rng.choice(['right', 'left'])
    for attempt in range(400):
        site = SITES[rng.choice(len(SITES), p=weights / weights.sum())]
        if rng.random() < .3:  # pelvic rings mostly break twice on one side
            side = 'left' if side == 'right' else 'right'
        crack, faint = draw_break(rng, pose, patient, site, side)
        if crack.name not in layers:
            continue
        line = bone_run(crack, layers[crack.name])
        if line is None or len(line) < .7 * pose.scale or is_visible(line).mean() < (
                .8 if attempt < 80 else .3):
            continue
        middle, near = line[len(line) // 2], 2.5 * pose.scale
        if any(np.abs(middle - other.line).sum(1).min() < near for other in fractures):
            continue
        fractures.append(apply_break(crack, line, faint, layers[crack.name], pose.scale, rng))
        if len(fractures) == wanted or (fractures and attempt > 80):
            break
    return fractures


def apply_break(crack: Break, line: np.ndarray, faint: bool, layer: Layer, cm: float,
                rng: np.random.Generator) -> Fracture:
    """Break a layer in place along ``line``, add branches and chips, outline it all."""
    layer.attenuation = break_layer(crack, layer, cm)
    corner = np.array([layer.box[1], layer.box[0]])
    extent = np.zeros(layer.mask.shape, np.uint8)
    thick = int(max(crack.width, .35 * cm, min(abs(crack.slip) + abs(crack.gap), 1.1 * cm)) + 2)
    cv2.polylines(extent, [fixed_point(line, corner)], False, 1, thick, cv2.LINE_8, 4)
    if not faint:
        branches(layer, crack, line, cm, rng, extent)
        chips(layer, line, cm, rng, extent)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    outlines, _ = cv2.findContours(cv2.dilate(extent, kernel), cv2.RETR_EXTERNAL,
                                   cv2.CHAIN_APPROX_SIMPLE)
    kept = [o[:, 0] + corner + .5 for o in map(lambda o: cv2.approxPolyDP(o, 1., True), outlines)
            if len(o) > 2]
    return Fracture(crack.name, line, kept, faint)


def branches(layer: Layer, crack: Break, line: np.ndarray, cm: float, rng: np.random.Generator,
             extent: np.ndarray) -> None:
    """Add secondary cracks that leave the line, in place."""
    for _ in range(rng.choice(3, p=[.6, .25, .15])):
        start = line[rng.integers(len(line))]
        angle = rng.uniform(.5, 1.2) * rng.choice([-1, 1])
        heading = rng.choice([-1, 1]) * (np.cos(angle) * crack.across + np.sin(angle) * crack.along)
        steps = rng.normal(0, .12, (6, 2)) + heading * rng.uniform(.12, .32)
        path = fixed_point(start + np.cumsum(np.vstack([[0, 0], steps]), 0) * cm,
                           (layer.box[1], layer.box[0]))
        gap = np.zeros(layer.mask.shape, np.float32)
        cv2.polylines(gap, [path], False, 1., int(max(2, .6 * crack.width)), cv2.LINE_8, 4)
        cv2.polylines(extent, [path], False, 1, int(max(2, crack.width)), cv2.LINE_8, 4)
        layer.attenuation *= 1 - .8 * crack.depth * blur(gap, .8)


def chips(layer: Layer, line: np.ndarray, cm: float, rng: np.random.Generator,
          extent: np.ndarray) -> None:
    """Add small loose pieces with their own cortex near the ends of the line, in place."""
    for _ in range(rng.choice(4, p=[.55, .2, .15, .1])):
        size = rng.uniform(.2, .55) * cm
        centre = line[rng.choice([0, -1])] + rng.normal(0, .45, 2) * cm
        angle = np.sort(rng.uniform(0, 2 * np.pi, 6))
        radius = size * rng.uniform(.5, 1.2, 6)
        corners = centre + np.column_stack([np.cos(angle), .7 * np.sin(angle)]) * radius[:, None]
        path = [fixed_point(corners, (layer.box[1], layer.box[0]))]
        piece = np.zeros(layer.mask.shape, np.float32)
        cv2.fillPoly(piece, path, .22, shift=4)
        cv2.polylines(piece, path, True, .4, 2, cv2.LINE_8, 4)
        cv2.fillPoly(extent, path, 1, shift=4)
        layer.attenuation += blur(piece, .7)


def annotate(fractures: list[Fracture], rng: np.random.Generator, is_visible: Visibility,
             oversample: float) -> Marks:
    """Set the points that an annotator would set on the fractures.

    Short lines get one, long ones mostly several; each is off by a little but on bone.

    Args:
        fractures: On the canvas.
        rng: The annotator's hand.
        is_visible: Where a point may be.
        oversample: Canvas pixels per image pixel.
    """
    points, owners = [], []
    for owner, fracture in enumerate(fractures):
        length = len(fracture.line) / oversample
        number = 1
        if length > 30 and rng.random() < .75:
            number = 2 + int(length > 60 and rng.random() < .6)
        for share in (np.arange(number) + .5) / number:
            points.append(set_point(fracture.line, share, rng, is_visible, oversample))
            owners.append(owner)
    return Marks(np.array(points, np.float64).reshape(-1, 2), np.array(owners, int))


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
