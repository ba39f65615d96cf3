"""The study in one command: what it trains, files, compares and says, with stand-in trainings."""
import gzip
import io
import json
import runpy
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mmwindow.evaluation import froc_curve
from mmwindow.evaluation.files.records import read_record
from mmwindow.experiments import cross_validation
from mmwindow.experiments.commands import study as study_command
from mmwindow.experiments.devices import Devices
from mmwindow.experiments.study import estimate, runs
from mmwindow.experiments.study.design import Sizes
from mmwindow.experiments.study.retests import retest_study
from mmwindow.experiments.study.study import Study, do_study, reported_runs
from mmwindow.utils.command_line import run_command
from mmwindow.utils.files import load_json
from mmwindow.utils.progress import ProgressDisplay
from tests.test_experiments.test_study.conftest import NAMES, SIZES

SEEDS = (0, 1)
PAPER = Path(__file__).parents[3] / 'results' / 'paper.json'


def make_study(tmp_path, configs, **changes):
    return Study(**{**dict(out=tmp_path / 'out', results=tmp_path / 'results', configs=configs,
                           parts=('base', 'C'), seeds=SEEDS, sizes=SIZES, baseline=NAMES[1],
                           num_resamples=100, paper=PAPER), **changes})


def call(study, **options):
    """Do a study; return whether it is complete and what it said."""
    said = []
    complete = do_study(study, Devices([{}] * 4), say=said.append, command_line='study',
                        display=ProgressDisplay(stream=io.StringIO()), **options)
    return complete, said


def times_trained(study):
    """How often each run was started."""
    return {path.parent.relative_to(study.out / 'runs').as_posix(): load_json(path)['starts']
            for path in (study.out / 'runs').rglob('run.json')}


@pytest.mark.usefixtures('fake_worker')
def test_from_radiographs_to_the_paired_difference(tmp_path, configs):
    """The whole command; the difference is that of brute force over the runs' own records."""
    study = make_study(tmp_path, configs)
    complete, said = call(study)
    assert complete
    assert said[0].startswith('16 runs are asked for; 0 are filed')
    # Each 2 epochs of one step of a second, 2 + 16 images of .1 s, and 20 s; half of it where idle.
    assert '16 runs, 4 at a time: about 2 min on this machine' in said[1]  # 16 x 23.8 / 4
    assert 'about 48 s where nothing else runs' in said[1]
    content = load_json(study.results / 'study.json')
    assert [cell['cell'] for cell in content['cells']] == [
        'base', 'jitter25', 'jitter50', 'jitter100']
    for cell in content['cells']:
        differences = []
        for seed in SEEDS:
            scores = [froc_curve(read_record(
                study.out / f'runs/{cell["cell"]}/{name}_seed{seed}/test.json').events()).score(
                    (.1, .2, .3, .4, .5)) for name in NAMES]
            differences.append(scores[0] - scores[1])
        found = cell['minus_baseline'][NAMES[0]]['froc_score']
        assert found['seeds'] == pytest.approx(differences)
        assert found['difference'] == pytest.approx(np.mean(differences))
        assert found['total']['low'] <= found['images']['low'] < found['difference']
        assert cell['is_complete'] and cell['missing'] == []
        assert (NAMES[0] in cell['froc_score_change']) == (cell['cell'] != 'base')
    check_pooled(content['cells'])
    table = (study.results / 'README.md').read_text()
    assert '## C: click jitter' in table and '| WL-KLD |' in table and 'missing' not in table
    assert '## What the levels are' in table and '\n| jitter25 | 8 | ' in table
    assert (study.results / 'study.png').stat().st_size > 0
    assert (study.results / 'study.svg').read_text().startswith('<?xml')


