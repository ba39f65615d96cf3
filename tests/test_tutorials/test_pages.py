"""The tutorials' commands, on small data: what they print, and the files that the pages name.

About a minute of processor time: a part of its own in tools/run_tests.sh.
"""
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))

from tutorials.page import read_page  # noqa: E402
from tutorials.run import find_faults, run_in_process, run_page  # noqa: E402

pytestmark = pytest.mark.long
PAGES = ROOT / 'docs/tutorials'


def run_pages(folder, monkeypatch, names):
    """Run pages next to each other; return where they differ from what they show."""
    faults = []
    for name in names:
        page = read_page(PAGES / f'{name}.md')
        (folder / name).mkdir()
        monkeypatch.chdir(folder / name)
        faults += find_faults(page, run_page(page, True, run_in_process), True)
    return faults


def test_clicks_readers_and_a_model_in_use(tmp_path, monkeypatch):
    """One tiny training serves three pages."""
    assert not run_pages(tmp_path, monkeypatch, ['clicks', 'readers', 'in_use'])


@pytest.mark.parametrize('name', ['fracatlas', 'dicom'])
def test_a_page_of_its_own(name, tmp_path, monkeypatch):
    assert not run_pages(tmp_path, monkeypatch, [name])
