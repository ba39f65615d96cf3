"""VGG Image Annotator, versions 2 and 3: JSON, exported annotations or saved project.

`Source <https://gitlab.com/vgg/via>`_. Shapes are in pixels of the image as the browser shows it,
which turns it by its orientation tag.
"""
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.importers.source import (
    Point,
    Shape,
    Source,
    SourceFinding,
    SourceImage,
    box_outline,
    circle_outline,
    polygon_outline,
)
from mmwindow.annotations.importers.values import (
    as_length,
    as_list,
    as_name,
    as_number,
    as_object,
)
from mmwindow.utils.files import load_json
from mmwindow.utils.messages import name_some, quote, shorten

TITLE = 'VIA JSON (versions 2 and 3)'
POINT, RECTANGLE, CIRCLE, ELLIPSE, POLYGON = 1, 2, 3, 4, 7  # codes of version 3; 5 and 6 are lines


def recognises(path: Path, content: Any) -> bool:
    """Tell whether a JSON file is VIA's."""
    if not isinstance(content, dict) or not content:
        return False
    if '_via_img_metadata' in content or {'metadata', 'view', 'file'} <= set(content):
        return True
    first = next(iter(content.values()))
    return isinstance(first, dict) and 'filename' in first and 'regions' in first


def read(path: Path, options: ImportOptions) -> Source:
    """Read a file of VIA.

    Raises:
        ValueError: Anything wrong; the message names file, image and region.
    """
    name = shorten(str(path))
    content = as_object(load_json(path, 'VIA file'), name, 'its content')
    source = Source('via', [], is_displayed=True)
    if {'metadata', 'view', 'file'} <= set(content):
        _read_version_3(content, name, options, source)
    else:
        _read_version_2(content.get('_via_img_metadata', content), name, options, source)
    return source


def _read_version_2(images: Any, name: str, options: ImportOptions, source: Source) -> None:
    for key, record in as_object(images, name, 'the list of images').items():
        where = f'{name}: image {quote(key, 80)}'
        record = as_object(record, where, 'it')
        image = SourceImage(as_name(record.get('filename'), where, 'filename'), where)
        regions = record.get('regions', [])
        # Version 1 numbered them in an object.
        regions = list(regions.values()) if isinstance(regions, dict) else as_list(
            regions, where, 'regions')
        for number, region in enumerate(regions):
            place = f'{where}, region {number}'
            region = as_object(region, place, 'it')
            shape = _shape_of_version_2(
                as_object(region.get('shape_attributes'), place, 'shape_attributes'), place, source)
            image.has_unread_marks |= shape is None
            if shape is not None:
                attributes = as_object(region.get('region_attributes', {}), place,
                                       'region_attributes')
                image.findings.append(SourceFinding(
                    shape, _find_label(attributes, place, options), place))
        source.images.append(image)


def _shape_of_version_2(shape: dict[str, Any], where: str, source: Source) -> Shape | None:
    def number(key: str) -> float:
        return as_number(shape.get(key), where, key)

    def length(key: str) -> float:
        return as_length(shape.get(key), where, key)

    kind = shape.get('name')
    if kind == 'point':
        return Point(number('cx'), number('cy'))
    if kind == 'rect':
        x, y = number('x'), number('y')
        return box_outline(x, y, x + length('width'), y + length('height'))
    if kind == 'circle':
        return circle_outline(number('cx'), number('cy'), length('r'))
    if kind == 'ellipse':  # theta in radians
        return circle_outline(number('cx'), number('cy'), length('rx'), length('ry'),
                              float(np.degrees(as_number(shape.get('theta', 0), where, 'theta'))))
    if kind == 'polygon':
        xs, ys = (as_list(shape.get(key), where, key) for key in ('all_points_x', 'all_points_y'))
        if len(xs) != len(ys):
            raise ValueError(f'{where}: {len(xs)} numbers in all_points_x, {len(ys)} in all_points_y')
        return polygon_outline([[(as_number(x, where, 'x'), as_number(y, where, 'y'))
                                 for x, y in zip(xs, ys, strict=True)]], where)
    source.left_out[f'shapes of the kind {shorten(str(kind), 30)}'] += 1
    return None


