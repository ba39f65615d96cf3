"""The component sweep in numpy: the tree of components, built and walked whole arrays at a time.

Cells are numbered by age: 0 has the highest score and enters first. Every cell points to
its oldest neighbour; following the pointers up leads to a local maximum, whose basin the
cell belongs to. Basins merge at saddles, cells whose older neighbours do not touch each
other, and only these few merges are a Python loop. They give a binary tree whose nodes
are components between two merges. Each cell enters the one node that is alive at its age;
sorted by node and age, a running maximum gives the box of every component after every
cell. The events that follow are those of the compiled sweep, number for number.
"""
import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from mmwindow.evaluation.events.grid import Cells
from mmwindow.evaluation.events.neighbourhood import REPRESENTATIVES, STEPS
from mmwindow.evaluation.events.states import States


def sweep_components(cells: Cells, shape: tuple[int, int]) -> States:
    """Return the states of the components of one map.

    Args:
        cells: From the highest score down.
        shape: Rows and columns of the map.
    """
    order, levels = cells.order, cells.levels.astype(np.float64)
    basins, births, saddles = find_basins(order, *shape)
    ups, births, position, size = merge_basins(births, saddles, len(order))
    nodes = node_of_cells(basins, ups, births)
    # Cells by node, and by age within a node. 16-bit numbers are sorted in linear time.
    ages = np.argsort(nodes.astype(np.uint16) if len(ups) <= 1 << 16 else nodes, kind='stable')
    nodes = nodes[ages]
    boxes = component_boxes(order[ages], nodes, position, size, *shape)
    return find_states(ages, nodes, boxes, ups, births, levels)


def find_states(ages, nodes, boxes, ups, births, levels) -> States:
    """Return the boxes that components have, and from which level to which.

    Most cells fall into the box of the component they enter, and start no state.

    Args:
        ages, nodes (ndarray): ``(n,)``, of the cells, by node, then by age.
        boxes (ndarray): ``(n, 4)``, from :func:`component_boxes`.
        ups, births (ndarray): ``(2 m - 1,)``, from :func:`merge_basins`.
        levels (ndarray): ``(n,)``, by age.
    """
    grew = np.append(True, nodes[1:] != nodes[:-1])
    grew[1:] |= (boxes[1:] != boxes[:-1]).any(axis=1)
    ages, nodes, boxes = ages[grew], nodes[grew], boxes[grew]
    births = np.append(births, len(levels))  # the last node is merged with nothing
    above = np.where(nodes == len(ups) - 1, len(ups), ups[nodes])
    follows = np.append(nodes[1:] == nodes[:-1], False)
    ends = np.where(follows, np.append(ages[1:], 0), births[above])
    levels = np.append(levels, -np.inf)
    is_state = levels[ages] != levels[ends]
    first, end, nodes = levels[ages[is_state]], levels[ends[is_state]], nodes[is_state]
    before = np.append(False, nodes[1:] == nodes[:-1])
    return States(boxes[is_state], first, end,
                  np.where(before, np.arange(len(nodes)) - 1, -1).astype(np.int32))


