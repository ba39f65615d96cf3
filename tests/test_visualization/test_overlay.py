"""Pixels of overlays."""
import numpy as np
import pytest

from mmwindow.visualization import overlay_heatmap, side_by_side
from mmwindow.visualization.overlay import COLOURS, map_on_image

GREY = np.full((60, 100), 80, np.uint8)


# Normals first: nothing annotated, nothing predicted.

@pytest.mark.parametrize('img', [GREY, np.repeat(GREY[..., None], 3, axis=2)])
def test_nothing_to_show_leaves_the_film_as_it_is(img):
    before = img.copy()
    canvas = overlay_heatmap(img, np.zeros((8, 8)), points=np.zeros((0, 2)), boxes=[])
    assert canvas.dtype == np.uint8 and canvas.shape == (60, 100, 3)
    assert (canvas == 80).all()
    canvas[:] = 0
    assert (img == before).all()


def test_a_cell_lights_up_where_it_lies_in_the_frame():
    # The frame is the square of side 100; a cell is 25 pixels, the image ends at row 60.
    scores = np.zeros((4, 4))
    scores[1, 3] = 1.
    canvas = overlay_heatmap(GREY, scores).astype(int)
    change = np.abs(canvas - 80).sum(axis=2)
    row, column = np.unravel_index(change.argmax(), change.shape)
    assert 25 <= row < 50 and 75 <= column < 100
    assert (change[:, :50] == 0).all()
    red, green, blue = canvas[37, 99]
    assert red > green > blue                     # hot, not cold


def test_padding_is_cut_away():
    scores = np.zeros((4, 4))
    scores[3, :] = 1.                             # rows 75 to 100, below the film
    heat = map_on_image(scores, (60, 100))
    assert heat.shape == (60, 100) and heat.max() == 0
    assert map_on_image(scores, (100, 60)).max() == 1


def test_higher_scores_hide_more():
    values = [overlay_heatmap(GREY, np.full((2, 2), score))[30, 50].astype(int)
              for score in (0., .1, .5, 1.)]
    reds = [value[0] for value in values]
    assert reds == sorted(reds) and reds[0] == 80 and reds[-1] > 150


def test_points_are_crosses_at_their_pixel():
    canvas = overlay_heatmap(GREY, points=[[20.5, 30.5], [70.5, 15.5]], found=[True, False])
    for (x, y), name in (((20, 30), 'found'), ((70, 15), 'missed')):
        assert tuple(canvas[y, x]) == COLOURS[name]
    assert tuple(canvas[30, 23]) == COLOURS['found']     # along the axes: upright
    assert tuple(canvas[17, 72]) == COLOURS['missed']    # along the diagonal
    assert (canvas[45:] == 80).all()


def test_findings_are_boxes_coloured_by_judgement():
    canvas = overlay_heatmap(GREY, boxes=[[10, 10, 40, 40], [60, 20, 90, 50]], is_hit=[True, False],
                             is_false_positive=[False, True])
    assert tuple(canvas[10, 25]) == tuple(canvas[25, 40]) == COLOURS['finding']
    # Dashed: along the upper side some pixels are painted, and some are not.
    painted = (canvas[20, 60:91] == COLOURS['false_positive']).all(axis=1)
    assert 8 < painted.sum() < 24 and (canvas[20, 60:91] == 80).all(axis=1).any()
    assert (canvas[25, 25] == 80).all()           # not filled


def test_a_box_along_the_edge_keeps_its_sides():
    canvas = overlay_heatmap(GREY, boxes=[[50, 0, 130, 100]])
    assert tuple(canvas[30, 99]) == tuple(canvas[59, 70]) == COLOURS['finding']


def test_lines_grow_with_the_film():
    canvas = overlay_heatmap(np.zeros((2048, 1024), np.uint8), boxes=[[100, 100, 900, 900]])
    assert (canvas[500, 90:110] == 255).all(axis=1).sum() >= 4


@pytest.mark.parametrize('scores, message', [
    (np.zeros((0, 4)), r'\(0, 4\)'),
    (np.zeros((1, 4, 4)), r'\(1, 4, 4\)'),
    (np.full((4, 4), 3.), 'sigmoid applied'),
    (np.full((4, 4), np.nan), 'reaches from nan'),
])
def test_maps_that_are_none(scores, message):
    with pytest.raises(ValueError, match=message):
        overlay_heatmap(GREY, scores)


@pytest.mark.parametrize('img', [GREY / 255., GREY[..., None], GREY.astype(np.uint16)])
def test_images_that_are_none(img):
    with pytest.raises(ValueError, match='uint8 of shape'):
        overlay_heatmap(img)


def test_side_by_side():
    row = side_by_side([GREY, np.zeros((60, 10, 3), np.uint8)], gap=5)
    assert row.shape == (60, 115, 3)
    assert (row[:, :100] == 80).all() and (row[:, 100:105] == 255).all() and (
        row[:, 105:] == 0).all()
    with pytest.raises(ValueError, match=r'heights \[60, 50\]'):
        side_by_side([GREY, GREY[:50]])
    with pytest.raises(ValueError, match=r'heights \[\]'):
        side_by_side([])


def test_all_four_kinds_of_findings_look_different():
    boxes = [[4, 4, 44, 24], [54, 4, 94, 24], [4, 34, 44, 54], [54, 34, 94, 54]]
    canvas = overlay_heatmap(GREY, boxes=boxes, is_hit=[True, True, False, False],
                             is_false_positive=[False, True, False, True])
    sides = [canvas[y0, x0:x1] for x0, y0, x1, _ in boxes]
    assert (sides[0] == COLOURS['finding']).all() and (sides[1] == COLOURS['false_positive']).all()
    for side, name in ((sides[2], 'finding'), (sides[3], 'false_positive')):
        painted = (side == COLOURS[name]).all(axis=1)
        assert painted.any() and not painted.all()


@pytest.mark.parametrize('shape', [(60, 100), (40, 100), (60, 60)])
def test_a_map_of_a_rectangular_frame_lies_over_its_image(shape):
    """A frame of 12 x 20 cells: the image touches its right or its lower edge."""
    scores = np.zeros((12, 20))
    scores[4, 6] = 1.
    cell = max(shape[0] / 12, shape[1] / 20)
    heat = map_on_image(scores, shape)
    rows, columns = np.nonzero(heat == heat.max())
    assert heat.shape == shape
    assert (rows.mean() + .5) / cell == pytest.approx(4.5, abs=0.2)
    assert (columns.mean() + .5) / cell == pytest.approx(6.5, abs=0.2)
