"""Five folds of a user's data by one command: trained, tested, resumed, the mean, the final model."""
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmwindow import cli
from mmwindow.apis import test as evaluate  # pytest would collect it under its own name
from mmwindow.apis.fold_numbers import FoldTest
from mmwindow.apis.model_files import read_checkpoint
from mmwindow.apis.model_places import find_model
from mmwindow.apis.own_data.choice import Machine
from mmwindow.apis.own_data.plan import describe_time, plan_training
from mmwindow.apis.run_numbers import ReportSettings
from mmwindow.datasets.folds import file_checksum
from mmwindow.engine.run_file import read_run, write_run
from mmwindow.evaluation import box_events
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.statistics.operating_point import choose_operating_point
from mmwindow.experiments import own_final, own_folds
from mmwindow.experiments.job_queue import Job, Outcome
from mmwindow.experiments.own_folds import finish_folds, train_folds
from mmwindow.experiments.run_folders import FolderTakenError

ROOT = Path(__file__).parents[2]
FAST = ReportSettings(num_resamples=100, band_resamples=100)
SMALL = {
    'input_size': 64, 'model.backbone.pretrained': False, 'train_cfg.max_epochs': 1,
    'train_dataloader.batch_size': 6,
    **{f'{split}_dataloader.{key}': value for split in ('train', 'val', 'test')
       for key, value in {'num_workers': 0, 'persistent_workers': False}.items()}}


def make_data(folder):
    """Write 24 images of two classes, every other one positive."""
    folder = folder / 'mine'
    (folder / 'images').mkdir(parents=True)
    images, annotations = [], []
    for number in range(24):
        Image.fromarray(np.full((48, 64), 90 + number, np.uint8)).save(
            folder / f'images/{number}.png')
        images.append(dict(id=number, file_name=f'{number}.png', height=48, width=64))
        annotations += [dict(id=2 * number + label, image_id=number, category_id=label,
                             keypoints=[20, 10 + 20 * label, 2], num_keypoints=1)
                        for label in range(2) if number % 2 == 0]
    (folder / 'points.json').write_text(json.dumps(dict(
        images=images, annotations=annotations,
        categories=[dict(id=0, name='nodule'), dict(id=1, name='mass')])))
    return folder


@pytest.fixture
def data(tmp_path):
    """A fresh copy of them."""
    return make_data(tmp_path)


def test_folds_are_run_from_the_config_file_with_the_division(data, tmp_path, monkeypatch):
    called = {}

    def run_folds(configs, out, **options):
        called.update(options, configs=configs, out=out)
        return []
    monkeypatch.setattr(own_folds, 'run_folds', run_folds)
    training = plan_training(data, work_dir=tmp_path / 'work', machine=Machine())
    train_folds(training, {'input_size': 64}, True, 'mmwindow train')
    assert called == dict(
        configs=[tmp_path / 'work/config/wl_kld_lite0_fpn.py'], out=tmp_path / 'work',
        folds=data / 'folds.json', points=data / 'points.json', cfg_options={'input_size': 64},
        amp=True, command_line='mmwindow train')


def test_folds_that_failed_are_named(data, tmp_path, monkeypatch):
    job = Job('wl_kld_lite0_fpn fold 2', 'wl_kld_lite0_fpn', (), tmp_path / 'log.txt')
    monkeypatch.setattr(own_folds, 'run_folds', lambda *args, **options: [Outcome(job, 1, 2.)])
    training = plan_training(data, work_dir=tmp_path / 'work', machine=Machine())
    with pytest.raises(ValueError, match='1 fold failed: wl_kld_lite0_fpn fold 2, see .*log.txt'):
        train_folds(training)


