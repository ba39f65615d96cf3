"""Figures 4 and 5 by a field: which are drawn, and what their files are called."""
from dataclasses import replace

import numpy as np
import pytest

from mmwindow.evaluation import ImageEvents
from mmwindow.experiments import paper_figures
from mmwindow.experiments.paper_figures import draw_figures_by
from mmwindow.experiments.systems import System
from mmwindow.visualization.curves import PlotSettings

SETTINGS = dict(budgets=[.1, .2, .3, .4, .5], convention='first_crossing')


def make_system():
    """Two folds of hands with and without points, feet with none, and hips that all have one.

    Of a seventh hand in all, with a point, there is too little for a figure.
    """
    events = {}
    for fold in (0, 1):
        events[fold] = []
        parts = ['hand', 'hand', 'hand', 'foot', 'foot', 'hip / left'] * 5
        for number, part in enumerate(parts + ['left hand'] * fold):
            positive = part in ('hip / left', 'left hand') or part == 'hand' and number % 6 == 0
            events[fold].append(ImageEvents(
                score=.9 if positive else .1 * (number % 6), recall_levels=np.full(int(positive), .9),
                fp_levels=np.array([.1]), fp_changes=np.ones(1, np.int32), is_positive=positive,
                image_id=100 * fold + number, fields=dict(body_part=part)))
    return System('x', {}, events, SETTINGS)


def test_a_value_without_a_curve_has_no_figure(tmp_path):
    """No FROC without a point, no ROC of one kind of image; a slash makes no folder."""
    lines = draw_figures_by({'X': make_system()}, 'body_part', tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'figure4_by_body_part_hand.png', 'figure5_by_body_part_hand.png',
        'figure5_by_body_part_hip-left.png']
    assert lines == ['![ROC, body_part hand](figure4_by_body_part_hand.png)',
                     '![FROC, body_part hand](figure5_by_body_part_hand.png)',
                     '![FROC, body_part hip / left](figure5_by_body_part_hip-left.png)', '']


def test_curves_are_those_of_the_part(tmp_path, monkeypatch):
    """The mean over folds of the part's own images: hands have a point each, other parts are out."""
    drawn = {}
    monkeypatch.setattr(paper_figures, 'plot_froc',
                        lambda curves, path, *_, **__: drawn.update({path.name: curves['X']}))
    monkeypatch.setattr(paper_figures, 'plot_roc', lambda *_, **__: None)
    draw_figures_by({'X': make_system()}, 'points', tmp_path)
    curve = drawn['figure5_by_points_1.png']
    assert curve.recall_at(.1) == 1 and curve.recall_at(.5) == 1
    # All positive images have one point: of several there are negative images alone, and no curve.
    assert list(drawn) == ['figure5_by_points_1.png']


def test_a_system_keeps_its_colour_and_a_part_says_what_it_is(tmp_path, monkeypatch):
    looks = []
    for name in ('plot_froc', 'plot_roc'):
        monkeypatch.setattr(paper_figures, name, lambda *_, settings, **__: looks.append(settings))
    draw_figures_by({'RetinaNet': make_system()}, 'points', tmp_path)
    assert {look.title for look in looks} == {
        '1 point: 61 images, 21 with a point, 21 points'}
    look = looks[0]
    assert look.places(['RetinaNet', 'other', 'WL+', 'x']) == {
        'RetinaNet': 2, 'other': 9, 'WL+': 0, 'x': 10}
    assert PlotSettings().places(['a', 'b']) == {'a': 0, 'b': 1}


def test_an_unknown_field_is_named(tmp_path):
    with pytest.raises(ValueError, match='side'):
        draw_figures_by({'X': make_system()}, 'side', tmp_path)


def test_values_of_one_spelling_have_a_figure_each(tmp_path):
    """'<50' and '>=50' are '50' in a file's name; 'Hand' and 'hand' are one on some disks."""
    system = make_system()
    events = {fold: [replace(event, fields={**event.fields, 'age': value})
                     for event, value in zip(images, ['<50', '>=50'] * len(images), strict=False)]
              for fold, images in system.events.items()}
    lines = draw_figures_by({'X': replace(system, events=events)}, 'age', tmp_path)
    shown = [line.split('(')[1].rstrip(')') for line in lines if line.startswith('![FROC')]
    assert shown == ['figure5_by_age_50.png', 'figure5_by_age_50-1.png']
    assert all((tmp_path / name).is_file() for name in shown)