@pytest.mark.usefixtures('fake_worker')
def test_filed_trainings_are_tested_by_another_rule(tmp_path, configs, monkeypatch):
    study = make_study(tmp_path, configs)
    call(study)
    before = {path: path.read_bytes() for path in study.results.rglob('*') if path.is_file()}
    # One training was done again since it was filed, and one is gone.
    other = study.out / f'runs/base/{NAMES[0]}_seed0/result.json'
    other.write_text(other.read_text().replace('_seconds": 5.0', '_seconds": 7.0'))
    shutil.rmtree(study.out / f'runs/jitter25/{NAMES[1]}_seed1')
    complete, said = retest(study)
    assert not complete and said[0] == (
        f'16 trainings are filed in {study.results}; 0 of them are tested in the way distance, '
        f'filed in {tmp_path}/results_distance')
    assert said[1].startswith(f"{study.out}: the runs of 'base {NAMES[0]} seed 0', "
                              f"'jitter25 {NAMES[1]} seed 1' are not there, or are other trainings")
    assert f'base: 1 run is missing: base {NAMES[0]} seed 0' in said
    content = load_json(tmp_path / 'results_distance/study.json')
    assert content['test'] == {'distance': {
        'test_evaluator.rule': 'distance', 'test_evaluator.hit_radius': 50}}
    assert content['seeds'] == list(SEEDS) and content['baseline'] == NAMES[1]
    cells = {cell['cell']: cell for cell in content['cells']}
    assert [name for name, cell in cells.items() if cell['is_complete']] == ['jitter50', 'jitter100']
    scores = {path.parent.name: froc_curve(read_record(path).events()).score((.1, .2, .3, .4, .5))
              for path in (study.out / 'runs_distance/jitter50').glob('*/test.json')}
    assert cells['jitter50']['minus_baseline'][NAMES[0]]['froc_score']['seeds'] == pytest.approx(
        [scores[f'{NAMES[0]}_seed{seed}'] - scores[f'{NAMES[1]}_seed{seed}'] for seed in SEEDS])
    page = (tmp_path / 'results_distance/README.md').read_text()
    assert ('**Tested in another way, test_evaluator.rule distance, test_evaluator.hit_radius 50**'
            in page)
    # What was filed by the paper's rule stays, and nothing was trained.
    assert {path: path.read_bytes() for path in study.results.rglob('*') if path.is_file()} == before
    assert len(times_trained(study)) == 15 and set(times_trained(study).values()) == {1}
    # A test that was not filed, as where the command was stopped, is filed without another test.
    filed = tmp_path / f'results_distance/runs/jitter50/{NAMES[0]}_seed0.json.gz'
    content = filed.read_bytes()
    filed.unlink()
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / 'out').rglob('test.json')}
    monkeypatch.setattr(runs, 'training_code', lambda: 'of another day')  # which trains nothing here
    complete, said = retest(study)
    assert not complete and '13 of them are tested' in said[0] and filed.read_bytes() == content
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / 'out').rglob('test.json')}
    monkeypatch.setattr(runs, 'scoring_code', lambda: 'of another day')
    with pytest.raises(ValueError, match='were trained or scored by other code. --accept'):
        retest(study)


@pytest.mark.usefixtures('fake_worker')
def test_systems_that_were_tested_by_different_rules_are_not_compared(tmp_path, configs):
    distance = "test_evaluator = dict(type='FROCMetric', rule='distance', hit_radius=50)"
    configs[0].write_text(configs[0].read_text() + distance)
    with pytest.raises(ValueError, match=f'base {NAMES[0]} seed 0 and base {NAMES[1]} seed 0 were '
                       'scored with different settings: .*rule'):
        call(make_study(tmp_path, configs))


@pytest.mark.usefixtures('fake_worker')
def test_further_seeds_are_added_to_those_that_are_filed(tmp_path, configs):
    study = make_study(tmp_path, configs, parts=('base', ))
    call(study)
    complete, said = call(replace(study, seeds=(2, )))
    assert complete and said[0].startswith('6 runs are asked for; 4 are filed')
    content = load_json(study.results / 'study.json')
    assert content['seeds'] == [0, 1, 2] and len(
        content['cells'][0]['minus_baseline'][NAMES[0]]['froc_score']['seeds']) == 3
    complete, said = call(study)  # which would shrink it to two
    assert complete and load_json(study.results / 'study.json')['seeds'] == [0, 1, 2]


