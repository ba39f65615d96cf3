"""Several readers of the same images: who read what, and whose points are taken.

An annotation names its ``reader``, an image those who read it (``readers``); an image without that
list was read by every reader of the file. So a reader who found nothing on an image is one who read
it and has no annotation there.
"""
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mmwindow.annotations.merging import (
    DEFAULT_MERGE,
    MergeSettings,
    ReaderMarks,
    check_reader_points,
    merge_marks,
)
from mmwindow.annotations.reader_names import ALL, MERGE, read_reader_list, reader_name
from mmwindow.annotations.records import ImageRecord, PointFile
from mmwindow.utils.frame import FRAME_SIDE
from mmwindow.utils.messages import count_words, name_some, quote, shorten

ADVICE = ('--merge-readers, --keep-readers or --reader NAME; in a config readers=merge, all or NAME '
          'of the data set or the metric that reads the file (docs/readers.md)')


def read_reader(where: str, annotation: Mapping[str, object], record: ImageRecord) -> str:
    """Return the reader of an annotation, '' where it names none.

    Raises:
        ValueError: It is no name, or the image says that this reader has not read it.
    """
    name = reader_name(annotation.get('reader'), where)
    if name is not None and record.readers is not None and name not in record.readers:
        raise ValueError(f'{where} is of reader {quote(name)}, but the readers of this image are '
                         f'{name_some(record.readers) or "nobody"}; add the reader to them, or take '
                         'the annotation out')
    return name or ''


def find_readers(name: str, listed: object, records: Iterable[ImageRecord],
                 own_reader: str | None = None) -> tuple[str, ...]:
    """Return the names of the readers of a file, ordered; none where it names none.

    Args:
        name: Of the file, for messages.
        listed: Its entry ``readers``, which is needed only where a reader has no annotation.
        records: With their points, and the readers that each names.
        own_reader: The reader whose file it is, where each reader has one.

    Raises:
        ValueError: A reader who is not in the list, or another one in a reader's own file.
    """
    known = read_reader_list(f'{name}: the file', listed)
    named = {reader for record in records
             for reader in (*(record.readers or ()), *record.point_readers) if reader}
    expected = known if own_reader is None else (own_reader, )
    if expected is not None and not named <= set(expected):
        raise ValueError(f'{name}: reader {name_some(named - set(expected))} is unknown; the readers '
                         f'of this file are {name_some(expected)}')
    return tuple(sorted(named if expected is None else expected))


def named_readers(content: Mapping[str, Any]) -> list[str]:
    """Return the names of all readers of a point file's content; a part of it must list them.

    Without the list, a reader without an annotation in the part would not have read it.

    Args:
        content: COCO JSON that :func:`~mmwindow.annotations.point_file.read_point_file` accepts.
    """
    values = [*(content.get('readers') or ()),
              *(annotation.get('reader') for annotation in content['annotations']),
              *(reader for image in content['images'] for reader in image.get('readers') or ())]
    return sorted({name for name in (reader_name(value, '') for value in values) if name})


def finish_records(name: str, records: Iterable[ImageRecord], readers: tuple[str, ...],
                   own_reader: str | None = None) -> list[ImageRecord]:
    """Return the images of a file with who read each, and who marked each point.

    Args:
        name: Of the file, for messages.
        records: With their points; a point of nobody has the reader ''.
        readers: From :func:`find_readers`.
        own_reader: As there: it marked what names nobody, and ``"readers": []`` says that it has
            not read an image.

    Raises:
        ValueError: Nobody has read an image, a point has no reader though others have, or a reader
            marked a place twice.
    """
    finished = []
    for record in records:
        who = readers if record.readers is None else record.readers
        owners = [owner or own_reader for owner in record.point_readers]
        where = f'{name}: image {quote(record.img_id)} ({shorten(record.file_name)})'
        if not readers and record.readers is None:
            finished.append(replace(record, point_readers=[]))
            continue
        if not who and (own_reader is None or record.points):
            raise ValueError(f'{where} has been read by nobody (readers: []) and has '
                             f'{count_words(len(record.points), "point")}; name its readers, or '
                             f'take it out')
        if None in owners:
            raise ValueError(f'{where} has a point without a reader, but the file names the readers '
                             f'{name_some(readers)}; give each annotation its reader')
        finished.append(replace(record, readers=tuple(sorted(who)),
                                point_readers=[owner for owner in owners if owner]))
        _check_marks(where, finished[-1])
    return finished


