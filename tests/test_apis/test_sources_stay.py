"""No command that writes next to a point file overwrites what it reads."""
import json
import os

import pytest
from PIL import Image

from mmwindow import cli
from mmwindow.datasets.splits import write_parts

NUM = 40


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A point file of 40 images of 20 patients, also as train.json and fold1/val.json."""
    content = dict(
        images=[dict(id=number, file_name=f'{number}.png', height=9, width=9, group=number // 2)
                for number in range(NUM)],
        annotations=[dict(id=number, image_id=number, category_id=1, keypoints=[4, 4, 2],
                          num_keypoints=1) for number in range(0, NUM, 4)],
        categories=[dict(id=1, name='fracture')])
    text = json.dumps(content)
    (tmp_path / 'fold1').mkdir()
    (tmp_path / 'images').mkdir()
    for number in range(NUM):
        Image.new('L', (9, 9)).save(tmp_path / 'images' / f'{number}.png')
    for name in ('points.json', 'train.json', 'fold1/val.json'):
        (tmp_path / name).write_text(text)
    (tmp_path / 'a.csv').write_text('image,x,y,sex\n0.png,4,4,F\n')
    os.link(tmp_path / 'points.json', tmp_path / 'other.json')
    part = dict(content, images=content['images'][:2], annotations=content['annotations'][:1])
    (tmp_path / 'test.json').write_text(json.dumps(part))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob('*')
            if path.is_file()}


@pytest.mark.parametrize('arguments', [
    'annotations export points.json --format csv --out points.json',
    'annotations export points.json --format coco --out other.json',
    'annotations export points.json --format csv --out ./images/../points.json',
    'splits points.json --out points.json',
    'splits points.json --out other.json',
    'splits train.json --single --out .',
    'splits fold1/val.json --out folds.json --files .',
    'import points.json --images images --out .',
    'import a.csv --images images --out new --table test.csv --fields age --copy --anonymous-names '
    '--names-table test.csv',
    'compare a b --images points.json --out points.png',
    'test config.py weights.pth --data points.json --out points.npz'])
def test_a_source_is_never_overwritten(home, arguments, capsys):
    (home / 'test.csv').write_text('image,age\n0.png,60\n')
    before = files_of(home)
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments.split())
    error = capsys.readouterr().err
    option = ('--files' if '--files' in arguments else '--names-table' if '--names' in arguments
              else '--out')
    assert caught.value.code == 1 and error.count('\n') == 1
    assert f': {option} ' in error and 'never overwritten; choose another name' in error
    assert files_of(home) == before


@pytest.mark.parametrize('arguments', ['--out dev/points.json', '--out dev/test.json',
                                       '--single --out dev'])
def test_the_images_to_leave_out_and_the_others_are_never_overwritten(home, arguments, capsys):
    (home / 'dev').mkdir()
    (home / 'test.json').rename(home / 'dev' / 'test.json')
    (home / 'points.json').unlink()  # with --single the others are written there
    before = files_of(home)
    with pytest.raises(SystemExit):
        cli.main(['splits', 'train.json', '--without', 'dev/test.json', *arguments.split()])
    assert 'never overwritten' in capsys.readouterr().err
    assert {key: value for key, value in files_of(home).items() if key in before} == before


def test_parts_of_a_point_file_do_not_take_its_place(home):
    before = files_of(home)
    parts = dict(val={}, train={})
    with pytest.raises(ValueError, match='train.json: this is a file that is read'):
        write_parts(home, parts, home / 'train.json')
    assert files_of(home) == before
