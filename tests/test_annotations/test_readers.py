"""Who read what: the entries `reader` and `readers`, and what is taken of several readers."""
import json

import pytest

from mmwindow.annotations import point_file_content, points_digest, read_point_file
from mmwindow.annotations.readers import named_readers

SIDE = 1024


def content_of(points, images=None, **more):
    """Return a point file; points: (image, reader, x, y)."""
    images = images or [dict(id=1), dict(id=2), dict(id=3)]
    return dict(
        images=[dict(dict(file_name=f'{image["id"]}.png', height=SIDE, width=SIDE), **image)
                for image in images],
        annotations=[dict(id=number, image_id=image, category_id=1, keypoints=[x, y, 2],
                          **({} if reader is None else dict(reader=reader)))
                     for number, (image, reader, x, y) in enumerate(points)],
        categories=[dict(id=1, name='finding')], **more)


@pytest.fixture
def read(tmp_path):
    def read(content, **options):
        path = tmp_path / 'points.json'
        path.write_text(json.dumps(content))
        return read_point_file(path, **options)
    return read


THREE = [(1, 'A', 100, 100), (1, 'B', 130, 100), (1, 'C', 110, 130), (1, 'A', 500, 500),
         (2, 'B', 50, 60)]


def test_several_readers_are_rejected_until_it_is_said_whose_points_count(read):
    with pytest.raises(ValueError, match="of 3 readers .'A', 'B', 'C'.*--merge-readers.*"
                                         'readers=merge'):
        read(content_of(THREE))


def test_merged_points_are_the_means_of_what_the_majority_marked(read):
    merged = read(content_of(THREE), readers='merge')
    points = [record.points for record in merged.records]
    # 340 / 3 and 330 / 3; B's point on image 2 and A's second have one reader of three.
    assert points == [[(pytest.approx(340 / 3), 110)], [], []]
    assert merged.records[0].labels == [0] and merged.records[0].boxes == [None]
    assert merged.readers == ('A', 'B', 'C')


def test_all_and_one(read):
    everybody = read(content_of(THREE), readers='all')
    assert [len(record.points) for record in everybody.records] == [4, 1, 0]
    assert everybody.records[0].point_readers == ['A', 'B', 'C', 'A']
    alone = read(content_of(THREE), readers='B')
    assert [record.points for record in alone.records] == [[(130, 100)], [(50, 60)], []]
    assert alone.readers == ('B', )


def test_a_reader_who_found_nothing_has_read_the_image(read):
    lists = [dict(id=1), dict(id=2, readers=['B', 'C']), dict(id=3, readers=['B'])]
    everybody = read(content_of(THREE, lists, readers=['A', 'B', 'C', 'D']), readers='all')
    assert [record.readers for record in everybody.records] == [
        ('A', 'B', 'C', 'D'), ('B', 'C'), ('B', )]
    assert everybody.readers == ('A', 'B', 'C', 'D')            # D has no annotation at all
    # Three of four on image 1; one of two on image 2.
    assert [len(record.points) for record in read(
        content_of(THREE, lists, readers=['A', 'B', 'C', 'D']), readers='merge').records] == [1, 0, 0]
    # An image that the reader has not read is no negative image of this reader.
    assert [record.img_id for record in read(content_of(THREE, lists), readers='A').records] == [1]


def test_without_readers_nothing_changes(read):
    plain = read(content_of([(1, None, 5, 5)]))
    assert plain.readers == () and plain.records[0].readers is None
    assert plain.records[0].point_readers == []
    assert 'readers' not in json.dumps(point_file_content(plain))
    one = read(content_of([(1, 'A', 5, 5)]))                     # one reader's points are the truth
    assert one.readers == ('A', ) and one.records[1].readers == ('A', )


