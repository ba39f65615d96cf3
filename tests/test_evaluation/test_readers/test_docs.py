"""The tables of docs/readers.md are those of the committed example."""
import re
from pathlib import Path

import pytest

from mmwindow.apis.reader_study import ReaderChoice, study_readers
from mmwindow.evaluation import evaluate
from mmwindow.evaluation.files.ground_truth import read_annotations
from mmwindow.evaluation.files.prediction_files import read_predictions

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / 'docs' / 'examples' / 'readers'
TEXT = (ROOT / 'docs' / 'readers.md').read_text(encoding='utf-8')


def rows_of(first):
    """Return the cells of the rows of tables whose first cell matches a pattern."""
    rows = [[cell.strip() for cell in line.strip('|').split('|')]
            for line in TEXT.splitlines() if line.startswith('|')]
    return [row for row in rows if re.fullmatch(first, row[0])]


@pytest.fixture(scope='module')
def truth():
    return read_annotations(EXAMPLE / 'points.json', readers='merge')


@pytest.fixture(scope='module')
def study(truth):
    def read():
        return read_predictions(EXAMPLE / 'boxes.json', truth)
    result = evaluate(read(), truth.targets, classes=truth.classes)
    return study_readers(truth.point_file, False, ReaderChoice().merge, result, read, {})['fracture']


def test_marks_and_merged_findings(truth):
    rows = rows_of(r'\d')
    assert len(rows) == 8
    for row, target, record in zip(rows, truth.targets, truth.point_file.records, strict=True):
        for reader, cell in zip(('R1', 'R2', 'R3'), row[1:4], strict=True):
            marks = [f'{x:g}, {y:g}' for (x, y), owner in zip(
                record.points, record.point_readers, strict=True) if owner == reader]
            expected = [] if reader in record.readers else ['not read']
            assert ([cell] if cell else []) == (marks or expected)
        merged = [f'{round(x, 1):g}, {round(y, 1):g}' for x, y in target.points]
        found = re.match(r'[\d.]+, [\d.]+', row[4])
        assert ([found.group()] if found else []) == merged


def test_agreement(study):
    rows = rows_of(r'R\d and R\d')
    for row, pair in zip(rows, study.agreement.pairs, strict=True):
        assert row == [f'{pair.first} and {pair.second}', str(pair.num_images),
                       f'{pair.same_call.estimate:.3f}', f'{pair.kappa:.3f}', str(pair.num_matched),
                       f'{pair.same_place.estimate:.3f}', f'{pair.median_distance:.1f}']
    assert f'= {study.agreement.alpha:.3f}' in TEXT


def test_operating_points(study):
    rows = rows_of(r'R\d')
    for row, point in zip(rows, study.points, strict=True):
        numbers = [point.recall, point.fp_rate, point.sensitivity, point.specificity]
        assert row == [point.reader, str(point.num_images), str(point.num_points),
                       *(f'{number.estimate:.3f}' for number in numbers),
                       f'{point.system.recall:.3f}', f'{point.system.sensitivity:.3f}']
