"""A table: one row a finding, points or boxes.

The columns are found by name, in any order and case; ``columns`` names others. A row with empty
coordinates says that the image was read and nothing was found.
"""
from collections.abc import Sequence
from pathlib import Path

from mmwindow.annotations.groups import MISSING_WORDS
from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.importers.source import (
    Point,
    Shape,
    Source,
    SourceFinding,
    SourceImage,
    box_outline,
)
from mmwindow.annotations.importers.table_rows import TableRows, plain_columns, read_rows
from mmwindow.annotations.importers.values import as_name, as_number
from mmwindow.annotations.reader_names import reader_name
from mmwindow.utils.messages import name_some, quote, shorten

TITLE = 'CSV'
# Role -> names of a column as plain_columns has them; the first that is there counts. A role does not
# take the column of an earlier one: PatientID is the patient where another column names the image.
SYNONYMS: dict[str, tuple[str, ...]] = {
    'image': ('image', 'file', 'file_name', 'filename', 'image_id', 'imageid', 'image_path', 'path',
              'patientid'),
    'x': ('x', ), 'y': ('y', ),
    'cx': ('cx', 'xc', 'x_center', 'x_centre', 'center_x', 'centre_x', 'xcenter', 'xcentre',
           'centerx', 'centrex'),
    'cy': ('cy', 'yc', 'y_center', 'y_centre', 'center_y', 'centre_y', 'ycenter', 'ycentre',
           'centery', 'centrey'),
    'x1': ('x1', 'xmin', 'x_min', 'left'), 'y1': ('y1', 'ymin', 'y_min', 'top'),
    'x2': ('x2', 'xmax', 'x_max', 'right'), 'y2': ('y2', 'ymax', 'y_max', 'bottom'),
    'width': ('width', 'w'), 'height': ('height', 'h'),
    'class': ('class', 'class_name', 'label', 'category', 'finding', 'finding_name'),
    'patient': ('patient', 'patient_id', 'patientid', 'group', 'subject', 'subject_id'),
    'reader': ('reader', 'rad_id', 'annotator', 'observer'),
}
BOX = ('x1', 'y1', 'x2', 'y2')
# Of a point, or with width and height of a box: the corner, as the RSNA challenge writes it, or the
# centre.
CORNER, CENTRE, SIZE = ('x', 'y'), ('cx', 'cy'), ('width', 'height')
# What rows must not say both: no, yes, and what to do.
READER_WORDS = ('names no reader', 'names one', 'name the reader in all rows, or in none')
FINDING_WORDS = ('says that nothing was found in it', 'has a finding in this image',
                 'of one image and reader leave the findings or the empty row')


def recognises(path: Path) -> bool:
    """Tell whether a file is a table."""
    return path.is_file() and path.suffix.lower() in ('.csv', '.tsv')


def read(path: Path, options: ImportOptions) -> Source:
    """Read a table.

    Raises:
        ValueError: Anything wrong; the message names file and line.
    """
    table = read_rows(path)
    places = _find_columns(table, options)
    roles = _find_shape(places, table)
    source = Source('csv', [])
    images: dict[str, SourceImage] = {}
    known = set(places.values())
    readings: dict[tuple[str, str | None], dict[bool, str]] = {}  # by image and reader
    named: dict[bool, str] = {}
    for where, row in table.rows:
        cells = {role: row[place] for role, place in places.items()}
        file = as_name(cells['image'], where, 'image')
        image = images.setdefault(file, SourceImage(file, where))
        _note_patient(image, cells.get('patient'), where)
        _note_fields(image, {column: row[place] for place, column in enumerate(table.header)
                             if place not in known})
        reader = reader_name(cells.get('reader'), where)
        _note_once(named, reader is not None, where, READER_WORDS)
        if reader and reader not in image.readers:
            image.readers = (*image.readers, reader)
        shape = _read_shape(cells, roles, where, table.delimiter)
        _note_once(readings.setdefault((file, reader), {}), shape is not None, where, FINDING_WORDS)
        if shape is not None:
            label = cells.get('class') or options.label
            image.findings.append(SourceFinding(shape, label, where, reader))
    source.images.extend(images.values())
    return source


def _note_once(first: dict[bool, str], value: bool, where: str, words: tuple[str, str, str]) -> None:
    """Note where a row first says no or yes, and reject a row that says the contrary."""
    first.setdefault(value, where)
    if len(first) == 2:
        raise ValueError(f'{where} {words[value]}, but {first[not value].rpartition(": ")[2]} '
                         f'{words[not value]}; {words[2]}')


