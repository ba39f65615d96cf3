"""Soft tissue and gas: body outline, thighs, muscles between fat planes, bladder, bowel."""
import cv2
import numpy as np
from numpy.typing import ArrayLike

from mmwindow.synthetic.anatomy import Patient, arc
from mmwindow.synthetic.shapes import Pose, fixed_point, smooth_curve
from mmwindow.synthetic.texture import blur, smooth_field

SOFT = 0.2  # attenuation per cm
# The image's right half, patient cm; over fat: attenuation of each.
MUSCLES: dict[str, tuple[list[tuple[float, float]], float]] = {
    'gluteal': ([(12.6, -1.5), (14.3, 1.5), (15.6, 6), (15.6, 9.2), (14.2, 9.0), (12.4, 6.4),
                 (12.4, 3), (11.5, 0)], .2),
    'psoas': ([(2.2, -12), (5.0, -8), (7.2, -2), (9.8, 4), (12, 9.5), (11.6, 14.4), (9.6, 11.5),
               (6.8, 6), (3.4, -2), (1.5, -9)], .16),
    'obturator': ([(5.2, 6.5), (5.5, 9.0), (4.3, 11.3), (3.7, 10.6), (4.5, 8.8), (4.7, 6.6)], .1),
    'adductors': ([(1.5, 14), (4.5, 15.5), (8, 19), (9.6, 26), (9, 34), (3.6, 34), (2.2, 22)], .18),
    'vastus': ([(14.6, 13), (16.2, 17), (16.6, 24), (16.2, 34), (13.2, 34), (13.6, 20)], .16)}


