"""docs/import.md says what the importers do."""
import contextlib
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwindow.annotations.exporters import EXPORTERS
from mmwindow.annotations.importers.formats import FORMATS
from mmwindow.apis.commands import import_annotations
from mmwindow.utils.command_line import run_command

PAGE = Path(__file__).parents[3] / 'docs' / 'import.md'


def test_the_table_of_formats_is_that_of_the_code():
    rows = [f'| `{key}` | {entry.title} | {entry.origin} | {entry.turned} | {entry.negative} | '
            f'{entry.not_carried} |' for key, entry in FORMATS.items()]
    text = PAGE.read_text(encoding='utf-8')
    table = text[text.index('<!-- formats -->'):text.index('<!-- end -->')].strip().split('\n')[3:]
    assert [re.sub(r' [0-9.]+ \|$', '', row) for row in table] == rows  # but for the figures


def test_the_first_import_prints_what_the_page_says(tmp_path, monkeypatch, capsys):
    """The commands of the page on the folder that it describes, and on one with a wrong line."""
    (tmp_path / 'radiographs').mkdir()
    for number in range(7):
        path = tmp_path / 'radiographs' / f'{number}.png'
        Image.fromarray(np.zeros((1280, 1024), np.uint8)).save(path)
    rows = ['file,cx,cy,patient', '0.png,40,50,a', '0.png,300,80.5,a', '1.png,231,40,b',
            '2.png,9,9,c', '3.png,,,a', '4.png,,,d', '5.png,,,e']
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r'```\n\$ mmwindow import (.*?)\n(.*?)```', PAGE.read_text('utf-8'),
                        re.DOTALL)
    assert len(blocks) == 2
    for (command, printed), wrong in zip(blocks, (False, True), strict=True):
        Path('clicks.csv').write_text('\n'.join(rows).replace('231', '2310' if wrong else '231'))
        with pytest.raises(SystemExit) if wrong else contextlib.nullcontext():
            run_command(import_annotations, 'mmwindow import', command.split())
        assert ''.join(capsys.readouterr()) == printed


def test_formats_that_can_be_written_are_named():

    assert set(EXPORTERS) == {'coco', 'cvat', 'label_studio', 'csv'}
    assert '`coco`, `cvat`, `label_studio` and `csv` can be written' in PAGE.read_text('utf-8')
