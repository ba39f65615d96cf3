"""Beginning with the weights of another training: what is kept, initialised, rejected and said."""
import sys

import pytest
import torch

from mmwindow import cli
from mmwindow.apis import load_config
from mmwindow.apis.fine_tuning import (
    class_layers,
    describe_preparation,
    find_source,
    find_trained_config,
    prepare_fine_tuning,
)
from mmwindow.apis.own_data import plan
from mmwindow.apis.own_data.timing import Timing
from mmwindow.apis.package_configs import configs_folder
from mmwindow.engine.checkpoint import load_own_checkpoint

HEAD = ('bbox_head.convolution.weight', 'bbox_head.convolution.bias')


@pytest.fixture(scope='module')
def checkpoint(own_run):
    return find_source(own_run.work_dir)


@pytest.fixture(scope='module')
def cfg():
    return load_config(configs_folder() / 'windowloss/wl_kld_lite0_fpn.py',
                       cfg_options={'input_size': 64})


@pytest.mark.parametrize('config, layers', [
    ('windowloss/wl_kld_lite0_fpn', {'bbox_head.convolution'}),
    ('windowloss/wl_plus_lite0_fpn', {'bbox_head.convolution', 'bbox_head.image_classifier'}),
    ('ufdet/ufdet_lite0', {'bbox_head.classifier'}),
    ('fcos/fcos_lite0_fpn', {'bbox_head.conv_cls'}),
    ('faster_rcnn/faster_rcnn_lite0_fpn',
     {'roi_head.bbox_head.fc_cls', 'roi_head.bbox_head.fc_reg'})])
def test_layers_of_class_scores_are_those_that_grow_with_the_classes(config, layers):
    names = class_layers(load_config(configs_folder() / f'{config}.py'), 1)
    assert names == {f'{layer}.{part}' for layer in layers for part in ('weight', 'bias')}


@pytest.mark.parametrize('classes, new', [
    (('nodule', 'mass'), ()), (('mass', 'nodule'), HEAD), (('fracture', ), HEAD),
    (('a', 'b', 'c'), HEAD)])
def test_class_scores_are_kept_for_the_same_classes_alone(classes, new, checkpoint, cfg, tmp_path):
    weights = prepare_fine_tuning(cfg, checkpoint, classes, tmp_path)
    assert sorted(weights.new_layers) == sorted(new)
    theirs = load_own_checkpoint(checkpoint)['state_dict']
    content = load_own_checkpoint(weights.path)
    assert set(content) == {'state_dict', 'meta'}  # no optimizer
    assert set(content['state_dict']) == set(theirs) - set(new)
    assert all(torch.equal(value, theirs[name]) for name, value in content['state_dict'].items())
    for name in new:
        assert name in weights.lines[0]
    assert ('nodule, mass' in weights.lines[0]) == bool(new) and len(weights.lines) == 1


def test_another_model_is_rejected(checkpoint, tmp_path):
    other = load_config(configs_folder() / 'fcos/fcos_lite0_fpn.py')
    with pytest.raises(ValueError, match=r'of another model than the config \(fcos_lite0_fpn.py\)'):
        prepare_fine_tuning(other, checkpoint, ('nodule', 'mass'), tmp_path)
    assert not list(tmp_path.iterdir())


def test_another_preparation_of_images_is_said(checkpoint, own_run):
    other = load_config(own_run.config, cfg_options={
        'input_size': 96, 'bit_depth': 12, 'model.data_preprocessor.std': [58., 57., 56.]})
    line, = describe_preparation(other, load_own_checkpoint(checkpoint), checkpoint)
    assert 'input 64 x 64, here 96 x 96' in line and 'std [128.0, 128.0, 128.0], here [58.0' in line
    assert 'bit_depth None, here 12' in line
    assert 'does not say' in describe_preparation(other, {}, checkpoint)[0]


def test_a_checkpoint_names_its_config(checkpoint):
    assert find_trained_config(checkpoint) == 'mmwindow::windowloss/wl_kld_lite0_fpn.py'


def test_a_folder_without_a_model_is_one_line(tmp_path):
    with pytest.raises(ValueError, match='--from .*there is no best_'):
        find_source(tmp_path)
    with pytest.raises(ValueError, match='--from none.pth: there is no such file or folder'):
        find_source('none.pth')
    (tmp_path / 'a.pth').write_bytes(b'PK')
    with pytest.raises(ValueError, match='--from .*a.pth: it is incomplete'):
        find_source(tmp_path / 'a.pth')


def test_the_best_run_of_folds_is_asked_for(tmp_path):
    (tmp_path / 'wl/fold0/training').mkdir(parents=True)
    (tmp_path / 'wl/fold0/training/best_x.pth').write_bytes(b'')
    with pytest.raises(ValueError, match='name one of them, such as .*wl/fold0'):
        find_source(tmp_path)


@pytest.mark.smoke
def test_a_training_begins_with_the_weights(own_run, write_own_data, tmp_path, small, capsys,
                                            monkeypatch):
    """At a learning rate of 0 the weights stay those of the checkpoint; the class scores are new."""
    data = write_own_data(tmp_path / 'other', 20, classes=('crack', ), group=None)
    monkeypatch.setattr(plan, 'time_training', lambda cfg, amp: Timing(1., .01, .1))
    options = {**small, 'optim_wrapper.optimizer.lr': 0.}
    cli.main(['train', '--data', str(data), '--division', 'single', '--from', str(own_run.work_dir),
              '--work-dir', str(tmp_path / 'work'), '--no-report', '--cfg-options',
              *(f'{key}={value}' for key, value in options.items())])
    out = capsys.readouterr().out
    assert 'as the checkpoint was trained with it' in out and 'begins with' in out
    assert 'its classes are nodule, mass and these data have crack: bbox_head.convolution' in out
    theirs = load_own_checkpoint(find_source(own_run.work_dir))['state_dict']
    ours = load_own_checkpoint(tmp_path / 'work/epoch_1.pth')['state_dict']
    assert ours[HEAD[0]].shape[0] == 1 and theirs[HEAD[0]].shape[0] == 2
    compared = [name for name in ours if name not in HEAD and 'running' not in name
                and 'num_batches' not in name]
    assert len(compared) > 100
    assert all(torch.equal(ours[name], theirs[name]) for name in compared)


def test_a_config_begins_with_the_weights_as_well(own_run, tmp_path, capsys, monkeypatch):
    called = {}
    module = sys.modules['mmwindow.apis.train']
    monkeypatch.setattr(module, 'train', lambda **options: called.update(options))
    monkeypatch.setattr(module, 'describe_training', lambda runner: '')
    cli.main(['train', str(own_run.config), '--from', str(own_run.work_dir), '--work-dir',
              str(tmp_path), '--cfg-options', 'input_size=64'])
    assert set(called['cfg_options']) == {'input_size', 'load_from'}
    assert called['cfg_options']['load_from'].startswith(str(tmp_path / 'start_'))
    assert 'class scores included: its classes are the same' in capsys.readouterr().out
