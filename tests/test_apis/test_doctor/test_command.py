"""The command: exit status, files, speed with many rows, processes that die, no torch."""
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mmwindow.apis.commands import check
from mmwindow.apis.doctor import reading
from mmwindow.apis.doctor.check_data import CheckSettings, check_data
from mmwindow.apis.doctor.image_facts import measure_image
from mmwindow.apis.doctor.picture_hash import similar_pairs
from mmwindow.images.decode import ImageSettings
from mmwindow.utils.command_line import run_command

from .conftest import Silent, encode, make_picture
from .dying_process import read_or_die

ROOT = Path(__file__).parents[3]


def call(*arguments):
    """Return the exit status of a call in this process."""
    try:
        run_command(check, 'mmwindow check', [str(argument) for argument in arguments])
    except SystemExit as stop:
        return stop.code
    return 0


def test_warnings_exit_with_0_and_impossible_trainings_with_1(data, tmp_path, capsys):
    data.fill()
    data.add('test', group='p1')  # a divided patient is a warning
    assert call(data.write()) == 0
    output = capsys.readouterr()
    assert 'warning: divided patients' in output.out and 'training is possible' in output.out
    data.add('train', content=b'', name='empty.png')
    files = [tmp_path / name for name in ('report.json', 'report.html', 'clean.json')]
    assert call(data.write(), '--json', files[0], '--html', files[1], '--fix', files[2]) == 1
    assert json.loads(files[0].read_text())['status'] == 1
    assert '<title>Data check: data</title>' in files[1].read_text()
    assert '1 image that cannot be read left out' in capsys.readouterr().out
    assert (tmp_path / 'clean_train.json').is_file()


@pytest.mark.parametrize('arguments, words', [
    (['nowhere'], 'no such file'), (['DATA', '--json', 'x.txt'], '.json'),
    (['DATA', '--html', 'x.png'], '.html'), (['DATA', '--images', 'nowhere'], 'folder of images'),
    (['DATA', '--runs', 'nowhere'], 'no record'), (['DATA', '--processes', '0'], 'at least one'),
    (['DATA', '--bit-depth', '8'], 'bit_depth'), (['DATA/points.json', '--fix', 'out'], '.json')])
def test_bad_usage_is_one_line(single, arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    single.fill()
    single.write()
    arguments = [argument.replace('DATA', str(single.folder)) for argument in arguments]
    assert call(*arguments) == 1
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and words in error


def test_several_processes_see_what_one_sees(data):
    data.fill()
    paths = [image.path for image in data.check().checkup.images]
    one, two = (reading.read_images(paths, None, number, Silent()) for number in (1, 2))
    assert (one.thumbnails == two.thumbnails).all() and two.num_processes == 2
    for first, second in zip(one.facts, two.facts, strict=True):
        assert (first.file_checksum, first.hash, first.levels.tolist(), first.border.tolist()) == (
            second.file_checksum, second.hash, second.levels.tolist(), second.border.tolist())


def test_an_image_at_which_the_process_dies_is_named_and_the_others_are_read(data, monkeypatch):
    """A decoder's crash ends its process: that must not end the check, nor blame other images."""
    data.fill()
    paths = [image.path for image in data.check().checkup.images]
    monkeypatch.setattr(reading, 'CHUNK', 4)
    monkeypatch.setattr(reading, '_read_chunk', read_or_die)
    read = reading.read_images(paths, None, 2, Silent())
    assert [bool(facts.problem) for facts in read.facts] == [path.name == '0003.png'
                                                             for path in paths]
    assert 'process' in read.facts[2].problem


def test_where_no_process_can_start_images_are_read_here(data, monkeypatch):
    """As in a script without `if __name__ == '__main__'`: it tried each image for ever."""
    data.fill()
    paths = [image.path for image in data.check().checkup.images]
    monkeypatch.setattr(reading, 'CHUNK', 4)
    monkeypatch.setattr(reading, '_run_chunks', run_nothing)
    monkeypatch.setattr(reading, 'can_start_processes', lambda: False)
    read = reading.read_images(paths, None, 2, Silent())
    assert not [facts.problem for facts in read.facts if facts.problem]


def run_nothing(chunks, *_):
    yield from ()
    return list(chunks)


@pytest.mark.long
def test_a_hundred_thousand_rows_take_a_minute_at_most(single, find):
    """Point file, points and copies; images are few. One pass over pairs of rows would take hours."""
    for number in range(40):
        single.add(points=[(5 + number, 7)] if number % 2 else [])
    content = single.contents['']
    first = content['images'][1]
    content['annotations'] += [dict(
        id=10 ** 6 + number, image_id=first['id'], category_id=1, num_keypoints=1,
        keypoints=[number % 80, number // 1300, 2]) for number in range(100_000)]
    content['images'] += [dict(first, id=10 ** 6 + number, file_name=f'gone{number}.png',
                               group=f'g{number}') for number in range(5_000)]
    start = time.process_time()
    report = single.check()
    assert time.process_time() - start < 60
    assert len(find(report, 'missing images').items) == 5_000
    assert report.tables[0].rows[1][6] == '100020'


def test_pairs_of_many_hashes_need_bounded_memory():
    hashes = np.random.default_rng(0).integers(0, 2 ** 64, 6_000, dtype=np.uint64)
    hashes[-1] = hashes[0]
    thumbnails = np.zeros((1, 128, 128), np.uint8)
    thumbnails[0, :64] = 200
    pairs, _ = similar_pairs(hashes, np.broadcast_to(thumbnails, (6_000, 128, 128)))
    assert [pair[:2] for pair in pairs] == [(0, 5_999)]


def test_unreadable_memory_hungry_images_are_a_problem_not_an_end(tmp_path):
    path = tmp_path / 'a.png'
    path.write_bytes(encode(make_picture(1)))
    facts = measure_image(path, ImageSettings(max_pixels=100))
    assert 'max_pixels' in facts.problem and (facts.height, facts.width) == (0, 0)


def test_the_check_loads_no_torch(single):
    single.fill({'': 60})
    code = (f'import sys\nfrom mmwindow import cli\n'
            f'try:\n    cli.main(["check", {str(single.write())!r}, "--html", '
            f'{str(single.folder / "r.html")!r}])\nexcept SystemExit:\n    pass\n'
            'print(sorted({"torch", "mmengine", "mmcv", "mmdet"} & set(sys.modules)))')
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True,
                          text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines()[-1] == '[]' and (single.folder / 'r.html').is_file()


def test_fracatlas_has_copies_with_both_labels(fracatlas, tmp_path):
    """What the release itself holds: IMG0002998 and IMG0004280 are one file under two labels."""
    content = json.loads((fracatlas / 'fractures.json').read_text())
    names = {'IMG0002998.jpg', 'IMG0004280.jpg', 'IMG0000010.jpg'}
    images = [image for image in content['images'] if image['file_name'] in names]
    ids = {image['id'] for image in images}
    (tmp_path / 'points.json').write_text(json.dumps(dict(
        content, images=images, annotations=[entry for entry in content['annotations']
                                             if entry['image_id'] in ids])))
    report = check_data(tmp_path / 'points.json', CheckSettings(images=fracatlas / 'images'),
                        Silent())
    problem, = (problem for problem in report.problems if problem.kind == 'copies across labels')
    assert problem.items == ('IMG0002998.jpg = IMG0004280.jpg: equal bytes', )
