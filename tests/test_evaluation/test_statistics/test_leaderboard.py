"""The leaderboard: order, intervals and tests are those of each system and pair; Holm by hand."""
import json
import math

import numpy as np
import pytest

from mmwindow.evaluation import (
    FROCSettings,
    box_events,
    compare_systems,
    leaderboard,
    read_record,
    write_record,
)
from mmwindow.evaluation.results import summarise_class
from mmwindow.evaluation.statistics import leaderboard as module

RESAMPLES = dict(num_resamples=100, seed=3)


def make_system(quality, num_images=24, seed=0, with_points=True):
    """A detector whose box on a point scores higher the better it is; patients of two images."""
    generator = np.random.default_rng(seed)
    images = []
    for number in range(num_images):
        points = [[100, 100]] * (with_points and number % 2)
        boxes = [[600, 600, 640, 640], *[[90, 90, 110, 110]] * len(points)]
        scores = [generator.random(), *(quality + generator.random() for _ in points)]
        images.append(box_events(boxes, scores, points, image_id=number,
                                 group=f'patient {number // 2}'))
    return images


SYSTEMS = {'fair': make_system(.2, seed=1), 'best': make_system(.9, seed=2),
           'poor': make_system(-.5, seed=3)}


def test_the_best_comes_first_and_numbers_are_those_of_each_system():
    board = leaderboard(SYSTEMS, **RESAMPLES)
    assert [row.name for row in board.rows] == ['best', 'fair', 'poor']
    for row in board.rows:
        alone = summarise_class(SYSTEMS[row.name], FROCSettings(**RESAMPLES))
        assert (row.metrics, row.intervals) == (alone.metrics, alone.intervals)
    assert (board.num_units, board.num_images, board.seed) == (12, 24, 3)
    other = leaderboard(SYSTEMS, **RESAMPLES, sort_by='recall@0.5')
    assert [row.metrics['recall@0.5'] for row in other.rows] == sorted(
        (row.metrics['recall@0.5'] for row in board.rows), reverse=True)


def test_tests_are_those_of_each_pair():
    board = leaderboard(SYSTEMS, **RESAMPLES)
    assert len(board.tests) == 3 * 7  # pairs, numbers
    for first, second in (('best', 'fair'), ('best', 'poor'), ('fair', 'poor')):
        comparison = compare_systems(SYSTEMS[first], SYSTEMS[second], **RESAMPLES)
        test = board.test(first, second)
        assert test.difference == comparison.differences['froc_score']
        assert test.p_value == comparison.p_values['froc_score']
        auroc = board.test(first, second, 'auroc')
        assert (auroc.difference, auroc.p_value) == (
            comparison.delong.difference, comparison.delong.p_value)
        turned = board.test(second, first)
        assert turned.difference.estimate == -test.difference.estimate
        assert (turned.difference.low, turned.difference.high) == (
            -test.difference.high, -test.difference.low)
    with pytest.raises(ValueError, match="no test of 'best' and 'x'.*froc_score"):
        board.test('best', 'x')


def test_p_values_are_corrected_by_holm_within_each_number(monkeypatch):
    """By hand: .01 x 3 = .03; .03 x 2 = .06; .04 x 1 = .04, which is raised to the .06 before it."""
    p_values = {('best', 'fair'): .04, ('best', 'poor'): .01, ('fair', 'poor'): .03}

    def compare(first, second, *rest, **options):
        found = compare_systems(first, second, *rest, **options)
        pair = tuple(next(name for name, images in SYSTEMS.items() if images[0] is events[0])
                     for events in (first, second))
        return module.replace(found, p_values={
            **found.p_values, 'froc_score': p_values[pair], 'recall@0.1': None})

    monkeypatch.setattr(module, 'compare_systems', compare)
    board = leaderboard(SYSTEMS, **RESAMPLES)
    corrected = {pair: board.test(*pair).p_holm for pair in p_values}
    assert corrected == pytest.approx(dict(zip(p_values, (.06, .03, .06), strict=True)))
    assert {test.num_tests for test in board.tests if test.metric == 'froc_score'} == {3}
    without = board.test('best', 'fair', 'recall@0.1')
    assert (without.p_value, without.p_holm, without.num_tests) == (None, None, 0)
    assert 'no p-value' in without.reason


def test_no_p_value_below_eight_patients():
    seven = {name: images[:14] for name, images in SYSTEMS.items()}
    board = leaderboard(seven, **RESAMPLES)
    assert board.num_units == 7
    assert {test.p_value for test in board.tests} == {test.p_holm for test in board.tests} == {None}
    assert '7 patients' in board.test('best', 'poor').reason
    eight = {name: images[:16] for name, images in SYSTEMS.items()}
    assert leaderboard(eight, **RESAMPLES).test('best', 'poor').p_value is not None


def test_negative_images_alone():
    board = leaderboard({name: make_system(0, seed=seed, with_points=False)
                         for seed, name in enumerate('ba')}, **RESAMPLES)
    assert [row.name for row in board.rows] == ['a', 'b']
    assert math.isnan(board.rows[0].metrics['froc_score'])
    test = board.test('a', 'b')
    assert (test.difference, test.p_value) == (None, None) and 'point' in test.reason
    json.dumps(board.as_dict(), allow_nan=False)


def test_records_and_plain_data(tmp_path):
    records = [read_record(write_record(tmp_path / f'{name}.json', {'a': images},
                                        FROCSettings(budgets=(.5, 1.)), source=dict(name=name)))
               for name, images in SYSTEMS.items()]
    board = leaderboard(records, **RESAMPLES)
    assert [row.name for row in board.rows] == ['best', 'fair', 'poor']
    assert board.settings.budgets == (.5, 1.)
    content = json.loads(json.dumps(board.as_dict(), allow_nan=False))
    assert [system['name'] for system in content['systems']] == ['best', 'fair', 'poor']
    assert content['correction'] == 'Holm' and 'all pairs' in content['family']
    assert len(content['tests']) == len(board.test_rows()) == 3 * len(board.settings.names)
    assert board.test_rows()[0]['num_tests'] == 3
    near = write_record(tmp_path / 'near.json', {'a': make_system(.2)},
                        FROCSettings(rule=module.FROCSettings.from_record(dict(
                            rule='distance', hit_radius=9.)).rule))
    with pytest.raises(ValueError, match='different rules.*score all alike'):
        leaderboard([*records, read_record(near)], **RESAMPLES)


@pytest.mark.parametrize('systems, options, words', [
    ({'a': SYSTEMS['best']}, {}, 'two at least'),
    ([('a', SYSTEMS['best']), ('a', SYSTEMS['fair'])], {}, 'a name of its own'),
    ({'a': SYSTEMS['best'], 'b': SYSTEMS['fair'][2:]}, {}, r"'a' \(the first\) and 'b'.*images"),
    (SYSTEMS, dict(sort_by='precision'), "sort_by is 'precision'")])
def test_what_is_no_leaderboard(systems, options, words):
    with pytest.raises(ValueError, match=words):
        leaderboard(systems, **RESAMPLES, **options)
