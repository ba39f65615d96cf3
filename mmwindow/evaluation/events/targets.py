"""The ground truth of one image: points or boxes, and the disks around points."""
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmwindow.utils.frame import FRAME_SIDE

Floats = NDArray[np.float64]


def check_points(points: ArrayLike, frame_side: float = FRAME_SIDE) -> Floats:
    """Return points ``(N, 2)`` as float64; those outside the frame are left out.

    Args:
        points: ``(N, 2)``, x and y in frame pixels.
        frame_side: Side of the frame.

    Raises:
        ValueError: The shape is wrong, or a coordinate is not finite.
    """
    points = _check_coordinates(points, 2, 'points', 'x and y')
    return points[((points >= 0) & (points <= frame_side)).all(axis=1)]


def check_boxes(boxes: ArrayLike, frame_side: float = FRAME_SIDE) -> Floats:
    """Return target boxes ``(N, 4)`` as float64, clipped to the frame.

    Those that lie outside it are left out, as points are.

    Args:
        boxes: ``(N, 4)``, x1, y1, x2, y2 in frame pixels.
        frame_side: Side of the frame.

    Raises:
        ValueError: The shape is wrong, a coordinate is not finite, or a box has no area.
    """
    boxes = _check_coordinates(boxes, 4, 'target boxes', 'x1, y1, x2, y2')
    flat = (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
    if flat.any():
        raise ValueError(f'the target box {boxes[flat][0]} has no area; x1 < x2 and y1 < y2 are '
                         'expected')
    boxes = boxes.clip(0, frame_side)
    return boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]


def _check_coordinates(values: ArrayLike, num: int, what: str, meaning: str) -> Floats:
    """Return coordinates as float64 ``(N, num)``; what names them in a message."""
    values = np.asarray(values, dtype=np.float64)
    if values.size == 0:
        return np.zeros((0, num))
    if values.ndim != 2 or values.shape[1] != num:
        raise ValueError(f'{what} have shape {values.shape}; (N, {num}) is expected, {meaning} in '
                         'frame pixels')
    if not np.isfinite(values).all():
        raise ValueError(f'{what} hold {values[~np.isfinite(values).all(axis=1)][0]}; coordinates '
                         'must be finite')
    return values


class CornerWindow(NamedTuple):
    """The part of a table of corner areas where it changes.

    Attributes:
        table: ``(h, w)``, square frame pixels. A corner beyond it has the value of the table's
            nearest corner.
        row: Of the grid, where the table starts.
        column: Of the grid, where it starts.
    """

    table: Floats
    row: int
    column: int


class DiskMask:
    """The union of disks around points, drawn at 1 px in the frame, and its area in any box.

    A pixel belongs to the mask when its centre lies within the radius of a point; boxes
    may have fractional edges, and count the covered part of a pixel.

    Args:
        points: ``(N, 2)``, x and y in frame pixels.
        radius: In frame pixels.
        frame_side: Side of the frame.

    Attributes:
        mask: ``(h, w)`` bool, the smallest rectangle around all disks.
        left, top: Where it lies in the frame.
    """

    def __init__(self, points: Floats, radius: float, frame_side: int = FRAME_SIDE) -> None:
        self.left: int = 0
        self.top: int = 0
        self.mask = np.zeros((0, 0), dtype=bool)
        if len(points) == 0:
            return
        low = np.clip(np.floor(points - radius), 0, frame_side).astype(int)
        high = np.clip(np.ceil(points + radius), 0, frame_side).astype(int)
        self.left, self.top = low.min(axis=0)
        right, bottom = high.max(axis=0)
        self.mask = np.zeros((bottom - self.top, right - self.left), dtype=bool)
        for point, (x0, y0), (x1, y1) in zip(points, low, high, strict=True):
            x, y = np.arange(x0, x1) + 0.5 - point[0], np.arange(y0, y1) + 0.5 - point[1]
            self.mask[y0 - self.top:y1 - self.top, x0 - self.left:x1 - self.left] |= (
                x ** 2 + y[:, None] ** 2 <= radius ** 2)

    def corner_areas(self, x: Floats, y: Floats) -> Floats:
        """Return the mask's area left of each x and above each y, as a table.

        Args:
            x: ``(W,)``, frame pixels, may be fractional.
            y: ``(H,)``.

        Returns:
            ndarray: ``(H, W)`` float64, square frame pixels.
        """
        if self.mask.size == 0:
            return np.zeros((len(y), len(x)))
        above = self._sum_before(self.mask, np.asarray(y, dtype=np.float64) - self.top)
        # Transposed copies: sums along the first axis run over complete rows at a time.
        return self._sum_before(np.ascontiguousarray(above.T),
                                np.asarray(x, dtype=np.float64) - self.left).T.copy()

    def corner_window(self, x_edges: Floats, y_edges: Floats) -> CornerWindow:
        """Return the corner areas of a grid, where they change.

        Args:
            x_edges: ``(m + 1,)``, ascending, of the columns.
            y_edges: ``(n + 1,)``, ascending, of the rows.
        """
        if self.mask.size == 0:
            return CornerWindow(np.zeros((1, 1)), 0, 0)
        height, width = self.mask.shape
        ranges = []
        for edges, start, length in ((y_edges, self.top, height), (x_edges, self.left, width)):
            first = np.searchsorted(edges, start, 'right') - 1
            last = np.searchsorted(edges, start + length, 'left')
            ranges.append(slice(max(int(first), 0), int(last) + 1))
        rows, columns = ranges
        return CornerWindow(self.corner_areas(x_edges[columns], y_edges[rows]), rows.start,
                            columns.start)

    def areas(self, boxes: Floats) -> Floats:
        """Return the mask's area within each box ``(N, 4)`` as x1, y1, x2, y2."""
        x, x_index = np.unique(boxes[:, 0::2], return_inverse=True)
        y, y_index = np.unique(boxes[:, 1::2], return_inverse=True)
        x_index, y_index = x_index.reshape(-1, 2), y_index.reshape(-1, 2)
        table = self.corner_areas(x, y)
        return (table[y_index[:, 1], x_index[:, 1]] - table[y_index[:, 0], x_index[:, 1]]
                - table[y_index[:, 1], x_index[:, 0]] + table[y_index[:, 0], x_index[:, 0]])

    @staticmethod
    def _sum_before(values: NDArray[Any], positions: Floats) -> Floats:
        """Return the sum of ``(n, m)`` before each position on the first axis ``(k, m)``.

        A position between two rows takes its share of the row.
        """
        sums = np.zeros((len(values) + 1, values.shape[1]),
                        np.int32 if values.dtype == bool else np.float64)
        np.cumsum(values, axis=0, out=sums[1:])
        positions = positions.clip(0, len(values))
        below = np.floor(positions).astype(int).clip(0, len(values) - 1)
        share = (positions - below)[:, None]
        if not (share % 1).any():  # integer pixels: exact, and a third of the work
            return np.asarray(sums[positions.astype(int)], np.float64)
        return np.asarray(sums[below] * (1 - share) + sums[below + 1] * share)
