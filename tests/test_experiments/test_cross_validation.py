"""Runs over folds: reuse, resuming after a cut, rejections; a real training at the end."""
import contextlib
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmwindow.apis.config_parts import innermost_dataset
from mmwindow.datasets.folds import make_folds, write_folds
from mmwindow.engine.checkpoint import load_own_checkpoint
from mmwindow.engine.hooks import ValidateOnResumeHook
from mmwindow.evaluation.files.records import read_record
from mmwindow.experiments import cross_validation as folds_api
from mmwindow.experiments import job_queue, run_folders
from mmwindow.experiments import worker as run_worker
from mmwindow.experiments.cross_validation import (
    claim_run,
    place_folds,
    run_folds,
    run_plans,
    worker_command,
)
from mmwindow.experiments.devices import Devices, choose_devices
from mmwindow.experiments.plan import RunSettings, describe_system, plan_runs
from mmwindow.experiments.retest import retest_runs
from mmwindow.experiments.run_folders import FolderTakenError, lock_folders
from mmwindow.experiments.worker import check_same_code, note_start, train_in_processes
from mmwindow.utils.environment import training_code
from mmwindow.utils.files import read_json
from mmwindow.utils.progress import ProgressDisplay
from tests.forks import FORKS
from tests.stand_in_configs import window_config

ROOT = Path(__file__).parents[2]

# Stands in for the worker: writes two records and a result, as the real one does at its end.
WORKER = """
import json, sys
from pathlib import Path
folder = Path(sys.argv[1])
state = json.loads((folder / 'run.json').read_text())
if state['system'] == 'fails':
    raise SystemExit('no luck')
images = [dict(image_id=1, score=0.5, recall_levels=[], fp_levels=[], fp_changes=[],
               is_positive=False)]
record = dict(format='mmwindow-evaluation', version=1, metrics={},
              settings=dict(budgets=[0.1], convention='first_crossing'),
              classes=[dict(name='fracture', images=images)])
for name in ('test.json', 'val.json'):
    (folder / name).write_text(json.dumps(record))
(folder / 'result.json').write_text(json.dumps({**state, 'training_seconds': 5.0}))
"""


@pytest.fixture
def fake_worker(monkeypatch):
    monkeypatch.setattr(folds_api, 'worker_command', lambda plan, *rest: (
        sys.executable, '-c', WORKER, str(plan.folder)))
    monkeypatch.setattr(folds_api, 'choose_devices',
                        lambda *rest, **more: Devices([{}]))


@pytest.fixture
def data(own_tiny_dataset):
    """The tiny data set with all its 16 images in one point file, and two folds of it."""
    annotations = own_tiny_dataset / 'annotations'
    parts = [json.loads((annotations / f'{split}.json').read_text())
             for split in ('train', 'val', 'test')]
    (annotations / 'points.json').write_text(json.dumps(dict(
        images=[img for part in parts for img in part['images']],
        annotations=[point for part in parts for point in part['annotations']],
        categories=parts[0]['categories'])))
    write_folds(annotations / 'folds.json', make_folds(annotations / 'points.json', num_folds=2))
    return own_tiny_dataset


def write_config(folder, name, data, divergence='kld'):
    folder.mkdir(exist_ok=True)
    path = folder / f'{name}.py'
    path.write_text(window_config(data, divergence))
    return path


def call(configs, tmp_path, data, **options):
    """Run over both folds; return the names of the runs that were started."""
    options.setdefault('folds', data / 'annotations/folds.json')
    outcomes = run_folds(configs, tmp_path / 'runs', display=ProgressDisplay(stream=io.StringIO()),
                         **options)
    return [outcome.job.name for outcome in outcomes if outcome.returncode == 0]


def test_two_configs_over_two_folds_then_reuse(tmp_path, data, fake_worker):
    configs = [write_config(tmp_path, 'a', data), write_config(tmp_path, 'b', data, 'mse')]
    assert call(configs, tmp_path, data) == ['a fold 0', 'b fold 0', 'a fold 1', 'b fold 1']
    assert call(configs, tmp_path, data) == []
    assert sorted(path.parent.relative_to(tmp_path / 'runs').as_posix() for path in
                  (tmp_path / 'runs').rglob('result.json')) == [
        'a/fold0', 'a/fold1', 'b/fold0', 'b/fold1']
    result = read_json(tmp_path / 'runs/b/fold1/result.json')
    assert (result['system'], result['fold'], result['seed'], result['divergence']) == (
        'b', 1, 0, 'mse')
    assert result['window'] == dict(lower_radius=50, upper_radius=200, softness=2)


