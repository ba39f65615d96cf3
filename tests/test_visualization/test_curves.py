"""What the plots show equals what is reported."""
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mmwindow.evaluation import FROCCurve, box_events, froc_curve, roc_curve
from mmwindow.evaluation.statistics.bands import FROCBand, froc_band
from mmwindow.visualization import curves as curves_module
from mmwindow.visualization import plot_froc, plot_roc
from mmwindow.visualization.curves import (
    PAPER_FIGURE,
    PlotSettings,
    axis_start,
    froc_steps,
    zoom_width,
)
from mmwindow.visualization.figures import LINE_COLOURS, line_style, new_figure, save_figure


def make_froc(fp_rate, recall, num_images=10, num_points=10):
    return FROCCurve(thresholds=np.linspace(1, 0, len(fp_rate)), fp_rate=np.array(fp_rate),
                     recall=np.array(recall), num_images=num_images, num_points=num_points)


@pytest.fixture
def shown(monkeypatch):
    """The axes of the next plot, instead of a file."""
    monkeypatch.setattr(curves_module, 'save_figure', lambda figure, path, dpi: figure)
    return lambda figure: figure.axes[0]


def test_normals_alone_have_no_froc(tmp_path):
    curve = make_froc([0.1], [float('nan')], num_points=0)
    with pytest.raises(ValueError, match=r"curves \['normals'\] have no points"):
        plot_froc({'normals': curve}, tmp_path / 'froc.png')
    with pytest.raises(ValueError, match='no curve to plot'):
        plot_roc({}, tmp_path / 'roc.png')
    assert list(tmp_path.iterdir()) == []


def test_steps_of_a_curve_whose_fp_rate_falls():
    steps = froc_steps(make_froc([0., .2, .1, .3], [.4, .5, .6, .7]))
    assert steps.fp_rate.tolist() == [0, 0, .2, .2, .3, .3]
    assert steps.recall.tolist() == [0, .4, .5, .6, .7, .7]


def test_a_curve_that_ends_keeps_its_recall_but_not_below_its_floor():
    curve = make_froc([0., .2], [.4, .5])
    assert froc_steps(curve, 1.).fp_rate.tolist() == [0, 0, .2, 1]
    assert froc_steps(curve, .1).fp_rate.tolist() == [0, 0, .2, .2]
    # Below the floor more may be recalled: a flat line to 1 would say that nothing is.
    assert froc_steps(replace(curve, floor=0.), 1.).fp_rate.tolist() == [0, 0, .2, .2]


@pytest.mark.parametrize('seed', range(5))
def test_the_line_shows_the_reported_recall_of_every_budget(seed):
    generator = np.random.default_rng(seed)
    curve = make_froc((0.3 * generator.integers(-1, 3, 40).cumsum().clip(0)).round(1) / 3,
                      np.sort(generator.integers(0, 11, 40)) / 10)
    steps = froc_steps(curve)
    for budget in np.arange(0, 3, 0.05):
        # What a step plot with where='post' shows at this place.
        shown = steps.recall[np.searchsorted(steps.fp_rate, budget + 1e-9, 'right') - 1]
        assert shown == curve.recall_at(budget)


def test_froc_plot(shown):
    first = make_froc([0., .2, .4, 1.], [.4, .5, .8, 1.])
    second = make_froc([.1], [.3])
    axes = shown(plot_froc({'ours': first, 'theirs': second}, 'unused'))
    # Recalls at .1 to .5: .4 .5 .5 .8 .8, mean .6.
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        'ours, FROC score 0.600', 'theirs, FROC score 0.300']
    lines = axes.get_lines()
    assert lines[1].get_ydata() == pytest.approx([.4, .5, .5, .8, .8])
    assert lines[2].get_xdata()[-1] == 1.0        # a curve that ends early keeps its recall
    assert lines[2].get_ydata()[-1] == .3
    assert axes.get_xlim() == (0, 1)


