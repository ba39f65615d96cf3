"""mmwindow cache: what a training will read is in the cache, and what cannot be used is named."""
import json
import os

import cv2
import numpy as np
import pytest
from PIL import Image

from mmwindow import cli
from mmwindow.apis.image_cache import fill_cache, images_of_config, images_of_points
from mmwindow.images import cache as cache_module
from mmwindow.images.cache import ImageCache
from mmwindow.images.decode import ImageSettings
from mmwindow.images.fitted_reader import FittedReader
from mmwindow.images.fitting import read_fitted


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    """Trust the stamps of files that were written this moment."""
    monkeypatch.setattr(cache_module, 'SETTLED', -1.)


def call(*arguments):
    """Return the exit status of a call."""
    try:
        cli.main(['cache', *map(str, arguments)])
    except SystemExit as error:
        return error.code
    return 0


def test_a_point_file_is_filled_found_and_read(own_tiny_dataset, tmp_path, capsys, monkeypatch):
    points, place = own_tiny_dataset / 'annotations/train.json', tmp_path / 'Zwischen lager ü'
    arguments = (points, '--images', own_tiny_dataset / 'images', '--input-size', 32, '--out', place)
    assert call(*arguments, '--workers', 2) == 0
    output = capsys.readouterr()
    assert '6 images in' in output.out and '0 were there, 6 made' in output.out
    assert f'MMWINDOW_CACHE={place}' in output.out and '6 of 6 images' in output.err
    entry = sorted((place / 'images' / 'pixels').glob('*/*'))[0]
    entry.write_bytes(entry.read_bytes()[:-1])
    assert call(*arguments, '--workers', 1) == 0
    assert '5 were there, 1 made (1 of them again' in capsys.readouterr().out
    assert call('--size', '--out', place) == 0
    # 6 images of 27 x 32 pixels with heads of 76 bytes, and 6 records of 64 bytes.
    assert f'{place}/images: 6 images, 0.0 MB' in capsys.readouterr().out
    # A training that keeps DICOM alone finds what was decoded for it.
    image = own_tiny_dataset / 'images' / 'train_0.png'
    monkeypatch.setattr('mmwindow.images.fitted_reader.read_bytes',
                        lambda *args: pytest.fail('it was read'))
    found = FittedReader((32, 32), cache=ImageCache(place)).read(image)
    monkeypatch.undo()
    assert np.array_equal(found.pixels, read_fitted(image, 32).pixels)
    assert call('--clear', '--size', '--out', place) == 0
    assert capsys.readouterr().out.count('images: 6 images') == 1


def test_an_unknown_depth_names_the_option_of_the_point_file(own_tiny_dataset, tmp_path, capsys):
    image = own_tiny_dataset / 'images' / 'train_0.png'
    pixels = cv2.imread(str(image), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(image), pixels.astype(np.uint16) * 16)
    arguments = (own_tiny_dataset / 'annotations/train.json', '--images', image.parent,
                 '--input-size', 32, '--workers', 1, '--out', tmp_path / 'c')
    assert call(*arguments) == 1
    output = capsys.readouterr().out
    assert 'such as --bit-depth 12' in output and '--cfg-options' not in output
    for path in image.parent.glob('train_*.png'):
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(path), pixels.astype(np.uint16) * 16)
    assert call(*arguments, '--bit-depth', 12) == 0


def test_a_config_gives_its_own_size_and_settings(own_tiny_dataset, tmp_path, capsys):
    config = tmp_path / 'config.py'
    step = "dict(type='LoadImageFromFile', backend_args=dict(backend='radiograph'))"
    part = (f"dict(dataset=dict(type='CocoPointDataset', data_root={str(own_tiny_dataset)!r}, "
            "data_prefix=dict(img='images/'), ann_file='annotations/{0}.json', pipeline=["
            f"{step}, dict(type='ResizeToInput', input_size=(32, 64))]))")
    config.write_text(f'train_dataloader = {part.format("train")}\nval_dataloader = '
                      f'{part.format("val")}\ntest_dataloader = {part.format("val")}\n')
    place = tmp_path / 'c'
    assert call(config, '--out', place, '--workers', 1) == 0
    assert '11 images in' in capsys.readouterr().out
    reader = FittedReader((32, 64), cache=ImageCache(place))
    assert reader.read(own_tiny_dataset / 'images' / 'val_0.png').pixels.shape == (32, 38)
    assert reader.cache.num_found == 1
    assert call(config, '--out', place, '--workers', 1, '--cfg-options', 'cache=False',
                'bit_depth=12') == 0
    assert 'cache=False in the config: ' in capsys.readouterr().out
    assert call(config, '--input-size', 3) == 1
    assert 'a config says it itself' in capsys.readouterr().err


