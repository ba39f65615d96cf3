"""Tables and figures from run folders, with numbers worked by hand."""
import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmwindow.evaluation import ImageEvents, froc_curve
from mmwindow.evaluation.files.records import read_record, write_record
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.hit_rules import DiskOverlap, make_hit_rule
from mmwindow.evaluation.roc import auroc
from mmwindow.evaluation.statistics.folds import mean_over_folds
from mmwindow.experiments.paper_report import (
    choose_reference,
    label_systems,
    make_report,
    read_paper,
)
from mmwindow.experiments.paper_tables import comma_separated
from mmwindow.experiments.recompute import check_results
from mmwindow.experiments.results import load_systems
from mmwindow.experiments.short_events import shorten_events
from mmwindow.experiments.summaries import summarise
from mmwindow.experiments.systems import System, paper_key
from mmwindow.visualization.curves import area_under
from tests.imported_tools import imported_tool

ROOT = Path(__file__).parents[2]
SETTINGS = dict(budgets=[0.1, 0.2, 0.3, 0.4, 0.5], convention='first_crossing', frame_side=1024)
WINDOW = dict(lower_radius=50, upper_radius=200, softness=2)


def positive(img_id, score, recalled_at):
    """An image with one point and no false positive."""
    return ImageEvents(score=score, recall_levels=np.array([recalled_at]), fp_levels=np.zeros(0),
                       fp_changes=np.zeros(0, int), is_positive=True, image_id=img_id)


def normal(img_id, score, fp_level=None):
    """An image without a point, with a false positive from a level on or with none."""
    levels = [] if fp_level is None else [fp_level]
    return ImageEvents(score=score, recall_levels=np.zeros(0), fp_levels=np.array(levels, float),
                       fp_changes=np.ones(len(levels), int), is_positive=False, image_id=img_id)


# Fold 0: both positives above both normals: AUROC 1. One false positive, at 0.5: one FP in four
# images is 0.25 an image, so budgets 0.1 and 0.2 allow none and 0.3 to 0.5 one. Both points are
# recalled above 0.5: recall 1 at every budget.
FOLD_0 = [positive(1, 0.9, 0.9), positive(2, 0.8, 0.8), normal(3, 0.5, 0.5), normal(4, 0.2)]
# Fold 1: of the four pairs (0.9, 0.5) (0.9, 0.1) (0.3, 0.5) (0.3, 0.1) three are right: 0.75. The
# second point is recalled at 0.3, after the false positive at 0.5: recall 0.5 at 0.1 and 0.2, and 1
# from 0.3 on. FROC score (0.5 + 0.5 + 1 + 1 + 1) / 5 = 0.8.
FOLD_1 = [positive(5, 0.9, 0.9), positive(6, 0.3, 0.3), normal(7, 0.5, 0.5), normal(8, 0.1)]
# Pooled: the positives 0.9, 0.8, 0.9 beat all four normals, 0.3 beats 0.2 and 0.1 but neither 0.5:
# (3 * 4 + 2) / 16 = 0.875. Both false positives enter at 0.5, two in eight images
# or 0.25: at 0.1 three of four points, 0.75; FROC score (0.75 + 0.75 + 1 + 1 + 1) / 5 = 0.9.
WORSE_0 = [positive(1, 0.4, 0.4), positive(2, 0.8, 0.8), normal(3, 0.5, 0.5), normal(4, 0.2)]


def write_run(folder, system, fold, events, settings=None, name='fracture', **more):
    run = folder / system / ('single' if fold is None else f'fold{fold}')
    run.mkdir(parents=True)
    state = {**dict(system=system, fold=fold, seed=0, config=f'configs/x/{system}.py',
                    divergence='kld', window=WINDOW, is_ablation=False, command='run it',
                    machine='x86_64', versions=dict(torch='2')), **more}
    (run / 'run.json').write_text(json.dumps(state))
    write_record(run / 'test.json', {name: events}, settings or SETTINGS)
    (run / 'result.json').write_text(json.dumps({**state, 'records': dict(test='test.json')}))
    return run


@pytest.fixture
def two_systems(tmp_path):
    """WL-KLD as worked above; RetinaNet loses an image in fold 0."""
    write_run(tmp_path / 'runs', 'wl_kld_lite0_fpn', 0, FOLD_0)
    write_run(tmp_path / 'runs', 'wl_kld_lite0_fpn', 1, FOLD_1)
    for fold, events in enumerate([WORSE_0, FOLD_1]):
        write_run(tmp_path / 'runs', 'retinanet_lite0_fpn', fold, events, divergence=None,
                  window=None)
    return tmp_path / 'runs'


def load_tool(name):
    with imported_tool(name) as tool:
        return tool


def report(folders, tmp_path, **options):
    options = {**dict(paper=ROOT / 'results/paper.json', num_resamples=100, say=lambda text: None,
                      command_line='tools/make_tables.py'), **options}
    return make_report(folders, tmp_path / 'out', **options)


def test_summary_by_hand(two_systems):
    summary = summarise(load_systems([two_systems])['wl_kld_lite0_fpn'], 'WL-KLD',
                        num_resamples=100)
    metrics = ('auroc', 'recall@0.1', 'froc_score')
    assert {fold: [values[name] for name in metrics] for fold, values in
            summary.mean.folds.items()} == {0: [1., 1., 1.], 1: [0.75, 0.5, pytest.approx(0.8)]}
    # Two numbers a and b: mean (a + b) / 2, sample deviation |a - b| / sqrt(2). Pooled: as above.
    for result in (summary.mean, summary.pooled):
        assert [result.estimates[name] for name in metrics] == pytest.approx([0.875, 0.75, 0.9])
    assert [summary.mean.standard_deviations[name] for name in metrics] == pytest.approx(
        [0.25 / 2 ** 0.5, 0.5 / 2 ** 0.5, 0.2 / 2 ** 0.5])
    for result in (summary.mean, summary.pooled):
        for name, interval in result.intervals.items():
            assert 0 <= interval.low <= result.estimates[name] <= interval.high <= 1
    assert summary.warnings == []


def scaled_systems(folder, factor=0.1):
    """WL-KLD and RetinaNet whose second fold's model gives a tenth of the scores."""
    def scaled(events):
        return [replace(event, score=event.score * factor,
                        recall_levels=event.recall_levels * factor,
                        fp_levels=event.fp_levels * factor) for event in events]

    for name, first in (('wl_kld_lite0_fpn', FOLD_0), ('retinanet_lite0_fpn', WORSE_0)):
        for fold, events in enumerate([first, scaled(FOLD_1)]):
            write_run(folder, name, fold, events)
    return folder