def test_run_trains_on_the_files_of_its_fold(tmp_path, data, fake_worker):
    from mmengine.config import Config
    call([write_config(tmp_path, 'a', data)], tmp_path, data, only=[1])
    cfg = Config.fromfile(tmp_path / 'runs/a/fold1/config.py')
    content = read_json(data / 'annotations/folds.json')
    for split in ('train', 'val', 'test'):
        path = cfg[f'{split}_dataloader'].dataset.ann_file
        assert path == str(tmp_path / f'runs/annotations/fold1/{split}.json')
        assert {img['id'] for img in json.loads(Path(path).read_text())['images']} == set(
            content['folds'][1][split])
    assert not (tmp_path / 'runs/a/fold0').exists()
    # While a checkpoint is written the one before must still be there.
    assert cfg.default_hooks.checkpoint.max_keep_ckpts == 2
    assert 'custom_hooks' not in cfg  # those of every training are registered by train()


def test_without_folds_the_configs_own_split_is_one_run(tmp_path, data, fake_worker):
    config = write_config(tmp_path, 'a', data)
    assert call([config], tmp_path, data, folds=None) == ['a']
    assert read_json(tmp_path / 'runs/a/single/result.json')['fold'] is None
    assert call([config], tmp_path, data, folds=None) == []
    # Another annotation file is another run, though the config is the same.
    test_file = data / 'annotations/test.json'
    test_file.write_text(test_file.read_text() + ' ')
    with pytest.raises(ValueError, match='the config is the same; data'):
        call([config], tmp_path, data, folds=None)


@pytest.mark.parametrize('name', ['test.json', 'val.json', 'result.json'])
def test_incomplete_files_are_not_taken_for_complete(name, tmp_path, data, fake_worker):
    config = write_config(tmp_path, 'a', data)
    call([config], tmp_path, data, only=[0])
    path = tmp_path / 'runs/a/fold0' / name
    if name == 'result.json':
        path.unlink()  # it is renamed into place, so a kill leaves none
    else:
        path.write_text(path.read_text()[:50])
    assert call([config], tmp_path, data, only=[0]) == ['a fold 0']
    assert read_json(tmp_path / 'runs/a/fold0/run.json')['starts'] == 2


def test_cut_training_keeps_its_folder(tmp_path, data, fake_worker):
    """Of the same mark and without a result: the checkpoints of the cut run are still there."""
    config = write_config(tmp_path, 'a', data)
    call([config], tmp_path, data, only=[0])
    folder = tmp_path / 'runs/a/fold0'
    (folder / 'result.json').unlink()
    (folder / 'training').mkdir()
    (folder / 'training/kept').write_text('')
    call([config], tmp_path, data, only=[0])
    assert (folder / 'training/kept').exists()


def test_other_settings_are_refused_with_the_difference_or_overwritten(tmp_path, data, fake_worker):
    config = write_config(tmp_path, 'a', data)
    call([config], tmp_path, data, only=[0])
    changed = {'model.type': 'Other'}
    with pytest.raises(FolderTakenError,
                       match=r"holds a run of other settings: .*now .*type='Other'") as error:
        call([config], tmp_path, data, only=[0], cfg_options=changed)
    assert '--' not in error.value.found  # other commands have other options
    assert (tmp_path / 'runs/a/fold0/result.json').exists()
    with pytest.raises(ValueError, match='other settings'):
        call([config], tmp_path, data, only=[0], seed=1)
    assert call([config], tmp_path, data, only=[0], cfg_options=changed, overwrite=True) == [
        'a fold 0']