@pytest.mark.usefixtures('fake_worker')
def test_trainings_of_other_code_are_not_filed_unasked(tmp_path, configs):
    """A command that was stopped between a training and its filing, and then new code."""
    study = make_study(tmp_path, configs, parts=('base', ))
    call(study)
    for path in study.results.rglob('*_seed*.json.gz'):
        path.unlink()
    for path in (study.out / 'runs').glob('*/*/r*.json'):  # run.json and result.json
        path.write_text(json.dumps(load_json(path) | dict(training_code='of another day')))
    with pytest.raises(ValueError, match='--accept'):
        call(study)
    assert list(study.results.rglob('*_seed*.json.gz')) == []
    assert call(study, accept=True)[0] and set(times_trained(study).values()) == {1}


@pytest.mark.usefixtures('fake_worker')
def test_levels_are_measured_on_the_images_of_the_study(tmp_path, configs):
    study = make_study(tmp_path, configs, parts=('base', ))
    call(study)
    before = load_json(study.results / 'levels.json')
    other = make_study(tmp_path, configs, parts=('base', ), out=tmp_path / 'other',
                       results=tmp_path / 'others', sizes=replace(SIZES, num_train=12))
    call(other)
    call(replace(study, out=other.out), report_only=True)
    assert load_json(study.results / 'levels.json') == before
    with pytest.raises(ValueError, match='other/data/base'):
        call(replace(study, out=other.out))


def test_a_study_without_trainings_has_none_to_test(tmp_path, configs):
    with pytest.raises(ValueError, match='no training of these parts is filed there.* train first'):
        retest(make_study(tmp_path, configs))


@pytest.mark.usefixtures('fake_worker')
def test_a_system_that_another_way_to_test_does_not_concern_stays_as_it_is(tmp_path, configs):
    nms = "model['test_cfg'] = dict(nms=dict(iou_threshold=.5))"
    configs[1].write_text(configs[1].read_text() + nms)
    study = make_study(tmp_path, configs)
    call(study)
    complete, said = retest(replace(study, parts=('C', )), 'nms10')
    assert complete and said[0].startswith('16 trainings are filed in')
    tested = {path.parent.relative_to(study.out / 'runs_nms10').as_posix()
              for path in (study.out / 'runs_nms10').rglob('result.json')}
    assert tested == {f'{level}/{NAMES[1]}_seed{seed}' for seed in SEEDS
                      for level in ('base', 'jitter25', 'jitter50', 'jitter100')}
    config = runpy.run_path(study.out / f'runs_nms10/base/{NAMES[1]}_seed0/config.py')
    assert config['model']['test_cfg'] == dict(nms=dict(iou_threshold=.1))
    before, after = (load_json(tmp_path / f'results{end}/study.json')['cells']
                     for end in ('', '_nms10'))
    for old, new in zip(before, after, strict=True):
        assert new['systems'][NAMES[0]] == old['systems'][NAMES[0]]
    # Of the base alone.
    shutil.rmtree(tmp_path / 'results_nms10')
    assert retest(replace(study, parts=()), 'nms10')[1][0].startswith('4 trainings are filed in')


def retest(study, test='distance'):
    said = []
    complete = retest_study(study, test, Devices([{}] * 4), say=said.append,
                            command_line='study', display=ProgressDisplay(stream=io.StringIO()))
    return complete, said


def check_pooled(cells):
    """Four levels of as many training images have one variance over seeds, the mean of theirs.

    What it adds to the variance of the images is the same for all, where each has its own before.
    """
    found = [cell['minus_baseline'][NAMES[0]]['froc_score'] for cell in cells]
    changes = [cell['froc_score_change'][NAMES[0]] for cell in cells[1:]]
    for cell, change in zip(found[1:], changes, strict=True):
        assert change['seeds'] == pytest.approx(np.subtract(cell['seeds'], found[0]['seeds']))
    part = np.mean([np.var(one['seeds'], ddof=1) for one in found]) / 2
    for one in found:
        images = ((one['images']['high'] - one['difference']) / stats.t.ppf(.975, 15)) ** 2
        free = (images + part) ** 2 / (images ** 2 / 15 + part ** 2 / (4 / (1 + 3 / 4)))
        half = stats.t.ppf(.975, free) * (images + part) ** .5
        assert one['total']['high'] == pytest.approx(min(one['difference'] + half, 1), abs=1e-3)


