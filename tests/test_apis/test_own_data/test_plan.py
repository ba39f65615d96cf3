"""From a folder to a training by one command: what is said, written, trained, resumed, rejected."""
import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mmwindow import cli
from mmwindow.apis import load_config, train
from mmwindow.apis.model_places import ModelPlace, find_model
from mmwindow.apis.own_data import plan
from mmwindow.apis.own_data.choice import Machine
from mmwindow.apis.own_data.plan import describe_time, find_finished, plan_training
from mmwindow.apis.own_data.timing import Timing, Work, estimate_seconds, time_training
from mmwindow.apis.package_configs import base_name, configs_folder
from mmwindow.apis.test_job import check_same_data
from mmwindow.apis.train import describe_run
from mmwindow.datasets.folds import make_folds, write_folds
from mmwindow.datasets.splits import write_splits
from mmwindow.engine.run_file import read_run, write_run

CONFIGS = [f'{path.parent.name}/{path.stem}'
           for path in sorted(configs_folder().glob('*/*_lite0*.py'))
           if path.parent.name not in ('fracatlas', 'synthetic')
           and not path.stem.endswith(('_fracatlas', '_synthetic'))]


def call(arguments, capsys):
    """Return the status and the line of an error of a command, in this process."""
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    return ended.value.code, capsys.readouterr().err


def as_arguments(options):
    return [f'{key}={value}'.replace(' ', '') for key, value in options.items()]


@pytest.mark.smoke
def test_one_command_divides_chooses_says_and_trains(own_run):
    text = own_run.output
    for words in ('40 images, 20 with points, no patients named; classes nodule, mass',
                  '28 images to train (14 with points), 4 images to choose the epoch (2 with '
                  'points), 8 images to test (4 with points); divided image by image, since no '
                  'patients are named (views of one patient may be in training and test), seed 0',
                  'config windowloss/wl_kld_lite0_fpn.py: no GPU is seen',
                  'time: about', 'best epoch by froc/auroc: 1 of 1',
                  f'mmwindow test {own_run.work_dir}'):
        assert words in text, words
    assert text.index('time: about') < text.index('best epoch')  # said before it starts
    run = read_run(own_run.work_dir)
    assert run.is_finished and run.classes == ('nodule', 'mass') and run.input_size == (64, 64)
    assert (own_run.data / 'folds.json').is_file()


def test_the_chosen_length_is_in_the_file(own_run, tmp_path):
    training = plan_training(own_run.data, division='single', work_dir=tmp_path, machine=Machine())
    # 28 images: 4 steps of 8; 300 / 4 epochs.
    loop = training.cfg.train_cfg
    assert (loop.max_epochs, loop.val_begin, loop.val_interval) == (75, 37, 6)
    assert training.cfg.model.bbox_head.num_classes == 2
    assert '75 epochs of 4 steps, 300 in all' in training.config.read_text()


def test_a_length_that_was_asked_for_is_kept(own_run):
    head = own_run.config.read_text()
    assert '# 1 epoch, as asked for' in head and '--cfg-options input_size=64' in head
    assert 'train_cfg = dict(max_epochs=1, val_interval=1, val_begin=1)' in head


def test_a_long_training_that_was_asked_for_validates_its_second_half(own_data, tmp_path):
    """On few images an early epoch has an AUROC of 1 by chance, and the first of equals is kept."""
    training = plan_training(own_data, work_dir=tmp_path / 'work', machine=Machine(),
                             cfg_options={'train_cfg.max_epochs': 40})
    loop = training.cfg.train_cfg
    assert (loop.max_epochs, loop.val_begin, loop.val_interval) == (40, 20, 3)


def test_the_same_command_again_finds_nothing_to_do(own_run, capsys):
    weights = own_run.work_dir / 'epoch_1.pth'
    before = weights.stat().st_mtime_ns, own_run.config.stat().st_mtime_ns
    cli.main(own_run.arguments)
    out = capsys.readouterr().out
    assert 'time: none, an earlier call has finished this training' in out
    assert 'best epoch by froc/auroc: 1 of 1' in out
    assert (weights.stat().st_mtime_ns, own_run.config.stat().st_mtime_ns) == before


