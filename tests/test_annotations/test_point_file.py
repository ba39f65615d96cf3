"""A point file is read completely, or rejected with its file, its record and what to do."""
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwindow.annotations.point_file import (
    load_point_json,
    points_digest,
    read_point_file,
)
from mmwindow.images.file_check import check_image_files, describe_problems


def make_content():
    """Two images, the second negative, and one point."""
    return dict(
        images=[dict(id=1, file_name='a.png', height=60, width=80, group='patient 7'),
                dict(id=2, file_name='b.png', height=50, width=40)],
        annotations=[dict(id=5, image_id=1, category_id=3, keypoints=[10.5, 20, 2],
                          num_keypoints=1)],
        categories=[dict(id=3, name='fracture')])


def write(folder, content):
    path = folder / 'points.json'
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def rejection(folder, content, **options):
    """Return the message with which a content is rejected; it names the file."""
    path = write(folder, content)
    with pytest.raises(ValueError) as caught:
        read_point_file(path, **options)
    assert str(caught.value).startswith(f'{path}: ')
    return str(caught.value)


def test_digest_knows_images_and_points_but_not_their_order(tmp_path):
    def digest(change=None):
        content = make_content()
        content['images'][0]['body_part'] = 'hip'
        if change:
            change(content)
        return points_digest(write(tmp_path, content))

    assert digest() == digest(lambda content: content['images'].reverse())
    assert digest() == digest(lambda content: content['images'][0].pop('body_part'))
    changes = [lambda content: content['images'][1].update(file_name='c.png'),
               lambda content: content['annotations'][0]['keypoints'].__setitem__(0, 10.25),
               lambda content: content['annotations'].clear(),
               lambda content: content['images'].pop()]
    assert len({digest(), *map(digest, changes)}) == 5


def test_a_good_file(tmp_path):
    found = read_point_file(write(tmp_path, make_content()))
    assert found.classes == ('fracture', )
    first, negative = found.records
    assert (first.img_id, first.file_name, first.height, first.width) == (1, 'a.png', 60, 80)
    assert first.group == 'patient 7' and first.points == [(10.5, 20.)] and first.labels == [0]
    assert negative.group is None and negative.points == [] and negative.labels == []


def test_a_file_of_negative_images_only(tmp_path):
    content = dict(make_content(), annotations=[])
    assert [record.points for record in read_point_file(write(tmp_path, content)).records] == [[], []]


def test_several_classes_and_strings_as_ids(tmp_path):
    content = make_content()
    content['categories'] = [dict(id='z', name='lump'), dict(id=9, name='crack'),
                             dict(id=3, name='fracture')]
    content['images'][1]['id'] = 'second'
    content['annotations'] += [
        dict(id='x', image_id='second', category_id='z', keypoints=[1, 2, 1]),
        dict(id=8, image_id=1, category_id=9, keypoints=[80, 60, 2])]  # on a corner: inside
    path = write(tmp_path, content)
    found = read_point_file(path)
    assert found.classes == ('fracture', 'crack', 'lump')  # by id, numbers first
    assert [record.labels for record in found.records] == [[0, 1], [2]]
    ordered = read_point_file(path, classes=['lump', 'unused', 'crack', 'fracture'])
    assert [record.labels for record in ordered.records] == [[3, 2], [0]]


def test_a_byte_order_mark_is_no_obstacle(tmp_path):
    path = tmp_path / 'points.json'
    path.write_text('\ufeff' + json.dumps(make_content()), encoding='utf-8')
    assert len(read_point_file(path).records) == 2


def test_a_missing_file(tmp_path):
    path = tmp_path / 'nowhere.json'
    with pytest.raises(ValueError) as caught:
        read_point_file(path)
    assert str(caught.value) == (f'{path}: the point file cannot be read (No such file or '
                                 'directory); check the path')
    with pytest.raises(ValueError, match='it is a folder'):
        read_point_file(tmp_path)


@pytest.mark.parametrize('text', ['', '{"images": [', 'patient,x,y\n1,2,3\n', '\x00\xff'])
def test_no_json(tmp_path, text):
    message = rejection(tmp_path, text)
    assert 'no JSON' in message and 'write it again' in message


