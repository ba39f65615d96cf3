"""A checkpoint is data: none of its code runs, its bytes are checked, and it fills the model."""
import json
import os
import pickle
import re
import shutil
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
import yaml
from mmdet.apis import DetInferencer
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.runner import Runner, load_checkpoint
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import _load_checkpoint
from PIL import Image
from torch import nn

from mmwindow.apis import load_config, train
from mmwindow.apis import test as evaluate  # pytest would collect it under its own name
from mmwindow.apis.inference import PointInferencer
from mmwindow.engine import file_backends
from mmwindow.engine.checkpoint import find_newest_checkpoint, fix_last_checkpoint
from mmwindow.engine.hooks import RunFileHook
from mmwindow.engine.hooks.checkpoint_content_hook import check_resumable, keep_in_folder
from mmwindow.engine.model_description import META_KEY, check_types, read_description
from mmwindow.engine.safe_loading import check_checkpoint, load_own_checkpoint
from mmwindow.engine.weights import check_weights, compare_weights
from mmwindow.experiments import worker


@pytest.fixture(scope='module')
def training(write_tiny_config, tmp_path_factory):
    """Return config and work dir of a training of one epoch; read only."""
    folder = tmp_path_factory.mktemp('training')
    config = write_tiny_config(folder / 'tiny.py')
    train(config, work_dir=folder / 'work')
    return config, folder / 'work'


@pytest.fixture
def touched(tmp_path):
    """Return the path of a file that exists once code of a checkpoint has run."""
    return tmp_path / 'touched'


def poison(content, touched):
    """Return a checkpoint's content with code in each place that mmengine takes a config from."""
    code = f"open({str(touched)!r}, 'w').close()\nmodel = dict(type='DensePointDetector')\n"
    content = {**content, 'meta': {**content.get('meta', {}), 'config': code, 'cfg': code}}
    hub = content.get('message_hub', {})
    content['message_hub'] = {**hub, 'runtime_info': {**hub.get('runtime_info', {}), 'cfg': code}}
    return content


def read_raw(path):
    """Return all that is in a checkpoint, the config's text as well."""
    return mmengine_checkpoint.torch.load(path, map_location='cpu', weights_only=True)