def test_headline_is_the_mean_over_folds_and_a_pooled_number_that_differs_is_said(tmp_path):
    """Scores of the second fold a tenth: the mean stays. Pooled, the positives .9 and .8 beat all
    four negatives, .09 and .03 those of their own fold as before (2 + 1): 11 / 16 = .688."""
    said = []
    tables = report([scaled_systems(tmp_path / 'runs')], tmp_path, results=tmp_path / 'results',
                    say=said.append)
    row = tables['table1']['markdown'][2]
    assert row[0] == 'WL-KLD' and row[1].startswith('0.875 (') and row[2] == '0.177'
    pooled = dict(zip(tables['pooled']['markdown'][0], tables['pooled']['markdown'][2],
                      strict=False))
    assert pooled['AUROC, mean'] == '0.875'
    content = json.loads((tmp_path / 'results/wl_kld_lite0_fpn.json').read_text())
    assert content['headline'] == 'mean over folds' and content['metrics']['froc/auroc'] == 0.875
    assert content['pooled']['metrics']['froc/auroc'] == 11 / 16
    warning = 'WL-KLD, AUROC: 0.688 of all images pooled, 0.875 as the mean over folds'
    assert f'WL-KLD, {content["pooled"]["warnings"][0]}'.startswith(warning)
    assert any(warning in line for line in said)
    text = (tmp_path / 'out/tables.md').read_text()
    assert warning in text and 'units resampled within each fold' in text
    row = dict(zip(*tables['comparisons']['csv'], strict=True))
    assert row['auroc_difference'] == pytest.approx(0.875 - (0.75 + 0.75) / 2)


def test_figures_over_folds_are_the_mean_curves(tmp_path, monkeypatch):
    """What the legends read off them are the headlines: AUROC .875, FROC score .9, not the pooled."""
    drawn = {}
    for name in ('plot_froc', 'plot_roc'):
        monkeypatch.setattr(f'mmwindow.experiments.paper_figures.{name}',
                            lambda curves, path, *rest, name=name, **more: drawn.update(
                                {name: curves['WL-KLD']}))
    report([scaled_systems(tmp_path / 'runs')], tmp_path)
    assert area_under(drawn['plot_roc']) == pytest.approx(0.875)
    assert drawn['plot_froc'].score() == pytest.approx(0.9)


def test_a_patient_in_two_folds_is_rejected_by_name(tmp_path):
    write_run(tmp_path, 'fcos', 0, [replace(event, group='p') for event in FOLD_0[:1]] + FOLD_0[1:])
    write_run(tmp_path, 'fcos', 1, [replace(event, group='p') for event in FOLD_1[:1]] + FOLD_1[1:])
    with pytest.raises(ValueError, match=r"fcos: group 'p' is in fold 0 and in fold 1"):
        summarise(load_systems([tmp_path])['fcos'], 'FCOS', num_resamples=100)


def test_table_1_beside_the_paper(two_systems, tmp_path):
    tables = report([two_systems], tmp_path)
    rows = tables['table1']['markdown']
    assert rows[0] == ['system', 'AUROC', 'sd', 'paper', 'recall@0.1', 'sd', 'paper', 'FROC score',
                       'sd', 'paper']
    # In the paper's order, with its numbers.
    assert [row[0] for row in rows[1:]] == ['RetinaNet', 'WL-KLD']
    assert rows[2][1].startswith('0.875 (')
    assert rows[2][2:4] == ['0.177', '0.983']
    assert rows[2][4].startswith('0.750 (')
    assert rows[2][5:7] == ['0.354', '0.854']
    assert rows[2][8:] == ['0.141', '0.896']
    assert [row[3] for row in rows[1:]] == ['0.969', '0.983']
    text = (tmp_path / 'out/tables.md').read_text()
    assert ('Tested on 8 images of 8 units (patients, or the groups that stand in for them), 4 with '
            'a point, 4 points; ') in text
    assert 'folds 0, 1. Numbers are means over folds' in text and "DeLong's by unit" in text
    assert 'seed 0' in text and 'first_crossing' in text and 'tools/make_tables.py' in text
    with open(tmp_path / 'out/table1.csv', newline='') as stream:
        table = {row['system']: row for row in csv.DictReader(stream)}
    assert float(table['WL-KLD']['auroc']) == 0.875
    assert float(table['WL-KLD']['froc_score_sd']) == pytest.approx(0.2 / 2 ** 0.5)
    assert float(table['RetinaNet']['recall@0.1_paper']) == 0.826
    assert table['WL-KLD']['num_folds'] == '2' and table['WL-KLD']['num_images'] == '8'
    for name in ('figure4.png', 'figure4.svg', 'figure5.png', 'figure5.svg', 'comparisons.csv'):
        assert (tmp_path / 'out' / name).stat().st_size > 0
    assert not list((tmp_path / 'out').glob('*.part'))


def test_comparison_and_where_the_reference_loses(two_systems, tmp_path):
    tables = report([two_systems], tmp_path)
    row = dict(zip(*tables['comparisons']['csv'], strict=True))
    # RetinaNet, fold 0: of 4 pairs 0.4 loses one: .75, mean .75; its point comes after the false
    # positive: recall at 0.1 is 1 / 2 there, and the FROC score .8. All else is the same.
    assert row['system'] == 'RetinaNet'
    assert row['auroc_difference'] == pytest.approx(0.875 - 0.75)
    assert row['recall@0.1_difference'] == pytest.approx(0.25)
    assert row['froc_score_difference'] == pytest.approx(0.9 - 0.8)
    assert row['auroc_difference_p'] is None  # too few patients for a test
    losses = (tmp_path / 'out/tables.md').read_text()
    assert '- AUROC: WL-KLD (0.875) is behind none.' in losses
    report([two_systems], tmp_path, reference='retinanet')
    losses = (tmp_path / 'out/tables.md').read_text()
    assert '- AUROC: RetinaNet (0.750) is behind WL-KLD (0.875).' in losses


def test_one_split_has_no_spread(tmp_path):
    write_run(tmp_path / 'runs', 'wl_mse_r50_fpn', None, FOLD_0, divergence='mse')
    tables = report([tmp_path / 'runs'], tmp_path)
    assert tables['table1']['markdown'][0] == [
        'system', 'AUROC', 'paper', 'recall@0.1', 'paper', 'FROC score', 'paper']
    row = tables['table1']['markdown'][1]
    assert row[0] == 'WL-MSE' and row[2::2] == ['0.979', '0.874', '0.899']
    assert 'comparisons' not in tables and 'table2' not in tables
    assert 'one split' in (tmp_path / 'out/tables.md').read_text()


def test_only_normals_give_no_number_and_no_figure(tmp_path):
    write_run(tmp_path / 'runs', 'wl_kld', None, [normal(1, 0.2), normal(2, 0.4, 0.4)])
    tables = report([tmp_path / 'runs'], tmp_path, results=tmp_path / 'results')
    assert tables['table1']['markdown'][1] == [
        'WL-KLD', 'none', '0.983', 'none', '0.854', 'none', '0.896']
    assert not (tmp_path / 'out/figure5.png').exists()
    content = json.loads((tmp_path / 'results/wl_kld.json').read_text())
    assert content['metrics'] == {}
    assert 'there are 2 images, 0 with and 2 without' in content['no_number']['auroc']