def patient_grid(pose: Pose, shape: tuple[int, int], step: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y, (h, w) float32 patient cm without the bend, on every ``step``-th pixel."""
    inverse = cv2.invertAffineTransform(pose.matrix)
    rows = np.arange(shape[0] // step + 2, dtype=np.float32)[:, None] * step
    cols = np.arange(shape[1] // step + 2, dtype=np.float32)[None, :] * step
    return tuple((inverse[k, 0] * cols + inverse[k, 1] * rows + inverse[k, 2]).astype(np.float32)
                 for k in range(2))


def upsample(field: np.ndarray, step: int, shape: tuple[int, int]) -> np.ndarray:
    """Bring a field of :func:`patient_grid` back to ``shape``."""
    full = cv2.resize(field, (field.shape[1] * step, field.shape[0] * step),
                      interpolation=cv2.INTER_LINEAR)
    return full[:shape[0], :shape[1]]


def body_thickness(x: np.ndarray, y: np.ndarray, patient: Patient,
                   rng: np.random.Generator) -> np.ndarray:
    """Return the path length through the body, cm, on a grid of patient cm."""
    girth, depth = patient.girth, patient.thickness
    waist = 1 - .14 * np.exp(-((y + 9) / 6) ** 2) * rng.uniform(-.2, 1)
    half = girth * waist * (1 - .03 * np.sin(y / 5))
    inside = np.clip(1 - (np.abs(x) / half) ** 2.6, 0, 1)
    trunk = depth * np.sqrt(inside) * (1 - .012 * np.abs(y - 4))
    radius = girth - 9.3 - .12 * np.clip(y - 14, 0, 20)
    gap = rng.uniform(-.8, .8)
    centre = 9.5 + .3 * gap
    thigh = 2 * np.sqrt(np.clip(radius ** 2 - (np.abs(x) - centre) ** 2, 0, None)) * depth / 20
    cleft = np.clip((y - 14.6 - .25 * np.abs(x)) / 5, 0, 1)  # the trunk ends in a crotch
    cleft = cleft * cleft * (3 - 2 * cleft)
    together = np.maximum(trunk * (1 - cleft), thigh)
    return np.maximum(together, 0)


def soft_shape(canvas: np.ndarray, pose: Pose, points: ArrayLike, sigma_cm: float,
               amount: float) -> None:
    """Add a smooth-edged region of ``amount`` (negative: subtract) to the canvas, in place."""
    curve = smooth_curve(pose(points))
    shape = canvas.shape
    low, high = curve.min(0) - 3 * sigma_cm * pose.scale, curve.max(0) + 3 * sigma_cm * pose.scale
    left, top = np.maximum(low.astype(int), 0)
    right, bottom = np.minimum(high.astype(int) + 1, shape[::-1])
    if right - left < 4 or bottom - top < 4:
        return
    region = np.zeros((bottom - top, right - left), np.float32)
    cv2.fillPoly(region, [fixed_point(curve, (left, top))], 1., shift=4)
    sigma = max(.6, sigma_cm * pose.scale)
    canvas[top:bottom, left:right] += np.float32(amount) * blur(region, sigma)


def soft_attenuation(patient: Patient, pose: Pose, shape: tuple[int, int],
                     rng: np.random.Generator) -> np.ndarray:
    """Return the attenuation of everything but bone: (H, W) float32 on a canvas of ``shape``.

    Args:
        patient: Sex and size.
        pose: Where; lengths grow with its scale.
        shape: Canvas (height, width).
        rng: Source of fat, bladder and muscles.
    """
    x, y = patient_grid(pose, shape, 4)
    thickness = body_thickness(x, y, patient, rng)
    canvas = upsample(thickness.astype(np.float32) * SOFT * .9, 4, shape).copy()
    inner = canvas > .25
    tone = rng.uniform(.6, 1.4)
    for points, amount in MUSCLES.values():
        for sign in (-1, 1):
            moved = (np.asarray(points) + rng.normal(0, .18, (len(points), 2))) * (sign, 1)
            soft_shape(canvas, pose, moved, rng.uniform(.12, .3), amount * tone)
    full, low = rng.uniform(2.2, 4.2), rng.uniform(6.5, 8.5)
    bladder = arc((rng.normal(0, .4), low), full, 0, 330, 10) * (1.15, .85) + (0, .15 * low)
    soft_shape(canvas, pose, bladder, .25, rng.uniform(.08, .3))
    if not patient.female:
        soft_shape(canvas, pose, arc((rng.normal(0, .8), 18.2), 3.2, 0, 330, 8) * (1, 1.2), 1.0,
                   rng.uniform(.2, .5))
    for _ in range(rng.integers(1, 4)):  # folds of fat across the belly and the groins
        height, sag = rng.uniform(-6, 13), rng.uniform(-2, 3)
        fold = [(-19, height), (-8, height + sag), (0, height + 1.3 * sag), (8, height + sag),
                (19, height), (19, height + 14), (-19, height + 14)]
        soft_shape(canvas, pose, fold, rng.uniform(.1, .5), rng.uniform(-.1, .1))
    canvas += .06 * smooth_field(rng, shape, shape[0] / 9) + .03 * smooth_field(rng, shape,
                                                                               shape[0] / 40)
    return np.where(inner, np.maximum(canvas, .1), 0).astype(np.float32)


def add_bowel(canvas: np.ndarray, pose: Pose, rng: np.random.Generator) -> None:
    """Take gas out of the canvas and add mottled stool, in place.

    Loops are chains of spheres along a random walk: haustra where the radius swells.
    """
    gas = np.zeros_like(canvas)
    for _ in range(rng.integers(2, 7)):
        place = np.array([rng.uniform(-11, 11), rng.uniform(-8, 2.5)])
        gas_loop(gas, pose, rng, place, int(rng.integers(2, 9)), rng.uniform(.7, 1.9))
    if rng.random() < .6:  # rectum and sigmoid
        gas_loop(gas, pose, rng, np.array([rng.normal(0, .8), rng.uniform(4, 8.5)]),
                 int(rng.integers(2, 6)), rng.uniform(.8, 1.5))
    gas = np.minimum(blur(gas, max(.8, .07 * pose.scale)), 5.5)
    if rng.random() < .5:
        mottle = smooth_field(rng, canvas.shape, .5 * pose.scale)
        side = rng.choice([-1, 1]) * rng.uniform(5, 10)
        centre = pose([(side, rng.uniform(-7, 2))])[0]
        x, y = np.arange(canvas.shape[1]) - centre[0], np.arange(canvas.shape[0]) - centre[1]
        spread = np.float32(rng.uniform(2, 3.2) * pose.scale)
        where = np.outer(np.exp(-(y / (1.6 * spread)) ** 2), np.exp(-(x / spread) ** 2))
        gas += (.9 * where * np.maximum(mottle, 0)).astype(np.float32)
    np.maximum(canvas - SOFT * gas, .35 * canvas, out=canvas)


def gas_loop(gas: np.ndarray, pose: Pose, rng: np.random.Generator, place: np.ndarray, number: int,
             radius: float) -> None:
    """Paint one loop's chord lengths (cm) into ``gas``, keeping the larger, in place."""
    heading = rng.uniform(0, 2 * np.pi)
    for _ in range(number):
        size = radius * rng.uniform(.75, 1.2)
        heading += rng.normal(0, .6)
        place = place + .95 * size * np.array([np.cos(heading), np.sin(heading)])
        x, y = pose([place])[0]
        reach = size * pose.scale
        left, top = int(max(x - reach, 0)), int(max(y - reach, 0))
        right, bottom = int(min(x + reach, gas.shape[1])), int(min(y + reach, gas.shape[0]))
        if right <= left or bottom <= top:
            continue
        columns = (np.arange(left, right, dtype=np.float32) - x) / reach
        rows = ((np.arange(top, bottom, dtype=np.float32) - y) / reach)[:, None]
        ball = 1.7 * size * np.sqrt(np.clip(1 - columns ** 2 - rows ** 2, 0, 1))
        part = gas[top:bottom, left:right]
        np.maximum(part, ball, out=part)