def test_folds_of_other_code_say_what_this_command_can_do(data, tmp_path, monkeypatch):
    """mmwindow train has none of the options of mmwindow folds."""
    def run_folds(*args, **options):
        raise FolderTakenError("trained by other code (commit 12ab): 'fold 0'",
                               '. Choose another --out, or delete it with --overwrite')
    monkeypatch.setattr(own_folds, 'run_folds', run_folds)
    training = plan_training(data, work_dir=tmp_path / 'work', machine=Machine())
    with pytest.raises(ValueError) as error:
        train_folds(training)
    assert str(error.value) == ("trained by other code (commit 12ab): 'fold 0'. Begin anew with "
                                f'another --work-dir, or delete {tmp_path / "work"} first')


def fold_tests(training):
    """Tests as five folds would leave them: positive images score from .6 on, negative ones below."""
    tests = []
    for number, parts in training.division.parts.items():
        events = [box_events([[19, 9, 21, 11]], [score], [[20, 10]] if record.points else [],
                             image_id=record.img_id, group=record.group or '')
                  for record in parts['test']
                  for score in [(.6 if record.points else .1) + record.img_id / 1000]]
        tests.append(FoldTest(number, training.work_dir / f'fold{number}',
                              {name: events for name in training.data.classes}, None, 1 + number % 3))
    return tests


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """Folds whose tests are given, and the final model that was trained after them."""
    folder = tmp_path_factory.mktemp('final')
    training = plan_training(make_data(folder), work_dir=folder / 'work', machine=Machine(),
                             cfg_options={**SMALL, 'train_cfg.max_epochs': 3})
    tests = fold_tests(training)
    for number in range(5):
        (folder / f'work/wl_kld_lite0_fpn/fold{number}/training').mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_folds, 'REPORT', FAST)
        # They take seconds.
        patch.setattr('mmwindow.apis.run_report.page.draw_run_figures', lambda *_: {})
        patch.setattr(own_folds, 'read_fold_tests', lambda training: (tests, FROCSettings()))
        patch.setattr(own_folds, 'read_held_out', lambda training: [])
        text = finish_folds(training)
    return SimpleNamespace(training=training, tests=tests, folder=folder / 'work', text=text)


def finish_again(finished, monkeypatch, **options):
    monkeypatch.setattr(own_folds, 'REPORT', FAST)
    monkeypatch.setattr(own_folds, 'read_fold_tests', lambda _: (finished.tests, FROCSettings()))
    monkeypatch.setattr(own_folds, 'read_held_out', lambda training: [])
    return finish_folds(finished.training, **options)


@pytest.mark.smoke
def test_the_final_model_is_trained_on_all_images_as_long_as_the_folds_chose(finished):
    final = finished.folder / 'final'
    run = read_run(final)
    assert run.is_finished and run.epoch == 2  # the median of 1, 2, 3, 1, 2
    assert run.data['train'] == file_checksum(finished.training.data.points)
    assert run.classes == ('nodule', 'mass') and run.input_size == (64, 64)
    assert run.best.checkpoint == 'epoch_2.pth' and run.best.metric == 'folds/auroc'
    assert run.best.metrics['folds/auroc'] == 1. == run.best.score
    # The cosine ends with the schedule of the folds, not after the second epoch.
    cfg = Config.fromfile(final / 'config/wl_kld_lite0_fpn.py')
    assert cfg.train_cfg.max_epochs == 2 and cfg.param_scheduler[1].end == 3
    assert cfg.val_dataloader is None
    assert 'AUROC of nodule: 1.000' in finished.text and 'no image is left to test' in finished.text


def schedule_config(param_scheduler):
    loader = dict(dataset=dict(ann_file='a'))
    return Config(dict(train_dataloader=loader, val_dataloader=loader, test_dataloader=loader,
                       train_cfg=dict(max_epochs=8), param_scheduler=param_scheduler))


@pytest.mark.parametrize('scheduler, end', [
    (dict(type='CosineAnnealingLR', by_epoch=True), 8),
    (dict(type='CosineAnnealingLR', by_epoch=True, end=6), 6),
    (dict(type='LinearLR', by_epoch=False, end=50), 50)])
