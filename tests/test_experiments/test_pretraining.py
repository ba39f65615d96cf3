"""Pretraining on synthetic radiographs, and what trainings take of its weights."""
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

from mmwindow.apis import train
from mmwindow.apis.config import load_config
from mmwindow.engine.weights import compare_weights
from mmwindow.experiments import pretraining
from mmwindow.experiments.pretraining import Pretraining, pretrain
from mmwindow.utils.files import read_json

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs/windowloss/wl_kld_lite0_fpn_fracatlas.py'
SMALL = {'input_size': 64, 'model.backbone.pretrained': False, 'train_dataloader.batch_size': 4,
         **{f'{split}_dataloader.{key}': value for split in ('train', 'val', 'test')
            for key, value in {'num_workers': 0, 'persistent_workers': False}.items()}}
SETTINGS = Pretraining(num_images=8, epochs=1, seed=1001, cfg_options=SMALL)


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """Weights of a config of FracAtlas, which is not there."""
    return pretrain(CONFIG, tmp_path_factory.mktemp('pretraining'), SETTINGS, workers=1)


def load(path):
    return torch.load(path, weights_only=True)


def test_the_folder_holds_images_the_training_and_its_weights(weights):
    folder, name = weights.parent, CONFIG.stem
    assert weights.name == f'{name}.pth'
    assert read_json(folder / 'images_64/settings.json') == dict(
        version=1, seed=1001, side=64, num_train=8, num_val=4, num_test=2)
    run = read_json(folder / name / 'run.json')
    assert run['is_finished'] and run['epoch'] == 1 and run['input_size'] == [64, 64]
    content, trained = load(weights), torch.load(folder / name / 'epoch_1.pth', weights_only=False)
    assert set(content) == {'state_dict', 'meta'} and 'optimizer' in trained
    assert content['meta']['dataset_meta']['classes'] == ('fracture', )
    assert all(torch.equal(value, trained['state_dict'][key])
               for key, value in content['state_dict'].items())


def test_a_finished_one_is_not_trained_again_and_other_settings_are_rejected(weights, monkeypatch):
    monkeypatch.setattr(pretraining, 'train', lambda *_, **__: pytest.fail('trained again'))
    before = weights.stat().st_size
    assert pretrain(CONFIG, weights.parent, SETTINGS) == weights
    assert weights.stat().st_size == before
    with pytest.raises(ValueError, match='a pretraining of other settings.*another --out'):
        pretrain(CONFIG, weights.parent, Pretraining(8, 2, 1001, SMALL))


def build(path, **options):
    cfg = load_config(ROOT / 'configs' / path, cfg_options={'model.backbone.pretrained': False,
                                                            **options})
    init_default_scope('mmdet')
    return MODELS.build(cfg.model)


def test_the_same_config_takes_all_and_another_system_what_fits(weights):
    state = load(weights)['state_dict']
    same = compare_weights(build('windowloss/wl_kld_lite0_fpn_fracatlas.py'), state)
    assert same.is_empty
    other = compare_weights(build('retinanet/retinanet_lite0_fpn_fracatlas.py'), state)
    assert not [name for name in (*other.missing, *other.mismatched) if name.startswith('backbone')]
    assert 'bbox_head.retina_cls.weight' in other.missing
    assert set(other.unexpected) == {
        f'{layer}.{part}' for layer in ('bbox_head.convolution', 'neck.lateral_convs.3.conv')
        for part in ('weight', 'bias')}


def test_a_backbone_alone_begins_with_the_weights(weights):
    """What every system can take: ``model.backbone.init_cfg`` (docs/configs.md)."""
    model = build('chexnet/chexnet_lite0.py', **{
        'model.backbone.init_cfg.type': 'Pretrained', 'model.backbone.init_cfg.prefix': 'backbone.',
        'model.backbone.init_cfg.checkpoint': str(weights)})
    state = load(weights)['state_dict']
    torch.manual_seed(0)
    model.init_weights()
    for name, value in model.backbone.state_dict().items():
        assert torch.equal(value, state[f'backbone.{name}']), name


def test_a_training_begins_with_the_weights(weights, tiny_dataset, tmp_path):
    runner = train(ROOT / 'configs/windowloss/wl_kld_lite0_fpn.py', tmp_path, {
        **SMALL, 'data_root': f'{tiny_dataset}/', 'load_from': str(weights),
        'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 2,
        # nothing moves: what is there at the end was there at the beginning
        'optim_wrapper.optimizer.lr': 0., 'optim_wrapper.optimizer.weight_decay': 0.}, report=False)
    state = load(weights)['state_dict']
    assert all(torch.equal(value, state[key]) for key, value in runner.model.state_dict().items())


@pytest.mark.parametrize('settings', [Pretraining(2, 1), Pretraining(8, 0)])
def test_too_little_is_rejected(settings, tmp_path):
    with pytest.raises(ValueError, match='at least 4 images and 1 epoch'):
        pretrain(CONFIG, tmp_path, settings)
