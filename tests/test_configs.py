"""Every config builds, stays readable, and differs from its neighbours only where it should."""
import copy
import functools
import re
import subprocess
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.utils import get_installed_path

import mmwindow  # noqa: F401
from mmwindow.utils.config_pipelines import find_steps, input_size_of

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / 'configs'
OLD_PATHS = sorted([*CONFIGS.glob('fracatlas/*.py'), *CONFIGS.glob('synthetic/*.py')])
CONFIG_FILES = sorted(path for path in CONFIGS.rglob('*.py')
                if '_base_' not in path.parts and path not in OLD_PATHS)
SYSTEMS = {'chexnet', 'wspl', 'ufdet', 'faster_rcnn', 'retinanet', 'fcos', 'wl_mse', 'wl_kld',
           'wl_plus'}
BOX_DETECTORS = {'faster_rcnn', 'retinanet', 'fcos'}
CLASSIFIERS = {'chexnet', 'wspl', 'ufdet'}
RATES = {'chexnet': 1e-4, 'wspl': 1e-4, 'ufdet': 1e-4, 'wl_mse': 2e-4}  # CPU-sized; others 8e-4
# On validation: results/fracatlas/choices.
CHOSEN = {(data, 'chexnet'): 2e-4 for data in ('own', 'synthetic', 'fracatlas')}


def config_name(path):
    return f'{path.parent.relative_to(CONFIGS)}/{path.stem}'


def system_of(path):
    """Return the system of Table 1, or WL+, that a config file trains."""
    return re.match('|'.join(sorted(SYSTEMS)), path.stem)[0]


def data_of(path):
    """Return what a config file is for: 'paper', 'own', 'fracatlas', 'synthetic', 'fracatlas r50', or
    the ablations of the paper, of the steps beyond it or of the study: 'paper ablations',
    'fracatlas ablations' and 'synthetic ablations'."""
    ending = path.stem.rsplit('_', 1)[1]
    if path.parent.name == 'ablations':
        return f'{ending if ending in ("fracatlas", "synthetic") else "paper"} ablations'
    if ending in ('fracatlas', 'synthetic'):
        return ending + ' r50' * ('_r50_' in path.stem)
    return 'own' if 'lite0' in path.stem else 'paper'


def base_file(path, base):
    package, _, file = base.rpartition('::')
    if package:
        return Path(get_installed_path(package)) / '.mim' / 'configs' / file
    return (path.parent / base).resolve()


def chain_length(path):
    """Return the number of files on the longest way down to a base without bases."""
    if '_base_ =' not in path.read_text():
        return 1
    bases = Config._parse_base_files(str(path)) if hasattr(Config, '_parse_base_files') else (
        Config._get_base_files(str(path)))
    return 1 + max(chain_length(base_file(path, base)) for base in bases)


@functools.cache
def load(path):
    """Return the config of a file, read once; it is not changed."""
    return Config.fromfile(str(path))


def steps(cfg):
    return [step.type for step in cfg.train_dataloader.dataset.pipeline]


@pytest.mark.parametrize('path', CONFIG_FILES, ids=config_name)
def test_config_file_is_short_and_its_model_builds(path):
    assert len(path.read_text().splitlines()) <= 15
    # What leaves a part of a config file out inherits it, and so does data of another size: one file
    # more than that.
    assert chain_length(path) <= (4 if data_of(path) in (
        'fracatlas ablations', 'synthetic ablations', 'fracatlas r50') else 3)
    cfg = load(path)
    init_default_scope(cfg.default_scope)
    with torch.device('meta'):  # its parts and their shapes; no number of it is looked at
        model = MODELS.build(copy.deepcopy(cfg.model))
    assert all(side % 32 == 0 for side in input_size_of(cfg))
    assert sum(parameter.numel() for parameter in model.parameters()) > 1e6


def test_each_config_lies_in_the_folder_of_its_system():
    for path in CONFIG_FILES:
        system = system_of(path)
        folder = path.relative_to(CONFIGS).parts[0]
        assert folder == ('windowloss' if system.startswith('wl_') else system)
        assert re.fullmatch(rf'{system}_(r50|lite0)(_fpn)?(_[a-z0-9_]+)?', path.stem)


@pytest.mark.parametrize('path', OLD_PATHS, ids=config_name)
def test_an_old_path_gives_the_config_that_has_moved(path):
    new = [each for each in CONFIG_FILES if each.stem == f'{path.stem}_{path.parent.name}']
    assert len(new) == 1 and len(path.read_text().splitlines()) == 1
    assert Config.fromfile(str(path)).to_dict() == load(new[0]).to_dict()


