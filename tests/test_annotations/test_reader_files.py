"""One annotation file for each reader."""
import json

import pytest

from mmwindow.annotations.reader_files import find_reader_files, read_reader_files


def write(folder, name, points, images=('a', 'b', 'c'), first_id=1, **more):
    """Write the file of a reader; points: (image, x, y)."""
    ids = {image: number for number, image in enumerate(images, start=first_id)}
    imgs = [dict(dict(id=number, file_name=f'{image}.png', height=100, width=200),
                 **more.get(image, {}))
            for image, number in ids.items()]
    content = dict(images=imgs, categories=[dict(id=first_id, name='finding')], annotations=[
        dict(dict(id=number, image_id=ids[image], category_id=first_id, keypoints=[x, y, 2]),
             **more.get('annotation', {})) for number, (image, x, y) in enumerate(points)])
    path = folder / f'{name}.json'
    path.write_text(json.dumps(content))
    return path


def test_images_are_matched_by_name_and_have_the_ids_of_the_first_file(tmp_path):
    first = write(tmp_path, 'x', [('a', 1, 2)], a=dict(group='p', region='hand'))
    second = write(tmp_path, 'y', [('a', 3, 4), ('b', 5, 6)], ('c', 'b', 'a'), 11,
                   c=dict(readers=[]), b=dict(group='q'))
    point_file = read_reader_files(find_reader_files([f'R1={first}', second]))
    assert point_file.readers == ('R1', 'y')
    a, b, c = point_file.records
    assert [record.img_id for record in point_file.records] == [1, 2, 3]
    assert (a.points, a.point_readers, a.labels) == ([(1, 2), (3, 4)], ['R1', 'y'], [0, 0])
    assert (b.points, b.point_readers, b.readers) == ([(5, 6)], ['y'], ('R1', 'y'))
    assert (c.points, c.readers) == ([], ('R1', ))               # y has not read it
    assert (a.group, b.group, a.fields) == ('p', 'q', dict(region='hand'))
    assert point_file.num_from['keypoints'] == 3 and point_file.category_labels == {1: 0}


def test_a_file_may_name_its_own_reader(tmp_path):
    own = write(tmp_path, 'x', [('a', 1, 2)], annotation=dict(reader='x'))
    other = write(tmp_path, 'y', [])
    assert read_reader_files(find_reader_files([own, other])).records[0].point_readers == ['x']


@pytest.mark.parametrize('images, more, words', [
    (('a', 'b', 'd'), {}, ['y.json', '1 of its images', 'd.png', 'x.json']),
    (('a', 'b'), {}, ['x.json', '1 of its images', 'c.png', 'not read']),
    (('d', 'e'), {}, ['2 of its images']),
    (('a', 'b', 'c'), dict(b=dict(height=99)), ['y.json', 'b.png', '99 x 200', '100 x 200']),
    (('a', 'b', 'c'), dict(a=dict(group='q')), ['y.json', 'a.png', "'q'", "'p'"]),
    (('a', 'b', 'c'), dict(a=dict(readers=['z'])), ["'z'", 'unknown', "'y'"])])
def test_files_that_do_not_fit(images, more, words, tmp_path):
    first = write(tmp_path, 'x', [], a=dict(group='p'))
    second = write(tmp_path, 'y', [], images, **more)
    with pytest.raises(ValueError) as error:
        read_reader_files(find_reader_files([first, second]))
    assert [word for word in words if word not in str(error.value)] == []


def test_other_categories_another_reader_and_nobody(tmp_path):
    first = write(tmp_path, 'x', [], c=dict(readers=[]))
    second = write(tmp_path, 'y', [], c=dict(readers=[]))
    with pytest.raises(ValueError, match=r'c\.png has "readers": \[\] in every file'):
        read_reader_files(find_reader_files([first, second]))
    write(tmp_path, 'y', [('a', 5, 5)], annotation=dict(reader='z'))
    with pytest.raises(ValueError, match=r"y\.json: reader 'z' is unknown"):
        read_reader_files(find_reader_files([first, second]))
    content = json.loads(first.read_text())
    content['categories'].append(dict(id=9, name='cyst'))
    first.write_text(json.dumps(content))
    write(tmp_path, 'y', [])
    with pytest.raises(ValueError, match=r'y\.json: its categories are not those of .*x\.json'):
        read_reader_files(find_reader_files([first, second]))


@pytest.mark.parametrize('entries, words', [
    (['A=a.json', 'A=b.json'], ["reader 'A' is named twice"]),
    (['one/a.json', 'two/a.json'], ["reader 'a' is named twice", 'NAME=FILE']),
    (['A=a.json', 'B=a.json'], ["file 'a.json' is named twice"]),
    (['merge=a.json', 'b.json'], ["'merge'", 'another name']),
    (['=a.json', 'b.json'], ['=a.json', 'no name'])])
def test_names_of_readers_and_files(entries, words):
    with pytest.raises(ValueError) as error:
        find_reader_files(entries)
    assert [word for word in words if word not in str(error.value)] == []


def test_one_file_is_one_reader(tmp_path):
    path = write(tmp_path, 'x', [])
    with pytest.raises(ValueError, match="only reader is 'A'; .*at least two"):
        read_reader_files(find_reader_files([f'A={path}']))


def test_a_path_with_an_equals_sign(tmp_path):
    path = write(tmp_path, 'x=y', [])
    assert find_reader_files([str(path)]) == [('x=y', path)]