@pytest.mark.usefixtures('fake_worker')
def test_another_seed_has_other_training_images_and_the_same_test_images(tmp_path, configs):
    study = make_study(tmp_path, configs, parts=('A', 'C', 'E'))
    call(study)
    for level, train, val, test in (
            ('base', 'base', 'base', 'base'), ('jitter25', 'base', 'base', 'base'),
            ('images25', 'images25', 'base', 'base'), ('extent35', *['extent35'] * 3)):
        for seed, suffix in ((0, ''), (1, '-seed1')):
            config = runpy.run_path(study.out / f'runs/{level}/{NAMES[0]}_seed{seed}/config.py')
            roots = [Path(config[f'{split}_dataloader']['dataset']['data_root']).name
                     for split in ('train', 'val', 'test')]
            assert roots == [train + suffix, val + suffix, test]
    folders = [study.out / 'data' / name / 'images' for name in ('base', 'base-seed1')]
    images = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    train = [f'{number:06d}.png' for number in range(1, SIZES.num_train + 1)]
    assert not {images[0][name] for name in train} & set(images[1].values())
    content = load_json(study.results / 'study.json')
    assert 'froc_score_change' in content['cells'][-1]
    changed = {cell['cell']: (cell['compared_with'], list(cell['froc_score_change']))
               for cell in content['cells']}
    assert changed['extent0'] == ('extent0', []) and changed['extent70'] == ('extent0', [NAMES[0]])
    assert changed['images25'] == ('base', [NAMES[0]]) and changed['base'] == ('base', [])


@pytest.mark.usefixtures('fake_worker')
def test_every_test_image_has_one_unjittered_point_a_finding(tmp_path, configs):
    study = make_study(tmp_path, configs, parts=('C', 'F'), seeds=(0,))
    call(study)
    for folder in (study.out / 'runs').glob('*/*_seed0'):
        config = runpy.run_path(folder / 'config.py')
        places = {split: config[f'{split}_dataloader']['dataset']
                  for split in ('train', 'val', 'test')}
        assert places['test']['ann_file'] == 'annotations/one/test.json'
        own = {'base': ''}.get(folder.parent.name, f'{folder.parent.name}/')
        assert places['train']['ann_file'] == f'annotations/{own}train.json'
        assert places['val']['ann_file'] == f'annotations/{own}val.json'
        assert config['train_cfg'] == dict(max_epochs=2, val_interval=2)


@pytest.mark.usefixtures('fake_worker')
def test_a_lost_run_folder_costs_nothing(tmp_path, configs):
    study = make_study(tmp_path, configs, parts=('base',))
    call(study)
    first = load_json(study.results / 'study.json')
    shutil.rmtree(study.out)
    complete, said = call(study)
    assert complete and said[0].startswith('4 runs are asked for; 4 are filed')
    assert not (study.out / 'runs').exists()
    assert load_json(study.results / 'study.json')['cells'] == first['cells']


@pytest.mark.usefixtures('fake_worker')
def test_a_finished_run_that_was_not_filed_is_filed_and_not_trained(tmp_path, configs):
    study = make_study(tmp_path, configs, parts=('base',))
    call(study)
    path = study.results / f'runs/base/{NAMES[0]}_seed1.json.gz'
    before = path.read_bytes()
    path.unlink()
    complete, said = call(study)
    assert complete and '3 are filed' in said[0]
    assert path.read_bytes() == before
    assert set(times_trained(study).values()) == {1}


