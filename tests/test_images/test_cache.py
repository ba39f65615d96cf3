"""The cache gives the pixels that decoding gives, or nothing: never others, and nobody's name."""
import errno
import multiprocessing
import os
import pickle
import re
import runpy
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mmwindow.annotations.point_file import ImageRecord
from mmwindow.images import cache as cache_module
from mmwindow.images import cache_space, fitted_reader
from mmwindow.images.cache import ImageCache, decoder_mark, default_folder, digest, file_stamp
from mmwindow.images.cache_entry import HEAD_BYTES
from mmwindow.images.decode import ImageSettings
from mmwindow.images.file_check import check_image_files
from mmwindow.images.fitted_reader import FittedReader, make_cache
from mmwindow.images.fitting import read_fitted

CELLS = runpy.run_path(str(Path(__file__).with_name('test_formats.py')))['CELLS']
READ = [cell for cell in CELLS if not isinstance(cell.expected, str)]
NAME, PATIENT, BIRTH = 'Mustermann^Erika', 'PID-4711', '19700228'


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    """Trust the stamps of files that were written this moment."""
    monkeypatch.setattr(cache_module, 'SETTLED', -1.)


@pytest.fixture
def reader(tmp_path):
    return FittedReader((16, 24), cache=ImageCache(tmp_path / 'Zwischen lager ü'), keeps_all=True)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / 'a.png'
    Image.fromarray(noise()).save(path)
    return path


def noise(seed=0, shape=(60, 48)):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def entries(reader):
    return sorted((reader.cache.folder / 'pixels').glob('*/*'))


def no_decoding(monkeypatch):
    def fail(*args):
        raise AssertionError('it was decoded')
    monkeypatch.setattr(fitted_reader, 'decode_image', fail)


def same(image, other):
    return (np.array_equal(image.pixels, other.pixels) and image.source_shape == other.source_shape
            and image.orientation == other.orientation)


@pytest.mark.parametrize('size', [(4, 5), (64, 96)])
def test_every_format_comes_back_as_it_was_decoded(files, tmp_path, size, monkeypatch):
    """All rows of the table of docs/images.md, turned and 16-bit ones too; shrunk and as they are."""
    cache = ImageCache(tmp_path / 'cache')
    made = []
    for number, cell in enumerate(READ):
        path = tmp_path / f'{number}.dat'
        path.write_bytes(cell.build(files))
        reader = FittedReader(size, ImageSettings(cell.bit_depth), cache, keeps_all=True)
        expected = read_fitted(path, size, ImageSettings(cell.bit_depth))
        assert same(reader.read(path), expected), cell.what
        made.append((reader, path, expected))
    no_decoding(monkeypatch)
    for reader, path, expected in made:
        image = reader.read(path)
        assert same(image, expected), path
        assert image.pixels.flags.writeable
    assert cache.num_found >= len(READ) and cache.num_damaged == 0


def test_a_found_image_is_not_even_read(reader, path, monkeypatch):
    expected = reader.read(path)
    monkeypatch.setattr(fitted_reader, 'read_bytes', lambda *args: pytest.fail('it was read'))
    assert same(reader.read(path), expected)


def test_the_same_content_under_another_name_is_found(reader, path, tmp_path, monkeypatch):
    expected = reader.read(path)
    other = tmp_path / 'b' / 'c.png'
    other.parent.mkdir()
    other.write_bytes(path.read_bytes())
    no_decoding(monkeypatch)
    assert same(reader.read(other), expected) and len(entries(reader)) == 1
    monkeypatch.setattr(fitted_reader, 'read_bytes', lambda *args: pytest.fail('it was read'))
    assert same(reader.read(other), expected)


