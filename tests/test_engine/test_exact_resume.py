"""A cut and resumed training ends as the uncut one, bit for bit."""
import shutil

import pytest
import torch
from mmengine.dataset import InfiniteSampler

from mmwindow.engine.checkpoint import find_best_checkpoint, load_own_checkpoint
from mmwindow.engine.run_file import read_run

ITERATIONS = {
    'train_cfg': dict(type='IterBasedTrainLoop', max_iters=8, val_interval=4, _delete_=True),
    'param_scheduler': None, 'default_hooks.checkpoint.by_epoch': False,
    'default_hooks.checkpoint.interval': 2, 'log_processor.by_epoch': False}


@pytest.fixture
def cut_and_resume(run_training, train_uncut, find_differences, tmp_path):
    """Return a function: in what the uncut training and one that is cut and resumed differ."""
    def find(config, cut, last='epoch_3.pth'):
        uncut = train_uncut(config)
        assert run_training(config, tmp_path / 'cut', cut) is None
        run_training(config, tmp_path / 'cut', resume='auto')
        assert (uncut / 'validation.json').read_text().count('\n') >= 2
        return find_differences(uncut, tmp_path / 'cut', last)
    return find


@pytest.mark.parametrize('cut, workers', [
    (dict(step=5), 1), (dict(step=5), 0), (dict(validation=3), 1), (dict(validation=9), 0)],
    ids=['in_a_step', 'in_a_step_without_workers', 'in_a_validation', 'in_the_last_validation'])
def test_a_cut_training_ends_as_the_uncut_one(noisy_config, cut_and_resume, cut, workers):
    assert cut_and_resume(noisy_config(workers), cut) == []


def test_the_number_of_workers_changes_no_bit(noisy_config, train_uncut, find_differences):
    first, second = (train_uncut(noisy_config(workers)) for workers in (0, 2))
    assert first != second and find_differences(first, second) == []


def test_validations_change_no_bit_of_the_weights(
        noisy_config, train_uncut, find_differences):
    first, second = (train_uncut(noisy_config(**{'train_cfg.val_interval': interval}))
                     for interval in (1, 3))
    assert first != second
    assert find_differences(first, second, parts=['weights', 'optimizer']) == []


def test_epochs_draw_other_numbers(noisy_config, run_training, tmp_path):
    """Were the seed the same in each, a training would see one augmentation of each image."""
    runner = run_training(noisy_config(), tmp_path)
    sampler = runner.train_dataloader.batch_sampler.sampler
    seeds = []
    for epoch in range(2):
        sampler.next_pass = epoch
        seeds += [index.words for index in sampler]
    assert len(set(seeds)) == 12


def test_a_balanced_sampler_and_an_average_of_weights_resume(noisy_config, cut_and_resume):
    config = noisy_config(**{
        'train_dataloader.sampler': dict(type='BalancedImageSampler', _delete_=True),
        'custom_hooks': [dict(type='EMAHook', momentum=0.1)]})
    assert cut_and_resume(config, dict(step=8)) == []


@pytest.mark.parametrize('cut', [dict(step=5), dict(validation=3)])
def test_a_scheduler_that_validations_move_on_is_moved_once(noisy_config, cut_and_resume, cut):
    """The checkpoint after the first, best, validation has its step; the one before it has not."""
    config = noisy_config(**{'param_scheduler': [dict(
        type='ReduceOnPlateauLR', monitor='froc/auroc', rule='greater', patience=0, factor=0.1,
        threshold=1.)]})
    assert cut_and_resume(config, cut) == []


def test_a_training_resumed_in_another_folder_has_a_best_checkpoint_of_its_own(
        noisy_config, run_training, tmp_path, capsys):
    run_training(noisy_config(), tmp_path / 'first')
    capsys.readouterr()
    run_training(noisy_config(), tmp_path / 'second', resume=tmp_path / 'first/epoch_2.pth')
    run = read_run(tmp_path / 'second')
    assert find_best_checkpoint(tmp_path / 'second').name == run.best.checkpoint
    assert run.best.epoch in (2, 3)
    assert run.best.checkpoint == f'best_froc_auroc_epoch_{run.best.epoch}.pth'
    assert run.best.metrics['froc/auroc'] == pytest.approx(run.best.score)
    assert capsys.readouterr().out.count(f'is not in {tmp_path}/second: the best is chosen anew') == 1


@pytest.mark.parametrize('sampler', [
    pytest.param('InfiniteSampler', marks=pytest.mark.long), 'DefaultSampler'])