def test_a_failing_run_does_not_stop_the_others(tmp_path, data, fake_worker):
    configs = [write_config(tmp_path, 'fails', data), write_config(tmp_path, 'works', data)]
    assert call(configs, tmp_path, data) == ['works fold 0', 'works fold 1']
    assert 'no luck' in (tmp_path / 'runs/fails/fold0/log.txt').read_text()
    assert not (tmp_path / 'runs/fails/fold0/result.json').exists()


def test_a_finished_run_that_cannot_be_filed_does_not_stop_the_others(tmp_path, data, fake_worker):
    config, stream = write_config(tmp_path, 'a', data), io.StringIO()
    call([config], tmp_path, data, only=[0])
    plans = plan_runs([config], tmp_path / 'runs', folds=place_folds(
        data / 'annotations/folds.json', tmp_path / 'runs'))

    def measure(plan):
        if plan.fold == 0:
            raise ValueError('events damaged')
        return 7.

    outcomes = run_plans(plans, Devices([{}]), display=ProgressDisplay(stream=stream),
                         measure=measure)
    assert [(outcome.job.name, outcome.returncode, outcome.seconds) for outcome in outcomes] == [
        ('a fold 0', job_queue.NOT_FILED, 0.), ('a fold 1', 0, 7.)]
    assert ('a fold 0: FAILED, it ended but its result could not be filed: events damaged'
            in stream.getvalue())


def test_other_folds_in_the_same_place_are_refused(tmp_path, data, fake_worker):
    config = write_config(tmp_path, 'a', data)
    call([config], tmp_path, data, only=[0])
    points = data / 'annotations/points.json'
    write_folds(tmp_path / 'others.json', make_folds(points, num_folds=2, seed=5))
    with pytest.raises(FolderTakenError, match='holds other folds') as error:
        call([config], tmp_path, data, folds=tmp_path / 'others.json', points=points)
    assert '--' not in error.value.found  # other commands have other options
    with pytest.raises(ValueError, match='points.json, which does not lie next to it'):
        call([config], tmp_path, data, folds=tmp_path / 'others.json')


def test_bad_requests_are_refused_before_anything_runs(tmp_path, data, fake_worker):
    config = write_config(tmp_path, 'a', data)
    other = write_config(tmp_path / 'more', 'a', data)
    with pytest.raises(ValueError, match='2 configs are named a'):
        call([config, other], tmp_path, data)
    with pytest.raises(ValueError, match='there is no fold 2; the folds are 0 to 1'):
        call([config], tmp_path, data, only=[2])
    with pytest.raises(ValueError, match='there is no folds file'):
        call([config], tmp_path, data, folds=None, only=[0])
    (data / 'annotations/val.json').unlink()
    with pytest.raises(ValueError, match='val.json: cannot be read'):
        call([config], tmp_path, data, folds=None)
    assert not list((tmp_path / 'runs').rglob('log.txt'))


def test_a_folder_at_work_is_not_entered_twice(tmp_path):
    with lock_folders([tmp_path / 'a/fold0']):
        with pytest.raises(ValueError, match='fold0: in use by'):
            with lock_folders([tmp_path / 'a/fold1', tmp_path / 'a/fold0']):
                pass
    with lock_folders([tmp_path / 'a/fold0']):
        pass


def test_commands_with_other_configs_do_not_wait_for_one_another(tmp_path, data, fake_worker):
    """A second command begins while the first is in the middle of its run, in the same folder."""
    configs = [write_config(tmp_path, name, data) for name in 'ab']
    with lock_folders([tmp_path / 'runs/a/fold0', tmp_path / 'runs/a/fold1']):
        assert call(configs[1:], tmp_path, data) == ['b fold 0', 'b fold 1']


def test_commands_with_the_same_runs_share_them(tmp_path, data, fake_worker):
    """Held by another command, the first run is passed over; it is done last, when it is free."""
    config, stream = write_config(tmp_path, 'a', data), io.StringIO()
    other = contextlib.ExitStack()
    other.enter_context(lock_folders([tmp_path / 'runs/a/fold0']))

    class Display(ProgressDisplay):
        def say(self, text):
            super().say(text)
            if text.startswith('a fold 1: done'):
                other.close()
    outcomes = run_folds([config], tmp_path / 'runs', data / 'annotations/folds.json',
                         display=Display(stream=stream))
    assert [outcome.job.name for outcome in outcomes] == ['a fold 1', 'a fold 0']
    assert 'a fold 0: another command is at work on it' in stream.getvalue()
    assert read_json(tmp_path / 'runs/a/fold0/run.json')['starts'] == 1


