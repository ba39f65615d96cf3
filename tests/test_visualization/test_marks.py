"""Readers' operating points are drawn where their numbers are."""
import math

import numpy as np
import pytest

from mmwindow.evaluation import FROCCurve, ROCCurve
from mmwindow.evaluation.readers import ReaderPoint, SystemAtReader
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.visualization import curves as curves_module
from mmwindow.visualization import plot_froc, plot_roc
from mmwindow.visualization.marks import CurveMark, make_reader_marks

FROC = FROCCurve(thresholds=np.array([.9, .5]), fp_rate=np.array([0., .2]),
                 recall=np.array([.5, .8]), num_images=10, num_points=10)
ROC = ROCCurve(thresholds=np.array([np.inf, .9, .1]), false_positive_rate=np.array([0., .1, 1.]),
               true_positive_rate=np.array([0., .9, 1.]))


def number(value):
    return None if value is None else Interval(value, value - .1, value + .1)


def make_point(reader, recall, fp_rate, sensitivity, specificity, system=None):
    return ReaderPoint(reader, 10, 10, 5, 5, number(recall), number(fp_rate), number(sensitivity),
                       number(specificity), {}, [], system)


@pytest.fixture
def figure(monkeypatch):
    monkeypatch.setattr(curves_module, 'save_figure', lambda figure, path, dpi: figure)


def drawn_points(axes):
    """Return (x, y, marker, filled) of all single points."""
    return [(line.get_xdata()[0], line.get_ydata()[0], line.get_marker(),
             line.get_markerfacecolor() != 'none') for line in axes.get_lines()
            if len(line.get_xdata()) == 1 and line.get_color() == 'black'
            and isinstance(line.get_marker(), str)]


POINTS = [make_point('R1', .6, .3, .8, .75, SystemAtReader(.7, .5, None, None, {})),
          make_point('R2', .4, 1.5, None, .9), make_point('R3', None, .1, .7, .5)]


def test_readers_become_points_of_both_curves():
    marks = make_reader_marks(POINTS)
    assert marks.froc == [CurveMark('R1', .3, .6, .7), CurveMark('R2', 1.5, .4)]
    assert marks.roc == [CurveMark('R1', .25, .8, .5), CurveMark('R3', .5, .7)]
    assert make_reader_marks([]) == ([], [])


def test_froc_with_readers(figure):
    marks = make_reader_marks(POINTS).froc
    axes = plot_froc({'ours': FROC}, 'unused', operating_points=marks).axes[0]
    assert drawn_points(axes) == [(.3, .7, 'o', False), (.3, .6, 'o', True), (1.5, .4, 's', True)]
    assert [(text.get_text(), text.xy) for text in axes.texts] == [
        ('R1', (.3, .6)), ('R2', (1.5, .4))]
    assert axes.get_xlim()[1] == pytest.approx(1.575)            # the farthest reader is within
    # The line goes on to the end of the longer axis.
    assert axes.get_lines()[0].get_xdata()[-1] == pytest.approx(1.575)
    legend, = axes.figure.legends                                # no corner is sure to be free
    assert [text.get_text() for text in legend.get_texts()] == [
        'ours, FROC score 0.740', 'reader R1, recall 0.600', 'reader R2, recall 0.400',
        'hollow: the system there, same reference']


def test_roc_with_readers_and_its_enlarged_corner(figure):
    marks = [CurveMark('R1', .05, .95, .1), CurveMark('R2', .5, .7)]
    complete, corner = plot_roc({'ours': ROC}, 'unused', zoom=True, operating_points=marks).axes
    assert drawn_points(complete) == [(.05, .1, 'o', False), (.05, .95, 'o', True),
                                      (.5, .7, 's', True)]
    assert drawn_points(corner) == [(.05, .95, 'o', True)]       # what lies in the corner
    assert [text.get_text() for text in corner.texts] == ['R1']


def test_a_cut_axis_shows_the_lowest_reader(figure):
    settings = curves_module.PlotSettings(cut_at=.5)
    axes = plot_froc(FROC, 'unused', settings=settings,
                     operating_points=[CurveMark('R1', .3, .25)]).axes[0]
    assert axes.get_ylim()[0] == pytest.approx(.2)


def test_without_readers_nothing_changes(figure):
    axes = plot_froc({'ours': FROC}, 'unused').axes[0]
    assert drawn_points(axes) == [] and axes.get_xlim()[1] == 1
    assert len(axes.get_legend().get_texts()) == 1


def test_a_system_without_a_number_is_not_drawn(figure):
    point = make_point('R1', .6, .3, .8, .75, SystemAtReader(math.nan, math.nan, None, None, {}))
    axes = plot_froc(FROC, 'unused', operating_points=make_reader_marks([point]).froc).axes[0]
    assert drawn_points(axes) == [(.3, .6, 'o', True)]
