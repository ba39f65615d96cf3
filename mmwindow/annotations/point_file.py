"""THE reader and writer of point files (COCO JSON): training, scoring, splits and tools use it.

What is accepted is decided here once: :mod:`~mmwindow.annotations.checks` knows ids and numbers,
:mod:`~mmwindow.annotations.point_rules` points, :mod:`~mmwindow.annotations.groups` patients,
:mod:`~mmwindow.annotations.readers` readers. Needs numpy and the standard library alone.
"""
import hashlib
import json
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmwindow.annotations.checks import (
    COCO_LISTS,
    ImageId,
    as_id,
    check_classes,
    read_categories,
)
from mmwindow.annotations.point_rules import check_point_rule, read_finding
from mmwindow.annotations.reader_names import ALL
from mmwindow.annotations.readers import (
    choose_readers,
    find_readers,
    finish_records,
    join_readers,
    read_reader,
)
from mmwindow.annotations.records import ImageRecord, PointFile, read_image_records
from mmwindow.utils.files import load_json, write_text
from mmwindow.utils.messages import quote, shorten

# In images from this side on, points that all lie in the first pixel are fractions of the image.
MIN_SIDE_OF_FRACTIONS = 16
Paths = str | Path | Sequence[str | Path]


def load_point_json(path: str | Path) -> dict[str, Any]:
    """Return the content of a point file as it is: a dict with its three lists of objects.

    Raises:
        ValueError: It is missing, no JSON, or no COCO file.
    """
    content = load_json(path, 'point file')
    name = shorten(str(path))
    for key in COCO_LISTS:
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise ValueError(f'{name}: no list "{key}"; a point file is COCO JSON with the lists '
                             'images, annotations and categories')
        for index, record in enumerate(content[key]):
            if not isinstance(record, dict):
                raise ValueError(f'{name}: {key}[{index}] is {quote(record)}; an object is '
                                 'expected')
    return content  # type: ignore[no-any-return]


def read_point_file(path: Paths, classes: Iterable[str] | None = None, points_from: str = 'auto',
                    needs_boxes: bool = False, readers: str | None = None) -> PointFile:
    """Read one point file or several, check every record, and return the images with their points.

    Args:
        path: COCO JSON; of several files the images are joined. Image ids and file names must
            differ between them, and their categories have the same names, under any ids.
        classes: Names that labels count; None takes the first file's categories in the order of
            their ids.
        points_from: How an annotation gives its points, one of
            :data:`~mmwindow.annotations.point_rules.POINT_RULES`.
        needs_boxes: Reject an annotation without a box of positive size; else such a box is no box.
        readers: Whose points, where annotations name several readers: 'merge', 'all' or a name;
            None rejects them. See :func:`~mmwindow.annotations.readers.choose_readers`.

    Returns:
        Images in the order of the files, negative ones included, and their classes.

    Raises:
        ValueError: Anything wrong; the message names file, record and what to do.

    Examples:
        >>> import json, tempfile
        >>> content = dict(
        ...     images=[dict(id=1, file_name='a.png', height=100, width=80, group='patient 7'),
        ...             dict(id=2, file_name='b.png', height=100, width=80)],
        ...     annotations=[dict(id=1, image_id=1, category_id=1, bbox=[10, 20, 30, 40])],
        ...     categories=[dict(id=1, name='fracture')])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = write_point_file(f'{folder}/points.json', content)
        ...     point_file = read_point_file(path)
        >>> point_file.classes
        ('fracture',)
        >>> [(record.file_name, record.points) for record in point_file.records]
        [('a.png', [(25.0, 40.0)]), ('b.png', [])]
    """
    check_point_rule(points_from)
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(entry) for entry in path]
    if not paths:
        raise ValueError('the list of point files is empty; at least one is expected')
    parts: list[PointFile] = []
    for entry in paths:
        known = classes if classes is not None or not parts else parts[0].classes
        parts.append(read_one_file(entry, known, points_from, needs_boxes))
        if classes is None and len(parts[-1].category_labels) != len(parts[0].classes):
            raise ValueError(
                f'{shorten(str(entry))}: its categories are not those of {paths[0]}, '
                f'{shorten(parts[0].classes)}; name the same ones in each file, or give the classes '
                'in the config')
    return choose_readers(parts[0] if len(parts) == 1 else _join(parts), readers)


