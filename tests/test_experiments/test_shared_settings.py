"""Settings by name: each fits the systems that it names, and is what a command line says."""
import argparse
import copy
import shlex
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

from mmwindow.apis.config import load_config
from mmwindow.experiments.commands import settings as verb
from mmwindow.experiments.shared_settings import (
    KINDS,
    find_overrides,
    kinds_of,
    read_settings,
    tuning_arguments,
)
from mmwindow.utils.config_pipelines import find_steps
from tests.imported_tools import imported_tool

ROOT = Path(__file__).parents[2]
PATHS = {path.stem.split('_lite0')[0]: path
         for path in sorted(ROOT.glob('configs/*/*_lite0*_fracatlas.py'))}
SETTINGS = read_settings()
BOXES = {'faster_rcnn', 'retinanet', 'fcos'}


def overrides(name, system):
    path = PATHS[system]
    return find_overrides(name, SETTINGS, load_config(path), path.stem)


def test_nine_systems_are_of_the_kinds_that_settings_name():
    found = {system: set(kinds_of(load_config(path))) for system, path in PATHS.items()}
    assert len(found) == 9 and all('all' in kinds for kinds in found.values())
    assert {name for name, kinds in found.items() if 'boxes' in kinds} == BOXES
    assert {name for name, kinds in found.items() if 'classifier' in kinds} == {
        'chexnet', 'wspl', 'ufdet'}
    assert {name for name, kinds in found.items() if 'map' in kinds} == {
        'wl_kld', 'wl_mse', 'wl_plus'}
    assert {kind for entry in SETTINGS.values() for kind in entry} - {'says'} == set(KINDS)


@pytest.mark.parametrize('system', PATHS)
def test_all_settings_of_a_system_together_give_a_model(system):
    """Each override is taken: where it names nothing, load_config or the model rejects it."""
    kinds = kinds_of(load_config(PATHS[system]))
    names = [name for name, entry in SETTINGS.items() if set(entry) & set(kinds)
             and name not in ('plain', 'pretrained', 'lite2', 'short', 'unfitted')]
    assert {'long', 'unfrozen', 'norm', 'last_layer', 'lite1', 'unscaled', 'two_negatives',
            'input448'} <= set(names)
    assert ('anchors' in names) == (system in BOXES)
    cfg = load_config(PATHS[system], cfg_options=overrides('+'.join(names), system))
    init_default_scope('mmdet')
    with torch.device('meta'):
        model = MODELS.build(copy.deepcopy(cfg.model))
    assert all(parameter.requires_grad for parameter in model.parameters())  # unfrozen
    assert model.backbone.last_layer.conv.out_channels == 1280
    assert cfg.train_cfg.max_epochs == 32
    assert [step.factors for _, step in find_steps(cfg, 'RandomScale')] == [[1., 1.]]
    if system == 'retinanet':
        assert type(model.bbox_head).__name__ == 'RetinaImageHead'
        # 200 x 448 / 1024
        assert cfg.model.bbox_head.anchor_generator.base_sizes == [87.5] * 5


@pytest.mark.parametrize('system', ['faster_rcnn', 'retinanet'])
def test_anchors_that_are_not_fitted_are_mmdets(system):
    cfg = load_config(PATHS[system], cfg_options=overrides('unfitted', system))
    head = cfg.model.rpn_head if system == 'faster_rcnn' else cfg.model.bbox_head
    assert list(head.anchor_generator.ratios) == [.5, 1., 2.]
    assert 'base_sizes' not in head.anchor_generator


@pytest.mark.parametrize('system', ['wl_plus', 'chexnet', 'fcos'])
def test_channels_of_the_largest_backbone_fit(system):
    cfg = load_config(PATHS[system], cfg_options={
        **overrides('lite2', system), 'model.backbone.pretrained': False})
    init_default_scope('mmdet')
    with torch.device('meta'):
        model = MODELS.build(cfg.model).eval()
        levels = model.extract_feat(torch.zeros(1, 3, 128, 128))
        if model.with_neck:
            model.bbox_head(levels)
    assert levels[-1].shape[1] == (
        model.bbox_head.classifier.in_channels if system == 'chexnet' else 64)


def test_the_parts_of_wl_plus_together_are_wl_plus():
    cfg = load_config(PATHS['wl_kld'], cfg_options=overrides('tower+image', 'wl_kld'))
    plus = load_config(PATHS['wl_plus'])

    def plain(model):
        model = model.to_dict()
        return {**model, 'bbox_head': {**model['bbox_head'], 'strides': list(
            model['bbox_head']['strides'])}}
    assert plain(cfg.model) == plain(plus.model)


