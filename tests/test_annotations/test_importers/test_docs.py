"""docs/import.md says what the importers do."""
from pathlib import Path

from mmwindow.annotations.exporters import EXPORTERS
from mmwindow.annotations.importers.formats import FORMATS

PAGE = Path(__file__).parents[3] / 'docs' / 'import.md'


def test_the_table_of_formats_is_that_of_the_code():
    rows = [f'| `{key}` | {entry.title} | {entry.origin} | {entry.turned} | {entry.negative} | '
            f'{entry.not_carried} |' for key, entry in FORMATS.items()]
    text = PAGE.read_text(encoding='utf-8')
    table = text[text.index('<!-- formats -->'):text.index('<!-- end -->')].strip().split('\n')[3:]
    assert table == rows


def test_formats_that_can_be_written_are_named():

    assert set(EXPORTERS) == {'coco', 'cvat', 'label_studio', 'csv'}
    assert '`coco`, `cvat`, `label_studio` and `csv` can be written' in PAGE.read_text('utf-8')
