"""FracAtlas, which is no part of the project."""
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='session')
def fracatlas():
    """Its folder (the variable that configs/_base_/datasets/fracatlas.py reads), or a skip."""
    folder = ROOT / os.environ.get('MMWINDOW_FRACATLAS', '../shared/fracatlas')
    if not (folder / 'fractures.json').is_file():
        pytest.skip(f'{folder}: FracAtlas is not there; set MMWINDOW_FRACATLAS to its folder')
    return folder
