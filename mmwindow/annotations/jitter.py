"""Points moved at random, as imprecise clicks would lie: what does a model learn from them?"""
import hashlib
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mmwindow.annotations.records import PointFile
from mmwindow.utils.frame import FRAME_SIDE
from mmwindow.utils.messages import count_words

MARGIN = .5  # pixels of the image that a point keeps to its border


class JitteredPoints(NamedTuple):
    """A point file with moved points.

    Attributes:
        point_file: Without boxes, which no longer belong to the points.
        distance: Root mean square distance moved, in pixels of a frame of side 1024: less than was
            asked for where the border held points.
        num_held: Points that the border held.
    """

    point_file: PointFile
    distance: float
    num_held: int


def jitter_points(point_file: PointFile, jitter: float, seed: int = 0) -> JitteredPoints:
    """Move each point by a normal distance; it stays in its image.

    What is drawn depends on the seed and the image's file name alone: an image's points move alike
    whichever file it is in, and twice the jitter moves them in the same directions twice as far.

    Args:
        point_file: Is not changed.
        jitter: Root mean square distance, in pixels of a frame of side 1024 around the image.
        seed: Of directions and distances, from 0 on.

    Raises:
        ValueError: The jitter is no distance in a frame, the seed negative, or there are no points.
    """
    if not 0 < jitter < FRAME_SIDE:
        raise ValueError(f'jitter is {jitter}; a distance above 0 is expected, in pixels of a frame '
                         f'of side {FRAME_SIDE}')
    if seed < 0:
        raise ValueError(f'seed is {seed}; a whole number from 0 on is expected')
    records = []
    squares: list[float] = []
    num_held = 0
    for record in point_file.records:
        points = np.array(record.points, np.float64).reshape(-1, 2)
        digest = hashlib.sha256(record.file_name.encode('utf-8', 'backslashreplace')).digest()
        rng = np.random.default_rng([seed, *np.frombuffer(digest, '<u4').tolist()])
        scale = max(record.height, record.width) / FRAME_SIDE
        # Two components of variance 1/2: a distance of 1 in the mean square.
        moved = points + rng.normal(0, np.sqrt(.5), points.shape) * jitter * scale
        kept = np.clip(moved, MARGIN, np.array([record.width, record.height]) - MARGIN)
        num_held += int((kept != moved).any(axis=1).sum())
        squares += (((kept - points) / scale) ** 2).sum(axis=1).tolist()
        records.append(replace(record, points=[(float(x), float(y)) for x, y in kept.round(2)],
                               boxes=[None] * len(points)))
    if not squares:
        raise ValueError(f'no points in {count_words(len(records), "image")}, so that there is '
                         'nothing to move')
    return JitteredPoints(replace(point_file, records=records), float(np.sqrt(np.mean(squares))),
                          num_held)