def test_what_another_command_has_finished_is_not_done_again(tmp_path, data, fake_worker):
    config = write_config(tmp_path, 'a', data)
    call([config], tmp_path, data, only=[0])
    plan, = plan_runs([config], tmp_path / 'runs', folds=place_folds(
        data / 'annotations/folds.json', tmp_path / 'runs', numbers=[0]))
    with claim_run(plan, '', False, False, None) as is_needed:
        assert not is_needed
    with lock_folders([plan.folder]):  # it was given back
        pass


def test_runs_in_the_way_are_said_before_the_first_begins(tmp_path, data, fake_worker):
    configs = [write_config(tmp_path, name, data) for name in 'ab']
    (tmp_path / 'runs/b/fold1').mkdir(parents=True)
    (tmp_path / 'runs/b/fold1/notes.txt').write_text('mine')
    with pytest.raises(ValueError, match="b/fold1: there is no run.json"):
        call(configs, tmp_path, data)
    assert not (tmp_path / 'runs/a').exists() or not list((tmp_path / 'runs/a').rglob('*.json'))


def test_devices_without_a_gpu(monkeypatch):
    monkeypatch.setattr('torch.cuda.device_count', lambda: 0)
    chosen = choose_devices()
    assert chosen.num_processes == 1
    assert [list(device) for device in chosen.environments] == [['PYTHONPATH']]
    with pytest.raises(ValueError, match=r'GPUs \[0\] were asked for; this machine shows 0'):
        choose_devices(gpus=[0])
    with pytest.raises(ValueError, match='GPUs all were asked for'):
        choose_devices(all_gpus=True)


def test_one_job_a_gpu_or_one_on_all(monkeypatch):
    monkeypatch.setattr('torch.cuda.device_count', lambda: 3)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '4,5,7')

    def visible(**options):
        chosen = choose_devices(**options)
        return [device.get('CUDA_VISIBLE_DEVICES') for device in chosen.environments], (
            chosen.num_processes)

    assert visible() == (['4', '5', '7'], 1)
    assert visible(gpus=[0, 2]) == (['4', '7'], 1)
    assert visible(all_gpus=True) == ([None], 3)  # sees all that this process sees
    with pytest.raises(ValueError, match=r'GPUs \[3\]'):
        choose_devices(gpus=[1, 3])


def test_one_run_on_several_gpus_is_started_by_torchrun(tmp_path, monkeypatch):
    plan = SimpleNamespace(folder=tmp_path, amp=False)
    assert worker_command(plan)[1:] == (
        '-m', 'mmwindow.experiments.worker', str(tmp_path), '--end-with-stdin',
        '--processes=1')
    plan.amp = True
    assert worker_command(plan, num_processes=4)[-2:] == ('--processes=4', '--amp')
    started = []

    def start(command, stdin):
        started.append(command)
        return SimpleNamespace(wait=lambda: len(started) - 1, returncode=len(started) - 1)

    monkeypatch.setattr('subprocess.Popen', start)
    train_in_processes(tmp_path, 4, amp=True)
    assert started == [[
        sys.executable, '-m', 'mmwindow.utils.launcher', '--standalone', '--nproc-per-node=4', '-m',
        'mmwindow.experiments.worker', str(tmp_path), '--launcher', 'pytorch',
        '--end-with-stdin', '--amp']]
    with pytest.raises(ValueError, match='the training in 4 processes failed with status 1'):
        train_in_processes(tmp_path, 4, amp=False)


@pytest.mark.parametrize('options, message', [
    ({'test_evaluator.type': 'CocoMetric'}, 'test_evaluator: the evaluator has 0 FROCMetric'),
    ({'val_evaluator.budgets': [0.5, 1.]}, r'val_evaluator.budgets is \[0.5, 1.0\]'),
    ({'default_hooks.checkpoint.save_best': None}, 'default_hooks.checkpoint has no save_best'),
    ({'load_from': 'nowhere.pth'}, 'load_from nowhere.pth: there is no such file')])
