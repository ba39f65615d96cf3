"""A second table of fields to report by, such as sex or device, joined by image or by patient.

Clinical tables hold names and dates of birth: only columns that are asked for are taken, and messages
name lines, not patients.
"""
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmwindow.annotations.groups import MISSING_WORDS
from mmwindow.annotations.importers.table_rows import TableRows, plain_columns, read_rows
from mmwindow.annotations.records import IMAGE_KEYS
from mmwindow.utils.messages import count_words, quote, shorten

# What a row is of -> names of its column as plain_columns has them; the first that is there counts.
KEYS: dict[str, tuple[str, ...]] = {
    'image': ('image', 'file', 'file_name', 'filename', 'image_id', 'imageid', 'image_path', 'path'),
    'patient': ('patient', 'patient_id', 'patientid', 'group', 'subject', 'subject_id')}
HINT = '--table-by image=NAME or patient=NAME says which column it is'


@dataclass(frozen=True)
class FieldTable:
    """The fields of a table.

    Attributes:
        name: Of the file in messages.
        of: What a row is of: 'image' or 'patient'.
        columns: Names of the fields.
        fields: By image or patient as the table names it; without empty cells.
        where: Place in messages of each of them.
    """

    name: str
    of: str
    columns: tuple[str, ...]
    fields: Mapping[str, Mapping[str, str]]
    where: Mapping[str, str]


def read_field_table(path: Path, by: str | None, wanted: tuple[str, ...] | None) -> FieldTable:
    """Read a table.

    Args:
        path: CSV file.
        by: 'image' or 'patient', or with the name of the column ``'patient=Case'``; None: the first
            column with a known name, of images before patients.
        wanted: Fields that are kept.

    Raises:
        ValueError: No such file or column, no fields are named, or two rows of an image or a patient
            say different things in a field that is kept; file and line are named.
    """
    table = read_rows(path)
    if not wanted:
        raise ValueError(f'--table {table.name}: name the columns that points.json may hold, '
                         f'--fields A,B; there are {shorten(", ".join(table.header))}')
    of, key = _find_key(table, by)
    columns = {name: place for place, name in enumerate(table.header)
               if place != key and name in wanted and name not in IMAGE_KEYS}
    fields: dict[str, dict[str, str]] = {}
    where: dict[str, str] = {}
    for row in table.rows:
        name = row.cells[key]
        if not name:
            raise ValueError(f'{row.where}: it names no {of}')
        where.setdefault(name, row.where)
        known = fields.setdefault(name, {})
        for column, place in columns.items():
            value = row.cells[place]
            if not value or value.lower() in MISSING_WORDS:
                continue
            if known.setdefault(column, value) != value:
                raise ValueError(f'{row.where}: {shorten(column, 60)} of its {of} is '
                                 f'{quote(value, 60)}, but {quote(known[column], 60)} in '
                                 f'{where[name].rpartition(": ")[2]}')
    return FieldTable(table.name, of, tuple(columns), fields, where)


def _find_key(table: TableRows, by: str | None) -> tuple[str, int]:
    """Return what rows are of, and the place of the column that names it."""
    of, _, column = (by or '').partition('=')
    if by is not None and of not in KEYS:
        raise ValueError(f'--table-by is {quote(by)}; image or patient is expected, or with the name '
                         'of the column patient=NAME')
    if column:
        if column not in table.header:
            raise ValueError(f'{table.name}: there is no column {quote(column)}; there are '
                             f'{shorten(", ".join(table.header))}')
        return of, table.header.index(column)
    plain = plain_columns(table)
    for kind in (of, ) if of else KEYS:
        place = next((plain.index(name) for name in KEYS[kind] if name in plain), None)
        if place is not None:
            return kind, place
    raise ValueError(f'{table.name}: no column of it names {of or "image or patient"}; there are '
                     f'{shorten(", ".join(table.header))}; {HINT}')


def join_fields(images: list[dict[str, Any]], table: FieldTable,
                find: Callable[[str, str], str | None], patients: Mapping[str, str],
                counts: Counter[str]) -> None:
    """Write the fields of a table into the images of a point file.

    Args:
        images: Of the point file; they are changed.
        table: Is written where an image does not say the same already.
        find: Returns the file that a name and its place in messages mean, None where it is not there.
        patients: Patient of each file, as the source or its DICOM file names it.
        counts: Receives how many images and rows have no counterpart.

    Raises:
        ValueError: No row is of any image, two rows are of one, or an image says something else.
    """
    keys: dict[str, str] = {}  # file -> row
    for name in table.fields:
        if table.of == 'image':
            place = find(name, table.where[name])
            if place is not None and keys.setdefault(place, name) != name:
                raise ValueError(f'{table.where[name]}: {quote(name)} is the image '
                                 f'{shorten(place)}, as is {quote(keys[place])}')
    if table.of == 'patient':
        keys = {place: patient for place, patient in patients.items() if patient in table.fields}
    taken = [image for image in images if image['file_name'] in keys]
    if not taken:
        raise ValueError(f'{table.name}: none of its {count_words(len(table.fields), table.of)} is '
                         f'among those of the annotations; {HINT}')
    for image in taken:
        name = keys[image['file_name']]
        for key, value in table.fields[name].items():
            if str(image.setdefault(key, value)) != value:
                raise ValueError(
                    f'{table.where[name]}: {shorten(key, 60)} of {shorten(image["file_name"])} is '
                    f'{quote(value, 60)}, but {quote(image[key], 60)} in the annotations or the '
                    'DICOM file')
    used = {keys[image['file_name']] for image in taken}
    for number, words in ((len(images) - len(taken), f'images without a row in {table.name}'),
                          (len(set(table.fields) - used),
                           f'{table.of}s of {table.name} of which there is no image')):
        if number:
            counts[words] = number
