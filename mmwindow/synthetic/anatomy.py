"""A pelvis seen from the front: landmarks and bones of one random patient, in centimetres."""
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mmwindow.synthetic.shapes import Bone, Ridge

HEAD = np.array([9.2, 9.4])  # centre of the femoral head, right half of the image
HEAD_RADIUS = 2.4
# Outlines of the image's right half; the left one is mirrored. Joint surfaces are added below.
ILIUM_UPPER = [(3.7, -.5), (4.4, -1.7), (5.8, -2.9), (7.8, -3.7), (10.2, -3.8), (12.4, -2.9),
               (13.9, -1.1), (14.5, .9), (14.2, 2.3), (13.3, 3.1), (12.5, 4.0), (12.1, 5.1),
               (11.8, 6.1), (11.5, 6.8)]
ISCHIUM = [(7.1, 11.4), (7.8, 12.1), (7.8, 13.1), (7.5, 14.3), (6.9, 15.4), (5.9, 16.1),
           (4.8, 15.9), (3.6, 15.3), (2.2, 14.7), (1.1, 14.3), (.35, 13.6), (.28, 12.2),
           (.35, 10.9), (.9, 10.45), (2.2, 10.3), (3.6, 9.9), (4.8, 9.1), (5.5, 7.9), (5.65, 6.6),
           (5.2, 5.4), (4.6, 4.7), (3.9, 4.4), (3.3, 3.6), (3.1, 2.2), (3.4, .9)]
OBTURATOR = [(5.9, 11.7), (6.05, 12.8), (5.5, 14.1), (4.5, 14.7), (3.3, 14.1), (2.35, 13.3),
             (2.05, 12.5), (2.6, 11.8), (3.9, 11.35), (5.1, 11.2)]
FEMUR_LATERAL = [(11.5, 8.8), (12.2, 9.4), (12.9, 9.5), (13.6, 9.0), (14.5, 9.5), (15.0, 10.7),
                 (15.05, 12.1), (14.75, 13.5), (14.4, 15.2), (14.1, 18), (13.9, 22), (13.8, 27),
                 (13.7, 33)]
FEMUR_MEDIAL = [(11.0, 33), (11.1, 27), (11.2, 22), (11.4, 18), (11.5, 16), (11.25, 15.0),
                (10.85, 14.2), (11.1, 13.4), (10.8, 12.6), (10.1, 11.95)]
SACRUM = [(.0, .25), (1.4, .1), (2.5, -.25), (3.5, .0), (4.9, .5), (5.4, 1.5), (5.1, 2.9),
          (4.4, 4.2), (3.7, 5.2), (3.0, 6.4), (2.3, 7.5), (1.4, 8.5), (.7, 9.1), (.0, 9.2)]
SACROILIAC = [(4.6, .6), (5.05, 1.5), (4.95, 2.5), (4.5, 3.5), (3.9, 4.3)]


@dataclass(frozen=True)
class Patient:
    """What stays the same over the images of one person.

    Attributes:
        female: Wider, lower pelvis with a round inlet.
        child: Growth plates are still open.
        size: Factor on all lengths.
        mineral: Bone density, 1 for a healthy adult.
        girth: Soft tissue around the pelvis, cm of half width.
        thickness: Soft tissue along the beam, cm.
        bend: (4, 4), see :class:`shapes.Pose`.
        stretch: (2,), factors on x and y, by sex.
        tilt: Turn about the long axis: cm by which the back parts shift.
    """
    female: bool
    child: bool
    size: float
    mineral: float
    girth: float
    thickness: float
    bend: np.ndarray
    stretch: np.ndarray
    tilt: float

    def locate(self, points: ArrayLike, side: str) -> np.ndarray:
        """Move (N, 2) landmarks of the image's right half or the midline to this patient.

        Args:
            points (array-like): (N, 2), cm.
            side (str): 'right', 'left' (mirrored) or 'middle' (spine and sacrum).
        """
        sign = np.array([-1. if side == 'left' else 1., 1.])
        shift = -self.tilt if side == 'middle' else .3 * self.tilt
        return np.asarray(points, float).reshape(-1, 2) * self.stretch * sign + (shift, 0)

    def locate_bone(self, bone: Bone, side: str) -> Bone:
        """Return the bone with everything in it moved; paired bones get '_right' or '_left'."""
        profile = np.asarray(bone.profile, float).copy()
        profile[:, :2] = self.locate(profile[:, :2], side)
        profile[:, 5] *= -1 if side == 'left' else 1
        return Bone(bone.name if side == 'middle' else f'{bone.name}_{side}',
                    self.locate(bone.outline, side), profile,
                    [self.locate(hole, side) for hole in bone.holes],
                    [(self.locate(points, side), width, amount)
                     for points, width, amount in bone.ridges])