def test_ablations_in_the_papers_order(tmp_path):
    """The main config stands in the row of its window; rows that were not run say so."""
    write_run(tmp_path / 'runs', 'wl_kld_r50_fpn', None, FOLD_0)
    write_run(tmp_path / 'runs', 'wl_kld_wide', None, FOLD_0, is_ablation=True,
              window=dict(WINDOW, lower_radius=100))
    write_run(tmp_path / 'runs', 'wl_kld_new', None, FOLD_0, is_ablation=True,
              window=dict(WINDOW, lower_radius=20))
    write_run(tmp_path / 'runs', 'wl_mse_r50_fpn', None, FOLD_0, divergence='mse')
    tables = report([tmp_path / 'runs'], tmp_path)
    assert 'table2' not in tables  # no ablation of MSE
    rows = tables['table3']['markdown']
    assert [row[:3] for row in rows[1:]] == [
        ['2', '50', '200'], ['2', '100', '200'], ['2', '150', '200'], ['0.4', '50', '200'],
        ['5', '50', '200'], ['10', '50', '200'], ['0', '50', '50'], ['2', '50', '50'],
        ['2', '20', '200']]
    assert [row[3].startswith('1.000 (') for row in rows[1:]] == [
        True, True, False, False, False, False, False, False, True]
    assert rows[3][3:5] == ['not run', '0.984']
    assert [row[1] for row in tables['table3']['csv'][1:]] == ['50', '100', '20']
    # Ablations are no rows of Table 1.
    assert [row[0] for row in tables['table1']['markdown'][1:]] == ['WL-MSE', 'WL-KLD']


def test_ablations_alone_are_summarised_once_each(tmp_path):
    for number in range(3):
        write_run(tmp_path / 'runs', f'wl_kld_{number}', None, FOLD_0, is_ablation=True,
                  window=dict(WINDOW, lower_radius=100 + number))
    lines = []
    tables = report([tmp_path / 'runs'], tmp_path, say=lines.append)
    assert [line for line in lines if ' of 3: ' in line] == [
        f'{number + 1} of 3: wl_kld_{number}, 100 resamples' for number in range(3)]
    assert len(tables['table1']['csv']) == 4


def test_a_changed_part_stands_below_its_system(tmp_path):
    """Worked by hand: fold 1 alone differs, by 0.25 in AUROC, half of it in the mean of two folds."""
    for fold, events, changed in ((0, FOLD_0, FOLD_0), (1, FOLD_1, [
            positive(5, 0.9, 0.9), positive(6, 0.6, 0.6), normal(7, 0.5, 0.5), normal(8, 0.1)])):
        beyond = dict(divergence=None)  # a Window Loss with steps beyond the paper's
        write_run(tmp_path / 'runs', 'wl_plus_lite0_fpn', fold, events, **beyond)
        write_run(tmp_path / 'runs', 'wl_plus_lite0_fpn_closed', fold, changed, is_ablation=True,
                  **beyond)
        write_run(tmp_path / 'runs', 'retinanet_lite0_fpn_box100', fold, events, is_ablation=True,
                  divergence=None, window=None)  # its system is not there: no row
    tables = report([tmp_path / 'runs'], tmp_path, results=tmp_path / 'results')
    assert [row[0] for row in tables['table1']['markdown'][1:]] == ['WL+']
    head, system, changed = tables['changed_parts']['markdown']
    assert (system[0], changed[0]) == ('WL+', 'wl_plus_lite0_fpn_closed')
    assert system[4:] == [''] * 6
    assert [cell.split(' ')[0] for cell in changed[1:4]] == ['1.000', '1.000', '1.000']
    # Recall at 0.1 in fold 1: 0.5 and 1; FROC score: 0.8 and 1.
    assert dict(zip(head, [cell.split(' ')[0] for cell in changed], strict=True)).items() >= {
        'AUROC, difference': '+0.125', 'recall@0.1, difference': '+0.250',
        'FROC score, difference': '+0.100'}.items()
    plain = dict(zip(*(tables['changed_parts']['csv'][row] for row in (0, 2)), strict=True))
    assert plain['froc_score_difference'] == pytest.approx(0.1)
    text = (tmp_path / 'out/tables.md').read_text()
    assert '## Systems with a part changed' in text
    assert 'retinanet_lite0_fpn_box100' not in (tmp_path / 'out/changed_parts.md').read_text()
    again = make_report([tmp_path / 'results'], tmp_path / 'again', ROOT / 'results/paper.json',
                        num_resamples=100, say=lambda text: None)
    assert again['changed_parts'] == tables['changed_parts']


def test_an_ablation_of_the_main_window_does_not_replace_the_main_config(tmp_path):
    """By name the ablation comes first; the row is that of the main config, of AUROC 1, not 0.5."""
    write_run(tmp_path / 'runs', 'wl_kld_lite0_fpn', None, FOLD_0)
    write_run(tmp_path / 'runs', 'wl_kld_again', None, [
        *FOLD_0[:1], positive(2, 0.1, 0.1), *FOLD_0[2:]], is_ablation=True)
    table = report([tmp_path / 'runs'], tmp_path)['table3']
    rows = [row for row in table['markdown'][1:] if 'not run' not in row]
    assert [row[:3] for row in rows] == [['2', '50', '200']] and rows[0][3].startswith('1.000 (')
    assert [(row[3], row[4]) for row in table['csv'][1:]] == [('wl_kld_lite0_fpn', 1.)]


def test_configs_of_one_window_have_a_row_each(tmp_path):
    """Two main configs, and two ablations of another window; of AUROC 1 and 0.5 each."""
    worse = [*FOLD_0[:1], positive(2, 0.1, 0.1), *FOLD_0[2:]]
    for name, events, more in (
            ('wl_kld_lite0_fpn', FOLD_0, {}), ('wl_kld_r50_fpn', worse, {}),
            ('wl_kld_wide', FOLD_0, dict(is_ablation=True, window=dict(WINDOW, lower_radius=100))),
            ('wl_kld_w', worse, dict(is_ablation=True, window=dict(WINDOW, lower_radius=100.)))):
        write_run(tmp_path / 'runs', name, None, events, **more)
    table = report([tmp_path / 'runs'], tmp_path)['table3']
    rows = [row for row in table['markdown'][1:] if 'not run' not in row]
    assert [(row[:3], row[3][:5]) for row in rows] == [
        (['2 (wl_kld_lite0_fpn)', '50', '200'], '1.000'),
        (['2 (wl_kld_r50_fpn)', '50', '200'], '0.500'),
        (['2 (wl_kld_w)', '100', '200'], '0.500'), (['2 (wl_kld_wide)', '100', '200'], '1.000')]
    assert [row[:4] for row in table['csv'][1:]] == [
        ['2', '50', '200', 'wl_kld_lite0_fpn'], ['2', '50', '200', 'wl_kld_r50_fpn'],
        ['2', '100', '200', 'wl_kld_w'], ['2', '100', '200', 'wl_kld_wide']]