@pytest.mark.parametrize('text', ['[]', '3', '{}', '{"images": [], "annotations": {}}',
                                  '{"images": [], "annotations": []}'])
def test_json_that_is_no_point_file(tmp_path, text):
    assert 'a point file is COCO JSON with the lists images, annotations and categories' in rejection(
        tmp_path, text)


@pytest.mark.parametrize('key', ['images', 'annotations', 'categories'])
def test_a_record_that_is_no_object(tmp_path, key):
    content = make_content()
    content[key].append([1, 2])
    message = rejection(tmp_path, content)
    assert f'{key}[{len(content[key]) - 1}] is [1, 2]; an object is expected' in message


def test_an_empty_data_set(tmp_path):
    content = dict(make_content(), images=[], annotations=[])
    assert 'no images; a data set needs at least one' in rejection(tmp_path, content)


def spoil(change):
    """Return the good content with a change made to one of its records."""
    content = make_content()
    change(content)
    return content


@pytest.mark.parametrize('value, says', [
    ([-0.5, 3, 2], 'lies at (-0.5, 3) by its keypoints, outside its image of 80 x 60 (width'),
    ([80.5, 3, 2], 'lies at (80.5, 3) by its keypoints, outside its image of 80 x 60'),
    ([70, 60.1, 2], 'are they of another scale, or exchanged?'),
    ([float('nan'), 3, 2], 'has keypoints [nan, 3, 2]; three finite numbers'),
    ([3, float('inf'), 2], 'has keypoints [3, inf, 2]; three finite numbers'),
    ([10 ** 300, 3, 2], 'outside its image of 80 x 60'),
    ([3, 4], 'has keypoints [3, 4]; one point is expected, [x, y, 2]'),
    ([3, 4, 2, 5, 6, 2], 'write several points as several annotations'),
    (['3', 4, 2], "has keypoints ['3', 4, 2]"),
    ([True, 4, 2], 'has keypoints [True, 4, 2]'),
    ({'x': 3}, "has keypoints {'x': 3}"),
    ([3, 4, 0], 'has visibility 2 and num_keypoints 1; take others out'),
    (None, 'has neither keypoints nor bbox nor segmentation')])
def test_a_point_that_is_none(tmp_path, value, says):
    message = rejection(tmp_path, spoil(lambda c: c['annotations'][0].update(keypoints=value)))
    assert 'annotation 5 of a.png' in message and says in message


def test_num_keypoints_must_be_one(tmp_path):
    message = rejection(tmp_path, spoil(lambda c: c['annotations'][0].update(num_keypoints=0)))
    assert 'num_keypoints 0; a point that counts' in message


@pytest.mark.parametrize('value', [99, '1', None, [1], True])
def test_an_unknown_image_id(tmp_path, value):
    message = rejection(tmp_path, spoil(lambda c: c['annotations'][0].update(image_id=value)))
    assert (f'annotation 5 belongs to image {value!r}, which is not in the list of images; fix '
            'its image_id') in message


@pytest.mark.parametrize('value', [4, None, [3]])
def test_an_unlisted_category(tmp_path, value):
    message = rejection(tmp_path, spoil(lambda c: c['annotations'][0].update(category_id=value)))
    assert (f'annotation 5 has category {value!r}, which is not in the list of categories ([3]); '
            'fix it') in message


def test_a_category_that_the_config_does_not_list(tmp_path):
    message = rejection(tmp_path, make_content(), classes=('crack', ))
    assert "its categories ['fracture'] are not among the classes ('crack',)" in message
    assert 'list them in metainfo.classes' in message


@pytest.mark.parametrize('classes', ['fracture', (), ('fracture', 'fracture')])
def test_classes_that_are_no_list_of_names(tmp_path, classes):
    message = rejection(tmp_path, make_content(), classes=classes)
    assert "metainfo=dict(classes=('fracture', ))" in message


def test_a_file_without_categories_says_so(tmp_path):
    content = dict(make_content(), categories=[], annotations=[])
    assert 'the list categories of the file' in rejection(tmp_path, content)


