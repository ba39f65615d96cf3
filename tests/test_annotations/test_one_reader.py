"""Training and scoring read one file alike: the same points, or the same error."""
import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwindow.annotations.point_file import (
    point_file_content,
    points_digest,
    read_point_file,
    write_point_file,
)
from mmwindow.annotations.point_rules import POINT_RULES
from mmwindow.annotations.records import ImageRecord, PointFile
from mmwindow.evaluation.files.ground_truth import read_annotations

WORDS = st.text(st.characters(codec='utf-8', exclude_characters='\0'), min_size=1, max_size=5)
GROUPS = st.none() | st.integers(0, 9).map(str) | st.sampled_from(['p 1', 'x'])
VALUES = WORDS | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()


@st.composite
def point_files(draw):
    """Draw what a point file can say; ids are numbers and words, and negative images come first."""
    ids = draw(st.lists(st.integers(0, 99) | WORDS, min_size=1, max_size=4, unique=True))
    classes = draw(st.lists(WORDS, min_size=1, max_size=3, unique=True))
    records = []
    for number, img_id in enumerate(ids):
        height, width = draw(st.integers(1, 400)), draw(st.integers(1, 400))
        count = draw(st.integers(0, 3)) if number else 0
        points = [(draw(st.floats(0, width)), draw(st.floats(0, height))) for _ in range(count)]
        boxes = [draw(st.none() | st.just((x, y, x + 2., y + 4.))) for x, y in points]
        boxes = [box and (*box[:2], box[0] + (box[2] - box[0]), box[1] + (box[3] - box[1]))
                 for box in boxes]
        labels = [draw(st.integers(0, len(classes) - 1)) for _ in points]
        fields = draw(st.dictionaries(WORDS.map('field {}'.format), VALUES, max_size=2))
        records.append(ImageRecord(img_id, f'{number}.png', height, width, draw(GROUPS), points,
                                   labels, boxes, fields))
    return PointFile(records, tuple(classes))


@settings(max_examples=60, deadline=None)
@given(point_file=point_files())
def test_what_is_written_is_read_again(tmp_path_factory, point_file):
    path = tmp_path_factory.getbasetemp() / 'round_trip.json'
    write_point_file(path, point_file_content(point_file), indent=1)
    places = [(min(record.height, record.width), max(point)) for record in point_file.records
              for point in record.points]
    if places and all(side >= 16 and place <= 1 for side, place in places):
        with pytest.raises(ValueError, match='between 0 and 1'):
            read_point_file(path)
        return
    found = read_point_file(path)
    assert found.records == point_file.records and found.classes == point_file.classes
    write_point_file(path, point_file_content(found))
    assert read_point_file(path).records == point_file.records


def make_content():
    """Return three images with points by each entry that an annotation can have."""
    return dict(
        images=[dict(id=1, file_name='a.png', height=60, width=80, group='patient 7'),
                dict(id=2, file_name='b.png', height=50, width=40, group=3),
                dict(id=3, file_name='c.png', height=50, width=40)],
        annotations=[
            dict(id=5, image_id=1, category_id=3, keypoints=[10.5, 20, 2], num_keypoints=1,
                 bbox=[5, 10, 20, 20], segmentation=[[5, 10, 25, 10, 25, 30]], iscrowd=0),
            dict(id=6, image_id=1, category_id=4, bbox=[5, 10, 20, 20],
                 segmentation=[[5, 10, 25, 10, 25, 30]]),
            dict(id=7, image_id=2, category_id=3, bbox=[1, 2, 6, 8],
                 segmentation=[[1, 2, 7, 2, 7, 10]])],
        categories=[dict(id=3, name='fracture'), dict(id=4, name='implant')])


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 90) | st.floats() | st.text(max_size=3)
    | st.sampled_from([3.0, '3', 300.0, 10 ** 400, 'x' * 5000, 'a\0b', [10, 20, 0, 0], [0, 0, 0],
                       [[1, 2, 3, 4, 5, 6, 7]], [[1, 2, 3, 4]], dict(counts='x')]),
    lambda inner: st.lists(inner, max_size=4), max_leaves=6)
places = st.sampled_from([(key, index, field) for key, number, fields in (
    ('images', 3, ('id', 'file_name', 'height', 'width', 'group', 'split')),
    ('annotations', 3, ('id', 'image_id', 'category_id', 'keypoints', 'num_keypoints', 'bbox',
                        'segmentation', 'iscrowd', 'ignore')),
    ('categories', 2, ('id', 'name'))) for index in range(number) for field in fields])


