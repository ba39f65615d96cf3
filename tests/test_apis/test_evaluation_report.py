"""The leaderboard in the report: p-values, raw and corrected, and the family of the correction."""
from types import SimpleNamespace

import numpy as np
import pytest

from mmwindow.apis.evaluation_outputs import class_suffix
from mmwindow.apis.evaluation_report import ClassReport, leaderboard_lines, warning_lines
from mmwindow.evaluation import box_events, leaderboard
from mmwindow.evaluation.results import EvaluationResult, summarise_class
from mmwindow.evaluation.statistics.operating_point import choose_operating_point
from mmwindow.utils.markdown import format_p_value


def make_system(quality, seed):
    """A detector on 20 patients of one image, whose box on a point scores higher the better it is."""
    generator = np.random.default_rng(seed)
    return [box_events([[90, 90, 110, 110], [600, 600, 640, 640]],
                       [quality * (number % 2) + generator.random(), generator.random()],
                       [[100, 100]] * (number % 2), image_id=number) for number in range(20)]


def test_files_of_a_class_are_named_in_bytes_that_a_disk_takes():
    reports = [SimpleNamespace(name=name) for name in ('漢' * 80, '漢' * 90, 'a/b')]
    names = [class_suffix(one, reports) for one in reports]
    assert names == ['_' + '漢' * 26 + '-1', '_' + '漢' * 26 + '-2', '_a-b']


@pytest.fixture
def report():
    systems = {name: make_system(quality, seed) for seed, (name, quality) in enumerate(
        dict(this=.6, best=.9, poor=-.5).items())}
    result = summarise_class(systems['this'], {})
    return ClassReport('finding', result, choose_operating_point(systems['this']), None,
                       leaderboard=leaderboard(systems, num_resamples=100))


def test_each_row_has_the_test_of_this_system_and_the_text_names_the_family(report):
    text = '\n'.join(leaderboard_lines(report, 'this'))
    rows = [[cell.strip() for cell in line[1:-1].split('|')]
            for line in text.splitlines() if line.startswith('| ')][1:]
    assert [row[1] for row in rows] == [row.name for row in report.leaderboard.rows]
    for row in rows:
        if row[1] == 'this':
            continue
        test = report.leaderboard.test('this', row[1])
        assert row[-2:] == [format_p_value(test.p_value), format_p_value(test.p_holm)]
        assert row[-3].startswith(f'{test.difference.estimate:+.3f} (')
    assert 'corrected for the 3 pairs of systems that have a test of the FROC score' in text
    assert leaderboard_lines(ClassReport('a', report.result, report.point, None), 'this') == []


def test_findings_left_out_come_first(report):
    result = EvaluationResult(dict(finding=report.result), {}, {}, dict(
        images=3, boxes_left_out=2, boxes_clipped=1))
    assert warning_lines([report], result) == [
        '- 2 findings left out: outside their image, or boxes without area.',
        '- 1 finding clipped: boxes that reach beyond their image.', '']
    assert warning_lines([report], EvaluationResult({}, {}, {}, dict(boxes_left_out=0))) == []
