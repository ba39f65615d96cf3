"""The cells by score, against a plain sort."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmwindow.evaluation.events.grid import make_grid, round_up, sort_cells
from mmwindow.evaluation.hit_rules import DiskOverlap

finite = st.floats(-2. ** 100, 2. ** 100, width=32)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(scores=arrays(np.float32, (4, 4), elements=st.one_of(
    finite, st.sampled_from([0., -0., 1e-45, -1e-45, 3.4e38, -3.4e38]))),
    floor=st.one_of(st.none(), finite), double=st.booleans())
def test_cells_come_from_the_highest_down(scores, floor, double):
    scores = scores.astype(np.float64) if double else scores
    cells = sort_cells(scores, floor)
    kept = [value for value in scores.ravel().tolist() if floor is None or value >= floor]
    assert cells.levels.tolist() == sorted(kept, reverse=True)
    assert scores.ravel()[cells.order].tolist() == cells.levels.tolist()
    assert len(set(cells.order.tolist())) == len(kept)


@pytest.mark.parametrize('value', [0.1, -0.1, 0.5, 1e-50, 1e300, -1e300, 16777217.])
def test_a_number_is_rounded_up(value):
    rounded = round_up(value, np.dtype(np.float32))
    assert float(rounded) >= value
    with np.errstate(over='ignore'):
        assert float(np.nextafter(rounded, np.float32(-np.inf))) < value


def test_the_edges_end_at_the_frame():
    for side in (1, 3, 49, 103):
        edges = make_grid((side, side), np.zeros((0, 4)), DiskOverlap()).x_edges
        assert (edges[0], edges[-1], len(edges)) == (0., 1024., side + 1)


def test_covered_areas_of_boxes_of_cells(literal):
    # 20 cells over 64 pixels; beyond the table's window a corner has the value at its rim.
    grid = make_grid((20, 20), np.tile([[30., 33.]], 2), DiskOverlap(hit_radius=9.), 64)
    drawn = literal.mask([[30., 33.]], 9., 64)
    generator = np.random.default_rng(0)
    rows, columns = np.sort(generator.integers(0, 21, (2, 50, 2)), axis=2)
    areas = grid.covered_areas(np.concatenate([rows, columns], axis=1))
    expected = [literal.covered(drawn, grid.x_edges[[x0, y0, x1, y1]])
                for (y0, y1), (x0, x1) in zip(rows, columns, strict=True)]
    assert areas == pytest.approx(expected, abs=1e-8)
