"""From run folders of five folds of nine systems to result files, tables by parts and both hit rules.

Stand-in events: what is tested is what is made of them.
"""
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from mmwindow import cli
from mmwindow.evaluation import ImageEvents, froc_curve
from mmwindow.evaluation.files.records import read_record, write_record
from mmwindow.evaluation.roc import auroc
from mmwindow.evaluation.statistics.holm import holm
from mmwindow.experiments.paper_captions import describe_runs
from mmwindow.experiments.recompute import check_results
from mmwindow.experiments.results import load_systems
from mmwindow.experiments.short_events import list_parts, shorten_events, shorten_levels
from mmwindow.experiments.strata import ONE, SEVERAL, divide, summarise_strata
from mmwindow.experiments.strata_tables import describe_strata, strata_table
from mmwindow.experiments.systems import System
from tests.imported_tools import imported_tool

SYSTEMS = ['wl_plus_lite0_fpn_fracatlas', 'wl_kld_lite0_fpn_fracatlas', 'wl_mse_lite0_fpn_fracatlas',
           'faster_rcnn_lite0_fpn_fracatlas', 'retinanet_lite0_fpn_fracatlas',
           'fcos_lite0_fpn_fracatlas', 'ufdet_lite0_fracatlas', 'wspl_lite0_fracatlas',
           'chexnet_lite0_fracatlas']
LABELS = ['WL+', 'WL-KLD', 'WL-MSE', 'Faster R-CNN', 'RetinaNet', 'FCOS', 'UFDet', 'WSPL', 'CheXNet']
RULES = dict(disk_overlap=dict(rule='disk_overlap', hit_radius=50., max_overlap=.1),
             distance=dict(rule='distance', hit_radius=50.))
BASE = dict(budgets=[.1, .2, .3, .4, .5], convention='first_crossing', frame_side=1024)
NUM_IMAGES = 24


def fold_events(generator, fold, skill):
    """A third of the images positive, of one or two points; hands and legs; single precision."""
    events = []
    for number in range(NUM_IMAGES):
        num_points = (0, 0, 1 + number % 2)[number % 3]
        found = np.float32(generator.normal(skill * (num_points > 0), 1, num_points)).astype(float)
        false = np.sort(np.float32(generator.normal(-.5, 1, 2)).astype(float))[::-1]
        events.append(ImageEvents(
            score=max([*found, *false]), recall_levels=found, fp_levels=false,
            fp_changes=np.ones(2, int), is_positive=num_points > 0, image_id=fold * 100 + number,
            group=f'{fold}/{number // 2}', fields=dict(
                body_part='hand' if number % 4 else 'leg', file_name=f'{fold}_{number}.jpg')))
    return events


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """Folder of each hit rule's runs; system -> fold -> events of the paper's rule."""
    folder, generator, kept = tmp_path_factory.mktemp('five'), np.random.default_rng(0), {}
    for rule, settings in RULES.items():
        for position, system in enumerate(SYSTEMS):
            if rule == 'distance' and position > 2:
                break  # three tell as much as nine
            for fold in range(5):
                events = fold_events(generator, fold, 2.5 - position / 4)
                if rule == 'disk_overlap':
                    kept.setdefault(system, {})[fold] = events
                run = folder / rule / system / f'fold{fold}'
                run.mkdir(parents=True)
                state = dict(system=system, fold=fold, seed=0, config=f'configs/x/{system}.py',
                             divergence=None, window=None, is_ablation=False, command='run it',
                             settings_mark=f'mark of {system}', weights='mean4')
                (run / 'run.json').write_text(json.dumps(state))
                write_record(run / 'test.json', {'fracture': events}, {**BASE, **settings})
                (run / 'result.json').write_text(json.dumps(
                    {**state, 'records': dict(test='test.json')}))
    return folder, kept


