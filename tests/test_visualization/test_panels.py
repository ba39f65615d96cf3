"""Examples are judged as the metric judges, sorted, and drawn."""
import numpy as np
import pytest
from PIL import Image

from mmwindow.evaluation import map_events
from mmwindow.evaluation.hit_rules import make_hit_rule
from mmwindow.visualization import (
    Example,
    find_boxes,
    judge_example,
    save_overlays,
    sort_examples,
)
from mmwindow.visualization.panels import describe

FILM = np.full((400, 512), 90, np.uint8)          # a frame pixel is half an image pixel


def make_scores(*blobs, side=64):
    """Return a map with a value in each ``(rows, columns, score)``, cells of 8 image pixels."""
    scores = np.zeros((side, side), np.float32)
    for rows, columns, score in blobs:
        scores[slice(*rows), slice(*columns)] = score
    return scores


NORMAL = Example(FILM, np.zeros((0, 2)), make_scores(), name='normal')
HIT = Example(FILM, [[100, 100]], make_scores(((11, 14), (11, 14), .9)), name='hit')
MISS = Example(FILM, [[100, 100], [300, 200]], make_scores(((11, 14), (11, 14), .9)), name='miss')
FALSE = Example(FILM, np.zeros((0, 2)), make_scores(((30, 33), (40, 44), .8)), name='false')
# A box of 320 x 320 frame pixels around the point: the disk covers 8 % of it.
WIDE = Example(FILM, [[100, 100]], make_scores(((3, 23), (3, 23), .9)), name='wide')


def test_a_quiet_normal():
    judged = judge_example(NORMAL)
    assert judged.boxes.shape == (0, 4)
    assert judged.found.shape == judged.is_false_positive.shape == (0,)
    assert describe(NORMAL) == 'normal, max 0.00'


def test_a_normal_with_findings_has_false_positives_alone():
    judged = judge_example(FALSE)
    assert judged.boxes.tolist() == [[320, 240, 352, 264]]
    assert judged.is_false_positive.tolist() == [True]


def test_hits_and_misses():
    judged = judge_example(MISS)
    assert judged.found.tolist() == [True, False]
    assert judged.is_false_positive.tolist() == [False]
    assert describe(MISS) == 'miss, 1 of 2 found, max 0.90'


@pytest.mark.parametrize('side, is_false', [(278, False), (284, True)])
def test_a_wide_box_is_a_hit_and_a_false_positive(side, is_false):
    # docs/method.md, section 6: a disk of radius 50 is a tenth of a box of side 280.2.
    box = [[512 - side / 2, 512 - side / 2, 512 + side / 2, 512 + side / 2]]
    judged = judge_example(Example(np.zeros((1024, 1024), np.uint8), [[512, 512]], boxes=box))
    assert judged.found.tolist() == [True]
    assert judged.is_false_positive.tolist() == [is_false]


@pytest.mark.parametrize('seed', range(6))
def test_judgement_equals_the_metric(seed):
    generator = np.random.default_rng(seed)
    scores = generator.uniform(0, 1, (32, 32)).astype(np.float32) ** 4
    points = generator.uniform(0, 1, (seed, 2)) * [512, 400]
    events = map_events(scores, points * 2)
    for threshold in (0.2, 0.5, 0.8, float(scores[3, 4])):
        judged = judge_example(Example(FILM, points, scores, threshold=threshold))
        assert judged.is_false_positive.sum() == events.num_false_positives(threshold)
        assert judged.found.tolist() == (events.recall_levels >= threshold).tolist()


def test_boxes_span_whole_cells_and_join_at_corners():
    scores = np.zeros((4, 4))
    scores[0, 0] = scores[1, 1] = .5
    assert find_boxes(scores, .5, (80, 40)).tolist() == [[0, 0, 40, 40]]
    assert find_boxes(scores, .6, (80, 40)).shape == (0, 4)


def test_examples_are_sorted_and_the_first_are_kept():
    groups = sort_examples(iter([NORMAL, HIT, MISS, FALSE, HIT, WIDE]), num_per_group=1)
    assert {name: [example.name for example in group] for name, group in groups.items()} == {
        'hits': ['hit'], 'misses': ['miss'], 'false positives': ['false'],
        'hits that are false positives': ['wide'],
        'negative images without findings': ['normal']}
    assert len(sort_examples([HIT, HIT])['hits']) == 2


def test_figure_is_written_whole(tmp_path):
    path = save_overlays([NORMAL, HIT, MISS, FALSE], tmp_path / 'out' / 'overlays.png',
                         title='four films')
    assert [file.name for file in path.parent.iterdir()] == ['overlays.png']
    pixels = np.asarray(Image.open(path).convert('RGB')).reshape(-1, 3)
    colours = {tuple(colour) for colour in pixels.tolist()}
    for colour in ((0, 255, 140), (255, 70, 255), (90, 190, 255)):
        assert colour in colours


def test_box_detectors_have_no_map(tmp_path):
    example = Example(FILM, [[100, 100]], boxes=[[80, 80, 120, 120], [300, 300, 340, 340]])
    assert describe(example) == '1 of 1 found, 1 false positive'
    assert save_overlays([example], tmp_path / 'boxes.png').exists()


def test_no_example(tmp_path):
    with pytest.raises(ValueError, match='there is no example to draw'):
        save_overlays([], tmp_path / 'overlays.png')


def test_pictures_use_the_rule_of_the_run():
    """WIDE is a hit and a false positive by the paper's rule, and a hit alone by distance."""
    assert describe(WIDE) == 'wide, 1 of 1 found, 1 hit and false positive, max 0.90'
    by_distance = judge_example(WIDE, 'distance', hit_radius=50)
    assert by_distance.found.tolist() == by_distance.is_hit.tolist() == [True]
    assert by_distance.is_false_positive.tolist() == [False]
    groups = sort_examples([WIDE], rule=make_hit_rule('distance', hit_radius=5))
    assert [example.name for example in groups['misses']] == ['wide']  # 8 pixels off


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('shape', [(400, 512), (400, 400), (300, 512)])
def test_judgement_of_rectangular_maps_equals_the_metric(seed, shape):
    generator = np.random.default_rng(seed)
    scores = generator.uniform(0, 1, (24, 32)).astype(np.float32) ** 4
    points = generator.uniform(0, 1, (seed, 2)) * shape[::-1]
    along = max(shape) / max(shape[0] / 24, shape[1] / 32)
    events = map_events(scores, points * 1024 / max(shape), cells_along=(along, along))
    for threshold in (0.2, 0.5, 0.8):
        judged = judge_example(Example(np.zeros(shape, np.uint8), points, scores,
                                       threshold=threshold))
        assert judged.is_false_positive.sum() == events.num_false_positives(threshold)
        assert judged.found.tolist() == (events.recall_levels >= threshold).tolist()
