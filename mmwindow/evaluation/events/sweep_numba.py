"""The component sweep, compiled: one pass over the sorted cells, no tree is stored."""
import numpy as np
from numba import njit

from mmwindow.evaluation.events.neighbourhood import REPRESENTATIVES, STEPS
from mmwindow.evaluation.hit_rules import (
    AREA_SLACK,
    BOTH,
    CENTRE_IN_BOX,
    DISK_OVERLAP,
    DISTANCE,
    IS_COUNTED,
    IS_FP,
    IS_HIT,
    NEITHER,
)


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
def extend(boxes, root, row0, row1, column0, column1):
    """Make a component's box hold another one; tell whether it grew."""
    grew = (row0 < boxes[root, 0] or row1 > boxes[root, 1] or column0 < boxes[root, 2]
            or column1 > boxes[root, 3])
    if grew:
        boxes[root, 0] = min(boxes[root, 0], row0)
        boxes[root, 1] = max(boxes[root, 1], row1)
        boxes[root, 2] = min(boxes[root, 2], column0)
        boxes[root, 3] = max(boxes[root, 3], column1)
    return grew


@compile_function
def covered_area(row0, row1, column0, column1, table, table_row, table_column):
    """Return how much of a box of cells lies in the disks."""
    last_row, last_column = table.shape[0] - 1, table.shape[1] - 1
    row0 = min(max(row0 - table_row, 0), last_row)
    row1 = min(max(row1 - table_row, 0), last_row)
    column0 = min(max(column0 - table_column, 0), last_column)
    column1 = min(max(column1 - table_column, 0), last_column)
    return (table[row1, column1] - table[row0, column1] - table[row1, column0]
            + table[row0, column0])


@compile_function
def hits(left, top, right, bottom, targets, number, code, limit):
    """Tell whether a finding hits a target; see ``find_hits`` in ``hit_rules.py``."""
    x0, y0, x1, y1 = targets[number, 0], targets[number, 1], targets[number, 2], targets[number, 3]
    if code == DISK_OVERLAP:
        return left <= x0 <= right and top <= y0 <= bottom
    centre_x, centre_y = (left + right) / 2, (top + bottom) / 2
    if code == DISTANCE:
        return (centre_x - x0) ** 2 + (centre_y - y0) ** 2 <= limit ** 2
    if code == CENTRE_IN_BOX:
        return x0 <= centre_x <= x1 and y0 <= centre_y <= y1
    width = max(min(right, x1) - max(left, x0), 0.)
    height = max(min(bottom, y1) - max(top, y0), 0.)
    common = width * height
    union = (right - left) * (bottom - top) + (x1 - x0) * (y1 - y0) - common
    return common >= limit * union - AREA_SLACK


@compile_function
def judge(boxes, root, level, edges, table, table_row, table_column, targets, code, limit, recall):
    """Return what a component is now, and note the targets that it hits for the first time."""
    row0, row1, column0, column1 = boxes[root, 0], boxes[root, 1], boxes[root, 2], boxes[root, 3]
    left, right, top, bottom = edges[column0], edges[column1], edges[row0], edges[row1]
    is_hit = False
    for number in range(len(targets)):
        if hits(left, top, right, bottom, targets, number, code, limit):
            is_hit = True
            if recall[number] == -np.inf:
                recall[number] = level
    if code == DISK_OVERLAP:
        covered = covered_area(row0, row1, column0, column1, table, table_row, table_column)
        is_fp = covered < limit * ((right - left) * (bottom - top)) - AREA_SLACK
    else:
        is_fp = not is_hit
    return IS_COUNTED + IS_FP * is_fp + IS_HIT * is_hit


@compile_function
def count(change, kind, sign):
    """Add a component to the changes of a level, or take it off: FP, hits, both, neither."""
    change[0] += sign * (kind & IS_FP)
    if kind & IS_HIT:
        change[1] += sign
    if kind == BOTH:
        change[2] += sign
    if kind == NEITHER:
        change[3] += sign


@compile_function
def merge(one, other, parent, boxes, kinds, change):
    """Merge two components; the older one stays, and is returned."""
    one, other = min(one, other), max(one, other)
    parent[other] = one
    extend(boxes, one, boxes[other, 0], boxes[other, 1], boxes[other, 2], boxes[other, 3])
    # What was counted for either of the two is counted for neither now.
    count(change, kinds[one], -1)
    count(change, kinds[other], -1)
    kinds[one] = kinds[other] = 0
    return one