@pytest.fixture(scope='module')
def without_figures():
    """Draw none: no number depends on them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmwindow.experiments.paper_report.draw_figures', lambda *_: None)
        patch.setattr('mmwindow.experiments.paper_report.draw_figures_by', lambda *_: [])
        yield


@pytest.fixture(scope='module')
def results(runs, request):
    """Result files of both rules, made by the command; figures of the paper's alone."""
    folder, _ = runs
    for rule in RULES:
        if rule == 'distance':
            request.getfixturevalue('without_figures')
        cli.main(['tables', str(folder / rule), '--out', str(folder / f'tables_{rule}'), '--results',
                  str(folder / f'results_{rule}'), '--num-resamples', '100', '--by', 'body_part',
                  'points'])
    return folder


def numbers_of(events):
    """AUROC, recall at .1 and FROC score of images, without any of the package's means."""
    labels, scores = [one.is_positive for one in events], [one.score for one in events]
    curve = froc_curve(events)
    return [auroc(labels, scores), curve.recall_at(.1),
            np.mean([curve.recall_at(budget) for budget in BASE['budgets']])]


def metrics_of(content):
    return [content['metrics'][f'froc/{name}'] for name in ('auroc', 'recall@0.1', 'froc_score')]


def read(results, rule, system):
    return json.loads((results / f'results_{rule}' / f'{system}.json').read_text())


def test_each_system_has_a_file_whose_metrics_are_means_over_five_folds(results, runs, capsys):
    for system, label in zip(SYSTEMS, LABELS, strict=True):
        content = read(results, 'disk_overlap', system)
        assert (content['system'], content['headline']) == (label, 'mean over folds')
        folds = runs[1][system].values()
        assert metrics_of(content) == pytest.approx(
            np.mean([numbers_of(events) for events in folds], axis=0).tolist())
        assert sorted(content['folds']) == list('01234') and len(content['runs']) == 5
        assert content['data']['num_images'] == 5 * NUM_IMAGES
        interval = content['intervals']['froc/froc_score']
        assert 0 <= interval['low'] < content['metrics']['froc/froc_score'] < interval['high'] <= 1
    text = (results / 'tables_disk_overlap/table1.md').read_text()
    rows = [line.split(' | ')[0][2:] for line in text.splitlines()[2:]]
    assert rows == LABELS[::-1][:3] + ['Faster R-CNN', 'RetinaNet', 'FCOS', 'WL-MSE', 'WL-KLD', 'WL+']
    for name in ('figure4.png', 'figure5.svg', 'pooled.md', 'by_points.csv',
                 'figure5_by_points_2-or-more.png', 'figure4_by_body_part_leg.png'):
        assert (results / 'tables_disk_overlap' / name).stat().st_size > 0


def test_paired_tests_are_corrected_for_the_eight_others(results):
    """Holm by hand over the files: sorted, times 8, 7, ... 1, never falling."""
    assert 'reference_minus_this' not in read(results, 'disk_overlap', SYSTEMS[1])
    others = [read(results, 'disk_overlap', system)['reference_minus_this']
              for system in SYSTEMS if system != SYSTEMS[1]]
    assert {entry['reference'] for entry in others} == {SYSTEMS[1]}
    for metric in ('auroc', 'recall@0.1', 'froc_score'):
        alone = [entry['differences'][metric]['p_value'] for entry in others]
        order, expected, largest = np.argsort(alone, kind='stable'), [0.] * 8, 0.
        for rank, index in enumerate(order):
            largest = max(largest, min(1., alone[index] * (8 - rank)))
            expected[index] = largest
        assert expected == pytest.approx([entry['differences'][metric]['p_holm'] for entry in others])
        assert holm(alone) == pytest.approx(expected)


@pytest.mark.parametrize('field, values', [
    ('body_part', ['hand', 'leg']), ('points', [ONE, SEVERAL])])
