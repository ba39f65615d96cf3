"""Points of two readers, matched one to one."""
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from mmwindow.annotations.merging import (
    LENGTH_SLACK,
    MERGE_RADIUS,
    check_radius,
    check_reader_points,
    distances_between,
)


class Matches(NamedTuple):
    """Pairs of points, ordered by the first point's number.

    Attributes:
        first: ``(K,)``, numbers of the first reader's points.
        second: ``(K,)``, numbers of the second reader's points.
        distances: ``(K,)``, of each pair.
    """

    first: NDArray[np.int_]
    second: NDArray[np.int_]
    distances: NDArray[np.float64]


def match_points(first: ArrayLike, second: ArrayLike, radius: float = MERGE_RADIUS) -> Matches:
    """Match the points of two readers on one image, of one class.

    As many pairs as possible within the radius, each point in one pair at most; of all such
    matchings one with the smallest sum of distances (an assignment problem, solved exactly).

    Args:
        first: ``(N, 2)``, frame pixels.
        second: ``(M, 2)``, frame pixels.
        radius: Frame pixels, met exactly included.

    Raises:
        ValueError: A coordinate is not finite, a reader marked a place twice, or the radius is no
            length.

    Example:
        >>> matches = match_points([[0, 0], [30, 0]], [[40, 0], [500, 0], [-40, 0]])
        >>> matches.first.tolist(), matches.second.tolist(), matches.distances.tolist()
        ([0, 1], [2, 0], [40.0, 10.0])
    """
    check_radius(radius)
    distance = distances_between(check_reader_points(first, 'first'),
                                 check_reader_points(second, 'second'))
    near = distance <= radius + LENGTH_SLACK
    if not near.any():
        none = np.zeros(0, int)
        return Matches(none, none, np.zeros(0))
    # One pair more is worth more than all that the distances of the others can add up to.
    worth = 2 * radius * (min(distance.shape) + 1)
    rows, columns = linear_sum_assignment(np.where(near, distance - worth, 0.))
    kept = near[rows, columns]
    rows, columns = rows[kept], columns[kept]
    return Matches(rows, columns, distance[rows, columns])