def test_a_run_that_could_only_fail_is_refused_before_its_training(tmp_path, data, options, message):
    config = write_config(tmp_path, 'a', data)
    with pytest.raises(ValueError, match=rf'{config}: {message}'):
        plan_runs([config], tmp_path / 'runs', RunSettings(options))


def test_weights_to_start_from_are_part_of_the_mark(tmp_path, data):
    config, weights = write_config(tmp_path, 'a', data), tmp_path / 'pretrained.pth'
    marks = []
    for content in (1, 2):
        torch.save(content, weights)
        marks.append(plan_runs([config], tmp_path, RunSettings(
            {'load_from': str(weights)}))[0].mark)
    assert len({*marks, plan_runs([config], tmp_path)[0].mark}) == 3


def test_a_seed_left_to_chance_is_fixed(tmp_path, data):
    config = write_config(tmp_path, 'a', data)
    config.write_text(config.read_text().replace('randomness = dict(seed=0)\n', ''))
    plan, = plan_runs([config], tmp_path)
    assert plan.seed == 0 and plan.cfg.randomness.seed == 0  # what mmengine will take


def test_files_that_are_no_run_are_not_deleted(tmp_path, data, fake_worker):
    config, folder = write_config(tmp_path, 'a', data), tmp_path / 'runs/a/fold0'
    (folder / 'training').mkdir(parents=True)
    (folder / 'notes.txt').write_text('mine')
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="there is no run.json, .* is 'notes.txt', 'training'"):
            call([config], tmp_path, data, overwrite=overwrite)
    assert (folder / 'notes.txt').read_text() == 'mine'
    # What a start leaves that was cut before it had written run.json is no obstacle.
    for path in (folder / 'notes.txt', folder / 'config.py.part'):
        path.rename(folder / 'config.py') if path.exists() else path.write_text('cut')
    (folder / 'training').rmdir()
    assert call([config], tmp_path, data) == ['a fold 0', 'a fold 1']


@pytest.fixture
def code(monkeypatch):
    """The marks of the code that is installed; a test changes them."""
    code = SimpleNamespace(training='t1', scoring='s1')
    monkeypatch.setattr(run_folders, 'training_code', lambda: code.training)
    monkeypatch.setattr(run_folders, 'scoring_code', lambda: code.scoring)
    return code


def forget_code(folder):
    """Turn a run into one of version 0.1, which notes no code."""
    for name in ('run.json', 'result.json'):
        content = read_json(folder / name)
        for entry in ('training_code', 'scoring_code'):
            content.pop(entry)
        (folder / name).write_text(json.dumps(content))


def test_changed_scoring_code_tests_again_and_never_trains_again(tmp_path, data, fake_worker, code):
    config = write_config(tmp_path, 'a', data)
    call([config], tmp_path, data, only=[0])
    folder = tmp_path / 'runs/a/fold0'
    state = read_json(folder / 'run.json')
    (folder / 'run.json').write_text(json.dumps({**state, 'trained': True}))
    code.scoring = 's2'
    assert call([config], tmp_path, data, only=[0]) == ['a fold 0']
    assert read_json(folder / 'run.json')['trained']  # so that the worker tests alone
    assert read_json(folder / 'result.json')['scoring_code'] == 's2'
    assert call([config], tmp_path, data, only=[0]) == []


def finish_training(tmp_path):
    for path in (tmp_path / 'runs').rglob('run.json'):
        path.write_text(json.dumps({**read_json(path), 'trained': True}))


