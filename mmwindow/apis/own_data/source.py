"""What a user's data folder holds: images with points, divided already or not."""
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmwindow.annotations.groups import unit_name
from mmwindow.annotations.image_places import images_folder
from mmwindow.annotations.point_file import load_point_json, read_point_file
from mmwindow.annotations.records import ImageRecord, PointFile
from mmwindow.datasets.splits import SPLITS
from mmwindow.utils.messages import count_words, name_some, shorten

POINTS_NAME = 'points.json'
ANNOTATIONS = 'annotations'
IMPORT = 'mmwindow import SOURCE --images FOLDER --out DIR'


@dataclass(frozen=True)
class OwnData:
    """Images with points, read and found.

    Attributes:
        points: The point file; None where there are only divided ones.
        files: Split -> point file, of data that their owner has divided; empty otherwise.
        parts: Split -> images, likewise.
        images: Folder of the images.
        records: All of them.
        classes: Names, in the order of the labels.
        readers: Who read them; empty where the file names nobody.
    """

    points: Path | None
    files: Mapping[str, Path]
    parts: Mapping[str, tuple[ImageRecord, ...]]
    images: Path
    records: tuple[ImageRecord, ...]
    classes: tuple[str, ...]
    readers: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        """What a work dir of it is called: the name of its folder, or of a point file of another."""
        if self.points is not None and self.points.name != POINTS_NAME:
            return self.points.stem
        path = self.points or self.files['train'].parent
        return path.absolute().parent.name or 'data'

    @property
    def source(self) -> Path:
        """What messages call it."""
        return self.points or self.files['train'].parent

    def describe(self) -> str:
        """Return in one line how much there is of what."""
        positives = sum(bool(record.points) for record in self.records)
        groups = {record.group for record in self.records} - {None}
        patients = count_words(len(groups), 'patient') if groups else 'no patients named'
        return (f'{self.source}: {count_words(len(self.records), "image")}, {positives} with '
                f'points, {patients}; '
                f'{"class" if len(self.classes) == 1 else "classes"} '
                f'{shorten(", ".join(self.classes), 100)}')


def find_data(path: str | Path) -> OwnData:
    """Read the point file of a data folder, and check that all its images are there.

    Args:
        path: A point file; a folder with ``points.json``; or one with
            ``annotations/{train,val,test}.json``, which stay the division of its images.

    Raises:
        ValueError: There is none of these, a file cannot be used, or images are missing. Nothing has
            been read of the images.
    """
    path = Path(path)
    points, files = _find_files(path)
    whole = None if points is None else read_point_file(points, readers='all')
    parts = {name: read_point_file(file, readers='all') for name, file in files.items()}
    if parts:
        _check_parts(path, parts, whole)
    first = next(iter([whole] if whole else parts.values()))
    records = tuple(record for part in ([whole] if whole else parts.values())
                    for record in part.records)
    images = images_folder(points or files['train'])
    missing = [record.file_name for record in records if not (images / record.file_name).is_file()]
    if missing:
        raise ValueError(f'{shorten(str(points or path))}: {len(missing)} of '
                         f'{count_words(len(records), "image")} '
                         f'are not in {shorten(str(images))}, such as {name_some(missing[:3])}; copy '
                         'them there, or import again with --images FOLDER')
    divided = {name: tuple(part.records) for name, part in parts.items()}
    return OwnData(points, files, divided, images, records, first.classes, first.readers)


