"""The numbers and the page of folds: means, each fold at its own threshold, nothing pooled unsaid."""
import csv
import json

import numpy as np
import pytest

from mmwindow.apis.fold_numbers import FoldTest, measure_folds
from mmwindow.apis.fold_report import (
    FoldData,
    choose_images,
    describe_means,
    read_fold_means,
    write_fold_report,
)
from mmwindow.apis.run_numbers import ReportSettings, plain_numbers
from mmwindow.evaluation import box_events
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.utils.operating_points import (
    ClassOperatingPoints,
    ModelOperatingPoints,
    OperatingPoint,
)

FAST = ReportSettings(num_resamples=100, band_resamples=100)
HIT, MISS = [[90, 90, 110, 110]], [[300, 300, 320, 320]]
POINT = [[100, 100]]


def points_at(threshold, reason=''):
    if reason:
        return ModelOperatingPoints({'nodule': ClassOperatingPoints(reasons={'images': reason})},
                                    'val', 6, 6)
    point = OperatingPoint(threshold, 'fp_budget', .1, True, 'all', {}, 6)
    return ModelOperatingPoints({'nodule': ClassOperatingPoints(point, point)}, 'val', 6, 6)


def image(number, score, is_positive, box=HIT):
    return box_events(box, [score], POINT if is_positive else [], image_id=number,
                      group=f'p{number}')


def make_tests(tmp_path, last=None):
    """Two folds on scales a hundred apart: each ranks its images perfectly but for one.

    Fold 0, threshold .5: positives .9, .6 (called), .3 (not); negatives .7 (called), .2, .1.
    Fold 1, threshold .005: positives .009, .006 (called, the second by a finding elsewhere), .003;
    negatives .002, .001, .0005 (not).
    """
    first = [image(0, .9, True), image(1, .6, True), image(2, .3, True),
             image(3, .7, False), image(4, .2, False), image(5, .1, False)]
    second = [image(6, .009, True), image(7, .006, True, MISS), image(8, .003, True),
              image(9, .002, False), image(10, .001, False), image(11, .0005, False)]
    return [FoldTest(0, tmp_path / 'fold0', {'nodule': first}, points_at(.5), 3),
            FoldTest(1, tmp_path / 'fold1', {'nodule': second}, last or points_at(.005), 4)]


def test_numbers_are_means_over_folds_and_never_of_pooled_scores(tmp_path):
    [entry] = measure_folds(make_tests(tmp_path), FROCSettings(), FAST)
    # Of 9 pairs fold 0 has 7 in order (.6 and .3 lie below .7); fold 1 all.
    assert entry.folds[0].result.metrics['auroc'] == pytest.approx(7 / 9)
    assert entry.folds[1].result.metrics['auroc'] == 1
    assert entry.result.metrics['auroc'] == pytest.approx(8 / 9)
    heights, rates = entry.result.roc.true_positive_rate, entry.result.roc.false_positive_rate
    area = float((np.diff(rates) * (heights[1:] + heights[:-1]) / 2).sum())
    assert area == pytest.approx(8 / 9)  # pooled it would be 25 of 36: all of fold 1 lies below
    assert entry.calibration is None and entry.result.intervals['auroc'].low < 8 / 9


def test_each_image_is_called_at_the_threshold_of_its_fold(tmp_path):
    [entry] = measure_folds(make_tests(tmp_path), FROCSettings(), FAST)
    found = entry.at_threshold
    assert found.counts == dict(
        true_positives=4, false_negatives=2, true_negatives=5, false_positives=1,
        recalled_points=3, points=6, false_positive_findings=2, counted_images=12)
    assert found.intervals['sensitivity'].estimate == pytest.approx(4 / 6)
    assert found.intervals['specificity'].estimate == pytest.approx(5 / 6)
    assert found.intervals['sensitivity'].low < 4 / 6 < found.intervals['sensitivity'].high
    by_fold = {part.name: part.counts['true_negatives'] for part in entry.by_field['fold']}
    assert by_fold == {'0': 2, '1': 3}


def test_a_fold_without_a_threshold_is_left_out_and_said(tmp_path):
    tests = make_tests(tmp_path, points_at(0, 'too few patients'))
    [entry] = measure_folds(tests, FROCSettings(), FAST)
    assert entry.at_threshold.counts['true_positives'] == 2 and entry.result.metrics['auroc'] < .9
    assert entry.notes == ['fold 1 has no threshold and is not counted: too few patients']
    none = [FoldTest(test.number, test.run, test.events) for test in tests]
    [entry] = measure_folds(none, FROCSettings(), FAST)
    assert entry.at_threshold is None and len(entry.notes) == 2


def test_folds_without_a_point_have_no_recall(tmp_path):
    tests = [FoldTest(number, tmp_path, {'nodule': [image(3 * number + index, .1, False)
                                                    for index in range(3)]}) for number in range(2)]
    [entry] = measure_folds(tests, FROCSettings(), FAST)
    assert np.isnan(entry.result.metrics['auroc']) and entry.result.roc is None
    assert 'AUROC: no number\n' in describe_means(plain_numbers([entry]), 2)


def test_pictures_are_the_first_of_each_outcome_of_each_fold(tmp_path):
    [entry] = measure_folds(make_tests(tmp_path), FROCSettings(), FAST)
    # Hits 0, 1 and 6; misses 2, 7 and 8; a false positive 3; negatives 4 and 9 first.
    assert {fold: sorted(ids) for fold, ids in choose_images(entry, 1).items()} == {0: [0, 2, 3, 4]}
    assert {fold: sorted(ids) for fold, ids in choose_images(entry, 2).items()} == {
        0: [0, 2, 3, 4], 1: [6, 7, 9]}


def test_the_page_says_that_its_numbers_are_means(tmp_path):
    tests = make_tests(tmp_path)
    numbers = measure_folds(tests, FROCSettings(), FAST)
    (tmp_path / 'report').mkdir()
    write_fold_report(tmp_path / 'report', 'two folds', tests, numbers, FROCSettings(),
                      FoldData(facts={'final model': 'none'}), FAST)
    text = (tmp_path / 'report/report.md').read_text()
    for words in ('**means over 2 folds**', '| auroc | 0.889', '| auroc | 0.778 | 1.000 |',
                  '| 1 | 0.005 | 0.005 | a budget of 0.1', 'These decisions, not the scores',
                  '| with a finding | 4 | 2 |', 'each fold has a record of its own'):
        assert words in text, words
    assert {path.name for path in (tmp_path / 'report').iterdir()} == {
        'report.md', 'result.json', 'images.csv', 'froc.png', 'roc.png'}
    rows = list(csv.DictReader((tmp_path / 'report/images.csv').open()))
    found = {row['image']: (row['threshold'], row['field fold']) for row in rows}
    assert found['9'] == ('0.005', '1')
    means = read_fold_means(tmp_path / 'report')
    assert means.metrics['folds/auroc'] == pytest.approx(8 / 9)
    assert means.text.startswith('mean of 2 folds') and 'AUROC: 0.889 (' in means.text
    content = json.loads((tmp_path / 'report/result.json').read_text())
    assert content['classes'][0]['folds']['0']['metrics']['auroc'] == pytest.approx(7 / 9)
    content['classes'][0]['folds'] = {}
    (tmp_path / 'report/result.json').write_text(json.dumps(content))
    for folder in (tmp_path / 'report', tmp_path):
        with pytest.raises(ValueError, match='it is no report of folds.*same command again'):
            read_fold_means(folder)
