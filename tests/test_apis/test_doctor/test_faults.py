"""Each fault planted in a small data set, and the problem that names it; clean sets have none."""
import json

import cv2
import numpy as np
import pytest

from mmwindow.apis.doctor.problems import ERROR, NOTE, WARNING
from mmwindow.apis.doctor.report_text import render_text

from .conftest import encode, make_picture


def kinds(report, *severities):
    return [problem.kind for problem in report.problems if problem.severity in severities]


def test_clean_data_have_no_warning(data):
    report = data.fill({'train': 60, 'val': 40, 'test': 40}).check()
    assert kinds(report, ERROR, WARNING) == []
    assert report.status == 0
    # Counts worked by hand: 60, 40 and 40 images, every other one positive, with one point.
    assert [row[:7] for row in report.tables[0].rows[1:]] == [
        ['train', '60', '60', '30', '30', '60', '30'], ['val', '40', '40', '20', '20', '40', '20'],
        ['test', '40', '40', '20', '20', '40', '20']]
    assert report.tables[1].rows[1:] == [['0', '70'], ['1', '70']]


def test_negative_images_alone_cannot_be_trained_and_have_no_other_warning(single):
    for _ in range(8):
        single.add()
    report = single.check()
    assert kinds(report, ERROR) == ['no positive images'] and report.status == 1
    assert kinds(report, WARNING) == []
    assert report.suggestions == [] and '0 errors' not in render_text(report)


def test_positive_images_alone_can_be_trained(single):
    for number in range(8):
        single.add(points=[(10 + 7 * number, 80 - 9 * number)])
    report = single.check()
    assert kinds(report, ERROR, WARNING) == [] and report.status == 0
    assert 'no negative images' in kinds(report, NOTE)