# Refused, with what differs.

def test_a_system_is_read_by_the_rule_of_its_records():
    own = dict(SETTINGS, budgets=[.1, 2.], convention='best', fp_denominator='normals',
               statistics=['sensitivity_at_specificity_0.9'])
    assert System('a', {}, {}, own).froc_settings() == FROCSettings(
        (.1, 2.), 'best', 'normals', DiskOverlap())
    assert System('a', {}, {}, dict(own, rule='distance', hit_radius=20)).froc_settings() == (
        FROCSettings((.1, 2.), 'best', 'normals', make_hit_rule('distance', hit_radius=20)))
    # Records of version 0.1 name no denominator.
    assert System('a', {}, {}, SETTINGS).froc_settings() == FROCSettings()


def test_a_run_without_result_is_refused_by_name(two_systems):
    (two_systems / 'retinanet_lite0_fpn/fold1/result.json').unlink()
    with pytest.raises(ValueError, match='retinanet_lite0_fpn/fold1: the run has no result yet'):
        load_systems([two_systems])


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(ValueError, match='there is no run in it'):
        load_systems([tmp_path])


def test_systems_tested_on_different_images_are_refused(two_systems):
    write_run(two_systems, 'fcos', 0, [*FOLD_0[:3], normal(9, 0.2)])
    write_run(two_systems, 'fcos', 1, FOLD_1)
    with pytest.raises(ValueError, match='fcos and retinanet_lite0_fpn, fold 0: tested on different '
                                         'images: only the first has images 9; only the second has '
                                         'images 4'):
        load_systems([two_systems])


def test_systems_with_different_points_are_refused(two_systems):
    write_run(two_systems, 'fcos', 0, [*FOLD_0[:3], positive(4, 0.2, 0.2)])
    write_run(two_systems, 'fcos', 1, FOLD_1)
    with pytest.raises(ValueError, match='the points differ on images 4'):
        load_systems([two_systems])


def test_systems_with_different_folds_are_refused_and_common_ones_chosen(two_systems):
    write_run(two_systems, 'fcos', 0, FOLD_0)
    with pytest.raises(ValueError, match='fcos has fold 0, retinanet_lite0_fpn has fold 0, fold 1'):
        load_systems([two_systems])
    assert [list(system.events) for system in load_systems([two_systems], only=[0]).values()] == [
        [0], [0], [0]]
    with pytest.raises(ValueError, match=r'none of the runs is of the folds \[7\]'):
        load_systems([two_systems], only=[7])


def test_different_settings_are_refused(two_systems):
    for fold, events in enumerate([FOLD_0, FOLD_1]):
        write_run(two_systems, 'fcos', fold, events, settings={**SETTINGS, 'hit_radius': 30})
    with pytest.raises(ValueError, match='different settings: hit_radius 30 and None'):
        load_systems([two_systems])


def test_an_image_tested_in_two_folds_is_refused(tmp_path):
    write_run(tmp_path, 'fcos', 0, FOLD_0)
    write_run(tmp_path, 'fcos', 1, [*FOLD_1, normal(4, 0.1)])
    with pytest.raises(ValueError, match='image 4 is tested in fold 0 and in fold 1'):
        load_systems([tmp_path])


def test_one_run_given_twice_is_refused(tmp_path):
    write_run(tmp_path / 'a', 'fcos', 0, FOLD_0)
    write_run(tmp_path / 'b', 'fcos', 0, FOLD_0)
    with pytest.raises(ValueError, match='are both fold 0 of fcos'):
        load_systems([tmp_path / 'a', tmp_path / 'b'])


def test_budgets_without_a_tenth_are_refused(tmp_path):
    write_run(tmp_path, 'fcos', 0, FOLD_0, settings={**SETTINGS, 'budgets': [1., 2.]})
    with pytest.raises(ValueError, match='the tables report recall at 0.1'):
        summarise(load_systems([tmp_path])['fcos'], 'FCOS')


# Result files.

def test_result_files_feed_the_readme_and_give_the_same_numbers(two_systems, tmp_path):
    report([two_systems], tmp_path, results=tmp_path / 'results')
    content = json.loads((tmp_path / 'results/wl_kld_lite0_fpn.json').read_text())
    assert content['metrics']['froc/auroc'] == 0.875
    assert content['over_folds']['auroc'] == dict(mean=0.875, sd=pytest.approx(0.25 / 2 ** 0.5))
    assert content['data'] == dict(num_images=8, num_positives=4, num_points=4)
    assert [run['fold'] for run in content['runs']] == [0, 1]
    assert content['runs'][0]['command'] == 'run it'
    other = json.loads((tmp_path / 'results/retinanet_lite0_fpn.json').read_text())
    assert other['reference_minus_this']['differences']['auroc']['difference'] == 0.125
    events = read_record(tmp_path / 'results' / content['events']).events()
    assert froc_curve(events).score() == pytest.approx(0.9)
    def shown(key):
        interval = content['intervals'][key]
        return (f'{content["metrics"][key]:.3f} '
                f'({interval["low"]:.3f} to {interval["high"]:.3f})')

    lines = load_tool('update_readme').result_rows(tmp_path / 'results').splitlines()
    assert lines[2] == ('| WL-KLD | ' + ' | '.join(
        shown(f'froc/{name}') for name in ('auroc', 'recall@0.1', 'froc_score')) + ' |')
    assert lines[2].startswith('| WL-KLD | 0.875 (')
    # The commands, each once: that of the runs, then that of the tables.
    assert lines[lines.index('```') + 1:-1] == ['run it', content['command']]


def test_commands_that_differ_in_their_folds_alone_are_one():
    """Folds trained by a command each take one line of a page; nothing else is joined."""
    join = load_tool('update_readme').join_folds
    assert join([]) == []
    assert join(['folds a --only 3 --amp', 'folds b --only 1 --amp', 'folds a --only 0 10 --amp',
                 'folds a --amp', 'folds a --only 3', 'folds a --only 1 --amp', 'folds a --amp',
                 'tune --only {} x={}', 'folds a --only all']) == [
        'folds a --only 0 1 3 10 --amp', 'folds b --only 1 --amp', 'folds a --amp',
        'folds a --only 3', 'tune --only {} x={}', 'folds a --only all']
    assert join(['folds a --only 2 --out b --only 1', 'folds a --only 0 --out b --only 1']) == [
        'folds a --only 0 2 --out b --only 1']


