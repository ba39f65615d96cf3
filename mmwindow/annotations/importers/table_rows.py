"""The rows of a CSV file, each with its place in messages."""
import csv
import io
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from mmwindow.annotations.importers.values import read_text
from mmwindow.utils.messages import count_words, quote, shorten

DELIMITERS = ',;\t'


class TableRow(NamedTuple):
    """One row: how messages name it, and its cells without blanks around them."""

    where: str
    cells: list[str]


class TableRows(NamedTuple):
    """A table.

    Attributes:
        name: Of the file in messages.
        header: Names of the columns without blanks around them.
        rows: Those that are not empty.
        delimiter: Between columns.
    """

    name: str
    header: list[str]
    rows: list[TableRow]
    delimiter: str


def read_rows(path: Path) -> TableRows:
    """Read a table, columns of which are separated by commas, semicolons or tabs.

    Raises:
        ValueError: It is none, empty, has two columns of one name, or a row has another number of
            columns; the line is named.
    """
    name = shorten(str(path))
    text = read_text(path, 'table')
    delimiter = max(DELIMITERS, key=text.split('\n', 1)[0].count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=''), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise ValueError(f'{name}: no table of a CSV file ({error})') from error
    if not rows:
        raise ValueError(f'{name}: the table is empty; a first line with the names of the columns is '
                         'expected')
    header = [column.strip() for column in rows[0]]
    twice = [column for column, number in Counter(header).items() if column and number > 1]
    if twice:
        raise ValueError(f'{name}: the column {quote(twice[0])} is there twice')
    found, line = [], 1
    for row in rows[1:]:
        line += 1 + sum(cell.count('\n') for cell in row)
        where = f'{name}: line {line}'
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if len(row) != len(rows[0]):
            raise ValueError(f'{where} has {count_words(len(row), "column")}, the first line has '
                             f'{len(rows[0])}')
        found.append(TableRow(where, cells))
    return TableRows(name, header, found, delimiter)


def plain_columns(table: TableRows) -> list[str]:
    """Return the names of columns by which they are known: in lower case, 'Patient ID' with _."""
    return [name.lower().replace(' ', '_').replace('-', '_') for name in table.header]
