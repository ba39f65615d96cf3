"""Copies of images: those of the point file next to them, whatever ends an import."""
import json
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mmwindow.annotations.importers import image_copies
from mmwindow.annotations.importers.assemble import AssemblySettings
from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.annotation_files import OutputSettings, import_annotations

ANONYMOUS = OutputSettings(copy=True, anonymous_names=True)
NUM = 4


@pytest.fixture
def home(tmp_path):
    """Images whose grey level is the x of their point, and their table."""
    (tmp_path / 'images').mkdir()
    for number in range(NUM):
        Image.new('L', (50, 40), number + 10).save(tmp_path / 'images' / f'{number}.png')
    write_table(tmp_path, range(NUM))
    return tmp_path


def write_table(home, order):
    rows = ''.join(f'{number}.png,{number + 10},5\n' for number in order)
    (home / 'a.csv').write_text(f'image,x,y\n{rows}')


def check_pictures(out, num=NUM):
    """Check that each picture is that of its point, and that there is no other."""
    records = read_point_file(out / 'points.json').records
    pictures = {path.name: np.array(Image.open(path)) for path in (out / 'images').iterdir()}
    assert set(pictures) == {record.file_name for record in records} and len(records) == num
    for record in records:
        assert (pictures[record.file_name] == record.points[0][0]).all()


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob('*')
            if path.is_file()}


def interrupt(*arguments):
    raise KeyboardInterrupt


def fill_disk(*arguments):
    raise OSError(28, 'No space left on device')


@pytest.mark.parametrize('output, name', [(ANONYMOUS, 'write_plain_image'),
                                          (OutputSettings(copy=True), 'shutil.copyfile')])
@pytest.mark.parametrize('end', [interrupt, fill_disk])
def test_an_import_that_ends_early_leaves_the_earlier_one_as_it_was(home, output, name, end,
                                                                    monkeypatch):
    import_annotations(home / 'a.csv', home / 'out', home / 'images', copy=output)
    check_pictures(home / 'out')
    before = files_of(home / 'out')
    for number in range(NUM):  # of the same names, another content
        Image.new('L', (50, 40), 99).save(home / 'images' / f'{number}.png')
    write_table(home, reversed(range(NUM)))
    do, calls = getattr(image_copies, name.removeprefix('shutil.'), None), []
    do = do or image_copies.shutil.copyfile

    def write(*arguments):
        calls.append(arguments)
        return (end if len(calls) == NUM else do)(*arguments)

    monkeypatch.setattr(f'{image_copies.__name__}.{name}', write)
    for out in ('out', 'new'):
        calls.clear()
        with pytest.raises((KeyboardInterrupt, OSError)):
            import_annotations(home / 'a.csv', home / out, home / 'images', copy=output)
        assert len(calls) == NUM
    assert files_of(home / 'out') == before and not (home / 'new').exists()


def test_a_damaged_image_leaves_the_earlier_import_as_it_was(home):
    import_annotations(home / 'a.csv', home / 'out', home / 'images', copy=ANONYMOUS)
    before = files_of(home / 'out')
    path = home / 'images' / '0.png'
    noise = np.random.default_rng(0).integers(0, 255, (40, 50), np.uint8)
    Image.fromarray(noise).save(path, 'JPEG')
    path.write_bytes(path.read_bytes()[:1000])  # its header is there
    write_table(home, reversed(range(NUM)))
    with pytest.raises(ValueError, match='0.png.*damaged'):
        import_annotations(home / 'a.csv', home / 'out', home / 'images', copy=ANONYMOUS)
    assert files_of(home / 'out') == before
    check_pictures(home / 'out')


def test_while_images_take_their_places_there_is_no_point_file(home, monkeypatch):
    import_annotations(home / 'a.csv', home / 'out', home / 'images', copy=ANONYMOUS)
    write_table(home, reversed(range(NUM)))
    replace = os.replace
    monkeypatch.setattr('os.replace', lambda part, path: (
        interrupt() if path == home / 'out' / 'images' / '000003.png' else replace(part, path)))
    with pytest.raises(KeyboardInterrupt):
        import_annotations(home / 'a.csv', home / 'out', home / 'images', copy=ANONYMOUS)
    assert not (home / 'out' / 'points.json').exists()


