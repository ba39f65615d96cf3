"""Perfect predictions of a window: they cost nothing, and what the hit rules give them by hand."""
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from mmwindow.evaluation import Target
from mmwindow.experiments.commands.exact_maps import name_of
from mmwindow.experiments.exact_maps import (
    MAPS,
    RULES,
    Window,
    describe_exact_maps,
    exact_events,
    exact_map,
    lone_box_side,
    paper_windows,
    score_exact_maps,
    vary_confidence,
)
from mmwindow.models.losses import WindowLoss
from mmwindow.structures.bounds import bounds_from_distance

PAPER_WINDOW, WIDE, HARD = Window(2, 50, 200), Window(2, 150, 200), Window(0, 50, 50)
# Two images of one point each in the middle of the frame, and two negative ones.
TARGETS = [Target(1, 1024, 1024, [[512., 512.]]), Target(2, 512, 512, [[256., 256.]]),
           Target(3, 1024, 1024), Target(4, 512, 512)]


@pytest.mark.parametrize('window', [PAPER_WINDOW, WIDE, HARD, Window(10, 50, 200)])
@pytest.mark.parametrize('kind', MAPS)
def test_an_exact_map_costs_no_window_loss(window, kind):
    distance = torch.linspace(0, 400, 300)[None]
    lower, upper = (bounds_from_distance(distance, radius, window.softness)
                    for radius in window[1:])
    scores = torch.from_numpy(exact_map(distance, window, kind))
    assert (scores >= lower).all() and (scores <= upper).all()
    logits = torch.logit(scores.float().clip(1e-12, 1 - 1e-7))[None, None]
    cost = WindowLoss(divergence='kld')(logits, lower[None, None], upper[None, None])
    assert float(cost) < 1e-5  # float32 holds no logit of 0 and 1


def test_negative_images_have_maps_of_zeros():
    none = torch.full((3, 4), torch.inf)
    for kind in MAPS:
        assert (exact_map(none, PAPER_WINDOW, kind) == 0).all()


def test_an_unknown_kind_is_rejected():
    with pytest.raises(ValueError, match="'outer'.*lower, middle, slope, upper"):
        exact_map(torch.zeros(1, 1), PAPER_WINDOW, 'outer')


def test_box_sides_by_hand():
    """Disks of the radii themselves; the slope is .5 half way between 50 and 200."""
    assert [lone_box_side(PAPER_WINDOW, kind) for kind in MAPS] == [100, 250, 250, 400]
    assert [lone_box_side(WIDE, kind) for kind in MAPS] == [300, 350, 350, 400]


def test_scores_by_hand():
    """One point in the middle of each of two images of four: at most .5 false positives an image.

    A disk of radius 50 covers 7854 square pixels: .79 of the box of 100 x 100, .126 of 250 x 250,
    .087 of 300 x 300 and .049 of 400 x 400. Below .1 a box is a false positive of the rule. By
    distance a centred box is always right.
    """
    scores = {(score.window, score.kind, score.rule): score
              for score in score_exact_maps(TARGETS, [PAPER_WINDOW, WIDE, HARD])}
    for (window, kind, rule), score in scores.items():
        is_wide = (window is WIDE or kind == 'upper') and window is not HARD
        assert score.recall == 1, (window, kind, rule)
        expected = .5 if rule == 'paper' and is_wide else 0
        assert score.false_positives == expected, (window, kind, rule)
    right = scores[PAPER_WINDOW, 'lower', 'paper']
    assert right.exact == right.unequal == {'recall@0.1': 1, 'froc_score': 1}
    # 150 pixels at .5 and 144 at .95, whose box is wrong: both findings come in at once, a recall of
    # 0 below the budget of .5. Unequal, the first costs .25: 0, 0, .5, .5 and 1.
    wrong = scores[WIDE, 'lower', 'paper']
    assert wrong.exact == pytest.approx({'recall@0.1': 0, 'froc_score': .2})
    assert wrong.unequal == pytest.approx({'recall@0.1': 0, 'froc_score': .4})
    assert scores[WIDE, 'lower', 'overlap 4 %'].exact['froc_score'] == 1
    assert scores[WIDE, 'upper', 'distance'].unequal['froc_score'] == 1


def test_images_differ_in_confidence_by_chance():
    events = [exact_events(target, [WIDE])[WIDE, 'lower', 'paper'] for target in TARGETS]
    ranked = vary_confidence(events, seed=3)
    assert ranked[0].score != ranked[1].score and .5 <= ranked[0].score <= 1
    assert ranked[2].score == 0 and list(ranked[2].fp_levels) == [0]
    assert [event.num_points for event in ranked] == [1, 1, 0, 0]
    assert vary_confidence(events, seed=3)[0].score == ranked[0].score


def test_without_a_point_there_is_nothing_to_score():
    with pytest.raises(ValueError, match='2 images without any point'):
        score_exact_maps(TARGETS[2:], [WIDE])


def test_the_result_of_a_point_file(tmp_path):
    paper = dict(table2=[dict(softness=2, lower_radius=150, upper_radius=200)],
                 table3=[dict(softness=2, lower_radius=150, upper_radius=200)])
    assert paper_windows(paper) == [WIDE]
    path = tmp_path / 'hips' / 'annotations' / 'test.json'
    path.parent.mkdir(parents=True)
    images = [dict(id=number, file_name=f'{number}.png', height=256, width=200) for number in (1, 2)]
    path.write_text(json.dumps(dict(
        images=images, categories=[dict(id=1, name='fracture')],
        annotations=[dict(id=1, image_id=1, category_id=1, keypoints=[100, 128, 2],
                          num_keypoints=1)])))
    content = describe_exact_maps(path, paper)
    assert content['data'] == dict(file='test.json', num_images=2, num_positives=1, num_points=1)
    assert len(content['scores']) == len(MAPS) * len(RULES)
    first = content['scores'][0]
    assert (first['map'], first['rule'], first['box_side'], first['false_positives']) == (
        'lower', 'paper', 300, .5)
    assert name_of(str(path))[0] == 'hips' and np.isfinite(first['unequal']['froc_score'])


def test_the_table_of_the_page_reads_the_files(tmp_path):
    """One line for each map of a window of softness 2, of images unequal in confidence."""
    tool = runpy.run_path(Path(__file__).parents[2] / 'tools' / 'update_readme.py')
    scores = [dict(window=WIDE._asdict(), map='lower', rule=rule, box_side=300., false_positives=.5,
                   recall=1., exact={}, unequal={'recall@0.1': .2, 'froc_score': score})
              for rule, score in (('paper', .4), ('overlap 4 %', 1.), ('distance', .9))]
    scores += [dict(score, window=dict(softness=10, lower_radius=50, upper_radius=200))
               for score in scores]
    (tmp_path / 'hips.json').write_text(json.dumps(dict(
        command='tools/exact_maps.py x', scores=scores,
        data=dict(num_images=4, num_positives=2, num_points=2))))
    lines = tool['exact_rows'](tmp_path).splitlines()
    assert lines[2] == '| hips | 150 / 200 | lower | 300 | 0.500 | 0.200 | 0.400 | 1.000 | 0.900 |'
    assert lines[3] == '' and lines[4] == 'hips: 2 points on 2 of 4 images.'
    assert 'tools/exact_maps.py x' in lines
