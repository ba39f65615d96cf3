"""Checkpoints are complete or not there, and there is one best one."""
import pytest
import torch
from mmengine.fileio import get_file_backend

from mmwindow.engine.checkpoint import find_best_checkpoint, is_complete_checkpoint
from mmwindow.engine.hooks import AtomicCheckpointHook


def test_a_file_has_its_name_when_it_is_complete(tmp_path, monkeypatch):
    backend = get_file_backend(backend_args=dict(backend='atomic'))
    (tmp_path / 'epoch_1.pth').write_bytes(b'old')
    backend.put(b'new', tmp_path / 'epoch_1.pth')
    assert (tmp_path / 'epoch_1.pth').read_bytes() == b'new'
    monkeypatch.setattr('pathlib.Path.write_bytes', lambda path, data: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        backend.put(b'newer', tmp_path / 'epoch_1.pth')
    assert [path.name for path in tmp_path.iterdir()] == ['epoch_1.pth']
    assert (tmp_path / 'epoch_1.pth').read_bytes() == b'new'


def test_a_place_that_is_no_disk_keeps_its_own_backend():
    assert AtomicCheckpointHook(out_dir='s3://bucket/a').backend_args is None
    assert AtomicCheckpointHook().backend_args == dict(backend='atomic')
    assert AtomicCheckpointHook(backend_args=dict(backend='local')).backend_args == dict(
        backend='local')


class Scores(AtomicCheckpointHook):
    """Judge epochs by given scores; look at the folder while a best checkpoint is written."""

    scores = ()
    seen = ()

    def after_val_epoch(self, runner, metrics):
        def save(*args, **kwargs):
            if str(kwargs.get('filename', '')).startswith('best'):
                Scores.seen += (sorted(path.name for path in folder.glob('best_*.pth')), )
            original(*args, **kwargs)
        folder, original = runner.work_dir and __import__('pathlib').Path(runner.work_dir), \
            runner.save_checkpoint
        runner.save_checkpoint = save
        super().after_val_epoch(runner, {**metrics, 'froc/auroc': self.scores[runner.epoch - 1]})
        runner.save_checkpoint = original


def test_the_best_checkpoint_of_before_is_there_until_the_new_one_is(
        noisy_config, run_training, tmp_path, monkeypatch):
    monkeypatch.setattr(AtomicCheckpointHook, 'after_val_epoch', Scores.after_val_epoch)
    monkeypatch.setattr(AtomicCheckpointHook, 'scores', (0.5, 0.25, 0.75), raising=False)
    Scores.seen = ()
    run_training(noisy_config(), tmp_path)
    assert Scores.seen == ([], ['best_froc_auroc_epoch_1.pth'])
    assert [path.name for path in tmp_path.glob('best_*.pth')] == ['best_froc_auroc_epoch_3.pth']


def test_a_best_checkpoint_that_a_kill_left_goes_when_the_training_resumes(
        noisy_config, run_training, tmp_path):
    run_training(noisy_config(), tmp_path)
    best = find_best_checkpoint(tmp_path)
    number = int(best.stem.rpartition('_')[2])
    stale, later, other = (tmp_path / f'best_froc_{name}_epoch_{epoch}.pth' for name, epoch in (
        ('auroc', number - 1), ('auroc', number + 5), ('froc_score', 0)))
    for path in (stale, later, other):
        torch.save(dict(state_dict={}), path)
        assert is_complete_checkpoint(path)
    run_training(noisy_config(), tmp_path, resume='auto')
    assert not stale.exists() and later.exists() and other.exists() and best.exists()