def write_point_file(path: str | Path, content: Mapping[str, Any], indent: int | None = None) -> Path:
    """Write a point file atomically: an interruption leaves the old file, if any.

    Args:
        path: The file; its folder is made where it is not there.
        content: COCO JSON, as :func:`load_point_json` returns it.
        indent: Of a file that people read; it ends with a new line.

    Raises:
        ValueError: The content has not the three lists of a point file.
    """
    missing = [key for key in COCO_LISTS if not isinstance(content.get(key), list)]
    if missing:
        raise ValueError(f'{shorten(str(path))}: a point file needs the lists {COCO_LISTS}; there is '
                         f'no {missing[0]}')
    write_text(path, json.dumps(content, indent=indent) + ('' if indent is None else '\n'))
    return Path(path)


def point_file_content(point_file: PointFile) -> dict[str, Any]:
    """Return a point file as COCO JSON; reading it again gives the same records and classes.

    Args:
        point_file: Boxes are written where there are any; the categories' ids count from 1.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    # Merged points are of no one reader: a file that names readers would have to name theirs.
    names_readers = all(len(record.point_readers) == len(record.points)
                        for record in point_file.records)
    for record in point_file.records:
        optional: dict[str, Any] = {} if record.group is None else dict(group=record.group)
        if names_readers and record.readers is not None:
            optional.update(readers=list(record.readers))
        images.append(dict(record.fields, id=record.img_id, file_name=record.file_name,
                           height=record.height, width=record.width, **optional))
        boxes = record.boxes or [None] * len(record.points)
        names = record.point_readers if names_readers else [None] * len(record.points)
        for (x, y), label, box, name in zip(record.points, record.labels, boxes, names, strict=True):
            annotations.append(dict(
                id=len(annotations) + 1, image_id=record.img_id, category_id=label + 1,
                keypoints=[x, y, 2], num_keypoints=1, iscrowd=0,
                **({} if box is None else dict(bbox=[*box[:2], box[2] - box[0], box[3] - box[1]])),
                **({} if name is None else dict(reader=name))))
    return dict(images=images, annotations=annotations,
                categories=[dict(id=number, name=name, keypoints=['point'])
                            for number, name in enumerate(point_file.classes, start=1)])


def points_digest(path: Paths, points_from: str = 'auto') -> str:
    """Return a digest of what a point file says of its images, whatever its order and layout.

    Two point files of one digest have the same images, by id and file name, with the same points.

    Args:
        path: As :func:`read_point_file`.
        points_from: Likewise.

    Returns:
        16 hexadecimal digits.

    Raises:
        ValueError: As :func:`read_point_file`.
    """
    lines = sorted(f'{record.img_id!r} {record.file_name} '
                   f'{sorted(zip(record.labels, record.points, strict=True))}'
                   + (f' {record.readers} {sorted(record.point_readers)}' if record.readers else '')
                   for record in read_point_file(path, points_from=points_from,
                                                 readers=ALL).records)
    return hashlib.sha256('\n'.join(lines).encode('utf-8', 'backslashreplace')).hexdigest()[:16]


def read_one_file(path: Path, classes: Iterable[str] | None, points_from: str, needs_boxes: bool,
                  own_reader: str | None = None) -> PointFile:
    """Return one point file with the points of all its readers; see :func:`read_point_file`.

    Args:
        path: The file.
        classes: As there, and so are the next two.
        points_from: How an annotation gives its points.
        needs_boxes: Reject an annotation without a box.
        own_reader: The reader whose file it is, where each reader has one.
    """
    content = load_point_json(path)
    name = shorten(str(path))
    categories = read_categories(name, content['categories'])
    known = check_classes(name, categories.values() if classes is None else classes)
    unlisted = [category for category in categories.values() if category not in known]
    if unlisted:
        raise ValueError(
            f'{name}: its categories {shorten(unlisted)} are not among the classes {shorten(known)}; '
            'list them in metainfo.classes of the config, or take them and their annotations out of '
            'the file')
    labels = {key: known.index(category) for key, category in categories.items()}
    records = read_image_records(name, content['images'])
    num_from = dict(keypoints=0, bbox=0, segmentation=0)
    seen: set[ImageId] = set()
    for annotation in content['annotations']:
        where, record, label = _find_owner(name, annotation, records, labels)
        if annotation['id'] in seen:
            raise ValueError(f'{name}: annotation id {quote(annotation["id"])} occurs twice; '
                             'give each annotation an id of its own')
        seen.add(annotation['id'])
        finding = read_finding(annotation, record, where, points_from, needs_boxes)
        num_from[finding.source] += 1
        record.points.extend(finding.points)
        record.labels.extend([label] * len(finding.points))
        record.boxes.extend([finding.box] * len(finding.points))
        record.point_readers.extend([read_reader(where, annotation, record)] * len(finding.points))
    check_scale(name, records.values())
    readers = find_readers(name, content.get('readers'), records.values(), own_reader)
    return PointFile(finish_records(name, records.values(), readers, own_reader), known, labels,
                     num_from, (path, ), readers)


def _find_owner(path: str, annotation: dict[str, Any], records: Mapping[ImageId, ImageRecord],
                labels: Mapping[ImageId, int]) -> tuple[str, ImageRecord, int]:
    """Return how messages name an annotation, its image and its label."""
    key = as_id(annotation.get('id'))
    if key is None:
        raise ValueError(f'{path}: annotation {shorten(annotation)} has no id; a whole number or a '
                         'string is needed')
    where = f'{path}: annotation {quote(key)}'
    img_id, category = (as_id(annotation.get(entry)) for entry in ('image_id', 'category_id'))
    if img_id is None or img_id not in records:
        raise ValueError(f'{where} belongs to image {quote(annotation.get("image_id"))}, which '
                         'is not in the list of images; fix its image_id or take it out')
    if category is None or category not in labels:
        raise ValueError(f'{where} has category {quote(annotation.get("category_id"))}, which '
                         f'is not in the list of categories ({shorten(sorted(labels, key=str))}); '
                         'fix it or take it out')
    record = records[img_id]
    return f'{where} of {shorten(record.file_name)}', record, labels[category]


def check_scale(path: str, records: Iterable[ImageRecord]) -> None:
    """Reject points that are fractions of the image rather than pixels.

    Args:
        path: Names the file in the message.
        records: All its images.

    Raises:
        ValueError: All points of images of a usual size lie in the first pixel.
    """
    positive = [record for record in records if record.points]
    if positive and all(
            min(record.height, record.width) >= MIN_SIDE_OF_FRACTIONS
            and all(max(point) <= 1 for point in record.points) for record in positive):
        raise ValueError(
            f'{path}: all points lie between 0 and 1, such as {positive[0].points[0]} of '
            f'{shorten(positive[0].file_name)}, an image of {positive[0].width} x '
            f'{positive[0].height} (width x height); points are in pixels: multiply x by the width '
            'and y by the height')


def _join(parts: Sequence[PointFile]) -> PointFile:
    """Return several point files as one."""
    homes: dict[tuple[str, ImageId], Path] = {}
    category_labels: dict[ImageId, int] = {}
    contradicted: set[ImageId] = set()
    num_from = dict.fromkeys(parts[0].num_from, 0)
    for part in parts:
        home = part.paths[0]
        for record in part.records:
            place = posixpath.normpath(record.file_name)
            for key in (('image id', record.img_id), ('file name', place)):
                if key in homes:
                    raise ValueError(
                        f'{shorten(str(home))}: {key[0]} {quote(key[1])} is in '
                        f'{shorten(str(homes[key]))} as well; an image counts once, and ids must '
                        'differ between point files that are used together')
                homes[key] = home
        contradicted.update(key for key, label in part.category_labels.items()
                            if category_labels.setdefault(key, label) != label)
        for source, number in part.num_from.items():
            num_from[source] += number
    return PointFile(
        [record for part in parts for record in part.records], parts[0].classes,
        {key: label for key, label in category_labels.items() if key not in contradicted}, num_from,
        tuple(path for part in parts for path in part.paths), join_readers(parts))
