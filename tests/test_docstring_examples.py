"""Every example in the package's docstrings runs and prints what it shows.

An example runs in an empty folder. ``...`` stands for any text, spaces and line breaks count as one
space; floats are compared as printed, so an example rounds them. What needs a package that may be
missing belongs into a test, not into an example.
"""
import doctest
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / 'mmwindow'
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def module_name(path):
    """Return the dotted name of a file of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


WITH_EXAMPLES = sorted(module_name(path) for path in PACKAGE.rglob('*.py')
                       if '.mim' not in path.parts and '>>> ' in path.read_text(encoding='utf-8'))


@pytest.mark.parametrize('name', WITH_EXAMPLES)
def test_examples_print_what_they_show(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    failed, attempted = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
    assert attempted, f'{name} holds ">>> " where doctest does not look: only docstrings of its own'
    assert not failed, capsys.readouterr().out