@compile_function
def judge_touched(touched, parent, boxes, kinds, change, level, edges, table, table_row,
                  table_column, targets, code, limit, recall):
    """Judge the components that have grown in a level, now that all of it is in."""
    for number in range(len(touched)):
        root = touched[number]
        if parent[root] == root:  # else it has been merged since
            kind = judge(boxes, root, level, edges, table, table_row, table_column, targets, code,
                         limit, recall)
            if kind != kinds[root]:
                count(change, kinds[root], -1)
                count(change, kind, 1)
                kinds[root] = kind


@compile_function
def sweep(levels, order, edges, table, table_row, table_column, targets, code, limit, steps,
          representatives):
    """Add cells from the highest score down; see :func:`sweep_components`.

    Equal scores enter together: components are judged when the last cell of a level is in.
    A long function, for speed: a call that hands on this many arrays costs as much as a cell.
    """
    num, side = len(order), len(edges) - 1
    stride = side + 2  # a rim of cells that never enter spares the tests for the border
    # A cell knows the component it entered; only components, far fewer, have a parent.
    component = np.full(stride * stride, -1, np.int32)
    most = min(num, ((side + 1) // 2) ** 2)  # maxima do not touch each other
    parent, kinds = np.empty(most, np.int32), np.zeros(most, np.uint8)
    boxes = np.empty((most, 4), np.int32)
    touched = np.empty(num, np.int32)
    event_levels, changes = np.empty(num, np.float64), np.empty((num, 4), np.int32)
    recall = np.full(len(targets), -np.inf)
    change = np.zeros(4, np.int64)
    num_components, num_touched, num_events = 0, 0, 0
    for index in range(num):
        row = order[index] // side
        column = order[index] - row * side
        place = (row + 1) * stride + column + 1
        neighbours = 0
        for number in range(8):
            if component[place + steps[number]] >= 0:
                neighbours |= 1 << number
        if neighbours == 0:
            root = parent[num_components] = num_components
            boxes[root, 0], boxes[root, 1] = row, row + 1
            boxes[root, 2], boxes[root, 3] = column, column + 1
            num_components += 1
            grew = True
        else:
            root = find_root(parent, component[place + steps[representatives[neighbours, 0]]])
            grew = extend(boxes, root, row, row + 1, column, column + 1)
            for number in range(1, 4):
                if representatives[neighbours, number] < 0:
                    break
                other = find_root(
                    parent, component[place + steps[representatives[neighbours, number]]])
                if other != root:
                    root = merge(root, other, parent, boxes, kinds, change)
                    grew = True
        component[place] = root
        if grew:
            touched[num_touched] = root
            num_touched += 1
        if num_touched == 0 or (index + 1 < num and levels[index + 1] == levels[index]):
            continue
        judge_touched(touched[:num_touched], parent, boxes, kinds, change, levels[index], edges,
                      table, table_row, table_column, targets, code, limit, recall)
        num_touched = 0
        if change[0] != 0 or change[1] != 0 or change[2] != 0 or change[3] != 0:
            event_levels[num_events] = levels[index]
            for number in range(4):
                changes[num_events, number] = change[number]
                change[number] = 0
            num_events += 1
    return event_levels[:num_events].copy(), changes[:num_events].copy(), recall


def sweep_components(cells, grid):
    """Return the events and the recall levels of one map.

    Args:
        cells (dict): ``order`` and ``levels``, from ``sort_cells`` in ``grid.py``.
        grid (Grid): Edges, targets and rule.

    Returns:
        dict: ``levels``, ``(K,)`` descending, at which any count changes; ``changes``,
        ``(K, 4)``, of false positives, hits, both and neither; ``recall_levels``, ``(P,)``.
    """
    steps = np.array([row * (grid.side + 2) + column for row, column in STEPS])
    levels, changes, recall = sweep(
        cells['levels'], cells['order'], grid.edges, grid.table, grid.table_row, grid.table_column,
        grid.targets, grid.code, grid.limit, steps, REPRESENTATIVES)
    return dict(levels=levels, changes=changes, recall_levels=recall)
