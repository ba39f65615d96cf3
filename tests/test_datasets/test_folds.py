"""The folds file: made, checked, refused, and turned into point files."""
import copy
import json

import pytest

from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.commands import splits
from mmwindow.datasets.folds import (
    check_folds,
    file_checksum,
    make_folds,
    read_folds,
    write_fold_files,
    write_folds,
)
from mmwindow.utils.command_line import run_command


def write_points(path, groups, positives):
    """Write a point file of as many images as there are groups; ids count from 1."""
    imgs = [dict(id=number, file_name=f'{number}.png', height=10, width=10,
                 **({} if group is None else {'group': group}))
            for number, group in enumerate(groups, start=1)]
    annotations = [dict(id=number, image_id=number, category_id=1, keypoints=[5, 5, 2],
                        num_keypoints=1) for number in positives]
    path.write_text(json.dumps(dict(images=imgs, annotations=annotations,
                                    categories=[dict(id=1, name='fracture')])))
    return path


@pytest.fixture
def points(tmp_path):
    """Forty images, two of each of twenty patients; ten patients have points."""
    return write_points(tmp_path / 'points.json', [number // 2 for number in range(40)],
                        positives=range(1, 21))


@pytest.fixture
def folds(points, tmp_path):
    return write_folds(tmp_path / 'folds.json', make_folds(points))


def test_twenty_patients_in_five_folds(points):
    """Ten parts of two patients each: two test, one validates, seven train (70/10/20 %)."""
    content = make_folds(points)
    assert [{name: len(ids) for name, ids in fold.items()} for fold in content['folds']] == [
        dict(train=28, val=4, test=8)] * 5
    tested = [img_id for fold in content['folds'] for img_id in fold['test']]
    assert sorted(tested) == list(range(1, 41))
    for fold in content['folds']:  # patients are pairs (1, 2), (3, 4) ...
        for ids in fold.values():
            assert {(number - 1) // 2 for number in ids} == {
                (number - 1) // 2 for number in ids if number % 2}
        # Ten of twenty patients are positive; stratified, each part has one of them.
        assert [sum(number <= 20 for number in fold[name]) for name in ('train', 'val', 'test')] == [
            14, 2, 4]
    assert content['annotations'] == dict(file='points.json', sha256=file_checksum(points))
    assert content['seed'] == 0


def test_the_same_seed_gives_the_same_folds(points):
    assert make_folds(points, seed=3) == make_folds(points, seed=3)
    assert make_folds(points, seed=3)['folds'] != make_folds(points, seed=4)['folds']


def test_only_normals_and_images_without_a_group(tmp_path):
    path = write_points(tmp_path / 'normals.json', [None] * 10, positives=[])
    content = make_folds(path)
    write_folds(tmp_path / 'folds.json', content)
    assert check_folds(tmp_path / 'folds.json', path) == content
    assert all(len(fold['test']) == 2 for fold in content['folds'])


def test_an_image_without_group_is_not_of_the_group_of_its_number(tmp_path):
    """Image 1 names group 2, image 2 names none: two units, so ten images give ten parts."""
    path = write_points(tmp_path / 'points.json', [2, None, *range(3, 11)], positives=[])
    assert all(len(fold['test']) == 2 for fold in make_folds(path)['folds'])


def test_checked_folds_come_back_as_written(folds, points):
    assert check_folds(folds, points) == make_folds(points)
    assert not list(folds.parent.glob('*.part'))


def divide_group(content):
    img_id = content['folds'][0]['train'].pop()
    content['folds'][0]['val'].append(img_id)


def drop_image(content):
    content['folds'][2]['train'].pop()


def add_stranger(content):
    content['folds'][1]['val'].append(99)


def repeat_image(content):
    content['folds'][1]['val'].append(content['folds'][1]['train'][0])


def repeat_fold(content):
    content['folds'][1] = copy.deepcopy(content['folds'][0])


def list_as_id(content):
    content['folds'][1]['test'][0] = [3]


def empty_part(content):
    content['folds'][3]['val'] = []


@pytest.mark.parametrize('spoil, message', [
    (divide_group, r'fold 0 divides group \d+ between train and val'),
    (drop_image, r'fold 2 lacks images \d+'),
    (add_stranger, 'fold 1 has unknown images 99'),
    (repeat_image, r'fold 1 has images \d+ more than once'),
    (repeat_fold, r'images (\d+, ){4}\d+ and 3 more are tested more than once and images '
                  r'(\d+, ){4}\d+ and 3 more never'),
    (empty_part, 'fold 3 has no images for val'),
    (list_as_id, r'fold 1 names \[3\] as an image of test'),
])
def test_spoilt_folds_are_refused_with_what_is_wrong(spoil, message, folds, points):
    content = json.loads(folds.read_text())
    spoil(content)
    folds.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message) as error:
        check_folds(folds, points)
    assert str(folds) in str(error.value)


def test_folds_of_another_file_are_refused_with_the_images(folds, tmp_path):
    other = write_points(tmp_path / 'other.json', range(8), positives=[1])
    with pytest.raises(ValueError, match='belong to another point file .*only the folds have '
                                         'images 10, 11, 12, 13, 14 and 27 more'):
        check_folds(folds, other)
    larger = write_points(tmp_path / 'larger.json', range(42), positives=[1])
    with pytest.raises(ValueError, match='only the point file has images 41, 42'):
        check_folds(folds, larger)


def test_changed_points_are_refused_though_the_images_are_the_same(folds, points):
    write_points(points, [number // 2 for number in range(40)], positives=range(1, 20))
    with pytest.raises(ValueError, match='the images are the same, their points, groups or sizes'):
        check_folds(folds, points)


@pytest.mark.parametrize('text, message', [
    ('{"format": "mmwindow-folds", "vers', 'no JSON, or cut short'),
    ('{"images": []}', 'no folds file'),
    ('{"format": "mmwindow-folds", "version": 2}', 'written in format 2 by'),
    ('{"format": "mmwindow-folds", "version": 1}', '"annotations" is None'),
    ('{"format": "mmwindow-folds", "version": 1, "annotations": {"sha256": "a"}}', 'no list "folds"'),
])
def test_what_is_no_folds_file_is_refused(text, message, tmp_path):
    path = tmp_path / 'folds.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_folds(path)
    with pytest.raises(ValueError, match='cannot be read'):
        read_folds(tmp_path / 'none.json')


def test_one_fold_cannot_be(points):
    with pytest.raises(ValueError, match='num_folds is 1; at least 2'):
        make_folds(points, num_folds=1)


def test_files_of_a_fold_hold_its_images_and_their_points(folds, points, tmp_path):
    content = check_folds(folds, points)
    files = write_fold_files(content, points, tmp_path / 'files', [1, 4])
    assert sorted(files) == [1, 4]
    for name, path in files[4].items():
        point_file = read_point_file(path)
        assert [record.img_id for record in point_file.records] == sorted(content['folds'][4][name])
        assert all(bool(record.points) == (record.img_id <= 20) for record in point_file.records)
        assert point_file.classes == ('fracture', )
    assert not list((tmp_path / 'files').rglob('*.part'))
    with pytest.raises(ValueError, match='there is no fold 5; the folds are 0 to 4'):
        write_fold_files(content, points, tmp_path / 'files', [5])


def test_command_writes_checks_and_rejects(points, tmp_path, capsys):
    run_command(splits, 'tools/make_splits.py', [str(points)])
    assert 'fold 4: train 28 images (14 with points)' in capsys.readouterr().out
    assert check_folds(tmp_path / 'folds.json', points) == make_folds(points)
    write_points(points, [0] * 40, positives=[])
    with pytest.raises(SystemExit, match='1'):
        run_command(splits, 'tools/make_splits.py',
                    [str(points), '--check', str(tmp_path / 'folds.json')])
    message = capsys.readouterr().err
    assert message.startswith('make_splits: ') and 'belong to another point file' in message


@pytest.mark.parametrize('arguments', [
    ['none.json'], ['.'], ['bad.json'], ['ok.json', '--folds', '1'], ['ok.json', '--folds', '30'],
    ['ok.json', '--check', 'none'], ['ok.json', '--single', '--out', 'ok.json'],
    ['ok.json', '--out', 'ok.json/folds.json']])
def test_an_error_of_the_command_is_one_line(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_points(tmp_path / 'ok.json', range(40), positives=range(1, 21))
    (tmp_path / 'bad.json').write_text('[' * 100_000)
    with pytest.raises(SystemExit, match='1'):
        run_command(splits, 'tools/make_splits.py', arguments)
    message = capsys.readouterr().err
    assert message.startswith('make_splits: ') and len(message) < 500
    assert message.count('\n') == 1 and message.endswith('\n')
