"""One point file for each reader, of the same images: read together as one."""
import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from mmwindow.annotations.checks import find_repeated
from mmwindow.annotations.point_file import read_one_file
from mmwindow.annotations.point_rules import check_point_rule
from mmwindow.annotations.reader_names import reader_name
from mmwindow.annotations.readers import check_several
from mmwindow.annotations.records import ImageRecord, PointFile
from mmwindow.utils.messages import name_some, quote, shorten


class ReaderFile(NamedTuple):
    """A reader and the point file of this reader."""

    reader: str
    path: Path


def find_reader_files(paths: Sequence[str | Path]) -> list[ReaderFile]:
    """Return readers and their files.

    Args:
        paths: ``NAME=FILE``, or the file alone, whose stem then is the reader's name. A file whose
            path holds '=' is taken as it is where it is there.

    Raises:
        ValueError: A reader is named twice, or not at all.
    """
    files = []
    for entry in paths:
        text = str(entry)
        named, _, rest = text.partition('=')
        path = Path(rest) if rest and not Path(text).exists() else Path(text)
        name = reader_name(named if str(path) != text and rest else path.stem, shorten(text))
        if name is None:
            raise ValueError(f'{shorten(text)}: no name of a reader; NAME=FILE is expected')
        files.append(ReaderFile(name, path))
    for what, values in (('reader', [file.reader for file in files]),
                         ('file', [str(file.path) for file in files])):
        repeated = find_repeated(values)
        if repeated is not None:
            raise ValueError(f'{what} {quote(repeated)} is named twice among the annotations; give '
                             'each reader one file, as NAME=FILE where file names are equal')
    return files


def read_reader_files(files: Sequence[ReaderFile], classes: Iterable[str] | None = None,
                      points_from: str = 'auto', needs_boxes: bool = False) -> PointFile:
    """Read one point file for each reader and return them as one, with the points of all.

    Images are matched by file name; ids are those of the first file. Each file lists the same images
    at the same sizes: one without an annotation was read and nothing was found; one with
    ``"readers": []`` in a reader's file was not read by this reader.

    Args:
        files: At least two, of different readers.
        classes: As :func:`~mmwindow.annotations.point_file.read_point_file`.
        points_from: Likewise.
        needs_boxes: Likewise.

    Raises:
        ValueError: The files have different images, sizes, patients or categories, nobody has read
            an image, or as ``read_point_file``; the message names file and image.
    """
    check_point_rule(points_from)
    check_several('the annotations', [file.reader for file in files])
    first = read_one_file(files[0].path, classes, points_from, needs_boxes, files[0].reader)
    records = {posixpath.normpath(record.file_name): record for record in first.records}
    num_from = dict(first.num_from)
    for file in files[1:]:
        part = read_one_file(file.path, first.classes, points_from, needs_boxes, file.reader)
        name = shorten(str(file.path))
        if len(part.category_labels) != len(first.classes):
            raise ValueError(f'{name}: its categories are not those of '
                             f'{shorten(str(files[0].path))}, {shorten(first.classes)}; '
                             'name the same ones in each file')
        others = {posixpath.normpath(record.file_name): record for record in part.records}
        _check_same_images(name, shorten(str(files[0].path)), records, others)
        records = {key: _add_reader(name, record, others[key]) for key, record in records.items()}
        num_from = {source: number + part.num_from[source] for source, number in num_from.items()}
    for record in records.values():
        if not record.readers:
            raise ValueError(f'image {shorten(record.file_name)} has "readers": [] in every file; '
                             'take it out of all, or say who has read it')
    return replace(first, records=list(records.values()), num_from=num_from,
                   paths=tuple(file.path for file in files),
                   readers=tuple(sorted(file.reader for file in files)))


def _check_same_images(name: str, first_name: str, records: dict[str, ImageRecord],
                       others: dict[str, ImageRecord]) -> None:
    for where, more in ((name, others.keys() - records.keys()),
                        (first_name, records.keys() - others.keys())):
        if more:
            raise ValueError(
                f'{where}: {len(more)} of its images are not in '
                f'{first_name if where == name else name}, such as {name_some(sorted(more)[:1])}; '
                "the readers' files list the same images: one without annotations was read and "
                'nothing was found, one with "readers": [] was not read')


def _add_reader(name: str, record: ImageRecord, other: ImageRecord) -> ImageRecord:
    """Return an image with another reader's points."""
    where = f'{name}: image {shorten(record.file_name)}'
    if (record.height, record.width) != (other.height, other.width):
        raise ValueError(f'{where} is {other.height} x {other.width} (height x width), but '
                         f'{record.height} x {record.width} in the first file; points of different '
                         'scales cannot be merged')
    if None not in (record.group, other.group) and record.group != other.group:
        raise ValueError(f'{where} has the group {quote(other.group)}, but {quote(record.group)} in '
                         'the first file; the patient of an image is one')
    return replace(
        record, points=record.points + other.points, labels=record.labels + other.labels,
        boxes=record.boxes + other.boxes, point_readers=record.point_readers + other.point_readers,
        readers=tuple(sorted((*(record.readers or ()), *(other.readers or ())))),
        group=record.group if record.group is not None else other.group,
        fields={**other.fields, **record.fields})
