"""Five folds of a user's data by one command: trained, tested, resumed, and their mean."""
import json

import numpy as np
import pytest
from PIL import Image

from mmwindow import cli
from mmwindow.apis.own_data.choice import Machine
from mmwindow.apis.own_data.plan import plan_training
from mmwindow.experiments import own_folds
from mmwindow.experiments.job_queue import Job, Outcome
from mmwindow.experiments.own_folds import train_folds

SMALL = {
    'input_size': 64, 'model.backbone.pretrained': False, 'train_cfg.max_epochs': 1,
    'train_dataloader.batch_size': 6,
    **{f'{split}_dataloader.{key}': value for split in ('train', 'val', 'test')
       for key, value in {'num_workers': 0, 'persistent_workers': False}.items()}}


@pytest.fixture
def data(tmp_path):
    """24 images of two classes, every other one positive."""
    folder = tmp_path / 'mine'
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


def test_folds_are_run_from_the_config_file_with_the_division(data, tmp_path, monkeypatch):
    called = {}

    def run_folds(configs, out, **options):
        called.update(options, configs=configs, out=out)
        return []
    monkeypatch.setattr(own_folds, 'run_folds', run_folds)
    monkeypatch.setattr(own_folds, 'describe_folds', lambda training: 'means\n')
    training = plan_training(data, work_dir=tmp_path / 'work', machine=Machine())
    assert train_folds(training, {'input_size': 64}, True, 'mmwindow train') == 'means\n'
    assert called == dict(
        configs=[tmp_path / 'work/config/wl_kld_lite0_fpn.py'], out=tmp_path / 'work',
        folds=data / 'folds.json', points=data / 'points.json', cfg_options={'input_size': 64},
        amp=True, command_line='mmwindow train')


def test_folds_that_failed_are_named(data, tmp_path, monkeypatch):
    job = Job('wl_kld_lite0_fpn fold 2', 'wl_kld_lite0_fpn', (), tmp_path / 'log.txt', None)
    monkeypatch.setattr(own_folds, 'run_folds', lambda *args, **options: [Outcome(job, 1, 2.)])
    training = plan_training(data, work_dir=tmp_path / 'work', machine=Machine())
    with pytest.raises(ValueError, match='1 folds failed: wl_kld_lite0_fpn fold 2, see .*log.txt'):
        train_folds(training)


@pytest.mark.long
def test_five_folds_are_trained_tested_and_reused(data, tmp_path, capsys):
    arguments = ['train', '--data', str(data), '--work-dir', str(tmp_path / 'work'), '--cfg-options',
                 *(f'{key}={value}' for key, value in SMALL.items())]
    cli.main(arguments)
    out = capsys.readouterr().out
    assert 'mean of 5 folds' in out and 'AUROC of nodule: ' in out and 'FROC score of mass: ' in out
    runs = tmp_path / 'work/wl_kld_lite0_fpn'
    results = [json.loads((runs / f'fold{fold}/result.json').read_text()) for fold in range(5)]
    assert sum(result['num_images']['test'] for result in results) == 24
    before = {path: path.stat().st_mtime_ns for path in runs.rglob('*.pth')}
    cli.main(arguments)
    again = capsys.readouterr()
    assert 'time: resumes what an earlier call began (fold0' in again.out
    assert again.err.count('finished before, reused') == 5
    assert {path: path.stat().st_mtime_ns for path in runs.rglob('*.pth')} == before
