"""Points: outside their image, fractions in place of pixels, all in one corner, two at one place."""
from itertools import combinations

import numpy as np

from mmwindow.apis.doctor.checkup import Checkup
from mmwindow.apis.doctor.data_source import CheckedImage, DataPart, check_point_scale
from mmwindow.apis.doctor.problems import ERROR, WARNING, Problem, make_items
from mmwindow.utils.messages import count_words

CORNER = .15  # of width and height: what counts as a corner
MIN_POSITIVES = 5  # images: one or two may have their findings in a corner by chance
CORNERS = ('top left', 'top right', 'bottom left', 'bottom right')
SMALLEST_IMAGE = 16  # pixels: of these, one may well have its only finding in its first pixel
SAME_PLACE = 2.  # pixels of the file: two points of one class nearer than that are one click
MAX_COMPARED = 200  # points of one image


def check_points(checkup: Checkup) -> list[Problem]:
    """Return the problems of points."""
    problems = []
    for part in checkup.source.parts:
        outside = part.faults.outside
        if outside:
            problems.append(Problem(
                ERROR, 'points outside', part.split, f'{count_words(len(outside), "finding")} '
                f'{"lies" if len(outside) == 1 else "lie"} outside their images', 'Are x and y '
                'exchanged, or are they of another scale? --fix leaves them out',
                make_items(outside.values())))
        problems += _check_corners(part)
    return problems + _check_repeated(checkup)


def relative_points(images: list[CheckedImage]) -> list[np.ndarray]:
    """Return the points of each positive image as fractions of its size, ``(K, 2)`` each."""
    return [np.array(image.record.points) / (image.record.width, image.record.height)
            for image in images if image.is_positive]


def _check_corners(part: DataPart) -> list[Problem]:
    problem = check_point_scale(part)
    if problem:
        return [Problem(ERROR, 'normalised coordinates', part.split, problem,
                        'Import them again from their source (mmwindow import)')]
    fractions = [image.name for image in part.images if image.is_positive and (
        min(image.record.width, image.record.height) >= SMALLEST_IMAGE
        and np.max(image.record.points) <= 1)]
    if fractions:
        return [Problem(
            WARNING, 'points in the first pixel', part.split, 'all points of '
            f'{count_words(len(fractions), "image")} are at most 1, as fractions of width and height '
            'are; others are pixels', 'Multiply them by width and height in the source, and import '
            'again', make_items(fractions))]
    points = relative_points(part.images)
    if len(points) < MIN_POSITIVES:
        return []
    places = np.concatenate(points)
    right, low = places[:, 0] > .5, places[:, 1] > .5
    near = np.minimum(places, 1 - places).max(axis=1) < CORNER
    corner = np.bincount(2 * low[near] + right[near], minlength=4)
    if corner.max() < len(places):
        return []
    return [Problem(
        WARNING, 'points in one corner', part.split, f'all {count_words(len(places), "point")} of '
                                                     f'{len(points)} '
        f'images lie in the {CORNERS[int(corner.argmax())]} corner', 'Are they percent, or of a '
        'smaller copy of the images? Look at the overlays')]


def _check_repeated(checkup: Checkup) -> list[Problem]:
    repeated = []
    for index, image in enumerate(checkup.images):
        record = image.record
        if not 1 < len(record.points) <= MAX_COMPARED or len(set(record.point_readers)) > 1:
            continue
        for one, other in combinations(range(len(record.points)), 2):
            (x1, y1), (x2, y2) = record.points[one], record.points[other]
            if record.labels[one] == record.labels[other] and (
                    (x1 - x2) ** 2 + (y1 - y2) ** 2 < SAME_PLACE ** 2):
                repeated.append(f'{checkup.name(index)} at ({x1:g}, {y1:g})')
                break
    if not repeated:
        return []
    return [Problem(WARNING, 'points twice', '', f'{count_words(len(repeated), "image")} '
                    f'{"has" if len(repeated) == 1 else "have"} two points of one class at one place',
                    'Each counts as a finding of its own; keep one', make_items(repeated))]
