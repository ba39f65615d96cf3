"""The bootstrap against a literal resample-and-recompute, replicate by replicate."""
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwindow.evaluation import (
    CONVENTIONS,
    ImageEvents,
    auroc,
    compare_systems,
    delong_interval,
    evaluate_strata,
    froc_curve,
)
from mmwindow.evaluation.events.floor import prune_events
from mmwindow.evaluation.froc_settings import FP_DENOMINATORS, FROCSettings, counted_curve
from mmwindow.evaluation.results import summarise_class
from mmwindow.evaluation.statistics.bands import froc_band
from mmwindow.evaluation.statistics.bootstrap import BOOTSTRAP_METHODS, bca_tails, bootstrap
from mmwindow.evaluation.statistics.resampling import draw_weights, find_units, unit_strata
from mmwindow.evaluation.statistics.weighting import WeightedEvents


def make_image(score, recall_levels=(), fps=(), positive=None, **identity):
    """An image from its levels; ``fps`` are (level, change), descending."""
    return ImageEvents(
        score=score, recall_levels=np.array(recall_levels, float),
        fp_levels=np.array([level for level, _ in fps], float),
        fp_changes=np.array([change for _, change in fps], np.int32),
        is_positive=len(recall_levels) > 0 if positive is None else positive, **identity)