def test_a_training_that_was_cut_is_resumed(own_data, tmp_path, monkeypatch, small):
    """The same command resumes from the newest checkpoint, and no step is timed again."""
    called = {}
    module = sys.modules['mmwindow.apis.train']
    monkeypatch.setattr(module, 'train', lambda **options: called.update(options))
    monkeypatch.setattr(module, 'describe_training', lambda runner: '')
    monkeypatch.setattr(plan, 'find_newest_checkpoint', lambda folder: Path(folder) / 'epoch_3.pth')
    monkeypatch.setattr(plan, 'time_training', None)
    cli.main(['train', '--data', str(own_data), '--division', 'single', '--work-dir',
              str(tmp_path / 'work')])
    assert called['resume'] == 'auto' and called['work_dir'] == tmp_path / 'work'


def test_another_training_in_its_work_dir_is_rejected(own_run, capsys):
    fcos = configs_folder() / 'fcos/fcos_lite0_fpn.py'
    status, error = call([*own_run.arguments[:1], fcos, *own_run.arguments[1:]], capsys)
    assert status == 1 and error.count('\n') == 1
    assert 'holds another training (wl_kld_lite0_fpn.py)' in error and '--work-dir' in error
    status, error = call([*own_run.arguments, 'train_cfg.max_epochs=2'], capsys)
    assert status == 1 and 'holds another training' in error
    assert error.index('there: train_cfg = dict(max_epochs=1') < error.index(
        'now: train_cfg = dict(max_epochs=2')


def divide_again(data):
    """Correct the patients of a data folder, and divide it again."""
    points = data / 'points.json'
    content = json.loads(points.read_text())
    for number, image in enumerate(content['images']):
        image['group'] = f'q{(number + 1) // 2}'
    points.write_text(json.dumps(content))
    write_folds(data / 'folds.json', make_folds(points, 5))


def note_training(training, is_finished=True):
    """Leave what a training leaves, without training."""
    write_run(training.work_dir, replace(describe_run(training.cfg, training.config),
                                         is_finished=is_finished))


@pytest.mark.parametrize('is_finished', [True, False])
def test_a_training_on_other_data_is_neither_finished_nor_resumed(own_data, tmp_path, is_finished,
                                                                  monkeypatch):
    work = tmp_path / 'work'
    training = plan_training(own_data, work_dir=work, division='single', machine=Machine())
    note_training(training, is_finished)
    if not is_finished:
        monkeypatch.setattr(plan, 'find_newest_checkpoint', lambda folder: folder / 'epoch_3.pth')
    before = {path: path.read_bytes() for path in work.rglob('*.json')}
    again = plan_training(own_data, work_dir=work, division='single', machine=Machine())
    assert (find_finished(again) is not None) == is_finished
    divide_again(own_data)
    for division in ('single', 'folds'):
        with pytest.raises(ValueError, match=(
                "work holds a training on other data: 'train.json', 'val.json' would be other "
                '.*another --work-dir')) as caught:
            plan_training(own_data, work_dir=work, division=division, machine=Machine())
        assert '\n' not in str(caught.value)
    assert {path: path.read_bytes() for path in work.rglob('*.json')} == before  # can be tested still
    assert sorted(path.name for path in work.iterdir() if path.is_dir()) == ['annotations', 'config']


def test_a_division_of_the_owner_that_changed_is_another_training(own_data, tmp_path):
    def plan_here():
        return plan_training(own_data, work_dir=tmp_path / 'work', machine=Machine())

    points, annotations = own_data / 'points.json', own_data / 'annotations'
    write_splits(points, annotations, num_folds=None)
    note_training(plan_here())
    assert find_finished(plan_here()) is not None
    before = {path: path.read_bytes() for path in annotations.iterdir()}
    write_splits(points, annotations, num_folds=None, seed=1)
    with pytest.raises(ValueError, match="on other data: 'train.json', 'val.json' would be other"):
        plan_here()
    for path, content in before.items():
        path.write_bytes(content)
    assert find_finished(plan_here()) is not None


