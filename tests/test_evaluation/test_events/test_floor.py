"""A floor changes no event above it, and pruning changes no number at the budgets."""
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from mmwindow.evaluation import (
    ImageEvents,
    RunningFloor,
    box_events,
    find_floor,
    froc_curve,
    map_events,
    prune_events,
)
from mmwindow.evaluation.events.components import find_sweep
from mmwindow.evaluation.events.floor import cut_events
from mmwindow.evaluation.events.image_events import KINDS

METHODS = ['plain', pytest.param('numba', marks=pytest.mark.skipif(
    not find_sweep('auto').__module__.endswith('numba'), reason='numba is not installed'))]
each_method = pytest.mark.parametrize('method', METHODS)
BUDGETS = (0., 0.1, 0.25, 0.5)


def smooth_map(generator, side=32):
    scores = gaussian_filter(generator.normal(size=(side, side)), 1.2) * 5 - 2
    return (1 / (1 + np.exp(-scores))).astype(np.float32)


def same_events(one, other):
    for kind in KINDS:
        for name in (f'{kind}_levels', f'{kind}_changes'):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert np.array_equal(one.recall_levels, other.recall_levels)
    assert (one.score, one.floor, one.is_positive) == (other.score, other.floor, other.is_positive)


@each_method
@pytest.mark.parametrize('rule', ['disk_overlap', 'distance'])
def test_events_above_a_floor_are_unchanged(method, rule):
    generator = np.random.default_rng(2)
    for number in range(60):
        side = int(generator.integers(1, 20))
        scores = (generator.integers(0, 6, (side, side)).astype(np.float32) if number % 3 == 0
                  else smooth_map(generator, side))
        if number % 3 == 1:
            scores = scores.astype(np.float64)
        points = generator.uniform(0, 1024, (number % 3, 2))
        whole = map_events(scores, points, rule=rule, method=method)
        # At a score of the map, between two, above all and below all.
        floors = [*generator.choice(scores.ravel(), 2), generator.uniform(0, 1), 7., -1.]
        for floor in map(float, floors):
            floored = map_events(scores, points, rule=rule, method=method, floor=floor)
            same_events(floored, cut_events(whole, floor))
            assert floored.score == scores.max()


def test_a_floor_between_float32_numbers_is_not_rounded_down():
    # The float32 next to 0.1 is above 0.1; a float64 floor a little higher than it leaves it out.
    scores = np.full((1, 1), 0.1, np.float32)
    level = float(scores[0, 0])
    assert map_events(scores, [], floor=level).fp_levels.tolist() == [level]
    assert len(map_events(scores, [], floor=np.nextafter(level, 1)).fp_levels) == 0
    assert len(map_events(scores, [], floor=1e300).fp_levels) == 0


def test_boxes_below_a_floor_are_left_out():
    boxes, scores = [[0, 0, 9, 9], [20, 20, 30, 30], [95, 95, 105, 105]], [0.2, 0.6, 0.3]
    whole = box_events(boxes, scores, [[100., 100.]])
    for floor in (0.1, 0.2, 0.25, 0.3, 0.5, 0.9):
        same_events(box_events(boxes, scores, [[100., 100.]], floor=floor), cut_events(whole, floor))


def test_below_the_floor_nothing_is_answered():
    events = [map_events(smooth_map(np.random.default_rng(4)), [[100., 100.]], floor=0.9)]
    curve = froc_curve(events)
    with pytest.raises(ValueError, match='only looked at down to 0.9'):
        events[0].num_false_positives(0.5)
    with pytest.raises(ValueError, match='known down to 0.9'):
        curve.counts_at(0.5)
    with pytest.raises(ValueError, match='ends at the floor 0.9'):
        curve.recall_at(1000.)
    with pytest.raises(ValueError, match="'best' depends on every threshold"):
        curve.recall_at(0.5, 'best')
    with pytest.raises(ValueError, match='how often a budget is crossed'):
        curve.num_crossings(0.5)


def test_a_floor_by_hand():
    # Two images; FPs at .9, .8, .7 in one, .6 in the other. Budget .5 allows one FP: the second
    # comes at .8. Of four images in all it allows two: the third comes at .7.
    events = [ImageEvents(1., np.array([0.75, 0.3]), np.array([0.9, 0.8, 0.7]), np.ones(3, int),
                          is_positive=True),
              ImageEvents(1., np.zeros(0), np.array([0.6]), np.ones(1, int), is_positive=False)]
    assert find_floor(events, (0.1, 0.5)) == 0.8
    assert find_floor(events, (0.5,), num_images=4) == 0.7
    assert find_floor(events, (8.,)) == -np.inf
    pruned = prune_events(events, (0.5,))
    assert [event.fp_levels.tolist() for event in pruned] == [[0.9, 0.8], []]
    assert pruned[0].recall_levels.tolist() == [-np.inf, -np.inf]
    assert [event.floor for event in pruned] == [0.8, 0.8]
    assert prune_events(events, (8.,)) == events
    assert events[0].fp_levels.tolist() == [0.9, 0.8, 0.7]  # not changed


def test_a_count_that_falls_again():
    # F rises to 2 at .8 and falls to 1 at .7: with budget 1 the first crossing is at .8 although
    # everything from .7 down keeps to it.
    events = [ImageEvents(1., np.zeros(0), np.array([0.9, 0.8, 0.7]), np.array([1, 1, -1]), False)]
    assert find_floor(events, (1.,)) == 0.8


