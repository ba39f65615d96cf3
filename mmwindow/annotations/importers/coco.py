"""COCO JSON: keypoints, boxes, polygons and run-length masks.

`Format <https://cocodataset.org/#format-data>`_. Coordinates are continuous pixels of the file as it
is stored: no tool that writes COCO turns images.
"""
from pathlib import Path
from typing import Any

import numpy as np

from mmwindow.annotations.checks import as_id
from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.importers.source import (
    Mask,
    Point,
    Shape,
    Source,
    SourceFinding,
    SourceImage,
    box_outline,
    polygon_outline,
)
from mmwindow.annotations.importers.values import (
    as_list,
    as_name,
    as_number,
    as_object,
    as_side,
    expand_runs,
)
from mmwindow.annotations.reader_names import reader_name
from mmwindow.utils.files import load_json
from mmwindow.utils.messages import quote, shorten

TITLE = 'COCO JSON'


def recognises(path: Path, content: Any) -> bool:
    """Tell whether a JSON file is COCO's."""
    return isinstance(content, dict) and {'images', 'annotations', 'categories'} <= set(content)


def read(path: Path, options: ImportOptions) -> Source:
    """Read a COCO file.

    Raises:
        ValueError: Anything wrong; the message names file and record.
    """
    name = shorten(str(path))
    content = as_object(load_json(path, 'COCO file'), name, 'its content')
    categories = _read_categories(name, content)
    source = Source('coco', [], images_near='.')
    images: dict[Any, SourceImage] = {}
    for record in as_list(content.get('images'), name, 'images'):
        key = as_id(as_object(record, name, 'an image').get('id'))
        where = f'{name}: image {quote(key)}'
        if key is None or key in images:
            raise ValueError(f'{where}: each image needs an id of its own')
        images[key] = SourceImage(
            as_name(record.get('file_name'), where, 'file_name'), where,
            size=(as_side(record.get('height'), where, 'height'),
                  as_side(record.get('width'), where, 'width')),
            group=record.get('group', record.get('patient')),
            readers=_read_readers(record.get('readers') or [], where),
            fields={key: value for key, value in record.items()
                    if isinstance(value, int | float | str) and key not in NO_FIELDS})
    used: set[Any] = set()
    ids: set[Any] = set()
    for number, record in enumerate(as_list(content.get('annotations'), name, 'annotations')):
        record = as_object(record, name, f'annotations[{number}]')
        where = f'{name}: annotation {quote(record.get("id", number))}'
        if 'id' in record and as_id(record['id']) in ids:
            raise ValueError(f'{where}: its id occurs twice; is a file joined with itself?')
        ids.add(as_id(record.get('id')))
        image = images.get(as_id(record.get('image_id')))
        if image is None:
            raise ValueError(f'{where} belongs to image {quote(record.get("image_id"))}, which is '
                             'not in the list of images')
        category = as_id(record.get('category_id'))
        if category not in categories:
            raise ValueError(f'{where} has category {quote(record.get("category_id"))}, which is '
                             'not in the list of categories')
        used.add(category)
        reader = reader_name(record.get('reader'), where)
        for crowd in ('iscrowd', 'ignore'):
            if record.get(crowd) not in (None, 0, False):
                source.left_out[f'annotations with {crowd} 1 (a region, no single finding)'] += 1
                image.has_unread_marks = True
                break
        else:
            shapes = _read_shapes(record, where, source)
            image.has_unread_marks |= not shapes
            for shape in shapes:
                image.findings.append(SourceFinding(shape, categories[category], where, reader))
    source.images = list(images.values())
    # Roboflow puts the common name of all classes first, as class 0 without an annotation.
    roots = {key for key, record in _category_records(name, content)
             if key == 0 and key not in used and any(
                 other.get('supercategory') == record.get('name')
                 for _, other in _category_records(name, content))}
    source.classes = tuple(label for key, label in categories.items() if key not in roots)
    return source


NO_FIELDS = ('id', 'file_name', 'height', 'width', 'group', 'patient', 'readers', 'license',
             'flickr_url', 'coco_url', 'date_captured')


def _read_readers(values: object, where: str) -> tuple[str, ...]:
    names = [reader_name(value, where) for value in as_list(values, where, 'readers')]
    return tuple(name for name in names if name is not None)


