"""Runs tested again: refusals, reuse, what the results say; a stand-in worker does the tests."""
import io
import json
import shutil
import sys

import pytest
import torch
from mmengine.config import Config, ConfigDict

from mmwindow import cli
from mmwindow.apis.test import use_test_time_augmentation
from mmwindow.engine.checkpoint import find_best_checkpoint
from mmwindow.experiments import cross_validation as folds_api
from mmwindow.experiments.devices import Devices
from mmwindow.experiments.results import load_systems
from mmwindow.experiments.retest import TestVariant, list_variants, retest_runs
from mmwindow.experiments.worker import RESULT_ENTRIES
from mmwindow.utils.files import read_json
from mmwindow.utils.progress import ProgressDisplay

DISTANCE = {'test_evaluator.rule': 'distance', 'test_evaluator.hit_radius': 25.}
# The stand-in's recall is the hit radius of the config that it was given, over a hundred.
# The config is read as the Python file that it is: mmengine takes seconds to import.
WORKER = """
import json, runpy, sys
from pathlib import Path
folder = Path(sys.argv[1])
state = json.loads((folder / 'run.json').read_text())
assert state['trained'] and state['splits'] == ['test']
metric = runpy.run_path(folder / 'config.py')['test_evaluator']
images = [dict(image_id=state['fold'], score=0.5, recall_levels=[], fp_levels=[], fp_changes=[],
               is_positive=False)]
(folder / 'test.json').write_text(json.dumps(dict(
    format='mmwindow-evaluation', version=1, metrics={}, settings=dict(
        budgets=[0.1], convention='first_crossing', rule=metric['rule'],
        hit_radius=metric['hit_radius']),
    classes=[dict(name='fracture', images=images)])))
(folder / 'result.json').write_text(json.dumps({
    **state, 'checkpoint': 'best.pth', 'records': dict(test='test.json'), 'test_seconds': 2.,
    'machine': 'x86_64', 'num_images': dict(test=1), 'validation_metrics': None,
    'metrics': {'froc/recall@0.1': metric['hit_radius'] / 100}}))
"""


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Two folds of one system, as a finished ``run_folds`` leaves them; no GPU, no real worker."""
    monkeypatch.setattr(folds_api, 'worker_command', lambda plan, *rest: (
        sys.executable, '-W', 'ignore', '-c', WORKER, str(plan.folder)))
    monkeypatch.setattr('mmwindow.experiments.retest.choose_devices',
                        lambda *rest, **more: Devices([{}]))
    (tmp_path / 'test.json').write_text('images')
    for fold in (0, 1):
        folder = tmp_path / f'runs/wl_kld/fold{fold}'
        (folder / 'training').mkdir(parents=True)
        (folder / 'training/best_froc_auroc_epoch_3.pth').write_text('weights')
        Config(dict(model=dict(test_cfg=dict(score_thr=0.5)), train_cfg=dict(max_epochs=3),
                    test_dataloader=dict(dataset=dict(ann_file=str(tmp_path / 'test.json'))),
                    test_evaluator=dict(type='FROCMetric'))).dump(folder / 'config.py')
        state = dict(mark=f'mark {fold}', settings_mark='shared', system='wl_kld',
                     config='configs/wl_kld.py', fold=fold, seed=7, splits=['test', 'val'],
                     divergence='kld', window=None, is_ablation=False,
                     command='tools/run_folds.py', starts=2, trained=True, training_seconds=3600.)
        (folder / 'run.json').write_text(json.dumps(state))
        result = {**{name: value for name, value in state.items() if name != 'splits'},
                  **dict.fromkeys(RESULT_ENTRIES), 'versions': dict(torch='2'),
                  'checkpoint': 'best_froc_auroc_epoch_3.pth', 'records': dict(test='test.json')}
        (folder / 'result.json').write_text(json.dumps(result))
    return tmp_path / 'runs'


def call(folders, out, options, **more):
    outcomes = retest_runs(folders, out, options, command_line='retest',
                           display=ProgressDisplay(stream=io.StringIO()), **more)
    return [outcome.job.name for outcome in outcomes if outcome.returncode == 0]


def test_every_run_is_tested_again_with_its_weights(runs, tmp_path):
    out = tmp_path / 'other'
    assert call([runs], out, DISTANCE) == ['wl_kld fold 0', 'wl_kld fold 1']
    for fold in (0, 1):
        result = read_json(out / f'wl_kld/fold{fold}/result.json')
        assert result['metrics'] == {'froc/recall@0.1': 0.25}
        # What made the weights is still said; the command is the test's.
        assert (result['seed'], result['training_seconds'], result['versions']) == (
            7, 3600., dict(torch='2'))
        assert (result['training_command'], result['command']) == ('tools/run_folds.py', 'retest')
        assert result['mark'] != f'mark {fold}' and result['settings_mark'] != 'shared'
        assert find_best_checkpoint(out / f'wl_kld/fold{fold}/training').read_text() == 'weights'
    assert load_systems([out])['wl_kld'].settings['rule'] == 'distance'
    assert call([runs], out, DISTANCE) == []
    assert read_json(runs / 'wl_kld/fold0/run.json')['splits'] == ['test', 'val']  # untouched


def test_another_test_is_not_mixed_with_it(runs, tmp_path):
    out = tmp_path / 'other'
    call([runs], out, DISTANCE)
    wider = {**DISTANCE, 'test_evaluator.hit_radius': 50.}
    with pytest.raises(ValueError, match=r'(?s)fold0 holds a run of other settings:.*hit_radius=50'):
        call([runs], out, wider)
    assert call([runs], out, wider, overwrite=True) == ['wl_kld fold 0', 'wl_kld fold 1']
    assert read_json(out / 'wl_kld/fold1/result.json')['metrics'] == {'froc/recall@0.1': 0.5}
    # Deleting a test deletes no weights: the folder holds a link.
    assert (runs / 'wl_kld/fold0/training/best_froc_auroc_epoch_3.pth').exists()


def change_mark(runs):
    path = runs / 'wl_kld/fold1/result.json'
    path.write_text(json.dumps({**read_json(path), 'mark': 'another'}))


@pytest.mark.parametrize('change', [
    change_mark,
    # Trained anew by other code: name and settings stay.
    lambda runs: (runs / 'wl_kld/fold1/training/best_froc_auroc_epoch_3.pth').write_text('others'),
    lambda runs: (runs.parent / 'test.json').write_text('other images')])
def test_other_weights_or_images_are_tested_anew(runs, tmp_path, change):
    call([runs], tmp_path / 'other', DISTANCE)
    change(runs)
    with pytest.raises(ValueError, match=r'fold\d holds a run of other settings'):
        call([runs], tmp_path / 'other', DISTANCE)
    assert 'wl_kld fold 1' in call([runs], tmp_path / 'other', DISTANCE, overwrite=True)


def test_runs_that_were_moved_are_found_again(runs, tmp_path):
    call([runs], tmp_path / 'other', DISTANCE)
    (tmp_path / 'other/wl_kld/fold0/result.json').unlink()  # as a cut leaves it
    runs.rename(tmp_path / 'moved')
    assert call([tmp_path / 'moved'], tmp_path / 'other', DISTANCE) == ['wl_kld fold 0']
    assert find_best_checkpoint(tmp_path / 'other/wl_kld/fold0/training').read_text() == 'weights'


@pytest.mark.parametrize('options, message', [
    ({}, 'no --cfg-options are given'),
    ({'train_cfg.max_epochs': 3}, 'train_cfg.max_epochs: the runs were trained without it'),
    ({'model.test_cfgs.x': 3}, 'model.test_cfgs.x: the runs were trained without it'),
    ({'model.test_cfg.scor_thr': 0.1}, 'there is no scor_thr; there are score_thr'),
    ({'model.test_cfg.score_thr.x': 0.1}, 'there is no x; 0.5 holds nothing further'),
    ({'test_evaluator.rule': 'nearest'}, "the hit rule is 'nearest'"),
])
def test_overrides_that_are_not_of_a_test_are_refused(runs, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        call([runs], tmp_path / 'other', options)


def test_threshold_of_the_model_is_an_override_of_a_test(runs, tmp_path):
    call([runs], tmp_path / 'other', {**DISTANCE, 'model.test_cfg.score_thr': 0.1})
    cfg = Config.fromfile(tmp_path / 'other/wl_kld/fold0/config.py')
    assert cfg.model.test_cfg.score_thr == 0.1


def test_folders_without_finished_runs_are_refused(runs, tmp_path):
    with pytest.raises(ValueError, match='there is no run in it'):
        call([tmp_path / 'nothing'], tmp_path / 'other', DISTANCE)
    with pytest.raises(ValueError, match='is where the runs are'):
        call([runs], runs, DISTANCE)
    shutil.copytree(runs / 'wl_kld/fold0', tmp_path / 'copy/wl_kld/fold0')
    with pytest.raises(ValueError, match='are both fold 0 of wl_kld'):
        call([runs, tmp_path / 'copy'], tmp_path / 'other', DISTANCE)
    (runs / 'wl_kld/fold0/result.json').unlink()
    with pytest.raises(ValueError, match='fold0: the run has no result yet'):
        call([runs], tmp_path / 'other', DISTANCE)
    with pytest.raises(ValueError, match='fold0: the run has no result yet'):
        call([runs], tmp_path / 'other', DISTANCE, only=[0, 1])
    with pytest.raises(ValueError, match=r'none of the runs is of the folds \[2\]'):
        call([runs], tmp_path / 'other', DISTANCE, only=[2])
    # Fold 0 may be at work while fold 1 is tested.
    assert call([runs], tmp_path / 'other', DISTANCE, only=[1]) == ['wl_kld fold 1']


def test_runs_of_version_0_1_are_tested_with_the_settings_they_were_trained_with(runs, tmp_path):
    """Their data sets name the input size; the transforms of this version would not know it."""
    for path in runs.glob('wl_kld/fold*/config.py'):
        cfg = Config.fromfile(str(path))
        cfg.test_dataloader.dataset.update(input_side=512, pipeline=[dict(type='ResizeToInput')])
        cfg.dump(path)
    with pytest.warns(FutureWarning, match='input_side'):
        call([runs], tmp_path / 'other', DISTANCE)
    cfg = Config.fromfile(str(tmp_path / 'other/wl_kld/fold0/config.py'))
    dataset = cfg.test_dataloader.dataset
    assert 'input_side' not in dataset and dataset.pipeline[0].input_size == 512


# A stand-in that finds half of the points on 24 images where it tests the mean of epochs 3 and 4 or
# averages views, all of them else.
JUDGING_WORKER = """
import json, sys
from pathlib import Path
folder = Path(sys.argv[1])
state = json.loads((folder / 'run.json').read_text())
assert state['trained'] and state['splits'] == ['test'] and (folder / 'training').is_symlink()
def level(number):
    return .1 if (state['weights'] == 'mean2' or state['views']) and number % 4 == 1 else .9
