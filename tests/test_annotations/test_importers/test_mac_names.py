"""Folders that a Mac has written: accents as characters of their own, and ._ files next to others."""
import unicodedata

import numpy as np
import pytest
from PIL import Image

from mmwindow.annotations.importers.assemble import AssemblySettings
from mmwindow.annotations.importers.image_index import ImageIndex
from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.annotation_files import import_annotations
from mmwindow.apis.annotation_pictures import write_pictures
from mmwindow.evaluation.files.prediction_files import find_reader, list_maps
from mmwindow.images.sources import find_images

NAME = 'Röntgen/Hüfte é.png'
COMPANION = b'\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        '


@pytest.fixture
def home(tmp_path):
    for name in ('a.png', 'sub/b.png'):
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((40, 50), 128, np.uint8)).save(path)
        path.with_name(f'._{path.name}').write_bytes(COMPANION)
        path.with_name(f'._{path.stem}.dcm').write_bytes(COMPANION)
    (tmp_path / 'a.csv').write_text('image,x,y\na.png,1,2\n')
    return tmp_path


@pytest.mark.parametrize('on_disk, in_table', [('NFD', 'NFC'), ('NFC', 'NFD'), ('NFD', 'NFD')])
@pytest.mark.parametrize('spelling', [NAME, 'Hüfte é.png', 'Hüfte é', 'C:\\Röntgen\\Hüfte é.png'])
def test_accents_of_a_mac_are_those_of_others(home, on_disk, in_table, spelling):
    place = unicodedata.normalize(on_disk, NAME)
    (home / 'images' / place).parent.mkdir()
    Image.fromarray(np.full((40, 50), 128, np.uint8)).save(home / 'images' / place)
    spelled = unicodedata.normalize(in_table, spelling)
    (home / 'a.csv').write_text(f'image,x,y\n{spelled},1,2\n', encoding='utf-8')
    (home / 'more.csv').write_text(f'image,sex\n{spelled},F\n', encoding='utf-8')
    report = import_annotations(home / 'a.csv', home / 'out', home / 'images',
                                ImportOptions(table=home / 'more.csv'),
                                AssemblySettings(fields=('sex', )))
    record, = read_point_file(report.path).records
    assert record.file_name == place and (home / 'images' / record.file_name).is_file()
    assert record.points == [(1., 2.)] and record.fields == dict(sex='F')


def test_uploads_with_accents_of_a_mac_are_found(home):
    (home / 'images' / unicodedata.normalize('NFD', 'Hüfte é.png')).write_bytes(b'')
    index = ImageIndex(home / 'images')
    found = index.find_upload('8f3a2b1c-Hüfte_é.png', 'task 1')
    assert unicodedata.normalize('NFC', found.place) == 'Hüfte é.png'


def test_companions_of_images_are_no_images(home):
    report = import_annotations(home / 'a.csv', home / 'out', home / 'images',
                                settings=AssemblySettings(unlisted='negative'))
    assert [record.file_name for record in read_point_file(report.path).records] == [
        'a.png', 'sub/b.png']
    assert write_pictures(home / 'images', home / 'pictures') == 2
    assert [image.file_name for image in find_images(home / 'images', recursive=True)] == [
        'a.png', 'sub/b.png']


def test_companions_of_annotations_and_of_maps_are_none(home):
    (home / 'labels').mkdir()
    for name in ('a.txt', '._a.txt', '._data.yaml'):
        (home / 'labels' / name).write_bytes(COMPANION if name[0] == '.' else b'0 .5 .5 .1 .1\n')
    report = import_annotations(home / 'labels', home / 'out', home / 'images')
    assert (report.format, report.num_images, report.num_points) == ('YOLO text files', 1, 1)
    maps = home / 'maps'
    maps.mkdir()
    for name in ('a.npy', '._a.npy', '._b.png'):
        (maps / name).write_bytes(COMPANION)
    assert find_reader(maps) == 'npy' and [path.name for path in list_maps(maps, 'npy')] == ['a.npy']