def test_parts_that_were_lost_and_other_notes_are_the_same_data(own_data, tmp_path):
    work = tmp_path / 'work'

    def plan_here():
        return plan_training(own_data, work_dir=work, division='single', machine=Machine())

    note_training(plan_here())
    part = work / 'annotations/fold0/train.json'
    before = part.read_bytes()
    part.unlink()
    assert find_finished(plan_here()) is not None and part.read_bytes() == before
    content = json.loads((own_data / 'points.json').read_text())
    content['info']['note'] = 'written again'
    (own_data / 'points.json').write_text(json.dumps(content))
    write_folds(own_data / 'folds.json', make_folds(own_data / 'points.json', 5))
    assert find_finished(plan_here()) is not None and part.read_bytes() == before


def test_a_project_that_has_moved_is_the_same_training(write_own_data, tmp_path, monkeypatch):
    write_own_data(tmp_path / 'a project/mine', images='../pictures')

    def plan_here(data):
        return plan_training(data, work_dir='work', division='single', machine=Machine())

    monkeypatch.chdir(tmp_path / 'a project')
    first = plan_here('mine')
    note_training(first)
    left = Path('work/wl_kld_lite0_fpn.py')  # as mmengine writes it
    left.write_text(first.cfg.pretty_text)
    before = first.config.read_text()
    assert plan_here(Path('mine').absolute()).config.read_text() == before
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a project').rename(tmp_path / 'moved')
    monkeypatch.chdir(tmp_path / 'moved/mine')
    Path('../work').rename('work')
    training = plan_here('.')
    assert find_finished(training) is not None
    assert f"img='{tmp_path}/moved/pictures/'" in training.config.read_text()
    notes = ' '.join(training.config.read_text().replace('\n#', '').split())  # lines may be wrapped
    assert f'Places: {tmp_path}/moved/mine/points.json' in notes
    dataset = load_config(left).test_dataloader.dataset
    assert dataset.data_prefix.img == f'{tmp_path}/moved/pictures/'
    assert Path(dataset.ann_file).is_file()
    check_same_data(find_model_of('work', left), load_config(left))


def find_model_of(folder, config):
    """Return the place of a training without weights."""
    folder = Path(folder)
    return ModelPlace(str(folder), checkpoint=folder / 'best_1.pth', config=config,
                      run=read_run(folder), folder=folder)


def test_images_of_the_training_are_not_tested(own_run, tmp_path, capsys):
    """Parts that were written again since: what the model has seen is unknown."""
    work = shutil.copytree(own_run.work_dir, tmp_path / 'work')
    parts = work / 'annotations/fold0'
    config = work / own_run.config.name
    config.write_text(config.read_text().replace(str(own_run.work_dir), str(work)).replace(
        '/config/../', '/'))
    before = {split: (parts / f'{split}.json').read_text() for split in ('train', 'val', 'test')}
    (parts / 'train.json').write_text(before['test'])
    check_same_data(find_model(work), load_config(config))  # the test is the one that was noted
    (parts / 'test.json').write_text(before['train'])
    status, error = call(['test', work, '--no-report'], capsys)
    assert status == 1 and error.count('\n') == 1
    assert 'fold0/train.json' in error and 'fold0/test.json' in error and 'val.json' not in error
    assert 'have changed since the training' in error and 'another --work-dir' in error
    (parts / 'train.json').write_text(before['train'])
    check_same_data(find_model(work), load_config(config))  # images in common are found there


@pytest.mark.long
def test_the_config_file_trains_the_same_again(own_run, tmp_path, small):
    train(own_run.config, work_dir=tmp_path, cfg_options=small)
    ours, theirs = (torch.load(folder / 'epoch_1.pth', weights_only=False)['state_dict']
                    for folder in (tmp_path, own_run.work_dir))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_a_gpu_is_given_the_papers_model_by_its_memory(own_data, tmp_path):
    training = plan_training(own_data, work_dir=tmp_path / 'work',
                             machine=Machine('Card', 8 * 10 ** 9, 1))
    assert training.config == tmp_path / 'work/config/wl_kld_r50_fpn.py'
    assert training.cfg.train_dataloader.batch_size == 6  # (7.2 - 2.5) / .725 = 6.5
    assert training.cfg.train_cfg.max_epochs == 100 and 'Card, 8 GB' in ' '.join(training.lines)
    assert training.cfg.train_pipeline[2].input_size == 1024  # a variable of the base
    assert training.cfg.train_dataloader.dataset.pipeline[2].input_size == 512


