"""A command whose results cannot be written ends in one line, before or during its work."""
import errno
import os
import resource
import socket

import pytest

from mmwindow import cli
from mmwindow.engine.file_backends import AtomicLocalBackend
from mmwindow.utils.locks import hold_folder


@pytest.fixture
def config(write_tiny_config, tmp_path):
    return write_tiny_config(tmp_path / 'tiny.py')


def call(*arguments):
    with pytest.raises(SystemExit) as caught:
        cli.main([str(argument) for argument in arguments])
    return caught.value.code


def one_line(capsys, verb, *words):
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if line.startswith(f'{verb}: ')]
    assert len(lines) == 1 and 'Traceback' not in error, error
    for word in words:
        assert word in lines[0]


def test_places_of_results_are_looked_at_before_the_work(config, tmp_path, capsys):
    (tmp_path / 'file').write_text('mine')
    (tmp_path / 'run.pth').write_bytes(b'PK')
    place = tmp_path / 'file' / 'in'
    for verb, *arguments in (
            ('train', config, '--work-dir', place),
            ('folds', config, '--out', place), ('tables', tmp_path, '--out', place),
            ('tables', tmp_path, '--out', tmp_path / 'new', '--results', place),
            ('evaluate', tmp_path / 'run.pth', config, '--out', place),
            ('splits', config, '--out', place), ('splits', config, '--out', place, '--single'),
            ('quickstart', '--out', place), ('quickstart', '--out', tmp_path / 'q', '--data', place)):
        assert call(verb, *arguments) == 1
        one_line(capsys, verb, 'is a file; a folder is expected', str(tmp_path / 'file'))
    assert (tmp_path / 'file').read_text() == 'mine'
    assert sorted(os.listdir(tmp_path)) == ['file', 'run.pth', 'tiny.py']  # and nothing was begun


def test_a_training_in_a_folder_where_another_works_names_it(config, tmp_path, capsys):
    with hold_folder(tmp_path / 'work'):
        assert call('train', config, '--work-dir', tmp_path / 'work') == 1
    one_line(capsys, 'train', 'in use by', f'process {os.getpid()}', 'choose another --work-dir')
    assert os.listdir(tmp_path / 'work') == ['.lock']


@pytest.mark.smoke
def test_a_disk_that_fills_during_a_training_is_one_line(config, tmp_path, capsys):
    """By a limit on the size of files, as root may write past a full disk's reserve."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        assert call('train', config, '--work-dir', tmp_path / 'work') == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    one_line(capsys, 'train', 'work/epoch_1.pth', 'File too large')
    assert not list((tmp_path / 'work').glob('*.pt*'))  # neither a cut checkpoint nor its part


def test_a_checkpoint_is_complete_or_not_there(tmp_path, monkeypatch):
    backend = AtomicLocalBackend()
    backend.put(b'first', str(tmp_path / 'new' / 'epoch_1.pth'))
    backend.put_text('a = 1\n', tmp_path / 'new' / 'config.py')

    def cut(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', cut)
    with pytest.raises(OSError, match='epoch_1.pth'):
        backend.put(b'second', tmp_path / 'new' / 'epoch_1.pth')
    assert (tmp_path / 'new' / 'epoch_1.pth').read_bytes() == b'first'
    assert sorted(os.listdir(tmp_path / 'new')) == ['config.py', 'epoch_1.pth']


def test_special_files_as_inputs_of_commands_end_in_one_line(config, tmp_path, capsys):
    """Reading one of them would wait for ever."""
    pipe = tmp_path / 'pipe.py'
    os.mkfifo(pipe)
    os.mkfifo(tmp_path / 'pipe.pth')
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / 's.py'))
        for verb, *arguments in (
                ('train', pipe), ('train', tmp_path / 's.py'), ('train', tmp_path),
                ('train', config, '--resume', tmp_path / 'pipe.pth', '--work-dir', tmp_path / 'w'),
                ('train', config, '--work-dir', tmp_path / 'w', '--cfg-options',
                 f'load_from={tmp_path / "pipe.pth"}'),
                ('test', config, tmp_path / 'pipe.pth'), ('test', config, '/dev/zero'),
                ('test', pipe, 'best'), ('folds', pipe, '--out', tmp_path / 'runs'),
                ('folds', config, '--folds', pipe, '--points', pipe, '--out', tmp_path / 'runs'),
                ('splits', pipe, '--out', tmp_path / 'splits.json')):
            assert call(verb, *arguments) == 1
            one_line(capsys, verb)