def _category_records(name: str, content: dict[str, Any]) -> list[tuple[Any, dict[str, Any]]]:
    records = [as_object(record, name, 'a category')
               for record in as_list(content.get('categories'), name, 'categories')]
    return [(as_id(record.get('id')), record) for record in records]


def _read_categories(name: str, content: dict[str, Any]) -> dict[Any, str]:
    categories: dict[Any, str] = {}
    for key, record in _category_records(name, content):
        if key is None or key in categories:
            raise ValueError(f'{name}: category {quote(record.get("id"))}: each category needs an id '
                             'of its own')
        categories[key] = as_name(record.get('name'), f'{name}: category {quote(key)}', 'name')
    return dict(sorted(categories.items(), key=lambda item: (isinstance(item[0], str), item[0])))


def _read_shapes(record: dict[str, Any], where: str, source: Source) -> list[Shape]:
    """Return the shapes of one annotation: all its set keypoints, else its mask, else its box."""
    if record.get('keypoints'):
        values = as_list(record['keypoints'], where, 'keypoints')
        if len(values) % 3:
            raise ValueError(f'{where} has {len(values)} numbers in keypoints; x, y and visibility '
                             'are expected for each')
        points: list[Shape] = []
        for x, y, visibility in zip(*[iter(values)] * 3, strict=True):
            if as_number(visibility, where, 'a visibility') == 0:
                source.left_out['keypoints of visibility 0 (nobody set them)'] += 1
            else:
                points.append(Point(as_number(x, where, 'x'), as_number(y, where, 'y')))
        if points:
            return points
        if not record.get('segmentation') and not record.get('bbox'):
            return []
    segmentation = record.get('segmentation')
    if isinstance(segmentation, dict):
        return [Mask(_decode_rle(segmentation, where))]
    if segmentation:
        parts = []
        for number, part in enumerate(as_list(segmentation, where, 'segmentation')):
            values = as_list(part, where, f'segmentation[{number}]')
            if len(values) % 2 or len(values) < 6:
                raise ValueError(f'{where}: segmentation[{number}] has {len(values)} numbers; x and '
                                 'y of at least three corners are expected')
            numbers = [as_number(value, where, f'segmentation[{number}]') for value in values]
            parts.append(np.reshape(numbers, (-1, 2)))
        return [polygon_outline(parts, where)]
    values = as_list(record.get('bbox'), where, 'bbox')
    if len(values) != 4:
        raise ValueError(f'{where}: bbox is {quote(values)}; [x, y, width, height] is expected')
    x, y, width, height = (as_number(value, where, 'bbox') for value in values)
    if width < 0 or height < 0:
        raise ValueError(f'{where}: bbox is {quote(values)}; a negative size is no box')
    return [box_outline(x, y, x + width, y + height)]


def _decode_rle(segmentation: dict[str, Any], where: str) -> np.ndarray:
    """Return the mask of a run-length code, runs down the columns, zeros first."""
    size = as_list(segmentation.get('size'), where, 'segmentation.size')
    if len(size) != 2:
        raise ValueError(f'{where}: segmentation.size is {quote(size)}; [height, width] is expected')
    height, width = (as_side(value, where, 'segmentation.size') for value in size)
    counts = segmentation.get('counts')
    if isinstance(counts, str):
        counts = decode_counts(counts, where)
    runs = as_list(counts, where, 'segmentation.counts')
    return expand_runs(runs, (height, width), where, 'segmentation.counts').reshape(width, height).T


def decode_counts(text: str, where: str) -> list[int]:
    """Return the runs of COCO's compressed run-length code: six bits a character, differences.

    The code of ``rleFrString`` in the COCO API, which pycocotools has in C; it is a dozen lines, and
    the importers do not need that package.

    Raises:
        ValueError: A character outside the code, or the text ends within a number.
    """
    runs: list[int] = []
    position = 0
    while position < len(text):
        value, shift, more = 0, 0, True
        while more:
            code = ord(text[position]) - 48 if position < len(text) else -1
            if not 0 <= code < 64 or shift > 60:
                raise ValueError(f'{where}: the run-length code of its mask is damaged')
            value |= (code & 0x1f) << shift
            more = bool(code & 0x20)
            position, shift = position + 1, shift + 5
            if not more and code & 0x10:
                value |= -1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
    return runs