class Attack:
    """Pickles as a call that makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path), )


@pytest.mark.smoke
def test_no_code_of_a_checkpoint_runs_when_a_training_resumes(training, tmp_path, touched):
    """Also not from a planted epoch_N.pth, and the code is not copied into the next checkpoint."""
    config, work_dir = training
    (tmp_path / 'work').mkdir()
    planted = tmp_path / 'work' / 'epoch_1.pth'
    torch.save(poison(read_raw(work_dir / 'epoch_1.pth'), touched), planted)
    train(config, work_dir=tmp_path / 'work', resume='auto',
          cfg_options={'train_cfg.max_epochs': 2})
    assert (tmp_path / 'work' / 'epoch_2.pth').is_file()
    assert str(touched) not in str(read_raw(tmp_path / 'work' / 'epoch_2.pth')['message_hub'])
    assert not touched.exists()


@pytest.mark.smoke
def test_no_code_of_a_checkpoint_runs_in_test_inference_worker_and_load_from(
        training, tmp_path, touched):
    config, work_dir = training
    path = tmp_path / 'best_froc_auroc_epoch_1.pth'
    torch.save(poison(read_raw(work_dir / 'epoch_1.pth'), touched), path)
    evaluate(config, path, work_dir=tmp_path / 'test')
    with pytest.raises(ValueError, match='Cannot find the config in the checkpoint'):
        DetInferencer(weights=str(path), device='cpu')
    model = PointInferencer(config, path).model
    load_checkpoint(model, str(path))  # load_from, and init_cfg of mmengine
    _load_checkpoint(str(path))
    (tmp_path / 'run' / 'training').mkdir(parents=True)
    path.rename(tmp_path / 'run' / 'training' / path.name)
    load_config(config).dump(str(tmp_path / 'run' / 'config.py'))
    (tmp_path / 'run' / 'run.json').write_text(json.dumps(
        dict(trained=True, splits=['test'], training_seconds=0., mark='of the run')))
    worker.run(tmp_path / 'run')  # as the tests of folds, and of runs that are tested again
    assert (tmp_path / 'run' / 'result.json').is_file()
    assert not touched.exists()


@pytest.mark.parametrize('load', [
    load_own_checkpoint,
    lambda path: _load_checkpoint(str(path)),  # load_from, --resume, init_cfg, inferencers
    lambda path: load_checkpoint(nn.Linear(1, 1), str(path)),
    lambda path: mmengine_checkpoint.load_url(path.as_uri(), model_dir=str(path.parent / 'cache')),
    lambda path: mmengine_checkpoint.load_from_http(path.as_uri()),
    lambda path: getattr(mmengine_checkpoint, '_safe_torch_load', torch.load)(str(path)),
], ids=['ours', 'mmengine', 'model', 'url', 'http', 'fork'])
def test_a_pickle_that_runs_code_is_rejected_by_every_loader(load, tmp_path, touched, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'hub'))
    path = tmp_path / 'downloaded.pth'
    torch.save({'state_dict': {'weight': torch.ones(1, 1)}, 'extra': Attack(touched)}, path)
    with pytest.raises((ValueError, pickle.UnpicklingError), match='mkdir|could run code'):
        load(path)
    assert not touched.exists()


def test_pretrained_weights_and_averages_are_loaded_as_data(training, tmp_path, touched):
    path = tmp_path / 'pretrained.pth'
    torch.save({'state_dict': {'weight': torch.ones(1)}, 'extra': Attack(touched)}, path)
    model = PointInferencer(*training[:1], training[1] / 'epoch_1.pth').model
    model.init_cfg = dict(type='Pretrained', checkpoint=str(path))
    model._is_init = False
    with pytest.raises(ValueError, match='could run code'):
        model.init_weights()
    assert issubclass(EMAHook, object) and 'torch.load' not in open(
        sys.modules[EMAHook.__module__].__file__).read()  # it takes what the runner has loaded
    assert 'torch.load' not in open(sys.modules[Runner.__module__].__file__).read()
    assert not touched.exists()


def write_yaml(path, touched):
    path.write_text(f'model: !!python/object/apply:os.mkdir ["{touched}"]\n')
    return path


def test_no_tag_of_a_yaml_config_runs(tmp_path, touched):
    for name in ('config.yml', 'config.yaml'):
        path = write_yaml(tmp_path / name, touched)
        with pytest.raises(ValueError, match='a config is a Python file'):
            load_config(path)
        with pytest.raises(ValueError, match='no YAML of plain data.*python/object'):
            Config.fromfile(str(path))
        (tmp_path / 'inherits.py').write_text(f"_base_ = './{name}'\n")
        with pytest.raises(ValueError, match='no YAML of plain data'):
            load_config(tmp_path / 'inherits.py')
    assert not touched.exists()


@pytest.mark.parametrize('text', [
    '[' * 100_000, '- ' * 100_000 + 'a', 'a: \0', 'a: 1979-99-99', '\t\t{'],
    ids=['brackets', 'levels', 'zero', 'date', 'tabs'])
def test_yaml_that_is_none_is_an_error_in_words(text, tmp_path):
    (tmp_path / 'config.yml').write_text(text)
    with pytest.raises(ValueError, match='no YAML of plain data'):
        Config.fromfile(str(tmp_path / 'config.yml'))


@pytest.mark.skipif(not yaml.__with_libyaml__, reason='PyYAML is here without libyaml')
def test_yaml_is_read_by_libyaml():
    """A config on one of MMDetection's reads a hundred such files."""
    assert issubclass(file_backends.PLAIN_LOADER, yaml.CSafeLoader)


def test_a_model_is_built_from_the_data_of_its_checkpoint_alone(training, tiny_dataset):
    config, work_dir = training
    content = load_own_checkpoint(work_dir / 'epoch_1.pth')
    described = content['meta'][META_KEY]
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    description = read_description(content, 'epoch_1.pth')
    assert (description.classes, description.input_size, description.config) == (
        ('fracture', ), (64, 64), 'tiny.py')
    assert 'mmwindow' in description.versions
    assert 'init_cfg' not in str(description.model)
    image = tiny_dataset / 'images' / 'test_0.png'
    alone, = PointInferencer(work_dir / 'epoch_1.pth')(image)
    with_config, = PointInferencer(config, work_dir / 'epoch_1.pth')(image)
    np.testing.assert_array_equal(alone.heatmap, with_config.heatmap)
    np.testing.assert_array_equal(alone.boxes, with_config.boxes)
    assert alone.classes == ('fracture', )