def test_a_changed_file_of_equal_size_and_time_is_decoded_again(reader, tmp_path):
    path = tmp_path / 'a.bmp'
    Image.fromarray(noise(1)).save(path)
    state = path.stat()
    reader.read(path)
    content = path.read_bytes()
    Image.fromarray(noise(2)).save(path)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert path.stat().st_size == state.st_size and path.stat().st_mtime_ns == state.st_mtime_ns
    assert same(reader.read(path), read_fitted(path, reader.input_size))
    path.write_bytes(content)
    assert same(reader.read(path), read_fitted(path, reader.input_size))


def test_the_stamp_of_a_file_that_has_just_changed_is_not_trusted(reader, path, monkeypatch):
    """A second change within the resolution of the file system's times would not show."""
    monkeypatch.setattr(cache_module, 'SETTLED', 10.)
    reader.read(path)
    assert not list((reader.cache.folder / 'sources').glob('*/*'))
    no_decoding(monkeypatch)
    reader.read(path)  # by its content
    later = time.time() + 60
    monkeypatch.setattr(cache_module.time, 'time', lambda: later)
    reader.read(path)
    assert len(list((reader.cache.folder / 'sources').glob('*/*'))) == 1


def test_a_file_that_changes_while_it_is_read_leaves_no_record(reader, path, monkeypatch):
    read = fitted_reader.read_bytes

    def read_and_change(*args):
        content = read(*args)
        Image.fromarray(noise(5)).save(path)
        return content
    monkeypatch.setattr(fitted_reader, 'read_bytes', read_and_change)
    reader.read(path)
    assert not list((reader.cache.folder / 'sources').glob('*/*'))
    monkeypatch.setattr(fitted_reader, 'read_bytes', read)
    assert same(reader.read(path), read_fitted(path, reader.input_size))


def test_other_settings_sizes_and_versions_find_nothing(reader, tmp_path):
    path = tmp_path / 'a.png'
    Image.fromarray(noise().astype(np.uint16) * 16).save(path)
    ways = [replace(reader, settings=ImageSettings(bits), input_size=size)
            for bits in (12, 16) for size in ((16, 24), (24, 16), (16, 25))]
    for number, way in enumerate(ways, start=1):
        assert same(way.read(path), read_fitted(path, way.input_size, way.settings))
        assert len(entries(reader)) == number
    other = ImageCache(reader.cache.folder.parent)
    other.mark += '.'
    assert replace(ways[0], cache=other).locate(path).key != ways[0].locate(path).key
    replace(ways[0], cache=other).read(path)
    assert len(entries(reader)) == len(ways) + 1


def test_the_mark_changes_with_code_and_libraries(monkeypatch):
    before = decoder_mark()
    for name, value in (('version', lambda name: '99.0'), ('code_mark', lambda *args: 'other')):
        with monkeypatch.context() as patch:
            patch.setattr(cache_module, name, value)
            assert decoder_mark.__wrapped__() != before
    assert decoder_mark.__wrapped__() == before and 'numpy' in before and 'simplejpeg' in before


def test_the_limit_of_pixels_holds_for_what_is_in_the_cache(reader, path):
    reader.read(path)
    with pytest.raises(ValueError, match='a.png: .*max_pixels'):
        replace(reader, settings=ImageSettings(max_pixels=2879)).read(path)


@pytest.mark.parametrize('damage', [
    lambda data: b'', lambda data: data[:20], lambda data: data[:-1], lambda data: data + b'\0',
    lambda data: data[:HEAD_BYTES + 5] + bytes([data[HEAD_BYTES + 5] ^ 1]) + data[HEAD_BYTES + 6:],
    lambda data: data[:45] + bytes([data[45] ^ 1]) + data[46:], lambda data: bytes(len(data)),
    lambda data: b'X' + data[1:], lambda data: data[:HEAD_BYTES]])
def test_a_damaged_entry_is_made_again(reader, path, damage):
    expected = reader.read(path)
    entry, = entries(reader)
    good = entry.read_bytes()
    entry.write_bytes(damage(good))
    assert same(reader.read(path), expected)
    assert reader.cache.num_damaged >= 1 and entry.read_bytes() == good
    assert same(reader.read(path), expected)