def test_numbers_by_part_are_means_over_folds_of_its_images(results, runs, field, values):
    system = SYSTEMS[0]
    parts = read(results, 'disk_overlap', system)['by'][field]
    assert list(parts) == values

    def belongs(event, value):
        if field == 'body_part':
            return event.fields['body_part'] == value
        return not event.is_positive or (event.num_points > 1) == (value == SEVERAL)
    for value in values:
        folds = [[event for event in events if belongs(event, value)]
                 for events in runs[1][system].values()]
        assert metrics_of(parts[value]) == pytest.approx(
            np.mean([numbers_of(events) for events in folds], axis=0).tolist())
        assert parts[value]['data']['num_images'] == sum(map(len, folds))
        difference = parts[value]['differences']['froc_score']
        reference = read(results, 'disk_overlap', SYSTEMS[1])['by'][field][value]
        assert difference['difference'] == pytest.approx(
            metrics_of(reference)[2] - metrics_of(parts[value])[2])
        assert difference['p_holm'] >= difference['p_value'] and reference['differences'] == {}
        # At one threshold a fold, that of all its images, counted over the folds.
        called = np.sum([counts_at(threshold_by_hand(every), images) for every, images in zip(
            runs[1][system].values(), folds, strict=True)], axis=0)
        shared = parts[value]['at_one_threshold']
        assert shared['budget'] == .1 and (called > 0).all()
        assert shared['recall'] == pytest.approx(called[0] / called[1])
        assert shared['fp_rate'] == pytest.approx(called[2] / called[3])
    text = (results / 'tables_disk_overlap/tables.md').read_text()
    assert '## By body part' in text and '## By the number of points' in text
    assert 'corrected for all 16 tests of the column' in text  # 8 others, 2 parts


def threshold_by_hand(images):
    """The last threshold, from the top, before more than .1 findings an image are false."""
    last = np.inf
    for level in sorted({*(level for one in images for level in one.fp_levels),
                         *(level for one in images for level in one.recall_levels)}, reverse=True):
        if sum((one.fp_levels >= level).sum() for one in images) > .1 * len(images) + 1e-9:
            return last
        last = level
    return last


def counts_at(threshold, images):
    """Recalled points, points, false positives and images."""
    return [sum((one.recall_levels >= threshold).sum() for one in images),
            sum(one.num_points for one in images),
            sum((one.fp_levels >= threshold).sum() for one in images), len(images)]


def test_tests_of_all_parts_are_one_family(results):
    """Holm by hand over the two parts and eight other systems of a field."""
    for field in ('body_part', 'points'):
        tests = [part['differences']['froc_score'] for system in SYSTEMS if system != SYSTEMS[1]
                 for part in read(results, 'disk_overlap', system)['by'][field].values()]
        assert len(tests) == 16
        assert holm([test['p_value'] for test in tests]) == pytest.approx(
            [test['p_holm'] for test in tests])