def _read_version_3(content: dict[str, Any], name: str, options: ImportOptions, source: Source
                    ) -> None:
    files = as_object(content['file'], name, 'file')
    attributes = as_object(content.get('attribute', {}), name, 'attribute')
    images: dict[str, SourceImage] = {}
    for view, record in as_object(content['view'], name, 'view').items():
        where = f'{name}: view {quote(view, 80)}'
        ids = as_list(as_object(record, where, 'it').get('fid_list'), where, 'fid_list')
        if len(ids) != 1 or str(ids[0]) not in files:
            raise ValueError(f'{where}: its fid_list is {quote(ids)}; one file of the project is '
                             'expected')
        file = as_object(files[str(ids[0])], where, 'its file')
        images[view] = SourceImage(as_name(file.get('fname'), where, 'fname'), where)
    for key, record in as_object(content['metadata'], name, 'metadata').items():
        where = f'{name}: metadata {quote(key, 80)}'
        record = as_object(record, where, 'it')
        if str(record.get('vid')) not in images:
            raise ValueError(f'{where}: vid is {quote(record.get("vid"))}; a view of the project is '
                             'expected')
        values = [as_number(value, where, 'xy') for value in as_list(record.get('xy'), where, 'xy')]
        if not values:  # says something of the whole image, not where
            source.left_out['attributes of complete images'] += 1
            continue
        if not values[0].is_integer():
            raise ValueError(f'{where}: the code of its shape is {values[0]:g}; a whole number is '
                             'expected')
        shape = _shape_of_version_3(int(values[0]), values[1:], where, source)
        if shape is None:
            images[str(record['vid'])].has_unread_marks = True
        else:
            named = _name_attributes(as_object(record.get('av', {}), where, 'av'), attributes, where)
            images[str(record['vid'])].findings.append(SourceFinding(
                shape, _find_label(named, where, options), where))
    source.images.extend(images.values())


def _shape_of_version_3(code: int, values: list[float], where: str, source: Source
                        ) -> Shape | None:
    lengths = {POINT: 2, RECTANGLE: 4, CIRCLE: 3, ELLIPSE: 4}
    if code in lengths and len(values) != lengths[code]:
        raise ValueError(f'{where}: xy has {len(values)} numbers after the code {code}; '
                         f'{lengths[code]} are expected')
    if code == POINT:
        return Point(*values)
    if code == RECTANGLE:
        x, y = values[:2]
        width, height = (as_length(value, where, 'a side in xy') for value in values[2:])
        return box_outline(x, y, x + width, y + height)
    if code in (CIRCLE, ELLIPSE):
        x, y = values[:2]
        radii = [as_length(value, where, 'a radius in xy') for value in values[2:]]
        return circle_outline(x, y, radii[0], radii[-1])
    if code == POLYGON:
        if len(values) % 2:
            raise ValueError(f'{where}: xy has an odd number of coordinates')
        return polygon_outline([np.reshape(values, (-1, 2))], where)
    source.left_out[f'shapes of code {code} (5 and 6 are lines)'] += 1
    return None


def _name_attributes(values: dict[str, Any], attributes: dict[str, Any], where: str
                     ) -> dict[str, Any]:
    """Return attributes by name, and options by their text."""
    named = {}
    for key, value in values.items():
        attribute = as_object(attributes.get(key, {}), where, f'attribute {key}')
        options = attribute.get('options')
        if isinstance(options, dict) and isinstance(value, str) and value in options:
            value = options[value]
        named[str(attribute.get('aname', key))] = value
    return named


def _find_label(attributes: dict[str, Any], where: str, options: ImportOptions) -> str:
    """Return the class of a region: the value of the attribute that holds it."""
    values = {key: _attribute_text(value) for key, value in attributes.items()}
    filled = {key: value for key, value in values.items() if value}
    if options.label_attribute is not None:
        if not filled.get(options.label_attribute):
            raise ValueError(f'{where} has no attribute {options.label_attribute!r} '
                             '(--label-attribute); it has '
                             f' {name_some(list(filled)) or "none"}')
        return filled[options.label_attribute]
    if len(filled) > 1:
        raise ValueError(f'{where} has the attributes {name_some(list(filled))}; --label-attribute '
                         'says which one is the class')
    return next(iter(filled.values()), options.label)


def _attribute_text(value: Any) -> str:
    if isinstance(value, dict):  # check boxes: {"fracture": true}
        return ', '.join(_true_keys(value.items()))
    return value.strip() if isinstance(value, str) else '' if value is None else str(value)


def _true_keys(items: Iterable[tuple[Any, Any]]) -> list[str]:
    return [str(key) for key, value in items if value]
