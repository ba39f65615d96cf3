"""Outlines, poses and the projected thickness of bones.

Anatomy is drawn in centimetres of the patient (x towards the image's right, y down, the
midline of the sacrum's upper end at the origin); a :class:`Pose` takes it to the pixels of
the canvas on which attenuation is added up.
"""
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike

from mmwindow.synthetic.texture import Trabeculae, blur

Ridge = tuple[Any, float, float]  # points (N, 2), width in cm, attenuation
Box = tuple[int, int, int, int]  # top, left, bottom and right on the canvas
CORTICAL, TRABECULAR = 0.62, 0.13  # attenuation per cm beyond that of soft tissue


@dataclass(frozen=True)
class Pose:
    """Patient centimetres to canvas pixels: scale, rotation, shift and a smooth bend.

    Attributes:
        scale: Canvas pixels per centimetre.
        matrix: (2, 3), the affine map.
        bend: (4, 4) rows of (amplitude, wave x, wave y, phase): two waves for x, two
            for y, in centimetres; it makes patients differ without tearing joints.
    """
    scale: float
    matrix: np.ndarray
    bend: np.ndarray

    def __call__(self, points: ArrayLike) -> np.ndarray:
        """Map (N, 2) patient cm to (N, 2) continuous canvas pixels."""
        points = np.asarray(points, np.float64).reshape(-1, 2)
        amplitude, wave_x, wave_y, phase = self.bend.T
        waves = amplitude * np.sin(points[:, :1] * wave_x + points[:, 1:] * wave_y + phase)
        moved = points + np.stack([waves[:, :2].sum(1), waves[:, 2:].sum(1)], 1)
        return moved @ self.matrix[:, :2].T + self.matrix[:, 2]

    def direction(self, start: ArrayLike, end: ArrayLike) -> np.ndarray:
        """Return the unit vector, canvas, from patient point ``start`` to ``end``."""
        ends = self(np.stack([start, end]))
        step = ends[1] - ends[0]
        return step / max(np.hypot(*step), 1e-6)


@dataclass(frozen=True)
class Bone:
    """One bone as a filled outline with a shell, in patient centimetres.

    Attributes:
        name: 'femur_right' and so on; fracture sites name it.
        outline: (N, 2) control points of a smooth closed curve.
        profile: (K, 7) anchors (x, y, rounding, depth, shell, trabecular angle in
            degrees, density): what the bone is like near (x, y). ``rounding`` is the distance
            from the edge over which the depth along the beam grows to ``depth``.
        holes: Closed curves that are cut out.
        ridges: (points (N, 2), width cm, attenuation): dense or, where negative,
            lucent lines within the bone.
    """
    name: str
    outline: np.ndarray
    profile: ArrayLike
    holes: list[np.ndarray] = field(default_factory=list)
    ridges: Sequence[Ridge] = field(default_factory=list)


@dataclass
class Layer:
    """A bone on the canvas, cropped to where it is.

    Attributes:
        name: The bone's name.
        box: (top, left, bottom, right) on the canvas.
        attenuation: (h, w) float32, added to that of the soft tissue.
        mask: (h, w) uint8, 1 on bone.
    """
    name: str
    box: Box
    attenuation: np.ndarray
    mask: np.ndarray

    @property
    def window(self) -> tuple[slice, slice]:
        """The slices of the canvas that the layer covers."""
        return slice(self.box[0], self.box[2]), slice(self.box[1], self.box[3])


def catmull_rom(steps: int) -> np.ndarray:
    """Return the (steps, 4) weights of four neighbouring control points."""
    t = np.arange(steps)[:, None] / steps
    power = np.concatenate([t ** 0, t, t ** 2, t ** 3], 1)
    return 0.5 * power @ np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1.]])


WEIGHTS = catmull_rom(6)


def smooth_curve(points: ArrayLike, closed: bool = True) -> np.ndarray:
    """Return the Catmull-Rom curve through (N, 2) points; six times as many when closed."""
    points = np.asarray(points, np.float64)
    if closed:
        ends = np.concatenate([points[-1:], points, points[:2]])
    else:
        ends = np.concatenate([2 * points[:1] - points[1:2], points,
                               2 * points[-1:] - points[-2:-1]])
    neighbours = np.stack([ends[:-3], ends[1:-2], ends[2:-1], ends[3:]], 1)  # (N, 4, 2)
    return (WEIGHTS @ neighbours).reshape(-1, 2)


def fixed_point(points: ArrayLike, corner: ArrayLike = (0, 0)) -> np.ndarray:
    """Return continuous pixels as cv2's integers of 1/16 pixel (its pixel centres are integers)."""
    shifted = np.asarray(points) - corner - 0.5
    return np.round(shifted * 16).astype(np.int32).reshape(-1, 1, 2)


def crop_box(points: np.ndarray, canvas_shape: tuple[int, int], margin: float) -> Box | None:
    """Return the box around (N, 2) points, or None where it is off the canvas."""
    low, high = points.min(0) - margin, points.max(0) + margin
    left, top = np.maximum(np.floor(low).astype(int), 0)
    right, bottom = np.minimum(np.ceil(high).astype(int), canvas_shape[::-1])
    if right - left < 8 or bottom - top < 8:
        return None
    return int(top), int(left), int(bottom), int(right)