def test_every_changed_byte_of_a_head_is_seen(reader, path):
    reader.read(path)
    entry, = entries(reader)
    good, key = entry.read_bytes(), bytes.fromhex(entry.name)
    for place in range(HEAD_BYTES):
        data = bytearray(good)
        data[place] ^= 1 << place % 8
        entry.write_bytes(data)
        assert reader.cache.find_head(key) is None
    entry.write_bytes(good)
    assert reader.cache.find_head(key).source_shape == (60, 48)


def test_an_entry_or_record_under_another_name_is_none(reader, path, tmp_path):
    reader.read(path)
    other = tmp_path / 'b.png'
    Image.fromarray(noise(3)).save(other)
    reader.read(other)
    for kind in ('pixels', 'sources'):
        one, two = sorted((reader.cache.folder / kind).glob('*/*'))
        one.write_bytes(two.read_bytes())
        for each in (path, other):
            assert same(reader.read(each), read_fitted(each, reader.input_size))


def write_often(reader, path, barrier, results):
    barrier.wait()
    images = []
    for _ in range(20):
        images.append(reader.read(path))
        for entry in (reader.cache.folder / 'pixels').glob('*/*'):
            entry.unlink(missing_ok=True)
    results.put([image.pixels.tobytes() for image in images])


def test_processes_that_write_and_drop_one_entry_see_complete_ones(reader, path):
    context = multiprocessing.get_context('fork')
    barrier, results = context.Barrier(4), context.Queue()
    workers = [context.Process(target=write_often, args=(reader, path, barrier, results))
               for _ in range(4)]
    for worker in workers:
        worker.start()
    pixels = {image for _ in workers for image in results.get(timeout=60)}
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert pixels == {read_fitted(path, reader.input_size).pixels.tobytes()}
    assert not list(reader.cache.folder.rglob('*.part'))


def test_a_folder_that_cannot_be_written_costs_the_cache_alone(path, tmp_path):
    (tmp_path / 'file').write_text('')
    reader = FittedReader((16, 24), cache=ImageCache(tmp_path / 'file'), keeps_all=True)
    for _ in range(2):
        assert same(reader.read(path), read_fitted(path, reader.input_size))
    assert 'takes no more' in reader.cache.problem and 'MMWINDOW_CACHE' in reader.cache.problem
    assert str(path) not in reader.cache.problem


def test_a_full_disk_costs_the_cache_alone(reader, path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, 'No space left on device')
    with monkeypatch.context() as patch:
        patch.setattr('mmwindow.utils.files.os.replace', full)
        assert same(reader.read(path), read_fitted(path, reader.input_size))
    assert 'No space left' in reader.cache.problem and not list(reader.cache.folder.rglob('.*.part'))
    other = replace(reader, cache=ImageCache(reader.cache.folder.parent))
    monkeypatch.setattr(cache_space.shutil, 'disk_usage', lambda path: SimpleNamespace(
        free=cache_space.FREE_SPACE))
    other.read(path)
    assert 'end of the disk' in other.cache.problem and not entries(other)


def fill(folder, count, limit, tmp_path):
    """Return a cache into which so many entries of 2,500 bytes were put."""
    cache = ImageCache(folder, limit)
    for number in range(count):
        path = tmp_path / f'{number}.png'
        if not path.exists():
            Image.fromarray(noise(number, (50, 50))).save(path)
        FittedReader((64, 64), cache=cache, keeps_all=True).read(path)
    return cache


def test_what_is_in_use_stays_when_the_cache_is_full(tmp_path):
    """A data set larger than the limit would else drop what the next epoch reads."""
    cache = fill(tmp_path / 'c', 8, 10_000, tmp_path)
    size = cache_space.measure(cache.folder)
    assert size.num_entries == 3 and 7_500 < size.num_bytes <= 10_000
    assert 'its limit' in cache.problem


