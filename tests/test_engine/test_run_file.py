"""What run.json of a work dir says: time, by a clock set by hand, and the best checkpoint."""
from types import SimpleNamespace

import pytest
from mmdet.registry import HOOKS
from mmengine.hooks import CheckpointHook

from mmwindow.engine.hooks import RunFileHook, run_file_hook
from mmwindow.engine.run_file import (
    BestCheckpoint,
    TrainingRun,
    read_run,
    read_training_seconds,
    write_run,
)


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=1000.)
    monkeypatch.setattr(run_file_hook.time, 'monotonic', lambda: clock.now)
    return clock


def train(hook, clock, work_dir, epochs, first_iter=0):
    """Stand in for a runner: epochs of 10 s, then 2 s of a validation after each."""
    runner = SimpleNamespace(work_dir=str(work_dir), iter=first_iter, hooks=[])
    hook.before_train(runner)
    for _ in range(epochs):
        clock.now += 10
        hook.before_save_checkpoint(runner, checkpoint={})
        clock.now += 2
    return runner


def test_a_training_without_a_cut(tmp_path, clock):
    hook = HOOKS.build(dict(type='TrainingTimeHook'))
    hook.after_train(train(hook, clock, tmp_path, epochs=3))
    assert read_training_seconds(tmp_path) == 36.


def test_all_starts_count_but_what_a_cut_took_away_does_not(tmp_path, clock):
    train(RunFileHook(), clock, tmp_path, epochs=2)  # cut while it validates
    assert read_training_seconds(tmp_path) == 22.
    clock.now += 5000
    hook = RunFileHook()
    hook.after_train(train(hook, clock, tmp_path, epochs=1, first_iter=200))
    assert read_training_seconds(tmp_path) == 22. + 12.


def test_a_training_begun_anew_does_not_count_the_one_before(tmp_path, clock):
    train(RunFileHook(), clock, tmp_path, epochs=2)
    train(RunFileHook(), clock, tmp_path, epochs=1)
    assert read_training_seconds(tmp_path) == 10.
    assert read_training_seconds(tmp_path / 'nothing') == 0.


def validate(hook, runner, epoch, score, best):
    """Stand in for a validation after which CheckpointHook knows the best so far."""
    runner.epoch = epoch
    runner.message_hub = SimpleNamespace(runtime_info={
        'best_ckpt': f'/x/best_froc_auroc_epoch_{best[0]}.pth', 'best_score': best[1]})
    hook.after_val_epoch(runner, {'froc/auroc': score, 'froc/froc_score': float('nan')})


def test_the_best_checkpoint_is_noted_with_its_numbers(tmp_path, clock):
    hook = RunFileHook(TrainingRun(config='a.py', seed=3))
    runner = SimpleNamespace(work_dir=str(tmp_path), iter=0, hooks=[
        CheckpointHook(save_best='froc/auroc', rule='greater')])
    hook.before_train(runner)
    assert read_run(tmp_path).best is None
    validate(hook, runner, 1, 0.8, (1, 0.8))
    validate(hook, runner, 2, 0.7, (1, 0.8))
    run = read_run(tmp_path)
    assert (run.config, run.seed, run.is_finished) == ('a.py', 3, False)
    assert run.best == BestCheckpoint('best_froc_auroc_epoch_1.pth', 'froc/auroc', 0.8, 1, {
        'froc/auroc': 0.8, 'froc/froc_score': None})
    # A training that resumes keeps it.
    again = RunFileHook()
    runner.iter = 20
    again.before_train(runner)
    again.after_train(runner)
    assert read_run(tmp_path).best == run.best and read_run(tmp_path).is_finished


@pytest.mark.parametrize('by_epoch, name, epoch', [(True, 'epoch_2', 2), (False, 'iter_20', 4)])
def test_numbers_of_another_validation_are_not_the_best_checkpoints(tmp_path, clock, by_epoch, name,
                                                                    epoch):
    """The run file is gone, or the training resumed in another folder: its best is from before."""
    hook = RunFileHook()
    runner = SimpleNamespace(work_dir=str(tmp_path), iter=40, epoch=4, hooks=[
        CheckpointHook(save_best='froc/auroc', rule='greater', by_epoch=by_epoch)],
        message_hub=SimpleNamespace(runtime_info={
            'best_ckpt': f'/x/best_froc_auroc_{name}.pth', 'best_score': 0.9}))
    hook.before_train(runner)
    hook.after_val_epoch(runner, {'froc/auroc': 0.5})
    assert read_run(tmp_path).best == BestCheckpoint(
        f'best_froc_auroc_{name}.pth', 'froc/auroc', 0.9, epoch)


def test_a_folder_without_a_run_file(tmp_path):
    assert read_run(tmp_path) is None
    (tmp_path / 'run.json').write_text('{"mark": "of the experiments"}')
    with pytest.raises(ValueError, match='run.json: it describes no training'):
        read_run(tmp_path)


@pytest.mark.parametrize('name', ['../best.pth', '/tmp/best.pth', 'b' * 252 + '.pth'])
def test_the_best_checkpoint_is_a_file_of_the_folder(tmp_path, name):
    write_run(tmp_path, TrainingRun(best=BestCheckpoint(name, 'froc/auroc', .9, 2)))
    with pytest.raises(ValueError, match='"checkpoint" of the entry "best" is .* file in this'):
        read_run(tmp_path)
    write_run(tmp_path, TrainingRun(best=BestCheckpoint('b' * 251 + '.pth', 'froc/auroc', .9, 2)))
    assert read_run(tmp_path).best.score == .9
