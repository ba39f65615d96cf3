"""One command at a time in a folder."""
import errno
import fcntl
import json
import os
import platform
import subprocess
import sys

import pytest

from mmwindow.utils.locks import hold, hold_file, hold_folder

HOLDER = '''
import os, sys, time
from mmwindow.utils.locks import hold_folder
with hold_folder(sys.argv[1]):
    if sys.argv[2:] == ['fork']:
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.write(writing, b'x')
            time.sleep(60)  # as a data loader's process that survives its parent for a while
        os.read(reading, 1)
    print('held', flush=True)
    time.sleep(60)
'''


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a command in the folder and waits until it holds it."""
    started = []

    def begin(*arguments):
        process = subprocess.Popen([sys.executable, '-c', HOLDER, str(tmp_path), *arguments],
                                   stdout=subprocess.PIPE, text=True, start_new_session=True)
        started.append(process)
        assert process.stdout.readline() == 'held\n'
        return process

    yield begin
    for process in started:
        try:
            os.killpg(process.pid, 9)
        except ProcessLookupError:
            pass
        process.wait()
        process.stdout.close()


def test_a_file_with_a_long_name_of_any_letters_is_held(tmp_path):
    with hold_file(tmp_path / ('漢' * 80)):
        name, = os.listdir(tmp_path)
    assert name.startswith('.' + '漢' * 33 + '.')


def test_a_second_command_in_a_folder_is_told_who_is_there(start, tmp_path):
    holder = start()
    with pytest.raises(ValueError, match='or choose another --out') as caught:
        with hold_folder(tmp_path, 'or choose another --out'):
            pass
    text = str(caught.value)
    assert str(tmp_path) in text and f'process {holder.pid} on {platform.node()}' in text
    assert '-c' in text and 'since 20' in text and '\n' not in text


@pytest.mark.parametrize('arguments', [[], ['fork']])
def test_the_lock_of_a_killed_command_is_no_obstacle(arguments, start, tmp_path):
    """Not even where a process that it forked still lives."""
    holder = start(*arguments)
    holder.kill()
    holder.wait()
    with hold_folder(tmp_path):
        assert json.loads((tmp_path / '.lock').read_text())['pid'] == os.getpid()
    with hold_folder(tmp_path):  # again, and after its own end
        pass


def test_files_and_folders_are_held_apart(tmp_path, monkeypatch):
    with hold_folder(tmp_path), hold_file(tmp_path / 'a.npz'), hold_file(tmp_path / 'b.npz'):
        with pytest.raises(ValueError, match='a.npz: in use by'), hold_file(tmp_path / 'a.npz'):
            pass
    monkeypatch.chdir(tmp_path)
    with hold_file('.'):
        assert (tmp_path.parent / f'.{tmp_path.name}.lock').exists()
    (tmp_path / '.lock').write_text('of another kind')
    with hold_folder(tmp_path):
        (tmp_path / '.lock').write_text('')
        with pytest.raises(ValueError, match='in use by another command'), hold_folder(tmp_path):
            pass


def test_a_file_system_without_locks_is_said_and_no_crash(tmp_path, monkeypatch, capsys):
    def refuse(*_):
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(fcntl, 'flock', refuse)
    with hold(tmp_path / '.lock', 'x', 'y'):
        pass
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and 'no locks (No locks available)' in error
