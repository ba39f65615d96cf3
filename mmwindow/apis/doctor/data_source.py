"""From a path to what is checked: the images of all splits with their findings, faults collected.

A point file that training would accept is read by THE reader. One that it would reject is read record
by record, so that all its faults are named, not only the first.
"""
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmwindow.annotations.checks import COCO_LISTS, ImageId, as_id, read_categories
from mmwindow.annotations.image_places import images_folder
from mmwindow.annotations.importers.assemble import assemble
from mmwindow.annotations.importers.formats import FORMATS, read_source, recognise_format
from mmwindow.annotations.importers.image_index import ImageIndex
from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.point_file import (
    check_scale,
    load_point_json,
    read_point_file,
    write_point_file,
)
from mmwindow.annotations.point_rules import PointOutsideError, read_finding
from mmwindow.annotations.records import ImageRecord, read_image_records
from mmwindow.apis.annotation_files import POINTS_NAME, find_images_folder
from mmwindow.apis.doctor.problems import ERROR, NOTE, Problem, make_items
from mmwindow.utils.files import load_json
from mmwindow.utils.messages import count_phrase, count_words, name_some, quote, shorten

SPLITS = ('train', 'val', 'test')


@dataclass(frozen=True)
class CheckedImage:
    """One image of one split.

    Attributes:
        record: What the point file says; findings that cannot be used are not in it.
        split: 'train', 'val' or 'test'; '' where there are no splits.
        path: Of the file.
        index: Of the image in the list of its point file.
    """

    record: ImageRecord
    split: str
    path: Path
    index: int

    @property
    def name(self) -> str:
        """Return the file's name as the point file writes it."""
        return self.record.file_name

    @property
    def is_positive(self) -> bool:
        """Return whether the image has a finding."""
        return bool(self.record.points)


@dataclass(frozen=True)
class RecordFaults:
    """Records of one point file that training rejects: index in the file's list -> reason.

    Attributes:
        images: Of ``images``.
        findings: Of ``annotations``; those outside their image are in ``outside`` alone.
        outside: Of ``annotations``.
    """

    images: dict[int, str] = field(default_factory=dict)
    findings: dict[int, str] = field(default_factory=dict)
    outside: dict[int, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.images or self.findings or self.outside)


@dataclass(frozen=True)
class DataPart:
    """One point file.

    Attributes:
        split: As of :class:`CheckedImage`.
        path: Of the file; of the source where it was imported.
        content: COCO JSON.
        folder: Of the images.
        images: Those that can be used.
        classes: Names.
        faults: Records that training rejects.
        problem: Why training rejects the file as a whole; '' where it does not.
    """

    split: str
    path: Path
    content: dict[str, Any]
    folder: Path
    images: list[CheckedImage]
    classes: tuple[str, ...]
    faults: RecordFaults
    problem: str = ''


@dataclass(frozen=True)
class DataSource:
    """All that is checked.

    Attributes:
        path: What the user named.
        kind: In words: 'point file', 'splits' or the title of the tool's format.
        parts: One per split, or one.
        problems: Of reading.
    """

    path: Path
    kind: str
    parts: list[DataPart]
    problems: list[Problem]

    @property
    def images(self) -> list[CheckedImage]:
        """Return the images of all splits."""
        return [image for part in self.parts for image in part.images]

    @property
    def has_splits(self) -> bool:
        """Return whether the images are divided."""
        return bool(self.parts and self.parts[0].split)