def draw_patient(rng: np.random.Generator) -> Patient:
    """Draw a random :class:`Patient`."""
    female = bool(rng.random() < .5)
    child = bool(rng.random() < .12)
    size = rng.normal(1. if female else 1.04, .035) * (rng.uniform(.72, .88) if child else 1)
    girth = float(np.clip(rng.normal(18.5, 1.8), 16.6, 24))
    thickness = float(np.clip(rng.normal(19, 3.5) + girth - 18.5, 12, 30))
    bend = np.column_stack([rng.uniform(.05, .28, 4), rng.uniform(-.35, .35, 4),
                            rng.uniform(-.35, .35, 4), rng.uniform(0, 2 * np.pi, 4)])
    stretch = np.array([1.03, .97] if female else [.98, 1.03]) * rng.normal(1, .02, 2)
    return Patient(female, child, float(size), float(np.clip(rng.normal(1, .17), .6, 1.35)), girth,
                   thickness, bend, stretch, float(rng.normal(0, .5)))


def draw_bones(patient: Patient, rng: np.random.Generator) -> list[Bone]:
    """Draw the patient's bones, in patient cm."""
    bones = [patient.locate_bone(vertebra(rng, number), 'middle') for number in range(5)]
    bones += [patient.locate_bone(bone, 'middle') for bone in (sacrum(rng), coccyx(rng))]
    turn = rng.uniform(-.9, .9)  # of the legs: how much neck is seen
    for side in ('right', 'left'):
        bones += [patient.locate_bone(bone, side) for bone in (
            innominate(rng, patient), acetabular_walls(rng),
            femur(rng, turn + rng.normal(0, .25), patient.child))]
    return bones


def jitter(rng: np.random.Generator, points: ArrayLike, spread: float = .1) -> np.ndarray:
    """Return control points, each moved a little."""
    points = np.asarray(points, float)
    return points + rng.normal(0, spread, points.shape)


def arc(centre: ArrayLike, radius: float, start: float, end: float, number: int) -> np.ndarray:
    """Return (number, 2) points on a circle, angles in degrees from +x towards +y (down)."""
    angle = np.deg2rad(np.linspace(start, end, number))
    return np.asarray(centre) + radius * np.column_stack([np.cos(angle), np.sin(angle)])