images = [dict(image_id=f'{state["fold"]}/{number}', score=level(number) if number % 2 else .5,
               recall_levels=[level(number)] * (number % 2), fp_levels=[.5] * (1 - number % 2),
               fp_changes=[1] * (1 - number % 2), is_positive=number % 2 == 1)
          for number in range(24)]
(folder / 'test.json').write_text(json.dumps(dict(
    format='mmwindow-evaluation', version=1, metrics={},
    settings=dict(budgets=[.1, .2, .3, .4, .5], convention='first_crossing'),
    classes=[dict(name='fracture', images=images)])))
metrics = {'froc/auroc': .75, 'froc/recall@0.1': .5, 'froc/froc_score': .6}
(folder / 'result.json').write_text(json.dumps({
    **state, 'checkpoint': state['weights'] + '.pth', 'records': dict(test='test.json'),
    'test_seconds': 2., 'machine': 'x86_64', 'num_images': dict(test=24), 'validation_metrics': None,
    'metrics': metrics}))
"""


@pytest.fixture
def trained(runs, monkeypatch):
    """The runs with four epochs each, and a worker whose numbers depend on weights and views."""
    monkeypatch.setattr(folds_api, 'worker_command', lambda plan, *rest: (
        sys.executable, '-W', 'ignore', '-c', JUDGING_WORKER, str(plan.folder)))
    for folder in runs.glob('wl_kld/fold*'):
        for epoch in range(1, 5):
            torch.save(dict(meta=dict(epoch=epoch), state_dict=dict(weight=torch.ones(1) * epoch)),
                       folder / f'training/epoch_{epoch}.pth')
        cfg = Config.fromfile(str(folder / 'config.py'))
        cfg.tta_model = dict(type='PointTTAModel')
        cfg.tta_pipeline = VIEWS
        cfg.test_dataloader.dataset.pipeline = []
        cfg.dump(folder / 'config.py')
    return runs


VIEWS = [dict(type='Load'), dict(type='TestTimeAug', transforms=[
    [dict(type='RandomFlip', prob=0.), dict(type='RandomFlip', prob=1.)],
    [dict(type='Rotate', min_mag=0.), dict(type='Rotate', min_mag=5.)], [dict(type='Pack')]])]


def test_variants_are_each_rule_with_each_choice_of_views():
    assert list_variants(None, None) == [TestVariant('own', 'own')] == [TestVariant()]
    assert list_variants(None, ['none', 'all']) == [TestVariant('own', None),
                                                    TestVariant('own', 'all')]
    assert [one.name for one in list_variants(None, ['none', 'all'])] == ['own', 'own_all']
    assert [one.name for one in list_variants(['last', 'mean4'], ['none', 'mirror'])] == [
        'last', 'last_mirror', 'mean4', 'mean4_mirror']
    for weights, views, words in ((['last', 'last'], None, 'names last twice'),
                                  (['first'], None, 'best'),
                                  (None, ['six'], '--tta six: expected are none, all and mirror')):
        with pytest.raises(ValueError, match=words):
            list_variants(weights, views)


def test_mirror_images_are_the_flips_of_all_views():
    cfg = ConfigDict(model=dict(type='Any'), tta_model=dict(type='PointTTAModel'), tta_pipeline=VIEWS,
                     test_dataloader=dict(dataset=dict(pipeline=[])))
    use_test_time_augmentation(cfg, 'mirror')
    load, views = cfg.test_dataloader.dataset.pipeline
    assert load == VIEWS[0]
    assert views['transforms'] == [VIEWS[1]['transforms'][index] for index in (0, 2)]
    assert cfg.tta_pipeline == VIEWS and cfg.model.module.type == 'Any'
    cfg.tta_pipeline = [VIEWS[0], dict(VIEWS[1], transforms=VIEWS[1]['transforms'][1:])]
    with pytest.raises(ValueError, match='--tta mirror: .* no alternatives of RandomFlip'):
        use_test_time_augmentation(cfg, 'mirror')
    with pytest.raises(ValueError, match='--tta six: expected is all or mirror'):
        use_test_time_augmentation(cfg, 'six')


def test_weights_and_views_of_the_same_trainings_are_compared(trained, tmp_path, capsys):
    """Two folds of 24 images: half of 12 points come after all negatives. AUROC 1 and .5, and the
    FROC score 1 and (4 * .5 + 1) / 5 = .6."""
    command = ['retest', trained, '--out', tmp_path / 'other', '--weights', 'last', 'mean2', '--tta',
               'none', 'mirror', '--reference', 'last', '--results', tmp_path / 'variants.json']
    cli.main([str(word) for word in command])
    text = capsys.readouterr().out
    assert '| wl_kld | mean2 | AUROC | -0.500 (' in text and 'minus last' in text
    assert 'Each variant is a test of the same trainings' in text
    content = read_json(tmp_path / 'variants.json')
    found = {(row['setting'], row['metric']): row['difference'] for row in content['differences']}
    assert len(found) == 9 and found['last_mirror', 'froc_score'] == pytest.approx(-.4)
    assert content['reference'] == 'last' and content['command'].startswith('mmwindow retest')
    result = read_json(tmp_path / 'other/mean2_mirror/wl_kld/fold1/result.json')
    assert (result['weights'], result['views']) == ('mean2', 'mirror')
    assert result['training_seconds'] == 3600.
    assert read_json(tmp_path / 'other/mean2/wl_kld/fold1/result.json')['views'] is None
    results = list((tmp_path / 'other').rglob('result.json'))
    before = [path.stat().st_mtime_ns for path in results]
    assert len(before) == 8
    cli.main([str(word) for word in command])  # all is reused
    assert before == [path.stat().st_mtime_ns for path in results]


def test_other_epochs_are_another_test(trained, tmp_path):
    """Trained again: the name of the rule stays, the checkpoints behind it do not."""
    assert len(call([trained], tmp_path / 'other', {}, weights=['mean2'])) == 2
    assert call([trained], tmp_path / 'other', {}, weights=['mean2']) == []
    torch.save(dict(meta=dict(epoch=4), state_dict=dict(weight=torch.ones(1) * 9)),
               trained / 'wl_kld/fold1/training/epoch_4.pth')
    with pytest.raises(ValueError, match='fold1 holds a run of other settings'):
        call([trained], tmp_path / 'other', {}, weights=['mean2'])
    assert call([trained], tmp_path / 'other', {}, weights=['mean2'], overwrite=True) == [
        'wl_kld fold 1']


def test_runs_that_tested_their_last_epoch_are_tested_again_with_it_and_once(trained, tmp_path):
    for path in trained.glob('wl_kld/fold*/r*.json'):
        path.write_text(json.dumps({**read_json(path), 'weights': 'last',
                                    'checkpoint': 'epoch_4.pth'}))
    assert len(call([trained], tmp_path / 'other', DISTANCE)) == 2
    assert read_json(tmp_path / 'other/wl_kld/fold0/result.json')['weights'] == 'last'
    assert call([trained], tmp_path / 'other', DISTANCE) == []


def test_views_of_a_test_stay_where_it_is_tested_again_by_another_rule(trained, tmp_path):
    """Else the two hit rules' tables would be of different predictions."""
    call([trained], tmp_path / 'mirror', {}, weights=['last'], views=['mirror'])
    call([tmp_path / 'mirror'], tmp_path / 'distance', DISTANCE)
    call([tmp_path / 'mirror'], tmp_path / 'alone', DISTANCE, views=['none'])
    for name, views in (('mirror', 'mirror'), ('distance', 'mirror'), ('alone', None)):
        assert read_json(tmp_path / name / 'wl_kld/fold0/result.json')['views'] == views
    assert call([tmp_path / 'mirror'], tmp_path / 'distance', DISTANCE) == []