@pytest.mark.parametrize('name', [
    'os.system', 'subprocess.check_output', 'mmengine.runner.Runner', 'builtins.exec', 'eval',
    '__import__("os").system("x")', 'mmpretrain.TIMMBackbone', 'Albu', 'CameraMotionCompensation',
    'ByteTracker', 'Runner', 7, None, ['nms']])
def test_a_description_names_only_parts_of_a_model(name):
    """mmengine calls any importable name; mmcv's nms and mmdet's trackers evaluate theirs."""
    for tree in (dict(model=dict(type=name)), dict(test_cfg=dict(nms=dict(type=name))),
                 dict(pipeline=[dict(type='Resize'), dict(type=name)])):
        with pytest.raises(ValueError, match='no part of a model'):
            check_types(tree)


def test_the_parts_of_every_system_may_be_described():
    check_types(dict(model=dict(type='mmdet.FasterRCNN', backbone=dict(type='ResNet', norm_cfg=dict(
        type='BN')), roi=dict(roi_layer=dict(type='RoIAlign'),
                              coder=dict(type='DeltaXYWHBBoxCoder'))),
        test_cfg=dict(nms=dict(type='nms')), pipeline=[dict(type='LoadImageFromFile'),
                                                       dict(type='PackPointInputs')]))


def test_a_description_that_is_no_data_is_rejected(training):
    content = load_own_checkpoint(training[1] / 'epoch_1.pth')
    good = content['meta'][META_KEY]
    deep = []
    for _ in range(60):
        deep = [deep]
    for change, words in (
            (dict(version=2), 'format 2'), (dict(classes=[]), 'no model, pipeline or classes'),
            (dict(input_size=[64, -1]), 'input size'), (dict(pipeline=[torch.ones(1)]), 'Tensor'),
            (dict(pipeline=[{1: 2}]), 'the key 1'), (dict(pipeline=deep), 'nested deeper')):
        with pytest.raises(ValueError, match=words):
            read_description({'meta': {META_KEY: {**good, **change}}}, 'x.pth')
    for nothing in ({}, {'meta': None}, {'meta': {}}, {'meta': {META_KEY: 'text'}}, []):
        with pytest.raises(ValueError, match='does not describe its model'):
            read_description(nothing, 'x.pth')


def spoil(weights, how):
    """Return weights that are not those of the model any more, and the words of the error."""
    if how == 'no head':
        return {name: value for name, value in weights.items() if 'bbox_head' not in name}, (
            'of the model are missing', 'bbox_head')
    if how == 'two classes':
        return {name: torch.cat([value, value]) if 'bbox_head' in name else value
                for name, value in weights.items()}, (
                    'another shape', r'\(2, 16, 1, 1\) for \(1, 16')
    return {f'other.{name}': value for name, value in weights.items()}, (
        'of no part of the model', 'other.backbone', 'are missing')


@pytest.mark.parametrize('how', ['no head', 'two classes', 'another model'])
def test_a_checkpoint_that_does_not_fill_the_model_is_never_scored(how, training, tmp_path):
    config, work_dir = training
    content = load_own_checkpoint(work_dir / 'epoch_1.pth')
    content['state_dict'], words = spoil(content['state_dict'], how)
    path = tmp_path / 'other.pth'
    torch.save(content, path)
    tta = how == 'no head'
    for score in (lambda: evaluate(config, path, work_dir=tmp_path / 'test', tta=tta),
                  lambda: PointInferencer(config, path), lambda: PointInferencer(path)):
        with pytest.raises(ValueError, match='not those of the config') as caught:
            score()
        assert 'other.pth' in str(caught.value)
        for word in words:
            assert re.search(word, str(caught.value)), word
    assert 'tiny.py' in str(caught.value)  # what it was trained with


