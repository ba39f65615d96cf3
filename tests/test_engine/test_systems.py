"""Exact resuming, and the stop at numbers that are none, with real systems."""
import pytest
import torch

from mmwindow.apis import test as evaluate
from mmwindow.engine.safe_loading import load_own_checkpoint

MAPS = 'windowloss/wl_kld_lite0_fpn.py'
BOXES = 'faster_rcnn/faster_rcnn_lite0_fpn.py'


@pytest.mark.parametrize('base', [MAPS, BOXES], ids=['maps', 'boxes'])
def test_a_rate_of_a_billion_stops_within_the_first_epoch(
        system_config, run_training, tmp_path, base):
    config = system_config(base, **{
        'optim_wrapper.optimizer': dict(type='SGD', lr=1e9, _delete_=True), 'param_scheduler': None,
        'optim_wrapper.clip_grad': None})
    with pytest.raises(ValueError, match=r'epoch 1, iteration [123]: .*1e\+09; .*train_\d.png'):
        run_training(config, tmp_path / 'work')
    assert not list((tmp_path / 'work').glob('*.pth'))


def test_a_box_detector_whose_weights_are_nan_has_no_numbers(system_config, run_training, tmp_path):
    """Its boxes of score NaN are dropped, so each image would have the score 0: AUROC .5."""
    config = system_config('retinanet/retinanet_lite0_fpn.py', **{'train_cfg.max_epochs': 1})
    run_training(config, tmp_path / 'work')
    checkpoint = load_own_checkpoint(tmp_path / 'work/epoch_1.pth')
    checkpoint['state_dict']['bbox_head.retina_cls.bias'].fill_(float('nan'))
    torch.save(checkpoint, tmp_path / 'broken.pth')
    with pytest.raises(ValueError, match=r'NaN or infinity for .*test_0.png'):
        evaluate(config, tmp_path / 'broken.pth', work_dir=tmp_path / 'test')


@pytest.mark.long
@pytest.mark.parametrize('cut', [dict(step=5), dict(validation=6)], ids=['step', 'validation'])
@pytest.mark.parametrize('base', [
    MAPS, BOXES, 'chexnet/chexnet_lite0.py', 'retinanet/retinanet_lite0_fpn.py',
    'windowloss/wl_plus_lite0_fpn.py'])
def test_a_cut_system_ends_as_the_uncut_one(
        system_config, run_training, find_differences, tmp_path, base, cut):
    config = system_config(base)
    run_training(config, tmp_path / 'uncut')
    assert run_training(config, tmp_path / 'cut', cut) is None
    run_training(config, tmp_path / 'cut', resume='auto')
    assert find_differences(tmp_path / 'uncut', tmp_path / 'cut') == []