def innominate(rng: np.random.Generator, patient: Patient) -> Bone:
    """Draw ilium, ischium and pubis of one side with the obturator foramen."""
    socket = arc(HEAD, HEAD_RADIUS + rng.uniform(.34, .5), -52, -208, 7)
    lower = np.array(ISCHIUM)
    if patient.female:  # a wider subpubic arch
        lower[7:10] += [(.35, -.15), (.4, -.2), (.25, -.1)]
    outline = np.vstack([jitter(rng, ILIUM_UPPER), socket, jitter(rng, lower, .07)])
    hole = jitter(rng, OBTURATOR, .06)
    hole = hole.mean(0) + (hole - hole.mean(0)) * rng.uniform([.8, .85], [1.0, 1.02])
    #         x     y    round depth shell angle density
    profile = [(8.8, -.5, .45, .55, .13, 60, .9), (10.8, .2, .45, .6, .13, 75, .9),
               (7.2, .8, .5, .8, .14, 50, .9), (9.5, -3.3, .6, 1.1, .18, 10, 1),
               (13.7, .8, .6, 1.3, .19, 80, 1), (11.6, 3.8, .7, 1.6, .2, 100, 1.1),
               (8.6, 4.2, 1., 1.7, .2, 110, 1.2), (9.9, 5.9, 1., 2.1, .22, 60, 1.5),
               (4.2, 2.2, 1.1, 1.1, .06, 20, 1.), (3.3, 3, 1., .9, .05, 20, 1),
               (6.0, 5.2, .8, 1.7, .24, 100, 1.2),
               (6.1, 8.8, .6, 1.3, .22, 90, 1.1), (4.0, 10.6, .75, 1.3, .2, 160, 1),
               (1.2, 11.5, .9, 1.4, .19, 90, 1), (1.0, 13.3, .7, 1.1, .18, 60, 1),
               (2.8, 14.6, .5, .9, .2, 30, 1), (6.7, 12.2, .9, 1.8, .2, 90, 1.1),
               (6.3, 14.9, 1., 1.9, .17, 80, 1.1)]
    brim = [(4.4, 4.6), (5.3, 5.6), (5.7, 6.8), (5.5, 8.0), (4.8, 9.2), (3.6, 10.0), (2.2, 10.5)]
    ilioischial = [(5.9, 6.2), (6.15, 8), (6.1, 10), (6.2, 11.6), (6.5, 13.5)]
    tear = [(6.0, 9.6), (5.75, 10.6), (6.1, 11.2), (6.5, 10.7), (6.45, 9.7)]
    crest = [(5.0, -1.5), (6.4, -2.75), (8.2, -3.5), (10.3, -3.3), (12.1, -2.6), (13.5, -.8)]
    ridges: list[Ridge] = [(jitter(rng, brim, .05), .22, rng.uniform(.15, .3)),
              (jitter(rng, ilioischial, .05), .16, rng.uniform(.12, .25)),
              (tear, .12, rng.uniform(.1, .25)),
              (jitter(rng, arc(HEAD, HEAD_RADIUS + .62, -58, -118, 6), .03), .38,
               rng.uniform(.3, .55)),
              (crest, .3, rng.uniform(.08, .2)),
              (jitter(rng, SACROILIAC, .06), .2, -rng.uniform(.08, .24)),
              (jitter(rng, np.array(SACROILIAC) + (.32, 0), .04), .2, rng.uniform(.03, .16)),
              (jitter(rng, [(7.2, 5.2), (8.4, 3.2), (9.2, .8)], .2), .8, rng.uniform(.04, .1))]
    if patient.child:
        ridges += [(crest, .28, -.35), (arc(HEAD, HEAD_RADIUS + .9, -150, -200, 4), .3, -.35)]
    return Bone('innominate', outline, profile, [hole], ridges)


def acetabular_walls(rng: np.random.Generator) -> Bone:
    """Draw the part of the socket that covers the head, with the rims of both its walls."""
    reach = rng.uniform(.2, .7)
    front = [(11.0, 7.4), (9.3, 7.8 + .3 * reach), (8.0, 8.8), (7.2, 10.3), (6.8, 11.5)]
    back = [(11.4, 7.2), (10.9, 8.6), (10.3 + .4 * reach, 10.2), (9.2, 11.6), (7.6, 12.2)]
    outline = np.vstack([[(11.2, 6.9), (9.9, 6.4), (8.4, 6.3), (7.0, 7.0), (6.2, 8.4), (6.1, 10.2),
                          (6.6, 11.8)], back[::-1]])
    profile = [(8, 8, .9, .8, .12, 45, 1), (10, 10, .5, .55, .1, 45, .9),
               (7, 11, .5, .9, .12, 90, 1)]
    ridges: list[Ridge] = [(jitter(rng, front, .08), .16, rng.uniform(.02, .12))]
    return Bone('walls', jitter(rng, outline, .05), profile, [], ridges)


