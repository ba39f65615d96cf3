"""Settings that fit the data, each with its reason: window, pseudo-boxes, input side."""
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmwindow.apis.doctor.data_source import CheckedImage
from mmwindow.utils.frame import FRAME_SIDE

LOWER, UPPER, BOX = 50, 200, 200  # the paper's, pixels of a frame of side 1024
# The extent for which these were measured against smaller ones and not beaten: FracAtlas' median.
MEASURED_EXTENT = 59.
TOLERANCE = 1.7  # within this factor of it nothing is changed
SIDES = (256, 384, 512, 640, 768, 1024)
SMALLEST_STRIDE = 4  # of the feature pyramid
CELLS = 2  # that the smallest findings should cover
MAX_COMPARED = 200  # findings of one image


@dataclass(frozen=True)
class Suggestion:
    """One setting.

    Attributes:
        name: Of the setting.
        value: In words.
        reason: Why, in one line.
        options: For ``--cfg-options``; '' where there are none.
    """

    name: str
    value: str
    reason: str
    options: str = ''


@dataclass(frozen=True)
class Extents:
    """How large findings are and how far apart, in pixels of a frame of side 1024.

    Attributes:
        sizes: ``(K,)``, root of the area of each finding's box; empty where there are no boxes.
        distances: ``(M,)``, from each finding to the nearest other one of its image.
        long_edges: ``(N,)``, of the images, in their own pixels.
    """

    sizes: np.ndarray
    distances: np.ndarray
    long_edges: np.ndarray


def measure_extents(images: Sequence[CheckedImage]) -> Extents:
    """Return the extents of findings; points that share a box are one finding."""
    sizes: list[float] = []
    distances: list[float] = []
    for image in images:
        record = image.record
        scale = FRAME_SIDE / max(record.height, record.width)
        findings: dict[object, tuple[float, float]] = {}
        for number, (point, box) in enumerate(zip(record.points, record.boxes, strict=True)):
            findings.setdefault(box or number, point)
        sizes += [scale * ((box[2] - box[0]) * (box[3] - box[1])) ** .5
                  for box in {box for box in record.boxes if box}]
        if 1 < len(findings) <= MAX_COMPARED:
            places = np.array(list(findings.values())) * scale
            apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
            np.fill_diagonal(apart, np.inf)
            distances += apart.min(axis=1).tolist()
    edges = [max(image.record.height, image.record.width) for image in images]
    return Extents(np.array(sizes), np.array(distances), np.array(edges, float))


def suggest(images: Sequence[CheckedImage]) -> list[Suggestion]:
    """Return settings for the images of a data set; none where no image has a finding."""
    extents = measure_extents(images)
    if not any(image.is_positive for image in images):
        return []
    return [*suggest_window(extents), suggest_input(extents)]


def suggest_window(extents: Extents) -> list[Suggestion]:
    """Return the radii of the window and the size of pseudo-boxes."""
    factor, reason = 1., ('there are no boxes or polygons to measure findings by; the paper\'s '
                          'values, chosen for fractures of the pelvis')
    if len(extents.sizes):
        quartiles = np.quantile(extents.sizes, (.25, .5, .75))
        ratio = float(quartiles[1]) / MEASURED_EXTENT
        text = (f'findings are {quartiles[1]:.0f} pixels large (quartiles {quartiles[0]:.0f} and '
                f'{quartiles[2]:.0f}, frame of 1024)')
        if 1 / TOLERANCE <= ratio <= TOLERANCE:
            reason = (f'{text}, near the {MEASURED_EXTENT:.0f} for which the paper\'s values were '
                      'not beaten (docs/fracatlas.md)')
        else:
            factor = ratio
            reason = (f'{text}, {ratio:.2g} times those for which the paper\'s 50 / 200 were not '
                      'beaten; scaled alike, untested: compare with tools/choose_settings.py')
    lower, upper, box = (_round_length(length * factor) for length in (LOWER, UPPER, BOX))
    if len(extents.distances) >= 10:
        near = float(np.quantile(extents.distances, .1))
        if near < 2 * lower:
            share = float((extents.distances < 2 * lower).mean())
            reason += (f'; {share:.0%} of the findings with a neighbour lie nearer to it than '
                       f'{2 * lower} pixels, where the disks of two findings are one')
    window = f'window.lower_radius={lower} window.upper_radius={upper}'
    return [Suggestion('window', f'lower radius {lower}, upper radius {upper}', reason,
                       '' if factor == 1 else window),
            Suggestion('pseudo-boxes', f'{box} pixels', 'for box detectors; ' + (
                'the paper\'s' if factor == 1 else 'scaled with the window'),
                '' if factor == 1 else f'pipeline.PointsToPseudoBoxes.size={box}')]


def _round_length(length: float) -> int:
    return max(5, round(length / 5) * 5)


def suggest_input(extents: Extents) -> Suggestion:
    """Return the side of the network's input."""
    edge = float(np.median(extents.long_edges))
    largest = next((side for side in SIDES if side >= edge), SIDES[-1])
    text = f'the median long edge of the images is {edge:.0f} pixels'
    if not len(extents.sizes):
        return Suggestion('input side', f'up to {largest}', f'{text}; without boxes the size of the '
                          'smallest findings is not known. Time grows with the square',
                          f'input_size={largest}')
    small = float(np.quantile(extents.sizes, .05))
    needed = FRAME_SIDE * CELLS * SMALLEST_STRIDE / max(small, 1e-6)
    side = next((side for side in SIDES if side >= needed), SIDES[-1])
    if side > largest:
        return Suggestion('input side', str(largest), f'{text}: a larger input shows no more; the '
                          f'smallest findings ({small:.0f} of 1024 pixels, 5 %) would need {side}',
                          f'input_size={largest}')
    return Suggestion(
        'input side', f'at least {side}', f'the smallest findings ({small:.0f} of 1024 pixels, 5 % '
        f'are smaller) then cover {CELLS} cells of the finest map; {text}, up to {largest} can help',
        f'input_size={side}')