def test_many_commands_are_folded_away():
    """Two stand below a table, three behind a line to click; blank lines make Markdown of it."""
    render = load_tool('update_readme').render_page
    assert render([['a']], ['x', 'y']).endswith('\n\nMade by\n\n```\nx\ny\n```')
    assert render([['a']], ['x', 'y', 'z']).endswith(
        '\n\n<details><summary>Made by 3 commands</summary>\n\n```\nx\ny\nz\n```\n\n</details>')


def test_settings_stand_in_one_table_each_on_its_most_folds(tmp_path):
    def file(num_folds, *settings):
        return dict(
            command=f'tune {num_folds}', reference='plain',
            candidates=[dict(system='wl', setting=name, num_folds=num_folds, metrics={
                'froc/auroc': value, 'froc/recall@0.1': .5, 'froc/froc_score': None})
                for name, value in (('plain', .9 + num_folds / 100), *settings)],
            differences=[dict(system='wl', setting=name, metric='auroc', difference=value - .9,
                              low=-.25, high=.25) for name, value in settings])
    for num_folds, settings in ((1, (('long', .95), ('big', .875))), (2, (('long', .8), ))):
        (tmp_path / f'{num_folds}.json').write_text(json.dumps(file(num_folds, *settings)))
    rows = [line.strip('| ').split(' | ')
            for line in load_tool('update_readme').setting_rows(tmp_path).splitlines()]
    assert rows[0] == ['system', 'setting', 'folds', 'AUROC', 'recall@0.1', 'FROC score',
                       'AUROC, minus the reference']
    assert rows[2:5] == [
        ['wl', 'plain', '2', '0.920', '0.500', 'none', 'reference'],
        ['wl', 'long', '2', '0.800', '0.500', 'none', '-0.100 (-0.250 to +0.250)'],
        ['wl', 'big', '1', '0.875', '0.500', 'none', '-0.025 (-0.250 to +0.250)']]


def test_settings_name_their_test_and_how_many_folds_would_tell(tmp_path):
    # One with another of two folds: its deviation tells the number to a factor of 1000.
    for num_folds, name in ((3, 'wl'), (2, 'box')):
        (tmp_path / f'{name}.json').write_text(json.dumps(dict(
            command='tune', reference='plain',
            candidates=[dict(system=name, setting=setting, num_folds=num_folds, metrics={
                'froc/auroc': .9, 'froc/recall@0.1': .5, 'froc/froc_score': value})
                for setting, value in (('plain', .75), ('long', .78))],
            differences=[dict(system=name, setting='long', metric='froc_score', difference=.03,
                              low=.01, high=.05, p_holm=.0004, runs_to_see_a_hundredth=13)])))
    lines = load_tool('update_readme').setting_rows(tmp_path).splitlines()
    rows = [line.strip('| ').split(' | ') for line in lines]
    assert rows[0][6:] == ['FROC score, minus the reference', 'FROC score: p, corrected',
                           'folds to see .01']
    assert [row[6:] for row in (rows[3], rows[5])] == [
        ['+0.030 (+0.010 to +0.050)', '< 0.001', 'not known'],
        ['+0.030 (+0.010 to +0.050)', '< 0.001', '13']]
    # chi-squared of two degrees at 2.5 and 97.5 %: 0.0506 and 7.378
    assert lines[7].endswith('3 folds tell it to a factor of 0.3 to 39, fewer do not.')


def random_events(generator, num_images, first_id):
    """Images whose false positives come and go, as those of a map do."""
    events = []
    for index in range(num_images):
        levels = np.sort(generator.choice(200, size=8, replace=False) / 200.)[::-1]
        changes = np.array([1, 1, -1, 1, 1, -1, 1, 1])
        is_positive = index % 2 == 0
        events.append(ImageEvents(
            score=float(levels[0]), recall_levels=generator.random(2 if is_positive else 0),
            fp_levels=levels, fp_changes=changes, is_positive=is_positive,
            image_id=first_id + index))
    return events


def test_shortened_events_keep_every_number():
    generator = np.random.default_rng(0)
    for _ in range(20):
        folds = {0: random_events(generator, 12, 0), 1: random_events(generator, 13, 100)}
        system = System('a', {}, folds, SETTINGS, 'fracture')
        short = shorten_events(system)
        for full, kept in ((system.pooled, short), (folds[0], short[:12]), (folds[1], short[12:])):
            for budget in SETTINGS['budgets']:
                assert froc_curve(kept).recall_at(budget) == froc_curve(full).recall_at(budget)
                assert froc_curve(kept).threshold_at(budget) == froc_curve(full).threshold_at(budget)
        assert sum(len(event.fp_levels) for event in short) < 0.7 * 8 * 25
        whole = shorten_events(System('a', {}, folds, {**SETTINGS, 'convention': 'best'}, ''))
        assert sum(len(event.fp_levels) for event in whole) == 8 * 25


def test_resamples_of_few_patients_know_all_that_they_need_of_shortened_events():
    """Five folds of six patients, whose resamples may spend less than half: the floor is lower."""
    generator = np.random.default_rng(1)
    folds = {}
    for fold in range(5):
        events = random_events(generator, 18, 100 * fold)
        folds[fold] = [replace(event, group=f'{fold}/{number % 6}',
                               fp_levels=event.fp_levels[:(number % 6) * 2],
                               fp_changes=event.fp_changes[:(number % 6) * 2])
                       for number, event in enumerate(events)]
    system = System('a', {}, folds, SETTINGS, 'fracture')
    short = shorten_events(system)
    again = {fold: [event for event in short if event.fields['fold'] == fold] for fold in folds}
    ours, full = mean_over_folds(again), mean_over_folds(folds)
    assert ours.estimates == full.estimates and ours.intervals == full.intervals


def test_events_too_large_to_commit_are_left_out_aloud(two_systems, tmp_path, monkeypatch):
    monkeypatch.setattr('mmwindow.experiments.result_files.MAX_EVENTS_BYTES', 100)
    monkeypatch.setattr('mmwindow.experiments.result_files.MAX_IMAGE_BYTES', 1)
    said = []
    options = dict(num_resamples=100, results=tmp_path / 'results', say=said.append)
    make_report([two_systems], tmp_path / 'out', **options)
    assert not list((tmp_path / 'results/events').iterdir())
    assert any('are left out (limit 100)' in line for line in said)


# The paper's numbers, names and figures.

@pytest.mark.parametrize('change, what', [
    (dict(settings_mark='b'), 'settings: configs, options'), (dict(seed=7), 'seed 0 and 7'),
    (dict(divergence='mse'), 'divergence kld and mse')])
def test_folds_of_other_settings_are_not_pooled(tmp_path, change, what):
    write_run(tmp_path, 'a', 0, FOLD_0, settings_mark='a')
    write_run(tmp_path, 'a', 1, FOLD_1, **{'settings_mark': 'a', **change})
    with pytest.raises(ValueError, match=f'a: fold 0 and fold 1 were trained with different {what}'):
        load_systems([tmp_path])


