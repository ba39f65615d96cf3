"""Which of a cell's eight neighbours must be asked whom they belong to."""
import numpy as np
from numpy.typing import NDArray

# Clockwise from above; as (row, column) steps. Bit k of a code stands for neighbour k.
STEPS = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def local_components(code: int) -> list[int]:
    """Return one neighbour of each group of touching neighbours.

    Neighbours that touch each other are in one component already when the cell enters,
    so one of them speaks for all.

    Args:
        code: Bit k is set where neighbour k is in.

    Returns:
        list[int]: The first neighbour of each group, at most four.
    """
    groups: list[list[int]] = []
    for number, step in enumerate(STEPS):
        if code >> number & 1:
            touching = [group for group in groups if any(
                max(abs(step[0] - STEPS[other][0]), abs(step[1] - STEPS[other][1])) == 1
                for other in group)]
            groups = [group for group in groups if group not in touching]
            groups.append(sorted([number, *(other for group in touching for other in group)]))
    return [group[0] for group in groups]


def make_representatives() -> NDArray[np.int64]:
    """Return :func:`local_components` of every code as ``(256, 4)``, filled up with -1."""
    table = np.full((256, 4), -1, np.int64)
    for code in range(256):
        members = local_components(code)
        table[code, :len(members)] = members
    return table


REPRESENTATIVES = make_representatives()
