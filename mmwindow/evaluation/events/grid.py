"""What a sweep needs of one image: its cells by score, their edges, the targets, the rule."""
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.hit_rules import Floats, HitRule
from mmwindow.utils.frame import FRAME_SIDE


@dataclass(frozen=True)
class Grid:
    """A grid of cells that starts at the frame's corner, with the targets to judge boxes by.

    Attributes:
        x_edges: ``(m + 1,)``, of the columns, frame pixels.
        y_edges: ``(n + 1,)``, of the rows.
        targets: ``(P, 4)``, points as x, y, x, y or boxes, frame pixels.
        rule: By which findings are judged.
        table: ``(h, w)``, area of the mask of disks left of and above each corner of the cells
            around it, square frame pixels; see
            :meth:`~mmwindow.evaluation.events.targets.DiskMask.corner_window`.
        table_row: Row of the grid where the table starts.
        table_column: Column of the grid where it starts.
    """

    x_edges: Floats
    y_edges: Floats
    targets: Floats
    rule: HitRule
    table: Floats
    table_row: int
    table_column: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.y_edges) - 1, len(self.x_edges) - 1

    def boxes(self, cells: NDArray[np.int32]) -> Floats:
        """Return boxes of cells ``(K, 4)`` in frame pixels, x1, y1, x2, y2.

        Args:
            cells: ``(K, 4)``: first row, last row + 1, first column, last column + 1.
        """
        return np.stack([self.x_edges[cells[:, 2]], self.y_edges[cells[:, 0]],
                         self.x_edges[cells[:, 3]], self.y_edges[cells[:, 1]]], axis=1)

    def covered_areas(self, cells: NDArray[np.int32]) -> Floats:
        """Return how much of boxes of cells ``(K, 4)`` lies in the disks, square frame pixels."""
        height, width = self.table.shape
        row0, row1 = ((cells[:, side] - self.table_row).clip(0, height - 1) * width
                      for side in (0, 1))
        column0, column1 = ((cells[:, side] - self.table_column).clip(0, width - 1)
                            for side in (2, 3))
        table = self.table.ravel()
        found: Floats = (
            table[row1 + column1] - table[row0 + column1]
                - table[row1 + column0] + table[row0 + column0])
        return found


def grid_edges(num: int, cells_along: float, frame_side: float = FRAME_SIDE) -> Floats:
    """Return the edges ``(num + 1,)`` of cells, frame pixels.

    Args:
        num: Number of cells.
        cells_along: How many cells the frame's side is long; may be fractional.
        frame_side: In pixels.
    """
    edges = np.arange(num + 1) * (frame_side / cells_along)
    edges[np.arange(num + 1) == cells_along] = frame_side  # to the digit, whatever the rounding
    return np.asarray(edges, np.float64)


def make_grid(shape: tuple[int, int], targets: Floats, rule: HitRule,
              frame_side: int = FRAME_SIDE,
              cells_along: tuple[float, float] | None = None) -> Grid:
    """Return the grid of a map.

    Args:
        shape: Rows and columns of cells.
        targets: ``(P, 4)``, checked.
        rule: By which findings are judged.
        frame_side: In pixels.
        cells_along: As in :func:`grid_edges`, in x and in y; the longer side of the map if None.
    """
    x_edges, y_edges = (grid_edges(num, along, frame_side) for num, along in zip(
        shape[::-1], cells_along or (max(shape), max(shape)), strict=True))
    window = rule.disk_mask(targets, frame_side).corner_window(x_edges, y_edges)
    return Grid(x_edges, y_edges, targets, rule, window.table, window.row, window.column)


def place_on_grid(positions: Floats, cells: Floats, edges: Floats) -> Floats:
    """Return positions in frame pixels that compare with edges as the numbers of cells do.

    A coordinate that is scaled to the frame is rounded, and so are the edges: one on an edge could
    fall to its wrong side, at many image sizes.

    Args:
        positions: ``(N,)``, frame pixels.
        cells: ``(N,)``, the same in units of cells: an integer is an edge.
        edges: ``(n + 1,)``, from :func:`grid_edges`.

    Returns:
        ndarray: ``(N,)``, equal to an edge exactly where the position is an integer.
    """
    below = np.floor(cells).clip(0, len(edges) - 2).astype(int)
    low, high = edges[below], edges[below + 1]
    inner = positions.clip(np.nextafter(low, np.inf), np.nextafter(high, -np.inf))
    inside = (cells > below) & (cells < below + 1)
    return np.where(cells == below, low, np.where(
        cells == below + 1, high, np.where(inside, inner, positions)))


class Cells(NamedTuple):
    """The cells of a map from the highest score down.

    Attributes:
        order: ``(k,)`` int32, row-major indices.
        levels: ``(k,)``, their scores.
    """

    order: NDArray[np.int32]
    levels: NDArray[np.floating]


def sort_cells(scores: NDArray[np.floating], floor: float | None = None) -> Cells:
    """Return the cells of a map from the highest score down.

    Args:
        scores: ``(n, m)``, float32 or float64, finite.
        floor: Cells below are left out, and cost no sorting.
    """
    flat = np.ascontiguousarray(scores).ravel()
    kept, values = None, flat
    order: Any
    if floor is not None:
        kept = np.flatnonzero(flat >= round_up(floor, flat.dtype)).astype(np.uint32)
        values = flat[kept]
    if flat.dtype != np.float32:
        order = np.argsort(-values, kind='stable')
        order = (order if kept is None else kept[order]).astype(np.int32)
        return Cells(order, flat[order])
    # The bits of a float, flipped so that they ascend as scores descend, and the cell's number
    # below them: one sort of integers, three times as fast as one of indices.
    bits = values.view(np.int32)
    keys = ((bits >> 31) & 0x7fffffff) ^ bits  # ascending as the scores are
    keys = (~keys).astype(np.int64) << 32
    keys |= np.arange(len(values)) if kept is None else kept
    keys.sort()
    order = keys.astype(np.int32)  # the low half
    return Cells(order, flat[order])


def round_up(value: float, dtype: np.dtype) -> np.floating:
    """Return the smallest number of a floating type that is not below a value."""
    with np.errstate(over='ignore'):
        rounded = dtype.type(value)
    found: np.floating = (
        rounded if float(rounded) >= value else np.nextafter(rounded, dtype.type(np.inf)))
    return found