@pytest.mark.parametrize('path', CONFIG_FILES, ids=config_name)
def test_lengths_stand_once(path):
    """Training, validation, test and its augmentation share one input size, named once."""
    cfg = load(path)
    loaders = [cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader]
    assert input_size_of(cfg) == {
        'paper': (1024, 1024), 'paper ablations': (1024, 1024), 'own': (384, 384),
        'fracatlas': (384, 384), 'fracatlas ablations': (384, 384), 'fracatlas r50': (512, 512),
        'synthetic': (256, 256), 'synthetic ablations': (256, 256)}[data_of(path)]
    assert len(list(find_steps(cfg, 'ResizeToInput'))) == 4
    assert not loaders[0].dataset.get('filter_cfg')
    assert cfg.val_evaluator == cfg.test_evaluator == dict(type='FROCMetric', hit_radius=50)


@pytest.mark.parametrize('path', CONFIG_FILES, ids=config_name)
def test_a_system_learns_from_what_the_paper_says(path):
    """Bounds, pseudo-boxes or image labels; all geometry comes before, packing last."""
    system, names = system_of(path), steps(load(path))
    targets = (['PointsToPseudoBoxes'] if system in BOX_DETECTORS else
               [] if system in CLASSIFIERS else ['PointToBoundTransform'])
    assert names[-1 - len(targets):] == [*targets, 'PackPointInputs']
    assert names[:-1 - len(targets)] == [
        'LoadImageFromFile', 'LoadAnnotations', 'ResizeToInput', 'RandomIntensity', 'RandomFlip',
        'Rotate', 'PadToInput']


@pytest.mark.parametrize('data', ['paper', 'own', 'synthetic', 'fracatlas', 'fracatlas r50'])
def test_the_nine_systems_share_all_but_model_and_targets(data):
    """Data, augmentation, schedule, evaluation: one value over the nine files of a data set.

    Of the CPU-sized ones the classifiers and WL-MSE have learning rates of their own, CheXNet on
    FracAtlas the one that validation chose, and WL-MSE a shorter memory of its gradients.
    """
    paths = [path for path in CONFIG_FILES if data_of(path) == data]
    assert {system_of(path) for path in paths} == SYSTEMS and len(paths) == 9
    shared = []
    for path in paths:
        cfg = copy.deepcopy(load(path).to_dict())
        loader = cfg['train_dataloader']
        pipeline = loader['dataset'].pop('pipeline')
        if data != 'paper':
            optimizer = cfg['optim_wrapper']['optimizer']
            assert ('betas' in optimizer) == (system_of(path) == 'wl_mse')
            optimizer.pop('betas', None)
            rate = optimizer.pop('lr')
            assert rate == (2e-4 if data == 'fracatlas r50' else CHOSEN.get(
                (data, system_of(path)), RATES.get(system_of(path), 8e-4)))
        shared.append(dict(
            augmentation=pipeline[:7], train=loader, val=cfg['val_dataloader'],
            test=cfg['test_dataloader'], metric=cfg['val_evaluator'],
            optimizer=cfg['optim_wrapper'], scheduler=cfg.get('param_scheduler'),
            loop=cfg['train_cfg'], hooks=cfg['default_hooks'], seed=cfg['randomness']))
    for other in shared[1:]:
        assert other == shared[0]


@pytest.mark.parametrize('data, backbone', [
    ('paper', 'ResNet'), ('own', 'EfficientNetLite'), ('synthetic', 'EfficientNetLite'),
    ('fracatlas', 'EfficientNetLite'), ('fracatlas r50', 'ResNet')])
def test_the_nine_systems_share_backbone_and_preprocessing(data, backbone):
    paths = [path for path in CONFIG_FILES if data_of(path) == data]
    kept = []
    for path in paths:
        model = copy.deepcopy(load(path).model.to_dict())
        assert model['backbone'].pop('out_indices', (0, 1, 2, 3)) == (
            (3, ) if system_of(path) in CLASSIFIERS else (0, 1, 2, 3))
        assert model['backbone']['type'] == backbone
        preprocessor = model['data_preprocessor']
        kept.append((model['backbone'], preprocessor['mean'], preprocessor['std'],
                     preprocessor['bgr_to_rgb'], preprocessor['pad_size_divisor']))
    for other in kept[1:]:
        assert other == kept[0]


def test_the_small_backbone_stands_once():
    """Unfreezing it, its last layer or another variant are one edit for all nine systems."""
    naming = [path.name for path in CONFIGS.rglob('*.py') if 'EfficientNetLite' in path.read_text()]
    assert naming == ['lite0.py']


