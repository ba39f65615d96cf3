"""The FROC curve: small cases worked by hand, numbers of others, and defects seen elsewhere."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwindow.evaluation import CONVENTIONS, ImageEvents, box_events, froc_curve, map_events

BUDGETS = (0.1, 0.2, 0.3, 0.4, 0.5)


def make_image(recall=(), fps=(), **counts):
    """Return the events of an image of box-like findings: false positives only come in."""
    levels, num = np.unique(-np.asarray(fps, dtype=float), return_counts=True)
    return ImageEvents(score=0., recall_levels=np.asarray(recall, dtype=float), fp_levels=-levels,
                       fp_changes=num.astype(np.int32), is_positive=len(recall) > 0, **counts)


def stepped(levels, changes, recall=()):
    """Return the events of an image whose false positives come and go."""
    return ImageEvents(0., np.asarray(recall, dtype=float), np.asarray(levels, dtype=float),
                       np.asarray(changes), len(recall) > 0)


def three_conventions(curve, budget):
    return [curve.recall_at(budget, name) for name in ('first_crossing', 'best', 'interpolated')]


# Ten cases by hand -----------------------------------------------------------------------------

def test_1_two_images_step_by_step():
    # Points found at .9 and .6, false positives at .8 and .5, two images, two points.
    # t  .9  .8  .6  .5
    # FP  0   1   1   2   -> rate 0 .5 .5 1
    # TP  1   1   2   2   -> recall .5 .5 1 1
    curve = froc_curve([make_image([0.9, 0.6], [0.8]), make_image([], [0.5])])
    assert curve.thresholds.tolist() == [0.9, 0.8, 0.6, 0.5]
    assert curve.fp_rate.tolist() == [0., 0.5, 0.5, 1.]
    assert curve.recall.tolist() == [0.5, 0.5, 1., 1.]
    # Budget .5: the lowest threshold that keeps to it is .6.
    assert three_conventions(curve, 0.5) == [1., 1., 1.]
    assert curve.threshold_at(0.5) == 0.6
    # Budget .25: only .9 keeps to it. Linear from (0, .5) to (.5, .5): .5.
    assert three_conventions(curve, 0.25) == [0.5, 0.5, 0.5]


def test_2_a_budget_is_interpolated():
    # One image. (0, 1/2) at .9 and (1, 1) at .4, where the second hit and the FP come together.
    # Budget .25 is a quarter of the way: 1/2 + 1/4 * 1/2 = 5/8.
    curve = froc_curve([make_image([0.9, 0.4], [0.4])])
    assert three_conventions(curve, 0.25) == [0.5, 0.5, 0.625]


def test_3_the_rate_falls_when_findings_merge():
    # One image: an FP at .9, another at .8, merged at .7 (-1); recall at .95 and at .6.
    # t     .95 .9 .8 .7 .6
    # rate   0   1  2  1  1
    # recall .5 .5 .5 .5  1
    curve = froc_curve([stepped([0.9, 0.8, 0.7], [1, 1, -1], [0.95, 0.6])])
    assert curve.fp_rate.tolist() == [0, 1, 2, 1, 1]
    # A reader with a budget of 1 stops at .9, before the second alarm. 'best' sees .6 beyond it.
    # 'interpolated' runs from (1, .5) to the crossing (2, .5).
    assert three_conventions(curve, 1.) == [0.5, 1., 0.5]
    assert curve.threshold_at(1.) == 0.9
    # 1.5: crossed upward once at .8. 0.5: once at .9, and the rate never falls below it again.
    assert [curve.num_crossings(budget) for budget in (0.5, 1., 1.5, 2.)] == [1, 1, 1, 0]


def test_4_a_rate_that_crosses_twice():
    # rate 1 0 1 at .9 .8 .7
    curve = froc_curve([stepped([0.9, 0.8, 0.7], [1, -1, 1], [0.75])])
    assert [curve.num_crossings(budget) for budget in (0., 0.5, 1.)] == [2, 2, 0]
    # The first crossing comes before anything is found; 'best' takes .75, between the two.
    # Linear from the origin (0, 0) to the crossing (1, 0): 0.
    assert three_conventions(curve, 0.5) == [0., 1., 0.]
    assert curve.threshold_at(0.5) == np.inf


def test_5_equal_scores_enter_together():
    # A hit and an FP at .5: at no threshold is there one without the other.
    curve = froc_curve([make_image([0.5], [0.5])])
    assert (curve.fp_rate.tolist(), curve.recall.tolist()) == ([1.], [1.])
    # Linear from (0, 0) to (1, 1).
    assert three_conventions(curve, 0.5) == [0., 0., 0.5]
    assert curve.recall_at(1.) == 1.


def test_6_normals_only_lower_the_rate():
    # One FP over 1, 2 and 10 images: rates 1, .5 and .1.
    for num_normals, rate in ((0, 1.), (1, 0.5), (9, 0.1)):
        events = [make_image([0.3], [0.6])] + [make_image() for _ in range(num_normals)]
        curve = froc_curve(events)
        assert curve.fp_rate.tolist() == [rate, rate]
        assert curve.recall_at(rate) == 1.


def test_7_a_point_never_found():
    # Found 1 of 2: the curve ends at recall .5 whatever the budget.
    curve = froc_curve([make_image([0.8, -np.inf], [0.7])])
    assert curve.num_points == 2
    assert [curve.recall_at(budget) for budget in (0., 1., 100.)] == [0.5, 0.5, 0.5]


def test_8_a_budget_reached_exactly_with_hits_after_it():
    # Ten images, one FP at .8: the rate is exactly .1 (in floating point 1 / 10 * 10 may not be 1).
    # The hit at .7 comes at no further cost and counts; that at .5 comes after the next FP at .6.
    events = [make_image([0.9, 0.7, 0.5], [0.8, 0.6])] + [make_image() for _ in range(9)]
    curve = froc_curve(events)
    assert curve.recall_at(0.1) == pytest.approx(2 / 3)
    assert curve.threshold_at(0.1) == 0.7
    # 3 / 10 and 0.1 * 3 differ in floating point.
    events = [make_image([0.5], [0.9, 0.8, 0.7])] + [make_image() for _ in range(9)]
    assert froc_curve(events).recall_at(0.1 * 3) == 1. and froc_curve(events).recall_at(0.3) == 1.


def test_9_the_score_is_a_mean_over_budgets():
    # 10 images, FPs at .9, .7 .5, .3, .1; hits at .95, .8, .6, .4, .2. Before the k-th FP: k hits.
    # Budget .1: one FP, two hits, and so on up to .4: four FPs, five hits; .5 no more. Of 5:
    # 2/5, 3/5, 4/5, 5/5, 5/5; the mean is 19 / 25.
    events = [make_image([0.95, 0.8, 0.6, 0.4, 0.2], [0.9, 0.7, 0.5, 0.3, 0.1])]
    curve = froc_curve(events + [make_image() for _ in range(9)])
    assert [curve.recall_at(budget) for budget in BUDGETS] == [0.4, 0.6, 0.8, 1., 1.]
    assert curve.score() == pytest.approx(19 / 25)
    assert curve.score((0.1,)) == 0.4


def test_10_maps_and_boxes_together():
    # A frame of 4 pixels, radius 1. The map finds its point at .9 and has a second finding, an FP,
    # at .7 (see test_components). The box detector's image: an FP at .8, no hit.
    scores = np.zeros((4, 4))
    scores[1, 1], scores[3, 3] = 0.9, 0.7
    events = [map_events(scores, [[1.5, 1.5]], 1., frame_side=4),
              box_events([[2, 2, 3, 3]], [0.8], [[0.5, 0.5]], 0.4, frame_side=4)]
    curve = froc_curve(events)
    # t    .9  .8  .7  0      the map is one box at 0, and 5 of 16 pixels are mask: no FP
    # FP    0   1   2  1
    assert curve.thresholds.tolist() == [0.9, 0.8, 0.7, 0.]
    assert curve.fp_rate.tolist() == [0., 0.5, 1., 0.5]
    assert curve.recall.tolist() == [0.5] * 4
    assert curve.num_crossings(0.5) == 1


def test_11_only_the_last_threshold_exceeds():
    # Two images; FPs at .2 in both: rate 0 until .2, then 1. Budget .9 keeps .6; interpolated
    # from (0, 1/2) to (1, 1/2).
    curve = froc_curve([make_image([0.6], [0.2]), make_image([-np.inf], [0.2])])
    assert three_conventions(curve, 0.9) == [0.5, 0.5, 0.5]
    assert curve.threshold_at(0.9) == 0.6 and curve.threshold_at(1.) == 0.2


# Numbers from implementations nobody here wrote --------------------------------------------------

def test_monai_case_4():
    # FP scores .8 .6; lesion scores 1 1 and .8 .8; four targets, two images.
    curve = froc_curve([make_image([1., 1.], [0.8]), make_image([0.8, 0.8], [0.6])])
    assert curve.fp_rate[::-1].tolist() == [1., 0.5, 0.]
    assert curve.recall[::-1].tolist() == [1., 1., 0.5]
    budgets = (0.25, 0.5, 1, 2, 4, 8)
    assert curve.score(budgets, 'interpolated') == pytest.approx(0.958333, abs=1e-6)
    assert curve.score(budgets) == pytest.approx(0.916667, abs=1e-6)
    assert curve.recall_at(0.25, 'interpolated') == pytest.approx(0.75)


def test_a_perfect_detector_scores_one():
    # MONAI gives 0.5 with two hits and 0.0 with one: it drops the lowest threshold.
    for recall in ([0.9, 0.8], [0.9]):
        for convention in ('first_crossing', 'best', 'interpolated'):
            assert froc_curve([make_image(recall)]).score((0.25, 8), convention) == 1.


def test_picai_lesion_points():
    # Four first points: TPR .2 .4 .4 .6 at FP per case 1/6 1/6 1/3 1/3; its last point is wrong
    # (truth: TPR 1.0 at .5). Six cases, five lesions; one event a threshold, two at the last.
    curve = froc_curve([make_image([0.9, 0.8, 0.6, 0.5, 0.5], [0.9, 0.7, 0.5]),
                        *[make_image() for _ in range(5)]])
    assert curve.recall.tolist() == pytest.approx([0.2, 0.4, 0.4, 0.6, 1.])
    assert curve.fp_rate.tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 3, 1 / 3, 0.5])
    assert curve.recall_at(0.5) == 1.


def test_free_response_reader_study():
    # RJafroc dataset 01, treatment 1, reader 1: cumulated counts at ratings 5 4.5 4 3.5 3.
    ratings, fps, hits = (5, 4.5, 4, 3.5, 3), (2, 5, 9, 23, 109), (17, 35, 52, 67, 78)
    false = np.repeat(ratings, np.diff(fps, prepend=0))
    found = np.repeat(ratings, np.diff(hits, prepend=0))
    recall = np.concatenate([found, np.full(95 - 78, -np.inf)])
    curve = froc_curve([make_image(recall, false), *[make_image() for _ in range(184)]])
    assert curve.thresholds.tolist() == list(ratings)
    assert (curve.fp_rate[-1], curve.recall[-1]) == pytest.approx((0.589189, 0.821053), abs=1e-6)
    assert curve.score() == pytest.approx(0.6737, abs=5e-5)
    assert curve.score(convention='interpolated') == pytest.approx(0.7401, abs=5e-5)
    # By hand: 52 hits at 9 FPs (.0486) for .1; 67 at 23 (.1243) for the rest.
    assert curve.score() == pytest.approx((52 + 4 * 67) / 95 / 5)


# Defects seen in public evaluators ----------------------------------------------------------------

def test_only_false_positives():
    curve = froc_curve([make_image([-np.inf], [0.9, 0.8])])
    assert [curve.recall_at(budget) for budget in (0.1, 1., 10.)] == [0., 0., 0.]
    assert curve.score() == 0.


def test_no_points_in_the_whole_set():
    curve = froc_curve([make_image([], [0.4]), make_image()])
    assert np.isnan(curve.recall).all() and np.isnan(curve.recall_at(0.1))
    assert np.isnan(curve.score())
    assert curve.fp_rate.tolist() == [0.5]
    assert curve.threshold_at(0.5) == 0.4


def test_normals_without_any_finding():
    curve = froc_curve([make_image(), make_image()])
    assert curve.thresholds.shape == (0,)
    assert curve.threshold_at(0.1) == np.inf and np.isnan(curve.recall_at(0.1))
    assert curve.num_crossings(0.1) == 0


def test_ties_in_either_order():
    one = [make_image([0.5], [0.7]), make_image([0.7], [0.5])]
    for events in (one, one[::-1]):
        curve = froc_curve(events)
        assert curve.fp_rate.tolist() == [0.5, 1.] and curve.recall.tolist() == [0.5, 1.]


def test_a_budget_never_reached():
    curve = froc_curve([make_image([0.9, 0.2], [0.5])])
    assert three_conventions(curve, 8.) == [1., 1., 1.]
    assert curve.threshold_at(8.) == 0.2


def test_an_image_with_points_and_no_prediction_counts():
    curve = froc_curve([make_image([0.9]), box_events([], [], [[5., 5.], [9., 9.]])])
    assert curve.num_points == 3 and curve.num_images == 2
    assert curve.recall_at(0.1) == pytest.approx(1 / 3)


def test_no_prediction_at_all():
    curve = froc_curve([box_events([], [], [[5., 5.]]), box_events([], [], [])])
    assert three_conventions(curve, 0.1) == [0., 0., 0.]
    assert curve.threshold_at(0.1) == np.inf


def test_no_image_is_refused():
    with pytest.raises(ValueError, match='no image'):
        froc_curve([])


@pytest.mark.parametrize('budget', [-0.1, float('nan')])
@pytest.mark.parametrize('recall', [[0.5], []])
def test_bad_budgets_are_refused(budget, recall):
    curve = froc_curve([make_image(recall)])
    for ask in (curve.recall_at, curve.threshold_at, curve.num_crossings):
        with pytest.raises(ValueError, match='the budget is'):
            ask(budget)


def test_unknown_conventions_and_no_budgets_are_refused():
    curve = froc_curve([make_image([0.5])])
    with pytest.raises(ValueError, match="convention is 'linear'"):
        curve.recall_at(0.1, 'linear')
    with pytest.raises(ValueError, match='no budget'):
        curve.score(())


# Counts of what findings are ----------------------------------------------------------------------

def test_counts_at_thresholds_by_hand():
    # In a frame of 1024, disks of radius 50 (7854 pixels) around (100, 100) and (600, 600).
    boxes = [[95, 95, 105, 105],      # .9: holds the point, all disk: a hit, no FP
             [400, 400, 800, 800],    # .8: holds the second point, 5 % disk: a hit and an FP
             [110, 110, 120, 120],    # .7: all disk, no point in it: neither
             [900, 900, 950, 950]]    # .6: an FP
    events = box_events(boxes, [0.9, 0.8, 0.7, 0.6], [[100., 100.], [600., 600.]])
    curve = froc_curve([events, make_image_with_no_findings()])
    rows = {0.95: (0, 0, 0, 0, 0, 0), 0.9: (0, 1, 1, 0, 0, 1), 0.8: (1, 2, 2, 1, 0, 2),
            0.75: (1, 2, 2, 1, 0, 2), 0.7: (1, 2, 2, 1, 1, 3), 0.: (2, 2, 2, 1, 1, 4)}
    for threshold, row in rows.items():
        assert tuple(curve.counts_at(threshold).values()) == row
        assert events.num_findings(threshold) == row[-1]
    # Budget .5: one FP over two images; the lowest such *event of the curve* is .8: what is neither
    # changes neither rate nor recall.
    assert curve.counts_at_budget(0.5) == dict(
        threshold=0.8, false_positives=1, recalled=2, hits=2, both=1, neither=0, findings=2)
    assert curve.counts_at_budget(0.)['false_positives'] == 0


def make_image_with_no_findings():
    return box_events([], [], [])


def test_counts_that_were_not_made():
    event = make_image([0.9], [0.8])
    counts = froc_curve([event]).counts_at(0.8)
    assert counts == dict(false_positives=1, recalled=1, hits=None, both=None, neither=None,
                          findings=None)
    assert event.count('fp', 0.8) == 1
    with pytest.raises(ValueError, match='do not say'):
        event.num_findings(0.8)
    with pytest.raises(ValueError, match="kind of finding is 'miss'"):
        event.count('miss', 0.8)


# Properties ------------------------------------------------------------------------------------

levels = st.integers(1, 6).map(lambda value: value / 8)
images = st.lists(st.builds(make_image, st.lists(levels, max_size=3), st.lists(levels, max_size=3)),
                  min_size=1, max_size=5)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(events=images, budget=st.sampled_from([0., 0.1, 0.25, 0.5, 1., 1.5]))
def test_any_curve_equals_counting(events, budget):
    curve = froc_curve(events)
    num_points = sum(len(event.recall_levels) for event in events)
    allowed = []  # thresholds down to the first that exceeds the budget, and their recalls
    best, crossed = [0.], False
    for threshold in sorted({7 / 8, *(value / 8 for value in range(1, 7))}, reverse=True):
        fps = sum(event.num_false_positives(threshold) for event in events)
        hits = sum(int((event.recall_levels >= threshold).sum()) for event in events)
        crossed |= fps > budget * len(events)
        if not crossed:
            allowed.append(hits)
        if fps <= budget * len(events):
            best.append(hits)
    if num_points == 0:
        assert np.isnan(curve.recall_at(budget))
        return
    assert curve.recall_at(budget) == pytest.approx((allowed or [0])[-1] / num_points)
    assert curve.recall_at(budget, 'best') == pytest.approx(max(best) / num_points)
    assert curve.recall_at(budget) <= curve.recall_at(budget, 'interpolated') + 1e-12


def test_a_threshold_gives_the_recall_that_it_stands_beside():
    # F: 1 at .9, 2 at .7, 1 at .5 (a merge). Points are recalled at .8, .6 and .4.
    events = [ImageEvents(1., np.array([0.8, 0.6, 0.4]), np.array([0.9, 0.7, 0.5]),
                          np.array([1, 1, -1]), True)]
    curve = froc_curve(events)
    assert curve.recall_at(1.) == 1 / 3 and curve.threshold_at(1.) == 0.8
    assert curve.recall_at(1., 'best') == 1. and curve.threshold_at(1., 'best') == 0.4
    assert curve.recall_at(0.5, 'best') == 0. and curve.threshold_at(0.5, 'best') == np.inf
    linear = curve.recall_at(1.5, 'interpolated')
    assert linear == 1 / 3 and curve.threshold_at(1.5, 'interpolated') == 0.8
    events = [ImageEvents(1., np.array([0.8, 0.7]), np.array([0.7]), np.array([1]), True)]
    curve = froc_curve(events)  # half way from recall .5 at 0 false positives to 1 at 1
    assert curve.recall_at(0.5, 'interpolated') == 0.75
    assert curve.threshold_at(0.5, 'interpolated') is None


@settings(max_examples=100, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10 ** 6), budget=st.sampled_from([0., 0.5, 1., 2.]))
def test_the_threshold_of_each_convention_has_its_recall(seed, budget):
    generator = np.random.default_rng(seed)
    rule = ('disk_overlap', 'distance')[seed % 2]
    events = [map_events(generator.integers(0, 6, (8, 8)) / 6, generator.uniform(0, 1024, (num, 2)),
                         rule=rule, hit_radius=150.) for num in (0, 1, 2)]
    curve = froc_curve(events)
    for convention in CONVENTIONS:
        threshold, recall = curve.threshold_at(budget, convention), curve.recall_at(budget, convention)
        if threshold is not None:
            assert curve.counts_at(threshold)['recalled'] == round(3 * recall)
            assert sum(event.num_recalled(threshold) for event in events) == round(3 * recall)