def find_basins(order, height, width):
    """Return to which local maximum each cell belongs, and where basins touch.

    Args:
        order (ndarray): ``(n,)``, cells by age; those left out never enter.

    Returns:
        tuple: Basin of each cell by age ``(n,)``; age of each basin's maximum ``(m,)``;
        saddles ``(S, 3)``: age, and the two basins that touch there, ascending by age.
    """
    num = len(order)
    padded = np.full((height + 2, width + 2), num, np.int32)
    inner = padded[1:-1, 1:-1]
    age = np.full(height * width, num, np.int32)
    age[order] = np.arange(num, dtype=np.int32)
    inner[:] = age.reshape(height, width)
    code = np.zeros((height, width), np.uint8)
    for number, (row, column) in enumerate(STEPS):
        neighbour = padded[1 + row:height + 1 + row, 1 + column:width + 1 + column]
        code |= (neighbour < inner).view(np.uint8) << np.uint8(number)
    rows = np.minimum(np.minimum(padded[:-2], padded[2:]), padded[1:-1])
    oldest = np.minimum(np.minimum(rows[:, :-2], rows[:, 2:]), rows[:, 1:-1]).ravel()[order]
    births = np.flatnonzero(oldest == np.arange(num))
    while True:  # each round doubles the length of a pointer
        further = oldest[oldest]
        if np.array_equal(further, oldest):
            break
        oldest = further
    number_of = np.empty(num, np.int32)
    number_of[births] = np.arange(len(births))
    basins = number_of[oldest]
    code = code.ravel()[order]
    saddle = np.flatnonzero(REPRESENTATIVES[code, 1] >= 0)
    members = REPRESENTATIVES[code[saddle]]
    steps = np.array([row * (width + 2) + column for row, column in STEPS])
    cell = order[saddle]
    place = (cell // width + 1) * (width + 2) + cell % width + 1
    touched = basins[padded.ravel()[place[:, None] + np.where(members < 0, 0, steps[members])]]
    differs = (members >= 0) & (touched != touched[:, :1])
    at, which = np.nonzero(differs)
    return basins, births, np.stack([saddle[at], touched[at, 0], touched[at, which]], axis=1)


def oldest_saddles(num, saddles, never):
    """Return only the saddles that merge two components: a minimum spanning tree.

    Args:
        num (int): Number of basins m.
        saddles (ndarray): ``(S, 3)``, ascending by age.
        never (int): The age at which what is not merged by then is: none that a cell has.

    Returns:
        ndarray: ``(m - 1, 3)``, ascending by age.
    """
    low, high = saddles[:, 1:].min(axis=1), saddles[:, 1:].max(axis=1)
    _, first = np.unique(low * num + high, return_index=True)  # the oldest of each pair
    graph = csr_matrix((saddles[first, 0].astype(np.float64), (low[first], high[first])),
                       shape=(num, num))
    tree = minimum_spanning_tree(graph).tocoo()
    kept = np.argsort(tree.data, kind='stable')
    merges = np.stack([tree.data[kept].astype(np.int64), tree.row[kept], tree.col[kept]], axis=1)
    _, member = np.unique(connected_components(graph, directed=False)[1], return_index=True)
    rest = np.stack([np.full(len(member) - 1, never), member[:-1], member[1:]], axis=1)
    return np.concatenate([merges, rest])


def merge_basins(births, saddles, never):
    """Merge basins at their saddles, oldest first.

    Args:
        births (ndarray): ``(m,)``, ages of the maxima, ascending.
        saddles (ndarray): ``(S, 3)``, from :func:`find_basins`.
        never (int): As in :func:`oldest_saddles`.

    Returns:
        tuple, each ``(2 m - 1,)``, the basins first, then the merges as they happen: the
        node above each (the last: itself); the age at which each begins; its place in an
        order in which all that is below a node stands right before it; how many those
        are, itself included.
    """
    num = len(births)
    saddles = oldest_saddles(num, saddles, never)
    root = list(range(num))        # of the union-find over basins
    node = list(range(num))        # the newest node of each root's component
    first = list(range(num))       # where the list of that node's descendants starts
    follower = [-1] * (2 * num - 1)
    ups = [2 * num - 2] * (2 * num - 1)
    starts = list(range(num))
    for new, (one, other) in enumerate(saddles[:, 1:].tolist(), start=num):
        while root[one] != one:
            root[one] = one = root[root[one]]
        while root[other] != other:
            root[other] = other = root[root[other]]
        if other < one:  # the older basin stays: paths are short
            one, other = other, one
        left, right = node[one], node[other]
        ups[left] = ups[right] = new
        follower[left] = first[other]
        follower[right] = new
        starts.append(first[one])
        root[other] = one
        node[one] = new
    walk, current = [], 0
    while current >= 0:
        walk.append(current)
        current = follower[current]
    position = np.empty(len(walk), np.int32)
    position[walk] = np.arange(len(walk))
    births = np.append(births, saddles[:, 0]).astype(np.int32)
    return np.array(ups, np.int32), births, position, position - position[starts] + 1


def node_of_cells(basins, ups, births):
    """Return the node that each cell enters: of those above its basin the last begun.

    Args:
        basins (ndarray): ``(n,)``, by age.
        ups, births (ndarray): ``(2 m - 1,)``, from :func:`merge_basins`.
    """
    jumps = [ups]
    while (jumps[-1] != len(ups) - 1).any():
        jumps.append(jumps[-1][jumps[-1]])
    ages = np.arange(len(basins), dtype=np.int32)
    nodes = basins
    for jump in reversed(jumps):
        target = jump[nodes]
        nodes = np.where(births[target] <= ages, target, nodes)
    return nodes


def component_boxes(cells, nodes, position, size, height, width):
    """Return the box of each cell's component right after the cell has entered.

    Args:
        cells, nodes (ndarray): ``(n,)``, by node, then by age.
        position, size (ndarray): ``(2 m - 1,)``, from :func:`merge_basins`.

    Returns:
        ndarray: ``(n, 4)``: first row, last row + 1, first column, last column + 1.
    """
    rows, columns = np.divmod(cells, width)
    starts = np.flatnonzero(np.append(True, nodes[1:] != nodes[:-1]))
    real = nodes[starts]  # nodes that a cell enters: all but those of a multiple merge
    lengths = np.diff(np.append(starts, len(cells)))
    # 64 bits only where the offsets below need them.
    dtype = np.int32 if len(starts) * (max(height, width) + 2) < 1 << 31 else np.int64
    segment = np.repeat(np.arange(len(starts), dtype=dtype), lengths)
    found = []
    for values, largest in ((height - rows, height), (rows + 1, height),
                            (width - columns, width), (columns + 1, width)):
        own = np.zeros(len(position), np.int32)
        own[position[real]] = np.maximum.reduceat(values, starts)
        values[starts] = np.maximum(values[starts], before_node(own, position[real], size[real]))
        # An offset that rises from segment to segment starts the maximum anew in each.
        offset = segment * (largest + 1)
        found.append(np.maximum.accumulate(values + offset) - offset)
    return np.stack([height - found[0], found[1], width - found[2], found[3]],
                    axis=1).astype(np.int32)


def before_node(own, position, size):
    """Return the largest of the values below each node, itself left out; 0 where there is none.

    Args:
        own (ndarray): ``(2 m - 1,)``, each node's value, in the order of positions.
        position, size (ndarray): ``(q,)``, the nodes asked for.
    """
    largest = np.zeros(len(position), np.int32)
    start, stop = position - size + 1, position
    length, span = stop - start, 1
    table = own  # table[i]: the largest of span values from i on
    while span <= len(own):
        fits = (length >= span) & (length < 2 * span)
        largest[fits] = np.maximum(table[start[fits]], table[stop[fits] - span])
        table = np.maximum(table[:-span], table[span:]) if span < len(table) else table
        span *= 2
    return largest