def random_events(rng, num_images=30, grid=None, group_size=1, share_positive=0.4):
    """Images with merging findings, lost points and ties (levels on a grid)."""
    def levels(size):
        values = rng.random(size)
        return np.round(values * grid) / grid if grid else values

    events = []
    for number in range(num_images):
        num_points = rng.integers(1, 4) if rng.random() < share_positive else 0
        fp_levels = np.unique(levels(rng.integers(0, 6)))[::-1]
        recall = levels(num_points)
        recall[rng.random(num_points) < 0.2] = -np.inf
        score = -np.inf if rng.random() < 0.1 else float(levels(1)[0])
        events.append(make_image(
            score, recall, list(zip(fp_levels, rng.choice([2, 1, 1, -1], len(fp_levels)),
                                    strict=True)), image_id=number, positive=num_points > 0,
            group=f'patient {number // group_size}' if group_size > 1 else '',
            fields=dict(site='ab'[number // group_size % 2])))
    return events


def repeated(events, units, weights):
    """The images as often as their units are drawn."""
    return [event for event, unit in zip(events, units.index, strict=True)
            for _ in range(weights[unit])]


def literal_statistics(events, how):
    """The same numbers from the plain functions, one data set at a time."""
    values = {}
    try:
        values['auroc'] = auroc([event.is_positive for event in events],
                                [event.score for event in events])
    except ValueError:
        values['auroc'] = np.nan
    try:
        curve = counted_curve(events, how)
    except ValueError:  # no image to count on
        return {**dict.fromkeys(how.names, np.nan), **values}
    for budget in how.budgets:
        values[f'recall@{budget:g}'] = curve.recall_at(budget, how.convention)
    values['froc_score'] = curve.score(how.budgets, how.convention)
    return values


@pytest.mark.parametrize('convention', CONVENTIONS)
@pytest.mark.parametrize('fp_denominator', FP_DENOMINATORS)
@pytest.mark.parametrize('grid, group_size', [(None, 1), (8, 1), (None, 3), (4, 2)])
def test_each_replicate_equals_recomputing(convention, fp_denominator, grid, group_size):
    rng = np.random.default_rng(1)
    how = FROCSettings((0.1, 0.25, 0.5, 1., 30.), convention, fp_denominator)
    for num_images in (2 * group_size, 12, 40):
        events = random_events(rng, num_images, grid, group_size)
        units = find_units(events)
        table = WeightedEvents(events, units, how)
        for weights in draw_weights(unit_strata(events, units, None), 20, rng):
            fast = table.statistics(weights)
            for row, drawn in enumerate(weights):
                slow = literal_statistics(repeated(events, units, drawn), how)
                for name in how.names:  # exactly, not almost
                    np.testing.assert_array_equal(fast[name][row], slow[name], err_msg=name)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10 ** 6), st.sampled_from(CONVENTIONS), st.sampled_from(FP_DENOMINATORS),
       st.sampled_from([2, 5, None]), st.integers(1, 12))
def test_small_data_sets_equal_recomputing(seed, convention, fp_denominator, grid, num_images):
    rng = np.random.default_rng(seed)
    how = FROCSettings((0., 0.1, 0.5, 2.), convention, fp_denominator)
    events = random_events(rng, num_images, grid)
    units = find_units(events)
    weights = rng.integers(0, 4, (4, len(units))).astype(np.int32)
    weights[weights.sum(axis=1) == 0, 0] = 1  # froc_curve refuses no image at all
    fast = WeightedEvents(events, units, how).statistics(weights)
    for row, drawn in enumerate(weights):
        slow = literal_statistics(repeated(events, units, drawn), how)
        for name in how.names:
            np.testing.assert_array_equal(fast[name][row], slow[name], err_msg=name)


@pytest.mark.parametrize('fp_denominator', FP_DENOMINATORS)
@pytest.mark.parametrize('convention', CONVENTIONS)
@pytest.mark.parametrize('grid', [None, 8])
def test_hits_that_are_lost_equal_recomputing(convention, fp_denominator, grid):
    # Rules whose hits a merge can lose: recall falls as well as rises.
    for seed in range(15):
        rng = np.random.default_rng(seed)
        events = random_events(rng, 12, grid, group_size=1 + seed % 2)
        for number, event in enumerate(events):
            levels = rng.random(rng.integers(0, 6))
            levels = np.unique(np.round(levels * grid) / grid if grid else levels)[::-1]
            counts = rng.integers(0, event.num_points + 1, len(levels))
            events[number] = replace(event, recalled_levels=levels, recalled_changes=np.diff(
                counts, prepend=0).astype(np.int32))
        how = FROCSettings((0., 0.1, 0.3, 1., 3.), convention, fp_denominator)
        units = find_units(events)
        table = WeightedEvents(events, units, how)
        drawn = next(draw_weights(np.zeros(len(units), int), 10, rng))
        fast = table.statistics(drawn)
        for row, weights in enumerate(drawn):
            slow = literal_statistics(repeated(events, units, weights), how)
            for name in how.names:
                np.testing.assert_allclose(fast[name][row], slow[name], rtol=1e-12, err_msg=name)


def test_many_events_are_swept_in_chunks(monkeypatch):
    events = random_events(np.random.default_rng(3), 60, grid=40)
    units = find_units(events)
    weights = next(draw_weights(np.zeros(60, int), 8, np.random.default_rng(0)))
    for convention in CONVENTIONS:
        how = FROCSettings((0.1, 0.5, 1.5), convention)
        whole = WeightedEvents(events, units, how).statistics(weights)
        monkeypatch.setattr('mmwindow.evaluation.statistics.weighting.CHUNK', 3)
        pieces = WeightedEvents(events, units, how).statistics(weights)
        monkeypatch.undo()
        for name in how.names:
            np.testing.assert_array_equal(whole[name], pieces[name])


def test_estimates_are_the_plain_numbers():
    events = random_events(np.random.default_rng(5), 50)
    result = bootstrap(events, num_resamples=200)
    assert result.estimates == literal_statistics(events, FROCSettings())
    curve = froc_curve(events)
    assert result.estimates['recall@0.1'] == curve.recall_at(0.1)
    assert result.estimates['froc_score'] == curve.score()
    for name, interval in result.intervals.items():
        assert 0 <= interval.low <= interval.estimate <= interval.high <= 1, name


def test_three_units_by_hand():
    """Units A (a point recalled at .9, no FP), B (a point recalled at .4, an FP at .6), C
    (a normal with an FP at .8); budget 0.5, so 3 images allow one FP.

    A B C once each: FPs at .8 and .6; the second exceeds 1.5, so recall is that above .6:
    A's point of two, 1/2. A A B: FP at .6 only, never exceeded: 3/3. B B C: FP .8, then two
    at .6: 0/2. C C C: FP 3 at .8; no point: no number. A A A: no FP: 1.
    """
    events = [make_image(0.9, [0.9]), make_image(0.6, [0.4], [(0.6, 1)]),
              make_image(0.8, (), [(0.8, 1)])]
    table = WeightedEvents(events, find_units(events), FROCSettings((0.5,)))
    weights = np.array([[1, 1, 1], [2, 1, 0], [0, 2, 1], [0, 0, 3], [3, 0, 0]], np.int32)
    values = table.statistics(weights)
    np.testing.assert_array_equal(values['recall@0.5'], [0.5, 1, 0, np.nan, 1])
    # AUROC: A beats C, B does not. ABC 1/2; AAB and CCC and AAA have one class; BBC 0.
    np.testing.assert_array_equal(values['auroc'], [0.5, np.nan, 0, np.nan, np.nan])


def test_images_of_a_patient_are_drawn_together():
    events = random_events(np.random.default_rng(2), 30, group_size=3)
    units = find_units(events)
    assert len(units) == 10 and units.names[1] == ('group', 'patient 1')
    np.testing.assert_array_equal(units.index, np.arange(30) // 3)
    assert bootstrap(events, num_resamples=100).num_units == 10


def test_image_without_group_is_its_own_unit():
    events = [make_image(0.1, group='1'), make_image(0.2, group=''), make_image(0.3, group='1'),
              make_image(0.4, image_id='x')]
    units = find_units(events)
    assert units.index.tolist() == [0, 1, 0, 2]
    assert units.names == [('group', '1'), ('image', None), ('image', 'x')]


def test_strata_keep_their_size():
    events = random_events(np.random.default_rng(4), 40)
    units = find_units(events)
    positive = np.array([event.is_positive for event in events])
    strata = unit_strata(events, units, 'is_positive')
    for weights in draw_weights(strata, 50, np.random.default_rng(0)):
        assert (weights.sum(axis=1) == 40).all()
        assert (weights[:, positive].sum(axis=1) == positive.sum()).all()
    result = bootstrap(events, num_resamples=100, stratify_by='is_positive')
    assert result.num_undefined['auroc'] == 0
    assert sorted(set(unit_strata(events, units, 'site'))) == [0, 1]


def test_draws_depend_on_the_seed_alone():
    strata = np.array([0, 0, 1, 0, 1])
    whole = np.concatenate(list(draw_weights(strata, 10, np.random.default_rng(7), block=10)))
    pieces = np.concatenate(list(draw_weights(strata, 10, np.random.default_rng(7), block=3)))
    np.testing.assert_array_equal(whole, pieces)
    events = random_events(np.random.default_rng(1))
    first, again, other = (bootstrap(events, num_resamples=100, seed=seed) for seed in (1, 1, 2))
    assert first.intervals == again.intervals and first.seed == 1
    assert first.intervals != other.intervals


def test_weights_have_the_moments_of_a_multinomial():
    """Each unit of n: mean 1, variance 1 - 1/n; 4000 draws leave an error of about 0.02."""
    weights = np.concatenate(list(draw_weights(np.zeros(10, int), 4000, np.random.default_rng(0))))
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.06)
    np.testing.assert_allclose(weights.var(axis=0), 0.9, atol=0.09)


def test_perfect_system_keeps_a_width():
    """AUROC 1 of 6 and 4 images, recall 1 of 6 patients: all resamples agree, and an interval [1, 1]
    would claim certainty. Default: 6 / (6 + t^2), Student's t of ten units 2.262157. The others by
    name: .025 ** (1/6) = .5407 (exact binomial)."""
    events = [make_image(0.9, [0.9]) for _ in range(6)] + [make_image(0.1) for _ in range(4)]
    for method in BOOTSTRAP_METHODS:
        result = bootstrap(events, num_resamples=200, method=method, stratify_by='is_positive')
        assert result.intervals['auroc'].low < 0.9 and result.intervals['auroc'].high == 1
        assert result.intervals['auroc'].method == (
            'delong_blended' if method == 'default' else 'newcombe')
        interval = result.intervals['froc_score']
        assert interval.high == 1
        if method == 'default':
            assert interval.low == pytest.approx(6 / (6 + 2.262157 ** 2), abs=1e-6)
        else:
            assert interval.low == pytest.approx(0.025 ** (1 / 6))
            assert 'from 6 units with a point' in result.intervals['recall@0.1'].note


def test_score_interval_by_hand():
    """Twelve patients with a point, seven found; one image each. The resamples' variance V, as any
    unit's, against p (1 - p) / 12: blended with three units of 1. Wilson's with that many trials and
    Student's t of 12 units, 2.200985, solved as a quadratic."""
    events = [make_image(0.9, [0.9 if number < 7 else -np.inf], image_id=number)
              for number in range(12)]
    result = bootstrap(events, num_resamples=1000)
    interval, share = result.intervals['froc_score'], 7 / 12
    ratio = 12 * result.replicates['froc_score'].var() / (share * (1 - share))
    trials = min(12 / ((12 * max(ratio, 1) + 3) / 15), 12)
    scale = 2.200985 ** 2 / trials
    low, high = sorted(np.roots([1 + scale, -2 * share - scale, share ** 2]))
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-6)
    assert interval.method == 'bootstrap_score' and interval.note == ''


def test_one_auroc_interval_everywhere():
    """The bootstrap's, evaluate's, the strata's and DeLong's own are one, to the last bit."""
    events = random_events(np.random.default_rng(6), 40, group_size=2)
    direct = delong_interval([event.is_positive for event in events],
                             [event.score for event in events],
                             groups=[event.group for event in events])
    found = [bootstrap(events, num_resamples=100).intervals['auroc'],
             evaluate_strata(events, 'group', num_resamples=100).pooled.intervals['auroc'],
             summarise_class(events, FROCSettings(num_resamples=100)).intervals['auroc']]
    for interval in found:
        assert interval.method == 'delong_blended'
        assert (interval.low, interval.high) == pytest.approx((direct.low, direct.high), rel=1e-12)
    other = compare_systems(events, events, num_resamples=100)
    assert other.differences['auroc'] == other.delong.difference
    assert other.delong.first.low == pytest.approx(direct.low, rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10 ** 6), st.integers(4, 14), st.sampled_from([2, 5, None]))