def test_writing_and_reading_keep_the_readers(read):
    lists = [dict(id=1), dict(id=2, readers=['B', 'C']), dict(id=3, readers=['B'])]
    everybody = read(content_of(THREE, lists), readers='all')
    assert read(point_file_content(everybody), readers='all').records == everybody.records
    merged = read(content_of(THREE), readers='merge')
    again = read(point_file_content(merged))
    assert again.readers == ()
    assert [record.points for record in again.records] == [
        record.points for record in merged.records]


def test_the_digest_tells_who_marked_a_point(tmp_path):
    digests = set()
    for number, reader in enumerate([None, 'A', 'B']):
        path = tmp_path / f'{number}.json'
        path.write_text(json.dumps(content_of([(1, reader, 5, 5)])))
        digests.add(points_digest(path))
    assert len(digests) == 3


def test_names_are_texts_or_whole_numbers(read):
    everybody = read(content_of([(1, 3, 5, 5), (1, ' 3 ', 9, 9), (2, 'Dr 4', 5, 5)]), readers='all')
    assert everybody.readers == ('3', 'Dr 4')


@pytest.mark.parametrize('points, images, more, words', [
    ([(1, 'A', 5, 5), (1, None, 9, 9)], None, {}, ['1.png', 'without a reader', "'A'"]),
    ([(1, 'A', 5, 5)], [dict(id=1, readers=['B', 'C'])], {},
     ['annotation 0', "'A'", "readers of this image are 'B', 'C'"]),
    ([(1, 'C', 5, 5)], None, dict(readers=['A', 'B']), ["'C' is unknown", "'A', 'B'"]),
    ([], [dict(id=1, readers=['A', 'A'])], {}, ["'A' twice"]),
    ([], None, dict(readers=['A', 'A']), ["'A' twice"]),
    ([], None, dict(readers='A'), ['a list of names']),
    ([], [dict(id=1, readers=[])], {}, ['1.png', 'read by nobody']),
    ([(1, 'A', 5, 5), (1, 'A', 5, 5)], None, {}, ["'A' has marked (5, 5) twice", '1.png']),
    ([(1, 'merge', 5, 5)], None, {}, ["'merge'", 'another name']),
    ([(1, 'nan', 5, 5)], None, {}, ["'nan'", 'missing value']),
    ([(1, 1.5, 5, 5)], None, {}, ['reader 1.5', 'whole number']),
    ([(1, ['A'], 5, 5)], None, {}, ["reader ['A']"])])
def test_entries_that_make_no_sense(points, images, more, words, read):
    with pytest.raises(ValueError) as error:
        read(content_of(points, images, **more), readers='all')
    assert [word for word in words if word not in str(error.value)] == []


@pytest.mark.parametrize('points, readers, words', [
    (THREE, 'D', ["no reader 'D'", "'A', 'B', 'C'"]),
    ([(1, None, 5, 5)], 'A', ["no reader 'A'", 'name no reader']),
    ([(1, None, 5, 5)], 'merge', ['name no reader', 'at least two']),
    ([(1, 'A', 5, 5)], 'merge', ["only reader is 'A'", 'at least two'])])
def test_settings_that_the_file_does_not_allow(points, readers, words, read):
    with pytest.raises(ValueError) as error:
        read(content_of(points), readers=readers)
    assert [word for word in words if word not in str(error.value)] == []


def test_files_of_other_images_have_readers_all_or_none(tmp_path):
    for name, images, reader in (('a', [1], 'A'), ('b', [2], None)):
        (tmp_path / f'{name}.json').write_text(json.dumps(content_of(
            [(images[0], reader, 5, 5)], [dict(id=image) for image in images])))
    with pytest.raises(ValueError, match=r'b\.json names no readers, but other files'):
        read_point_file([tmp_path / 'a.json', tmp_path / 'b.json'], readers='all')


def test_names_of_all_readers_of_a_content():
    assert named_readers(content_of(THREE, [dict(id=1, readers=['E', 'A', 'B', 'C'])])) == [
        'A', 'B', 'C', 'E']
    assert named_readers(content_of([(1, None, 5, 5)])) == []
