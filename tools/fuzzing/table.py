"""The table of a run, for the screen and for a page."""
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BEGIN, END = '<!-- fuzzing: tools/fuzz.py -->', '<!-- end of fuzzing -->'


def fuzzing_table(content: Mapping[str, Any]) -> str:
    """Return the rows of all readers and their sum as Markdown."""
    from mmwindow.utils.markdown import markdown_table

    rows = [[entry['reader'], entry['cases'], entry['rejected'], entry['equal'], entry['valid'],
             entry['faults']] for entry in content['readers']]
    total = content['total']
    rows.append(['all', *(total[key] for key in ('cases', 'rejected', 'equal', 'valid', 'faults'))])
    return markdown_table([['reader', 'cases', 'rejected with one line', 'read as before',
                            'read as an independent reading', 'faults'], *rows])


def describe_run(content: Mapping[str, Any]) -> str:
    """Return where the table comes from."""
    versions = content['versions']
    return (f'`{content["command"]}` at commit {str(versions.get("commit"))[:10]}, '
            f'{content["seconds"]:.0f} s on {content["machine"]}.')


def write_page(path: Path, content: Mapping[str, Any]) -> None:
    """Write the table between its marks of a page.

    Raises:
        ValueError: The page has no such marks.
    """
    from mmwindow.utils.files import write_text

    text = path.read_text(encoding='utf-8')
    if BEGIN not in text or END not in text:
        raise ValueError(f'{path}: the lines {BEGIN} and {END} are expected, between them the table')
    before, _, rest = text.partition(BEGIN)
    write_text(path, f'{before}{BEGIN}\n{describe_run(content)}\n\n{fuzzing_table(content)}\n{END}'
               + rest.partition(END)[2])