def test_what_was_not_used_for_a_day_goes_first(tmp_path):
    cache = fill(tmp_path / 'c', 3, 10_000, tmp_path)
    old = sorted((cache.folder / 'pixels').glob('*/*'))
    for number, entry in enumerate(old):
        os.utime(entry, (0, time.time() - 90_000 + number))
    left = cache.folder / 'pixels' / 'ab' / f'.{"ab" * 32}.{"0" * 12}.part'
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(bytes(100))
    os.utime(left, (0, 0))
    cache = fill(tmp_path / 'c', 5, 10_000, tmp_path)  # the first three are found, and used
    assert cache.problem and len(list((cache.folder / 'pixels').glob('*/*'))) == 3
    for entry in old:
        os.utime(entry, (0, time.time() - 90_000))
    Image.fromarray(noise(77, (50, 50))).save(tmp_path / 'new.png')
    cache = ImageCache(tmp_path / 'c', 10_000)
    FittedReader((64, 64), cache=cache, keeps_all=True).read(tmp_path / 'new.png')
    assert not cache.problem and not left.exists()
    assert cache_space.measure(cache.folder).num_bytes <= 10_000


def test_clearing_takes_away_what_is_ours_alone(tmp_path):
    cache = fill(tmp_path / 'c', 2, 10 ** 6, tmp_path)
    foreign = [cache.folder / 'pixels' / 'notes.txt', cache.folder / 'pixels' / 'ab' / 'a.png']
    for place in foreign:
        place.parent.mkdir(exist_ok=True)
        place.write_text('mine')
    assert cache_space.clear(cache.folder).num_entries == 2
    assert cache_space.measure(cache.folder) == (0, 0)
    assert all(place.read_text() == 'mine' for place in foreign)
    assert cache_space.clear(tmp_path / 'none') == (0, 0)
    with pytest.raises(ValueError, match='no cache of mmwindow'):
        cache_space.clear(tmp_path)


def test_dicom_is_kept_by_itself_and_others_when_asked(files, path, tmp_path):
    dicom = tmp_path / 'b.dat'
    dicom.write_bytes(files.dicom(noise()))
    for setting, kept in ((None, 1), (True, 2), (False, 0), (str(tmp_path / 'own'), 2)):
        cache = make_cache(setting)
        if setting in (None, True):
            cache = ImageCache(tmp_path / str(setting))
        reader = FittedReader((16, 24), cache=cache, keeps_all=bool(setting))
        for each in (dicom, path):
            assert same(reader.read(each), read_fitted(each, reader.input_size))
        assert (len(entries(reader)) if cache else 0) == kept
    assert (tmp_path / 'own' / 'images' / 'CACHEDIR.TAG').is_file()
    for setting in (1, '', b'no', 2.5):
        with pytest.raises(ValueError, match='cache is'):
            make_cache(setting)


def test_nobody_is_named(files, tmp_path):
    """Neither bytes nor names of files of the cache hold what names somebody."""
    path = tmp_path / 'Mustermann_Erika_1970' / 'PID-4711 wrist.dcm'
    path.parent.mkdir()
    path.write_bytes(files.dicom(noise(), elements={
        0x00100010: ('PN', NAME), 0x00100020: ('LO', PATIENT), 0x00100030: ('DA', BIRTH),
        0x00080020: ('DA', '20240131'), 0x00080018: ('UI', '1.2.3.4711')}))
    reader = FittedReader((64, 64), cache=ImageCache(tmp_path / 'cache'))
    reader.read(path)
    reader.read(path)
    assert reader.cache.num_found == 1
    found = list((tmp_path / 'cache').rglob('*'))
    text = b'\n'.join(str(place.relative_to(tmp_path)).encode() + (
        place.read_bytes() if place.is_file() else b'') for place in found)
    for word in (NAME, 'Mustermann', 'Erika', PATIENT, BIRTH, '20240131', '4711', 'wrist', '1970'):
        assert word.encode() not in text and word.encode('utf-16-le') not in text
    assert len([place for place in found if place.is_file()]) == 3
    assert all(re.fullmatch('CACHEDIR.TAG|[0-9a-f]{2}|[0-9a-f]{64}|images|pixels|sources', place.name)
               for place in found)
    assert (tmp_path / 'cache' / 'images').stat().st_mode & 0o077 == 0


