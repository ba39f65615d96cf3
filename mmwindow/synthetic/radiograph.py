"""One synthetic radiograph from one seed."""
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mmwindow.synthetic.anatomy import Patient, draw_bones, draw_patient
from mmwindow.synthetic.annotators import Annotators, Visibility, annotate
from mmwindow.synthetic.exposure import Exposure, draw_exposure, expose
from mmwindow.synthetic.fragments import add_fractures
from mmwindow.synthetic.lookalikes import add_lookalikes
from mmwindow.synthetic.shapes import Bone, Layer, Pose, render_bone
from mmwindow.synthetic.soft_tissue import add_bowel, soft_attenuation
from mmwindow.synthetic.texture import Trabeculae
from mmwindow.synthetic.variation import Variation

OVERSAMPLE = 1.5  # canvas pixels per image pixel, each way
MIDDLE_FIELD = 29.  # cm along the long edge, in the middle of a range of scales
EDGE = 7 / 256  # no point closer to the border of the exposed field, share of the image's side


@dataclass(frozen=True)
class SyntheticRadiograph:
    """A radiograph and what is known of it.

    Attributes:
        img: (H, W) uint8, bone is bright.
        points: (N, 2) float64 (x, y), continuous image pixels, one an annotation.
        owners: (N,) int, index of the fracture that each point marks.
        polygons: Per fracture the (m, 2) outline of its extent, image pixels.
        fractures: Per fracture the broken bone's name.
        faint: Per fracture: drawn to be easily missed.
        bone_mask: (H, W) bool, True where any bone is projected.
        lookalikes: Kinds of look-alikes in the image.
        seed: What it was made from.
        patient: What its patient was made from.
    """
    img: np.ndarray
    points: np.ndarray
    owners: np.ndarray
    polygons: list[np.ndarray]
    fractures: list[str]
    faint: list[bool]
    bone_mask: np.ndarray
    lookalikes: list[str]
    seed: int
    patient: int

    @property
    def has_fracture(self) -> bool:
        """Whether anything is broken."""
        return len(self.fractures) > 0


@dataclass(frozen=True)
class View:
    """Where the patient lies on the image.

    Attributes:
        pose: Patient cm to canvas pixels.
        size: (height, width) of the image.
        shape: (height, width) of the canvas.
    """
    pose: Pose
    size: tuple[int, int]
    shape: tuple[int, int]


def draw_view(rng: np.random.Generator, patient: Patient, side: int,
              scale_range: float | None = None) -> View:
    """Draw a :class:`View`: the complete pelvis or one hip, a little off centre and turned.

    Args:
        rng: Source.
        patient: Who lies there.
        side: Long edge of the image, pixels.
        scale_range: As in :class:`~mmwindow.synthetic.variation.Variation`.
    """
    if rng.random() < .28:
        field = rng.uniform(19, 26)  # cm along the long edge
        centre = np.array([rng.choice([-1, 1]) * rng.uniform(6, 11), rng.uniform(7, 13)])
    else:
        field = rng.uniform(29, 36)
        centre = np.array([rng.normal(0, 1.2), rng.normal(7, 1.5)])
    short = side if rng.random() < .5 else int(round(side * rng.uniform(.8, 1)))
    size = (side, short) if rng.random() < .2 else (short, side)
    shape = int(round(size[0] * OVERSAMPLE)), int(round(size[1] * OVERSAMPLE))
    if scale_range is None:
        scale = side * OVERSAMPLE / field * patient.size
    else:
        scale = side * OVERSAMPLE / MIDDLE_FIELD * scale_range ** (rng.random() - .5)
    angle = np.deg2rad(rng.normal(0, 3))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([turn, np.array(shape[::-1]) / 2 - turn @ centre])
    return View(Pose(scale, matrix, patient.bend), size, shape)


def render_bones(bones: list[Bone], view: View, patient: Patient,
                 rng: np.random.Generator) -> dict[str, Layer]:
    """Draw the visible bones; return them by name."""
    texture = Trabeculae(rng, view.shape, .6 * view.pose.scale, rng.uniform(.07, .18))
    layers = [render_bone(bone, view.pose, view.shape, texture, patient.mineral)
              for bone in bones]
    return {layer.name: layer for layer in layers if layer is not None}


def mask_of(layers: dict[str, Layer], view: View) -> np.ndarray:
    """Return (H, W) bool, True on each image pixel that any bone touches."""
    mask = np.zeros(view.shape, np.float32)
    for layer in layers.values():
        np.maximum(mask[layer.window], layer.mask, out=mask[layer.window])
    return cv2.resize(mask, view.size[::-1], interpolation=cv2.INTER_AREA) > 0