def without(settings, *keys):
    """Return a copy of a nested dict without the entries at dotted keys."""
    settings = dict(settings)
    for key in keys:
        first, _, rest = key.partition('.')
        settings[first] = without(settings[first], rest) if rest else settings[first]
        if not rest:
            settings.pop(first)
    return settings


@pytest.mark.parametrize('ours, theirs, differing', [
    ('faster_rcnn/faster_rcnn_r50_fpn.py', '_base_/models/faster-rcnn_r50_fpn.py',
     ['roi_head.bbox_head.num_classes', 'test_cfg.rcnn.score_thr']),
    ('retinanet/retinanet_r50_fpn.py', '_base_/models/retinanet_r50_fpn.py',
     ['bbox_head.num_classes', 'test_cfg.score_thr']),
    ('fcos/fcos_r50_fpn.py', 'fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
     ['bbox_head.num_classes', 'test_cfg.score_thr', 'data_preprocessor']),
])
def test_box_detectors_are_those_of_mmdet(ours, theirs, differing):
    """Nothing differs but the number of classes, the score threshold and the backbone's training."""
    model = copy.deepcopy(load(CONFIGS / ours).model.to_dict())
    reference = Config.fromfile(str(
        Path(get_installed_path('mmdet')) / '.mim' / 'configs' / theirs)).model.to_dict()
    model.pop('_scope_', None)  # mmengine notes where a base came from
    differing = [*differing, 'backbone']
    assert without(model, *differing) == without(reference, *differing)
    assert model['backbone']['depth'] == reference['backbone']['depth'] == 50


PAPER_ROWS = [(2, 50, 200), (2, 100, 200), (2, 150, 200), (0.4, 50, 200), (5, 50, 200),
              (10, 50, 200), (0, 50, 50), (2, 50, 50)]


@pytest.mark.parametrize('divergence, table', [('mse', 2), ('kld', 3)])
def test_ablations_are_the_rows_of_the_paper(divergence, table):
    """Each differs from the main config by its window alone, and its name says the window."""
    main_path = CONFIGS / f'windowloss/wl_{divergence}_r50_fpn.py'
    paths = [path for path in CONFIG_FILES if data_of(path) == 'paper ablations'
             and system_of(path) == f'wl_{divergence}']
    rows = set()
    for path in paths:
        cfg, main = (copy.deepcopy(load(each).to_dict()) for each in (path, main_path))
        (_, window), = find_steps(cfg, 'PointToBoundTransform')
        row = window['softness'], window['lower_radius'], window['upper_radius']
        rows.add(row)
        pipelines = [content['train_dataloader']['dataset']['pipeline'] for content in (cfg, main)]
        assert pipelines[0][:7] == pipelines[1][:7] and pipelines[0][8:] == pipelines[1][8:]
        name = 'tau{}_lower{}_upper{}'.format(*row).replace('.', 'p')
        assert path.stem == f'wl_{divergence}_r50_fpn_{name}'
        assert f'# Table {table}: AUROC .9' in path.read_text()
        for content in (cfg, main):
            content.pop('bounds')
            content['train_dataloader']['dataset'].pop('pipeline')
        assert cfg == main
    assert rows == set(PAPER_ROWS) and len(paths) == 8


@pytest.mark.parametrize('data', ['paper', 'own', 'synthetic', 'fracatlas', 'fracatlas r50'])
def test_wl_plus_is_wl_kld_and_one_file(data):
    """Nothing differs but what ``_base_/models/wl_plus.py`` names."""
    plus, plain = (next(path for path in CONFIG_FILES if data_of(path) == data
                        and system_of(path) == system) for system in ('wl_plus', 'wl_kld'))
    plus, plain = (copy.deepcopy(load(path).to_dict()) for path in (plus, plain))
    steps_beyond = Config.fromfile(str(CONFIGS / '_base_/models/wl_plus.py')).to_dict()
    assert steps_beyond == {'wl_plus': plus.pop('wl_plus')}
    parts = steps_beyond['wl_plus']['bbox_head']
    assert set(parts) == {'strides', 'num_convs', 'image_window'}
    plain['model']['neck'].update(steps_beyond['wl_plus']['neck'])
    plain['model']['bbox_head'].update(parts)
    assert plus == plain


@pytest.mark.parametrize('part, place, value', [
    ('without_tower', 'num_convs', 0), ('without_image', 'image_window', None),
    ('with_maximum', 'maximum_window', dict(type='MaximumWindowLoss', loss_weight=0.1)),
    ('with_focus', 'loss.focus', 1)])