@pytest.mark.parametrize('arguments, words', [
    (['--weights', 'mean9'], 'mean9 need 9 checkpoints in a row'),
    (['--weights', 'last', '--reference', 'last'], 'one of two or more'),
    (['--weights', 'last', 'best', '--reference', 'mean2'], 'the variants are last, best'),
    (['--weights', 'last', 'best', '--results', 'a.json'], 'name its --reference'),
    ([], 'or --weights, or --tta')])
def test_comparisons_that_are_none_are_rejected_before_any_test(arguments, words, trained, tmp_path,
                                                                capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(['retest', str(trained), '--out', str(tmp_path / 'other'), *arguments])
    assert ended.value.code == 1 and words in capsys.readouterr().err
    assert not (tmp_path / 'other').exists()


def test_views_that_a_config_lacks_are_said_before_the_first_test(runs, tmp_path):
    with pytest.raises(ValueError, match='--tta: the config has no tta_model and no tta_pipeline'):
        call([runs], tmp_path / 'other', {}, views=['mirror'])


def test_folds_of_other_trainings_are_not_tested_as_one_system(runs, tmp_path):
    for name in ('run.json', 'result.json'):
        path = runs / 'wl_kld/fold1' / name
        path.write_text(json.dumps({**read_json(path), 'seed': 8}))
    with pytest.raises(ValueError, match='fold 0 and fold 1 were trained with different seed 7'):
        call([runs], tmp_path / 'other', DISTANCE)


@pytest.mark.parametrize('out, options, more, message', [
    ('other', DISTANCE, dict(only=[0, 4]), '--only: wl_kld has no fold 4; of those'),
    ('runs/mirror', DISTANCE, {}, 'is where the runs are, so that its tests'),
    ('other', {'test_evaluator.hit_raduis': 50.}, {}, "--cfg-options test_evaluator: .*hit_raduis"),
    ('other', {'test_dataloader.dataset.pipeline.ResizeToInput.input_size': 9},
     dict(views=['mirror']), 'come from the config.s tta_pipeline, so that it would change nothing')])
def test_what_would_be_tested_otherwise_than_meant_is_refused(runs, tmp_path, out, options, more,
                                                             message):
    if 'views' in more:
        for path in runs.glob('*/*/config.py'):
            path.write_text(path.read_text().replace(
                'ann_file=', "pipeline=[dict(type='ResizeToInput', input_size=8)], ann_file="))
    with pytest.raises(ValueError, match=message) as error:
        call([runs], tmp_path / out, options, **more)
    assert '\n' not in str(error.value)
