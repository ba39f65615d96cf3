"""Runs tested again: refusals, reuse, what the results say; a stand-in worker does the tests."""
import io
import json
import shutil
import sys

import pytest
from mmengine.config import Config

from mmwindow.engine.checkpoint import find_best_checkpoint
from mmwindow.experiments import cross_validation as folds_api
from mmwindow.experiments.devices import Devices
from mmwindow.experiments.results import load_systems
from mmwindow.experiments.retest import retest_runs
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
                        lambda *rest: Devices([{}]))
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