@pytest.mark.parametrize('pack', [list, tuple, lambda entries: entries[0]])
def test_every_scheduler_ends_with_that_of_the_folds(scheduler, end, pack, tmp_path):
    cfg = schedule_config(pack([scheduler]))
    own_final.check_schedule(cfg, tmp_path / 'own.py')
    final = own_final.final_config(cfg, tmp_path / 'points.json', 3)
    assert final.train_cfg.max_epochs == 3
    assert [entry.end for entry in own_final.list_schedulers(final)] == [end]


def test_a_schedule_by_iterations_without_an_end_is_rejected(tmp_path):
    """mmengine would end it with the final model's few epochs, at another rate than the folds'."""
    cfg = schedule_config([dict(type='LinearLR', by_epoch=False, end=50),
                           dict(type='CosineAnnealingLR', by_epoch=False, begin=50)])
    with pytest.raises(ValueError, match=r'own.py: param_scheduler\[1\] \(CosineAnnealingLR\) has '
                                         'by_epoch=False and no end.*set its end.*--no-final'):
        own_final.check_schedule(cfg, tmp_path / 'own.py')


def test_such_a_schedule_is_rejected_before_the_folds_are_trained(
        data, tmp_path, monkeypatch, capsys):
    config = tmp_path / 'own.py'
    config.write_text(f"_base_ = {str(ROOT / 'configs/windowloss/wl_kld_lite0_fpn.py')!r}\n"
                      "param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=False)]\n")
    monkeypatch.setattr(own_folds, 'run_folds', lambda *args, **options: pytest.fail('it trains'))
    with pytest.raises(SystemExit):
        cli.main(['train', str(config), '--data', str(data), '--work-dir', str(tmp_path / 'work'),
                  '--cfg-options', *(f'{key}={value}' for key, value in SMALL.items())])
    error = capsys.readouterr().err
    assert 'own.py: param_scheduler[0] (CosineAnnealingLR)' in error and 'end' in error


def test_its_threshold_is_of_the_held_out_images_and_says_so(finished):
    place = find_model(finished.folder)
    assert place.checkpoint == finished.folder / 'final/epoch_2.pth'
    points = read_checkpoint(place.checkpoint).points
    assert points == place.run.best.operating_points
    point = points.point('nodule', 'findings')
    events = [img for test in finished.tests for img in test.events['nodule']]
    assert point.threshold == choose_operating_point(events).threshold
    assert points.split == 'held-out images of 5 folds' and points.num_images == 24
    assert 'models of the folds, none of them this model' in point.note


def test_a_finished_final_model_is_not_trained_again(finished, monkeypatch):
    weights = finished.folder / 'final/epoch_2.pth'
    before = weights.stat().st_mtime_ns
    monkeypatch.setattr(own_final, 'train', None)
    assert finish_again(finished, monkeypatch, report=False) == finished.text
    assert weights.stat().st_mtime_ns == before
    assert describe_time(finished.training).startswith('time: none')
    assert 'final model' not in finish_again(finished, monkeypatch, report=False, final=False)


def test_a_kill_before_the_thresholds_were_stored_is_made_up_for(finished, monkeypatch):
    final = finished.folder / 'final'
    run = read_run(final)
    write_run(final, replace(run, best=None))
    with pytest.raises(ValueError, match='it holds the runs of 5 folds and no final model'):
        find_model(finished.folder)
    monkeypatch.setattr(own_final, 'train', None)
    finish_again(finished, monkeypatch, report=False)
    assert read_run(final) == run


def test_a_final_model_that_has_moved_is_the_same(finished, monkeypatch):
    """Its config names all places; only deleting it was advised."""
    config = finished.folder / 'final/config/wl_kld_lite0_fpn.py'
    before = config.read_text()
    monkeypatch.setattr(own_final, 'train', None)
    try:
        config.write_text(before.replace(str(finished.folder.parent), '/an old/place').replace(
            "work_dir = '/an old/place/work/final'", "work_dir = 'work/final'"))
        assert '/an old/place/mine/points.json' in config.read_text() != before
        assert finish_again(finished, monkeypatch, report=False) == finished.text
        config.write_text(before.replace('points.json', 'others.json'))
        with pytest.raises(ValueError, match='another final model than .* ask for: .*others.json'):
            finish_again(finished, monkeypatch, report=False)
    finally:
        config.write_text(before)