def test_images_that_are_no_longer_there_are_not_given_away(home):
    import_annotations(home / 'a.csv', home / 'out', home / 'images', copy=ANONYMOUS)
    write_table(home, [2, 1])
    import_annotations(home / 'a.csv', home / 'out', home / 'images', copy=ANONYMOUS)
    check_pictures(home / 'out', num=2)
    assert sorted(files_of(home / 'out')) == ['images/000001.png', 'images/000002.png', 'points.json']


def test_anonymous_images_do_not_take_the_places_of_their_sources(home):
    for number in range(NUM):  # as an earlier import names them
        (home / 'images' / f'{number}.png').rename(home / 'images' / f'00000{number}.png')
    for images in (home / 'images', home):
        with pytest.raises(ValueError, match='the images lie in --out'):
            import_annotations(home / 'a.csv', home, images, copy=ANONYMOUS)
    assert len(list((home / 'images').iterdir())) == NUM


@pytest.mark.parametrize('out, settings', [
    ('images/out', OutputSettings(copy=True)), ('images/out', ANONYMOUS),
    ('images', OutputSettings(copy=True))])
def test_copies_of_an_earlier_import_are_no_negative_images(home, out, settings):
    write_table(home, [0, 1])
    for _ in range(2):
        report = import_annotations(home / 'a.csv', home / out, home / 'images', copy=settings,
                                    settings=AssemblySettings(unlisted='negative'))
        assert (report.num_images, report.num_positives) == (NUM, 2)
    assert len(list((home / out / 'images').iterdir())) == NUM
    report = import_annotations(home / 'a.csv', home / out, home / 'images', copy=settings)
    assert report.num_images == 2 and sorted(report.counts.values()) == [NUM - 2]


def test_a_name_in_the_output_folder_is_said_to_be_there(home):
    out = home / 'images' / 'out'
    out.mkdir()
    (home / 'images' / '0.png').rename(out / '0.png')
    with pytest.raises(ValueError, match=r"'0.png' is not among the 3 .*out is --out, and not"):
        import_annotations(home / 'a.csv', out, home / 'images')


def test_images_that_lie_where_copies_go_stay(home):
    report = import_annotations(home / 'a.csv', home, home / 'images', copy=True)
    check_pictures(home)
    assert json.loads(report.path.read_text())['info']['images_folder'] == 'images'


def test_an_image_that_is_too_large_is_told_without_an_option_that_there_is_not(home):
    """mmwindow import has no config and no --max-pixels."""
    path = home / 'images/2.png'
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack('>II', 20000, 20000)  # of IHDR
    content[29:33] = struct.pack('>I', zlib.crc32(content[12:29]))
    path.write_bytes(content)
    with pytest.raises(ValueError) as error:
        import_annotations(home / 'a.csv', home / 'out')
    assert str(error.value) == (
        f'{path}: 20000 x 20000 are 400000000 pixels, more than the limit of 200000000; scale it '
        'down first, or leave it out')
    assert not (home / 'out').exists()


def test_a_dark_image_is_told_what_to_do_without_an_option(home):
    """White as 0 with 16 bits is turned round, for which the bits that count must be known."""
    path, tag = home / 'images/x.tif', struct.pack('<HHI', 262, 3, 1)  # PhotometricInterpretation
    Image.fromarray(np.full((40, 50), 4000, np.uint16)).save(path)
    path.write_bytes(path.read_bytes().replace(tag + b'\1', tag + b'\0'))
    (home / 'a.csv').write_text('image,x,y\nx.tif,3,4\n')
    with pytest.raises(ValueError) as error:
        import_annotations(home / 'a.csv', home / 'out', copy=ANONYMOUS)
    assert str(error.value) == (
        f'{path}: 16-bit pixels reach 4000 only, so that they are probably of 10, 12 or 14 bits; '
        'scale its values to 16 bits first, or leave it out')
