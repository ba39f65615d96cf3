"""Another place's images: where they are, which classes they have, what the training knew."""
import json
import os
import shutil

import pytest
from mmengine.config import Config

from mmwindow.annotations.image_places import images_folder
from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.doctor.data_source import read_data
from mmwindow.apis.external_data import (
    convert_classes,
    find_data,
    match_classes,
    same_files,
    setting_warnings,
    shared_warnings,
    use_data,
)
from mmwindow.apis.own_data.source import find_data as find_own_data
from mmwindow.apis.validation_watch import Choice
from mmwindow.datasets.folds import file_checksum
from mmwindow.utils.operating_points import ModelOperatingPoints


def make_content(*names, points=(0,), size=100, first=1):
    """A point file of one image for each annotation's category, by index, and one negative image."""
    return dict(
        images=[dict(id=number + first, file_name=f'{number + first}.png', height=size, width=size,
                     group=f'p{number + first}') for number in range(len(points) + 1)],
        annotations=[dict(id=number + 1, image_id=number + first, category_id=category + 7,
                          keypoints=[5, 5, 2], num_keypoints=1)
                     for number, category in enumerate(points)],
        categories=[dict(id=number + 7, name=name) for number, name in enumerate(names)])


@pytest.mark.parametrize('names, classes, expected, words', [
    (['fracture'], ['fracture'], ['fracture'], []),
    (['Fracture'], ['fracture'], ['fracture'], ['Fracture', 'fracture']),
    (['break'], ['fracture'], ['fracture'], ['break', 'fracture']),
    (['screw', 'fracture'], ['fracture'], [None, 'fracture'], ['screw', '1 annotation is'])])
def test_classes_are_matched_by_name(names, classes, expected, words):
    matched = match_classes(make_content(*names), classes, 'points.json')
    assert list(matched.names.values()) == expected
    assert bool(matched.warnings) == bool(words)
    assert all(word in matched.warnings[0] for word in words)


def test_classes_that_the_model_does_not_have_are_an_error():
    with pytest.raises(ValueError, match='points.json.*screw.*fracture'):
        match_classes(make_content('screw', 'plate'), ['fracture'], 'points.json')


def test_images_of_an_unknown_class_stay_as_negative_ones(tmp_path):
    content = make_content('screw', 'fracture', points=(0, 1, 1))
    classes = ['dislocation', 'fracture']
    converted = convert_classes(content, match_classes(content, classes, ''), classes)
    (tmp_path / 'points.json').write_text(json.dumps(converted))
    found = read_point_file(tmp_path / 'points.json', classes)
    assert [record.labels for record in found.records] == [[], [1], [1], []]
    assert content['annotations'][0]['category_id'] == 7  # the input is as it was


def write_place(folder, content, name='points.json', images='images'):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / images).mkdir(parents=True, exist_ok=True)
    for entry in content['images']:
        (folder / images / entry['file_name']).write_bytes(b'image ' + str(entry['id']).encode())
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def test_data_is_a_folder_or_a_point_file(tmp_path):
    path = write_place(tmp_path / 'a', make_content('fracture'))
    assert find_data(tmp_path / 'a') == find_data(path) == (path, tmp_path / 'a/images')
    other = write_place(tmp_path / 'b', make_content('fracture'), 'annotations/test.json')
    assert find_data(tmp_path / 'b') == find_data(other) == (other, tmp_path / 'b/images')
    noted = write_place(tmp_path / 'c', {**make_content('fracture'), 'info': dict(
        images_folder='../a/images')}, images='unused')
    assert find_data(noted) == (noted, tmp_path / 'a/images')
    for data, words in ((tmp_path / 'd', 'no such folder'), (tmp_path / 'a/images', 'points.json')):
        with pytest.raises(ValueError, match=words):
            find_data(data)
    noted.write_text(json.dumps({**make_content('fracture'), 'info': dict(images_folder='gone')}))
    with pytest.raises(ValueError, match='gone.*not there'):
        find_data(noted)


@pytest.mark.parametrize('name', ['points.json', 'annotations/test.json'])
def test_the_noted_images_come_first_for_training_test_and_check(tmp_path, name):
    """``images`` that an earlier import copied may still be in the folder."""
    folder, seen = tmp_path / 'mine', tmp_path / 'elsewhere'
    path = write_place(folder, make_content('fracture'), name)
    if name != 'points.json':
        for split in ('train', 'val'):
            content = make_content('fracture', first=50 if split == 'val' else 90)
            write_place(folder, content, f'annotations/{split}.json')

    def places():
        return [find_data(path).images, find_data(folder).images, find_own_data(folder).images,
                read_data(folder).parts[-1].folder]

    assert places() == [folder / 'images'] * 4
    seen.mkdir()
    for image in (folder / 'images').iterdir():
        shutil.copy(image, seen)
    for part in path.parent.glob('*.json'):
        content = json.loads(part.read_text())
        noted = os.path.relpath(seen, part.parent)
        part.write_text(json.dumps({**content, 'info': dict(images_folder=noted)}))
    assert places() == [seen] * 4