@settings(max_examples=200, deadline=None)
@given(place=places, value=anything, rule=st.sampled_from(POINT_RULES))
def test_training_and_scoring_agree_on_every_changed_file(tmp_path_factory, place, value, rule):
    datasets = pytest.importorskip('mmwindow.datasets.coco_point')
    path = tmp_path_factory.getbasetemp() / 'changed.json'
    content = make_content()
    content[place[0]][place[1]][place[2]] = value
    path.write_text(json.dumps(content))

    def train():
        dataset = datasets.CocoPointDataset(
            ann_file=str(path), points_from=rule, check_images=False, serialize_data=False)
        return [[info['img_id'], info['group'] or '', info['height'], info['width'],
                 [instance['bbox'] for instance in info['instances']],
                 [instance['bbox_label'] for instance in info['instances']]]
                for info in dataset.data_list]

    def score():
        return [[target.image_id, target.group, target.height, target.width, target.points.tolist(),
                 target.labels.tolist()] for target in read_annotations(path, rule).targets]

    results = []
    for use in (train, score):
        try:
            results.append(use())
        except ValueError as error:
            assert str(error).startswith(f'{path}: ') and len(str(error)) < 1200
            results.append(str(error))
    assert results[0] == results[1]
    if isinstance(results[0], list):
        for _, _, height, width, points, _ in results[0]:
            assert all(0 <= x <= width and 0 <= y <= height for x, y in points)


@pytest.mark.parametrize('change', [
    lambda c: c['annotations'].append(dict(c['annotations'][0], image_id=2)),  # a repeated id
    lambda c: c['images'].append(dict(c['images'][0], id=9)),  # a repeated file
    lambda c: c['annotations'][0].update(num_keypoints=0),
    lambda c: c['annotations'][0].update(keypoints=[10, 20, 0]),
    lambda c: c['annotations'][1].update(iscrowd=1),
    lambda c: c['images'][0].update(group='nan'),
    lambda c: c['images'][0].update(height=300.5)])
def test_what_both_reject(tmp_path, change):
    content = make_content()
    change(content)
    path = tmp_path / 'points.json'
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError) as training:
        read_point_file(path)
    with pytest.raises(ValueError) as scoring:
        read_annotations(path)
    assert str(training.value) == str(scoring.value) and str(path) in str(scoring.value)


def test_what_both_accept(tmp_path):
    content = make_content()
    content['images'][0].update(id=1.0, height=60.0, group=3.0)
    content['annotations'][0].update(bbox=[10, 20, 0, 0], segmentation=[[1, 2, 3]])
    path = tmp_path / 'points.json'
    path.write_bytes(b'\xef\xbb\xbf' + json.dumps(content).encode())
    record = read_point_file(path).records[0]
    target = read_annotations(path).targets[0]
    assert (record.img_id, record.height, record.group) == (1, 60, '3')
    assert type(record.img_id) is int and type(record.height) is int
    assert (target.image_id, target.height, target.group) == (1, 60, '3')
    assert record.points == [(10.5, 20), (15, 20)]
    assert target.points.tolist() == [[10.5, 20], [15, 20]]


def test_a_key_said_twice_is_named(tmp_path):
    path = tmp_path / 'points.json'
    text = json.dumps(make_content())
    path.write_text(text.replace('"height": 60', '"height": 60, "width": 80', 1))
    for read in (read_point_file, read_annotations):
        with pytest.raises(ValueError, match=r"points\.json: .*key 'width' twice"):
            read(path)


def test_points_that_are_fractions_of_the_image(tmp_path):
    content = make_content()
    for annotation in content['annotations']:
        annotation.clear()
    for number, annotation in enumerate(content['annotations']):
        annotation.update(id=number, image_id=1 + number % 2, category_id=3, keypoints=[.5, .25, 2])
    path = write_point_file(tmp_path / 'points.json', content)
    with pytest.raises(ValueError, match=r'points\.json: all points lie between 0 and 1, such as '
                                         r'\(0\.5, 0\.25\) of a\.png, an image of 80 x 60'):
        read_point_file(path)
    content['annotations'][2]['keypoints'] = [1.5, .25, 2]  # one point in pixels: all are
    assert len(read_point_file(write_point_file(path, content)).records[0].points) == 2
    content['annotations'] = []
    assert len(read_point_file(write_point_file(path, content)).records) == 3


