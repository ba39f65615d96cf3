"""Overrides reach every place they are meant for, or are rejected."""
import json
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import Runner

from mmwindow.apis import load_config
from mmwindow.apis.config import check_options, expand_options, find_list_items, merge_options
from mmwindow.utils.config_pipelines import find_datasets, find_steps, input_size_of

CONFIGS = Path(__file__).parents[2] / 'configs'
CONFIG = CONFIGS / 'windowloss' / 'wl_kld_lite0_fpn.py'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def steps(cfg, name):
    return [step for _, step in find_steps(cfg, name)]


def write_config(folder, text):
    path = folder / 'mine.py'
    path.write_text(f"_base_ = '{CONFIG}'\n{text}")
    return path


@pytest.mark.parametrize('size', [512, (512, 320), [64, 96]])
def test_one_edit_changes_the_input_size_of_training_validation_and_test(size, tmp_path):
    for cfg in (load_config(CONFIG, cfg_options=dict(input_size=size)),
                load_config(write_config(tmp_path, f'input_size = {size}')),
                load_config(CONFIG, cfg_options={'pipeline.ResizeToInput.input_size': size})):
        # Training, validation, test, and test-time augmentation.
        assert [step.input_size for step in steps(cfg, 'ResizeToInput')] == [size] * 4
        assert input_size_of(cfg) == ((size, size) if isinstance(size, int) else tuple(size))


def test_one_edit_changes_the_window_the_bit_depth_and_the_place_of_the_data(tmp_path):
    text = ("window = dict(lower_radius=25, softness=0)\nbit_depth = 12\ndata_root = 'here/'\n"
            'max_pixels = 9000\ncache = True\n')
    options = {'window.lower_radius': 25, 'window.softness': 0, 'bit_depth': 12, 'max_pixels': 9000,
               'data_root': 'here/', 'cache': True}
    for cfg in (load_config(write_config(tmp_path, text)), load_config(CONFIG, cfg_options=options)):
        assert steps(cfg, 'PointToBoundTransform') == [dict(
            type='PointToBoundTransform', lower_radius=25, upper_radius=200, softness=0)]
        for step in steps(cfg, 'LoadImageFromFile'):
            assert (step.backend_args.bit_depth, step.backend_args.max_pixels) == (12, 9000)
            assert step.backend_args.cache is True
        assert len(steps(cfg, 'LoadImageFromFile')) == 4
        assert [dataset.data_root for _, dataset in find_datasets(cfg)] == ['here/'] * 3
        assert not {'window', 'bit_depth', 'data_root'} & set(cfg)  # applied, and gone


def test_random_scale_is_a_step_of_training_alone_and_none_where_nobody_asks(tmp_path):
    plain = load_config(CONFIG)
    assert steps(plain, 'RandomScale') == []
    text = 'random_scale = (0.8, 1.3)'
    for cfg in (load_config(write_config(tmp_path, text)),
                load_config(CONFIG, cfg_options=dict(random_scale=(0.8, 1.3))),
                load_config(write_config(tmp_path, 'random_scale = (0.9, 1.1)'),
                            cfg_options=dict(random_scale=(0.8, 1.3)))):
        pipeline = cfg.train_dataloader.dataset.pipeline
        assert [step.type for step in pipeline[5:8]] == ['Rotate', 'RandomScale', 'PadToInput']
        assert steps(cfg, 'RandomScale') == [dict(type='RandomScale', factors=(0.8, 1.3))]
        pipeline.pop(6)
        assert cfg.train_dataloader == plain.train_dataloader
        assert cfg.test_dataloader == plain.test_dataloader and 'random_scale' not in cfg


def test_random_scale_names_a_pipeline_that_has_no_place_for_it(tmp_path):
    text = "train_dataloader = dict(dataset=dict(pipeline=[dict(type='LoadRadiograph')]))\n"
    with pytest.raises(ValueError, match='train_dataloader.dataset.pipeline has no PadToInput'):
        load_config(write_config(tmp_path, text), cfg_options=dict(random_scale=(0.8, 1.3)))


