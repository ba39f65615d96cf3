"""What a user's folder may hold, and each thing that may be wrong with it in one line."""
import json

import pytest

from mmwindow.apis.own_data.source import find_data
from mmwindow.datasets.splits import write_splits


def change(path, action):
    content = json.loads(path.read_text())
    action(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize('name', ['', 'points.json'])
def test_a_folder_and_its_point_file_are_the_same_data(own_data, name):
    data = find_data(own_data / name)
    assert (data.points, data.files, data.name) == (own_data / 'points.json', {}, 'mine')
    assert len(data.records) == 24 and data.classes == ('nodule', )
    assert data.images == own_data / 'images'
    assert data.describe() == (f'{own_data}/points.json: 24 images, 12 with points, 12 patients; '
                               'class nodule')


def test_images_lie_where_the_import_noted(tmp_path, write_own_data):
    data = write_own_data(tmp_path / 'mine', images='../elsewhere')
    assert find_data(data).images == tmp_path / 'elsewhere'


def test_a_division_of_the_owner_is_taken_with_its_images(own_data):
    write_splits(own_data / 'points.json', own_data / 'annotations', num_folds=None)
    (own_data / 'points.json').rename(own_data / 'old.json')
    data = find_data(own_data)
    assert data.points is None and set(data.files) == {'train', 'val', 'test'}
    assert data.images == own_data / 'images' and len(data.records) == 24
    assert data.name == 'mine'


def test_parts_of_a_point_file_find_the_images_that_it_notes(tmp_path, write_own_data):
    """The noted folder is relative to the file: in another folder it is another text."""
    data = write_own_data(tmp_path / 'mine', images='../elsewhere')
    write_splits(data / 'points.json', data / 'annotations', num_folds=None)
    for split in ('train', 'val', 'test'):
        info = json.loads((data / f'annotations/{split}.json').read_text())['info']
        assert info['images_folder'] == '../../elsewhere'
    (data / 'points.json').unlink()
    assert find_data(data).images == tmp_path / 'elsewhere'


@pytest.mark.parametrize('make, words', [
    (lambda folder: folder / 'none', 'none: there is no such folder; mmwindow import'),
    (lambda folder: folder, 'neither points.json nor annotations/train.json.*it is empty'),
    (lambda folder: (folder / 'a.csv').write_text('image,x,y\n') and folder, "it holds 'a.csv'"),
    (lambda folder: (folder / 'a.csv').write_text('image,x,y\n') and folder / 'a.csv',
     'import it first: mmwindow import '),
    (lambda folder: (folder / 'a.json').write_text('{"shapes": []}') and folder / 'a.json',
     'no list "images".*imported first: mmwindow import'),
    (lambda folder: (folder / 'points.json').write_text('{"im') and folder, 'points.json: .*JSON')])
def test_what_is_no_data_is_one_line(tmp_path, make, words):
    folder = tmp_path / 'empty'
    folder.mkdir()
    with pytest.raises(ValueError, match=words) as caught:
        find_data(make(folder))
    assert '\n' not in str(caught.value)


def test_missing_images_are_counted_and_named(own_data):
    for name in ('004.png', '007.png'):
        (own_data / 'images' / name).unlink()
    with pytest.raises(ValueError, match="2 of 24 images are not in .*images, such as '004.png', "
                                         "'007.png'"):
        find_data(own_data)


def test_an_incomplete_division_is_named(own_data):
    write_splits(own_data / 'points.json', own_data / 'annotations', num_folds=None)
    (own_data / 'annotations/val.json').unlink()
    with pytest.raises(ValueError, match="annotations/ lacks 'val.json'"):
        find_data(own_data)


def test_a_corrupted_division_is_one_line(own_data):
    write_splits(own_data / 'points.json', own_data / 'annotations', num_folds=None)
    path = own_data / 'annotations/val.json'
    path.write_text(path.read_text()[:60])
    with pytest.raises(ValueError, match='val.json: .*no JSON, or cut short'):
        find_data(own_data)


@pytest.mark.parametrize('action, words', [
    (lambda content: content['annotations'][0]['keypoints'].__setitem__(0, 3.25), 'the points differ '
                                                                                 "of '000.png'"),
    (lambda content: content['images'].append(dict(id=99, file_name='000b.png', height=48, width=64)),
     "only points.json has '000b.png'"),
    (lambda content: [image.update(group='one') for image in content['images'][:3]],
     "the patients differ of '000.png', '001.png', '002.png'"),
    (lambda content: content['images'][4].update(height=49), "the sizes differ of '004.png'"),
    (lambda content: (content['categories'].append(dict(id=2, name='mass')),
                      content['annotations'][1].update(category_id=2)),
     "the classes differ of '002.png'; its classes are nodule, mass, those of annotations/ nodule"),
    (lambda content: content['categories'][0].update(name='mass'),
     "the classes differ of .*; its classes are mass, those of annotations/ nodule"),
    (lambda content: (content['categories'].append(dict(id=2, name='mass'))),
     'its classes are nodule, mass, those of annotations/ nodule')])
def test_points_that_changed_after_their_division_are_noticed(own_data, action, words):
    write_splits(own_data / 'points.json', own_data / 'annotations', num_folds=None)
    change(own_data / 'points.json', action)
    with pytest.raises(ValueError, match=f'which has changed since: {words}'):
        find_data(own_data)


def test_classes_in_another_order_and_other_readers_are_noticed(tmp_path, write_own_data):
    data = write_own_data(tmp_path / 'mine', classes=('nodule', 'mass'))
    points = data / 'points.json'

    def name_readers(content):
        content['readers'] = ['a', 'b']
        for image in content['images']:
            image['readers'] = ['a', 'b']
        for annotation in content['annotations']:
            annotation['reader'] = 'a'

    def swap_ids(content):
        for entry in content['categories']:
            entry['id'] = 3 - entry['id']
        for entry in content['annotations']:
            entry['category_id'] = 3 - entry['category_id']

    change(points, name_readers)
    write_splits(points, data / 'annotations', num_folds=None)
    assert find_data(data).readers == ('a', 'b')
    change(points, lambda content: content['annotations'].reverse())  # no order of findings counts
    find_data(data)
    change(points, swap_ids)
    with pytest.raises(ValueError, match='changed since: its classes are mass, nodule, those of '
                                         'annotations/ nodule, mass. Move annotations/ away'):
        find_data(data)
    change(points, lambda content: (swap_ids(content), content['annotations'][-1].update(reader='b'),
                                    content['images'][1].update(readers=['b'])))
    with pytest.raises(ValueError, match="since: the readers differ of '000.png', '001.png'. Move"):
        find_data(data)


def number_from_one(path, without_patients=True):
    """Give images and annotations of a point file ids from 1, as a division by hand has them."""
    content = json.loads(path.read_text())
    ids = {image['id']: number for number, image in enumerate(content['images'], 1)}
    for image in content['images']:
        image['id'] = ids[image['id']]
        if without_patients:
            image.pop('group', None)
    for number, annotation in enumerate(content['annotations'], 1):
        annotation.update(id=number, image_id=ids[annotation['image_id']])
    path.write_text(json.dumps(content))


def test_images_of_a_division_are_known_by_their_files_not_by_their_ids(own_data):
    write_splits(own_data / 'points.json', own_data / 'annotations', num_folds=None)
    for split in ('train', 'val', 'test'):
        number_from_one(own_data / f'annotations/{split}.json')
    change(own_data / 'points.json',
           lambda content: [image.pop('group') for image in content['images']])
    assert len(find_data(own_data).records) == 24
    name = json.loads((own_data / 'annotations/val.json').read_text())['images'][0]['file_name']
    change(own_data / 'annotations/test.json',
           lambda content: content['images'][0].update(file_name=f'./{name}'))
    with pytest.raises(ValueError, match=f'has image {name} in val.json and in test.json'):
        find_data(own_data)


def test_a_division_that_shares_a_patient_is_rejected(own_data):
    write_splits(own_data / 'points.json', own_data / 'annotations', num_folds=None)
    (own_data / 'points.json').unlink()
    train = json.loads((own_data / 'annotations/train.json').read_text())
    group = train['images'][0]['group']
    change(own_data / 'annotations/test.json',
           lambda content: content['images'][0].update(group=group))
    with pytest.raises(ValueError, match=f'has group {group} in train.json and in test.json'):
        find_data(own_data)
