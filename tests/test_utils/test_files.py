"""Files are complete or not there; JSON that cannot be meant is named."""
import os
import socket

import pytest

from mmwindow.datasets.folds import file_checksum
from mmwindow.utils.files import (
    atomic_file,
    check_ordinary_file,
    cut_name,
    load_json,
    read_json,
    replace_nan,
    write_json,
)


def test_json_is_complete_or_not_there(tmp_path):
    assert read_json(tmp_path / 'a.json') is None
    write_json(tmp_path / 'a.json', replace_nan({'auroc': float('nan'), 'froc': 0.5}))
    assert load_json(tmp_path / 'a.json') == dict(auroc=None, froc=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ['a.json']


def test_an_error_while_writing_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / 'new' / 'a.txt'
    with atomic_file(path) as part:
        part.write_text('old')
    with pytest.raises(OSError), atomic_file(path) as part:
        part.write_text('incomplete')
        raise OSError('No space left on device')
    assert path.read_text() == 'old' and os.listdir(path.parent) == ['a.txt']


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    """A fixed temporary name was renamed away under the second writer."""
    path = tmp_path / f'{"a" * 240}.json'  # the temporary name must fit, too
    with atomic_file(path) as first, atomic_file(path) as second:
        assert first != second
        first.write_text('[1]')
        second.write_text('[2]')
    assert load_json(path) == [1]  # the outer one is renamed last


def test_a_long_name_of_any_letters_can_be_written(tmp_path):
    """The temporary name is cut by bytes: 80 of these letters take 240."""
    path = tmp_path / ('漢' * 80)
    write_json(path, 1)
    assert load_json(path) == 1 and os.listdir(tmp_path) == [path.name]
    assert cut_name('漢' * 80, 100) == '漢' * 33 and cut_name('a漢', 3, keep_end=True) == '漢'
    raw = os.fsdecode(b'a\xff\xfe')  # bytes that are no letters stay as they are
    assert cut_name(raw, 9) == raw and os.fsencode(cut_name(raw, 2)) == b'a\xff'


def test_special_files_are_rejected_before_they_are_opened(tmp_path):
    os.mkfifo(tmp_path / 'pipe')  # reading it would wait for ever
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / 'socket'))
        for path, kind in ((tmp_path / 'pipe', 'a pipe'), (tmp_path / 'socket', 'a pipe or a device'),
                           (tmp_path, 'a folder'), ('/dev/zero', 'a device')):
            for read in (file_checksum, lambda path: check_ordinary_file(path, 'thing')):
                with pytest.raises(ValueError, match=f'cannot be read .it is .*{kind}'):
                    read(path)
    check_ordinary_file(tmp_path / 'nothing', 'thing')  # who opens it names what is missing
