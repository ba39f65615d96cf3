"""Two systems on the same images: pairing, refusals, and the paired bootstrap by hand."""
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student

from mmwindow.evaluation import ImageEvents, auroc, froc_curve
from mmwindow.evaluation.statistics.compare import (
    compare_systems,
    difference_interval,
    match_images,
    two_sided_p,
)
from mmwindow.evaluation.statistics.delong import delong_test
from mmwindow.evaluation.statistics.folded_events import check_folds
from mmwindow.evaluation.statistics.resampling import draw_weights, find_units


def random_pair(seed=0, num_images=40, quality=(1.5, 1.5), group_size=1):
    """Two systems on the same images; a point's level is higher where the quality is."""
    rng = np.random.default_rng(seed)
    systems = ([], [])
    for number in range(num_images):
        num_points = int(number % 3 == 0)
        for events, height in zip(systems, quality, strict=True):
            fps = np.sort(rng.normal(size=rng.integers(0, 4)))[::-1]
            found = rng.normal(size=num_points) + height
            events.append(ImageEvents(
                score=float(max([*fps, *found, -3])), recall_levels=found, fp_levels=fps,
                fp_changes=np.ones(len(fps), np.int32), is_positive=bool(num_points),
                image_id=number, group=f'p{number // group_size}' if group_size > 1 else ''))
    return systems


def test_differences_are_those_of_the_plain_numbers():
    first, second = random_pair(quality=(2., 1.))
    result = compare_systems(first, second[::-1], num_resamples=200)  # in any order
    labels = [event.is_positive for event in first]
    areas = [auroc(labels, [event.score for event in events]) for events in (first, second)]
    assert result.differences['auroc'].estimate == areas[0] - areas[1]
    scores = [froc_curve(events).score() for events in (first, second)]
    assert (result.first['froc_score'], result.second['froc_score']) == tuple(scores)
    assert result.differences['froc_score'].estimate == scores[0] - scores[1]
    test = delong_test(labels, [event.score for event in first], [event.score for event in second])
    assert result.delong.z == pytest.approx(test.z)
    assert result.delong.difference.low == pytest.approx(test.difference.low)
    assert result.seed == 0 and result.num_resamples == 200 and result.num_units == 40


@pytest.mark.parametrize('group_size', [1, 4])
def test_each_replicate_is_the_difference_on_the_same_images(group_size):
    first, second = random_pair(3, group_size=group_size)
    result = compare_systems(first, second, num_resamples=100, seed=5)
    units = find_units(first)
    draws = draw_weights(np.zeros(len(units), int), 100, np.random.default_rng(5))
    for row, weights in enumerate(np.concatenate(list(draws))[:20]):
        chosen = np.repeat(np.arange(40), weights[units.index])
        scores = [froc_curve([events[place] for place in chosen]).score()
                  for events in (first, second)]
        assert result.replicates['froc_score'][row] == scores[0] - scores[1]


def test_exchange_of_systems_turns_the_sign():
    first, second = random_pair(1, quality=(2., 1.))
    forth, back = compare_systems(first, second), compare_systems(second, first)
    for name, interval in forth.differences.items():
        assert interval.low == pytest.approx(-back.differences[name].high)
        assert forth.p_values[name] == back.p_values[name]


def test_a_clear_difference_and_none():
    first, second = random_pair(2, 120, quality=(3., 0.))
    result = compare_systems(first, second, num_resamples=500)
    assert result.p_values['froc_score'] < 1e-6
    assert result.differences['froc_score'].low > 0 and result.delong.p_value < 1e-6
    same = compare_systems(first, first, num_resamples=100)
    assert same.p_values == dict.fromkeys(same.p_values, 1.)
    # No disagreement among 40 patients with a point: .025 ** (1/40) = .911903; among 40 positives.
    for interval in same.differences.values():
        assert (interval.low, interval.high) == pytest.approx((-0.088097, 0.088097), abs=1e-6)
        assert 'no proof of equality' in interval.note
    assert same.delong.p_value == 1


def test_studentised_test_by_hand():
    """Of 20 patients with a point each, all found by the first, 15 by the second. Without false
    positives a resample's difference is the share of the five in it: variance .25 * .75 / 20 =
    .009375, up to the resamples. t = .25 / .0968 = 2.58 with 19 degrees: p = .018. The interval is
    .25 -+ 2.093024 * .0968, and leaves out 0, as p is below .05."""
    def events(found):
        return [ImageEvents(score=0.9, recall_levels=np.array([0.9 if number < found else -np.inf]),
                            fp_levels=np.zeros(0), fp_changes=np.zeros(0, np.int32),
                            is_positive=True, image_id=number) for number in range(20)]
    result = compare_systems(events(20), events(15), num_resamples=2000)
    deviation = result.replicates['froc_score'].std()
    assert deviation == pytest.approx(np.sqrt(0.009375), rel=0.05)
    interval = result.differences['froc_score']
    assert (interval.low, interval.high) == pytest.approx(
        (0.25 - 2.093024 * deviation, 0.25 + 2.093024 * deviation), abs=1e-6)
    assert result.p_values['froc_score'] == pytest.approx(
        2 * student.sf(0.25 / deviation, 19)) == pytest.approx(0.018, abs=0.004)
    assert result.differences['auroc'] is None and 'auroc' in result.reasons
    # Every patient the same way: the sign test, 2 / 2^20.
    assert compare_systems(events(20), events(0), num_resamples=100).p_values['froc_score'] == (
        2 / 2 ** 20)


