"""What makes a fracture more than a line: branches, chips and its extent."""

import cv2
import numpy as np

from mmwindow.synthetic.anatomy import Patient
from mmwindow.synthetic.annotators import Visibility
from mmwindow.synthetic.fractures import (
    SITES,
    Break,
    Fracture,
    bone_run,
    break_layer,
    draw_break,
    draw_length,
    fit_length,
)
from mmwindow.synthetic.shapes import Layer, Pose, fixed_point
from mmwindow.synthetic.texture import blur


def add_fractures(layers: dict[str, Layer], pose: Pose, patient: Patient, rng: np.random.Generator,
                  is_visible: Visibility, extent_spread: float | None = None) -> list[Fracture]:
    """Break one to three of the layers, in place, and return what was broken.

    Args:
        layers: The bones, by name.
        pose: Where they lie.
        patient: Whose they are.
        rng: Source.
        is_visible: Where a fracture may show.
        extent_spread: As in :class:`~mmwindow.synthetic.variation.Variation`.
    """
    wanted = 1 + int(rng.random() < .42) + int(rng.random() < .12)
    # Drawn before any site is: a long line finds fewer places, and would be drawn again there.
    lengths = [] if extent_spread is None else [
        draw_length(rng, extent_spread) * pose.scale for _ in range(wanted)]
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
        if lengths:
            crack = fit_length(crack, layers[crack.name], lengths[len(fractures)], pose.scale, rng)
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
    parts: list[np.ndarray] = []
    if not faint:
        parts = [*branches(layer, crack, line, cm, rng, extent),
                 *chips(layer, line, cm, rng, extent)]
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    outlines, _ = cv2.findContours(cv2.dilate(extent, kernel), cv2.RETR_EXTERNAL,
                                   cv2.CHAIN_APPROX_SIMPLE)
    kept = [o[:, 0] + corner + .5 for o in map(lambda o: cv2.approxPolyDP(o, 1., True), outlines)
            if len(o) > 2]
    return Fracture(crack.name, line, kept, faint, parts)


def branches(layer: Layer, crack: Break, line: np.ndarray, cm: float, rng: np.random.Generator,
             extent: np.ndarray) -> list[np.ndarray]:
    """Add secondary cracks that leave the line, in place; return the middle of each."""
    middles = []
    for _ in range(rng.choice(3, p=[.6, .25, .15])):
        start = line[rng.integers(len(line))]
        angle = rng.uniform(.5, 1.2) * rng.choice([-1, 1])
        heading = rng.choice([-1, 1]) * (np.cos(angle) * crack.across + np.sin(angle) * crack.along)
        steps = rng.normal(0, .12, (6, 2)) + heading * rng.uniform(.12, .32)
        course = start + np.cumsum(np.vstack([[0, 0], steps]), 0) * cm
        middles.append(course.mean(0))
        path = fixed_point(course, (layer.box[1], layer.box[0]))
        gap = np.zeros(layer.mask.shape, np.float32)
        cv2.polylines(gap, [path], False, 1., int(max(2, .6 * crack.width)), cv2.LINE_8, 4)
        cv2.polylines(extent, [path], False, 1, int(max(2, crack.width)), cv2.LINE_8, 4)
        layer.attenuation *= 1 - .8 * crack.depth * blur(gap, .8)
    return middles


def chips(layer: Layer, line: np.ndarray, cm: float, rng: np.random.Generator,
          extent: np.ndarray) -> list[np.ndarray]:
    """Add small loose pieces with their own cortex near the ends of the line, in place.

    Returns:
        The centre of each, (2,).
    """
    centres = []
    for _ in range(rng.choice(4, p=[.55, .2, .15, .1])):
        size = rng.uniform(.2, .55) * cm
        centre = line[rng.choice([0, -1])] + rng.normal(0, .45, 2) * cm
        centres.append(centre)
        angle = np.sort(rng.uniform(0, 2 * np.pi, 6))
        radius = size * rng.uniform(.5, 1.2, 6)
        corners = centre + np.column_stack([np.cos(angle), .7 * np.sin(angle)]) * radius[:, None]
        path = [fixed_point(corners, (layer.box[1], layer.box[0]))]
        piece = np.zeros(layer.mask.shape, np.float32)
        cv2.fillPoly(piece, path, .22, shift=4)
        cv2.polylines(piece, path, True, .4, 2, cv2.LINE_8, 4)
        cv2.fillPoly(extent, path, 1, shift=4)
        layer.attenuation += blur(piece, .7)
    return centres