def test_images_of_one_id_from_two_data_sets_are_told_apart(tmp_path):
    def named(events, prefix):
        return [replace(event, fields=dict(file_name=f'{prefix}{event.image_id}.png'))
                for event in events]

    write_run(tmp_path, 'a', 0, named(FOLD_0, 'here'))
    run = write_run(tmp_path, 'b', 0, named(FOLD_0, 'there'))
    with pytest.raises(ValueError, match='the file names differ on images 1, 2, 3, 4'):
        load_systems([tmp_path])
    shutil.rmtree(run)
    write_run(tmp_path, 'b', 0, FOLD_0)  # which says no names
    assert set(load_systems([tmp_path])) == {'a', 'b'}


def test_points_that_were_moved_are_told_apart(tmp_path):
    for system, digest in (('a', 'one'), ('b', 'two')):
        run = write_run(tmp_path, system, 0, FOLD_0)
        result = json.loads((run / 'result.json').read_text())
        (run / 'result.json').write_text(json.dumps({**result, 'points_digest': digest}))
    with pytest.raises(ValueError, match='same images with other points .digests one and two'):
        load_systems([tmp_path])


def test_a_result_without_its_run_file_is_read(tmp_path):
    (write_run(tmp_path, 'a', 0, FOLD_0) / 'run.json').unlink()
    assert set(load_systems([tmp_path])) == {'a'}


def test_a_figure_that_cannot_be_made_does_not_stay(tmp_path):
    write_run(tmp_path / 'runs', 'wl_kld', 0, FOLD_0)
    write_run(tmp_path / 'runs', 'fcos', 0, WORSE_0)
    report([tmp_path / 'runs'], tmp_path)
    assert (tmp_path / 'out/figure4.png').exists() and (tmp_path / 'out/comparisons.csv').exists()
    (tmp_path / 'out/mine.txt').write_text('mine')
    write_run(tmp_path / 'others', 'wl_kld', 0, FOLD_0[:2])  # positives alone: no ROC
    report([tmp_path / 'others'], tmp_path)
    assert not (tmp_path / 'out/figure4.png').exists()
    assert not (tmp_path / 'out/comparisons.csv').exists()
    assert 'figure4' not in (tmp_path / 'out/tables.md').read_text()
    assert (tmp_path / 'out/mine.txt').exists()


@pytest.mark.parametrize('marker', ['results:nothing', 'choices:nothing', 'tables:fracatlas'])
def test_a_marker_that_means_no_table_is_refused(marker):
    with pytest.raises(SystemExit, match=f'<!-- {marker} -->: one of results, choices.* a folder'):
        load_tool('update_readme').render(f'<!-- {marker} -->\n<!-- end -->')


def test_papers_numbers_agree_with_the_ablation_configs():
    """Each ablation names its row's numbers in a comment, copied from the paper on its own."""
    paper = read_paper(ROOT / 'results/paper.json')
    pattern = re.compile(r'Table ([23]): AUROC (\.\d+), recall@0\.1 ([\d.]+), FROC ([\d.]+)')
    found = 0
    for path in sorted((ROOT / 'configs/windowloss/ablations').glob('*_tau*.py')):
        table, *numbers = pattern.search(path.read_text()).groups()
        tau, lower, upper = re.search(r'tau([\dp]+)_lower(\d+)_upper(\d+)', path.stem).groups()
        window = dict(softness=float(tau.replace('p', '.')), lower_radius=float(lower),
                      upper_radius=float(upper))
        row, = [row for row in paper[f'table{table}']
                if all(row[key] == value for key, value in window.items())]
        assert [row['auroc'], row['recall@0.1'] * 100, row['froc_score'] * 100] == pytest.approx(
            [float(text) for text in numbers])
        found += 1
    assert found == len(paper['table2']) + len(paper['table3']) == 16


def test_default_rows_of_the_tables_agree():
    paper = read_paper(ROOT / 'results/paper.json')
    rows = {row['system']: row for row in paper['table1']}
    assert len(rows) == 8
    for table, system in (('table2', 'wl_mse'), ('table3', 'wl_kld')):
        for metric in ('auroc', 'recall@0.1', 'froc_score'):
            assert paper[table][0][metric] == rows[system][metric]


@pytest.mark.parametrize('rule, words, shown', [
    (dict(rule='disk_overlap', hit_radius=50., max_overlap=0.1),
     'disk_overlap (hit radius 50, max overlap 0.1)', True),
    (dict(rule='distance', hit_radius=50.), 'distance (hit radius 50)', False),
    (dict(rule='disk_overlap', hit_radius=25., max_overlap=0.1),
     'disk_overlap (hit radius 25, max overlap 0.1)', False),
    (dict(convention='best'), 'disk_overlap', False),
    (dict(budgets=[0.1, 1.]), 'disk_overlap', False),
    (dict(fp_denominator='normals'), 'disk_overlap', False)])
def test_papers_recalls_stand_only_beside_numbers_of_its_rule(tmp_path, rule, words, shown):
    write_run(tmp_path / 'runs', 'wl_kld_lite0_fpn', 0, FOLD_0, settings={**SETTINGS, **rule})
    report([tmp_path / 'runs'], tmp_path)
    assert f'Hit rule {words}, FROC' in (tmp_path / 'out/tables.md').read_text()
    with open(tmp_path / 'out/table1.csv', newline='') as stream:
        row, = csv.DictReader(stream)
    assert row['auroc_paper'] == '0.983'
    assert (row['recall@0.1_paper'], row['froc_score_paper']) == (
        ('0.854', '0.896') if shown else ('', ''))


def test_paper_file_is_checked(tmp_path):
    assert read_paper(None) == {}
    with pytest.raises(ValueError, match='there is no such file'):
        read_paper(tmp_path / 'none.json')


def test_a_config_is_named_after_the_papers_system():
    keys = ['wl_kld', 'wl_mse', 'fcos']
    assert paper_key('wl_kld_lite0_fpn', keys) == 'wl_kld'
    assert paper_key('fcos', keys) == 'fcos'
    assert paper_key('fcosine_r50', keys) is None
    paper = dict(table1=[dict(system='fcos', label='FCOS', auroc=0.9)])
    both = label_systems(dict(fcos_small={}, fcos_large={}), paper)
    assert both.labels == dict(fcos_large='fcos_large', fcos_small='fcos_small')
    assert both.paper['fcos_small'] == dict(auroc=0.9)
    ours = label_systems(dict(wl_plus_lite0_fpn={}, aaa={}, fcos={}), paper)
    assert list(ours.labels.items()) == [('fcos', 'FCOS'), ('wl_plus_lite0_fpn', 'WL+'),
                                         ('aaa', 'aaa')]
    assert ours.paper['wl_plus_lite0_fpn'] == {}


