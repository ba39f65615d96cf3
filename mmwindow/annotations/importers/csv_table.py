"""A table: one row a finding, points or boxes.

The columns are found by name, in any order and case; ``columns`` names others. A row with empty
coordinates says that the image was read and nothing was found.
"""
from pathlib import Path

from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.importers.source import (
    Point,
    Shape,
    Source,
    SourceFinding,
    SourceImage,
    box_outline,
)
from mmwindow.annotations.importers.table_rows import read_rows
from mmwindow.annotations.importers.values import as_name, as_number
from mmwindow.utils.messages import name_some, quote, shorten

TITLE = 'CSV'
# Role -> names of a column, lower case; the first that is there counts.
SYNONYMS: dict[str, tuple[str, ...]] = {
    'image': ('image', 'file', 'file_name', 'filename', 'image_id', 'imageid', 'image_path', 'path',
              'patientid'),
    'x': ('x', 'x_center', 'cx'), 'y': ('y', 'y_center', 'cy'),
    'x1': ('x1', 'xmin', 'x_min', 'left'), 'y1': ('y1', 'ymin', 'y_min', 'top'),
    'x2': ('x2', 'xmax', 'x_max', 'right'), 'y2': ('y2', 'ymax', 'y_max', 'bottom'),
    'width': ('width', 'w'), 'height': ('height', 'h'),
    'class': ('class', 'class_name', 'label', 'category', 'finding', 'finding_name'),
    'patient': ('patient', 'patient_id', 'group', 'subject'),
    'reader': ('reader', 'rad_id', 'annotator', 'observer'),
}
BOX = ('x1', 'y1', 'x2', 'y2')


def recognises(path: Path) -> bool:
    """Tell whether a file is a table."""
    return path.is_file() and path.suffix.lower() in ('.csv', '.tsv')


def read(path: Path, options: ImportOptions) -> Source:
    """Read a table.

    Raises:
        ValueError: Anything wrong; the message names file and line.
    """
    table = read_rows(path)
    places = _find_columns(table.header, options, table.name)
    source = Source('csv', [])
    images: dict[str, SourceImage] = {}
    known = set(places.values())
    for where, row in table.rows:
        cells = {role: row[place] for role, place in places.items()}
        file = as_name(cells['image'], where, 'image')
        image = images.setdefault(file, SourceImage(file, where))
        _note_patient(image, cells.get('patient'), where)
        _note_fields(image, {column: row[place] for place, column in enumerate(table.header)
                             if place not in known})
        reader = cells.get('reader') or None
        if reader and reader not in image.readers:
            image.readers = (*image.readers, reader)
        shape = _read_shape(cells, where, table.delimiter)
        if shape is not None:
            label = cells.get('class') or options.label
            image.findings.append(SourceFinding(shape, label, where, reader))
    source.images.extend(images.values())
    return source


def _find_columns(header: list[str], options: ImportOptions, name: str) -> dict[str, int]:
    """Return the place of each role's column."""
    lower = [column.lower() for column in header]
    places = {}
    for role, names in SYNONYMS.items():
        wanted = options.columns.get(role)
        if wanted is not None:
            if wanted not in header:
                raise ValueError(f'{name}: there is no column {quote(wanted)} for {role}; there are '
                                 f'{shorten(", ".join(header))}')
            places[role] = header.index(wanted)
        else:
            found = next((lower.index(column) for column in names if column in lower), None)
            if found is not None:
                places[role] = found
    unknown = set(options.columns) - set(SYNONYMS)
    if unknown:
        raise ValueError(f'--columns: {name_some(sorted(unknown))} is no role; the roles are '
                         f'{", ".join(SYNONYMS)}')
    has_box = all(role in places for role in BOX)
    if 'image' not in places or not (has_box or {'x', 'y'} <= set(places)):
        raise ValueError(
            f'{name}: its columns are {shorten(", ".join(header))}; image, x and y are needed, or '
            'image, x1, y1, x2 and y2. Under other names: --columns image=NAME x=NAME y=NAME')
    return places


def _read_shape(cells: dict[str, str], where: str, delimiter: str) -> Shape | None:
    roles = BOX if all(role in cells for role in BOX) else (
        'x', 'y', *(role for role in ('width', 'height') if {'width', 'height'} <= set(cells)))
    empty = [role for role in roles if not cells[role]]
    if len(empty) == len(roles):
        return None
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
    x, y, width, height = values  # of a box, as the RSNA challenge writes it: x and y are its corner
    if width < 0 or height < 0:
        raise ValueError(f'{where}: a box of negative size, {width:g} x {height:g}')
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
