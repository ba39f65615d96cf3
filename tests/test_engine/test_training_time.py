"""How long a training took, with a clock set by hand."""
from types import SimpleNamespace

import pytest
from mmdet.registry import HOOKS

from mmwindow.engine.hooks import TrainingTimeHook, training_time_hook
from mmwindow.engine.hooks.training_time_hook import read_training_seconds


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=1000.)
    monkeypatch.setattr(training_time_hook.time, 'monotonic', lambda: clock.now)
    return clock


def train(hook, clock, work_dir, epochs, first_iter=0):
    """Stand in for a runner: epochs of 10 s, then 2 s of a validation after each."""
    runner = SimpleNamespace(work_dir=str(work_dir), iter=first_iter)
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
    train(TrainingTimeHook(), clock, tmp_path, epochs=2)  # cut while it validates
    assert read_training_seconds(tmp_path) == 22.
    clock.now += 5000
    hook = TrainingTimeHook()
    hook.after_train(train(hook, clock, tmp_path, epochs=1, first_iter=200))
    assert read_training_seconds(tmp_path) == 22. + 12.


def test_a_training_begun_anew_does_not_count_the_one_before(tmp_path, clock):
    train(TrainingTimeHook(), clock, tmp_path, epochs=2)
    train(TrainingTimeHook(), clock, tmp_path, epochs=1)
    assert read_training_seconds(tmp_path) == 10.
    assert read_training_seconds(tmp_path / 'nothing') == 0.