def field_test(bone_mask: np.ndarray, exposure: Exposure, view: View) -> Visibility:
    """Return the test of canvas points: on bone, inside the shutters, off the edge."""
    height, width = bone_mask.shape
    edge = EDGE * max(view.size)
    left, top, right, bottom = exposure.shutter
    low = np.array([left * width, top * height]) + edge
    high = np.array([(1 - right) * width, (1 - bottom) * height]) - edge

    def is_visible(points: np.ndarray) -> np.ndarray:
        places = points / OVERSAMPLE
        inside = ((places >= low) & (places <= high)).all(1)
        columns, rows = np.clip(places.astype(int), 0, (width - 1, height - 1)).T
        return inside & bone_mask[rows, columns]

    return is_visible


def largest(outlines: list[np.ndarray], bone_mask: np.ndarray) -> np.ndarray:
    """Return the outline (m, 2) that encloses most, in image pixels, clipped to the image."""
    outline = max(outlines, key=lambda points: cv2.contourArea(points.astype(np.float32)))
    return np.clip(outline / OVERSAMPLE, 0, bone_mask.shape[::-1])


def generate_radiograph(seed: int, side: int = 256, has_fracture: bool | None = None,
                        patient: int | None = None, variation: Variation = Variation(),  # noqa: B008
                        annotators: Annotators = Annotators()) -> SyntheticRadiograph:  # noqa: B008
    """Make one radiograph.

    Args:
        seed: Of view, exposure, soft tissue and look-alikes.
        side: Long edge, pixels.
        has_fracture: None lets the seed decide, evenly. True and False give
            the same image with and without its fractures.
        patient: Seed of the anatomy and its fractures; None: ``seed``.
        variation: What is varied of the image.
        annotators: Who marks the fractures.

    Raises:
        ValueError: A seed is negative, or the side is below 64 pixels.

    Example:
        The same patient and view without a fracture and with one:

        >>> intact = generate_radiograph(7, side=128, has_fracture=False)
        >>> intact.img.dtype.name, max(intact.img.shape), intact.points.shape, intact.fractures
        ('uint8', 128, (0, 2), [])
        >>> broken = generate_radiograph(7, side=128, has_fracture=True)
        >>> broken.has_fracture, len(broken.points) >= len(broken.fractures) >= 1
        (True, True)
    """
    return generate_readings(seed, side, has_fracture, patient, variation, [annotators])[0]


def generate_readings(seed: int, side: int, has_fracture: bool | None, patient: int | None,
                      variation: Variation, annotators: Sequence[Annotators]
                      ) -> list[SyntheticRadiograph]:
    """Make one radiograph, marked by each of some annotators.

    Args:
        seed, side, has_fracture, patient, variation: As in :func:`generate_radiograph`.
        annotators: One or more; what one does depends on no other.

    Returns:
        One for each, of one and the same image.

    Raises:
        ValueError: As :func:`generate_radiograph`.
    """
    if seed < 0 or (patient or 0) < 0 or side < 64:
        raise ValueError(f'seed {seed}, patient {patient}, side {side}: expected seeds >= 0 and '
                         'a side >= 64 pixels')
    patient_seed = seed if patient is None else patient
    # Streams of their own: nothing but the fractures depends on whether there are any.
    body, bones, breaks = (np.random.default_rng(stream) for stream in
                           np.random.SeedSequence([patient_seed, 0]).spawn(3))
    streams = np.random.SeedSequence([seed, 1]).spawn(7)
    place, grain, tissue, light, noise, _, other = map(np.random.default_rng, streams)
    chosen = bool(breaks.random() < .5)
    broken = chosen if has_fracture is None else has_fracture
    person = draw_patient(body)
    view, exposure = draw_view(place, person, side, variation.scale_range), draw_exposure(light)
    layers = render_bones(draw_bones(person, bones), view, person, grain)
    bone_mask = mask_of(layers, view)
    is_visible = field_test(bone_mask, exposure, view)
    fractures = add_fractures(layers, view.pose, person, breaks, is_visible,
                              variation.extent_spread) if broken else []
    canvas = soft_attenuation(person, view.pose, view.shape, tissue)
    add_bowel(canvas, view.pose, tissue)
    for layer in layers.values():
        canvas[layer.window] += layer.attenuation
    lookalikes = add_lookalikes(canvas, view.pose, person, other)
    img = expose(canvas, bone_mask, exposure, noise, view.size)
    # Each annotator has the same hand from its beginning.
    marks = [annotate(fractures, one, seed, np.random.default_rng(streams[5]), is_visible, view.size,
                      OVERSAMPLE) for one in annotators]
    return [SyntheticRadiograph(
        img=img, points=points / OVERSAMPLE, owners=owners,
        polygons=[largest(fracture.extent, bone_mask) for fracture in fractures],
        fractures=[fracture.name for fracture in fractures],
        faint=[fracture.faint for fracture in fractures],
        bone_mask=bone_mask, lookalikes=lookalikes, seed=int(seed), patient=int(patient_seed))
        for points, owners in marks]
