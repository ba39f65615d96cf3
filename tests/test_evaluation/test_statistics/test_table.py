"""A new statistic is one function and one row: the toy ones here are in every result."""
import math
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mmwindow.apis.evaluate_files import evaluate_files
from mmwindow.evaluation import (
    FROCSettings,
    ImageEvents,
    Prediction,
    Target,
    choose_operating_point,
    compare_systems,
    display_name,
    evaluate,
    evaluate_folds,
    evaluate_strata,
    metric_names,
    read_record,
)
from mmwindow.evaluation.events.floor import prune_events
from mmwindow.evaluation.results import summarise, summarise_class
from mmwindow.evaluation.statistics.bands import froc_band
from mmwindow.evaluation.statistics.bootstrap import bca_tails, bootstrap
from mmwindow.evaluation.statistics.resampling import draw_weights, find_units, unit_strata
from mmwindow.evaluation.statistics.scored_images import ScoredImages
from mmwindow.evaluation.statistics.table import ALWAYS, STATISTICS, NoNumberError, Statistic

EXAMPLE = Path(__file__).parents[3] / 'docs' / 'examples' / 'evaluation'
SHIPPED = 'sensitivity_at_specificity_0.9'
TOY = 'fps_at_half_recall'


def fps_at_half_recall(images):
    """False positives per image at the highest threshold with half of the points recalled."""
    reached = np.flatnonzero(images.curve.recall >= 0.5)
    return images.curve.fp_rate[reached[0]] if len(reached) else math.nan


@pytest.fixture
def toy(monkeypatch):
    """The row of the toy statistic, on by default as a new row is."""
    row = Statistic(TOY, 'FPs at half recall', fps_at_half_recall)
    monkeypatch.setitem(STATISTICS, TOY, row)
    return row


