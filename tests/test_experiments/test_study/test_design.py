"""The design of the study: cells, levels, overrides, and the page that was written before it ran."""
from pathlib import Path

import pytest

from mmwindow.apis.config import load_config
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.evaluation.statistics.seed_comparison import SeedDifference
from mmwindow.experiments.study.analysis import change_outcome, outcome
from mmwindow.experiments.study.data import data_options, find_sets, read_from
from mmwindow.experiments.study.design import (
    AHEAD,
    ANNOTATORS,
    BASE,
    BEHIND,
    CONTROLS,
    CORE,
    FACTORS,
    GROWS,
    LEVEL,
    OPEN,
    PARTS,
    SAME,
    SHRINKS,
    Sizes,
    level_label,
    make_cells,
)
from mmwindow.experiments.study.report import is_window_loss, label_study
from mmwindow.experiments.study.runs import list_runs

ROOT = Path(__file__).parents[3]
DOCS, CONFIGS = ROOT / 'docs' / 'study.md', ROOT / 'configs'
SYSTEMS = ['wl_kld_x.py', 'retinanet_x.py', 'chexnet_x.py']


def test_the_core_is_87_runs():
    """12 cells of two systems and three seeds, and CheXNet on the five of E."""
    cells = make_cells(Sizes())
    assert [cell.name for cell in cells] == [
        BASE, 'points-one', 'points-mixed', 'points-fragments', 'points-several', 'jitter25',
        'jitter50', 'jitter100', 'images25', 'images50', 'images200', 'images400']
    runs = list_runs(cells, SYSTEMS, (0, 1, 2), Sizes())
    assert len(runs) == 12 * 2 * 3 + 5 * 3 == 87
    assert len(list_runs(make_cells(Sizes(), ['B']), SYSTEMS, (0, 1, 2), Sizes())) == 30
    assert [(run.system, run.seed) for run in runs[:4]] == [
        ('wl_kld_x', 0), ('retinanet_x', 0), ('chexnet_x', 0), ('wl_kld_x', 1)]


def test_cells_are_unique_and_differ_from_the_base_in_one_thing():
    cells = make_cells(Sizes(), PARTS)
    base = cells[0]
    assert len({cell.name for cell in cells}) == len(cells) == 20
    for cell in cells[1:]:
        # Other images have one point a finding, so that their number does not vary with them.
        own = 'one' if cell.images.variation != base.images.variation else base.annotators
        changed = [cell.images.variation != base.images.variation,
                   cell.images.num_train != base.images.num_train, cell.annotators != own]
        assert sum(changed) == 1, cell.name
        assert changed.index(True) == dict(A=0, D=0, E=1, B=2, C=2, F=2)[cell.factor]


def test_few_images_are_seen_more_often():
    cells = {cell.name: cell for cell in make_cells(Sizes(), ['E'])}
    found = {name: (cell.images.num_train, cell.epochs) for name, cell in cells.items()}
    assert found == dict(base=(480, 5), images25=(120, 20), images50=(240, 10), images200=(960, 5),
                         images400=(1920, 5))
    steps = [number / 8 * epochs for number, epochs in found.values()]
    assert min(steps) == 300


def test_what_a_cell_reads():
    cells = {cell.name: cell for cell in make_cells(Sizes(), PARTS)}
    assert [read_from(cells['jitter50'], split) for split in ('train', 'val', 'test')] == [
        (BASE, 'annotations/jitter50/train.json'), (BASE, 'annotations/jitter50/val.json'),
        (BASE, 'annotations/one/test.json')]
    # Numbers of images share the base's validation and test images; other images have their own.
    assert [read_from(cells['images25'], split)[0] for split in ('train', 'val', 'test')] == [
        'images25', BASE, BASE]
    assert {read_from(cells['scale2'], split)[0] for split in ('train', 'val', 'test')} == {'scale2'}
    assert read_from(cells['scale2'], 'test')[1] == 'annotations/one/test.json'
    assert data_options(cells[BASE], 'x')['train_dataloader.dataset.data_root'] == 'x/base/'
    sets = {images.name: images for images, _ in find_sets((cell, 0) for cell in cells.values())}
    assert set(sets[BASE].annotators) == set(ANNOTATORS) and len(sets) == 11
    for cell in cells.values():
        assert not cell.annotators or cell.annotators in cell.images.annotators


