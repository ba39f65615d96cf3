"""The numbers of docs/evaluation.md are those of the committed results and commands."""
import importlib.util
import json
import re
from pathlib import Path

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


def test_coverage_tables():
    """Every table of coverages, widths and rejections is what the tool prints of the result."""
    spec = importlib.util.spec_from_file_location('simulate_coverage',
                                                  ROOT / 'tools/simulate_coverage.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    content = json.loads((ROOT / 'results/coverage/coverage.json').read_text(encoding='utf-8'))
    assert f'<!-- coverage -->\n{tool.describe(content)}\n<!-- end -->' in TEXT


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
