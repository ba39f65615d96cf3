"""`mmwindow::...` names a config wherever MMEngine reads one."""
import pytest
from mmengine.config import Config
from mmengine.hub import get_config, get_model
from mmengine.registry import MODELS as ROOT
from mmengine.registry import init_default_scope

import mmwindow  # noqa: F401

NAME = 'mmwindow::windowloss/wl_kld_r50_fpn.py'


@pytest.mark.smoke
def test_a_config_of_ours_is_a_base_of_a_users(tmp_path):
    config = tmp_path / 'own.py'
    config.write_text(f"_base_ = '{NAME}'\ntrain_dataloader = dict(batch_size=3)\n"
                      'model = dict(backbone=dict(init_cfg=None))\n')
    cfg = Config.fromfile(config)
    assert (cfg.train_dataloader.batch_size, cfg.train_cfg.max_epochs) == (3, 100)
    # mmengine notes where a base came from; every kind of type is found in that scope.
    assert cfg.model._scope_ == cfg.val_evaluator._scope_ == 'mmwindow'
    init_default_scope('mmdet')
    detector = ROOT.build(cfg.model)
    assert type(detector).__module__ == 'mmwindow.models.detectors.dense_point_detector'
    assert type(detector.backbone).__module__ == 'mmdet.models.backbones.resnet'


def test_the_hub_reads_a_config_and_builds_its_model():
    cfg = get_config(NAME)
    assert cfg.model.bbox_head.loss.divergence == 'kld'
    assert cfg.train_dataloader.batch_size == 12
    assert type(get_model(NAME)).__name__ == 'DensePointDetector'
    with pytest.raises(AssertionError, match='Weights'):  # none are published
        get_config(NAME, pretrained=True)
    with pytest.raises(FileNotFoundError, match='nothing.py'):
        get_config('mmwindow::windowloss/nothing.py')


@pytest.mark.parametrize('registry, name', [
    ('MODELS', 'WindowLoss'), ('MODELS', 'ResNet'), ('DATASETS', 'CocoPointDataset'),
    ('TRANSFORMS', 'RandomFlip'), ('HOOKS', 'CheckpointHook'), ('METRICS', 'FROCMetric'),
    ('METRICS', 'CocoMetric'), ('OPTIMIZERS', 'AdamW')])
def test_our_scope_finds_types_of_all_three_packages(registry, name):
    from mmdet import registry as theirs

    from mmwindow import registry as ours
    assert getattr(ours, registry).get(name) is getattr(theirs, registry).get(name) is not None
