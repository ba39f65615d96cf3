"""The numbers of docs/evaluation.md are those of the committed results and commands."""
import json
import re
from pathlib import Path

from mmwindow.evaluation import evaluate
from mmwindow.evaluation.files.csv_files import COLUMNS
from mmwindow.evaluation.files.ground_truth import read_annotations
from mmwindow.evaluation.files.prediction_files import read_predictions
from tests.imported_tools import imported_tool

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / 'docs' / 'evaluation.md').read_text(encoding='utf-8')


def table_rows(first):
    """Return the cells of the table rows whose first cell matches a pattern."""
    rows = [[cell.strip() for cell in line.strip('|').split('|')]
            for line in TEXT.splitlines() if line.startswith('|')]
    return [row for row in rows if re.fullmatch(first, row[0])]


def test_coverage_tables():
    """Every table of coverages, widths and rejections is what the tool prints of the result."""
    with imported_tool('simulate_coverage') as tool:
        for name, mark in (('coverage', 'coverage'), ('folds', 'coverage-folds')):
            content = json.loads((ROOT / f'results/coverage/{name}.json').read_text(encoding='utf-8'))
            assert f'<!-- {mark} -->\n{tool.describe(content)}\n<!-- end -->' in TEXT


def test_results_of_the_example():
    folder = ROOT / 'docs/examples/evaluation'
    truth = read_annotations(folder / 'points.json')
    rows = table_rows('`(boxes.json|maps.npz|findings.csv)`.*')
    assert len(rows) == 3
    for name, *numbers in rows:
        file_name, _, rule = name.partition(', by ')
        result = evaluate(read_predictions(folder / file_name.strip('`'), truth), truth.targets,
                          missing='empty', rule=rule or 'disk_overlap')
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


def test_rows_of_the_csv_of_the_example():
    folder = ROOT / 'docs/examples/evaluation'
    truth = read_annotations(folder / 'points.json')
    found = list(read_predictions(folder / 'findings.csv', truth))
    result = evaluate(found, truth.targets, missing='empty', rule='distance')
    curve = result.classes['finding'].froc
    rows = table_rows(r'[A-H] \d+,\d+')
    written = [line.split(',') for line in (folder / 'findings.csv').read_text().splitlines()[1:]]
    assert [f'{name[0]} {x},{y}' for name, x, y, _ in written[:9]] == [row[0] for row in rows]
    for _, threshold, _what, rate, recall in rows:
        counts = curve.counts_at(float(threshold))
        assert counts['false_positives'] == 8 * float(rate)
        assert counts['recalled'] == int(recall.split('/')[0])
    assert (result.counts['boxes_left_out'], result.counts['findings_repeated']) == (1, 1)


def test_columns_of_the_csv_table():
    rows = {row[0]: row[1] for row in table_rows('`(file|x|x1|score|class|image_score).*')
            if len(row) == 3}
    named = ','.join([*rows, *rows.values()])
    known = {alias for aliases in COLUMNS.values() for alias in aliases} - {'ypx', 'centrey',
                                                                            'centery', 'coordy'}
    told = {''.join(sign for sign in word.lower() if sign not in ' _`') for word in
            re.split('[,;]', named)} | {'imageid'}
    assert told >= known