def test_roc_plot(shown):
    # The reference value 7/9 of plain AUROC.
    curve = roc_curve([0, 0, 0, 1, 1, 1], [.21, .35, .63, .92, .32, .79])
    axes = shown(plot_roc(curve, 'unused'))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ['AUROC 0.778']
    ties = roc_curve([0, 1, 0, 1], [.5, .5, .5, .5])
    axes = shown(plot_roc({'all tied': ties}, 'unused'))
    assert axes.get_legend().get_texts()[0].get_text() == 'all tied, AUROC 0.500'


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.pdf', '.svg'])
def test_files_are_written_whole(tmp_path, suffix):
    path = plot_froc(make_froc([0., .2], [.4, .5]), tmp_path / 'new folder' / f'froc{suffix}')
    assert [file.name for file in path.parent.iterdir()] == [f'froc{suffix}']
    if suffix in ('.png', '.jpg'):
        with Image.open(path) as img:
            img.load()
            assert img.size == (660, 540)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = plot_froc(make_froc([0., .2], [.4, .5]), tmp_path / 'froc.png')
    before = path.read_bytes()
    from matplotlib.figure import Figure

    def fail(self, part, **options):
        part.write_bytes(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(Figure, 'savefig', fail)
    with pytest.raises(OSError, match='disk full'):
        plot_froc(make_froc([0.], [1.]), path)
    assert path.read_bytes() == before


@pytest.mark.parametrize('words', ['a $\\frac$ b', '$x_', '$$', 'US$ 5 and $ 6'])
def test_no_words_of_a_figure_are_mathematics(words, tmp_path):
    """Titles, labels, marks, legends and ticks; matplotlib reads what is between two dollars."""
    from matplotlib.text import Text
    figure = new_figure(3, 3)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], label=words)
    axes.set(title=words, xlabel=words, xticks=[0, 1], xticklabels=[words, words])
    axes.annotate(words, (.5, .5))
    axes.legend(title=words)
    figure.suptitle(words)
    save_figure(figure, tmp_path / 'figure.svg')
    shown = [text for text in figure.findobj(Text) if text.get_text() == words]
    assert len(shown) == 10  # each tick has two
    assert not any(text.get_parse_math() for text in shown)


def test_unknown_suffix(tmp_path):
    with pytest.raises(ValueError, match=r"the suffix is '.bmp'"):
        plot_roc(roc_curve([0, 1], [0, 1]), tmp_path / 'roc.bmp')


def test_no_two_curves_look_alike_in_colour_or_without():
    styles = [line_style(number) for number in range(64)]
    assert len({str(style) for style in styles}) == 64
    first = styles[:len(LINE_COLOURS)]
    # Each of these alone tells the first eight apart, the systems of the paper.
    for key in ('color', 'linestyle', 'marker'):
        assert len({str(style[key]) for style in first}) == len(first)


def make_band(low, high):
    return FROCBand(fp_rate=np.array([0, .5, 1.]), low=np.array(low), high=np.array(high),
                    level=0.95, num_resamples=100, seed=0)


def test_band_is_drawn_as_given(shown):
    curve = make_froc([0., .5, 1.], [.4, .5, .6])
    axes = shown(plot_froc({'ours': curve}, 'unused', bands={'ours': make_band(
        [.3, .4, .5], [.5, .6, .7])}))
    corners = axes.collections[0].get_paths()[0].vertices
    for corner in ([0, .3], [0, .5], [.5, .4], [.5, .6], [1, .5], [1, .7]):
        assert np.isclose(corners, corner).all(axis=1).any(), corner
    with pytest.raises(ValueError, match=r"bands of \['theirs'\] but curves of \['ours'\]"):
        plot_froc({'ours': curve}, 'unused', bands={'theirs': make_band([0] * 3, [1] * 3)})


def make_films(num=40, seed=0):
    """Every other film has a point that is found with a score that beats most false alarms."""
    generator = np.random.default_rng(seed)
    films = []
    for number in range(num):
        points = [[500., 500.]] * (number % 2)
        boxes = [[100., 100., 140., 140.], [480., 480., 520., 520.]][:1 + number % 2]
        scores = generator.random(len(boxes)) + np.arange(len(boxes)) / 2
        films.append(box_events(boxes, scores, points, image_id=number))
    return films


def test_band_around_a_curve():
    films = make_films()
    band = froc_band(films, num_rates=11, num_resamples=200, seed=1)
    curve = froc_curve(films)
    assert band.fp_rate == pytest.approx(np.linspace(0, 1, 11))
    for rate, low, high in zip(band.fp_rate, band.low, band.high, strict=True):
        assert 0 <= low <= curve.recall_at(rate) <= high <= 1
    assert (np.diff(band.low) >= 0).all() and (np.diff(band.high) >= 0).all()
    again = froc_band(films, num_rates=11, num_resamples=200, seed=1)
    assert again.low.tolist() == band.low.tolist()
    with pytest.raises(ValueError, match='no point'):
        froc_band(films[::2], num_resamples=100)