def read_data(path: str | Path, images: str | Path | None = None) -> DataSource:
    """Return what is to be checked.

    Args:
        path: A point file; a data folder with ``annotations/{train,val,test}.json``, the same files
            in the folder itself, or ``points.json``; or what :func:`read_source` imports.
        images: Folder of the images; where the data say it, or next to them, if None.

    Raises:
        ValueError: There is no such path, it is of no known format, or no folder of images.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f'{shorten(str(path))}: there is no such file or folder')
    files = find_point_files(path)
    if not files:
        return _import_data(path, images)
    contents = [load_point_json(file) for file in files.values()]
    folders = [Path(images) if images else images_folder(file, content)
               for file, content in zip(files.values(), contents, strict=True)]
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f'{shorten(str(folder))}: there is no such folder of images; --images '
                             'names it')
    parts = [read_part(split, file, folder, content) for (split, file), folder, content in zip(
        files.items(), folders, contents, strict=True)]
    kind = 'point file' if '' in files else 'splits'
    return DataSource(path, kind, parts, _describe_faults(parts) + _describe_readers(parts))


def find_point_files(path: Path) -> dict[str, Path]:
    """Return the point files of a path by split, '' for one without splits; {} without any."""
    if path.is_dir():
        for folder in (path / 'annotations', path):
            files = {split: folder / f'{split}.json' for split in SPLITS
                     if (folder / f'{split}.json').is_file()}
            if files:
                return files
        place = path / POINTS_NAME
        return {'': place} if place.is_file() else {}
    return {'': path} if path.suffix.lower() == '.json' and _is_point_file(path) else {}


def _is_point_file(path: Path) -> bool:
    content = load_json(path, 'annotation file')
    return isinstance(content, dict) and all(isinstance(content.get(key), list)
                                             for key in COCO_LISTS)


def read_part(split: str, path: Path, folder: Path, content: dict[str, Any]) -> DataPart:
    """Return one point file with all its faults.

    Args:
        split: Its name.
        path: The file.
        folder: Of the images.
        content: Of the file.

    Raises:
        ValueError: Its categories have no names.
    """
    faults, problem = RecordFaults(), ''
    try:
        point_file = read_point_file(path, readers='all')
        records, classes = dict(enumerate(point_file.records)), point_file.classes
    except ValueError as error:
        records, classes, faults = _read_leniently(shorten(str(path)), content)
        if not faults:
            problem = str(error)
    images = [CheckedImage(record, split, folder / record.file_name, index)
              for index, record in records.items()]
    return DataPart(split, path, content, folder, images, classes, faults, problem)


def _read_leniently(name: str, content: dict[str, Any]
                    ) -> tuple[dict[int, ImageRecord], tuple[str, ...], RecordFaults]:
    """Return the usable images by index, the classes, and what cannot be used."""
    categories = read_categories(name, content['categories'])
    classes = tuple(categories.values()) or ('finding', )
    faults = RecordFaults()
    records: dict[int, ImageRecord] = {}
    by_id: dict[ImageId, ImageRecord] = {}
    names: set[str] = set()
    for index, image in enumerate(content['images']):
        try:
            record, = read_image_records(name, [image]).values()
        except ValueError as error:
            faults.images[index] = _without_file(error, name)
            continue
        if record.img_id in by_id or record.file_name in names:
            faults.images[index] = f'{shorten(record.file_name)} is listed twice (name or id)'
            continue
        records[index] = by_id[record.img_id] = record
        names.add(record.file_name)
    seen: set[ImageId] = set()
    for index, annotation in enumerate(content['annotations']):
        try:
            _add_finding(name, annotation, by_id, categories, classes, seen)
        except PointOutsideError as error:
            faults.outside[index] = _without_file(error, name)
        except ValueError as error:
            faults.findings[index] = _without_file(error, name)
    return records, classes, faults


def _without_file(error: ValueError, name: str) -> str:
    return str(error).removeprefix(f'{name}: ')


def _add_finding(name: str, annotation: dict[str, Any], records: dict[ImageId, ImageRecord],
                 categories: dict[ImageId, str], classes: tuple[str, ...], seen: set[ImageId]
                 ) -> None:
    key, image_id, category = (as_id(annotation.get(entry))
                               for entry in ('id', 'image_id', 'category_id'))
    where = f'{name}: annotation {quote(key)}'
    if key is None or key in seen:
        raise ValueError(f'{where}: its id is missing or occurs twice')
    seen.add(key)
    if image_id is None or image_id not in records:
        raise ValueError(f'{where} belongs to image {quote(image_id)}, which is not in the list or '
                         'cannot be used')
    if category is None or category not in categories:
        raise ValueError(f'{where} has category {quote(category)}, which is not in the list')
    record = records[image_id]
    finding = read_finding(annotation, record, f'{where} of {shorten(record.file_name)}')
    record.points.extend(finding.points)
    record.labels.extend([classes.index(categories[category])] * len(finding.points))
    record.boxes.extend([finding.box] * len(finding.points))


def _describe_faults(parts: list[DataPart]) -> list[Problem]:
    """Return the problems of records; those of points outside belong to another check."""
    problems = []
    for part in parts:
        if part.problem:
            problems.append(Problem(ERROR, 'point file', part.split, part.problem,
                                    'Training reads it no further'))
        for kind, faults in (('image records', part.faults.images),
                             ('findings', part.faults.findings)):
            if faults:
                problems.append(Problem(
                    ERROR, kind, part.split, f'{len(faults)} that training rejects, such as: '
                    f'{shorten(next(iter(faults.values())))}', 'Fix them; --fix leaves them out',
                    make_items(faults.values())))
    return problems


def _describe_readers(parts: list[DataPart]) -> list[Problem]:
    """Say whose findings are counted where several readers have marked them."""
    problems = []
    for part in parts:
        readers = {str(entry['reader']) for entry in part.content['annotations']
                   if isinstance(entry, dict) and entry.get('reader') is not None}
        if len(readers) > 1:
            problems.append(Problem(
                NOTE, 'several readers', part.split,
                f'{len(readers)} ({name_some(sorted(readers))}); below, each mark of each reader is '
                'a finding', "Training takes findings that more than half of an image's readers "
                'marked; agreement: mmwindow evaluate --merge-readers (docs/readers.md)'))
    return problems


def check_point_scale(part: DataPart) -> str:
    """Return why training takes the points of a file for fractions of their images; else ''."""
    records = [replace(image.record) for image in part.images]
    try:
        check_scale(shorten(str(part.path)), records)
    except ValueError as error:
        return _without_file(error, shorten(str(part.path)))
    return ''


def _import_data(path: Path, images: str | Path | None) -> DataSource:
    """Return another tool's annotations as one part."""
    key = recognise_format(path)
    source = read_source(path, ImportOptions(images=Path(images) if images else None), key)
    index = ImageIndex(images or find_images_folder(path))
    assembly = assemble(source, index, keep_unreadable=False)
    with tempfile.TemporaryDirectory() as folder:  # by the reader of all point files
        part = read_part('', write_point_file(Path(folder, POINTS_NAME), assembly.content),
                         index.folder, assembly.content)
    part = replace(part, path=path)
    problems = [Problem(NOTE, 'import', '', count_phrase(number, what), 'See docs/import.md')
                for what, number in assembly.counts.items()]
    if assembly.unreadable:
        number = len(assembly.unreadable)
        problems.insert(0, Problem(
            ERROR, 'unreadable images', '', f'{count_words(number, "image")} of which not even the '
            'size can be read', 'Copy them again, or take them out of the source; all else below is '
            'without them', make_items(assembly.unreadable)))
    return DataSource(path, FORMATS[key].title, [part], problems + _describe_faults([part])
                      + _describe_readers([part]))


def listed_names(parts: list[DataPart]) -> Iterator[tuple[Path, str]]:
    """Yield the folder and name of every image that a point file lists, usable or not."""
    for part in parts:
        for image in part.content['images']:
            name = image.get('file_name')
            if isinstance(name, str):
                yield part.folder, name


def describe_source(source: DataSource) -> str:
    """Return one line on what is checked."""
    splits = ', '.join(f'{part.split} {len(part.images)}' for part in source.parts if part.split)
    return (f'{shorten(str(source.path))}: {source.kind}, {count_words(len(source.images), "image")}'
            + (f' ({splits})' if splits else ''))