def _find_files(path: Path) -> tuple[Path | None, dict[str, Path]]:
    """Return the point file and the files of a division, as far as they are there."""
    name = f'--data {shorten(str(path))}'
    if not path.exists():
        raise ValueError(f'{name}: there is no such folder; {IMPORT} makes one from the annotations '
                         'of another tool')
    if not path.is_dir():
        if path.suffix.lower() != '.json':
            raise ValueError(f'{name}: a folder with {POINTS_NAME}, or a point file, is expected; '
                             f'import it first: mmwindow import {shorten(str(path), 80)} --images '
                             'FOLDER --out DIR')
        _check_point_file(path)
        return path, {}
    points = path / POINTS_NAME
    there = {split: path / ANNOTATIONS / f'{split}.json' for split in SPLITS
             if (path / ANNOTATIONS / f'{split}.json').is_file()}
    if there and len(there) < len(SPLITS):
        lacking = [split for split in SPLITS if split not in there]
        files = [f'{split}.json' for split in lacking]
        raise ValueError(f'{name}: {ANNOTATIONS}/ lacks {name_some(files)}, so the division there is '
                         'incomplete; add it, or move '
                         f'{name_some([file.name for file in there.values()])} away')
    if not points.is_file() and not there:
        found = sorted(entry.name for entry in path.iterdir())
        held = f'it holds {name_some(found[:3])}' if found else 'it is empty'
        raise ValueError(f'{name}: there is neither {POINTS_NAME} nor {ANNOTATIONS}/train.json, '
                         f'val.json and test.json ({held}); {IMPORT} writes {POINTS_NAME}')
    return points if points.is_file() else None, there


def _check_point_file(path: Path) -> None:
    try:
        load_point_json(path)
    except ValueError as error:
        raise ValueError(f'{error}. The annotations of another tool are imported first: {IMPORT}'
                         ) from error


def _check_parts(path: Path, parts: Mapping[str, PointFile], whole: PointFile | None) -> None:
    """Reject a division that shares images or patients, or is not one of its point file.

    Raises:
        ValueError: The message names what differs.
    """
    where = f'--data {shorten(str(path))}: {ANNOTATIONS}/'
    homes: dict[str, str] = {}
    for split, part in parts.items():
        for record in part.records:
            # Not by id: each file may count its images from 1.
            image = unit_name(None, _place(record))
            for key in dict.fromkeys((image, unit_name(record.group, _place(record)))):
                if homes.setdefault(key, split) != split:
                    raise ValueError(f'{where} has {shorten(key, 80)} in {homes[key]}.json and in '
                                     f'{split}.json; training and test must share nothing: divide '
                                     'again with mmwindow splits')
    if len({part.classes for part in parts.values()}) > 1:
        raise ValueError(f'{where} has different classes in its files: '
                         + '; '.join(f'{split} {", ".join(part.classes)}'
                                     for split, part in parts.items()))
    if whole is None:
        return
    theirs = {place: facts for part in parts.values() for place, facts in _describe_images(part)}
    ours = dict(_describe_images(whole))
    common = sorted(ours.keys() & theirs.keys())
    differences = [f'{what} {name_some(some)}' for what, some in (
        (f'only {POINTS_NAME} has', ours.keys() - theirs.keys()),
        (f'only {ANNOTATIONS}/ has', theirs.keys() - ours.keys()),
        *((f'the {what} differ of', [place for place in common
                                     if ours[place][what] != theirs[place][what]])
          for what in ('points', 'classes', 'patients', 'sizes', 'readers'))) if some]
    classes = [', '.join(part.classes) for part in (whole, next(iter(parts.values())))]
    if classes[0] != classes[1]:
        differences.append(f'its classes are {shorten(classes[0], 80)}, those of {ANNOTATIONS}/ '
                           f'{shorten(classes[1], 80)}')
    if not differences:
        return
    raise ValueError(f'{where} is a division of other data than {POINTS_NAME}, which has changed '
                     f'since: {"; ".join(differences)}. Move {ANNOTATIONS}/ away to have '
                     f'{POINTS_NAME} divided again')


def _place(record: ImageRecord) -> str:
    """Return the file of an image: 'a.png' and './a.png' are one."""
    return posixpath.normpath(record.file_name)


def _describe_images(part: PointFile) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the file of each image and what training and test take of it, in no order of findings."""
    for record in part.records:
        marks = record.point_readers or [''] * len(record.points)
        findings = sorted(zip(record.points, (part.classes[label] for label in record.labels), marks,
                              strict=True))
        yield _place(record), dict(
            points=[point for point, _, _ in findings], classes=[name for _, name, _ in findings],
            patients=record.group, sizes=(record.height, record.width),
            readers=(set(record.readers or ()), [reader for _, _, reader in findings]))