def test_each_part_of_wl_plus_is_left_out_or_added_by_one_line(part, place, value):
    folder = CONFIGS / 'windowloss'
    path = folder / f'ablations/wl_plus_lite0_fpn_{part}_fracatlas.py'
    assert len(path.read_text().splitlines()) == 2
    complete = load(folder / 'wl_plus_lite0_fpn_fracatlas.py')
    expected = copy.deepcopy(complete)
    expected.merge_from_dict({f'model.bbox_head.{place}': value})
    assert load(path).to_dict() == expected.to_dict() != complete.to_dict()


def test_the_control_is_retinanet_with_the_image_window_of_wl_plus():
    control = copy.deepcopy(
        load(CONFIGS / 'retinanet/ablations/retinanet_lite0_fpn_image_fracatlas.py').to_dict())
    head = control['model']['bbox_head']
    assert head.pop('type') == 'RetinaImageHead'
    assert head.pop('image_window') == load(
        CONFIGS / 'windowloss/wl_plus_lite0_fpn_fracatlas.py').model.bbox_head.image_window
    plain = load(CONFIGS / 'retinanet/retinanet_lite0_fpn_fracatlas.py').to_dict()
    assert control == without(plain, 'model.bbox_head.type')


def test_the_controls_of_the_study_differ_by_what_they_say():
    """A window without room between its bounds, and boxes with room between their thresholds."""
    closed, window = (load(CONFIGS / 'windowloss' / name) for name in (
        'ablations/wl_kld_lite0_fpn_closed_synthetic.py', 'wl_kld_lite0_fpn_synthetic.py'))
    bounds = dict(type='PointToBoundTransform', lower_radius=50, upper_radius=50, softness=2)
    assert closed.bounds == bounds != window.bounds
    assert [step for _, step in find_steps(closed, 'PointToBoundTransform')] == [bounds]
    expected = copy.deepcopy(window.to_dict())
    expected['bounds'] = bounds
    pipeline = expected['train_dataloader']['dataset']['pipeline']
    assert pipeline[-2] == window.bounds
    pipeline[-2] = bounds
    assert closed.to_dict() == expected
    tolerant, boxes = (load(CONFIGS / 'retinanet' / name) for name in (
        'ablations/retinanet_lite0_fpn_tolerant_synthetic.py', 'retinanet_lite0_fpn_synthetic.py'))
    assigner = tolerant.model.train_cfg.assigner
    assert (assigner.neg_iou_thr, assigner.pos_iou_thr) == (0.1, 0.5)
    assert boxes.model.train_cfg.assigner.neg_iou_thr == 0.4
    assert without(tolerant.to_dict(), 'model.train_cfg.assigner.neg_iou_thr') == without(
        boxes.to_dict(), 'model.train_cfg.assigner.neg_iou_thr')


@pytest.mark.parametrize('control, plain, target', [
    ('windowloss/ablations/wl_plus_lite0_fpn_closed_fracatlas.py',
     'windowloss/wl_plus_lite0_fpn_fracatlas.py',
     dict(type='PointToBoundTransform', lower_radius=50, upper_radius=50, softness=2)),
    ('retinanet/ablations/retinanet_lite0_fpn_box100_fracatlas.py',
     'retinanet/retinanet_lite0_fpn_fracatlas.py', dict(type='PointsToPseudoBoxes', size=100))])
def test_the_closed_window_and_its_boxes_differ_by_their_targets(control, plain, target):
    control, plain = (copy.deepcopy(load(CONFIGS / path).to_dict()) for path in (control, plain))
    pipeline = plain['train_dataloader']['dataset']['pipeline']
    assert pipeline[-2]['type'] == target['type'] and pipeline[-2] != target
    pipeline[-2] = target
    for cfg in (control, plain):
        cfg.pop('bounds'), cfg.pop('boxes', None)
    assert control == plain


def test_the_length_of_all_trainings_on_fracatlas_stands_once():
    """In _base_/datasets/fracatlas.py: a longer one for all systems is one edit."""
    for path in CONFIG_FILES:
        if data_of(path).startswith('fracatlas'):
            assert 'max_epochs' not in path.read_text()
            assert load(path).train_cfg == dict(type='EpochBasedTrainLoop', max_epochs=16,
                                                val_interval=2)


def test_the_nightly_command_runs_every_synthetic_config():
    script = (ROOT / 'tools/nightly_synthetic.sh').read_text()
    patterns = re.findall(r'configs/\S+', script)
    named = subprocess.run(['bash', '-c', f'echo {" ".join(patterns)}'], capture_output=True,
                           text=True, check=True, cwd=ROOT).stdout.split()
    assert {ROOT / path for path in named} == {
        path for path in CONFIG_FILES if data_of(path) == 'synthetic'} and len(named) == 9