def _check_marks(where: str, record: ImageRecord) -> None:
    """Reject a place that one reader has marked twice."""
    for reader, entry in reader_marks(record).items():
        for label in set(entry.labels.tolist()):
            try:
                check_reader_points(entry.points[entry.labels == label], reader)
            except ValueError as error:
                raise ValueError(f'{where}: {error}') from error


def join_readers(parts: Sequence[PointFile]) -> tuple[str, ...]:
    """Return the readers of several files of different images.

    Raises:
        ValueError: One of them names no readers, others do.
    """
    without = [part for part in parts if not part.readers]
    if without and len(without) < len(parts):
        raise ValueError(f'{shorten(str(without[0].paths[0]))} names no readers, but other files '
                         'that are used together with it do; name them in each')
    return tuple(sorted({reader for part in parts for reader in part.readers}))


def reader_marks(record: ImageRecord) -> dict[str, ReaderMarks]:
    """Return what each reader of an image has marked, in pixels of the image."""
    marks = {}
    for reader in record.readers or ():
        places = [place for place, owner in enumerate(record.point_readers) if owner == reader]
        marks[reader] = ReaderMarks(
            np.array([record.points[place] for place in places], float).reshape(-1, 2),
            np.array([record.labels[place] for place in places], int),
            tuple(record.boxes[place] for place in places))
    return marks


def choose_readers(point_file: PointFile, readers: str | None,
                   settings: MergeSettings = DEFAULT_MERGE) -> PointFile:
    """Return a point file with the points that a setting asks for.

    Args:
        point_file: With the points of all readers.
        readers: None: the file must have one reader at most. 'merge': findings of enough readers,
            each at the mean of its points. 'all': every point of every reader, so that what two
            have marked is there twice. A name: the points of this reader, on the images that this
            reader has read.
        settings: Of 'merge'.

    Raises:
        ValueError: There are several readers and None was asked for, the name is unknown, or there
            is nothing to merge.
    """
    where = shorten(str(point_file.paths[0] if point_file.paths else 'the file'))
    known = point_file.readers
    if readers is None:
        if len(known) > 1:
            raise ValueError(f'{where}: its points are of {count_words(len(known), "reader")} '
                             f'({name_some(known)}); '
                             f'say whose are used: {ADVICE}')
        return point_file
    if readers == ALL:
        return point_file
    if readers == MERGE:
        check_several(where, known)
        return replace(point_file, records=[
            _merge_record(where, record, settings) for record in point_file.records])
    if readers not in known:
        raise ValueError(f'{where}: there is no reader {quote(readers)}; ' + (
            f'its readers are {name_some(known)}' if known else 'its annotations name no reader'))
    chosen = [_one_reader(record, readers) for record in point_file.records
              if record.readers and readers in record.readers]
    if not chosen:
        raise ValueError(f'{where}: reader {quote(readers)} has read none of its images')
    return replace(point_file, records=chosen, readers=(readers, ))


def describe_left_out(everybody: PointFile, chosen: PointFile) -> str:
    """Return in words which images a reader has not read, so that they are left out; '' for none."""
    num = len(everybody.records) - len(chosen.records)
    return '' if not num else (f'reader {name_some(chosen.readers)} has not read {num} of '
                               f'{count_words(len(everybody.records), "image")}, which are left out')


def check_several(where: str, readers: Collection[str]) -> None:
    """Reject a comparison or merging of fewer than two readers.

    Raises:
        ValueError: There are none, or one.
    """
    if len(readers) < 2:
        who = f'only reader is {name_some(readers)}' if readers else 'annotations name no reader'
        raise ValueError(f'{where}: its {who}; merging and comparing need at least two: give each '
                         'annotation its "reader", or each reader a file')


def _merge_record(where: str, record: ImageRecord, settings: MergeSettings) -> ImageRecord:
    try:
        marks = merge_marks(reader_marks(record), settings,
                            FRAME_SIDE / max(record.height, record.width)).marks
    except ValueError as error:
        raise ValueError(f'{where}: image {quote(record.img_id)} ({shorten(record.file_name)}): '
                         f'{error}') from error
    return replace(
        record, points=[(x, y) for x, y in marks.points.tolist()], labels=marks.labels.tolist(),
        boxes=[None if box is None else (box[0], box[1], box[2], box[3]) for box in marks.boxes],
        point_readers=[])


def _one_reader(record: ImageRecord, reader: str) -> ImageRecord:
    marks = reader_marks(record)[reader]
    return replace(
        record, points=[(x, y) for x, y in marks.points.tolist()], labels=marks.labels.tolist(),
        boxes=[None if box is None else (box[0], box[1], box[2], box[3]) for box in marks.boxes],
        point_readers=[reader] * len(marks.points), readers=(reader, ))