def test_fine_tuning_counts_what_was_not_loaded_and_needs_something(
        training, tmp_path, capsys, monkeypatch):
    config, work_dir = training
    content = load_own_checkpoint(work_dir / 'epoch_1.pth')
    number = len(content['state_dict'])
    for how, path in (('two classes', tmp_path / 'classes.pth'),
                      ('another model', tmp_path / 'o.pth')):
        torch.save({'state_dict': spoil(content['state_dict'], how)[0]}, path)
    def stop(self, runner):
        raise InterruptedError  # the weights are loaded

    monkeypatch.setattr(RunFileHook, 'before_train', stop)
    with pytest.raises(InterruptedError):
        train(config, work_dir=tmp_path / 'a',
              cfg_options={'load_from': str(tmp_path / 'classes.pth')})
    output = capsys.readouterr().out
    assert f'{number - 2} weights were loaded; not loaded: 2 have another shape' in output
    with pytest.raises(ValueError, match='Nothing of it fits'):
        train(config, work_dir=tmp_path / 'b', cfg_options={'load_from': str(tmp_path / 'o.pth')})


def test_counters_of_batch_normalisation_may_be_missing_or_left_over():
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    weights = dict(model.state_dict())
    counter = weights.pop('1.num_batches_tracked')
    assert compare_weights(model, weights).is_empty
    assert compare_weights(model, {**weights, '7.num_batches_tracked': counter}).is_empty
    assert check_weights(model, {'state_dict': {f'module.{name}': value for name, value in
                                                weights.items()}}, 'a', 'b') is None
    for nothing in ({}, {'state_dict': {}}, [], {'state_dict': 3}, {'epoch': 1}):
        with pytest.raises(ValueError, match='holds no weights'):
            check_weights(model, nothing, 'a', 'b')


def flip_a_bit(path, part='data/'):
    """Flip one bit in the middle of the largest part of a checkpoint, as a failing disk does."""
    with zipfile.ZipFile(path) as archive:
        member = max((each for each in archive.infolist() if part in each.filename),
                     key=lambda each: each.file_size)
    content = bytearray(path.read_bytes())
    place = member.header_offset + 200 + member.file_size // 2
    content[place] ^= 16
    path.write_bytes(content)


def test_damage_inside_a_checkpoint_is_noticed_and_the_one_before_is_taken(tmp_path, capsys):
    for epoch in (1, 2, 3):
        torch.save({'state_dict': {'weight': torch.rand(5000)}, 'meta': {}},
                   tmp_path / f'epoch_{epoch}.pth')
    check_checkpoint(tmp_path / 'epoch_3.pth')
    flip_a_bit(tmp_path / 'epoch_3.pth')
    assert torch.load(tmp_path / 'epoch_3.pth')['state_dict']['weight'].shape == (5000, )  # no word
    (tmp_path / 'epoch_4.pth').write_bytes((tmp_path / 'epoch_2.pth').read_bytes()[:900])
    (tmp_path / '.epoch_5.pth.0123456789ab.part').write_bytes(b'PK')
    with pytest.raises(ValueError, match='epoch_3.pth: it is damaged: its part .*data/0'):
        check_checkpoint(tmp_path / 'epoch_3.pth')
    with pytest.raises(ValueError, match='damaged'):
        _load_checkpoint(str(tmp_path / 'epoch_3.pth'))
    assert find_newest_checkpoint(tmp_path) == tmp_path / 'epoch_2.pth'
    assert fix_last_checkpoint(tmp_path) == tmp_path / 'epoch_2.pth'
    output = capsys.readouterr().out
    assert 'epoch_3.pth: it is damaged' in output and 'epoch_2.pth is taken instead' in output
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth', 'last_checkpoint']
    assert fix_last_checkpoint(tmp_path / 'none') is None


def test_a_checkpoint_without_check_sums_is_read(tmp_path):
    path = tmp_path / 'a.pth'
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({'weight': torch.ones(3)}, path)
    finally:
        torch.serialization.set_crc32_options(True)
    assert load_own_checkpoint(path)['weight'].tolist() == [1, 1, 1]


