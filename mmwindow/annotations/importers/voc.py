"""Pascal VOC: one XML file an image, boxes.

`Format <http://host.robots.ox.ac.uk/pascal/VOC/voc2012/devkit_doc.pdf>`_. The challenges count pixels
from 1 and include the last one; LabelImg, CVAT and Roboflow write edges. ``pixel_origin`` says which.
"""
from pathlib import Path

from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.importers.source import Source, SourceFinding, SourceImage, box_outline
from mmwindow.annotations.importers.values import (
    as_name,
    as_number,
    as_side,
    child_text,
    find_files,
    parse_xml,
)
from mmwindow.utils.messages import quote, shorten

TITLE = 'Pascal VOC'


def recognises(path: Path) -> bool:
    """Tell whether a file, or the first XML file of a folder, is VOC's."""
    first = next(find_files(path, ('.xml', )), None) if path.is_dir() else path
    if first is None or first.suffix.lower() != '.xml':
        return False
    root = parse_xml(first, 'annotation file')
    return root.tag == 'annotation' and root.find('filename') is not None


def read(path: Path, options: ImportOptions) -> Source:
    """Read a folder of VOC files, or one.

    Raises:
        ValueError: Anything wrong; the message names file and object.
    """
    if options.pixel_origin not in (0, 1):
        raise ValueError(f'--pixel-origin is {quote(options.pixel_origin)}; 0 or 1 is expected')
    source = Source('voc', [])
    for file in [path] if path.is_file() else find_files(path, ('.xml', )):
        name = shorten(str(file))
        root = parse_xml(file, 'VOC file')
        if root.tag != 'annotation':
            raise ValueError(f'{name}: its root is <{root.tag}>; <annotation> is expected')
        size = root.find('size')
        sides = None
        if size is not None:
            sides = (as_side(child_text(size, 'height', f'{name}: <size>'), name, 'height'),
                     as_side(child_text(size, 'width', f'{name}: <size>'), name, 'width'))
        image = SourceImage(as_name(child_text(root, 'filename', name), name, 'filename'), name,
                            size=sides)
        for number, entry in enumerate(root.iter('object')):
            where = f'{name}: object {number}'
            label = as_name(child_text(entry, 'name', where), where, 'name')
            box = entry.find('bndbox')
            if box is None:
                source.left_out['objects without a bndbox'] += 1
                image.has_unread_marks = True
                continue
            x1, y1, x2, y2 = (as_number(child_text(box, side, where), where, side)
                              for side in ('xmin', 'ymin', 'xmax', 'ymax'))
            if x2 < x1 or y2 < y1:
                raise ValueError(f'{where}: its bndbox ends before it begins, {x1:g} {y1:g} {x2:g} '
                                 f'{y2:g}')
            source.left_out['parts of objects'] += len(entry.findall('part'))
            image.findings.append(SourceFinding(
                box_outline(x1 - options.pixel_origin, y1 - options.pixel_origin, x2, y2), label,
                where))
        source.images.append(image)
    source.left_out += type(source.left_out)()  # drop counts of zero
    return source