def _find_columns(table: TableRows, options: ImportOptions) -> dict[str, int]:
    """Return the place of each role's column."""
    name, header = table.name, table.header
    plain = plain_columns(table)
    places: dict[str, int] = {}
    for role, names in SYNONYMS.items():
        wanted = options.columns.get(role)
        if wanted is not None:
            if wanted not in header:
                raise ValueError(f'{name}: there is no column {quote(wanted)} for {role}; there are '
                                 f'{shorten(", ".join(header))}')
            places[role] = header.index(wanted)
            continue
        found = [place for column in names for place, other in enumerate(plain)
                 if other == column and place not in places.values()]
        if len(found) > 1 and plain[found[0]] == plain[found[1]]:
            raise ValueError(f'{name}: the columns {quote(header[found[0]])} and '
                             f'{quote(header[found[1]])} may both be {role}; --columns {role}=NAME '
                             'says which is')
        if found:
            places[role] = found[0]
    unknown = set(options.columns) - set(SYNONYMS)
    if unknown:
        raise ValueError(f'--columns: {name_some(sorted(unknown))} is no role; the roles are '
                         f'{", ".join(SYNONYMS)}')
    return places


def _find_shape(places: dict[str, int], table: TableRows) -> tuple[str, ...]:
    """Return the roles that say where a finding is.

    Raises:
        ValueError: There are none, or x names a centre and a size makes it a corner.
    """
    roles = next((kind for kind in (BOX, CORNER, CENTRE) if set(kind) <= set(places)), None)
    if 'image' not in places or roles is None:
        raise ValueError(
            f'{table.name}: its columns are {shorten(", ".join(table.header))}; image, x and y are '
            'needed, or image, x1, y1, x2 and y2. Under other names: --columns image=NAME x=NAME '
            'y=NAME')
    if roles == BOX or not set(SIZE) <= set(places):
        return roles
    plain = plain_columns(table)
    for role, centre in zip(CORNER, CENTRE, strict=True):
        if roles == CORNER and plain[places[role]] in SYNONYMS[centre]:
            column = table.header[places[role]]
            raise ValueError(f'{table.name}: with a size {role} is the corner of a box, and '
                             f'{quote(column)} names its centre; --columns {centre}={column}')
    return *roles, *SIZE


def _read_shape(cells: dict[str, str], roles: Sequence[str], where: str, delimiter: str
                ) -> Shape | None:
    empty = [role for role in roles if not cells[role]]
    if len(empty) == len(roles):
        return None
    words = [role for role in roles if cells[role].lower() in MISSING_WORDS]
    if words:
        raise ValueError(f'{where}: {words[0]} is {quote(cells[words[0]])}; a finite number is '
                         'expected, or empty cells where nothing was found')
    if empty:
        raise ValueError(f'{where}: {empty[0]} is empty and {next(iter(set(roles) - set(empty)))} is '
                         'not; all are given, or none where nothing was found')
    # Spreadsheets of many countries write 12,5, and then put semicolons between columns.
    values = [as_number(cells[role].replace(',', '.' if delimiter != ',' else ','), where, role)
              for role in roles]
    if len(values) == 2:
        return Point(*values)
    if roles == BOX:
        x1, y1, x2, y2 = values
        if x2 < x1 or y2 < y1:
            raise ValueError(f'{where}: the box ends before it begins, {x1:g} {y1:g} {x2:g} {y2:g}')
        return box_outline(x1, y1, x2, y2)
    x, y, width, height = values
    if width < 0 or height < 0:
        raise ValueError(f'{where}: a box of negative size, {width:g} x {height:g}')
    if roles[:2] == CENTRE:
        x, y = x - width / 2, y - height / 2
    return box_outline(x, y, x + width, y + height)


def _note_patient(image: SourceImage, patient: str | None, where: str) -> None:
    if not patient:
        return
    if image.group not in (None, patient):
        raise ValueError(f'{where}: the image belongs to patient {quote(image.group)} in another '
                         f'line, to {quote(patient)} here')
    image.group = patient


def _note_fields(image: SourceImage, values: dict[str, str]) -> None:
    """Keep what is the same in each line of an image."""
    for key, value in values.items():
        if key and value:
            if image.fields.setdefault(key, value) != value:
                image.fields[key] = ''