def test_negative_images_that_dominate_are_balanced(write_own_data, tmp_path):
    data = write_own_data(tmp_path / 'mine', 60, lambda number: number % 5 == 0, group=None)
    training = plan_training(data, work_dir=tmp_path / 'work', machine=Machine())
    assert training.cfg.train_dataloader.sampler.type == 'BalancedImageSampler'
    # 42 images to train, of them 8 or 9 positive: an epoch has twice as many.
    positives = sum(bool(r.points) for r in training.division.parts[0]['train'])
    assert f'as many random negative images ({2 * positives})' in ' '.join(training.lines)
    assert f'epochs of {-(-2 * positives // 8)} steps' in ' '.join(training.lines)


def test_a_config_of_the_users_keeps_its_schedule(own_data, tmp_path):
    own = tmp_path / 'own.py'
    own.write_text(f"_base_ = '{base_name(configs_folder() / 'fcos/fcos_lite0_fpn.py')}'\n"
                   'train_cfg = dict(max_epochs=3)\n')
    training = plan_training(own_data, own, tmp_path / 'work', machine=Machine())
    assert training.cfg.train_cfg.max_epochs == 3 and training.cfg.model.type == 'FCOS'
    assert training.config == tmp_path / 'work/config/own.py'


def test_several_readers_are_merged(own_data, tmp_path):
    content = json.loads((own_data / 'points.json').read_text())
    for image in content['images']:
        image['readers'] = ['a', 'b', 'c']
    copies = []
    for annotation in content['annotations']:
        copies += [{**annotation, 'id': f'{annotation["id"]}{name}', 'reader': name} for name in 'ab']
    content.update(annotations=copies, readers=['a', 'b', 'c'])
    (own_data / 'points.json').write_text(json.dumps(content))
    training = plan_training(own_data, work_dir=tmp_path / 'work', machine=Machine())
    assert training.cfg.train_dataloader.dataset.readers == 'merge'
    assert '3 readers' in ' '.join(training.lines)


