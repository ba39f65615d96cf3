"""The component sweep, compiled: one pass over the sorted cells, no tree is stored."""
import numpy as np
from numba import njit

from .hit_rules import (AREA_SLACK, BOTH, BOX_IOU, CENTRE_IN_BOX, DISK_OVERLAP, DISTANCE, IS_COUNTED,
                        IS_FP, IS_HIT, NEITHER)
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
def covered_area(box, table, table_row, table_column):
    """Return how much of a box of cells lies in the disks."""
    last_row, last_column = table.shape[0] - 1, table.shape[1] - 1
    row0 = min(max(box[0] - table_row, 0), last_row)
    row1 = min(max(box[1] - table_row, 0), last_row)
    column0 = min(max(box[2] - table_column, 0), last_column)
    column1 = min(max(box[3] - table_column, 0), last_column)
    return (table[row1, column1] - table[row0, column1] - table[row1, column0]
            + table[row0, column0])


@compile_function
def hits(left, top, right, bottom, target, code, limit):
    """Tell whether a finding hits a target; see :func:`mmwindow.evaluation.hit_rules.find_hits`."""
    if code == DISK_OVERLAP:
        return left <= target[0] <= right and top <= target[1] <= bottom
    centre_x, centre_y = (left + right) / 2, (top + bottom) / 2
    if code == DISTANCE:
        return (centre_x - target[0]) ** 2 + (centre_y - target[1]) ** 2 <= limit ** 2
    if code == CENTRE_IN_BOX:
        return target[0] <= centre_x <= target[2] and target[1] <= centre_y <= target[3]
    width = max(min(right, target[2]) - max(left, target[0]), 0.)
    height = max(min(bottom, target[3]) - max(top, target[1]), 0.)
    common = width * height
    union = ((right - left) * (bottom - top)
             + (target[2] - target[0]) * (target[3] - target[1]) - common)
    return common >= limit * union - AREA_SLACK


@compile_function
def judge(box, level, edges, table, table_row, table_column, targets, code, limit, recall):
    """Return what a component is now, and note the targets that it hits for the first time."""
    left, right, top, bottom = edges[box[2]], edges[box[3]], edges[box[0]], edges[box[1]]
    is_hit = False
    for number in range(len(targets)):
        if hits(left, top, right, bottom, targets[number], code, limit):
            is_hit = True
            if recall[number] == -np.inf:
                recall[number] = level
    if code == DISK_OVERLAP:
        covered = covered_area(box, table, table_row, table_column)
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
def enter_cell(row, column, place, component, parent, boxes, kinds, change, num_components, steps,
               representatives):
    """Let a cell enter: it founds a component, joins one, or merges up to four.

    Returns:
        int: The root of its component where that is new or its box has grown, else -1.
    """
    code = 0
    for number in range(8):
        if component[place + steps[number]] >= 0:
            code |= 1 << number
    if code == 0:
        component[place] = parent[num_components] = num_components
        boxes[num_components, 0], boxes[num_components, 1] = row, row + 1
        boxes[num_components, 2], boxes[num_components, 3] = column, column + 1
        kinds[num_components] = 0
        return num_components
    root = find_root(parent, component[place + steps[representatives[code, 0]]])
    grew = extend(boxes[root], row, row + 1, column, column + 1)
    for number in range(1, 4):
        if representatives[code, number] < 0:
            break
        other = find_root(parent, component[place + steps[representatives[code, number]]])
        if other != root:
            root, other = min(root, other), max(root, other)  # the older one stays
            parent[other] = root
            extend(boxes[root], boxes[other, 0], boxes[other, 1], boxes[other, 2], boxes[other, 3])
            # What was counted for either of the two is counted for neither now.
            count(change, kinds[root], -1)
            count(change, kinds[other], -1)
            kinds[root] = kinds[other] = 0
            grew = True
    component[place] = root
    return root if grew else -1


@compile_function
def sweep(levels, order, edges, table, table_row, table_column, targets, code, limit, steps,
          representatives):
    """Add cells from the highest score down; see :func:`sweep_components`.

    Equal scores enter together: components are judged when the last cell of a level is in.
    """
    num, side = len(order), len(edges) - 1
    stride = side + 2  # a rim of cells that never enter spares the tests for the border
    # A cell knows the component it entered; only components, far fewer, have a parent.
    component = np.full(stride * stride, -1, np.int32)
    most = min(num, ((side + 1) // 2) ** 2) + 1  # maxima do not touch each other
    parent, kinds = np.empty(most, np.int32), np.empty(most, np.uint8)
    boxes = np.empty((most, 4), np.int32)
    touched, is_touched = np.empty(most, np.int32), np.zeros(most, np.bool_)
    event_levels, changes = np.empty(num, np.float64), np.empty((num, 4), np.int32)
    recall = np.full(len(targets), -np.inf)
    change = np.zeros(4, np.int64)
    num_components, num_touched, num_events = 0, 0, 0
    for index in range(num):
        row = order[index] // side
        column = order[index] - row * side
        root = enter_cell(row, column, (row + 1) * stride + column + 1, component, parent, boxes,
                          kinds, change, num_components, steps, representatives)
        if root == num_components:
            num_components += 1
        if root >= 0 and not is_touched[root]:
            touched[num_touched], is_touched[root] = root, True
            num_touched += 1
        if num_touched == 0 or (index + 1 < num and levels[index + 1] == levels[index]):
            continue
        for number in range(num_touched):
            root = touched[number]
            is_touched[root] = False
            if parent[root] == root:  # else it has been merged since
                kind = judge(boxes[root], levels[index], edges, table, table_row, table_column,
                             targets, code, limit, recall)
                if kind != kinds[root]:
                    count(change, kinds[root], -1)
                    count(change, kind, 1)
                    kinds[root] = kind
        num_touched = 0
        if change.any():
            event_levels[num_events] = levels[index]
            changes[num_events] = change
            num_events += 1
            change[:] = 0
    return event_levels[:num_events].copy(), changes[:num_events].copy(), recall


def sweep_components(cells, grid):
    """Return the events and the recall levels of one map.

    Args:
        cells (dict): ``order`` and ``levels``, from :func:`~mmwindow.evaluation.grid.sort_cells`.
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
