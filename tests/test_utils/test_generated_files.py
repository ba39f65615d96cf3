"""Writing generated files, and telling where they differ."""
import pytest

from mmwindow.utils.generated_files import run_generator


def generate(monkeypatch, files, root, *arguments):
    monkeypatch.setattr('sys.argv', ['tool.py', *arguments])
    run_generator(files, root, 'the configs', 'tools/tool.py')


def test_check_names_the_file_that_differs_and_writes_nothing(tmp_path, monkeypatch):
    files = {tmp_path / 'a.md': 'one\n', tmp_path / 'b.md': 'two\n'}
    generate(monkeypatch, files, tmp_path)
    assert (tmp_path / 'b.md').read_text() == 'two\n'
    generate(monkeypatch, files, tmp_path, '--check')  # as written: no error
    (tmp_path / 'b.md').write_text('other\n')
    with pytest.raises(SystemExit, match=r'^b\.md: it differs from the configs.*tools/tool\.py'):
        generate(monkeypatch, files, tmp_path, '--check')
    assert (tmp_path / 'b.md').read_text() == 'other\n'


def test_check_tells_of_a_file_that_is_missing(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match=r'c\.md'):
        generate(monkeypatch, {tmp_path / 'c.md': ''}, tmp_path, '--check')