def test_the_check_of_a_data_set_fills_the_cache_and_decodes_nothing_twice(
        reader, path, tmp_path, monkeypatch):
    from mmwindow.images import file_check
    damaged = tmp_path / 'b.png'
    damaged.write_bytes(path.read_bytes()[:-200])
    records = [ImageRecord(1, 'a.png', 60, 48, (), ()), ImageRecord(2, 'b.png', 60, 48, (), ()),
               ImageRecord(3, 'none.png', 60, 48, (), ())]
    first = check_image_files(records, tmp_path, reader=reader)
    assert sorted(first.problems) == ['b.png', 'none.png'] and len(entries(reader)) == 1
    no_decoding(monkeypatch)
    reader.read(path)  # of the first epoch
    monkeypatch.setattr(file_check, 'decode_image', lambda *args: pytest.fail('decoded again'))
    assert check_image_files(records[:1], tmp_path, reader=reader).problems == {}
    other = [ImageRecord(1, 'a.png', 60, 49, (), ())]
    assert 'the point file says 49 x 60' in check_image_files(
        other, tmp_path, reader=reader).problems['a.png']
    assert check_image_files([], tmp_path, reader=reader) == ({}, {})


def test_orientation_tags_are_told_from_the_cache(files, tmp_path):
    path = tmp_path / 'a.tif'
    path.write_bytes(next(cell for cell in READ if cell.what == 'orientation 6').build(files))
    reader = FittedReader((4, 4), cache=ImageCache(tmp_path / 'c'), keeps_all=True)
    shape = reader.read(path).source_shape
    for _ in range(2):
        assert check_image_files([ImageRecord(1, 'a.tif', *shape, (), ())], tmp_path,
                                 reader=reader).turned == {'a.tif': 6}


def test_where_it_lies(monkeypatch, tmp_path):
    assert default_folder(tmp_path / 'a b') == tmp_path / 'a b' / 'images'
    monkeypatch.setenv('MMWINDOW_CACHE', str(tmp_path / 'c'))
    assert default_folder() == tmp_path / 'c' / 'images'
    monkeypatch.delenv('MMWINDOW_CACHE')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'x'))
    assert default_folder() == tmp_path / 'x' / 'mmwindow' / 'images'
    monkeypatch.delenv('XDG_CACHE_HOME')
    monkeypatch.setenv('HOME', str(tmp_path / 'h'))
    assert default_folder() == tmp_path / 'h' / '.cache' / 'mmwindow' / 'images'
    with monkeypatch.context() as patch:
        patch.setattr(cache_module.Path, 'home', lambda: Path('~nobody at all').expanduser())
        assert make_cache(None) is None
        with pytest.raises(ValueError, match='set MMWINDOW_CACHE'):
            make_cache(True)
    for limit in ('0', 'much', '-3', 'nan'):
        monkeypatch.setenv('MMWINDOW_CACHE_LIMIT', limit)
        with pytest.raises(ValueError, match='MMWINDOW_CACHE_LIMIT=50'):
            ImageCache(tmp_path)


def test_it_goes_to_other_processes(reader, path):
    expected = reader.read(path)
    assert same(pickle.loads(pickle.dumps(reader)).read(path), expected)


def test_digests_and_stamps(path):
    # `python -c "import hashlib; print(hashlib.blake2b(b'', digest_size=32).hexdigest()[:16])"`
    assert digest(b'').hex().startswith('0e5751c026e543b2')
    assert file_stamp(path) == file_stamp(Path(os.path.relpath(path)))
    with pytest.raises(OSError, match='none'):
        file_stamp(path.with_name('none'))