@pytest.mark.parametrize('option', [
    'train_dataloader.dataset.pipeline.ResizeToInput.input_size',
    'test_dataloader.dataset.pipeline.1.input_size'])
def test_a_size_changed_in_one_place_of_three_is_rejected(option):
    with pytest.raises(ValueError, match=r'different input sizes .*\(256, 256\).*input_size=.. does'):
        load_config(CONFIG, cfg_options={option: 256})


def test_other_tools_do_not_ignore_what_only_ours_apply(tiny_dataset, tmp_path):
    """mmengine leaves the variable of an inheriting file where it is: the run does not begin."""
    cfg = Config.fromfile(str(write_config(tmp_path, 'input_size = 64')))
    cfg.merge_from_dict(expand_options(cfg, {
        'data_root': f'{tiny_dataset}/', 'model.backbone.pretrained': False}))
    cfg.work_dir = str(tmp_path)
    with pytest.raises(ValueError, match='the config sets input_size, which only the tools of mmw'):
        Runner.from_cfg(cfg).train()


@pytest.mark.parametrize('key, value, place', [
    ('input_side', 320, 'input_size'), ('window.lower_radius', 30, 'lower_radius'),
    ('window.upper_radius', 90, 'upper_radius')])
def test_keys_of_version_0_1_work_with_a_warning(key, value, place):
    options = {f'{loader}.dataset.{key}': value for loader in LOADERS[:2]}
    with pytest.warns(FutureWarning, match=rf'dataset.{key} is now'):
        cfg = load_config(CONFIG, cfg_options=options)
    name = 'ResizeToInput' if place == 'input_size' else 'PointToBoundTransform'
    assert {step[place] for step in steps(cfg, name)} == {value}
    options[f'{LOADERS[1]}.dataset.{key}'] = 2 * value
    with pytest.warns(FutureWarning), pytest.raises(ValueError, match=f'is {value} already'):
        load_config(CONFIG, cfg_options=options)


def test_a_config_of_version_0_1_is_read_with_a_warning(tmp_path):
    """Such as the config.py in the folder of a finished run."""
    cfg = load_config(CONFIG)
    for _, dataset in find_datasets(cfg):
        dataset.update(input_side=96, window=dict(lower_radius=10, upper_radius=20, softness=1))
        for step in dataset.pipeline:
            step.pop('input_size', None)
    cfg.dump(str(tmp_path / 'config.py'))
    with pytest.warns(FutureWarning, match='input_side is now input_size'):
        read = load_config(tmp_path / 'config.py')
    assert input_size_of(read) == (96, 96)
    assert steps(read, 'PointToBoundTransform')[0].lower_radius == 10
    assert not any({'input_side', 'window'} & set(dataset) for _, dataset in find_datasets(read))


@pytest.mark.parametrize('option, says', [
    ('channels', 'nothing reads channels after the config file'),
    ('resize.input_size', 'nothing reads resize'), ('classes', 'nothing reads classes'),
    ('trian_cfg.max_epochs', 'nothing reads trian_cfg'),
    ('pipeline.PointsToPseudoBoxes.size', 'has pipeline.PointsToPseudoBoxes'),
    ('train_dataloader.dataset.pipeline.Nothing.x', 'has 0 items of type Nothing')])
def test_an_option_that_would_change_nothing_is_rejected(option, says):
    with pytest.raises(ValueError, match=says):
        load_config(CONFIG, cfg_options={option: 7})


def test_every_key_of_a_config_is_read_or_rejected():
    """No variable of a config file can be overridden without effect."""
    cfg = load_config(CONFIGS / 'faster_rcnn' / 'faster_rcnn_lite0_fpn.py')
    variables = {'load', 'resize', 'augmented', 'bounds', 'pack', 'train_pipeline', 'box_pipeline',
                 'label_pipeline', 'test_pipeline', 'channels', 'vis_backends', 'lite0',
                 'lite0_channels'}
    rejected = set()
    for name in cfg:
        try:
            check_options({name: 1})
        except ValueError:
            rejected.add(name)
    assert rejected == variables