def test_changed_training_code_names_the_runs_and_stops(tmp_path, data, fake_worker, code):
    configs = [write_config(tmp_path, name, data) for name in 'ab']
    call(configs[:1], tmp_path, data)
    finish_training(tmp_path)
    code.training = 't2'
    with pytest.raises(ValueError, match="other code.*'a fold 0', 'a fold 1'.*--accept") as error:
        call(configs, tmp_path, data)
    assert len(str(error.value)) < 500 and not (tmp_path / 'runs/b/fold0').exists()
    # Kept, and their results say so; nothing is tested again. The other config is trained.
    assert call(configs, tmp_path, data, accept=True) == ['b fold 0', 'b fold 1']
    result = read_json(tmp_path / 'runs/a/fold0/result.json')
    assert (result['training_code'], result['accepted_code']) == ('t1', ['t2'])
    assert call(configs, tmp_path, data) == []  # once is enough
    assert 'accepted_code' not in read_json(tmp_path / 'runs/b/fold0/result.json')
    code.training = 't3'
    assert call(configs[:1], tmp_path, data, overwrite=True) == ['a fold 0', 'a fold 1']
    assert read_json(tmp_path / 'runs/a/fold0/result.json')['training_code'] == 't3'


@pytest.mark.parametrize('options', [dict(overwrite=True), dict(accept=True)])
def test_a_rejected_command_deletes_and_notes_nothing(options, tmp_path, data, fake_worker, code):
    """Another run stands in the way: what was trained by other code stays as it is."""
    configs = [write_config(tmp_path, name, data) for name in 'ab']
    call(configs[:1], tmp_path, data, only=[0])
    finish_training(tmp_path)
    weights = tmp_path / 'runs/a/fold0/training/epoch_8.pth'
    weights.parent.mkdir()
    weights.write_text('hours of work')
    notes = tmp_path / 'runs/b/fold0/notes.txt'
    notes.parent.mkdir(parents=True)
    notes.write_text('mine')
    files = [tmp_path / 'runs/a/fold0' / name for name in ('run.json', 'result.json')]
    before = [path.read_text() for path in files]
    code.training = 't2'
    with pytest.raises(FolderTakenError, match='b/fold0: there is no run.json'):
        call(configs, tmp_path, data, only=[0], **options)
    assert weights.read_text() == 'hours of work'
    assert [path.read_text() for path in files] == before
    notes.unlink()
    is_overwritten = 'overwrite' in options
    assert call(configs, tmp_path, data, only=[0], **options) == [
        *['a fold 0'] * is_overwritten, 'b fold 0']
    assert weights.exists() != is_overwritten
    result = read_json(files[1])
    assert (result['training_code'], result.get('accepted_code')) == (
        ('t2', None) if is_overwritten else ('t1', ['t2']))


def test_a_run_that_was_cut_before_its_first_checkpoint_begins_with_this_code(
        tmp_path, data, fake_worker, code):
    config = write_config(tmp_path, 'a', data)
    call([config], tmp_path, data, only=[0])
    (tmp_path / 'runs/a/fold0/result.json').unlink()
    code.training = 't2'
    assert call([config], tmp_path, data, only=[0]) == ['a fold 0']
    assert read_json(tmp_path / 'runs/a/fold0/result.json')['training_code'] == 't2'


def test_a_training_that_begins_again_is_of_no_accepted_code(tmp_path, data, fake_worker, code):
    """Code t2 was accepted for weights by t1; these are gone, so that t2 alone trains the run."""
    config = write_config(tmp_path, 'a', data)
    call([config], tmp_path, data, only=[0])
    folder = tmp_path / 'runs/a/fold0'
    (folder / 'run.json').write_text(json.dumps(
        {**read_json(folder / 'run.json'), 'accepted_code': ['t2']}))
    (folder / 'result.json').unlink()
    code.training = 't2'
    assert call([config], tmp_path, data, only=[0]) == ['a fold 0']
    for name in ('run.json', 'result.json'):
        content = read_json(folder / name)
        assert content['training_code'] == 't2' and 'accepted_code' not in content


def test_runs_of_versions_that_noted_no_code_say_what_to_do(tmp_path, data, fake_worker):
    config = write_config(tmp_path, 'a', data)
    call([config], tmp_path, data, only=[0])
    finish_training(tmp_path)
    forget_code(tmp_path / 'runs/a/fold0')
    with pytest.raises(ValueError, match='a version that did not note its code.*--accept'):
        call([config], tmp_path, data, only=[0])
    # By which code they were scored is not known either: they are tested again.
    assert call([config], tmp_path, data, only=[0], accept=True) == ['a fold 0']
    assert len(read_json(tmp_path / 'runs/a/fold0/result.json')['accepted_code']) == 1


