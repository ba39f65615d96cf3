"""CVAT: the XML of "CVAT for images", versions 1.0 and 1.1.

`Format <https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/>`_. The tool shows images
turned by their orientation tag. One ``<points>`` may hold several points: each is a finding.
"""
from pathlib import Path
from typing import TYPE_CHECKING

from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.importers.source import (
    Mask,
    Point,
    Shape,
    Source,
    SourceFinding,
    SourceImage,
    box_outline,
    circle_outline,
    polygon_outline,
    turned_box_outline,
)
from mmwindow.annotations.importers.values import (
    as_length,
    as_name,
    as_number,
    as_side,
    expand_runs,
    parse_xml,
)
from mmwindow.utils.messages import quote, shorten

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

TITLE = 'CVAT for images XML'


def recognises(path: Path) -> bool:
    """Tell whether a file is CVAT's."""
    if not path.is_file() or path.suffix.lower() != '.xml':
        return False
    root = parse_xml(path, 'annotation file')
    return root.tag == 'annotations'


def read(path: Path, options: ImportOptions) -> Source:
    """Read a file of CVAT.

    Raises:
        ValueError: Anything wrong; the message names file, image and shape.
    """
    name = shorten(str(path))
    root = parse_xml(path, 'CVAT file')
    if root.tag != 'annotations':
        raise ValueError(f'{name}: its root is <{root.tag}>; <annotations> is expected')
    if root.find('track') is not None:
        raise ValueError(f'{name}: it holds tracks of a video; export the task as "CVAT for images"')
    labels = root.findall('./meta//labels/label')
    source = Source('cvat', [], is_displayed=True, classes=tuple(
        as_name(label.findtext('name'), name, 'a label') for label in labels
        if label.findtext('parent') is None))
    for element in root.findall('image'):
        where = f'{name}: image {shorten(str(element.get("id")), 40)}'
        image = SourceImage(
            as_name(element.get('name'), where, 'name'), where,
            size=(as_side(element.get('height'), where, 'height'),
                  as_side(element.get('width'), where, 'width')))
        for number, shape in enumerate(element):
            place = f'{where}, <{shape.tag}> {number}'
            if shape.tag == 'tag':
                source.left_out['tags of complete images'] += 1
                continue
            label = as_name(shape.get('label'), place, 'label')
            shapes = _read_shapes(shape, place, source)
            # Points outside of the picture are no marks in it.
            image.has_unread_marks |= not shapes and shape.tag not in ('points', 'skeleton')
            image.findings.extend(SourceFinding(found, label, place) for found in shapes)
        source.images.append(image)
    return source


def _read_shapes(element: 'Element', where: str, source: Source) -> list[Shape]:
    def number(key: str, default: str | None = None) -> float:
        return as_number(element.get(key, default), where, key)

    def length(key: str) -> float:
        return as_length(element.get(key), where, key)

    if element.tag == 'points':
        if element.get('outside') == '1':
            source.left_out['points marked as outside'] += 1
            return []
        return [Point(*pair) for pair in _read_pairs(element, where)]
    if element.tag == 'box':
        x, y = number('xtl'), number('ytl')
        width, height = number('xbr') - x, number('ybr') - y
        if width < 0 or height < 0:
            raise ValueError(f'{where}: the box ends before it begins')
        return [turned_box_outline(x, y, width, height, number('rotation', '0'),
                                   about=(x + width / 2, y + height / 2))
                if number('rotation', '0') else box_outline(x, y, x + width, y + height)]
    if element.tag == 'polygon':
        return [polygon_outline([_read_pairs(element, where)], where)]
    if element.tag == 'ellipse':
        return [circle_outline(number('cx'), number('cy'), length('rx'), length('ry'),
                               number('rotation', '0'))]
    if element.tag == 'mask':
        return [_read_mask(element, where)]
    if element.tag == 'skeleton':  # its points have labels of their own; the skeleton is the finding
        return [shape for child in element.findall('points')
                for shape in _read_shapes(child, where, source)]
    source.left_out[f'shapes of the kind {shorten(element.tag, 30)}'] += 1
    return []


def _read_pairs(element: 'Element', where: str) -> list[tuple[float, float]]:
    pairs = []
    for pair in (element.get('points') or '').split(';'):
        values = pair.split(',')
        if len(values) != 2:
            raise ValueError(f'{where}: points holds {quote(pair, 80)}; "x,y;x,y" is expected')
        pairs.append((as_number(values[0], where, 'x'), as_number(values[1], where, 'y')))
    return pairs


def _read_mask(element: 'Element', where: str) -> Mask:
    """Return a mask from its runs along the rows of its own box, zeros first."""
    width, height = (as_side(element.get(key), where, key) for key in ('width', 'height'))
    values = expand_runs((element.get('rle') or '').split(','), (height, width), where, 'rle')
    return Mask(values.reshape(height, width), (as_number(element.get('left'), where, 'left'),
                                               as_number(element.get('top'), where, 'top')))