def test_images_next_to_their_annotations_are_found(tmp_path):
    """Nothing notes where they lie, and ``images`` holds others."""
    path = write_place(tmp_path / 'a', make_content('fracture'), 'annotations/test.json', images='.')
    (tmp_path / 'a/images').mkdir()
    assert images_folder(path) == tmp_path / 'a'
    (tmp_path / 'a/1.png').rename(tmp_path / 'a/images/1.png')
    assert images_folder(path) == tmp_path / 'a/images'
    for name in ('a' * 5000, 'a\0', 3, ''):
        assert images_folder(path, dict(images=[dict(file_name=name)])) == tmp_path / 'a/images'


def make_cfg(train, test):
    def loader(path):
        return dict(dataset=dict(type='CocoPointDataset', ann_file=str(path), data_root='',
                                 data_prefix=dict(img=str(path.parent / 'images')), pipeline=['x']))
    return Config(dict(train_dataloader=loader(train), test_dataloader=loader(test),
                       test_evaluator=dict(type='FROCMetric', outfile='old.json')))


def test_only_the_same_bytes_are_the_same_image(tmp_path):
    names = [tmp_path / name for name in 'abcd']
    for path, content in zip(names, (b'one', b'two', b'one', b'longer'), strict=True):
        path.write_bytes(content)
    assert same_files(names[:2], names[2:]) == [names[2]]
    assert same_files(names[:2], [*names[2:], tmp_path / 'gone']) == [names[2]]
    assert same_files([], names) == same_files(names, []) == []
    for path, last in ((names[0], b'x'), (names[1], b'y')):  # differ behind the first part
        path.write_bytes(b'0' * (1 << 18) + last)
    assert same_files(names[:1], names[1:2]) == []


def test_a_test_on_images_of_the_training_is_said(tmp_path):
    train = write_place(tmp_path / 'a', make_content('fracture', points=(0, 0)))
    copied = write_place(tmp_path / 'b', make_content('fracture'))
    other = write_place(tmp_path / 'c', make_content('fracture', first=50, size=400))
    warnings = shared_warnings(make_cfg(train, copied), None, True)
    assert len(warnings) == 2 and '2 of 2 images are files' in warnings[0]
    assert '2 patients' in warnings[1] and warnings[1].endswith('numbers flatter')
    (found, ) = shared_warnings(make_cfg(train, other), None, True)
    assert found == 'the median long edge of the images is 400 pixels, that of the training 100: ' \
                    'another resolution'
    same = write_place(tmp_path / 'd', make_content('fracture'))
    for number in (1, 2):
        (tmp_path / f'd/images/{number}.png').write_bytes(b'another image')
    (found, ) = shared_warnings(make_cfg(train, same), None, True)
    assert 'make sure that they are others' in found


def test_the_file_of_the_training_is_recognised_by_its_digest(tmp_path):
    train = write_place(tmp_path / 'a', make_content('fracture'))
    points = ModelOperatingPoints({}, 'val', 10, 10, training_data=file_checksum(train))
    cfg = make_cfg(train, train)
    cfg.pop('train_dataloader')
    assert shared_warnings(cfg, points, True) == [
        'the annotation file is that of the training itself']


def test_data_takes_the_place_of_the_test(tmp_path):
    train = write_place(tmp_path / 'a', make_content('fracture'))
    other = write_place(tmp_path / 'b', make_content('Fracture'))
    cfg = make_cfg(train, train)
    warnings = use_data(cfg, find_data(other), ['fracture'], tmp_path / 'out')
    dataset = cfg.test_dataloader.dataset
    assert len(warnings) == 1 and dataset.ann_file == str(tmp_path / 'out/points.json')
    assert dataset.data_prefix.img == str(tmp_path / 'b/images') and dataset.pipeline == ['x']
    assert 'outfile' not in cfg.test_evaluator
    cfg = make_cfg(train, train)
    assert use_data(cfg, find_data(train), ['fracture'], tmp_path / 'unused') == []
    assert cfg.test_dataloader.dataset.ann_file == str(train)
    assert not (tmp_path / 'unused').exists()


def test_other_settings_than_the_thresholds_are_said():
    points = ModelOperatingPoints({}, 'val', 10, 10, input_size=(384, 384), preprocessing='a')
    assert setting_warnings(points, (384, 384), 'a') == setting_warnings(None, (1, 1), 'b') == []
    assert '512 x 384' in setting_warnings(points, (512, 384), 'a')[0]
    assert 'prepared in another way' in setting_warnings(points, (384, 384), 'b')[0]


@pytest.mark.parametrize('text, choice', [
    ('youden', Choice('youden')), ('fp_budget', Choice('fp_budget')),
    ('fp_budget=0.25', Choice('fp_budget', .25)), ('specificity=1', Choice('specificity', 1.))])
def test_a_choice_of_a_threshold(text, choice):
    assert Choice.parse(text) == choice


@pytest.mark.parametrize('text', ['', 'luck', 'youden=.5', 'sensitivity=', 'sensitivity=2',
                                  'sensitivity=nan', 'fp_budget=-1', 'fp_budget=inf'])
def test_a_choice_that_makes_no_sense_is_an_error(text):
    with pytest.raises(ValueError, match='--choose-threshold'):
        Choice.parse(text)