def test_reference_is_wl_kld_or_what_is_asked_for():
    names = ['wl_kld_r50', 'wl_mse_r50']
    assert choose_reference(names) == 'wl_kld_r50'
    assert choose_reference(['fcos']) is None
    assert choose_reference(['wl_plus_lite0_fpn', 'wl_kld_r50'], 'WL+') == 'wl_plus_lite0_fpn'
    assert choose_reference(['wl_plus_lite0_fpn', 'wl_kld_r50'], 'WL-KLD') == 'wl_kld_r50'
    assert choose_reference(names, 'wl_mse') == 'wl_mse_r50'
    with pytest.raises(ValueError, match="'retinanet' names none"):
        choose_reference(names, 'retinanet')


def test_cells():
    assert comma_separated([['a', 'b'], [None, float('nan')], ['x, y', 1]]) == 'a,b\n,\n"x, y",1\n'


def test_full_recall_has_an_interval_of_a_width(tmp_path):
    """Both of two points recalled: no resample says anything else, and still 1 is not certain."""
    write_run(tmp_path, 'fcos', None, FOLD_0)
    interval = summarise(load_systems([tmp_path])['fcos'], 'FCOS',
                         num_resamples=100).mean.intervals['recall@0.1']
    assert interval.low < 0.5 and interval.high == 1 and 'only 4 patients' in interval.note


# Result files read back.

@pytest.fixture
def results(two_systems, tmp_path):
    report([two_systems], tmp_path, results=tmp_path / 'results')
    return tmp_path / 'results'


def test_tables_from_result_files_are_those_from_runs(results, tmp_path):
    """Folds, means, intervals and p-values; and the files written again are the same."""
    from_runs = {path.name: path.read_bytes() for path in (tmp_path / 'out').glob('*.csv')}
    again = tmp_path / 'again'
    make_report([results], again, paper=ROOT / 'results/paper.json', num_resamples=100,
                results=tmp_path / 'second', say=lambda text: None,
                command_line='tools/make_tables.py')
    assert set(from_runs) == {'table1.csv', 'pooled.csv', 'comparisons.csv'}
    assert {name: (again / name).read_bytes() for name in from_runs} == from_runs
    for name in ('wl_kld_lite0_fpn.json', 'events/retinanet_lite0_fpn.json'):
        assert json.loads((tmp_path / 'second' / name).read_text()) == json.loads(
            (results / name).read_text())
    assert list(load_systems([results], only=[1])['wl_kld_lite0_fpn'].events) == [1]


def test_a_new_run_is_compared_with_result_files(results, tmp_path):
    for fold, events in enumerate([FOLD_0, FOLD_1]):
        write_run(tmp_path / 'new', 'fcos', fold, events)
    assert list(load_systems([results, tmp_path / 'new'])) == [
        'fcos', 'retinanet_lite0_fpn', 'wl_kld_lite0_fpn']
    write_run(tmp_path / 'other', 'fcos', 0, [*FOLD_0[:3], normal(9, 0.2)])
    write_run(tmp_path / 'other', 'fcos', 1, FOLD_1)
    with pytest.raises(ValueError, match='fold 0: tested on different images'):
        load_systems([results, tmp_path / 'other'])


def test_a_fold_given_twice_is_refused(results, two_systems, tmp_path):
    with pytest.raises(ValueError, match=f'{results}/retinanet_lite0_fpn.json and {two_systems}/'
                                         'retinanet_lite0_fpn/fold0 both hold fold 0 of retinanet'):
        load_systems([results, two_systems])
    shutil.copytree(results, tmp_path / 'copy')
    with pytest.raises(ValueError, match=f'{results}/retinanet_lite0_fpn.json and {tmp_path}/copy/'
                                         'retinanet_lite0_fpn.json both hold fold 0 of retinanet'):
        load_systems([results, tmp_path / 'copy'])


def test_runs_replace_the_result_files_that_are_written_anew(results, two_systems, tmp_path):
    shutil.rmtree(two_systems / 'retinanet_lite0_fpn')
    report([results, two_systems], tmp_path, results=results)
    assert json.loads((results / 'wl_kld_lite0_fpn.json').read_text())['metrics'][
        'froc/auroc'] == 0.875
    with pytest.raises(ValueError, match='both hold fold 0 of wl_kld_lite0_fpn; give one'):
        report([results, two_systems], tmp_path, results=tmp_path / 'elsewhere')


@pytest.fixture
def filed_fold(two_systems, tmp_path):
    """Fold 0 of both systems as result files, its runs gone."""
    report([two_systems], tmp_path, results=tmp_path / 'fold0', only=[0])
    for run in two_systems.glob('*/fold0'):
        shutil.rmtree(run)
    return tmp_path / 'fold0'


def test_folds_of_two_machines_are_joined(results, filed_fold, two_systems, tmp_path):
    """A result file with fold 0 and the run of fold 1 give what the runs of both give."""
    for number, folders in enumerate([[filed_fold, two_systems], [two_systems, filed_fold]]):
        report(folders, tmp_path, results=tmp_path / f'joined{number}')
        for name in ('wl_kld_lite0_fpn.json', 'retinanet_lite0_fpn.json',
                     'events/wl_kld_lite0_fpn.json', 'events/retinanet_lite0_fpn.json'):
            assert json.loads((tmp_path / f'joined{number}' / name).read_text()) == json.loads(
                (results / name).read_text())
    report([two_systems], tmp_path, results=tmp_path / 'fold1')
    assert json.loads((tmp_path / 'fold1/wl_kld_lite0_fpn.json').read_text())[
        'metrics']['froc/auroc'] == 0.75
    joined = load_systems([filed_fold, tmp_path / 'fold1'])['wl_kld_lite0_fpn']
    assert list(joined.events) == [0, 1]
    assert summarise(joined, 'WL-KLD', num_resamples=100).mean.estimates['auroc'] == 0.875


def test_a_fold_trained_again_replaces_its_own_alone(results, two_systems, tmp_path):
    """The other fold of the file that is written again stays: AUROC (1 + 0.5) / 2."""
    shutil.rmtree(two_systems)
    write_run(tmp_path / 'again', 'wl_kld_lite0_fpn', 1,
              [positive(5, 0.4, 0.9), positive(6, 0.3, 0.3), normal(7, 0.5, 0.5), normal(8, 0.1)])
    report([results, tmp_path / 'again'], tmp_path, results=results)
    assert json.loads((results / 'wl_kld_lite0_fpn.json').read_text())['metrics'][
        'froc/auroc'] == 0.75


@pytest.mark.parametrize('change, words', [
    (dict(seed=1), 'fold 0 and fold 1 were trained with different seed 0 and 1'),
    (dict(weights='last'), 'tested with different weights, best and last'),
    (dict(settings={**SETTINGS, 'overlap_ratio': 0.04}), 'were scored with different settings: '
                                                         'overlap_ratio'),
    (dict(events=FOLD_0), 'image 1 is tested in fold 0 and in fold 1')])
