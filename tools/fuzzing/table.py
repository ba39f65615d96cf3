"""The table of runs, for the screen and for a page."""
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BEGIN, END = '<!-- fuzzing: tools/fuzz.py -->', '<!-- end of fuzzing -->'
COLUMNS = ('cases', 'rejected', 'equal', 'valid', 'faults')


def read_results(folder: Path) -> list[dict[str, Any]]:
    """Return the results of readers, one file each, in the order of their names."""
    from mmwindow.utils.files import load_json

    return [load_json(path, 'result of tools/fuzz.py') for path in sorted(folder.glob('*.json'))]


def fuzzing_table(contents: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows of readers and their sum as Markdown."""
    from mmwindow.utils.markdown import markdown_table

    rows = [[content['counts'][key] for key in ('reader', *COLUMNS)] for content in contents]
    rows.append(['all', *(sum(content['counts'][key] for content in contents) for key in COLUMNS)])
    return markdown_table([['reader', 'cases', 'rejected with one line', 'read as before',
                            'read as an independent reading', 'faults'], *rows])


def describe_runs(contents: Sequence[Mapping[str, Any]]) -> str:
    """Return where the table comes from."""
    def all_of(values: Any) -> str:
        return ', '.join(sorted(set(map(str, values))))

    commits = {str((content['versions'] or {}).get('commit'))[:10] for content in contents}
    seeds = all_of(content['seed'] for content in contents)
    return (f'`tools/fuzz.py READER --cases CASES --seed {seeds}`, a run for each reader, at commit '
            f'{all_of(commits)}, on {all_of(content["machine"] for content in contents)}.')


def write_page(path: Path, contents: Sequence[Mapping[str, Any]]) -> None:
    """Write the table between its marks of a page.

    Raises:
        ValueError: The page has no such marks.
    """
    from mmwindow.utils.files import write_text

    text = path.read_text(encoding='utf-8')
    if BEGIN not in text or END not in text:
        raise ValueError(f'{path}: the lines {BEGIN} and {END} are expected, between them the table')
    before, _, rest = text.partition(BEGIN)
    write_text(path, f'{before}{BEGIN}\n{describe_runs(contents)}\n\n{fuzzing_table(contents)}\n{END}'
               + rest.partition(END)[2])