@pytest.mark.parametrize('categories, says', [
    ([dict(id=3)], "category {'id': 3} needs an id"),
    ([dict(name='fracture')], 'needs an id'),
    ([dict(id=[3], name='fracture')], 'needs an id'),
    ([dict(id=3, name=7)], 'and a name'),
    ([dict(id=3, name='a'), dict(id=3, name='b')], "'name': 'b'} occurs twice; keep one"),
    ([dict(id=3, name='a'), dict(id=4, name='a')], "{'id': 4, 'name': 'a'} occurs twice")])
def test_bad_categories(tmp_path, categories, says):
    assert says in rejection(tmp_path, dict(make_content(), categories=categories))


def test_an_id_may_be_another_categorys_name(tmp_path):
    content = make_content()
    content['categories'] = [dict(id='a', name='b'), dict(id='b', name='c')]
    content['annotations'] = []
    assert read_point_file(write(tmp_path, content)).classes == ('b', 'c')


@pytest.mark.parametrize('change, says', [
    (dict(id=None), "'file_name': 'b.png'"),
    (dict(id=1.5), 'has no id; a whole number or a string is needed'),
    (dict(id=1), 'image id 1 occurs twice; give each image an id of its own'),
    (dict(file_name='a.png'), 'a.png is listed twice; an image counts once'),
    (dict(file_name='./a.png'), './a.png is listed twice'),
    (dict(file_name=''), 'image 2 has no file_name that a file can have'),
    (dict(file_name=None), 'it is the place of the file under data_prefix.img'),
    (dict(height=0), 'image 2 (b.png) has height 0 and width 40; both must be positive'),
    (dict(width=39.5), 'width 39.5; both must be positive whole numbers of pixels'),
    (dict(width=None), 'width None'),
    (dict(group=[1]), 'image 2 (b.png): its group is [1]; a whole number or a text')])
def test_bad_images(tmp_path, change, says):
    assert says in rejection(tmp_path, spoil(lambda c: c['images'][1].update(change)))


@pytest.mark.parametrize('value, says', [(5, 'annotation id 5 occurs twice; give each'),
                                         (None, 'has no id'), (2.5, 'has no id')])
def test_bad_annotation_ids(tmp_path, value, says):
    def change(content):
        content['annotations'].append(dict(content['annotations'][0], id=value))
    assert says in rejection(tmp_path, spoil(change))


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 90) | st.floats() | st.text(max_size=3),
    lambda inner: (st.lists(inner, max_size=3)
                   | st.dictionaries(st.text(max_size=3), inner, max_size=2)), max_leaves=4)
places = st.sampled_from([(key, field) for key, fields in dict(
    images=('id', 'file_name', 'height', 'width', 'group'),
    annotations=('id', 'image_id', 'category_id', 'keypoints', 'num_keypoints'),
    categories=('id', 'name')).items() for field in fields])


@settings(max_examples=300, deadline=None)
@given(place=places, value=anything)
def test_any_value_anywhere_is_read_or_rejected_in_words(tmp_path_factory, place, value):
    folder = tmp_path_factory.getbasetemp()
    content = make_content()
    content[place[0]][0][place[1]] = value
    path = write(folder, content)
    try:
        found = read_point_file(path)
    except ValueError as error:
        assert str(error).startswith(f'{path}: ')
        return
    for record in found.records:
        for (x, y), label in zip(record.points, record.labels, strict=True):
            assert 0 <= x <= record.width and 0 <= y <= record.height
            assert 0 <= label < len(found.classes)


def test_load_point_json_keeps_what_it_does_not_know(tmp_path):
    content = dict(make_content(), info=dict(note='mine'))
    assert load_point_json(write(tmp_path, content)) == content


def test_problems_of_images_are_named_first_few_in_full(tmp_path):
    content = make_content()
    content['images'] = [dict(id=index, file_name=f'{index}.png', height=5, width=5)
                         for index in range(13)]
    content['annotations'] = []
    records = read_point_file(write(tmp_path, content)).records
    problems = check_image_files(records, tmp_path).problems
    assert set(problems) == {f'{index}.png' for index in range(13)}
    lines = describe_problems(problems).splitlines()
    assert lines[0] == ('  0.png: there is no such file; check data_prefix.img, or copy the image '
                        'there')
    assert len(lines) == 11 and lines[-1] == '  and 3 more'
    assert describe_problems({}) == '' and check_image_files([], tmp_path).problems == {}
