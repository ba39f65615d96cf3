"""--fix: what is left out and moved, counted; sources and images stay as they are."""
import json
import os

import pytest

from mmwindow.annotations.image_places import images_folder
from mmwindow.annotations.point_file import load_point_json, read_point_file
from mmwindow.apis.commands import check
from mmwindow.apis.doctor.cleaning import write_fixed
from mmwindow.utils.command_line import run_command

from .conftest import make_picture


def snapshot(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob('*')) if path.is_file()}


def test_each_fault_is_left_out_and_counted(single, tmp_path):
    single.fill()
    single.add(points=[(5, 5), (500, 5)], name='out.png')
    single.add(content=b'', name='empty.png')
    single.add(name='gone.png')
    (single.folder / 'images/gone.png').unlink()
    single.add(height=48, width=40, name='size.png')
    single.add(points=[(5, 5)], pixels=make_picture(60), name='one.png')
    single.add(points=[(6, 5)], pixels=make_picture(60), name='two.png')
    single.add(pixels=make_picture(61), name='negative.png')
    single.add(points=[(6, 5)], pixels=make_picture(61), name='positive.png')
    report = single.check()
    before = snapshot(single.folder)
    out = tmp_path / 'elsewhere/clean.json'
    fixed = write_fixed(report, out)
    assert {what: len(items) for what, items in fixed.changes.items()} == {
        'findings outside their image left out': 1, 'images that cannot be read left out': 2,
        'images of another size than the point file says left out': 1, 'exact copies left out': 1}
    assert fixed.changes['exact copies left out'] == ['two.png = one.png']
    assert fixed.unchanged == ['negative.png = positive.png']  # which label is right?
    records = {record.file_name: record.points for record in read_point_file(out).records}
    assert len(records) == 14 and records['out.png'] == [(5., 5.)]
    assert {'empty.png', 'gone.png', 'size.png', 'two.png'}.isdisjoint(records)
    assert images_folder(out).resolve() == (single.folder / 'images').resolve()
    assert load_point_json(out)['info']['fixes'] == dict(fixed.changes)
    assert snapshot(single.folder) == before
    assert '  2 images that cannot be read left out' in fixed.lines()


def test_copies_whose_findings_lie_elsewhere_stay(single, tmp_path):
    """One of two annotators is wrong, or each has seen one of two findings."""
    single.fill()
    single.contents['']['categories'].append(dict(id=2, name='mass'))
    for number, (first, second) in enumerate((
            ([(20, 30)], [(60, 30)]), ([(20, 30)], [(20, 32)]), ([(20, 30)], [(20, 31.9)]),
            ([(20, 30), (21.5, 30)], [(18.5, 30), (20, 30)]),  # pairs, but not of the nearest
            ([(20, 30), (40, 30)], [(40, 30), (20, 30)]), ([(9, 9), (9, 9)], [(9, 9), (60, 30)]),
            ([(20, 30)], [(20, 30), (20, 30)]), ([], []))):
        for name, points in (('a', first), ('b', second)):
            single.add(points=points, pixels=make_picture(70 + number), name=f'{number}{name}.png',
                       group=f'g{number}')
    for name in 'ab':
        single.add(points=[(20, 30)], pixels=make_picture(90), name=f'9{name}.png')
    single.contents['']['annotations'][-1]['category_id'] = 2
    report = single.check()
    fixed = write_fixed(report, tmp_path / 'clean.json')
    assert fixed.changes == {'exact copies left out': [
        '2b.png = 2a.png', '3b.png = 3a.png', '4b.png = 4a.png', '7b.png = 7a.png']}
    assert fixed.unchanged == ['0a.png = 0b.png', '1a.png = 1b.png', '5a.png = 5b.png',
                               '6a.png = 6b.png', '9a.png = 9b.png']
    records = {record.file_name: record.points
               for record in read_point_file(tmp_path / 'clean.json').records}
    assert records['0a.png'] == [(20., 30.)] and records['0b.png'] == [(60., 30.)]
    advice = {problem.kind: problem.advice for problem in report.problems}
    assert advice['copies within a split'] == '--fix leaves copies out whose findings are the same'