def test_a_result_that_was_cut_short_is_made_anew(tmp_path, data, fake_worker):
    config = write_config(tmp_path, 'a', data)
    call([config], tmp_path, data)
    (tmp_path / 'runs/a/fold1/result.json').write_text('{"mark": "a')
    assert call([config], tmp_path, data) == ['a fold 1']


def test_a_start_notes_code_and_machine_and_keeps_those_before(monkeypatch):
    monkeypatch.setattr(run_worker, 'describe_machine', lambda: 'new')
    monkeypatch.setattr(run_worker, 'describe_versions', lambda: dict(commit='b'))
    here = dict(versions=dict(commit='b'), machine='new')
    assert note_start({'mark': 'x'}) == dict(mark='x', **here, earlier_starts=[])
    assert note_start(note_start({})) == dict(**here, earlier_starts=[])
    first = dict(versions=dict(commit='a'), machine='new')
    assert note_start(first) == dict(**here, earlier_starts=[first])


def test_number_of_processes_changes_the_mark(tmp_path, data):
    """Four processes have four times the batch: not the same training."""
    config = write_config(tmp_path, 'a', data)
    marks = {plan_runs([config], tmp_path, RunSettings(num_processes=number))[0].mark
             for number in (1, 4)}
    assert len(marks) == 2


def test_wrapped_data_sets_are_looked_into():
    inner = dict(ann_file='a.json')
    assert innermost_dataset(dict(type='RepeatDataset', dataset=dict(dataset=inner))) is inner
    with pytest.raises(ValueError, match="'ConcatDataset' has no ann_file"):
        innermost_dataset(dict(type='ConcatDataset', datasets=[]))


@pytest.mark.parametrize('config, expected', [
    ('windowloss/wl_mse_r50_fpn.py', ('mse', 50, False)),
    ('windowloss/ablations/wl_kld_r50_fpn_tau2_lower100_upper200.py', ('kld', 100, True)),
    ('windowloss/wl_plus_r50_fpn.py', (None, 50, False)),  # no row of the paper's Table 3
    ('windowloss/ablations/wl_plus_lite0_fpn_without_image_fracatlas.py', (None, 50, True)),
    ('retinanet/retinanet_r50_fpn.py', (None, None, False)),
    ('chexnet/chexnet_r50.py', (None, None, False))])
def test_system_is_described_for_the_tables(config, expected):
    from mmwindow.apis import load_config
    path = ROOT / 'configs' / config
    found = describe_system(load_config(path), path)
    window = found['window'] or {}
    assert (found['divergence'], window.get('lower_radius'), found['is_ablation']) == expected


@pytest.mark.parametrize('epoch, validates', [(0, 0), (1, 0), (2, 1), (3, 0), (5, 1)])
def test_resumed_epoch_is_validated_where_it_is_due(epoch, validates):
    """Every second epoch and the last of five; a fresh start has nothing to validate."""
    calls = []
    runner = SimpleNamespace(
        epoch=epoch, iter=3 * epoch, hooks=[], train_loop=SimpleNamespace(
            val_interval=2, max_epochs=5, val_begin=1, dataloader=[0, 1, 2]),
        val_loop=SimpleNamespace(run=lambda: calls.append(1)),
        logger=SimpleNamespace(info=lambda text: None))
    ValidateOnResumeHook().before_train(runner)
    assert len(calls) == validates