def test_other_conventions_move_the_marks_only(shown):
    curve = make_froc([0., .2, .4], [.4, .5, .8])
    axes = shown(plot_froc({'a': curve}, 'unused', budgets=(0.3,), convention='interpolated'))
    assert axes.get_lines()[1].get_ydata() == pytest.approx([.65])  # halfway from .5 to .8
    assert axes.get_legend().get_texts()[0].get_text() == 'a, FROC score 0.650'


@pytest.mark.parametrize('sensitivity, width', [(.9, .2), (.89, .3), (.8, .4), (.75, .5), (.7, 1.)])
def test_zoom_is_as_wide_as_the_curves_need(sensitivity, width):
    # 1000 normals score 0; of as many positives a share scores 1 and the others -1: a step to
    # (0, share), on to (1, share). The square of side w is passed where the share is 1 - w / 2.
    labels = [0] * 1000 + [1] * 1000
    num = int(sensitivity * 1000)
    curve = roc_curve(labels, [0] * 1000 + [1] * num + [-1] * (1000 - num))
    assert zoom_width([curve]) == width


def test_zoom_of_the_roc(monkeypatch):
    monkeypatch.setattr(curves_module, 'save_figure', lambda figure, path, dpi: figure)
    good = roc_curve([0, 0, 0, 1, 1, 1], [0, .1, .2, .3, .4, .5])
    figure = plot_roc({'a': good, 'b': good}, 'unused', zoom=True)
    assert len(figure.axes) == 2
    assert figure.axes[1].get_ylim() == pytest.approx((.8, 1.002))
    assert figure.axes[1].get_legend() is None
    poor = roc_curve([0, 1, 0, 1], [.5] * 4)
    assert len(plot_roc({'a': good, 'b': poor}, 'unused', zoom=True).axes) == 1


def test_a_cut_axis_shows_every_curve_and_is_marked(shown):
    assert axis_start([0.93, 0.85], 0.8) == 0.8
    assert axis_start([0.93, 0.62], 0.8) == pytest.approx(0.6)
    assert axis_start([0.7], 0.8) == pytest.approx(0.7)  # stored as 0.6999999
    assert axis_start([0.], 0.8) == axis_start([0.9], 0.) == 0
    curve = make_froc([0., .2, .5], [.84, .9, 1.])
    axes = shown(plot_froc({'a': curve}, 'unused', max_fp_rate=.5, settings=PAPER_FIGURE))
    assert axes.get_ylim()[0] == 0.8 and axes.get_ylabel() == 'Recall of points, axis cut at 0.8'
    roc = roc_curve([0] * 10 + [1] * 10, [0] * 10 + [1] * 9 + [0])
    axes = shown(plot_roc({'a': roc}, 'unused', settings=PlotSettings(cut_at=0.8)))
    assert axes.get_ylabel().endswith('axis cut at 0.8')
    assert 'cut' not in shown(plot_roc({'a': roc}, 'unused')).get_ylabel()


def test_eight_systems_have_a_colour_and_a_marker_each_in_the_order_given(shown):
    curves = {f'system {number}': make_froc([0., .2], [.4, .5]) for number in range(8)}
    axes = shown(plot_froc(curves, 'unused'))
    handles = axes.get_legend().legend_handles
    assert len({handle.get_color() for handle in handles}) == 8
    assert len({handle.get_marker() for handle in handles}) == 8
    assert [handle.get_label().split(',')[0] for handle in handles] == list(curves)


def test_a_ninth_system_shares_a_colour_but_neither_dashes_nor_marker(shown):
    curves = {f'system {number}': make_froc([0., .2], [.4, .5]) for number in range(9)}
    handles = shown(plot_froc(curves, 'unused')).get_legend().legend_handles
    looks = [(handle.get_color(), handle.get_marker()) for handle in handles]
    assert len(set(looks)) == 9 and looks[8][0] == looks[0][0] and looks[8][1] != looks[0][1]


def test_without_matplotlib_a_plot_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'matplotlib.figure', None)
    with pytest.raises(ImportError, match=r"matplotlib.*pip install 'mmwindow\[plots\]'"):
        plot_froc(make_froc([0., .2], [.4, .5]), tmp_path / 'froc.png')
    assert list(tmp_path.iterdir()) == []
