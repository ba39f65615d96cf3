"""Points of several readers become findings: who marked the same place, and how many must have.

Clustering is complete-link with pairs that cannot be linked (Klein, Kamvar and Manning, From
Instance-level Constraints to Space-level Constraints, ICML 2002): the two closest clusters are joined
first, where the distance of two clusters is that of their farthest points, and two points of one
reader are infinitely far apart. So any two points of a finding lie within the radius of each other,
a chain of points cannot grow beyond it, and no finding has two points of one reader. Numpy alone.
"""
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmwindow.utils.frame import FRAME_SIDE
from mmwindow.utils.messages import count_words, quote, shorten

MERGE_RADIUS = 50.  # frame pixels: within the hit radius two marks are one finding to the metric too
MAJORITY = 'majority'
MAX_MARKS = 2000  # of one image and class, where a radiograph has a few: clustering takes seconds
LENGTH_SLACK = 1e-9  # frame pixels: a distance that is met exactly is not lost to rounding

Floats = NDArray[np.float64]


def check_radius(radius: float) -> None:
    """Raise ``ValueError`` unless a radius is a positive length."""
    if isinstance(radius, bool) or not isinstance(radius, int | float) or not 0 < radius < np.inf:
        raise ValueError(f'the radius of merging is {quote(radius)}; a positive number of pixels of '
                         f'a frame of side {FRAME_SIDE} is expected')


@dataclass(frozen=True)
class MergeSettings:
    """When points of different readers are one finding, and when a finding counts.

    Attributes:
        radius: Any two points of a finding lie within it, pixels of a frame of side 1024.
        min_readers: How many readers must have marked a finding: a whole number, or 'majority',
            more than half of those who read the image.

    Raises:
        ValueError: A number makes no sense.
    """

    radius: float = MERGE_RADIUS
    min_readers: int | str = MAJORITY

    def __post_init__(self) -> None:
        check_radius(self.radius)
        number = self.min_readers
        if number != MAJORITY and (
                isinstance(number, bool) or not isinstance(number, int) or number < 1):
            raise ValueError(f'min_readers is {quote(number)}; a whole number from 1 on, or '
                             f'{MAJORITY!r}, is expected')

    def num_needed(self, num_readers: int) -> int:
        """Return how many readers must agree on an image that so many have read.

        >>> [MergeSettings().num_needed(number) for number in (1, 2, 3, 4)]
        [1, 2, 2, 3]
        """
        if isinstance(self.min_readers, str):
            return num_readers // 2 + 1
        return self.min_readers

    def limited_to(self, num_readers: int) -> 'MergeSettings':
        """Return the same with no more readers needed than there are, as where one is left out."""
        if isinstance(self.min_readers, str) or self.min_readers <= num_readers:
            return self
        return replace(self, min_readers=max(num_readers, 1))

    def describe(self) -> str:
        """Return the rule in words."""
        who = 'more than half of its readers' if self.min_readers == MAJORITY else (
            f'at least {self.min_readers} of its readers')
        return f'marked by {who}, within {self.radius:g} pixels of a frame of side {FRAME_SIDE}'


DEFAULT_MERGE = MergeSettings()


class MergedFindings(NamedTuple):
    """Findings of several readers on one image, ordered by x, then y.

    Attributes:
        points: ``(K, 2)``, the mean of the points of each, in the pixels that came.
        members: For each finding, reader to the number of his point.
        num_left_out: Findings that too few readers have marked.
    """

    points: Floats
    members: tuple[dict[str, int], ...]
    num_left_out: int


class ReaderMarks(NamedTuple):
    """What one reader has marked on one image.

    Attributes:
        points: ``(N, 2)``, x and y in pixels of the image.
        labels: ``(N,)`` integers, the class of each.
        boxes: x1, y1, x2, y2 in pixels of the image for each; None where there is none.
    """

    points: Floats
    labels: NDArray[np.int_]
    boxes: tuple[tuple[float, ...] | None, ...]


class MergedMarks(NamedTuple):
    """The findings of all classes on one image, by class, then x, then y.

    Attributes:
        marks: As those of one reader; a box is the mean of the members' boxes, None where one of
            them has none.
        num_left_out: Findings that too few readers have marked.
    """

    marks: ReaderMarks
    num_left_out: int


def check_reader_points(points: ArrayLike, reader: str) -> Floats:
    """Return the points of one reader on one image as float64 ``(N, 2)``.

    Raises:
        ValueError: The shape is wrong, a coordinate is not finite, or a point is there twice.
    """
    array = np.asarray(points, dtype=np.float64)
    if array.size == 0:
        return np.zeros((0, 2))
    if array.ndim != 2 or array.shape[1] != 2 or not np.isfinite(array).all():
        raise ValueError(f'the points of reader {quote(reader)} are {shorten(array.tolist())}; '
                         'finite x and y, (N, 2), are expected')
    if len(np.unique(array, axis=0)) < len(array):
        rows, counts = np.unique(array, axis=0, return_counts=True)
        raise ValueError(f'reader {quote(reader)} has marked ({rows[counts > 1][0][0]:g}, '
                         f'{rows[counts > 1][0][1]:g}) twice; keep one of the two points')
    return array


def distances_between(first: Floats, second: Floats) -> Floats:
    """Return the distances ``(N, M)`` of points ``(N, 2)`` and ``(M, 2)``."""
    difference = first[:, None] - second[None]
    return np.asarray(np.hypot(difference[..., 0], difference[..., 1]))