@pytest.mark.smoke
def test_real_training_is_cut_and_goes_on(tmp_path, data, monkeypatch):
    """One epoch of two steps, cut in its validation: the second call judges that epoch.

    The first call starts a process as always; those after it run in forks of this one.
    """
    options = {
        'train_dataloader.batch_size': 2, 'train_cfg.max_epochs': 1,
        'model.backbone.depth': 18, 'model.backbone.base_channels': 8,
        'model.backbone.init_cfg': None, 'model.neck.in_channels': [8, 16, 32, 64],
        'model.neck.out_channels': 16, 'model.bbox_head.in_channels': 16}
    for split in ('train', 'val', 'test'):
        options[f'{split}_dataloader.dataset.data_root'] = f'{data}/'
        options['input_size'] = 128
        options[f'{split}_dataloader.num_workers'] = 0
        options[f'{split}_dataloader.persistent_workers'] = False
    config = ROOT / 'configs/windowloss/wl_kld_r50_fpn.py'
    assert call([config], tmp_path, data, only=[1], cfg_options=options) == [
        'wl_kld_r50_fpn fold 1']
    folder = tmp_path / 'runs/wl_kld_r50_fpn/fold1'
    whole = read_json(folder / 'result.json')
    content = read_json(data / 'annotations/folds.json')
    for split in ('test', 'val'):
        record = read_record(folder / f'{split}.json')
        assert {event.image_id for event in record.events()} == set(content['folds'][1][split])
    assert whole['checkpoint'] == 'best_froc_auroc_epoch_1.pth'
    # As a kill during validation leaves it: the epoch is saved, but neither judged nor tested.
    for name in ('result.json', 'test.json', 'val.json', 'training/' + whole['checkpoint']):
        (folder / name).unlink()
    checkpoint = load_own_checkpoint(folder / 'training/epoch_1.pth')
    for name in ('best_score', 'best_ckpt'):  # mmengine saves again once the epoch is judged
        del checkpoint['message_hub']['runtime_info'][name]
    torch.save(checkpoint, folder / 'training/epoch_1.pth')
    state = read_json(folder / 'run.json')
    (folder / 'run.json').write_text(json.dumps({**state, 'trained': False}))
    monkeypatch.setattr(job_queue, 'subprocess', FORKS)
    assert call([config], tmp_path, data, only=[1], cfg_options=options) == [
        'wl_kld_r50_fpn fold 1']
    logs = [path.read_text() for path in (folder / 'training').rglob('*.log')]
    assert any('Resumed at epoch 1: it is validated first' in log for log in logs)
    shown = (folder / 'log.txt').read_text()
    assert 'train_dataloader' not in shown  # the config is in the log file alone
    # Libraries warn in two lines each, the maintained forks more often.
    own = [line for line in shown.splitlines() if 'Warning' not in line and line[:2] != '  ']
    assert len(own) < 40
    again = read_json(folder / 'result.json')
    assert again['starts'] == 2
    for name in ('metrics', 'validation_metrics', 'checkpoint'):
        assert again[name] == whole[name]
    assert again['training_seconds'] >= whole['training_seconds'] > 0
    # The same weights by another rule: no centre lies beyond the frame's diagonal, so nothing is a
    # false positive and every point is found; the image scores stay.
    retest_runs([tmp_path / 'runs'], tmp_path / 'again', {
        'test_evaluator.rule': 'distance', 'test_evaluator.hit_radius': 1500.})
    other = read_json(tmp_path / 'again/wl_kld_r50_fpn/fold1/result.json')
    assert other['metrics']['froc/auroc'] == whole['metrics']['froc/auroc']
    events = read_record(tmp_path / 'again/wl_kld_r50_fpn/fold1/test.json').events()
    assert any(event.is_positive for event in events)
    for event in events:
        assert np.isfinite(event.recall_levels).all()
        assert len(event.fp_levels) == 0 or not event.is_positive


def test_a_run_does_not_begin_with_other_code_than_its_command(tmp_path):
    """The package was edited while a list of runs was at work: each worker imports it anew."""
    here = training_code()
    for state in ({}, dict(training_code=here), dict(training_code='older', accepted_code=[here])):
        check_same_code(tmp_path, state)
    for state in (dict(training_code='older'), dict(training_code='a', accepted_code=['older'])):
        with pytest.raises(ValueError, match=f'the command began with older, here is {here}. Start'):
            check_same_code(tmp_path, state)


def test_a_record_of_an_earlier_test_is_not_taken_for_this_one(tmp_path, data, fake_worker):
    """Its result no longer names it: the split is tested again."""
    configs = [write_config(tmp_path, 'a', data)]
    call(configs, tmp_path, data)
    for path in tmp_path.rglob('fold*/result.json'):
        path.write_text(json.dumps({**read_json(path), 'records': {}}))
    assert call(configs, tmp_path, data) == ['a fold 0', 'a fold 1']