def test_all_damaged_images_are_named(data, find):
    data.fill()
    jpeg, png = encode(make_picture(90), '.jpg'), encode(make_picture(91))
    changed = bytearray(png)
    changed[len(png) // 2] ^= 255
    data.add('train', content=jpeg[:len(jpeg) // 2], name='cut.jpg')
    data.add('val', content=bytes(changed), name='changed.png')
    data.add('test', content=b'', name='empty.png')
    data.add('test', content=b'<html>not found</html>', name='page.png')
    report = data.check()
    problem = find(report, 'damaged images')
    assert problem.severity == ERROR and len(problem.items) == 4 and report.status == 1
    for name in ('cut.jpg (train)', 'changed.png (val)', 'empty.png (test)', 'page.png (test)'):
        assert sum(item.startswith(name) for item in problem.items) == 1
        assert f'    {name}: ' in render_text(report)  # to the last one, on the screen too
    assert report.tables[0].rows[1][1:3] == ['13', '12']


def test_truncated_originals_of_fracatlas_are_named(single, fracatlas, find):
    files = sorted((fracatlas / 'truncated').iterdir())
    for path in files:
        single.add(content=path.read_bytes(), name=path.name)
    single.add(points=[(5, 5)])
    problem = find(single.check(), 'damaged images')
    assert [item.split(': ')[0] for item in problem.items] == [path.name for path in files]


def test_missing_and_unlisted_images(data, find):
    data.fill()
    gone = data.add('val')
    (data.folder / 'images' / gone['file_name']).unlink()
    (data.folder / 'images' / 'sub').mkdir()
    (data.folder / 'images' / 'sub' / 'new.png').write_bytes(encode(make_picture(77)))
    report = data.check()
    assert find(report, 'missing images').items == (f'{gone["file_name"]} (val)', )
    problem = find(report, 'unlisted images')
    assert problem.severity == NOTE and problem.items == ('sub/new.png', )


def test_the_wrong_folder_of_images_is_one_error(single, tmp_path, find):
    single.fill()
    (tmp_path / 'other').mkdir()
    report = single.check(images=tmp_path / 'other')
    assert find(report, 'no readable image').severity == ERROR and report.status == 1
    assert '--images' in find(report, 'no readable image').advice


def test_sizes_that_differ_are_named_with_both(single, find):
    single.fill()
    single.add(height=80, width=96, name='turned.png')
    single.add(height=960, width=800, name='scaled.png')
    items = find(single.check(), 'other sizes').items
    assert items[0].startswith('turned.png: the file has 80 x 96') and 'exchanged' in items[0]
    assert 'says 800 x 960' in items[1] and 'exchanged' not in items[1]


def test_empty_pictures_are_a_warning_and_no_copies(single, find):
    single.fill()
    single.add(pixels=np.full((40, 60), 9, np.uint8), name='black.png')
    single.add(pixels=np.full((60, 40), 200, np.uint8), name='white.png')
    report = single.check()
    assert find(report, 'empty pictures').items == ('black.png', 'white.png')
    assert not report.copies.pairs


def test_orientation_tags_are_named(single, find):
    single.fill()
    jpeg = encode(make_picture(50), '.jpg')
    tag = b'Exif\0\0II*\0' + bytes(
        [8, 0, 0, 0, 1, 0, 18, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0])
    exif = jpeg[:2] + b'\xff\xe1' + (len(tag) + 2).to_bytes(2, 'big') + tag + jpeg[2:]
    single.add(points=[(5, 6)], content=exif, name='turned.jpg')
    problem = find(single.check(), 'orientation tags')
    assert problem.severity == WARNING and problem.items == ('turned.jpg: 6', )


def test_points_outside_are_all_named_and_others_stay(data, find):
    data.fill()
    data.add('train', [(81, 3), (10, 10), (-1, 5)], name='out.png')
    report = data.check()
    problem = find(report, 'points outside')
    assert problem.severity == ERROR and len(problem.items) == 2 and problem.where == 'train'
    assert '(81, 3)' in problem.items[0] and '(-1, 5)' in problem.items[1]
    image, = (image for image in report.checkup.images if image.name == 'out.png')
    assert image.record.points == [(10., 10.)]


def test_normalised_coordinates_are_an_error(single, find):
    for number in range(6):
        single.add(points=[(.1 * number, .5)])
    single.add()
    report = single.check()
    assert find(report, 'normalised coordinates').severity == ERROR
    assert find(report, 'points in one corner') is None and report.status == 1


@pytest.mark.parametrize('scale, name', [(.1, 'top left'), (None, 'bottom right')])
def test_points_in_one_corner_are_a_warning(single, find, scale, name):
    for number in range(6):
        x, y = 8 + 12 * number, 90 - 14 * number
        single.add(points=[(x * scale, y * scale) if scale else (79 - number, 95 - number)])
    problem = find(single.check(), 'points in one corner')
    assert problem.severity == WARNING and name in problem.what


def test_two_points_at_one_place_are_named(single, find):
    single.fill()
    single.add(points=[(30, 30), (31, 30.5), (60, 60)], name='twice.png')
    single.add(points=[(30, 30), (33, 30)])
    assert find(single.check(), 'points twice').items == ('twice.png at (30, 30)', )


def test_all_faulty_records_are_named_not_only_the_first(single, find):
    single.fill()
    content = single.contents['']
    content['images'] += [dict(id=900, file_name='', height=5, width=5),
                          dict(id=901, file_name='x.png', height=-5, width=5)]
    content['annotations'] += [
        dict(id=9001, image_id=555, category_id=1, keypoints=[1, 1, 2], num_keypoints=1),
        dict(id=9002, image_id=1, category_id=7, keypoints=[1, 1, 2], num_keypoints=1),
        dict(id=9003, image_id=1, category_id=1, keypoints=[1, float('nan'), 2], num_keypoints=1),
        dict(id=9004, image_id=1, category_id=1, bbox=[1, 1, 5, 5], iscrowd=1)]
    report = single.check()
    assert len(find(report, 'image records').items) == 2
    findings = find(report, 'findings').items
    assert len(findings) == 4 and [key for key in ('555', '7', 'nan', 'iscrowd')
                                   if not any(key in item for item in findings)] == []
    assert len(report.checkup.images) == 10 and report.status == 1


def test_copies_are_told_by_what_they_spoil(data, find):
    data.fill({'train': 30, 'val': 10, 'test': 10})
    across, labels, patients, same = (make_picture(seed) for seed in (301, 302, 303, 304))
    data.add('train', pixels=across, group='a')
    data.add('test', pixels=across, group='b')
    data.add('train', pixels=labels, group='c')
    data.add('train', [(9, 9)], pixels=labels, group='c')
    data.add('train', pixels=patients, group='d')
    # Equal pixels in another format.
    data.add('train', content=encode(patients, '.bmp'), pixels=patients, group='e', name='e.bmp')
    data.add('val', pixels=same, group='f')
    data.add('val', pixels=same, group='f')
    report = data.check()
    expected = {'copies across splits': [('51', '52')], 'copies across labels': [('53', '54')],
                'copies across patients': [('55', 'e'), ('51', '52')],
                'copies within a split': [('57', '58')]}
    for kind, pairs in expected.items():
        items = find(report, kind).items
        assert len(items) == len(pairs)
        for item, (first, second) in zip(items, pairs, strict=True):
            assert f'{first}.png (' in item and f'{second}.' in item
    assert 'equal pixels' in find(report, 'copies across patients').items[0]
    assert find(report, 'copies across splits').severity == WARNING
    assert find(report, 'copies within a split').severity == NOTE


def test_similar_pictures_across_splits_are_a_warning(data, find):
    data.fill()
    picture = make_picture(400, 192, 160)
    data.add('train', pixels=picture, name='first.png')
    darker = (picture[2:, 2:] * .8).astype(np.uint8)
    data.add('test', [(3, 3)], pixels=darker, name='second.png')
    report = data.check()
    for kind in ('similar pictures across splits', 'similar pictures across labels'):
        item, = find(report, kind).items
        assert item.startswith('first.png (train) = second.png (test): alike, correlation 0.9')


def test_an_image_listed_in_two_splits_is_read_once_and_named(data, find):
    data.fill()
    entry = data.contents['train']['images'][0]
    data.contents['test']['images'].append(dict(entry, id=800))
    report = data.check()
    item, = find(report, 'copies across splits').items
    assert item.endswith('one file') and len(report.checkup.read.facts) == 20
    assert find(report, 'divided patients').severity == WARNING


def test_divided_patients_are_named_by_images_not_by_name(data, find):
    data.fill()
    data.add('train', group='Mueller, Anna', name='a.png')
    data.add('train', group='Mueller, Anna', name='b.png')
    data.add('test', group='Mueller, Anna', name='c.png')
    report = data.check()
    problem = find(report, 'divided patients')
    assert problem.items == ('a.png (train), c.png (test)', )
    assert 'Mueller' not in render_text(report)


def test_splits_that_lack_something(data, find):
    data.fill({'train': 4, 'val': 0, 'test': 0})
    for _ in range(3):
        data.add('val')
    for number in range(3):
        data.add('test', [(10 * number + 5, 40)])
    report = data.check()
    assert find(report, 'no positive images').where == 'val'
    assert find(report, 'no negative images').where == 'test'
    assert report.status == 0  # it trains; validation says nothing
    for image in data.contents['train']['images']:
        image['group'] = None
    assert '4 of 10 images name no patient' in find(data.check(), 'patients').what


def test_classes_that_differ_or_lack_findings(data, find):
    data.fill()
    for content in data.contents.values():
        content['categories'].append(dict(id=2, name='dislocation'))
    data.add('test')
    data.contents['test']['annotations'][0]['category_id'] = 2
    report = data.check()
    problem = find(report, 'class without findings')
    assert problem.severity == WARNING and 'dislocation' in problem.what and 'test' in problem.what
    data.contents['val']['categories'][1]['name'] = 'luxation'
    report = data.check()
    assert find(report, 'other classes').where == 'val' and report.status == 1


def test_annotations_of_another_tool_are_checked_as_they_are(tmp_path, data, find):
    data.fill({'train': 6, 'val': 0, 'test': 0})
    names = [image['file_name'] for image in data.contents['train']['images']]
    table = tmp_path / 'clicks.csv'
    table.write_text('image,x,y\n' + f'{names[0]},10,20\n{names[1]},,\n{names[2]},30,31\n')
    from mmwindow.apis.doctor.check_data import CheckSettings, check_data
    report = check_data(table, CheckSettings(images=data.folder / 'images'))
    assert [row[:5] for row in report.tables[0].rows[1:]] == [['all', '3', '3', '2', '1']]
    assert find(report, 'import').what.startswith('3 images that the source does not mention')
    assert find(report, 'unlisted images').items == tuple(names[3:])


def test_sixteen_bits_need_a_depth_and_take_it(single, find):
    pixels = make_picture(5).astype(np.uint16) * 16
    single.fill()
    single.add(pixels=pixels, content=cv2.imencode('.png', pixels)[1].tobytes(), name='deep.png')
    problem = find(single.check(), 'damaged images')
    assert 'bit_depth' in problem.items[0]
    assert '--bit-depth 12' in problem.items[0] and '--cfg-options' not in problem.items[0]
    assert problem.advice == 'State how many bits the images of 16 bits use (--bit-depth)'
    from mmwindow.images.decode import ImageSettings
    report = single.check(image_settings=ImageSettings(bit_depth=12))
    assert find(report, 'damaged images') is None
    assert ['PNG, 12 bits, grey', '1', '0'] in report.tables[3].rows
    single.add(pixels=pixels, content=b'noise', name='noise.png')
    assert find(single.check(), 'damaged images').advice == (
        'State how many bits the images of 16 bits use (--bit-depth). Copy the others again from '
        'their source, or leave them out (--fix)')


def test_a_folder_without_data_or_a_broken_file_is_one_line(tmp_path):
    from mmwindow.apis.doctor.check_data import check_data
    with pytest.raises(ValueError, match='no such file'):
        check_data(tmp_path / 'none')
    (tmp_path / 'points.json').write_text('{"images": [')
    with pytest.raises(ValueError, match='cut short'):
        check_data(tmp_path / 'points.json')
    (tmp_path / 'points.json').write_text(json.dumps(dict(images=[], annotations=[], categories=[])))
    report = check_data(tmp_path)
    assert report.status == 1 and 'no images' in kinds(report, ERROR)