def merge_readers(points: Mapping[str, ArrayLike], settings: MergeSettings = DEFAULT_MERGE,
                  scale: float = 1.) -> MergedFindings:
    """Merge the points of several readers on one image, of one class.

    The result depends neither on the order of readers and points nor on the readers' names: among
    pairs of clusters that are equally far apart, that with the smallest x, then y, is joined first.

    Args:
        points: For each reader who read the image his points ``(N, 2)``; none where he found
            nothing.
        settings: Radius and number of readers.
        scale: Frame pixels along one pixel of ``points``; 1 where these are frame pixels.

    Returns:
        MergedFindings: In the pixels of ``points``.

    Raises:
        ValueError: Nobody has read the image, or fewer readers than must agree; a reader marked
            a place twice; there are more than :data:`MAX_MARKS` points.

    Example:
        >>> merged = merge_readers({'A': [[100, 100]], 'B': [[130, 140], [400, 100]], 'C': []})
        >>> merged.points.tolist(), merged.members, merged.num_left_out
        ([[115.0, 120.0]], ({'A': 0, 'B': 0},), 1)
    """
    arrays = {name: check_reader_points(entry, name) for name, entry in points.items()}
    needed = settings.num_needed(len(arrays))
    if needed > len(arrays) or not arrays:
        raise ValueError(f'{count_words(len(arrays), "reader has", "readers have")} read the image, '
                         f'but {needed} must agree '
                         '(min_readers); ask for fewer, or leave such images out')
    joined = np.concatenate(list(arrays.values()))
    if len(joined) > MAX_MARKS:
        raise ValueError(f'its readers have marked {count_words(len(joined), "point")} of one '
                         f'class; at most '
                         f'{MAX_MARKS} on an image are merged')
    owner = np.repeat(np.arange(len(arrays)), [len(entry) for entry in arrays.values()])
    number = np.concatenate([np.arange(len(entry)) for entry in arrays.values()])
    order = np.lexsort((joined[:, 1], joined[:, 0]))
    joined, owner, number = joined[order], owner[order], number[order]
    names = list(arrays)
    centres, members = [], []
    clusters = cluster_points(joined * scale, owner, settings.radius)
    for cluster in clusters:
        if len(cluster) >= needed:
            # Summed in the order of the coordinates: the same mean whoever the readers are.
            centres.append(joined[cluster].mean(axis=0))
            members.append({names[owner[place]]: int(number[place]) for place in cluster})
    result = np.array(centres).reshape(-1, 2)
    order = np.lexsort((result[:, 1], result[:, 0]))
    return MergedFindings(result[order], tuple(members[place] for place in order),
                          len(clusters) - len(centres))


def cluster_points(points: Floats, owner: NDArray[np.int_], radius: float) -> list[list[int]]:
    """Return the numbers of the points of each cluster, each in ascending order.

    Args:
        points: ``(N, 2)``, ordered by x, then y.
        owner: ``(N,)``, the reader of each; no reader has two points at one place.
        radius: In the pixels of the points.
    """
    clusters = [[place] for place in range(len(points))]
    distance = distances_between(points, points)
    distance[(owner[:, None] == owner) | (distance > radius + LENGTH_SLACK)] = np.inf
    # A cluster is named by its first point in the order of the coordinates, and the first of equal
    # distances is taken: points, not readers, decide.
    while distance.size and np.isfinite(distance).any():
        first, second = sorted(map(int, np.unravel_index(distance.argmin(), distance.shape)))
        farthest = np.maximum(distance[first], distance[second])  # inf where a reader is in both
        farthest[first] = np.inf
        distance[first] = distance[:, first] = farthest
        distance[second] = distance[:, second] = np.inf
        clusters[first] = sorted(clusters[first] + clusters[second])
        clusters[second] = []
    return [cluster for cluster in clusters if cluster]


def merge_marks(marks: Mapping[str, ReaderMarks], settings: MergeSettings, scale: float
                ) -> MergedMarks:
    """Merge what several readers have marked on one image, each class by itself.

    Args:
        marks: Of each reader who read the image.
        settings: Radius and number of readers.
        scale: Frame pixels along one pixel of the image.

    Raises:
        ValueError: As :func:`merge_readers`.
    """
    labels = sorted({int(label) for entry in marks.values() for label in entry.labels}) or [0]
    points, owners, num_left_out = [np.zeros((0, 2))], [], 0
    boxes: list[tuple[float, ...] | None] = []
    for label in labels:
        own = {name: np.flatnonzero(entry.labels == label) for name, entry in marks.items()}
        merged = merge_readers({name: entry.points[own[name]] for name, entry in marks.items()},
                               settings, scale)
        points.append(merged.points)
        owners.extend([label] * len(merged.points))
        num_left_out += merged.num_left_out
        boxes.extend(_mean_box([marks[name].boxes[own[name][place]]
                                for name, place in members.items()]) for members in merged.members)
    return MergedMarks(ReaderMarks(np.concatenate(points), np.array(owners, int), tuple(boxes)),
                       num_left_out)


def _mean_box(boxes: list[tuple[float, ...] | None]) -> tuple[float, ...] | None:
    known = sorted(box for box in boxes if box is not None)  # sorted: the same sum in any order
    if len(known) < len(boxes):
        return None
    return tuple(np.array(known).mean(axis=0).tolist())
