"""There is one best checkpoint, also while the next one is written and after a kill."""
import os

import pytest
import torch
from mmengine.runner import Runner

from mmwindow.engine.checkpoint import find_best_checkpoint, is_complete_checkpoint
from mmwindow.engine.hooks import AtomicCheckpointHook
from mmwindow.engine.run_file import BestCheckpoint, TrainingRun, write_run


def test_the_best_checkpoint_of_before_is_there_until_the_new_one_is(
        noisy_config, run_training, tmp_path, monkeypatch):
    """Epochs with the scores .5, .25 and .75: the third takes the place of the first."""
    judge, save = AtomicCheckpointHook.after_val_epoch, Runner.save_checkpoint
    seen = []

    def judge_by_given_scores(hook, runner, metrics):
        judge(hook, runner, {**metrics, 'froc/auroc': (0.5, 0.25, 0.75)[runner.epoch - 1]})

    def save_and_look(runner, *args, **kwargs):
        save(runner, *args, **kwargs)
        seen.append(sorted(path.name[-11:-4] for path in tmp_path.glob('best_*.pth')))
    monkeypatch.setattr(AtomicCheckpointHook, 'after_val_epoch', judge_by_given_scores)
    monkeypatch.setattr(Runner, 'save_checkpoint', save_and_look)
    run_training(noisy_config(), tmp_path)
    # An epoch's checkpoint, its best one, and the epoch's again, which then names its best.
    assert seen == [[], ['epoch_1'], ['epoch_1'], ['epoch_1'], ['epoch_1'],
                    ['epoch_1', 'epoch_3'], ['epoch_1', 'epoch_3']]
    assert [path.name for path in tmp_path.glob('best_*.pth')] == ['best_froc_auroc_epoch_3.pth']


@pytest.mark.parametrize('score, age, expected', [(0.9, 1, 2), (0.7, 1, 1), (0.9, -1, 1)],
                         ids=['better', 'worse', 'noted_before'])
def test_best_is_by_score_where_a_kill_kept_it_from_being_noted(tmp_path, score, age, expected):
    for epoch, number in ((1, 0.8), (2, score)):
        torch.save(dict(message_hub=dict(runtime_info=dict(best_score=number))),
                   tmp_path / f'best_froc_auroc_epoch_{epoch}.pth')
    write_run(tmp_path, TrainingRun(best=BestCheckpoint(
        'best_froc_auroc_epoch_1.pth', 'froc/auroc', 0.8, 1)))
    noted = (tmp_path / 'run.json').stat().st_mtime
    os.utime(tmp_path / 'best_froc_auroc_epoch_2.pth', (noted + age, noted + age))
    assert find_best_checkpoint(tmp_path).name == f'best_froc_auroc_epoch_{expected}.pth'


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