def test_default_intervals_have_a_width(seed, num_images, grid):
    """Inside [0, 1], around the estimate, of a width, and shorter with six times the patients."""
    events = random_events(np.random.default_rng(seed), num_images, grid)
    result = bootstrap(events, num_resamples=100)
    many = bootstrap([replace(event, image_id=(event.image_id, copy)) for event in events
                      for copy in range(6)], num_resamples=100)
    for name, interval in result.intervals.items():
        if interval is None:
            assert result.reasons[name]
            continue
        assert 0 <= interval.low <= interval.estimate <= interval.high <= 1
        assert interval.high - interval.low > 0.02
        assert many.intervals[name].high - many.intervals[name].low < interval.high - interval.low
        assert num_images >= 10 or 'only' in interval.note


def test_few_patients_are_told():
    events = random_events(np.random.default_rng(1), 9, share_positive=0.6)
    notes = {interval.note for interval in bootstrap(events, num_resamples=100).intervals.values()}
    assert notes == {'only 9 patients (images where none is named): an interval below 10 is a rough '
                     'guide'}
    events = [make_image(0.1 * number % 1, [0.5] if number < 3 else (), image_id=number)
              for number in range(60)]
    intervals = bootstrap(events, num_resamples=100).intervals
    assert intervals['froc_score'].note == 'it rests on 3 patients with a point: a rough guide'
    assert intervals['auroc'].note == 'it rests on 3 patients of one kind: a rough guide'