def test_a_name_in_braces_is_the_configs():
    assert overrides('pretrained+long', 'fcos') == {
        'load_from': 'work_dirs/pretraining/fcos_lite0_fpn_fracatlas.pth',
        'train_cfg.max_epochs': 32}


@pytest.mark.parametrize('name, message', [
    ('longer', "'longer' is not known; plain, short, long"),
    ('long+anchors', 'chexnet_lite0_fracatlas: the setting anchors is for configs of the kind box')])
def test_names_that_cannot_be_meant(name, message):
    with pytest.raises(ValueError, match=message):
        overrides(name, 'chexnet')


@pytest.mark.parametrize('content, message', [
    ('[]', 'an object of settings'), ('{"long": {"all": {}}}', "the setting 'long' is"),
    ('{"long": {"says": "x", "alll": {}}}', r'kind of config \(all, classifier'),
    ('{"long": {"says": "x", "all": 16}}', "the setting 'long' is")])
def test_a_file_of_another_kind_is_rejected(content, message, tmp_path):
    (tmp_path / 'settings.json').write_text(content)
    with pytest.raises(ValueError, match=message):
        read_settings(tmp_path / 'settings.json')


def test_the_command_line_says_the_same():
    names = ['plain', 'last_layer+unscaled', 'anchors', 'image_term']
    arguments = tuning_arguments(PATHS['retinanet'], names, SETTINGS)
    assert arguments[1:6] == ['--setting', 'plain', 'default_hooks.checkpoint.max_keep_ckpts=8',
                              '--setting', 'last_layer_unscaled']
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    parsed = parser.parse_args([*arguments, '--out', 'runs'])
    assert [name for name, _ in parsed.settings] == [name.replace('+', '_') for name in names]
    found = [dict(options) for _, options in parsed.settings]
    assert found[:3] == [overrides(name, 'retinanet') for name in names[:3]]
    assert found[3] == {'model.bbox_head.type': 'RetinaImageHead',
                        'model.bbox_head.image_window.type': 'WindowLoss',
                        'model.bbox_head.image_window.loss_weight': .1}


def run_tool(monkeypatch, *arguments):
    monkeypatch.setattr('sys.argv', ['screen_settings.py', *map(str, arguments)])
    with imported_tool('screen_settings') as tool:
        return tool.main()


def test_the_tool_shows_the_command_and_hands_it_on(monkeypatch, capsys):
    arguments = (PATHS['fcos'], '--settings', 'plain', 'long+anchors', '--out', 'runs')
    run_tool(monkeypatch, *arguments, '--show')
    expected = ['--setting', 'plain', 'default_hooks.checkpoint.max_keep_ckpts=8', '--setting',
                'long_anchors', 'train_cfg.max_epochs=32', 'fit_boxes=True', '--out', 'runs']
    assert shlex.split(capsys.readouterr().out) == ['mmwindow', 'tune', str(PATHS['fcos']), *expected]
    called = []
    monkeypatch.setattr(verb, 'run', called.append)
    run_tool(monkeypatch, *arguments)
    assert [name for name, _ in called[0].settings] == ['plain', 'long_anchors']
    # --setting is no short form of --settings: settings without a name may be added.
    run_tool(monkeypatch, *arguments, '--setting', 'slow', 'optim_wrapper.optimizer.lr=1e-4')
    assert [name for name, _ in called.pop().settings] == ['plain', 'long_anchors', 'slow']
    assert called[0].command_line.startswith('mmwindow tune ')
    run_tool(monkeypatch, '--list')
    assert capsys.readouterr().out.splitlines()[1] == 'short: 8 epochs'


def test_the_tool_names_a_setting_that_it_does_not_know(monkeypatch, capsys):
    with pytest.raises(SystemExit) as ended:
        run_tool(monkeypatch, PATHS['fcos'], '--settings', 'longest')
    assert ended.value.code == 1
    error, = capsys.readouterr().err.splitlines()
    assert error.startswith("screen_settings: the setting 'longest' is not known")


def test_the_page_names_every_setting():
    page = (ROOT / 'docs/configs.md').read_text(encoding='utf-8')
    assert [name for name in SETTINGS if f'`{name}`' not in page] == []