def test_classes_of_copies_are_compared_by_name(data, tmp_path):
    """Splits may number their classes in their own order."""
    data.fill()
    for split, categories in (('train', ('fracture', 'mass')), ('test', ('mass', 'fracture'))):
        data.contents[split]['categories'] = [
            dict(id=number, name=name) for number, name in enumerate(categories, 1)]
        for number in range(2):
            data.add(split, [(20, 30)], pixels=make_picture(70 + number), name=f'{split}{number}.png')
            data.contents[split]['annotations'][-1]['category_id'] = (
                1 + (split == 'test' and number == 0))
    fixed = write_fixed(data.check(), tmp_path / 'clean')
    assert fixed.changes['exact copies left out'] == ['test0.png (test) = train0.png (train)']
    assert fixed.unchanged == ['train1.png (train) = test1.png (test)']


def test_groups_move_to_the_split_that_has_most_of_them(data, tmp_path):
    data.fill()
    for split, number in (('train', 1), ('test', 2), ('val', 1)):
        for index in range(number):
            # Image and annotation ids that another split has as well.
            data.add(split, [(index + 1, 7)], group='g', name=f'{split}{index}.png')
    moved = data.contents['val']['images'][-1]
    taken = data.contents['test']['images'][0]
    for annotation in data.contents['val']['annotations']:
        if annotation['image_id'] == moved['id']:
            annotation.update(image_id=taken['id'],
                              id=data.contents['test']['annotations'][0]['id'])
    moved['id'] = taken['id']
    data.add('train', group='h', name='h1.png')
    data.add('test', group='h', name='h2.png')  # one each: the first split
    fixed = write_fixed(data.check(), tmp_path / 'clean')
    assert sorted(fixed.changes['images of divided patients moved']) == [
        'h2.png (test) to train', 'train0.png (train) to test', 'val0.png (val) to test']
    homes = {record.file_name: (split, record.points) for split in ('train', 'val', 'test')
             for record in read_point_file(tmp_path / f'clean/annotations/{split}.json').records}
    assert len(homes) == 26
    assert homes['train0.png'] == homes['val0.png'] == ('test', [(1., 7.)])
    assert homes['test1.png'] == ('test', [(2., 7.)]) and homes['h2.png'] == ('train', [])


def test_names_of_divided_files_and_a_second_check(data, tmp_path):
    data.fill()
    data.add('train', group='g')
    data.add('test', [(3, 3)], group='g')
    fixed = write_fixed(data.check(), tmp_path / 'clean.json')
    assert [path.name for path in fixed.paths] == ['clean_train.json', 'clean_val.json',
                                                   'clean_test.json']
    again = write_fixed(data.check(), tmp_path / 'folder')
    from mmwindow.apis.doctor.check_data import check_data
    report = check_data(tmp_path / 'folder')
    assert not [problem for problem in report.problems if problem.kind == 'divided patients']
    assert again.changes == fixed.changes and report.status == 0


def test_clean_data_are_copied_as_they_are(single, tmp_path):
    single.fill()
    fixed = write_fixed(single.check(), tmp_path / 'clean.json')
    assert not fixed.changes and 'nothing had to be changed' in fixed.lines()[1]
    source, written = (load_point_json(path) for path in (single.folder / 'points.json',
                                                          tmp_path / 'clean.json'))
    written.pop('info')
    assert written == source


@pytest.mark.parametrize('option', ['--fix', '--json'])
@pytest.mark.parametrize('link', ['same', 'symbolic', 'hard'])
def test_a_source_is_never_overwritten(single, tmp_path, option, link, capsys):
    single.fill()
    path = single.write()
    target = path if link == 'same' else tmp_path / 'link.json'
    if link == 'symbolic':
        target.symlink_to(path)
    elif link == 'hard':
        os.link(path, target)
    before = snapshot(single.folder)
    with pytest.raises(SystemExit) as caught:
        run_command(check, 'mmwindow check', [str(path), option, str(target)])
    assert caught.value.code == 1 and 'never overwritten' in capsys.readouterr().err
    assert snapshot(single.folder) == before


def test_a_split_of_a_data_folder_is_never_overwritten(data, capsys):
    data.fill()
    path = data.write()
    for target in (path, path / 'annotations/val.json', path / 'annotations' / 'x.json'):
        if target.name == 'x.json':  # its parts would be x_train.json: allowed
            continue
        with pytest.raises(SystemExit):
            run_command(check, 'mmwindow check', [str(path), '--fix', str(target)])
        assert 'never overwritten' in capsys.readouterr().err


def test_nothing_left_is_an_error_and_no_file(single, tmp_path):
    single.add(content=b'')
    report = single.check()
    with pytest.raises(ValueError, match='would be left'):
        write_fixed(report, tmp_path / 'clean.json')
    assert not (tmp_path / 'clean.json').exists()
    assert json.loads((single.folder / 'points.json').read_text())['images']
