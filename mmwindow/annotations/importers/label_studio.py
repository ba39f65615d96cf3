"""Label Studio: its raw JSON export.

`Format <https://labelstud.io/guide/export.html>`_. Values are percent of the image as the browser
shows it, turned by its orientation tag. Of the tool's other exports, JSON-MIN and COCO lose who
annotated and what was cancelled; they are not read as this format.
"""
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.importers.source import (
    Point,
    Shape,
    Source,
    SourceFinding,
    SourceImage,
    circle_outline,
    polygon_outline,
    turned_box_outline,
)
from mmwindow.annotations.importers.values import (
    as_length,
    as_list,
    as_name,
    as_number,
    as_object,
    as_points,
    as_side,
)
from mmwindow.utils.files import load_json
from mmwindow.utils.messages import count_words, name_some, quote, shorten

TITLE = 'Label Studio JSON'
IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff', '.bmp', '.webp', '.dcm', '.gif')
UPLOADS = re.compile(r'(^|/)upload/')  # where the tool keeps uploaded files, under changed names
KINDS = ('keypoint', 'rectangle', 'ellipse', 'polygon')


def recognises(path: Path, content: Any) -> bool:
    """Tell whether a JSON file is Label Studio's."""
    return (isinstance(content, list) and bool(content) and isinstance(content[0], dict)
            and 'data' in content[0] and ('annotations' in content[0]
                                          or 'completions' in content[0]))


def read(path: Path, options: ImportOptions) -> Source:
    """Read an export of Label Studio.

    Of several annotations of a task each person is a reader; of several by one person the last one
    counts. Cancelled ones and tasks without any are no readings.

    Raises:
        ValueError: Anything wrong; the message names file, task and region.
    """
    name = shorten(str(path))
    source = Source('label_studio', [], is_displayed=True)
    tasks = as_list(load_json(path, 'Label Studio file'), name, 'its content')
    several = any(len(_readings(task, f'{name}: task {number}', source, is_first=False)) > 1
                  for number, task in enumerate(tasks))
    for number, task in enumerate(tasks):
        where = f'{name}: task {quote(task.get("id", number)) if isinstance(task, dict) else number}'
        readings = _readings(task, where, source)
        if not readings:
            source.left_out['tasks that nobody finished'] += 1
            continue
        place = _find_image(as_object(task.get('data'), where, 'data'), where)
        is_upload = UPLOADS.search(place) is not None
        image = SourceImage(place.rpartition('/')[2] if is_upload else place, where,
                            was_uploaded=is_upload)
        for reader, annotation in readings.items():
            if several:
                image.readers = (*image.readers, reader)
            _read_regions(annotation, where, image, reader if several else None, options, source)
        source.images.append(image)
    return source


def _readings(task: Any, where: str, source: Source, is_first: bool = True
              ) -> dict[str, dict[str, Any]]:
    """Return the last finished annotation of each person."""
    task = as_object(task, where, 'it')
    finished: dict[str, dict[str, Any]] = {}
    key = 'annotations' if 'annotations' in task else 'completions'
    for annotation in as_list(task.get(key), where, key):
        annotation = as_object(annotation, where, f'an entry of {key}')
        if annotation.get('was_cancelled'):
            source.left_out['cancelled annotations'] += is_first
            continue
        person = annotation.get('completed_by')
        if isinstance(person, dict):
            person = person.get('email') or person.get('id')
        reader = 'unknown' if person is None else str(person)
        before = finished.get(reader)
        if before is not None:
            source.left_out['earlier annotations by the same person'] += is_first
            if str(before.get('updated_at') or '') > str(annotation.get('updated_at') or ''):
                continue
        finished[reader] = annotation
    return finished


def _find_image(data: dict[str, Any], where: str) -> str:
    """Return the name of a task's image: the one entry that names an image file."""
    named = {}
    for key, value in data.items():
        if not isinstance(value, str):
            continue
        parts = urlsplit(value)
        # Files of a local folder: /data/local-files/?d=folder/a.png
        local = parse_qs(parts.query).get('d')
        place = local[0] if local else unquote(parts.path)
        if local or key == 'image' or place.lower().endswith(IMAGE_SUFFIXES):  # DICOM has no ending
            named[key] = place
    if 'image' not in named and len(named) != 1:
        raise ValueError(f'{where}: its data name {count_words(len(named), "image")} '
                         f'({name_some(list(data)) or "none"}); one such as "image" is expected')
    return as_name(named.get('image', next(iter(named.values()))), where, 'image')


def _read_regions(annotation: dict[str, Any], where: str, image: SourceImage, reader: str | None,
                  options: ImportOptions, source: Source) -> None:
    regions = [as_object(region, where, 'a region')
               for region in as_list(annotation.get('result'), where, 'result')]
    labels = _labels_by_region(regions, where)
    for number, region in enumerate(regions):
        place = f'{where}, region {quote(region.get("id", number))}'
        kind = str(region.get('type'))
        shape_kind = kind.removesuffix('labels')
        if shape_kind not in KINDS:
            if kind not in ('labels', 'choices', 'textarea', 'rating', 'relation', 'taxonomy'):
                source.left_out[f'regions of the kind {shorten(kind, 30)}'] += 1
                image.has_unread_marks = True
            continue
        if region.get('image_rotation') not in (None, 0):
            raise ValueError(f'{place}: the image was turned in the tool (image_rotation '
                             f'{quote(region["image_rotation"])}), so what its numbers mean is not '
                             'documented; turn it back in the tool')
        size = (as_side(region.get('original_height'), place, 'original_height'),
                as_side(region.get('original_width'), place, 'original_width'))
        if image.size not in (None, size):
            raise ValueError(f'{place}: original size {size}, another region has {image.size}')
        image.size = size
        value = as_object(region.get('value'), place, 'value')
        shape = _read_shape(shape_kind, value, size, place)
        key = region.get('id')
        named = labels.get(key, []) if isinstance(key, str) else []
        names = as_list(value.get(kind, named), place, kind)
        for label in names or [options.label]:
            image.findings.append(SourceFinding(shape, as_name(label, place, 'label'), place, reader))


def _labels_by_region(regions: list[dict[str, Any]], where: str) -> dict[Any, list[Any]]:
    """Return the labels that entries of their own give to a region of the same id."""
    labels = {}
    for region in regions:
        if region.get('type') == 'labels' and isinstance(region.get('id'), str):
            value = as_object(region.get('value'), where, 'value')
            labels[region['id']] = as_list(value.get('labels', []), where, 'labels')
    return labels


def _read_shape(kind: str, value: dict[str, Any], size: tuple[int, int], where: str) -> Shape:
    height, width = size

    def number(key: str, side: int = 100, default: float | None = None) -> float:
        return as_number(value.get(key, default), where, key) * side / 100

    def length(key: str, side: int) -> float:
        return as_length(value.get(key), where, key) * side / 100

    x, y = ((0., 0.) if kind == 'polygon' else (number('x', width), number('y', height)))
    if kind == 'keypoint':
        return Point(x, y)
    if kind == 'rectangle':  # turned about its top left corner
        return turned_box_outline(x, y, length('width', width), length('height', height),
                                  number('rotation', default=0), about=(x, y))
    if kind == 'ellipse':
        return circle_outline(x, y, length('radiusX', width), length('radiusY', height),
                              number('rotation', default=0))
    return polygon_outline([[(px * width / 100, py * height / 100) for px, py in as_points(
        value.get('points'), where, 'points')]], where)