def test_a_member_that_says_it_is_compressed_is_damage(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save({'weight': torch.ones(3)}, path)
    content = bytearray(path.read_bytes())
    entry = content.index(b'PK\x01\x02')  # of the index; ten bytes on, the method of compression
    content[entry + 10] = 8
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match='it is damaged'):
        load_own_checkpoint(path)


def test_a_checkpoint_of_the_older_format_takes_no_more_memory_than_it_is_long(tmp_path):
    """Its pickles are read from the file, and a string may say that it has 4 GB."""
    path = tmp_path / 'a.pth'
    torch.save({'weight': torch.arange(3.)}, path, _use_new_zipfile_serialization=False)
    assert load_own_checkpoint(path)['weight'].tolist() == [0, 1, 2]
    content = path.read_bytes()
    place = content.index(b'X\x06\0\0\0weight')
    path.write_bytes(content[:place + 1] + b'\xff' * 4 + content[place + 5:])
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match='a.pth: it cannot be read'):
            load_own_checkpoint(path)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_a_picture_is_no_checkpoint(tmp_path):
    Image.new('L', (4, 4)).save(tmp_path / 'a.png')
    with pytest.raises(ValueError, match='no checkpoint of torch'):
        load_own_checkpoint(tmp_path / 'a.png')


def test_a_resumed_training_deletes_only_its_own_checkpoints(training, tmp_path):
    """A copy of a work dir, or a checkpoint of anyone, names files elsewhere."""
    config, work_dir = training
    shutil.copytree(work_dir, tmp_path / 'copy')
    before = sorted(path.name for path in work_dir.iterdir())
    info = read_raw(tmp_path / 'copy' / 'epoch_1.pth')['message_hub']['runtime_info']
    assert info['best_ckpt'] == str(work_dir / 'best_froc_auroc_epoch_1.pth')
    train(config, work_dir=tmp_path / 'copy', resume='auto',
          cfg_options={'train_cfg.max_epochs': 2})
    info = read_raw(tmp_path / 'copy' / 'epoch_2.pth')['message_hub']['runtime_info']
    assert str(tmp_path / 'copy') == os.path.dirname(info['best_ckpt'])  # deleted by a better one
    assert sorted(path.name for path in work_dir.iterdir()) == before


def test_what_no_training_can_resume_from_is_named(training, tmp_path):
    config, work_dir = training
    content = load_own_checkpoint(work_dir / 'epoch_1.pth')
    for change in ({'meta': None}, {'meta': {}}, {'meta': {'epoch': 'x', 'iter': 1}},
                   {'message_hub': {}}, {'message_hub': 3}):
        with pytest.raises(ValueError, match='no training can resume from it'):
            check_resumable({**content, **change}, 'x.pth')
    check_resumable(content, 'x.pth')
    torch.save(content['state_dict'], tmp_path / 'weights.pth')
    with pytest.raises(ValueError, match='weights.pth: no training can resume from it'):
        train(config, work_dir=tmp_path / 'work', resume=tmp_path / 'weights.pth')


@pytest.mark.parametrize('info, expected, missing', [
    ({'best_ckpt': '/etc/here.pth', 'best_score': .5, 'last_ckpt': 'old/epoch_1.pth',
      'keep_ckpt_ids': [1, 2]},
     {'best_ckpt': 'w/here.pth', 'best_score': .5, 'last_ckpt': 'w/epoch_1.pth',
      'keep_ckpt_ids': [1, 2]}, []),
    ({'best_ckpt_a': 'x/gone.pth', 'best_score_a': .5, 'best_score_b': .6, 'best_ckpt_b': 'here.pth'},
     {'best_score_b': .6, 'best_ckpt_b': 'w/here.pth'}, ['gone.pth']),
    ({'best_ckpt_a': None, 'best_ckpt_b': 7, 'keep_ckpt_ids': ['../../x']},
     {'best_ckpt_a': None}, []),
    ({'iter': 3}, {'iter': 3}, [])])
def test_paths_in_a_checkpoint_stay_in_the_folder_of_the_training(
        info, expected, missing, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'w').mkdir()
    (tmp_path / 'w/here.pth').touch()
    assert keep_in_folder(info, 'w') == missing
    assert info == expected
