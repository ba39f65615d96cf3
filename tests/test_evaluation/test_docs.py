"""The numbers of docs/evaluation.md are those of the committed results and commands."""
import json
import re
from pathlib import Path

import pytest

from mmwindow.evaluation import evaluate
from mmwindow.evaluation.files.ground_truth import read_annotations
from mmwindow.evaluation.files.prediction_files import read_predictions

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / 'docs' / 'evaluation.md').read_text(encoding='utf-8')


def table_rows(first):
    """Return the cells of the table rows whose first cell matches a pattern."""
    rows = [[cell.strip() for cell in line.strip('|').split('|')]
            for line in TEXT.splitlines() if line.startswith('|')]
    return [row for row in rows if re.fullmatch(first, row[0])]


def test_coverage_table():
    content = json.loads((ROOT / 'results/coverage/coverage.json').read_text(encoding='utf-8'))
    cells = {(block['model'], block['size'], cell['statistic'], cell['method'],
              f'{cell["truth"]:.3f}'): cell
             for block in content['coverage'] for cell in block['cells']}
    rows = table_rows('binormal|fair system|strong system')
    assert len(rows) == 27
    for model, size, statistic, truth, method, coverage, width in rows:
        cell = cells[model, size, statistic, method, truth]
        assert float(coverage) == pytest.approx(100 * cell['coverage'], abs=0.051)
        assert float(width) == pytest.approx(cell['mean_width'], abs=0.00051)


def test_results_of_the_example():
    folder = ROOT / 'docs/examples/evaluation'
    truth = read_annotations(folder / 'points.json')
    rows = table_rows('`(boxes.json|maps.npz)`')
    assert len(rows) == 2
    for name, *numbers in rows:
        result = evaluate(read_predictions(folder / name.strip('`'), truth), truth.targets,
                          missing='empty')
        assert [f'{value:.4f}' for value in result.metrics.values()] == [
            number if number.startswith('1') else f'0{number}' for number in numbers]


def test_thresholds_of_the_example():
    folder = ROOT / 'docs/examples/evaluation'
    truth = read_annotations(folder / 'points.json')
    curve = evaluate(read_predictions(folder / 'boxes.json', truth), truth.targets,
                     missing='empty').classes['finding'].froc
    rows = table_rows(r'\.\d\d')
    assert len(rows) == 9
    for threshold, _, num_false, rate, recall in rows:
        counts = curve.counts_at(float(threshold))
        assert counts['false_positives'] == int(num_false) == 8 * float(rate)
        assert counts['recalled'] == int(recall.split('/')[0])