@pytest.mark.usefixtures('fake_worker')
def test_an_incomplete_level_is_not_compared_and_is_named(tmp_path, configs):
    study = make_study(tmp_path, configs, parts=('F',), seeds=(0,))
    call(study)
    (study.results / f'runs/missed50/{NAMES[1]}_seed0.json.gz').unlink()
    complete, said = call(study, report_only=True)
    assert not complete
    assert f'missed50: 1 run is missing: missed50 {NAMES[1]} seed 0' in said
    cells = {cell['cell']: cell for cell in load_json(study.results / 'study.json')['cells']}
    assert cells['missed50']['minus_baseline'] == {} and not cells['missed50']['is_complete']
    assert set(cells['missed50']['systems']) == {NAMES[0]}
    assert cells['missed25']['is_complete'] and cells['missed25']['minus_baseline']
    assert '1 run is missing' in (study.results / 'README.md').read_text()
    # A part that was not asked for is reported with what was filed before.
    _, said = call(make_study(tmp_path, configs, parts=('base',), seeds=(0,)), report_only=True)
    assert f'missed50: 1 run is missing: missed50 {NAMES[1]} seed 0' in said


@pytest.mark.usefixtures('fake_worker')
def test_another_baseline_is_reported_in_a_folder_of_its_own(tmp_path, configs, capsys):
    """What is filed stays; the difference the other way round is the same with the other sign."""
    study = make_study(tmp_path, configs, parts=('base',))
    call(study)
    filed = (study.results / 'study.json').read_bytes()
    other = ['--report-only', '--results', str(study.results), '--only', 'base', '--systems',
             *map(str, configs), '--num-resamples', '100', '--baseline', NAMES[0]]
    for same in ([], ['--report', f'{study.results}/../results']):  # no folder of its own
        with pytest.raises(SystemExit):
            run_command(study_command, 'study', [*other, *same])
        assert (f'compares with {NAMES[1]}; to compare with {NAMES[0]}, give the tables and the '
                'figure a folder of their own by --report') in capsys.readouterr().err
        assert (study.results / 'study.json').read_bytes() == filed
    call(replace(study, baseline=''), report_only=True)  # the filed one, where none is named
    assert load_json(study.results / 'study.json')['baseline'] == NAMES[1]
    filed = (study.results / 'study.json').read_bytes()
    run_command(study_command, 'study', [*other, '--report', str(tmp_path / 'report')])
    assert (study.results / 'study.json').read_bytes() == filed
    there, here = (load_json(folder / 'study.json')['cells'][0]['minus_baseline']
                   for folder in (tmp_path / 'report', study.results))
    assert there[NAMES[1]]['froc_score']['difference'] == pytest.approx(
        -here[NAMES[0]]['froc_score']['difference'])
    assert '| base | ' in (tmp_path / 'report/README.md').read_text()


@pytest.mark.usefixtures('fake_worker')
def test_systems_are_written_in_one_order(tmp_path, configs):
    """Equal results make equal files: no order of a set, which differs from call to call."""
    others = [f'{name}_tiny' for name in ('faster_rcnn', 'wl_plus', 'fcos', 'wl_mse')]
    for name in others:
        configs.append(tmp_path / f'{name}.py')
        configs[-1].write_text(configs[0].read_text().replace(NAMES[0], name))
    study = make_study(tmp_path, configs, parts=('C', ))
    call(study)
    base, *levels = load_json(study.results / 'study.json')['cells']
    assert list(base['minus_baseline']) == [NAMES[0], *others] and len(levels) == 3
    for cell in levels:
        assert list(cell['minus_baseline']) == list(cell['froc_score_change']) == [NAMES[0], *others]


@pytest.mark.usefixtures('fake_worker')
def test_a_run_that_fails_leaves_the_others(tmp_path, configs):
    failing = tmp_path / 'fails_tiny.py'
    failing.write_text(configs[0].read_text().replace(NAMES[0], 'fails_tiny'))
    study = make_study(tmp_path, [*configs, failing], parts=('base',), seeds=(0,))
    complete, said = call(study)
    assert not complete and 'base: 1 run is missing: base fails_tiny seed 0' in said
    assert NAMES[0] in load_json(study.results / 'study.json')['cells'][0]['minus_baseline']