def test_one_patient_that_disagrees_a_little_leaves_a_width():
    """Of 12 patients one, whose point the second finds a budget later: .2 / 12 of difference. Its own
    deviation says a width of .07; half a patient of 12 is the least, 2 * 2.200985 / 24."""
    def events(level):
        return [ImageEvents(score=0.9, recall_levels=np.array([level if number == 0 else 0.9]),
                            fp_levels=np.array([0.5] if number in (1, 2) else []),
                            fp_changes=np.ones(int(number in (1, 2)), np.int32),
                            is_positive=True, image_id=number) for number in range(12)]
    result = compare_systems(events(0.9), events(0.5), num_resamples=500)
    interval = result.differences['froc_score']
    assert interval.estimate == pytest.approx(0.2 / 12)
    assert interval.high - interval.low == pytest.approx(2 * 2.200985 / 24, abs=1e-6)


def test_few_patients_have_no_p_value():
    """Seven patients of several images: an interval with a warning, and no test; eight have one."""
    first, second = random_pair(4, 35, group_size=5)
    result = compare_systems(first, second, num_resamples=200)
    assert result.num_units == 7 and set(result.p_values.values()) == {None}
    assert result.delong.p_value is None
    assert 'no p-value: 7 patients' in result.reasons['p_values']
    assert all('only 7 patients' in interval.note for interval in result.differences.values())
    for method in ('studentised', 'percentile'):
        eight = compare_systems(*random_pair(4, 40, group_size=5), num_resamples=200, method=method)
        assert all(0 < value <= 1 for value in eight.p_values.values())
        assert 'p_values' not in eight.reasons


def test_p_value_by_hand():
    """Of 99 differences 4 are at or below 0 (one is 0), 96 at or above: 2 (4 + 1) / 100."""
    values = np.concatenate([[-3., -2, -1, 0], np.linspace(0.1, 5, 95)])
    assert two_sided_p(values) == pytest.approx(0.1)
    assert two_sided_p(np.append(values, [np.nan, np.nan])) == pytest.approx(0.1)
    assert two_sided_p(np.zeros(50)) == 1


def test_p_value_goes_with_the_interval():
    """The 2.5th of 99 values is the low end's place: with 1 of 99 below 0 it is above 0 and
    p = 2 (1 + 1) / 100 = .04; with 2 of 99 it is below and p = .06."""
    for below, excludes in ((1, True), (2, False)):
        values = np.concatenate([np.linspace(-4, -3, below), np.linspace(1, 2, 99 - below)])
        interval = difference_interval(1., values, 0.95)
        assert (interval.low > 0) == excludes == (two_sided_p(values) < 0.05)


def test_normals_only():
    first, second = (events[1:3] + events[4:6] for events in random_pair())
    result = compare_systems(first, second, num_resamples=100)
    assert set(result.differences.values()) == set(result.p_values.values()) == {None}
    assert 'without a finding' in result.reasons['auroc'] and result.delong is None
    assert 'have one' in result.reasons['delong']


def test_different_images_are_named():
    first, second = random_pair()
    with pytest.raises(ValueError, match=r'2 only in the first system: 38, 39\. Test both'):
        match_images(first, second[:38])
    stranger = replace(second[0], image_id='x')
    with pytest.raises(ValueError, match="1 only in the first system: 0; 1 only in the second "
                                         "system: 'x'"):
        match_images(first, [stranger, *second[1:]])
    with pytest.raises(ValueError, match='38 only in the first system: .* and 33 more'):
        match_images(first, second[:2])


def test_different_annotations_are_named():
    first, second = random_pair()
    relabelled = replace(second[1], is_positive=True)
    with pytest.raises(ValueError, match='different labels on 1 image: 1. Score both'):
        match_images(first, [second[0], relabelled, *second[2:]])
    more_points = replace(second[0], recall_levels=np.zeros(2))
    with pytest.raises(ValueError, match='different numbers of points on 1 image: 0'):
        match_images(first, [more_points, *second[1:]])
    moved = replace(second[3], group='other')
    with pytest.raises(ValueError, match='different groups on 1 image: 3'):
        match_images(first, [*second[:3], moved, *second[4:]])


def test_bad_input():
    first, second = random_pair()
    with pytest.raises(ValueError, match='the second system has 40 images without image_id'):
        match_images(first, [replace(event, image_id=None) for event in second])
    with pytest.raises(ValueError, match='image 0 is there twice'):
        match_images(first, [*second, second[0]])
    with pytest.raises(ValueError, match='there is no image'):
        match_images([], [])
    with pytest.raises(ValueError, match='at least two patients'):
        compare_systems(*([replace(event, group='a') for event in events]
                          for events in (first, second)))
    with pytest.raises(ValueError, match='at least 100'):
        compare_systems(first, second, num_resamples=3)


def test_ids_of_two_annotation_files_are_not_paired():
    """Both count from 1: the file names tell; another end of the same path does not."""
    def named(prefix):
        return [ImageEvents(.5, np.zeros(0), np.zeros(0), np.zeros(0, np.int32), False, number,
                            fields=dict(file_name=f'{prefix}{number}.png')) for number in (1, 2)]

    assert match_images(named('a/'), named('/data/a/'))[0].image_id == 1
    with pytest.raises(ValueError, match='different file names on 2 images: 1, 2; are ids counted'):
        match_images(named('a/'), named('b/'))


def test_groups_are_compared_by_their_names():
    one, other = ([ImageEvents(.5, np.zeros(0), np.zeros(0), np.zeros(0, np.int32), False, 1,
                               group=group)] for group in (3, '3'))
    assert match_images(one, other) == other
    with pytest.raises(ValueError, match="group '3' is in fold 0 and in fold 1"):
        check_folds({0: one, 1: [replace(other[0], image_id=2)]})
