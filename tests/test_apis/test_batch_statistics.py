"""Statistics of averaged weights, against those of the same images computed by torch alone."""
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmwindow import cli
from mmwindow.apis import load_config
from mmwindow.engine.safe_loading import load_own_checkpoint

STEM, LATER = 'backbone.bn1', 'backbone.layer4.1.bn2'


@pytest.fixture(scope='module')
def epochs(tmp_path_factory, write_tiny_config):
    """The config of a tiny ResNet whose statistics move, and checkpoints of two of its epochs.

    All six training images are one batch, and nothing is drawn at random.
    """
    folder = tmp_path_factory.mktemp('statistics')
    config = write_tiny_config(folder / 'config.py', batch_size=6)
    with config.open('a') as stream:
        stream.write(
            'train_dataloader = dict(batch_size=6, num_workers=0, persistent_workers=False, '
            'sampler=dict(shuffle=False), dataset=dict(pipeline=[*_base_.test_pipeline[:-1], '
            'dict(type="LoadAnnotations", with_bbox=True, box_type="point"), _base_.bounds, '
            '_base_.pack]))\n')
    cfg = load_config(config)
    init_default_scope('mmdet')
    torch.manual_seed(0)
    paths = []
    for epoch in (1, 2):
        model = MODELS.build(cfg.model)
        model.init_weights()
        for layer in model.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.running_mean += epoch
        paths.append(folder / f'epoch_{epoch}.pth')
        torch.save(dict(meta=dict(epoch=epoch, seed=0), state_dict=model.state_dict()), paths[-1])
    return cfg, config, paths


def test_statistics_are_those_of_the_training_images(epochs, tmp_path):
    """Of one batch the running mean is the batch's, and the variance the unbiased one."""
    cfg, config, paths = epochs
    cli.main(['average', *map(str, paths), '--config', str(config), '--out', str(tmp_path / 'm.pth')])
    mean = load_own_checkpoint(tmp_path / 'm.pth')['state_dict']
    states = [load_own_checkpoint(path)['state_dict'] for path in paths]
    weight = (states[0]['backbone.conv1.weight'] + states[1]['backbone.conv1.weight']) / 2
    torch.testing.assert_close(mean['backbone.conv1.weight'], weight)

    model, seen = MODELS.build(cfg.model), {}
    model.load_state_dict(mean)
    for name in (STEM, LATER):
        model.get_submodule(name).register_forward_pre_hook(
            lambda _, inputs, name=name: seen.update({name: inputs[0]}))
    batch, = Runner.build_dataloader(cfg.train_dataloader)
    with torch.no_grad():
        model.train()(**model.data_preprocessor(batch, True), mode='loss')
    assert len(seen[STEM]) == 6
    for name, values in seen.items():
        torch.testing.assert_close(mean[f'{name}.running_mean'], values.mean(dim=(0, 2, 3)),
                                   rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(mean[f'{name}.running_var'], values.transpose(0, 1).flatten(
            1).var(dim=1), rtol=1e-4, atol=1e-5)


def test_without_the_config_or_with_another_one_is_one_line(epochs, tmp_path, capsys):
    _, config, paths = epochs
    other = tmp_path / 'other.py'
    other.write_text(f"_base_ = '{config}'\nmodel = dict(neck=dict(out_channels=8), "
                     'bbox_head=dict(in_channels=8))\n')
    for arguments, words in (([], '--config, to measure them'), (
            ['--config', str(other)], 'not those of its model')):
        with pytest.raises(SystemExit) as ended:
            cli.main(['average', *map(str, paths), '--out', str(tmp_path / 'm.pth'), *arguments])
        error = capsys.readouterr().err
        assert ended.value.code == 1 and error.count('\n') == 1 and words in error
    assert not (tmp_path / 'm.pth').exists()