def write_two(folder, change=lambda first, second: None):
    first, second = make_content(), make_content()
    for image in second['images']:
        image.update(id=image['id'] + 10, file_name='second_' + image['file_name'])
    for annotation in second['annotations']:
        annotation['image_id'] += 10
    # The same names under other ids, in another order: labels go by the name.
    second['categories'] = [dict(id=3, name='implant'), dict(id=4, name='fracture')]
    change(first, second)
    return [write_point_file(folder / f'{name}.json', content)
            for name, content in (('first', first), ('second', second))]


def test_several_files_are_one_data_set(tmp_path):
    paths = write_two(tmp_path)
    found = read_point_file(paths)
    assert [record.img_id for record in found.records] == [1, 2, 3, 11, 12, 13]
    assert found.classes == ('fracture', 'implant')
    assert [record.labels for record in found.records] == [[0, 1], [0], [], [1, 0], [1], []]
    assert found.category_labels == {} and found.paths == tuple(paths)  # ids 3 and 4 contradict
    assert found.num_from == dict(keypoints=2, bbox=4, segmentation=0)
    assert points_digest(paths) == points_digest(tuple(paths)) != points_digest(paths, 'bbox')
    assert read_point_file(paths[:1]) == read_point_file(paths[0])


@pytest.mark.parametrize('change, words', [
    (lambda first, second: second['images'][2].update(id=2), 'image id 2 is in .*first.json'),
    (lambda first, second: second['images'][0].update(file_name='b.png'), "file name 'b.png'"),
    (lambda first, second: second['categories'].append(dict(id=9, name='lump')), 'lump'),
    (lambda first, second: (second['categories'].pop(0), second.update(annotations=[])),
     'its categories are not those of .*first.json')])
def test_files_that_contradict_each_other(tmp_path, change, words):
    paths = write_two(tmp_path, change)
    with pytest.raises(ValueError, match=rf'second\.json: .*{words}'):
        read_point_file(paths)
    with pytest.raises(ValueError, match='list of point files is empty'):
        read_point_file([])


def test_a_data_set_of_several_files(own_tiny_dataset):
    datasets = pytest.importorskip('mmwindow.datasets.coco_point')
    dataset = datasets.CocoPointDataset(
        data_root=str(own_tiny_dataset), data_prefix=dict(img='images/'),
        ann_file=['annotations/train.json', str(own_tiny_dataset / 'annotations' / 'val.json')])
    assert len(dataset) == 11 and dataset[6]['img_id'] == 7
    assert dataset[6]['img_path'].endswith('images/val_0.png')


def test_drawn_points_are_those_of_the_importer(tmp_path):
    from mmwindow.annotations.importers.fracatlas import polygons_to_points

    content = make_content()
    path = write_point_file(tmp_path / 'polygons.json', content)
    drawn = read_point_file(path, points_from='polygon_drawn')
    converted = read_point_file(write_point_file(tmp_path / 'points.json',
                                                 polygons_to_points(copy.deepcopy(content))))
    assert [record.points for record in drawn.records] == [
        record.points for record in converted.records]
    assert drawn.num_from == dict(keypoints=0, bbox=0, segmentation=3)


def test_boxes_are_those_of_pycocotools(tmp_path):
    coco = pytest.importorskip('pycocotools.coco')
    content = make_content()
    path = write_point_file(tmp_path / 'boxes.json', content)
    api = coco.COCO(str(path))
    for record in read_point_file(path, points_from='bbox').records:
        boxes = np.array([annotation['bbox'] for annotation in
                          api.loadAnns(api.getAnnIds(imgIds=[record.img_id]))]).reshape(-1, 4)
        centres = boxes[:, :2] + boxes[:, 2:] / 2
        np.testing.assert_array_equal(np.reshape(record.points, (-1, 2)), centres)


def test_long_names_are_shortened_in_messages(tmp_path):
    content = make_content()
    content['images'][0]['file_name'] = 'x' * 5000
    content['annotations'][0]['keypoints'] = [500, 20, 2]
    with pytest.raises(ValueError, match=r'5000 characters') as caught:
        read_point_file(write_point_file(tmp_path / 'points.json', content))
    assert len(str(caught.value)) < 700
    content['images'][0]['file_name'] = 'a\0b'
    with pytest.raises(ValueError, match='no file_name that a file can have') as caught:
        read_point_file(write_point_file(tmp_path / 'points.json', content))
    assert '\0' not in str(caught.value)


def test_what_is_no_point_file_is_not_written(tmp_path):
    with pytest.raises(ValueError, match=r'new\.json: .* no annotations'):
        write_point_file(tmp_path / 'new.json', dict(images=[]))
    assert not list(tmp_path.iterdir())