def test_no_prediction_at_all():
    """Boxes nowhere: scores -inf, no event. AUROC 1/2 (ties), recall 0: of eight trials without a
    success up to t^2 / (8 + t^2), Student's t of 16 units 2.131450."""
    events = ([make_image(-np.inf, [-np.inf]) for _ in range(8)]
              + [make_image(-np.inf) for _ in range(8)])
    result = bootstrap(events, num_resamples=200, stratify_by='is_positive')
    assert result.estimates['auroc'] == 0.5 and result.estimates['froc_score'] == 0
    assert result.intervals['auroc'].low < 0.4 and result.intervals['auroc'].high > 0.6
    assert result.intervals['froc_score'].high == pytest.approx(
        2.131450 ** 2 / (8 + 2.131450 ** 2), abs=1e-6)


def test_undefined_resamples_are_counted_and_told():
    """One positive of four: (3/4)^4 = 31.6 % of the resamples lack it."""
    events = [make_image(0.6, [0.6])] + [make_image(score) for score in (0.1, 0.5, 0.8)]
    result = bootstrap(events, num_resamples=2000, method='bca')
    assert result.num_undefined['auroc'] > 400
    assert 'stratify_by="is_positive" avoids that' in result.intervals['auroc'].note
    default = bootstrap(events, num_resamples=100)
    assert default.intervals['auroc'] is None
    assert 'fewer than two patients' in default.reasons['auroc']
    # One patient has all points: next to no information, and the interval says so.
    one = default.intervals['froc_score']
    assert one.high - one.low > 0.9 and 'only 4 patients' in one.note


def test_normals_only():
    events = [make_image(0.1 * number, (), [(0.1 * number, 1)]) for number in range(5)]
    result = bootstrap(events, num_resamples=100)
    assert result.intervals == dict.fromkeys(result.intervals)
    assert 'without a finding' in result.reasons['auroc']
    assert 'there is none in 5 images, 0 with and 5 without' in result.reasons['froc_score']


def test_positives_only_have_no_normals_to_count_on():
    events = [make_image(0.5, [0.5]) for _ in range(5)]
    assert bootstrap(events, num_resamples=100).estimates['recall@0.1'] == 1
    result = bootstrap(events, FROCSettings(fp_denominator='normals'), num_resamples=100)
    assert result.intervals['recall@0.1'] is None
    assert 'counted on normals images' in result.reasons['recall@0.1']
    with pytest.raises(ValueError, match='none of the 5 images is negative'):
        counted_curve(events, FROCSettings(fp_denominator='normals'))