def test_data_sets_inside_others_are_found():
    resize = dict(type='mmdet.ResizeToInput', input_size=64)
    inner = [dict(type='CocoPointDataset', pipeline=[dict(resize)]) for _ in range(2)]
    cfg = Config(dict(train_dataloader=dict(dataset=dict(
        type='RepeatDataset', dataset=dict(type='ConcatDataset', datasets=inner)))))
    assert [key for key, _ in find_steps(cfg, 'ResizeToInput')] == [
        f'train_dataloader.dataset.dataset.datasets.{index}.pipeline.0' for index in (0, 1)]
    assert input_size_of(cfg) == (64, 64) and input_size_of(Config()) is None
    merge_options(cfg, dict(input_size=(32, 64)))
    assert input_size_of(cfg) == (32, 64)


def test_items_of_lists_are_named_by_type_or_index():
    cfg = Config(dict(pipeline=[dict(type='Load'), dict(type='Flip', prob=0.5), dict(type='Load')]))
    assert find_list_items(cfg, {'pipeline.Flip.prob': 1, 'pipeline.0.x': 2, 'new.Flip': 3}) == {
        'pipeline.1.prob': 1, 'pipeline.0.x': 2, 'new.Flip': 3}
    with pytest.raises(ValueError, match='pipeline has 2 items of type Load; its types are Load, '
                                         'Flip, Load'):
        find_list_items(cfg, {'pipeline.Load.x': 1})
    with pytest.raises(ValueError, match='pipeline has 0 items of type Rotate'):
        find_list_items(cfg, {'pipeline.Rotate.x': 1})


def write_classes(folder, split, names):
    path = folder / 'annotations' / f'{split}.json'
    content = json.loads(path.read_text())
    content['categories'] = [dict(id=number, name=name) for number, name in enumerate(names, start=1)]
    path.write_text(json.dumps(content))


@pytest.mark.parametrize('classes, says', [
    (('a', 'b'), r'train_dataloader has 2 classes \(a, b\), model.bbox_head has num_classes=1'),
    (('b', 'a'), 'different classes, or another order of them: train_dataloader: a, b; '
                 'val_dataloader: b, a')])
def test_classes_that_contradict_each_other_stop_a_run(own_tiny_dataset, tmp_path, classes, says):
    write_classes(own_tiny_dataset, 'train', ('a', 'b'))
    write_classes(own_tiny_dataset, 'val', classes)
    cfg = load_config(CONFIG, work_dir=tmp_path, cfg_options={
        'input_size': 64, 'data_root': f'{own_tiny_dataset}/', 'model.backbone.pretrained': False,
        'train_dataloader.num_workers': 0, 'train_dataloader.persistent_workers': False,
        'val_dataloader.num_workers': 0, 'val_dataloader.persistent_workers': False})
    with pytest.raises(ValueError, match=says):
        Runner.from_cfg(cfg).train()


def test_a_variable_of_the_environment_is_noted_once(tmp_path, monkeypatch, caplog):
    # mmengine says it each time that a file is read: 14 equal lines before a study's first run.
    path = write_config(tmp_path, "mine = '{{$MMWINDOW_TEST_MINE:one}}'\n")
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(logger, 'handlers', [caplog.handler])
    said = []
    for value in ('two', 'two', 'three', 'two'):
        monkeypatch.setenv('MMWINDOW_TEST_MINE', value)
        caplog.clear()
        assert load_config(path).mine == value
        logger.info('of another kind')  # which is never held back
        said.append([record.getMessage() for record in caplog.records])
    note = 'Using env variable `MMWINDOW_TEST_MINE` with value of {} to replace item in config.'
    assert said == [[note.format('two'), 'of another kind'], ['of another kind'],
                    [note.format('three'), 'of another kind'], ['of another kind']]