def test_a_loop_by_iterations_resumes_at_the_next_batch(
        noisy_config, cut_and_resume, sampler):
    config = noisy_config(1, **ITERATIONS, **{
        'train_dataloader.sampler': dict(type=sampler, shuffle=True, _delete_=True)})
    assert cut_and_resume(config, dict(step=7), 'iter_8.pth') == []


def test_a_loop_by_iterations_validates_what_a_cut_kept_from_it(noisy_config, cut_and_resume):
    config = noisy_config(**ITERATIONS)
    assert cut_and_resume(config, dict(validation=4), 'iter_8.pth') == []


def test_an_epoch_that_was_saved_in_its_middle_resumes_at_the_next_batch(
        noisy_config, cut_and_resume):
    """Three batches an epoch, a checkpoint every second: the cut after 8 resumes in epoch 3."""
    config = noisy_config(**{'default_hooks.checkpoint.by_epoch': False,
                             'default_hooks.checkpoint.interval': 2})
    assert cut_and_resume(config, dict(step=9), 'iter_9.pth') == []


def test_the_middle_of_an_epoch_is_rejected_where_batches_are_of_another_kind(
        noisy_config, run_training, tmp_path):
    config = noisy_config(**{
        'default_hooks.checkpoint.by_epoch': False, 'default_hooks.checkpoint.interval': 2,
        'train_dataloader.batch_sampler': dict(type='AspectRatioBatchSampler')})
    run_training(config, tmp_path / 'cut', dict(step=3))
    with pytest.raises(ValueError, match='iteration 2, in the middle of epoch 1.*AspectRatio'):
        run_training(config, tmp_path / 'cut', resume='auto')


def test_a_seed_of_chance_is_that_of_the_checkpoint(
        noisy_config, run_training, find_differences, tmp_path):
    config = noisy_config(**{'randomness': dict(seed=None, _delete_=True)})
    run_training(config, tmp_path / 'uncut')
    (tmp_path / 'cut').mkdir()
    shutil.copy(tmp_path / 'uncut/epoch_2.pth', tmp_path / 'cut/epoch_2.pth')
    run_training(config, tmp_path / 'cut', resume='auto')
    assert find_differences(tmp_path / 'uncut', tmp_path / 'cut', parts=['weights']) == []


def test_early_stopping_waits_as_long_as_without_the_cut(noisy_config, cut_and_resume, tmp_path):
    """The rate is 0, so nothing gets better: it stops after the third validation, cut or not."""
    config = noisy_config(**{
        'train_cfg.max_epochs': 6, 'optim_wrapper.optimizer.lr': 0.,
        'custom_hooks': [dict(type='EarlyStoppingHook', monitor='froc/auroc', rule='greater',
                              min_delta=0.01, patience=2)]})
    assert cut_and_resume(config, dict(step=8)) == []
    assert not (tmp_path / 'cut/epoch_4.pth').exists()


def test_an_older_checkpoint_resumes_and_says_that_it_is_not_exact(
        noisy_config, run_training, tmp_path, capsys):
    config = noisy_config()
    run_training(config, tmp_path, dict(step=4))
    checkpoint = load_own_checkpoint(tmp_path / 'epoch_1.pth')
    assert checkpoint['meta'].pop('resuming')['batch_size'] == 2
    torch.save(checkpoint, tmp_path / 'epoch_1.pth')
    capsys.readouterr()
    assert run_training(config, tmp_path, resume='auto').epoch == 3
    lines = [line for line in capsys.readouterr().out.splitlines() if 'not exact' in line]
    assert len(lines) == 1 and 'written without ExactResumeHook' in lines[0]


@pytest.mark.parametrize('change, words', [
    (dict(), None),
    ({'train_dataloader.batch_size': 3}, 'the batch size is not that of the checkpoint')])
def test_what_makes_resuming_inexact_is_named(
        noisy_config, run_training, tmp_path, capsys, change, words):
    run_training(noisy_config(), tmp_path, dict(step=4))
    capsys.readouterr()
    run_training(noisy_config(**change), tmp_path, resume='auto')
    shown = capsys.readouterr().out
    assert ('not exact' in shown) == bool(words) and (words or '') in shown


def test_a_best_checkpoint_without_optimizer_is_named(noisy_config, run_training, tmp_path, capsys):
    runner = run_training(noisy_config(), tmp_path)
    best = next(tmp_path.glob('best_*.pth'))
    run_training(noisy_config(), tmp_path / 'again', resume=best)
    assert 'no state of the optimizer' in capsys.readouterr().out
    assert not isinstance(runner.train_dataloader.sampler, InfiniteSampler)