def test_folds_that_are_not_of_one_system_are_not_joined(filed_fold, tmp_path, change, words):
    write_run(tmp_path / 'new', 'wl_kld_lite0_fpn', 1, **{'events': FOLD_1, **change})
    with pytest.raises(ValueError, match=words):
        load_systems([filed_fold, tmp_path / 'new'])


def test_pooled_numbers_that_filed_folds_no_longer_give_are_refused(tmp_path):
    """Of fold 0 alone nothing below its own floor is filed; fold 1 scores all ten times lower."""
    generator = np.random.default_rng(0)
    for fold, (num_images, factor) in enumerate([(12, 1), (120, .1)]):
        events = [replace(event, score=event.score * factor, fp_levels=event.fp_levels * factor,
                          recall_levels=event.recall_levels * factor)
                  for event in random_events(generator, num_images, 100 * fold)]
        write_run(tmp_path / f'runs{fold}', 'fcos', fold, events)
    report([tmp_path / 'runs0'], tmp_path, results=tmp_path / 'fold0')
    with pytest.raises(ValueError, match='at the floor .* of the events'):
        report([tmp_path / 'fold0', tmp_path / 'runs1'], tmp_path)


def test_events_of_another_system_are_refused(results):
    shutil.copy(results / 'events/wl_kld_lite0_fpn.json', results / 'events/retinanet_lite0_fpn.json')
    with pytest.raises(ValueError, match=r'retinanet_lite0_fpn.json: its auroc is 0.7500, but its '
                                         r'events give 0.8750'):
        load_systems([results])


def test_result_files_that_do_not_fit_their_events_are_refused(results):
    path = results / 'retinanet_lite0_fpn.json'
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, 'runs': content['runs'][:1]}))
    with pytest.raises(ValueError, match=r'it holds 4 images of the folds \[0\]; .* tells of 8'):
        load_systems([results])
    path.write_text(json.dumps({**content, 'events': None}))
    with pytest.raises(ValueError, match='the events were left out because of their size'):
        load_systems([results])
    path.write_text(json.dumps(content))
    (results / content['events']).unlink()
    with pytest.raises(ValueError, match='retinanet_lite0_fpn.json: the record .*cannot be read'):
        load_systems([results])


def test_committed_tables_are_made_of_the_committed_results():
    """Each number of the committed tables, without the bootstrap, from the committed events."""
    for folder in [path.parent for path in (ROOT / 'results').glob('*/tables')]:
        systems = load_systems([folder])
        rows = {}
        for path in [folder / 'tables/table1.csv', *folder.glob('tables/changed_parts.csv')]:
            with open(path, newline='') as stream:
                rows |= {row['config']: row for row in csv.DictReader(stream)}
        assert set(rows) == set(systems)
        for name, system in systems.items():
            folds = []
            for events in system.events.values():
                curve, labels = froc_curve(events), [event.is_positive for event in events]
                folds.append({'auroc': auroc(labels, [event.score for event in events]),
                              'froc_score': curve.score(), 'recall@0.1': curve.recall_at(0.1)})
            found = {key: sum(fold[key] for fold in folds) / len(folds) for key in folds[0]}
            assert found == pytest.approx({key: float(rows[name][key]) for key in found}), name


def test_folds_that_are_not_there_are_named(two_systems, results):
    for place in (two_systems, results):
        with pytest.raises(ValueError, match='has no fold 2, 9; of those asked for it has fold 0$'):
            load_systems([place], only=[0, 2, 9])


@pytest.mark.parametrize('how', [dict(only=[0]), dict(class_name='fracture'), {}])
def test_events_of_another_run_are_refused_however_they_are_read(results, how):
    """Of one fold, or by the name of the class, too."""
    path = results / 'events/wl_kld_lite0_fpn.json'
    shutil.copy(results / 'events/retinanet_lite0_fpn.json', path)
    with pytest.raises(ValueError, match='its auroc.* is 1.0000, but its events give|not of one'):
        load_systems([results], **how)


def test_folds_and_systems_are_checked_against_all_others(tmp_path):
    """The first names nothing: the second and the third differ all the same."""
    events = [[replace(event, image_id=event.image_id + 10 * fold) for event in FOLD_0]
              for fold in range(3)]
    for fold, mark in enumerate((None, 'A', 'B')):
        write_run(tmp_path / 'folds', 'wl_kld', fold, events[fold], settings_mark=mark)
    with pytest.raises(ValueError, match='fold 1 and fold 2 were trained with different settings'):
        load_systems([tmp_path / 'folds'])
    for name, digest in (('a', None), ('b', 'P1'), ('c', 'P2')):
        run = write_run(tmp_path / 'points', name, 0, FOLD_0)
        content = json.loads((run / 'result.json').read_text())
        (run / 'result.json').write_text(json.dumps({**content, 'points_digest': digest}))
    with pytest.raises(ValueError, match='b and c, fold 0: tested on the same images with other'):
        load_systems([tmp_path / 'points'])


def test_a_field_that_two_systems_name_differently_makes_no_parts(tmp_path):
    def named(events, value):
        return [replace(event, fields=dict(body_part=value if event.image_id == 1 else 'hand'))
                for event in events]

    for fold, events in enumerate((FOLD_0, FOLD_1)):
        write_run(tmp_path / 'runs', 'wl_kld', fold, named(events, 'hand'))
        write_run(tmp_path / 'runs', 'retinanet', fold, named(events, 'foot'))
    with pytest.raises(ValueError, match='--by body_part: retinanet and wl_kld have different values '
                                         'of it on images 1; test them again'):
        report([tmp_path / 'runs'], tmp_path, by=['body_part'])


def test_tables_by_points_alone_can_be_made_again(tmp_path):
    """Their parts count when events are shortened."""
    generator = np.random.default_rng(2)
    for name in ('wl_kld_lite0_fpn', 'retinanet_lite0_fpn'):
        for fold in range(2):
            write_run(tmp_path / 'runs', name, fold, random_events(generator, 60, 100 * fold))
    report([tmp_path / 'runs'], tmp_path, results=tmp_path / 'results', by=['points'])
    assert check_results(tmp_path / 'results', ROOT / 'results/paper.json', lambda text: None) == []
    system = load_systems([tmp_path / 'runs'])['wl_kld_lite0_fpn']
    at_one_site = replace(system, events={
        fold: [replace(event, fields=dict(site='a')) for event in events]
        for fold, events in system.events.items()})
    kept, named = ({event.image_id: len(event.fp_levels) for event in shorten_events(one, fields)}
                   for one, fields in ((system, ['points']), (at_one_site, ['site'])))
    assert kept == named