def test_the_settings_of_a_config():
    cfg = dict(train_dataloader=dict(dataset=dict(
        ann_file=['a.json', '/b.json'], data_root='root', pipeline=[
            dict(type='mmdet.LoadRadiograph', bit_depth=12, cache='own'),
            dict(type='mmdet.ResizeToInput', input_size=96)])))
    wanted, = images_of_config(cfg)
    assert wanted.points == [os.path.join('root', 'a.json'), '/b.json']
    assert (str(wanted.folder), wanted.input_size, wanted.place) == ('root', (96, 96), 'own')
    assert wanted.settings == ImageSettings(12) and wanted.is_read
    with pytest.raises(ValueError, match='nothing can be in the cache'):
        images_of_config({})


def test_images_that_cannot_be_used_are_named_and_the_others_are_kept(own_tiny_dataset, tmp_path,
                                                                      capsys):
    folder, points = own_tiny_dataset / 'images', own_tiny_dataset / 'annotations/train.json'
    (folder / 'train_0.png').write_bytes((folder / 'train_1.png').read_bytes()[:-300])
    (folder / 'train_1.png').unlink()
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / 'train_2.png')
    assert call(points, '--images', folder, '--out', tmp_path / 'c', '--workers', 1) == 1
    output = capsys.readouterr()
    assert '0 were there, 3 made, 3 cannot be used' in output.out
    for name, words in (('train_0', 'damaged'), ('train_1', 'cannot be read'),
                        ('train_2', 'the point file says 96 x 80')):
        assert any(f'{name}.png: ' in line and words in line for line in output.out.splitlines())
    assert output.err.splitlines()[-1] == 'cache: 3 of 6 images cannot be used; see above'


def test_a_full_cache_is_said(own_tiny_dataset, tmp_path, monkeypatch):
    monkeypatch.setenv('MMWINDOW_CACHE_LIMIT', '0.00001')  # 10,737 bytes: one image of 7,680
    wanted = images_of_points(own_tiny_dataset / 'annotations/train.json', 96,
                              own_tiny_dataset / 'images')
    report = fill_cache(wanted, tmp_path / 'c', 1)
    assert report.counts == {'made': 1, 'not kept': 5} and 'its limit' in report.cache_problem
    assert any(line.startswith('5 images were not kept: ') for line in report.lines())


def test_no_images(tmp_path):
    (tmp_path / 'points.json').write_text(json.dumps(dict(
        images=[], annotations=[], categories=[dict(id=1, name='fracture')])))
    try:
        report = fill_cache(images_of_points(tmp_path / 'points.json'), tmp_path / 'c', 2)
    except ValueError as error:
        assert 'points.json' in str(error)
    else:
        assert (report.num_images, report.counts) == (0, {})


@pytest.mark.parametrize('arguments, words', [
    ((), 'a config or a point file is expected'), (('no.json', ), 'no.json'), (('no.py', ), 'no.py'),
    (('a.json', '--workers', '0'), '--workers 0'),
    (('a.json', '--cfg-options', 'cache=True'), 'a point file has none')])
def test_wrong_calls_are_one_line(arguments, words, capsys):
    assert call(*arguments) == 1
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and words in error


def test_a_folder_that_is_no_cache_is_not_cleared(tmp_path, capsys):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images' / 'a.png').write_text('mine')
    assert call('--clear', '--out', tmp_path) == 1
    assert 'no cache of mmwindow' in capsys.readouterr().err
    assert (tmp_path / 'images' / 'a.png').read_text() == 'mine'
