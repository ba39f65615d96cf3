"""What is dropped while images stream by changes no number, on one rank or several."""
import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from mmwindow.evaluation import ImageEvents, box_events, froc_curve, map_events
from mmwindow.evaluation.events.kept_events import KeptEvents

BUDGETS = (0.1, 0.25, 0.5)


def smooth_map(generator, side):
    logits = gaussian_filter(generator.normal(size=(side, side)), 1.2) * 5 - 2
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def make_maps(num, num_classes=1, side=32, seed=0):
    """Return rows: for each class a map and its points."""
    generator = np.random.default_rng(seed)
    return [[(smooth_map(generator, side), generator.uniform(0, 1024, (number % 3, 2)))
             for _ in range(num_classes)] for number in range(num)]


def stream(rows, kept):
    for row in rows:
        kept.add([map_events(scores, points, floor=kept.floor(label))
                  for label, (scores, points) in enumerate(row)])
    return kept


def curves(rows):
    return [froc_curve(events) for events in zip(*rows, strict=True)]


def assert_same_numbers(curve, whole):
    for convention in ('first_crossing', 'interpolated'):
        assert curve.score(BUDGETS, convention) == whole.score(BUDGETS, convention)
        for budget in BUDGETS:
            assert curve.recall_at(budget, convention) == whole.recall_at(budget, convention)
    for budget in BUDGETS:
        assert curve.threshold_at(budget) == whole.threshold_at(budget)
        assert curve.counts_at_budget(budget) == whole.counts_at_budget(budget)


@pytest.mark.parametrize('num_images', [40, 55, None])
@pytest.mark.parametrize('keep_up_to', [0.5, 1.5])
def test_one_rank_gives_the_numbers_of_all_events(num_images, keep_up_to):
    maps = make_maps(40, num_classes=2)
    whole = stream(maps, KeptEvents([], None)).rows
    assert all(events.floor is None for row in whole for events in row)
    kept = stream(maps, KeptEvents([], keep_up_to, num_images))
    # Dropped while they stream by only where the number of images is known.
    assert (num_images is None) == all(
        events.floor is None for row in kept.rows for events in row)
    for _ in range(2):
        for curve, expected in zip(curves(kept.rows), curves(whole), strict=True):
            assert_same_numbers(curve, expected)
        kept.prune(40)
    assert len({row[0].floor for row in kept.rows}) == 1  # all cut at the same place


@pytest.mark.parametrize('num_images', [41, None])
def test_ranks_with_floors_of_their_own_give_the_numbers_of_all_events(num_images):
    maps = make_maps(41, num_classes=2, seed=1)
    # Two ranks; a sampler gives the second the first image again, so that both have as many.
    parts = [maps[::2], [*maps[1::2], maps[0]]]
    ranks = []
    for part in parts:
        ranks.append(stream(part, KeptEvents([], 0.5, num_images)))
        ranks[-1].prune(41)
    gathered = [row for pair in zip(*(rank.rows for rank in ranks), strict=True)
                for row in pair][:41]
    floors = {row[0].floor for row in gathered}
    assert len(floors) == 2 and None not in floors
    for curve, expected in zip(curves(gathered), curves(stream(maps, KeptEvents([], None)).rows),
                               strict=True):
        assert curve.floor <= expected.thresholds[expected.crossing(0.5)]
        assert_same_numbers(curve, expected)


def test_rows_by_hand():
    # Four images are to come: .5 allows two false positives. Each image has 64, a thousandth
    # apart. The third is a crossing: after the first image at .398, after the second at .898.
    kept, floors = KeptEvents([], 0.5, num_images=4), []
    for best in (0.4, 0.9, 0.6):
        levels = np.round(best - np.arange(64) / 1000, 3)
        kept.add([ImageEvents(best, levels[:3:2], levels, np.ones(64, int), is_positive=True)])
        floors.append(kept.floor(0))
    assert floors == [0.398, 0.898, 0.898]
    assert [row[0].fp_levels.tolist() for row in kept.rows[:2]] == [[], [0.9, 0.899, 0.898]]
    assert [row[0].recall_levels.tolist() for row in kept.rows[:2]] == [[-np.inf] * 2, [0.9, 0.898]]
    assert len(kept.rows[2][0].fp_levels) == 64  # came with more than asked for
    kept.prune(4)
    assert len(kept.rows[2][0].fp_levels) == 0
    assert [row[0].score for row in kept.rows] == [0.4, 0.9, 0.6]


def test_normals_without_findings_and_no_image_at_all():
    kept = KeptEvents([], 0.5, num_images=3)
    kept.prune(3)
    assert kept.rows == [] and kept.floor(0) is None
    rows = [[box_events([], [], [], image_id=number)] for number in range(3)]
    for row in rows:
        kept.add(row)
    kept.prune(3)
    assert kept.floor(0) == -np.inf and kept.rows == rows  # a budget never spent: nothing dropped


def test_rows_beyond_the_set_are_not_pruned():
    kept = stream(make_maps(10), KeptEvents([], 0.1))
    kept.prune(9)
    assert all(row[0].floor is None for row in kept.rows)
    with pytest.raises(ValueError, match='more than the 9 images'):
        stream(make_maps(10), KeptEvents([], 0.1, num_images=9))
    with pytest.raises(ValueError, match='none negative'):
        stream(make_maps(1), KeptEvents([], -0.1, num_images=9))
    with pytest.raises(ValueError, match='none negative'):
        stream(make_maps(1), KeptEvents([], -0.1)).prune(9)


def test_an_image_takes_less_than_2_kB_of_memory():
    # Textured maps of 128 x 128: about 20 maxima a map, and the events of the paper's rule.
    maps = make_maps(60, side=128)
    whole = stream(maps[:1], KeptEvents([], None))  # numba compiles
    sizes = {}
    for keep_up_to in (None, 0.5):
        tracemalloc.start()
        whole = stream(maps, KeptEvents([], keep_up_to, len(maps)))
        for row in whole.rows:
            row[0] = row[0].without_other_counts() if keep_up_to else row[0]
        whole.prune(len(maps))
        sizes[keep_up_to] = tracemalloc.get_traced_memory()[0] / len(maps)
        tracemalloc.stop()
    assert sizes[0.5] < 2048 < 5 * 2048 < sizes[None]