def test_denominator_counts_on_normals():
    """Two positives with an FP at .9 each, two normals, one with an FP at .5; a point at .7 and
    one at .4. All: 2/4 at .9. Normals: 0 above .5, 1/2 from there."""
    events = [make_image(0.9, [0.7], [(0.9, 1)]), make_image(0.9, [0.4], [(0.9, 1)]),
              make_image(0.5, (), [(0.5, 1)]), make_image(0.1)]
    curve = counted_curve(events, FROCSettings(fp_denominator='all'))
    assert curve.recall_at(0.4) == 0 and curve.recall_at(0.5) == 0.5
    curve = counted_curve(events, FROCSettings(fp_denominator='normals'))
    assert curve.recall_at(0.4) == 0.5 and curve.recall_at(0.5) == 1
    assert curve.num_images == 2 and events[0].fp_changes.tolist() == [1]


def test_bca_agrees_with_scipy():
    """scipy's own BCa of a mean, given the same replicates: the same tails."""
    from scipy.stats import bootstrap as scipy_bootstrap
    values = np.random.default_rng(0).exponential(size=40)
    theirs = scipy_bootstrap((values,), np.mean, n_resamples=4000, method='BCa', rng=3)
    jackknife = (values.sum() - values) / 39
    tails = bca_tails(values.mean(), theirs.bootstrap_distribution, jackknife, 0.95)
    ours = np.quantile(theirs.bootstrap_distribution, tails)
    np.testing.assert_allclose(ours, [theirs.confidence_interval.low,
                                      theirs.confidence_interval.high], rtol=2e-3)


def test_floor_is_exact_or_refused():
    """Events cut where a budget of 1.5 is spent give the same resamples at budgets up to 0.3;
    cut right where the budget itself is spent, some resamples would need what is below."""
    events = random_events(np.random.default_rng(9), 40)
    how = FROCSettings((0.1, 0.2, 0.3))
    whole = bootstrap(events, how, num_resamples=200)
    pruned = bootstrap(prune_events(events, (1.5,)), how, num_resamples=200)
    assert pruned.intervals == whole.intervals
    assert sum(len(event.fp_levels) for event in prune_events(events, (1.5,))) < sum(
        len(event.fp_levels) for event in events)
    with pytest.raises(ValueError, match='have not spent the budgets'):
        bootstrap(prune_events(events, (0.3,)), how, num_resamples=200)
    with pytest.raises(ValueError, match="'best' depends on every threshold"):
        bootstrap(prune_events(events, (1.5,)), replace(how, convention='best'))


def test_bad_requests():
    events = random_events(np.random.default_rng(0), 10)
    for wrong, message in [
            (dict(method='basic'), 'must be one of'), (dict(num_resamples=10), 'at least 100'),
            (dict(level=95), 'a fraction such as 0.95'),
            (dict(stratify_by='age'), "image 0 has no such field; it has \\['site'\\]")]:
        with pytest.raises(ValueError, match=message):
            bootstrap(events, **wrong)
    with pytest.raises(ValueError, match='no image'):
        bootstrap([])
    with pytest.raises(ValueError, match='image 3 is there twice'):
        bootstrap([*events, events[3]])
    with pytest.raises(ValueError, match="score of image 0 is NaN"):
        bootstrap([replace(events[0], score=np.nan), *events[1:]])
    with pytest.raises(ValueError, match='at least two patients'):
        bootstrap([replace(event, group='one') for event in events])
    for wrong in (dict(budgets=()), dict(budgets=(-1,)), dict(budgets=(np.inf,)),
                  dict(budgets=(0.1, 0.1)),
                  dict(convention='linear'), dict(fp_denominator='some')):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            FROCSettings(**wrong)


def test_unit_is_drawn_whole():
    events = [make_image(0.1, group='p', fields=dict(site='a')),
              make_image(0.2, group='p', fields=dict(site='b')), make_image(0.3, [0.3])]
    with pytest.raises(ValueError, match="\\('group', 'p'\\) have 'a' and 'b'"):
        unit_strata(events, find_units(events), 'site')


def test_band_has_a_width_at_every_rate():
    """Of a perfect system, and of one that finds nothing, where all resamples agree."""
    for level in (0.9, -np.inf):
        events = [make_image(0.9, [level] if number % 2 else (), image_id=number)
                  for number in range(12)]
        band = froc_band(events, num_rates=5, num_resamples=100)
        assert (band.high - band.low > 0.2).all()
        assert (band.low >= 0).all() and (band.high <= 1).all()