def test_another_final_model_in_the_way_is_rejected(finished, monkeypatch):
    tests = [replace(test, best_epoch=3) for test in finished.tests]
    monkeypatch.setattr(own_final, 'train', None)
    with pytest.raises(ValueError, match='another final model than these folds ask for: .*epochs'):
        finish_again(SimpleNamespace(training=finished.training, tests=tests), monkeypatch,
                     report=False)


def call(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([str(argument) for argument in arguments])
    assert stop.value.code == 1
    return capsys.readouterr().err


def test_a_test_of_folds_shows_their_means_and_predicts_nothing(finished, capsys, monkeypatch):
    monkeypatch.setattr(sys.modules['mmwindow.apis.test'], 'build_runner', None)
    cli.main(['test', str(finished.folder)])
    out = capsys.readouterr().out
    assert out.startswith('mean of 5 folds') and 'AUROC of mass: 1.000' in out
    assert f'report: {finished.folder}/report/report.md' in out
    assert '--tta: ' in call(['test', finished.folder, '--tta'], capsys)
    # The final model saw all images of its config.
    error = call(['test', finished.folder / 'final'], capsys)
    assert 'trained on all images, so that none is left' in error and error.count('\n') == 1


@pytest.mark.long
def test_the_final_model_predicts_and_is_tested_on_other_images(finished, tmp_path, capsys):
    images = finished.training.data.images
    cli.main(['predict', str(finished.folder), str(images / '1.png'), '--out', str(tmp_path / 'out'),
              '--no-overlays'])
    assert 'held-out images of 5 folds' in capsys.readouterr().out
    metrics = evaluate(finished.folder, data=finished.training.data.points.parent,
                       work_dir=tmp_path / 'test', report=None)
    assert 'froc/auroc' in metrics and 'folds/auroc' not in metrics


@pytest.mark.long
def test_five_folds_are_trained_tested_reported_and_reused(data, tmp_path, capsys):
    work = tmp_path / 'work'
    arguments = ['train', '--data', str(data), '--work-dir', str(work), '--cfg-options',
                 *(f'{key}={value}' for key, value in SMALL.items())]
    cli.main(arguments)
    out = capsys.readouterr().out
    assert 'mean of 5 folds' in out and 'AUROC of nodule: ' in out and 'FROC score of mass: ' in out
    assert 'for the final model' in out and f'final model: {work}/final' in out
    runs = work / 'wl_kld_lite0_fpn'
    results = [json.loads((runs / f'fold{fold}/result.json').read_text()) for fold in range(5)]
    assert sum(result['num_images']['test'] for result in results) == 24
    report = work / 'report'
    assert {'froc_nodule.png', 'roc_nodule.png', 'overlays_nodule.png', 'overlays_mass.png',
            'training.png', 'report.md', 'result.json', 'images.csv'} <= {
                path.name for path in report.iterdir()}
    content = json.loads((report / 'result.json').read_text())
    means = [result['metrics']['froc/nodule_auroc'] for result in results]
    assert content['classes'][0]['metrics']['auroc'] == pytest.approx(np.mean(means))
    assert read_run(work / 'final').is_finished
    before = {path: path.stat().st_mtime_ns for path in work.rglob('*.pth')}
    cli.main(arguments)
    again = capsys.readouterr()
    assert 'time: none, an earlier call has finished the folds and the final model' in again.out
    assert again.err.count('finished before, reused') == 5
    assert {path: path.stat().st_mtime_ns for path in work.rglob('*.pth')} == before
    assert out.endswith(again.out[again.out.index('mean of 5 folds'):])
    cli.main(['test', str(work)])
    assert capsys.readouterr().out.startswith('mean of 5 folds')
