"""Places of results are looked at before the work."""
import errno
import os
import shutil
from types import SimpleNamespace

import pytest

from mmwindow.utils.files import atomic_file, write_text
from mmwindow.utils.outputs import check_output_file, check_output_folder, warn_about_space


def test_a_place_that_cannot_be_written_is_named_before_the_work(tmp_path, monkeypatch):
    (tmp_path / 'file').write_text('x')
    os.mkfifo(tmp_path / 'pipe')
    (tmp_path / 'new').mkdir()
    check_output_folder(tmp_path / 'new' / 'deep' / 'er', '--out')
    check_output_file(tmp_path / 'other' / 'a.npz', '--out')
    check_output_file(tmp_path / 'file', '--out')
    for folder in ('file', 'file/in', 'file/in/in', 'pipe'):
        with pytest.raises(ValueError, match='--work-dir .*is a file; a folder is expected'):
            check_output_folder(tmp_path / folder, '--work-dir')
    for name in ('new', 'pipe'):
        with pytest.raises(ValueError, match='--out .*no ordinary file'):
            check_output_file(tmp_path / name, '--out')
    with pytest.raises(ValueError, match='--out .*no ordinary file'):
        check_output_file('/dev/full', '--out')
    with pytest.raises(ValueError, match='--out .*cannot be written'):
        check_output_folder('/proc/mmwindow', '--out')
    with pytest.raises(ValueError, match='--out'):
        check_output_folder('a\0b', '--out')

    def refuse(self, data):  # root may write a folder whatever its mode is
        raise OSError(errno.EROFS, 'Read-only file system', str(self))

    monkeypatch.setattr('pathlib.Path.write_bytes', refuse)
    with pytest.raises(ValueError, match='cannot be written .Read-only file system.; choose another'):
        check_output_folder(tmp_path, '--show-dir')
    assert sorted(os.listdir(tmp_path)) == ['file', 'new', 'pipe']
    assert not os.listdir(tmp_path / 'new')
    assert (tmp_path / 'file').read_text() == 'x'


def test_little_space_is_a_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: SimpleNamespace(free=5 << 20))
    warn_about_space(tmp_path, '--work-dir', 4 << 20)
    assert capsys.readouterr().err == ''
    warn_about_space(tmp_path, '--work-dir', 40 << 20)
    assert '5 MB are free there, about 40 MB will be needed' in capsys.readouterr().err


def test_a_full_disk_names_the_file_that_did_not_fit(tmp_path):
    with pytest.raises(OSError, match='No space left') as caught, atomic_file(tmp_path / 'a') as part:
        part.write_text('half')
        with open('/dev/full', 'w') as stream:
            stream.write('x')  # fails when it is flushed, without a name
    assert caught.value.filename == str(tmp_path / 'a')
    assert not os.listdir(tmp_path)
    (tmp_path / 'folder').mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_text(tmp_path / 'folder', 'x')
    assert caught.value.filename == str(tmp_path / 'folder')
    assert os.listdir(tmp_path) == ['folder']