def test_the_time_of_all_folds_is_told(own_data, tmp_path, monkeypatch):
    training = plan_training(own_data, work_dir=tmp_path / 'work', machine=Machine())
    parts = training.division.parts[0]
    monkeypatch.setattr(plan, 'time_training', lambda cfg, amp: Timing(2., .01, .1, busy=4.))
    steps = -(-len(parts['train']) // 8)
    epochs = -(-300 // steps)
    assert training.cfg.train_cfg.max_epochs == epochs
    fold = epochs * steps * 2 + .1 * (8 * len(parts['val']) + len(parts['val']) + len(parts['test']))
    final = epochs * 3 * 2  # the final model: 24 images in 3 steps an epoch, no validation
    text = describe_time(training)
    assert f'about {round((5 * fold + final) / 60)} min' in text
    assert (f'{round(fold / 60)} min a fold, then at most {round(final / 60)} min for the '
            'final') in text
    assert f'{epochs * steps} steps of 2.00 s and 8 validations' in text
    assert f'about {round((5 * fold + final) / 4 / 60)} min where nothing else runs' in text
    monkeypatch.setattr(plan, 'time_training', lambda cfg, amp: Timing(2., .01, .1, busy=1.2))
    assert 'nothing else' not in describe_time(training)


@pytest.mark.parametrize('gains', [True, False])
def test_bfloat16_is_timed_where_asked_for_and_named_where_it_gains(own_data, tmp_path, monkeypatch,
                                                                    gains):
    training = plan_training(own_data, work_dir=tmp_path / 'work', machine=Machine())
    monkeypatch.setattr(plan, 'time_training', lambda cfg, amp: Timing(1. if amp else 2., .01, .1))
    monkeypatch.setattr(plan, 'gains_from_bfloat16', lambda: gains)
    assert ('with --amp a step takes about 0.7 of that' in describe_time(training)) == gains
    text = describe_time(training, amp=True)
    assert 'steps of 1.00 s' in text and '--amp' not in text


def test_reading_counts_where_it_takes_longer_than_computing():
    work = Work(epochs=10, steps=20, batch_size=8, validations=5, num_val=12, num_test=30, workers=2)
    assert estimate_seconds(Timing(1., .05, .1), work) == pytest.approx(200 + 6 + 3)
    assert estimate_seconds(Timing(1., .5, .1), work) == pytest.approx(400 + 9)
    assert estimate_seconds(Timing(1., .5, 0.), Work(1, 2, 4, 1, 0, workers=0)) == 4


def test_a_few_steps_are_timed_and_leave_nothing(own_run):
    before = sorted(own_run.work_dir.rglob('*'))
    cfg = load_config(own_run.config, cfg_options={'input_size': 64})
    text = cfg.pretty_text
    timing = time_training(cfg)
    assert 0 < timing.loading < timing.step < 60 and 0 < timing.testing < 60 and timing.busy >= 1
    assert cfg.pretty_text == text and sorted(own_run.work_dir.rglob('*')) == before


def test_bad_use_of_the_command_is_one_line(own_run, tmp_path, capsys):
    for arguments, words, status in (
            (['train'], 'CONFIG or --data DIR is needed', 2),
            (['train', own_run.config, '--dry-run'], '--dry-run has no effect without --data', 1),
            (['train', '--data', tmp_path], 'neither points.json', 1),
            (['train', 'none.py', '--data', own_run.data], 'none.py: there is no such file', 1),
            (['train', '--data', own_run.data, '--launcher', 'slurm'], '--dry-run alone', 1),
            (['train', '--data', own_run.data, '--work-dir', own_run.config], 'is a file', 1),
            (['train', '--data', own_run.data, '--division', 'folds', '--work-dir', tmp_path / 'w',
              '--auto-scale-lr'], 'neither --auto-scale-lr', 1)):
        found, error = call(arguments, capsys)
        assert found == status and words in error and error.count('\n') == 1, arguments


def test_a_dry_run_trains_nothing(own_data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plan, 'time_training', lambda cfg, amp: Timing(2., .01, .1))
    cli.main(['train', '--data', str(own_data), '--dry-run'])
    out = capsys.readouterr().out
    assert '5 folds, each image tested once' in out and 'nothing was trained' in out
    work = Path('work_dirs/wl_kld_lite0_fpn_mine')
    assert sorted(path.name for path in work.iterdir() if not path.name.startswith('.')) == [
        'annotations', 'config']


@pytest.mark.long
@pytest.mark.parametrize('name', CONFIGS)
def test_each_config_trains_and_is_tested_on_own_data(name, own_run, tmp_path, small, capsys):
    config = configs_folder() / f'{name}.py'
    cli.main(['train', str(config), '--data', str(own_run.data), '--division', 'single', '--work-dir',
              str(tmp_path), '--no-report', '--cfg-options', *as_arguments(small)])
    cli.main(['test', str(tmp_path), '--no-report'])
    out = capsys.readouterr().out
    for number in ('froc/nodule_auroc', 'froc/mass_froc_score', 'froc/auroc'):
        assert 0 <= float(re.search(rf'{number} +([\d.]+)', out)[1]) <= 1
    assert len(CONFIGS) == 9


@pytest.mark.smoke
def test_a_trained_model_is_tested_by_its_folder(own_run, tmp_path, capsys):
    cli.main(['test', str(own_run.work_dir), '--work-dir', str(tmp_path), '--no-report'])
    out = capsys.readouterr().out
    assert 'data    8 images' in out
    assert 0 <= float(re.search(r'froc/mass_froc_score +([\d.]+)', out)[1]) <= 1