def test_levels_are_shown_in_their_order():
    sizes = Sizes()
    cells = {cell.name: cell for cell in make_cells(sizes, PARTS)}
    labels = {letter: [level_label(factor, level, cells, sizes) for level in factor.levels]
              for letter, factor in FACTORS.items()}
    assert labels['E'] == ['120', '240', '480', '960', '1920']
    assert labels['C'] == ['0', '25', '50', '100'] and labels['F'] == ['0 %', '25 %', '50 %']


@pytest.mark.parametrize('letter', FACTORS)
def test_the_page_names_every_level_and_what_is_expected(letter):
    """Each factor has its row, whose words say where Window Loss is expected ahead or behind."""
    factor = FACTORS[letter]
    row = next(line for line in DOCS.read_text(encoding='utf-8').splitlines()
               if line.startswith(f'| {letter} '))
    expected = {level.expected for level in factor.levels}
    assert (' ahead at' in row) == ('ahead' in expected)
    assert ('behind' in row) == ('behind' in expected)
    assert 'level' in row
    changes = {level.change for level in factor.levels}
    assert (' grows' in row) == (GROWS in changes) and (' shrinks' in row) == (SHRINKS in changes)


def test_the_page_has_the_sizes_and_the_commands():
    text = DOCS.read_text(encoding='utf-8')
    sizes = Sizes()
    assert f'side {sizes.side}, {sizes.num_train} to train, {sizes.num_val} to validate, ' \
           f'{sizes.num_test} to test' in text
    assert f'the core: {", ".join(CORE)}' in text


@pytest.mark.parametrize('low, high, word', [
    (.001, .2, AHEAD), (-.2, -.001, BEHIND), (.001, .002, AHEAD), (-.03, .03, LEVEL),
    (-.031, .01, OPEN), (-.01, .05, OPEN)])
def test_level_is_found_and_not_only_left_open(low, high, word):
    """The interval over images and seeds decides; of one seed, that over images."""
    interval, wide = (Interval(0., *ends) for ends in ((low, high), (-1., 1.)))
    for total, images in ((interval, wide), (None, interval)):
        assert outcome(SeedDifference((0., ), images, total, None)) == word
        change = {AHEAD: GROWS, LEVEL: SAME, BEHIND: SHRINKS}.get(word, word)
        assert change_outcome(SeedDifference((0., ), images, total, None)) == change
    assert outcome(SeedDifference((0., ), None, None, None)) is None


@pytest.mark.parametrize('control, of, changed', [
    ('windowloss/ablations/wl_kld_lite0_fpn_closed', 'windowloss/wl_kld_lite0_fpn', {
        'upper_radius': (200, 50)}),
    ('retinanet/ablations/retinanet_lite0_fpn_tolerant', 'retinanet/retinanet_lite0_fpn', {
        'neg_iou_thr': (.4, .1)})])
def test_a_control_differs_in_one_thing(control, of, changed):
    def entries(value, place=''):
        items = (value.items() if isinstance(value, dict) else
                 enumerate(value) if isinstance(value, (list, tuple)) else None)
        if items is None:
            return {place: value}
        return {key: found for name, child in items
                for key, found in entries(child, f'{place}.{name}').items()}

    ours, theirs = (
        entries({key: cfg.get(key).to_dict() for key in (
            'model', 'train_dataloader', 'val_dataloader', 'optim_wrapper', 'train_cfg')})
        for cfg in (load_config(CONFIGS / f'{name}_synthetic.py')
                    for name in (control, of)))
    assert ours.keys() == theirs.keys()
    assert {key.rpartition('.')[2]: (theirs[key], ours[key]) for key in ours
            if ours[key] != theirs[key]} == changed


def test_controls_have_names_of_their_own_and_leave_the_others_theirs():
    systems = ['wl_kld_lite0_fpn_synthetic', 'retinanet_lite0_fpn_synthetic', *CONTROLS]
    assert list(label_study(systems, ROOT / 'results/paper.json').values()) == [
        'WL-KLD', 'RetinaNet', 'WL-KLD, window closed', 'RetinaNet, tolerant anchors']
    assert not any(is_window_loss(system) for system in CONTROLS)