def profile_maps(anchors: np.ndarray, places: np.ndarray, box: Box,
                 coarse: int = 8) -> Sequence[np.ndarray]:
    """Spread anchor values over a box by inverse distances: return five (h, w) float32.

    Args:
        anchors: (K, 5) values.
        places: (K, 2) canvas pixels.
        box: Where.
        coarse: Step of the grid on which the values are worked out.
    """
    top, left, bottom, right = box
    rows, cols = (bottom - top) // coarse + 2, (right - left) // coarse + 2
    y = (np.arange(rows, dtype=np.float32) * coarse + top)[:, None, None]
    x = (np.arange(cols, dtype=np.float32) * coarse + left)[None, :, None]
    places = places.astype(np.float32)
    squared = (y - places[:, 1]) ** 2 + (x - places[:, 0]) ** 2
    weight = 1 / (squared + 30) ** 1.5
    weight /= weight.sum(-1, keepdims=True)
    maps = weight @ anchors.astype(np.float32)
    full = cv2.resize(maps, (cols * coarse, rows * coarse), interpolation=cv2.INTER_LINEAR)
    return cv2.split(full[:bottom - top, :right - left])


def shell_attenuation(depth_inside: np.ndarray, rounding: np.ndarray, depth: np.ndarray,
                      shell: np.ndarray, density: np.ndarray, marrow: np.ndarray) -> np.ndarray:
    """Return the attenuation of a rounded solid with a dense shell, seen along the beam.

    The chord of a rounded edge grows as a circle's; the shell's share is the outer chord
    minus that of the cavity, which makes the dense rim and the clearer middle of a tube.

    Args:
        depth_inside: (h, w), distance to the nearest edge, cm; <= 0 outside.
        rounding, depth, shell: (h, w), cm; see :class:`Bone`.
        density: (h, w), factor on the trabecular part.
        marrow: (h, w), texture around 1.
    """
    inside = np.clip(depth_inside / rounding, 0, 1)
    outer = depth * np.sqrt(inside * (2 - inside))
    cavity = np.clip((depth_inside - shell) / np.maximum(rounding - shell, 0.05), 0, 1)
    inner = np.maximum(depth - 2 * shell, 0) * np.sqrt(cavity * (2 - cavity))
    return CORTICAL * (outer - inner) + TRABECULAR * density * inner * marrow


def render_bone(bone: Bone, pose: Pose, canvas_shape: tuple[int, int],
                texture: Trabeculae, strength: float = 1.) -> Layer | None:
    """Draw one bone; return None where it lies off the canvas.

    Args:
        bone: What.
        pose: Where.
        canvas_shape: (height, width).
        texture: (cos 2a, sin 2a, window) -> (h, w) texture around 0 along angle a.
        strength: Mineral content, 1 for a healthy adult.
    """
    outline = smooth_curve(pose(bone.outline))
    box = crop_box(outline, canvas_shape, 0.9 * pose.scale)
    if box is None:
        return None
    top, left, bottom, right = box
    corner = (left, top)
    mask = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(mask, [fixed_point(outline, corner)], 1, shift=4)
    for hole in bone.holes:
        cv2.fillPoly(mask, [fixed_point(smooth_curve(pose(hole)), corner)], 0, shift=4)
    anchors = np.asarray(bone.profile, np.float64)
    angle = np.deg2rad(2 * anchors[:, 5])
    values = np.column_stack([anchors[:, 2:5], np.cos(angle), np.sin(angle), anchors[:, 6]])
    rounding, depth, shell, cos2, sin2, density = profile_maps(values, pose(anchors[:, :2]), box)
    padded = np.pad(mask, 1, constant_values=0)  # the canvas edge is no cortex, but bone ends do
    padded[0], padded[-1] = padded[1], padded[-2]
    padded[:, 0], padded[:, -1] = padded[:, 1], padded[:, -2]
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    even = cv2.blur(distance, (2 * int(.2 * pose.scale) + 1,) * 2)  # no crease along the middle
    distance += (even - distance) * np.clip(distance / (.7 * pose.scale) - .3, 0, 1)
    window = (slice(top, bottom), slice(left, right))
    grain = texture(cos2, sin2, window)
    attenuation = shell_attenuation((distance - 0.5) / pose.scale, rounding, depth,
                                    shell * strength, density * strength, 1 + grain)
    attenuation += ridges(bone, pose, box) * (strength * mask)
    return Layer(bone.name, box, np.maximum(attenuation, 0).astype(np.float32), mask)


def ridges(bone: Bone, pose: Pose, box: Box) -> np.ndarray:
    """Return the bone's soft dense and lucent lines, (h, w) float32 attenuation in ``box``."""
    top, left, bottom, right = box
    total = np.zeros((bottom - top, right - left), np.float32)
    if not bone.ridges:
        return total
    parts = np.cumsum([len(points) for points, _, _ in bone.ridges])[:-1]
    curves = np.split(pose(np.concatenate([points for points, _, _ in bone.ridges])), parts)
    widths = np.maximum(np.array([width for _, width, _ in bone.ridges]) * pose.scale, 1)
    for fine in (True, False):  # one blur serves all of about one width
        chosen = np.flatnonzero((widths < 3.5) == fine)
        if not len(chosen):
            continue
        lines = np.zeros_like(total)
        for number in chosen.tolist():
            path = fixed_point(smooth_curve(curves[number], closed=False), (left, top))
            cv2.polylines(lines, [path], False, 1.3 * bone.ridges[number][2],
                          int(round(widths[number])), cv2.LINE_8, 4)
        total += blur(lines, max(.7, .4 * widths[chosen].mean()))
    return total
