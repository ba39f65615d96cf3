"""Systems next to each other: outcomes are those of the rule, pictures are where they belong."""
import cv2
import numpy as np
import pytest

from mmwindow.evaluation.hit_rules import make_hit_rule
from mmwindow.visualization.comparison import (
    judge_cell,
    outcome_of,
    paint_cell,
    paint_points,
    save_comparison,
)
from mmwindow.visualization.examples import Example
from mmwindow.visualization.overlay import COLOURS

IMAGE = np.full((100, 100), 90, np.uint8)
HIT = Example(IMAGE, [[30, 20]], boxes=[[25, 15, 35, 25]], name='a')
MISS = Example(IMAGE, [[70, 60]], boxes=[[0, 80, 10, 90]], name='a')
NOTHING = Example(IMAGE, (), boxes=(), name='b')


def shows(picture, name):
    return bool((picture == COLOURS[name]).all(axis=2).any())


def test_classes_are_judged_apart_and_counted_together():
    assert tuple(outcome_of(judge_cell([HIT, MISS]))) == (1, 2, 1, 1)
    swapped = [Example(IMAGE, HIT.points, boxes=MISS.boxes), Example(IMAGE, MISS.points,
                                                                     boxes=HIT.boxes)]
    assert tuple(outcome_of(judge_cell(swapped))) == (0, 2, 0, 2)
    assert outcome_of(judge_cell([NOTHING])).describe() == 'no finding'
    rule = make_hit_rule('distance', hit_radius=1)
    assert tuple(outcome_of(judge_cell([HIT], rule))) == (1, 1, 1, 0)
    with pytest.raises(ValueError, match='no class'):
        judge_cell([])


def test_cells_are_painted_by_outcome_at_the_size_seen():
    picture = paint_cell([HIT, MISS], 200)
    assert picture.shape == (200, 200, 3) and all(shows(picture, name) for name in (
        'found', 'missed', 'finding', 'false_positive'))
    assert (paint_cell([NOTHING], 50) == 90).all()
    points = paint_points([HIT, MISS], 200)
    assert shows(points, 'found') and not shows(points, 'missed') and not shows(points, 'finding')


def test_the_figure_has_a_column_for_each_system_and_a_row_for_each_image(tmp_path):
    path = save_comparison(['one\nthreshold 0.5', 'two'], [[[HIT], [MISS]], [[NOTHING], [NOTHING]]],
                           tmp_path / 'figure.png', side=200, title='drawn by seed 0')
    picture = cv2.imread(str(path))[..., ::-1]
    assert picture.shape[0] > 2 * 200 and picture.shape[1] >= 3 * 200
    # Columns of a third each: the points, the hit of system one, the miss of system two.
    third = picture.shape[1] // 3
    top = picture[:picture.shape[0] // 2]
    near = [[bool((np.abs(top[:, column * third:(column + 1) * third].astype(int) - COLOURS[name])
                   .max(axis=2) < 40).any()) for name in ('found', 'missed')] for column in range(3)]
    assert near == [[True, False], [True, False], [False, True]]


def test_nothing_to_compare_is_named(tmp_path):
    for systems, rows, words in (([], [[]], 'at least one'), (['a'], [], 'at least one'),
                                 (['a', 'b'], [[[HIT]]], '1 cell, there are 2 systems')):
        with pytest.raises(ValueError, match=words):
            save_comparison(systems, rows, tmp_path / 'a.png')