def femur(rng: np.random.Generator, turn: float, child: bool) -> Bone:
    """Draw head, neck, trochanters and shaft; ``turn`` > 0 shortens the neck."""
    head = arc(HEAD, HEAD_RADIUS * rng.uniform(.97, 1.02), 105, 328, 12)
    outline = np.vstack([jitter(rng, FEMUR_LATERAL, .07), jitter(rng, FEMUR_MEDIAL, .06), head])
    outer = np.clip((outline[:, :1] - 11.0) / 2, 0, 1)
    outline = outline + outer * np.array([-.35 * turn, .12 * turn])
    profile = [(9.2, 9.4, 2.4, 3.3, .08, 55, 1.15), (8.6, 8.6, 2.3, 3.2, .08, 55, 1.15),
               (11.0, 10.6, 1.5, 2.3, .22, 40, .9), (12.2, 11.6, 1.4, 2.4, .2, 60, .75),
               (14.0, 10.3, 1.2, 2.3, .1, 100, .9), (14.2, 12.2, 1.2, 2.7, .16, 80, .8),
               (11.4, 13.9, .9, 2.4, .26, 70, 1), (12.9, 14.5, 1.4, 2.8, .34, 90, .6),
               (12.8, 17, 1.35, 2.7, .45, 90, .4), (12.5, 22, 1.35, 2.7, .52, 90, .3),
               (12.4, 30, 1.3, 2.6, .52, 90, .3)]
    ridges: list[Ridge] = [
              ([(8.3, 7.9), (9.3, 9.2), (10.1, 10.8), (10.7, 12.2)], 1.5, rng.uniform(.02, .07)),
              ([(8.2, 10.2), (9.8, 9.0), (11.6, 9.2), (13.3, 11), (14.4, 13.5)], .7,
               rng.uniform(.02, .07)),
              ([(13.3, 10.2), (12.8, 11.7), (12.0, 13.2), (11.5, 14.2)], .4, rng.uniform(.1, .22)),
              ([(10.2, 11.8), (10.9, 12.6), (11.3, 13.6), (11.7, 15)], .35, rng.uniform(.1, .25))]
    if child:
        plate = [(10.2, 7.2), (10.7, 8.4), (10.6, 9.7), (10.0, 11.0), (9.3, 11.7)]
        ridges += [(plate, .24, -.75), (np.array(plate) + (.22, .1), .12, .3),
                   ([(12.6, 9.9), (13.4, 10.7), (14.9, 11.2)], .22, -.55)]
    return Bone('femur', outline, profile, [], ridges)


def mirrored(half: ArrayLike) -> np.ndarray:
    """Close a right half outline (top to bottom) with its mirror image."""
    half = np.asarray(half, float)
    other = half[::-1] * (-1, 1)
    return np.vstack([half, other[np.abs(other[:, 0]) > 1e-6]])


