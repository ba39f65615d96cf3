"""A loss, a weight or an output that is no finite number stops the run and names the images."""
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmwindow.apis import test as evaluate
from mmwindow.engine.head_watch import find_tensors
from mmwindow.engine.hooks import NonFiniteHook
from mmwindow.engine.hooks.non_finite_hook import image_names, non_finite_terms


def make_runner(scaler=None):
    wrapper = SimpleNamespace(loss_scaler=scaler, get_lr=lambda: dict(lr=[0.5, 0.25]))
    return SimpleNamespace(optim_wrapper=wrapper, epoch=1, iter=4,
                           message_hub=SimpleNamespace(log_scalars={}))


BATCH = dict(data_samples=[SimpleNamespace(img_path='a.png'), SimpleNamespace(img_path='b.png')])
GOOD = dict(loss=torch.tensor(1.), loss_cls=torch.tensor(1.))
BAD = dict(loss=torch.tensor(math.inf), loss_cls=torch.tensor(math.inf), loss_box=torch.tensor(1.))


def test_a_loss_that_is_not_finite_names_place_term_rate_and_images():
    hook = NonFiniteHook()
    hook.after_train_iter(make_runner(), 0, BATCH, GOOD)
    with pytest.raises(ValueError, match=r"epoch 2, iteration 5: loss is inf, loss_cls is inf, at a "
                                         r"learning rate of 0.25, 0.5; .*'a.png', 'b.png'"):
        hook.after_train_iter(make_runner(), 0, BATCH, BAD)


def test_one_term_is_enough_and_a_batch_without_terms_is_fine():
    assert non_finite_terms(dict(loss=torch.tensor(2.), loss_box=torch.tensor([1., math.nan]),
                                 acc=0.5)).keys() == {'loss_box'}
    assert non_finite_terms({}) == {}


def test_a_step_that_the_loss_scale_leaves_out_is_no_error_until_all_are():
    hook, runner = NonFiniteHook(patience=3), make_runner(scaler=object())
    for outputs in (BAD, BAD, GOOD, BAD, BAD):
        hook.after_train_iter(runner, 0, BATCH, outputs)
    with pytest.raises(ValueError, match='for 3 steps in a row'):
        hook.after_train_iter(runner, 0, BATCH, BAD)


def test_a_gradient_that_is_not_finite_stops_before_its_weights_are_saved():
    runner = make_runner()
    runner.message_hub.log_scalars['train/grad_norm'] = SimpleNamespace(current=lambda: math.nan)
    with pytest.raises(ValueError, match='the norm of the gradient is nan'):
        NonFiniteHook().after_train_iter(runner, 0, BATCH, GOOD)


def test_nothing_that_is_not_finite_is_saved():
    hook = NonFiniteHook()
    hook.before_save_checkpoint(make_runner(), dict(state_dict=dict(number=torch.tensor(3))))
    with pytest.raises(ValueError, match='bias is not finite .* no checkpoint is written'):
        hook.before_save_checkpoint(make_runner(), dict(state_dict=dict(
            weight=torch.ones(2), bias=torch.tensor([1., math.nan]))))


def test_tensors_are_found_in_nested_outputs_and_names_in_views():
    nested = [torch.ones(1), (torch.zeros(2), dict(a=torch.ones(3)), torch.tensor(1)), None]
    assert [len(tensor) for tensor in find_tensors(nested)] == [1, 2, 3]
    assert image_names(dict(data_samples=[BATCH['data_samples']] * 2)) == ['a.png', 'b.png']
    assert image_names(dict(data_samples=[])) == image_names(None) == []


def test_a_rate_that_is_too_high_stops_a_training_and_keeps_what_was_good(
        noisy_config, run_training, tmp_path):
    run_training(noisy_config(), tmp_path, cut=dict(step=4))
    config = noisy_config(**{
        'optim_wrapper.optimizer': dict(type='SGD', lr=1e30, _delete_=True), 'param_scheduler': None,
        'optim_wrapper.clip_grad': None})
    with pytest.raises(ValueError, match=r'epoch 1, iteration [23]: .*1e\+30; images of .*train_\d'):
        run_training(config, tmp_path / 'broken')
    assert not list((tmp_path / 'broken').glob('*.pth'))
    assert (tmp_path / 'epoch_1.pth').is_file()


def test_an_output_that_is_nan_is_an_error_that_names_the_image(
        noisy_config, run_training, tmp_path):
    """Boxes of score NaN are dropped: the image would count as one without a finding."""
    run_training(noisy_config(**{'train_cfg.max_epochs': 1}), tmp_path)
    with pytest.raises(ValueError, match=r"NaN or infinity for '[^,]*test_3.png';"):
        evaluate(noisy_config(**{'model.broken': 'test_3.png'}), tmp_path / 'epoch_1.pth',
                 work_dir=tmp_path / 'test')
    metrics = evaluate(noisy_config(), tmp_path / 'epoch_1.pth', work_dir=tmp_path / 'test')
    assert np.isfinite(metrics['froc/auroc'])


def test_a_validation_with_nan_keeps_the_best_checkpoint_of_before(
        noisy_config, run_training, tmp_path):
    run_training(noisy_config(), tmp_path, cut=dict(step=4))
    before = next(tmp_path.glob('best_*.pth')).read_bytes()
    with pytest.raises(ValueError, match='val_2.png'):
        run_training(noisy_config(**{'model.broken': 'val_2.png'}), tmp_path, resume='auto')
    assert next(tmp_path.glob('best_*.pth')).read_bytes() == before