def random_events(rng, num_images=24, group_size=2, separation=0.5):
    """Images of patients; false positives at distinct levels, each point found or not."""
    events = []
    for number in range(num_images):
        num_points = number % 3 % 2 * 2
        recall = rng.random(num_points) + separation
        recall[rng.random(num_points) < 0.3] = -np.inf
        levels = np.sort(rng.random(rng.integers(0, 4)))[::-1]
        events.append(ImageEvents(
            score=float(rng.random() + separation * (num_points > 0)), recall_levels=recall,
            fp_levels=levels, fp_changes=np.ones(len(levels), np.int32),
            is_positive=num_points > 0, image_id=number, group=f'patient {number // group_size}',
            fields=dict(site='ab'[number // group_size % 2])))
    return events


def plain_toy(events, fp_denominator='all'):
    """The toy statistic literally, without curves: the scores of all findings from the top."""
    counted = [img for img in events if fp_denominator == 'all' or not img.is_positive]
    recall = [level for img in events for level in img.recall_levels]
    levels = sorted((level for level in recall if level > -np.inf), reverse=True)
    needed = math.ceil(len(recall) / 2)
    if not counted or not recall or len(levels) < needed:
        return math.nan
    threshold = levels[needed - 1]
    return sum(int((img.fp_levels >= threshold).sum()) for img in counted) / len(counted)


def resampled(events, weights, function=plain_toy):
    """A function of the images repeated as often as their patients are drawn."""
    units = find_units(events)
    return np.array([function([img for img, unit in zip(events, units.index, strict=True)
                               for _ in range(row[unit])]) for row in weights])


def drawn(events, num_resamples, seed):
    return np.concatenate(list(draw_weights(unit_strata(events, find_units(events), None),
                                            num_resamples, np.random.default_rng(seed))))


def evaluate_boxes(**options):
    """Four points at .9, .8, .5, none; two false positives, .85 and .6, on negative images."""
    here, nowhere = [90, 90, 110, 110], [500, 500, 510, 510]
    found = [(here, 0.9), (here, 0.8), (here, 0.5), None, (nowhere, 0.85), (nowhere, 0.6)]
    predictions = [Prediction(number, boxes=[] if box is None else [box[0]],
                              scores=[] if box is None else [box[1]])
                   for number, box in enumerate(found)]
    targets = [Target(number, 1024, 1024, points=[[100., 100.]] if number < 4 else (),
                      group=f'patient {number}') for number in range(6)]
    return evaluate(predictions, targets, **options)


def test_value_by_hand(toy):
    result = evaluate_boxes()
    # Two of four points are recalled at .8, where one false positive (.85) is among six images.
    assert result.metrics[TOY] == result.classes['finding'].metrics[TOY] == 1 / 6
    assert evaluate_boxes(fp_denominator='normals').metrics[TOY] == 1 / 2
    assert list(result.metrics) == [*metric_names(result.settings.budgets), TOY]
    assert result.settings['statistics'] == [TOY]
    row = list(result.rows())[-1]
    assert row == {'class': 'finding', 'metric': TOY, 'value': 1 / 6, 'low': None, 'high': None,
                   'threshold': None}
    assert display_name(f'froc/{TOY}') == 'FPs at half recall'
    assert '<td>FPs at half recall</td><td>0.167</td>' in result._repr_html_()
    assert f'{TOY}=0.167' in repr(result)


def test_data_frame(toy, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pandas', SimpleNamespace(DataFrame=list))  # of rows
    row = evaluate_boxes(num_resamples=100).to_frame()[-1]
    assert row['metric'] == TOY and row['low'] <= row['value'] == 1 / 6 <= row['high']


@pytest.mark.parametrize('fp_denominator', ['all', 'normals'])
def test_interval_by_brute_force(toy, fp_denominator):
    events = random_events(np.random.default_rng(4))
    settings = FROCSettings(fp_denominator=fp_denominator, num_resamples=200, seed=7)
    result = summarise_class(events, settings)

    def plain(images):
        return plain_toy(images, fp_denominator)

    expected = resampled(events, drawn(events, 200, 7), plain)
    got = bootstrap(events, settings, num_resamples=200, seed=7)
    np.testing.assert_array_equal(got.replicates[TOY], expected)
    assert len(np.unique(expected)) > 10 and got.estimates[TOY] == plain(events)
    units = find_units(events)
    jackknife = resampled(events, 1 - np.eye(len(units), dtype=int), plain)
    defined = expected[~np.isnan(expected)]
    low, high = np.quantile(defined, bca_tails(plain(events), defined, jackknife, .95),
                            method='weibull')
    interval = result.intervals[TOY]
    assert (interval.low, interval.high, interval.method) == (low, high, 'bootstrap_bca')
    assert interval.estimate == result.metrics[TOY] == plain(events)
    row = list(summarise(dict(finding=events), settings).rows())[-1]
    assert (row['metric'], row['value'], row['low'], row['high']) == (TOY, plain(events), low, high)
    # A rate is no proportion, so it has no interval of Wilson's.
    other = bootstrap(events, settings, 200, 7, method='wilson').intervals
    assert other[TOY].method == 'bootstrap_percentile'
    assert [other[TOY].low, other[TOY].high] == pytest.approx(
        np.quantile(defined, [.025, .975], method='weibull'), rel=1e-12)
    assert other['froc_score'].method == 'bootstrap_wilson'


def test_other_numbers_stay_the_same(toy):
    events = random_events(np.random.default_rng(4))
    with_toy = bootstrap(events, FROCSettings(), num_resamples=100)
    without = bootstrap(events, FROCSettings(statistics=()), num_resamples=100)
    assert list(with_toy.estimates) == [*without.estimates, TOY]
    for name, replicates in without.replicates.items():
        np.testing.assert_array_equal(with_toy.replicates[name], replicates)
        assert with_toy.intervals[name] == without.intervals[name]
    assert froc_band(events, num_resamples=100, num_rates=3).high.tolist() == froc_band(
        events, FROCSettings(statistics=()), num_resamples=100, num_rates=3).high.tolist()


def test_comparison_draws_the_same_patients(toy):
    first = random_events(np.random.default_rng(4))
    second = [replace(img, recall_levels=img.recall_levels - 0.3) for img in first]
    result = compare_systems(first, second, num_resamples=150, seed=3)
    weights = drawn(first, 150, 3)
    differences = resampled(first, weights) - resampled(second, weights)
    np.testing.assert_array_equal(result.replicates[TOY], differences)
    assert result.differences[TOY].estimate == plain_toy(first) - plain_toy(second) < 0
    defined = differences[~np.isnan(differences)]
    interval = result.differences[TOY]
    half = 2.200985 * defined.std()  # Student's t of 12 patients
    assert [interval.low, interval.high] == pytest.approx(
        [interval.estimate - half, interval.estimate + half], rel=1e-5)
    assert (result.p_values[TOY] < 0.05) == (interval.high < 0)
    percentile = compare_systems(first, second, num_resamples=150, seed=3,
                                 method='percentile').differences[TOY]
    assert [percentile.low, percentile.high] == pytest.approx(
        np.quantile(defined, [.025, .975], method='weibull'), rel=1e-12)  # .025 is 1 - .95 halved


def test_comparison_with_a_system_that_has_no_number(toy):
    first = random_events(np.random.default_rng(4))
    second = [replace(img, recall_levels=np.full(img.num_points, -np.inf)) for img in first]
    result = compare_systems(first, second, num_resamples=100)
    assert result.first[TOY] == plain_toy(first) and math.isnan(result.second[TOY])
    assert result.differences[TOY] is None and result.p_values[TOY] is None
    assert 'no FPs at half recall of 24 images, 8 with' in result.reasons[TOY]
    assert result.differences['froc_score'] is not None


def test_strata_and_folds(toy):
    events = random_events(np.random.default_rng(4))
    result = evaluate_strata(events, 'site', num_resamples=100, seed=2)
    for part in result.strata:
        own = [img for img in events if img.fields['site'] == part.name]
        assert part.estimates[TOY] == plain_toy(own)
        np.testing.assert_array_equal(bootstrap(own, num_resamples=100, seed=2).replicates[TOY],
                                      resampled(own, drawn(own, 100, 2)))
        assert part.intervals[TOY].low <= part.estimates[TOY] <= part.intervals[TOY].high
    assert result.pooled.estimates[TOY] == plain_toy(events)
    folds = evaluate_folds(dict(a=events[:12], b=events[12:]), num_resamples=100)
    assert folds.mean[TOY] == np.mean([plain_toy(events[:12]), plain_toy(events[12:])])
    alone = evaluate_strata(events[:4], 'group', num_resamples=100).strata
    assert all(part.intervals[TOY] is None and 'one unit' in part.reasons[TOY] for part in alone
               if part.estimates[TOY] is not None)


def test_report_and_record(toy, tmp_path):
    options = dict(missing='empty', num_resamples=100, progress=False, name='ours',
                   statistics=(TOY, SHIPPED))
    evaluate_files(EXAMPLE / 'boxes.json', EXAMPLE / 'points.json', tmp_path / 'boxes', **options)
    result = evaluate_files(EXAMPLE / 'maps.npz', EXAMPLE / 'points.json', tmp_path / 'maps',
                            by='region', compare=tmp_path / 'boxes' / 'record.json', **options)
    report = (tmp_path / 'maps' / 'report.md').read_text()
    numbers, by_region = report.split('### By region')
    by_region, comparison = by_region.split('### ours minus')
    for name in (TOY, SHIPPED):
        assert f'| {name} | {result.metrics[name]:.3f}' in numbers
        assert name in by_region.split('| --- |')[0]  # a column
        assert f'| {name} | {result.metrics[name]:.3f} |' in comparison
    record = read_record(tmp_path / 'maps' / 'record.json')
    assert record.metrics[TOY] == result.metrics[TOY]
    assert set(record.intervals['fracture']) == set(result.metrics)
    again = summarise(record.classes, record.settings)  # a record says what to compute again
    assert again.metrics == result.metrics and again.settings == result.settings


def test_several_classes_have_a_mean(toy):
    first = random_events(np.random.default_rng(4))
    second = random_events(np.random.default_rng(5))
    result = summarise(dict(a=first, b=second), FROCSettings())
    assert result.metrics[f'a_{TOY}'] == plain_toy(first)
    assert result.metrics[TOY] == np.mean([plain_toy(first), plain_toy(second)])


def test_one_number_per_budget(monkeypatch):
    monkeypatch.setitem(STATISTICS, 'found', Statistic(
        'found', 'points found', per_budget=True, function=lambda images, budget: (
            images.curve.counts_at_budget(budget)['recalled'])))
    result = evaluate_boxes(budgets=(0.2, 0.5), num_resamples=100)
    assert list(result.metrics)[-2:] == ['found@0.2', 'found@0.5']
    # Six images: the second false positive, .6, crosses a budget of .2; none crosses .5.
    assert result.metrics['found@0.2'] == 2 and result.metrics['found@0.5'] == 3
    assert result.classes['finding'].intervals['found@0.2'].method == 'bootstrap_bca'
    assert display_name('found@0.2') == 'points found@0.2'


def test_images_without_points_and_without_a_number(toy):
    events = [replace(img, is_positive=False, recall_levels=np.zeros(0))
              for img in random_events(np.random.default_rng(4))]
    result = summarise_class(events, FROCSettings(num_resamples=100))
    assert math.isnan(result.metrics[TOY]) and result.intervals[TOY] is None
    assert any(note.startswith(f'{TOY}: there is no FPs at half recall of 24 images, 0 with')
               for note in result.notes)
    positive = [img for img in random_events(np.random.default_rng(4)) if img.is_positive]
    values = summarise_class(positive, FROCSettings(statistics=(TOY, SHIPPED))).metrics
    assert math.isnan(values[SHIPPED]) and values[TOY] == plain_toy(positive)


def test_resamples_that_agree_have_no_interval(toy):
    events = [replace(img, fp_levels=img.fp_levels[:0], fp_changes=img.fp_changes[:0],
                      recall_levels=np.ones(img.num_points)) for img in
              random_events(np.random.default_rng(4))]
    result = summarise_class(events, FROCSettings(num_resamples=100))
    assert result.metrics[TOY] == 0 and result.intervals[TOY] is None
    assert any(note.startswith(f'{TOY}: no interval') for note in result.notes)
    assert 'no interval' in bootstrap(events, num_resamples=100).reasons[TOY]
    assert result.intervals['froc_score'].method == 'bootstrap_score'


def test_events_with_a_floor_are_rejected(toy):
    events = random_events(np.random.default_rng(4))
    pruned = prune_events(events, [0.2])
    settings = FROCSettings((0.2, ), statistics=(SHIPPED, ))  # reads image scores alone
    assert summarise_class(pruned, settings).metrics == summarise_class(events, settings).metrics
    for function in (summarise_class, bootstrap):
        with pytest.raises(ValueError, match=f'{TOY}.*floor'):
            function(pruned, FROCSettings((0.01, )))


def test_errors_of_a_function_reach_the_caller(monkeypatch):
    def wrong(images):
        raise ValueError('a fault of the function')

    events = random_events(np.random.default_rng(4))
    monkeypatch.setitem(STATISTICS, 'wrong', Statistic('wrong', 'wrong', wrong))
    with pytest.raises(ValueError, match='a fault of the function'):
        bootstrap(events, num_resamples=100)

    monkeypatch.setitem(STATISTICS, 'wrong', Statistic('wrong', 'wrong', lambda images: math.inf))
    with pytest.raises(ValueError, match='wrong is inf'):
        bootstrap(events, num_resamples=100)

    def lacking(images):
        raise NoNumberError('nothing to count')

    monkeypatch.setitem(STATISTICS, 'wrong', Statistic('wrong', 'wrong', lacking))
    assert math.isnan(summarise_class(events, FROCSettings()).metrics['wrong'])


def test_the_metric_of_the_runner(toy):
    pytest.importorskip('mmdet')
    from mmwindow.evaluation.froc_metric import FROCMetric

    events = random_events(np.random.default_rng(4))
    metric = FROCMetric()
    metric.dataset_meta = dict(classes=('fracture', ))
    assert metric.keep_up_to is None  # the toy reads every threshold
    metric.results = [[img] for img in events]
    assert metric.evaluate(len(events))[f'froc/{TOY}'] == plain_toy(events)
    with pytest.raises(ValueError, match=f'FROCMetric.*{TOY}.*keep_up_to'):
        FROCMetric(keep_up_to=2)
    metric = FROCMetric(statistics=[SHIPPED])
    metric.dataset_meta = dict(classes=('fracture', ))
    assert metric.keep_up_to == 0.5
    metric.results = [[img] for img in events]
    metrics = metric.evaluate(len(events))
    assert TOY not in str(metrics) and metrics[f'froc/{SHIPPED}'] == summarise_class(
        events, FROCSettings(statistics=[SHIPPED])).metrics[SHIPPED]


def test_shipped_one_is_off_by_default():
    assert list(evaluate_boxes().metrics) == list(metric_names((.1, .2, .3, .4, .5)))
    assert 'statistics' not in evaluate_boxes().settings
    assert FROCSettings().statistics == () and FROCSettings().added_names == ()
    assert FROCSettings(statistics=SHIPPED).names[-2:] == ('froc_score', SHIPPED)


def test_sensitivity_at_specificity_by_hand():
    # Ten negative images, .0 to .9. At the threshold .85 one of them is called, so specificity is
    # .9, and three of five positive images; at .8 a second negative image is called.
    scores = [number / 10 for number in range(10)] + [.95, .9, .85, .8, .05]
    nothing = np.zeros(0), np.zeros(0, np.int32)
    events = [ImageEvents(score, np.zeros(int(number > 9)), *nothing, is_positive=number > 9,
                          image_id=number) for number, score in enumerate(scores)]
    settings = FROCSettings(statistics=[SHIPPED], num_resamples=200)
    result = summarise_class(events, settings)
    assert result.metrics[SHIPPED] == 3 / 5
    point = choose_operating_point(events, 'specificity', 0.9)
    assert result.metrics[SHIPPED] == point.achieved['sensitivity']
    interval = result.intervals[SHIPPED]
    assert 0 <= interval.low < 3 / 5 < interval.high <= 1
    assert interval.method == 'bootstrap_score'


def test_sensitivity_of_one_keeps_a_width():
    """Five positive images above all ten negative ones: 5 / (5 + t^2), Student's t of 15 units."""
    nothing = np.zeros(0), np.zeros(0, np.int32)
    events = [ImageEvents(float(number), np.zeros(int(number > 9)), *nothing, is_positive=number > 9,
                          image_id=number) for number in range(15)]
    settings = FROCSettings(statistics=[SHIPPED])
    interval = bootstrap(events, settings, num_resamples=100).intervals[SHIPPED]
    assert (interval.low, interval.high) == pytest.approx((5 / (5 + 2.144787 ** 2), 1), abs=1e-6)
    same = compare_systems(events, events, settings, num_resamples=100).differences[SHIPPED]
    assert (same.low, same.high) == pytest.approx((-(1 - .025 ** .2), 1 - .025 ** .2))


@pytest.mark.parametrize('statistics, words', [
    (('precision', ), "precision.*sensitivity_at"), ((SHIPPED, SHIPPED), 'different'),
    (('auroc', ), 'every result has'), ('recall', 'every result has')])
def test_unknown_statistics_are_rejected(statistics, words):
    with pytest.raises(ValueError, match=words):
        FROCSettings(statistics=statistics)


@pytest.mark.parametrize('name', ['', 'a@1', 'froc/a'])
def test_names_that_results_separate_are_rejected(name):
    with pytest.raises(ValueError, match='"@" and "/"'):
        Statistic(name, 'a', fps_at_half_recall)


def test_rows_of_the_table_agree_with_their_weighted_form():
    events = random_events(np.random.default_rng(6))
    settings = FROCSettings(statistics=())
    replicates = bootstrap(events, settings, num_resamples=100, seed=1).replicates
    weights, units = drawn(events, 100, 1), find_units(events)
    for number, row in enumerate(weights):
        images = ScoredImages([img for img, unit in zip(events, units.index, strict=True)
                               for _ in range(row[unit])], settings)
        for name in ALWAYS:
            for key, value in STATISTICS[name].values(images).items():
                np.testing.assert_array_equal(replicates[key][number], value, err_msg=key)