def test_normals_without_a_finding_have_no_floor():
    events = [box_events([], [], []) for _ in range(3)]
    assert find_floor(events, (0.1,)) == -np.inf
    assert find_floor([], (0.1,), num_images=5) == -np.inf


@pytest.mark.parametrize('budgets, num_images, words', [
    ((), 3, 'at least one is expected'), ((0.1, -1.), 3, 'none negative'),
    ((np.nan,), 3, 'none negative'), ((0.1,), 0, 'num_images is 0'),
])
def test_bad_budgets_are_refused(budgets, num_images, words):
    for find in (lambda: find_floor([box_events([], [], [])], budgets, num_images),
                 lambda: RunningFloor(budgets, num_images)):
        with pytest.raises(ValueError, match=words):
            find()


def test_a_running_floor_still_works_and_says_that_it_goes():
    with pytest.warns(FutureWarning, match='prune_events'):
        running = RunningFloor((0.5,), 2)
    events = map_events(np.eye(4), [[5., 5.]], floor=running.floor)
    running.update(events)
    assert running.floor == -np.inf and events.floor is None


def same_numbers(pruned, whole, budgets):
    """Compare two curves at each budget, to the digit."""
    for budget in budgets:
        for convention in ('first_crossing', 'interpolated'):
            assert pruned.recall_at(budget, convention) == whole.recall_at(budget, convention)
        assert pruned.threshold_at(budget) == whole.threshold_at(budget)
        assert pruned.counts_at_budget(budget) == whole.counts_at_budget(budget)
    for convention in ('first_crossing', 'interpolated'):
        assert pruned.score(budgets, convention) == whole.score(budgets, convention)


level = st.integers(1, 9).map(lambda value: value / 10)


@st.composite
def any_events(draw):
    """Return events whose number of false positives rises and falls, and is never negative."""
    levels = sorted(draw(st.sets(level, max_size=6)), reverse=True)
    counts = [draw(st.integers(0, 3)) for _ in levels]
    recall = draw(st.lists(st.one_of(level, st.just(-np.inf)), max_size=3))
    lost = {}
    if recall and draw(st.booleans()):  # a rule whose hits can be lost
        where = sorted(draw(st.sets(level, max_size=4)), reverse=True)
        lost = dict(recalled_levels=np.array(where, dtype=float), recalled_changes=np.diff(
            [draw(st.integers(0, len(recall))) for _ in where], prepend=0))
    return ImageEvents(1., np.array(recall, dtype=float), np.array(levels, dtype=float),
                       np.diff(counts, prepend=0), bool(recall), **lost)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(events=st.lists(any_events(), min_size=1, max_size=6), largest=st.sampled_from([0.5, 1., 2.]))
def test_pruning_changes_no_number(events, largest):
    if not any(event.is_positive for event in events):
        events[0] = ImageEvents(1., np.array([0.4]), events[0].fp_levels, events[0].fp_changes, True)
    budgets = [largest * share for share in (0., 0.2, 0.5, 1.)]
    pruned = prune_events(events, budgets)
    same_numbers(froc_curve(pruned), froc_curve(events), budgets)
    kept = [level for event in pruned for level in event.fp_levels]
    assert not kept or min(kept) >= find_floor(events, budgets)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(events=st.lists(any_events(), min_size=1, max_size=8),
       largest=st.sampled_from([0.25, 0.5, 1.]))
def test_the_floor_of_some_images_is_never_above_that_of_all(events, largest):
    final = find_floor(events, (largest,))
    floors = [find_floor(events[:num], (largest,), len(events)) for num in range(len(events) + 1)]
    assert floors == sorted(floors) and floors[-1] == final
    # On two ranks, each with its own part, too.
    assert max(find_floor(events[::2], (largest,), len(events)),
               find_floor(events[1::2], (largest,), len(events))) <= final


@each_method
def test_cells_below_the_floor_need_not_be_looked_at(method):
    generator = np.random.default_rng(9)
    maps = [smooth_map(generator) for _ in range(40)]
    points = [generator.uniform(0, 1024, (number % 3, 2)) for number in range(40)]
    for rule in ('disk_overlap', 'distance'):
        complete = [map_events(scores, where, method=method, rule=rule)
                    for scores, where in zip(maps, points, strict=True)]
        floor = find_floor(complete, BUDGETS)
        assert floor > -np.inf
        cut = [map_events(scores, where, method=method, floor=floor, rule=rule)
               for scores, where in zip(maps, points, strict=True)]
        for event, other in zip(cut, prune_events(complete, BUDGETS), strict=True):
            same_events(event, other)
        same_numbers(froc_curve(cut), froc_curve(complete), BUDGETS)


def test_a_pruned_image_takes_less_than_2_kB():
    generator = np.random.default_rng(10)
    whole = [map_events(smooth_map(generator, 64), generator.uniform(0, 1024, (number % 3, 2)),
                        image_id=number, group=f'patient {number}') for number in range(40)]
    sizes = [len(pickle.dumps(event)) for event in prune_events(whole, (0.1, 0.5))]
    assert max(sizes) < 2048
    assert np.median(sizes) < 0.5 * np.median([len(pickle.dumps(event)) for event in whole])
