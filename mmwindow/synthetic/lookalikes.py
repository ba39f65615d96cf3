"""What is no fracture and looks like one: drawn alike in images with and without fractures.

Every function adds to the attenuation canvas in place. None of them knows of fractures, and
their random source is their own, so that they carry no hint.
"""
import cv2
import numpy as np
from numpy.typing import ArrayLike

from mmwindow.synthetic.anatomy import Patient
from mmwindow.synthetic.shapes import Pose, fixed_point, smooth_curve
from mmwindow.synthetic.texture import blur

LETTERS = ([(0, 0), (0, 1.3), (.8, 1.3)],
           [(0, 1.3), (0, 0), (.6, 0), (.8, .3), (.6, .65), (0, .65), (.4, .65), (.85, 1.3)])
METAL = 3.2  # attenuation per cm of steel or titanium as displayed


def stroke(canvas: np.ndarray, curve: np.ndarray, width: float, amount: float, soft: float = .7,
           closed: bool = False) -> None:
    """Add a line of ``width`` canvas pixels and ``amount`` attenuation, in place."""
    low = curve.min(0) - 3 * soft - width - 2
    high = curve.max(0) + 3 * soft + width + 3
    left, top = np.clip(low, 0, None).astype(int)
    right, bottom = np.minimum(high.astype(int), canvas.shape[::-1])
    if right - left < 3 or bottom - top < 3:
        return
    line = np.zeros((bottom - top, right - left), np.float32)
    cv2.polylines(line, [fixed_point(curve, (left, top))], closed, 1., max(1, int(round(width))),
                  cv2.LINE_8, 4)
    canvas[top:bottom, left:right] += np.float32(amount) * blur(line, soft)


def vessel_groove(canvas: np.ndarray, pose: Pose, patient: Patient, rng: np.random.Generator) -> None:
    """Draw a vessel's channel in the iliac wing or the femur: smooth, thin, branching, faint."""
    side = rng.choice(['right', 'left'])
    start = np.array([(9.5, -.5), (11.5, 1.5), (12.6, 17.), (8., 1.5)][rng.integers(4)])
    heading = rng.uniform(0, 2 * np.pi)
    for fork in range(rng.integers(1, 3)):
        angle = heading + fork * rng.uniform(.4, .8) + np.cumsum(rng.normal(0, .16, 7))
        path = start + .45 * np.cumsum(np.column_stack([np.cos(angle), np.sin(angle)]), 0)
        curve = smooth_curve(pose(patient.locate(path, side)), closed=False)
        stroke(canvas, curve, rng.uniform(.1, .2) * pose.scale, -rng.uniform(.05, .13),
               .09 * pose.scale)


