"""What a sweep needs of one image: its cells by score, their edges, the targets, the rule."""
from dataclasses import dataclass

import numpy as np

from mmwindow.evaluation.events.targets import FRAME_SIDE


@dataclass(frozen=True)
class Grid:
    """A square grid of cells over the frame, with the targets to judge boxes by.

    Attributes:
        side (int): Cells in a row, n.
        edges (ndarray): ``(n + 1,)``, of columns and of rows alike, frame pixels.
        targets (ndarray): ``(P, 4)``, points as x, y, x, y or boxes, frame pixels.
        code (int): The hit rule's number.
        limit (float): The number that the rule compares with.
        table (ndarray): ``(h, w)``, area of the mask of disks left of and above each corner of
            the cells around it, square frame pixels; see
            :meth:`~mmwindow.evaluation.events.targets.DiskMask.corner_window`.
        table_row, table_column (int): Where in the grid the table starts.
    """
    side: int
    edges: np.ndarray
    targets: np.ndarray
    code: int
    limit: float
    table: np.ndarray
    table_row: int
    table_column: int

    def covered_areas(self, row0, row1, column0, column1):
        """Return how much of boxes of cells lies in the disks, square frame pixels."""
        height, width = self.table.shape
        rows = [(row - self.table_row).clip(0, height - 1) for row in (row0, row1)]
        columns = [(column - self.table_column).clip(0, width - 1) for column in (column0, column1)]
        return (self.table[rows[1], columns[1]] - self.table[rows[0], columns[1]]
                - self.table[rows[1], columns[0]] + self.table[rows[0], columns[0]])


def make_grid(side, targets, rule, frame_side=FRAME_SIDE):
    """Return the grid of a map.

    Args:
        side (int): Cells in a row.
        targets (ndarray): ``(P, 4)``, checked.
        rule (HitRule): By which findings are judged.
        frame_side (int): In pixels.
    """
    edges = np.linspace(0, frame_side, side + 1)  # the last is the frame's side to the digit
    window = rule.disk_mask(targets, frame_side).corner_window(edges)
    return Grid(side=side, edges=edges, targets=targets, code=rule.code, limit=float(rule.limit),
                table=window['table'], table_row=window['row'], table_column=window['column'])


def sort_cells(scores, floor=None):
    """Return the cells of a map from the highest score down.

    Args:
        scores (ndarray): ``(n, n)``, float32 or float64, finite.
        floor (float, optional): Cells below are left out, and cost no sorting.

    Returns:
        dict: ``order``, ``(k,)`` int32, row-major indices; ``levels``, ``(k,)``, their scores.
    """
    flat = np.ascontiguousarray(scores).ravel()
    kept, values = None, flat
    if floor is not None:
        kept = np.flatnonzero(flat >= round_up(floor, flat.dtype)).astype(np.uint32)
        values = flat[kept]
    if flat.dtype != np.float32:
        order = np.argsort(-values, kind='stable')
        order = (order if kept is None else kept[order]).astype(np.int32)
        return dict(order=order, levels=flat[order])
    # The bits of a float, flipped so that they ascend as scores descend, and the cell's number
    # below them: one sort of whole numbers, three times as fast as one of indices.
    bits = values.view(np.int32)
    keys = ((bits >> 31) & 0x7fffffff) ^ bits  # ascending as the scores are
    keys = (~keys).astype(np.int64) << 32
    keys |= np.arange(len(values)) if kept is None else kept
    keys.sort()
    order = keys.astype(np.int32)  # the low half
    return dict(order=order, levels=flat[order])


def round_up(value, dtype):
    """Return the least number of a floating type that is not below a value."""
    with np.errstate(over='ignore'):
        rounded = dtype.type(value)
    return rounded if float(rounded) >= value else np.nextafter(rounded, dtype.type(np.inf))