def sacrum(rng: np.random.Generator) -> Bone:
    """Draw the sacrum with four pairs of foramina and its median crest."""
    outline = mirrored(jitter(rng, SACRUM, .06) * (1, rng.uniform(.92, 1.06)))
    profile = [(0, 1, 1., 2.6, .12, 90, 1), (3.4, 1.6, 1.1, 1.7, .07, 30, .9),
               (-3.4, 1.6, 1.1, 1.7, .07, 150, .9), (4.9, 2, 1.6, 1.1, .04, 30, .8),
               (-4.9, 2, 1.6, 1.1, .04, 150, .8), (0, 5, .8, 1.7, .11, 90, .9),
               (0, 8, .6, 1.2, .1, 90, .9)]
    ridges: list[Ridge] = []
    for number, (x, y) in enumerate([(2.0, 2.0), (1.75, 3.7), (1.5, 5.2), (1.25, 6.5)]):
        size = .55 - .07 * number
        for sign in (-1, 1):
            roof = arc((sign * x, y), size, 180 if sign > 0 else 200, 340 if sign > 0 else 360, 6)
            ridges.append((jitter(rng, roof, .07), .16, rng.uniform(.0, .14)))
            ridges.append(([(sign * x - .2, y + .05), (sign * x + .2, y + .1)], size,
                           -rng.uniform(.06, .2)))
        ridges.append(([(-1.1, y + .8), (0, y + .95), (1.1, y + .8)], .16, rng.uniform(.02, .12)))
        ridges.append((jitter(rng, [(0, y - .7), (.05, y - .2), (0, y + .2)], .05), .3,
                       rng.uniform(.08, .22)))
    return Bone('sacrum', outline, profile, [], ridges)


def coccyx(rng: np.random.Generator) -> Bone:
    """Draw the coccyx, bent to one side a little."""
    lean = rng.normal(0, .25)
    half = [(0, 9.35), (.75, 9.5), (.6, 10.2), (.4 + lean, 11.0), (.2 + lean, 11.7), (lean, 11.9)]
    other = [(-.2 + lean, 11.7), (-.4 + lean, 11.0), (-.6, 10.2), (-.75, 9.5)]
    return Bone('coccyx', np.array(half + other), [(0, 10, .5, .8, .1, 90, .9)] * 2)


def vertebra(rng: np.random.Generator, number: int) -> Bone:
    """Draw a lumbar vertebra, 0 for L5: body, pedicles, spinous and transverse processes."""
    y = -1.45 - 3.4 * number + rng.normal(0, .06)
    half, wide = 1.42, 2.65 - .09 * number
    right = [(0, -half + .1), (1.4, -half), (wide - .1, -half - .03), (wide, -half + .35),
             (wide - .13, -.3), (wide + .5, -.5), (wide + 1.2, -.75), (wide + 1.5, -.55),
             (wide + .8, -.1), (wide - .12, .35), (wide, half - .3), (wide - .08, half),
             (1.4, half - .02), (0, half - .12)]
    outline = jitter(rng, mirrored(right), .05) + (0, y)
    profile = [(0, y, 1.3, 2.4, .06, 90, 1), (1.5, y, 1.3, 2.4, .06, 90, 1),
               (-1.5, y, 1.3, 2.4, .06, 90, 1), (wide + 1, y - .4, .4, .5, .06, 0, .8),
               (-wide - 1, y - .4, .4, .5, .06, 0, .8)]
    ridges: list[Ridge] = [
              ([(.2 - wide, y - half + .1), (0, y - half + .22), (wide - .2, y - half + .1)], .18,
               rng.uniform(.12, .25)),
              ([(.2 - wide, y + half - .1), (0, y + half - .24), (wide - .2, y + half - .1)], .18,
               rng.uniform(.12, .25)),
              (jitter(rng, [(0, y), (.03, y + .7), (0, y + 1.2)], .08), .6, rng.uniform(.15, .3))]
    for sign in (-1, 1):
        ring = arc((sign * (wide - .8), y - .4), .45, 0, 330, 9) * (1, 1)
        ridges.append((ring, .16, rng.uniform(.06, .18)))
        facet = [(sign * 1.15, y + .4), (sign * 1.6, y + 1.0), (sign * 1.45, y + 1.5)]
        ridges.append((jitter(rng, facet, .08), .5, rng.uniform(.1, .22)))
        ridges.append(([(sign * .3, y), (sign * 1.1, y + .4)], .5, rng.uniform(.03, .12)))
    return Bone(f'vertebra_{number}', outline, profile, [], ridges)