def skin_fold(canvas: np.ndarray, pose: Pose, patient: Patient, rng: np.random.Generator) -> None:
    """Draw the edge of a fold or a sheet: one side a little denser, along a long soft arc."""
    height, width = canvas.shape
    start, angle = rng.uniform(.15, .85, 2) * (width, height), rng.uniform(0, np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    x = np.arange(0, width, 2, dtype=np.float32) - start[0]
    y = np.arange(0, height, 2, dtype=np.float32)[:, None] - start[1]
    s, q = x * along[0] + y * along[1], y * along[0] - x * along[1]
    q = q + s * s * np.float32(rng.normal(0, .35) / width)
    edge = np.float32(rng.uniform(.03, .15) * pose.scale)
    side = 1 / (1 + np.exp(np.clip(q / edge, -30, 30))) * np.exp(-np.abs(q) / (2.5 * pose.scale))
    side *= np.exp(-(s / (rng.uniform(4, 12) * pose.scale)) ** 2)
    fold = cv2.resize(side.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    canvas += np.float32(rng.uniform(.1, .28) * rng.choice([-1, 1])) * fold


def gas_edge(canvas: np.ndarray, pose: Pose, patient: Patient, rng: np.random.Generator) -> None:
    """Draw a crescent or streak of gas that crosses bone with a sharp edge."""
    centre = np.array([rng.uniform(-9, 9), rng.uniform(-4, 9)])
    angle = rng.uniform(0, 2 * np.pi) + np.linspace(0, rng.uniform(.8, 2.2), 9)
    radius = rng.uniform(1.5, 3.5)
    outer = np.column_stack([np.cos(angle), np.sin(angle)]) * radius
    inner = outer[::-1] * (1 - rng.uniform(.05, .3) * np.sin(np.linspace(0, np.pi, 9)))[:, None]
    path = smooth_curve(pose(np.vstack([outer, inner]) + centre))
    crescent = np.zeros_like(canvas)
    cv2.fillPoly(crescent, [fixed_point(path)], 1., shift=4)
    canvas -= np.float32(rng.uniform(.12, .35)) * blur(crescent, .9)


def calcified_vessel(canvas: np.ndarray, pose: Pose, patient: Patient,
                     rng: np.random.Generator) -> None:
    """Draw calcified arteries in pairs of broken lines, or a few phleboliths in the pelvis."""
    if rng.random() < .5:
        for _ in range(rng.integers(1, 5)):
            place = pose([(rng.choice([-1, 1]) * rng.uniform(2.5, 5.5), rng.uniform(8, 11))])[0]
            ring = place + rng.uniform(.12, .3) * pose.scale * np.array(
                [(np.cos(a), np.sin(a)) for a in np.linspace(0, 5.6, 9)])
            stroke(canvas, ring, .2 * pose.scale, rng.uniform(.15, .4), closed=True)
        return
    side = rng.choice(['right', 'left'])
    path = np.array([(9.5, 13), (9.3, 16), (8.8, 20), (8.5, 25)]) + rng.normal(0, .3, (4, 2))
    for shift in (-.22, .22):
        curve = smooth_curve(pose(patient.locate(path + (shift, 0), side)), closed=False)
        for start in range(0, len(curve) - 4, 4):
            if rng.random() < .7:
                stroke(canvas, curve[start:start + 4], .1 * pose.scale, rng.uniform(.1, .3))


def wire(canvas: np.ndarray, pose: Pose, patient: Patient, rng: np.random.Generator) -> None:
    """Draw a lead, a catheter or the seam of a sheet that lies on the patient."""
    height, width = canvas.shape
    ends = rng.uniform(-.1, 1.1, (4, 2)) * (width, height)
    ends = ends[ends[:, rng.integers(2)].argsort()]
    curve = smooth_curve(ends, closed=False)
    if rng.random() < .5:
        stroke(canvas, curve, .12 * pose.scale, rng.uniform(.3, .9), .8)
    else:
        stroke(canvas, curve, .45 * pose.scale, rng.uniform(.08, .2), .8)
        stroke(canvas, curve, .2 * pose.scale, -rng.uniform(.05, .12), .8)


def ossicle(canvas: np.ndarray, pose: Pose, patient: Patient, rng: np.random.Generator) -> None:
    """Draw a small rounded extra bone with a smooth cortex, by the socket or the trochanter."""
    side = rng.choice(['right', 'left'])
    place = [(11.9, 7.4), (14.3, 8.4), (13.2, 14.3), (7.6, 15.8)][rng.integers(4)]
    middle = pose(patient.locate(np.array(place) + rng.normal(0, .15, 2), side))[0]
    angle = np.linspace(0, 2 * np.pi, 9)[:-1]
    ring = np.column_stack([np.cos(angle), .7 * np.sin(angle)]) * rng.uniform(.2, .42) * pose.scale
    curve = smooth_curve(ring + middle)
    piece = np.zeros_like(canvas)
    cv2.fillPoly(piece, [fixed_point(curve)], .2, shift=4)
    cv2.polylines(piece, [fixed_point(curve)], True, .35, 2, cv2.LINE_8, 4)
    canvas += blur(piece, 1.)


def plate_and_screws(canvas: np.ndarray, pose: Pose, patient: Patient,
                     rng: np.random.Generator) -> None:
    """Draw osteosynthesis: a hip screw with its plate, neck screws, or a plate along the brim."""
    side = rng.choice(['right', 'left'])
    metal = np.zeros_like(canvas)

    def rod(points: ArrayLike, width: float, amount: float, threads: bool = False) -> None:
        curve = pose(patient.locate(points, side))
        if threads:
            for part in np.linspace(0, 1, 14)[1:-1:2]:
                place = curve[0] + part * (curve[-1] - curve[0])
                across = (curve[-1] - curve[0])[::-1] * (1, -1)
                across = across / np.hypot(*across) * .65 * width * pose.scale
                stroke(metal, np.array([place - across, place + across]), 2, .4 * amount)
        stroke(metal, curve, width * pose.scale, amount)

    kind = rng.integers(3)
    if kind == 0:
        rod([(14.7, 13.3), (9.8, 9.7)], .7, METAL * .7)
        rod([(14.75, 12.3), (14.6, 15), (14.35, 20)], .55, METAL * .5)
        for y in np.arange(15.2, 19.8, 1.5):
            rod([(14.6, y), (11.3, y + .1)], .4, METAL * .4, threads=True)
    elif kind == 1:
        for shift in rng.permutation([-.9, 0, .9])[:rng.integers(2, 4)]:
            rod([(14.8 + .3 * shift, 12.7 + shift), (9.4, 9.2 + .75 * shift)], .42, METAL * .45,
                threads=True)
    else:
        brim = smooth_curve([(1.2, 10.9), (3.4, 10.2), (5.2, 8.9), (5.9, 7.0), (5.6, 5.4)], False)
        rod(brim[:rng.integers(12, 25)], .6, METAL * .4)
        for point in brim[1:24:5]:
            rod([point, point + rng.normal(0, .5, 2) + (.7, 1.1)], .35, METAL * .3, threads=True)
    np.minimum(metal, METAL * 1.2, out=metal)
    canvas += metal


def side_marker(canvas: np.ndarray, pose: Pose, patient: Patient, rng: np.random.Generator) -> None:
    """Draw the lead letter that tells left from right."""
    height, width = canvas.shape
    letter = np.array(LETTERS[rng.integers(2)]) * rng.uniform(.035, .05) * width
    corner = np.array([rng.choice([.05, .88]) * width, rng.choice([.06, .88]) * height])
    stroke(canvas, letter + corner, width / 130, rng.uniform(.8, 1.8), .8)


KINDS = {vessel_groove: .3, skin_fold: .35, gas_edge: .25, calcified_vessel: .2, wire: .12,
         ossicle: .12, plate_and_screws: .1, side_marker: .4}


def add_lookalikes(canvas: np.ndarray, pose: Pose, patient: Patient,
                   rng: np.random.Generator) -> list[str]:
    """Draw each kind with its own chance, in place; return the names of those drawn.

    Args:
        canvas: (H, W) float32 attenuation.
        pose: Patient cm to canvas.
        patient: Whose landmarks are used.
        rng: Source that nothing else uses.
    """
    drawn = []
    for kind, chance in KINDS.items():
        if rng.random() < chance:
            kind(canvas, pose, patient, rng)
            drawn.append(kind.__name__)
    if patient.child:
        drawn.append('growth_plate')
    return drawn
