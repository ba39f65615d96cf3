"""The component sweep, compiled: one pass over the sorted cells, no tree is stored.

Only :func:`sweep_components` is called from Python; numba infers the types of the others.
"""
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.events.grid import Cells
from mmwindow.evaluation.events.neighbourhood import REPRESENTATIVES, STEPS
from mmwindow.evaluation.events.states import States
from mmwindow.utils.compiled import compile_function

Array = NDArray[Any]


@compile_function()
def find_root(parent: Array, cell: int) -> int:
    """Return the root of a cell's component, halving the path on the way."""
    while parent[cell] != cell:
        parent[cell] = parent[parent[cell]]
        cell = parent[cell]
    return cell


@compile_function()
def extend(boxes: Array, root: int, row0: int, row1: int, column0: int, column1: int) -> Any:
    """Make a component's box hold another one; tell whether it grew."""
    grew = (row0 < boxes[root, 0] or row1 > boxes[root, 1] or column0 < boxes[root, 2]
            or column1 > boxes[root, 3])
    if grew:
        boxes[root, 0] = min(boxes[root, 0], row0)
        boxes[root, 1] = max(boxes[root, 1], row1)
        boxes[root, 2] = min(boxes[root, 2], column0)
        boxes[root, 3] = max(boxes[root, 3], column1)
    return grew


@compile_function()
def merge(one: int, other: int, level: float, parent: Array, boxes: Array, states: Array,
          ends: Array) -> int:
    """Merge two components; the older one stays, and is returned. The other's state is over."""
    one, other = min(one, other), max(one, other)
    parent[other] = one
    extend(boxes, one, boxes[other, 0], boxes[other, 1], boxes[other, 2], boxes[other, 3])
    if states[other] >= 0:
        ends[states[other]] = level
    return one


@compile_function()
def begin_states(touched: Array, parent: Array, boxes: Array, states: Array, level: float,
                 found: Array, firsts: Array, ends: Array, previous: Array, num: int) -> int:
    """Begin a state of each component that has grown in a level, now that all of it is in.

    Returns:
        int: How many states there are.
    """
    for number in range(len(touched)):
        root = touched[number]
        before = states[root]
        # Else it has been merged since, or is there twice.
        if parent[root] == root and (before < 0 or firsts[before] != level):
            if before >= 0:
                ends[before] = level
            for side in range(4):
                found[num, side] = boxes[root, side]
            firsts[num], ends[num], previous[num] = level, -np.inf, before
            states[root] = num
            num += 1
    return num


@compile_function()
def sweep(levels: Array, order: Array, rows: int, columns: int, steps: Array,
          representatives: Array) -> tuple[Array, Array, Array, Array]:
    """Add cells from the highest score down; see :func:`sweep_components`.

    Equal scores enter together: states begin when the last cell of a level is in.
    A long function, for speed: a call that hands on this many arrays costs as much as a cell.
    """
    num = len(order)
    stride = columns + 2  # a rim of cells that never enter spares the tests for the border
    # A cell knows the component it entered; only components, far fewer, have a parent.
    component = np.full((rows + 2) * stride, -1, np.int32)
    most = min(num, ((rows + 1) // 2) * ((columns + 1) // 2))  # maxima do not touch each other
    parent, states = np.empty(most, np.int32), np.full(most, -1, np.int32)
    boxes = np.empty((most, 4), np.int32)
    touched = np.empty(num, np.int32)
    found, previous = np.empty((num, 4), np.int32), np.empty(num, np.int32)
    firsts, ends = np.empty(num, np.float64), np.empty(num, np.float64)
    num_components, num_touched, num_states = 0, 0, 0
    for index in range(num):
        row = order[index] // columns
        column = order[index] - row * columns
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
                    root = merge(root, other, levels[index], parent, boxes, states, ends)
                    grew = True
        component[place] = root
        if grew:
            touched[num_touched] = root
            num_touched += 1
        if num_touched == 0 or (index + 1 < num and levels[index + 1] == levels[index]):
            continue
        num_states = begin_states(touched[:num_touched], parent, boxes, states, levels[index], found,
                                  firsts, ends, previous, num_states)
        num_touched = 0
    return found[:num_states], firsts[:num_states], ends[:num_states], previous[:num_states]


def sweep_components(cells: Cells, shape: tuple[int, int]) -> States:
    """Return the states of the components of one map.

    Args:
        cells: From the highest score down.
        shape: Rows and columns of the map.
    """
    steps = np.array([row * (shape[1] + 2) + column for row, column in STEPS])
    return States(*sweep(cells.levels, cells.order, *shape, steps, REPRESENTATIVES))
