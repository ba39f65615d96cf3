"""The component sweep, compiled: one pass over the sorted cells, no tree is stored."""
import numpy as np
from numba import njit

from .neighbourhood import REPRESENTATIVES, STEPS


def compile_function(function):
    """Compile at the first call and keep the result on disk where a place can be written."""
    try:
        return njit(cache=True)(function)
    except RuntimeError:  # no writable cache folder
        return njit(function)


@compile_function
def find_root(parent, cell):
    """Return the root of a cell's component, halving the path on the way."""
    while parent[cell] != cell:
        parent[cell] = parent[parent[cell]]
        cell = parent[cell]
    return cell


@compile_function
def is_false_positive(box, x_edges, y_edges, table, max_overlap):
    """Tell whether the disks cover less than ``max_overlap`` of a box of cells."""
    covered = (table[box[1], box[3]] - table[box[0], box[3]] - table[box[1], box[2]]
               + table[box[0], box[2]])
    area = (x_edges[box[3]] - x_edges[box[2]]) * (y_edges[box[1]] - y_edges[box[0]])
    return covered < max_overlap * area


@compile_function
def extend(box, row0, row1, column0, column1):
    """Make a box hold another one; tell whether it grew."""
    grew = row0 < box[0] or row1 > box[1] or column0 < box[2] or column1 > box[3]
    if grew:
        box[0] = min(box[0], row0)
        box[1] = max(box[1], row1)
        box[2] = min(box[2], column0)
        box[3] = max(box[3], column1)
    return grew


@compile_function
def sweep(levels, order, width, x_edges, y_edges, table, points, max_overlap, steps,
          representatives):
    """Add cells from the highest score down; see :func:`sweep_components`.

    What lies between two cells of equal score is no state of its own, but the changes
    of one level add up to the same, and boxes only grow: nothing is lost by taking
    them one by one.
    """
    num = len(order)
    height = num // width
    stride = width + 2  # a rim of cells that never enter spares the tests for the border
    # A cell knows the component it entered; only components, far fewer, have a parent.
    component = np.full((height + 2) * stride, -1, np.int32)
    most = ((height + 1) // 2) * ((width + 1) // 2)  # maxima do not touch each other
    parent = np.empty(most, np.int32)
    boxes = np.empty((most, 4), np.int32)
    is_fp = np.zeros(most, np.bool_)
    event_levels = np.empty(num, np.float64)
    changes = np.empty(num, np.int32)
    recall = np.full(len(points), -np.inf)
    num_components, num_missing, num_events, change = 0, len(points), 0, 0
    for index in range(num):
        row = order[index] // width
        column = order[index] - row * width
        place = (row + 1) * stride + column + 1
        code = 0
        for number in range(8):
            if component[place + steps[number]] >= 0:
                code |= 1 << number
        if code == 0:
            root = num_components
            num_components += 1
            parent[root] = root
            boxes[root, 0], boxes[root, 1] = row, row + 1
            boxes[root, 2], boxes[root, 3] = column, column + 1
            grew = True
        else:
            root = find_root(parent, component[place + steps[representatives[code, 0]]])
            grew = extend(boxes[root], row, row + 1, column, column + 1)
        for number in range(1, 4):
            if code == 0 or representatives[code, number] < 0:
                break
            other = find_root(parent, component[place + steps[representatives[code, number]]])
            if other != root:
                # What was counted for either of the two is counted for neither now.
                change -= is_fp[root] + is_fp[other]
                is_fp[root] = is_fp[other] = False
                root, other = min(root, other), max(root, other)  # the older one stays
                parent[other] = root
                extend(boxes[root], boxes[other, 0], boxes[other, 1], boxes[other, 2],
                       boxes[other, 3])
                grew = True
        component[place] = root
        if grew:
            box = boxes[root]
            fp = is_false_positive(box, x_edges, y_edges, table, max_overlap)
            change += np.int64(fp) - np.int64(is_fp[root])
            is_fp[root] = fp
            if num_missing:
                for number in range(len(points)):
                    if (recall[number] == -np.inf
                            and x_edges[box[2]] <= points[number, 0] <= x_edges[box[3]]
                            and y_edges[box[0]] <= points[number, 1] <= y_edges[box[1]]):
                        recall[number] = levels[index]
                        num_missing -= 1
        if change != 0 and (index + 1 == num or levels[index + 1] != levels[index]):
            event_levels[num_events] = levels[index]
            changes[num_events] = change
            num_events += 1
            change = 0
    return event_levels[:num_events].copy(), changes[:num_events].copy(), recall


def sweep_components(scores, x_edges, y_edges, table, points, max_overlap):
    """Return the false-positive events and the recall levels of one map.

    Args:
        scores (ndarray): ``(h, w)``, finite.
        x_edges, y_edges (ndarray): ``(w + 1,)`` and ``(h + 1,)``, the cells' edges in
            frame pixels.
        table (ndarray): ``(h + 1, w + 1)``, area of the ground-truth mask left of and
            above each corner.
        points (ndarray): ``(P, 2)``, frame pixels.
        max_overlap (float): Below this fraction of overlap a box is a false positive.

    Returns:
        tuple: Levels ``(K,)`` descending, changes ``(K,)``, recall levels ``(P,)``.
    """
    width = scores.shape[1]
    flat = np.ascontiguousarray(scores).ravel()
    order = np.argsort(-flat).astype(np.int32)
    steps = np.array([row * (width + 2) + column for row, column in STEPS])
    return sweep(flat[order], order, width, x_edges, y_edges, table, points, max_overlap, steps,
                 REPRESENTATIVES)