def test_a_part_of_few_images_has_no_number_in_the_table():
    generator = np.random.default_rng(1)
    events = {fold: fold_events(generator, fold, 2.) for fold in range(2)}
    for fold in events:  # four images of feet in all, two of them positive; legs have points, too
        events[fold] = [replace(one, fields=dict(body_part='foot' if index in (1, 2) else
                                                 ('hand', 'leg')[index // 3 % 2]))
                        for index, one in enumerate(events[fold])]
    systems = {name: System(name, {}, events, BASE) for name in ('a', 'b')}
    strata = summarise_strata(systems, 'body_part', 'a', 100, 0)
    assert [summary['a'].is_small for summary in strata.values()] == [True, False, False]
    rows = strata_table('body_part', strata, dict(a='A', b='B'), 'a')
    assert [row[5:] for row in rows['markdown'][1:3]] == [['too few images', *[''] * 6]] * 2
    assert '' not in rows['markdown'][3][5:-2]
    lines = describe_strata('body_part', strata)
    assert 'Too few images (foot): less than 10, or less than 5 with a point.' in lines


def test_what_runs_have_in_common_and_what_not_stands_above_the_tables():
    def system(machine, **entries):
        run = dict(weights='last', views=None, machine=machine, versions=dict(torch='2.13'),
                   training_code='c0ffee', scoring_code='5c0e', **entries)
        return System('x', {0: run, 1: run}, {0: [], 1: []}, BASE)
    alike = ('All runs: weights tested: last; views averaged: none, the image alone; trained on a; '
             'with torch 2.13; training code c0ffee; scoring code 5c0e.')
    assert describe_runs(dict(A=system('a'), B=system('a'))) == [alike]
    assert describe_runs(dict(A=system('a'), B=system('b'))) == [
        alike.replace('trained on a; ', ''), '',
        '**Not the same for all runs**: trained on a (A), trained on b (B).']
    earlier = system('a')
    earlier.results[1] = {**earlier.results[1], 'training_code': 'older',
                          'accepted_code': ['c0ffee']}
    assert describe_runs(dict(A=earlier)) == [
        alike, '', 'Trained by earlier code, which whoever ran it accepted as equal to that: A, fold '
        '1 (older).']
    # A file of an earlier version says nothing of them.
    assert describe_runs(dict(A=System('x', {0: {}}, {0: []}, BASE))) == []


def test_a_note_stands_above_the_tables_and_stays_when_they_are_made_again(
        runs, tmp_path, without_figures):
    note = 'Chosen on other images.'
    cli.main(['tables', str(runs[0] / 'distance'), '--out', str(tmp_path / 'tables'), '--results',
              str(tmp_path / 'results'), '--num-resamples', '100', '--note', note])
    assert f'\n\n{note}\n\nTested on' in (tmp_path / 'tables/tables.md').read_text()
    cli.main(['tables', '--from-results', str(tmp_path / 'results')])
    assert f'\n\n{note}\n\n' in (tmp_path / 'results/tables/tables.md').read_text()
    assert json.loads((tmp_path / f'results/{SYSTEMS[0]}.json').read_text())['note'] == note
    assert check_results(tmp_path / 'results', say=lambda text: None) == []
    with imported_tool('update_readme') as tool:
        page = tool.result_rows(tmp_path / 'results')
    assert f'\n\n{note}\n\n<details><summary>Made by 3 commands<' in page


@pytest.mark.parametrize('entry, value, words', [
    ('weights', 'last', 'different weights, mean4 and last'),
    ('views', 'mirror', 'different views, the image alone and mirror')])
def test_folds_tested_in_different_ways_are_not_pooled(runs, tmp_path, entry, value, words):
    folder = tmp_path / SYSTEMS[0]
    shutil.copytree(runs[0] / 'distance' / SYSTEMS[0], folder)
    path = folder / 'fold3/result.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), entry: value}))
    with pytest.raises(ValueError, match=f'fold 0 and fold 3 were tested with {words}; they are no'):
        load_systems([tmp_path])


def test_rows_of_one_split_and_of_folds_are_no_table(runs, results, tmp_path):
    with imported_tool('update_readme') as tool:
        rows = tool.result_rows
    shutil.copytree(results / 'results_distance', tmp_path / 'mixed')
    assert '| WL+ |' in rows(tmp_path / 'mixed')
    (tmp_path / 'mixed/thumbnail.json').write_text(json.dumps(dict(
        system='thumbnail', metrics={'froc/auroc': .6}, folds=dict.fromkeys('01234'))))
    assert '| thumbnail | 0.600 |' in rows(tmp_path / 'mixed')
    (tmp_path / 'mixed/other.json').write_text(json.dumps(dict(
        system='other', metrics={'froc/auroc': .6})))
    with pytest.raises(SystemExit, match='results/mixed: its files are of different folds'):
        rows(tmp_path / 'mixed')
    (tmp_path / 'mixed/other.json').unlink()
    path = tmp_path / f'mixed/{SYSTEMS[0]}.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), 'settings': {}}))
    with pytest.raises(SystemExit, match='different settings'):
        rows(tmp_path / 'mixed')


def test_both_hit_rules_have_files_of_their_own(results):
    for rule in RULES:
        content = read(results, rule, SYSTEMS[0])
        assert content['settings']['rule'] == rule and content['system'] == 'WL+'
    # The paper's numbers stand in its own rule's table alone, the AUROC but for that.
    tables = {rule: (results / f'tables_{rule}/table1.md').read_text() for rule in RULES}
    assert '0.896' in tables['disk_overlap'] and '0.896' not in tables['distance']


def test_every_number_follows_from_the_committed_events(results):
    """Of both rules, parts included; a part that was altered is named."""
    for rule in RULES:
        assert check_results(results / f'results_{rule}', say=lambda text: None) == []
    path = results / 'results_distance' / f'{SYSTEMS[2]}.json'
    before = path.read_text()
    content = json.loads(before)
    content['by']['points'][ONE]['metrics']['froc/auroc'] += .01
    path.write_text(json.dumps(content))
    difference, = check_results(results / 'results_distance', say=lambda text: None)
    path.write_text(before)
    assert '1 entry differs' in difference and 'by points 1 metrics froc/auroc' in difference


def test_committed_events_keep_the_fields_that_tables_are_made_by_and_no_more(results):
    record = read_record(results / f'results_disk_overlap/events/{SYSTEMS[0]}.json')
    assert {tuple(event.fields) for event in record.events()} == {('fold', 'body_part')}


def test_a_field_that_images_lack_is_named(runs, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(['tables', str(runs[0] / 'disk_overlap'), '--out', str(tmp_path),
                  '--num-resamples', '100', '--by', 'hospital'])
    assert ended.value.code == 1 and "no field 'hospital'" in capsys.readouterr().err


def test_images_of_too_many_values_are_no_table(runs):
    events = {0: [replace(event, fields=dict(a=number)) for number, event in enumerate(
        runs[1][SYSTEMS[0]][0] * 2)]}
    with pytest.raises(ValueError, match='--by a: it has 48 values'):
        divide(events, 'a')


def test_negative_images_alone_have_a_part_and_no_number(runs):
    events = {fold: [event for event in images if not event.is_positive]
              for fold, images in runs[1][SYSTEMS[0]].items()}
    system = System('a', {}, events, {**BASE, 'rule': 'disk_overlap'})
    strata = summarise_strata(dict(a=system), 'points', None, 100, 0)
    assert list(strata) == [ONE, SEVERAL]
    assert strata[ONE]['a'].result.num_points == 0
    assert np.isnan(strata[ONE]['a'].result.estimates['auroc'])


def test_each_image_keeps_what_any_part_of_it_needs(runs):
    """Parts by brute force; numbers of each part and fold are those of the complete events."""
    folds = runs[1][SYSTEMS[3]]
    system = System('a', {}, folds, {**BASE, 'rule': 'disk_overlap'})
    short = shorten_events(system, ['body_part'])
    parts = list_parts(short, list(folds), ['body_part'])
    assert len(parts) == 1 + 5 + 5 * 2 + 5 * 2 and sorted(parts[0]) == list(range(5 * NUM_IMAGES))
    full = [event for events in folds.values() for event in events]
    for members in parts:
        assert numbers_of([short[index] for index in members]) == pytest.approx(
            numbers_of([full[index] for index in members]), nan_ok=True)


def test_levels_are_written_with_the_digits_that_tell_them_apart():
    """.1 in single precision is 0.10000000149011612 as a double; order and ties stay."""
    generator = np.random.default_rng(0)
    values = np.float32(generator.random(200)).astype(float)
    values[::7] = values[3]
    events = [ImageEvents(value, values[:2], values, np.ones(200, int), True, number)
              for number, value in enumerate(values)]
    short = shorten_levels(events)
    found = np.array([event.score for event in short])
    assert np.array_equal(np.sign(values[:, None] - values), np.sign(found[:, None] - found))
    assert max(len(str(value)) for value in found) < 13 < max(len(str(value)) for value in values)
    np.testing.assert_allclose(found, values, rtol=1e-7)
    assert np.array_equal(found.astype(np.float32), values.astype(np.float32))
    doubles = [replace(event, score=1 / 3) for event in events]
    assert shorten_levels(doubles) == doubles and shorten_levels([]) == []
