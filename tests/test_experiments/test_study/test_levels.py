"""What the levels are, measured: golden numbers of annotations written by hand, and drawn ones."""
from dataclasses import replace

import numpy as np
import pytest

from mmwindow.experiments.study.data import write_sets
from mmwindow.experiments.study.design import Sizes, make_cells
from mmwindow.experiments.study.levels import (
    file_levels,
    level_rows,
    measure_level,
    measure_moves,
    read_levels,
)
from mmwindow.utils.files import load_json, write_json

SIZES = Sizes()
CELLS = {cell.name: cell for cell in make_cells(SIZES, ['B', 'C', 'A'])}


def point(image, finding, x, y, side):
    return dict(image_id=image, fracture=finding, keypoints=[x, y, 2], bbox=[0, 0, 1, side])


def write_annotations(folder, name, points):
    images = [dict(id=number, width=256, height=128) for number in (1, 2, 3)]
    write_json(folder / 'base' / 'annotations' / name / 'train.json',
               dict(images=images, annotations=points))


@pytest.fixture
def drawn(tmp_path):
    """Findings of sides 10, with two points, and 40 on image 1; one of side 20 on image 2."""
    unmoved = [point(1, 0, 10, 20, 10), point(1, 0, 30, 20, 10), point(1, 1, 50, 20, 40),
               point(2, 0, 5, 5, 20)]
    moved = [point(1, 0, 13, 24, 10), point(1, 0, 30, 20, 10), point(1, 1, 50, 20, 40),
             point(2, 0, 5, 5, 20)]
    write_annotations(tmp_path, '', unmoved)
    write_annotations(tmp_path, 'jitter50', moved)
    return tmp_path


def test_golden_numbers(drawn):
    """Sides 10, 20 and 40: the logarithms are log 2 apart, so that is their deviation (n - 1).

    One of four points moves by 5 of 256 pixels: 20 of 1024, and 20 / sqrt(4) in the mean square.
    """
    base = measure_level(CELLS['base'], drawn)
    assert base == dict(images=3, findings=3, points=4, points_per_finding=4 / 3,
                        extent_spread=pytest.approx(np.log(2)), moved=None)
    assert measure_level(CELLS['jitter50'], drawn) == {**base, 'moved': pytest.approx(10.)}
    assert measure_level(CELLS['jitter100'], drawn) is None


def test_points_of_another_drawing_are_refused(drawn):
    points = load_json(drawn / 'base' / 'annotations' / 'train.json')['annotations']
    with pytest.raises(ValueError, match='image 2: a jittered level has points'):
        measure_moves([*points, points[-1]], points, {1: 256, 2: 256})


def test_filed_levels_stay_when_their_images_are_gone(drawn):
    results = drawn / 'results'
    file_levels([CELLS['base'], CELLS['points-one']], drawn / 'nowhere', results, SIZES)
    assert not results.exists()
    file_levels([CELLS['base']], drawn, results, SIZES)
    file_levels([CELLS['jitter50']], drawn, results, SIZES)
    assert list(read_levels(results)) == ['base', 'jitter50']
    assert level_rows(read_levels(results))[1:] == [
        ['base', 3, 3, 4, '1.3', '0.69', ''], ['jitter50', 3, 3, 4, '1.3', '0.69', '10']]


def test_filed_levels_of_another_study_are_dropped(drawn):
    results = drawn / 'results'
    file_levels([CELLS['base'], CELLS['jitter50']], drawn, results, SIZES)
    file_levels([CELLS['base']], drawn, results, replace(SIZES, num_train=SIZES.num_train + 1))
    assert list(read_levels(results)) == ['base']


def test_drawn_jitter_is_what_the_level_says(tmp_path):
    """Half of 24 images are fractured; a distance of 25 in the mean square, twice it at 50."""
    sizes = Sizes(num_train=24, num_val=1, num_test=1, side=64)
    cells = {cell.name: cell for cell in make_cells(sizes, ['B', 'C'])}
    write_sets([(cells['base'].images, 0)], sizes, tmp_path, workers=1)
    found = {name: measure_level(cell, tmp_path) for name, cell in cells.items()}
    assert found['base']['images'] == 24
    assert found['points-one']['points'] == found['points-one']['findings'] >= 12
    assert found['points-one']['findings'] == found['base']['findings']
    assert found['points-several']['points_per_finding'] > 1.5
    assert found['jitter50']['moved'] == pytest.approx(2 * found['jitter25']['moved'], rel=.05)
    assert found['jitter25']['moved'] == pytest.approx(25, rel=.4)  # some 15 points