@pytest.mark.usefixtures('fake_worker')
def test_a_result_of_other_settings_counts_for_nothing(tmp_path, configs):
    study = make_study(tmp_path, configs, parts=('base',), seeds=(0,))
    call(study)
    configs[0].write_text(configs[0].read_text() + 'optim_wrapper = dict(optimizer=dict(lr=.1))\n')
    from mmwindow.experiments.study.runs import design_config_text
    design_config_text.cache_clear()
    filed = [path.read_bytes() for path in sorted(study.results.rglob('*.gz'))]
    for out in (study.out, tmp_path / 'other'):  # whose folder holds nothing of it
        with pytest.raises(ValueError, match=r"'base wl_kld_tiny seed 0' .* another design"):
            call(replace(study, out=out))
    assert filed == [path.read_bytes() for path in sorted(study.results.rglob('*.gz'))]
    complete, said = call(study, overwrite=True)
    assert complete and '1 are filed' in said[0]


@pytest.mark.usefixtures('fake_worker')
def test_results_of_other_code_are_not_added_to_unasked(tmp_path, configs, monkeypatch):
    study = make_study(tmp_path, configs, parts=('base',), seeds=(0,))
    call(study)
    monkeypatch.setattr('mmwindow.experiments.study.runs.scoring_code', lambda: 'another')
    more = replace(study, seeds=(0, 1))
    with pytest.raises(ValueError, match="seed 0'.* were trained or scored by other code"):
        call(more)
    assert call(more, accept=True)[0]
    assert call(study, report_only=True)[0]  # a report trains nothing


@pytest.mark.usefixtures('fake_worker')
def test_a_report_is_of_the_study_that_is_filed(tmp_path, configs):
    """Neither --amp nor the sizes need be said again."""
    study = make_study(tmp_path, configs, parts=('base',), seeds=(0,))
    call(replace(study, amp=True))
    complete, said = call(replace(study, sizes=Sizes()), report_only=True)
    assert complete and said[0].startswith('2 runs are asked for; 2 are filed')
    assert load_json(study.results / 'study.json')['amp'] is True


@pytest.mark.usefixtures('fake_worker')
def test_a_report_keeps_the_seeds_and_knows_a_study_that_was_stopped(tmp_path, configs, monkeypatch):
    study = make_study(tmp_path, configs, parts=('base',), seeds=(0, 1, 2))
    call(study)
    before = load_json(study.results / 'study.json')
    call(replace(study, seeds=(0,)), report_only=True)
    assert load_json(study.results / 'study.json')['cells'] == before['cells']
    # Stopped before its report: what was asked for is filed with the first run.
    stopped = replace(study, results=tmp_path / 'stopped', out=tmp_path / 'again', amp=True)
    monkeypatch.setattr('mmwindow.experiments.study.study.write_report', None)
    with pytest.raises(TypeError):
        call(stopped)
    monkeypatch.undo()
    complete, said = call(replace(stopped, amp=False, seeds=(0,)), report_only=True)
    assert complete and said[0].startswith('6 runs are asked for; 6 are filed')


@pytest.mark.usefixtures('fake_worker')
def test_a_level_that_was_not_begun_is_named_and_a_classifier_is_missed_where_it_belongs(
        tmp_path, configs):
    study = make_study(tmp_path, configs, parts=('F',), seeds=(0,))
    call(study)
    for name in NAMES:
        (study.results / f'runs/missed50/{name}_seed0.json.gz').unlink()
    _, said = call(replace(study, parts=('base',)), report_only=True)
    assert f'missed50: 1 run is missing: missed50 {NAMES[1]} seed 0' in said
    classifier = tmp_path / 'chexnet_tiny.py'
    classifier.write_text(configs[0].read_text().replace(NAMES[0], 'chexnet_tiny'))
    asked = replace(study, configs=[*configs, classifier], parts=('E', 'F'))
    call(asked, report_only=True)
    sections = (study.results / 'README.md').read_text().split('\n## ')
    for section in sections:
        if section.startswith('E:'):
            assert '| 8 | not complete: 1 run is missing |' in section
        if section.startswith('F:'):
            assert '| 0 % | not complete' not in section and '| 50 % | not complete' in section
    assert 'Trained on x86_64, torch 2.' in sections[0]


