"""The simulation of intervals about readers: its arithmetic, and the committed result."""
import json
from pathlib import Path

import numpy as np
import pytest

from mmwindow.evaluation.statistics.intervals import Interval
from tests.imported_tools import imported_tool

ROOT = Path(__file__).parents[3]
RESULT = json.loads((ROOT / 'results/coverage/readers.json').read_text(encoding='utf-8'))


@pytest.fixture(scope='module')
def tool():
    with imported_tool('simulate_reader_coverage') as module:
        yield module


def test_coverage_by_hand(tool):
    cell = tool.describe_cell('fair', 12, 'kappa', .5, [
        Interval(.5, .4, .6), Interval(.5, .5, .9), Interval(.8, .7, .9), None])
    assert cell['coverage'] == pytest.approx(2 / 3) and cell['without'] == 1
    assert cell['median_width'] == pytest.approx(.2) and cell['num_data_sets'] == 4
    assert tool.describe_cell('fair', 12, 'kappa', .5, [None])['coverage'] is None


def test_drawn_readers_are_as_good_as_their_model(tool):
    drawn = tool.draw(tool.MODELS['strong'], 2000, np.random.default_rng(0))
    positive = np.array([image.is_positive for image in drawn.reader])
    assert positive.mean() == pytest.approx(.4, abs=.02)          # one half of four fifths
    assert drawn.calls[:, positive].mean() == pytest.approx(.94, abs=.02)
    false = [image.fp_changes.sum() for image in drawn.reader]
    assert np.mean(false) == pytest.approx(.05, abs=.01)
    assert {image.image_id for image in drawn.system} == {image.image_id for image in drawn.reader}


def test_the_same_seed_gives_the_same_cells(tool, capsys):
    first, second = (tool.simulate(2, 1, 3, (12, ), 200) for _ in range(2))
    assert first == second
    assert {cell['number'] for cell in first} == {'kappa', 'alpha', 'recall difference',
                                                  'sensitivity difference'}


def test_the_committed_intervals_hold_and_have_a_width():
    assert len(RESULT['cells']) == 3 * 4 * 4
    for cell in RESULT['cells']:
        # Three standard errors of a simulation below .93.
        slack = 3 * np.sqrt(.93 * .07 / cell['num_data_sets'])
        assert cell['coverage'] >= .93 - slack, cell
        assert cell['least_width'] > 0
        assert cell['without'] <= .05 * cell['num_data_sets'], cell


def test_the_table_of_the_page_is_the_result(tool):
    text = (ROOT / 'docs' / 'readers.md').read_text(encoding='utf-8')
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in text.splitlines()
            if line.startswith(('| fair |', '| strong |', '| perfect |'))]
    assert rows == tool.table_rows(RESULT)[1:]