@pytest.mark.usefixtures('fake_worker')
def test_trainings_in_mixed_precision_are_others(tmp_path, configs, monkeypatch):
    """They are started with --amp, timed with it, and not taken for those in float32."""
    started, timed = [], []
    worker = cross_validation.worker_command
    monkeypatch.setattr(cross_validation, 'worker_command', lambda plan, *rest: (
        started.append(plan.amp), worker(plan, *rest))[1])
    timing = estimate.time_training
    monkeypatch.setattr(estimate, 'time_training', lambda cfg, amp: (
        timed.append(amp), timing(cfg, amp))[1])
    study = make_study(tmp_path, configs, parts=('base',), seeds=(0,))
    call(study)
    with pytest.raises(ValueError, match='another design'):
        call(replace(study, amp=True, out=tmp_path / 'other'))
    complete, said = call(replace(study, amp=True, out=tmp_path / 'other'), overwrite=True)
    assert complete and said[0].startswith('2 runs are asked for; 0 are filed')
    assert started == [False, False, True, True]
    assert timed == [False, False, True, True]
    assert load_json(study.results / 'study.json')['amp'] is True
    with pytest.raises(ValueError, match='another design'):
        call(study, dry_run=True)


@pytest.mark.usefixtures('fake_worker')
def test_a_dry_run_trains_nothing(tmp_path, configs):
    study = make_study(tmp_path, configs)
    complete, said = call(study, dry_run=True)
    assert not complete and '16 runs' in said[1]
    assert not (study.out / 'runs').exists() and not study.results.exists()
    assert sorted(path.name for path in (study.out / 'data').iterdir() if path.is_dir()) == ['base']


@pytest.mark.usefixtures('fake_worker')
def test_another_system_is_one_more_entry(tmp_path, configs):
    """WL+ is added later: the others are not trained again, and levels without it ask for none."""
    call(make_study(tmp_path, configs, parts=('F',)))
    added = tmp_path / 'wl_plus_tiny.py'
    added.write_text(configs[0].read_text().replace(NAMES[0], 'wl_plus_tiny'))
    study = make_study(tmp_path, [*configs, added], parts=('base',))
    complete, said = call(study)
    assert complete and said[0].startswith('6 runs are asked for; 4 are filed')
    table = (study.results / 'README.md').read_text()
    assert '| WL+ |' in table and 'missing' not in table
    # Without naming it, what is filed of it is still reported.
    later = make_study(tmp_path, configs, parts=('F',))
    assert {run.system for run in reported_runs(later)} == {*NAMES, 'wl_plus_tiny'}


@pytest.mark.usefixtures('fake_worker')
def test_a_damaged_result_is_named(tmp_path, configs):
    study = make_study(tmp_path, configs, parts=('base',), seeds=(0,))
    call(study)
    path = study.results / f'runs/base/{NAMES[0]}_seed0.json.gz'
    for damaged in (path.read_bytes()[:-20], gzip.compress(json.dumps({}).encode()), b''):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=f'{path.name}: it is no complete result'):
            call(study)


@pytest.mark.parametrize('changes, words', [
    (dict(baseline='fcos'), "'fcos' is none of the systems"), (dict(seeds=()), 'seeds'),
    (dict(seeds=(1, 1)), 'all different'), (dict(parts=('X',)), 'there is no X'),
    (dict(sizes=Sizes(num_train=4), parts=('E',)), 'at least 8')])
def test_bad_requests_are_rejected(tmp_path, configs, changes, words):
    with pytest.raises(ValueError, match=words):
        call(make_study(tmp_path, configs, **changes))
    assert not (tmp_path / 'out' / 'data').exists()
