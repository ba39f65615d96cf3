"""LabelMe: one JSON file an image; points, rectangles, circles, polygons and masks.

`Source <https://github.com/wkentaro/labelme>`_. The tool turns an image by its orientation tag before
it is annotated. An empty list of shapes is a negative image; an image without a file is one that the
source does not mention.
"""
import base64
import binascii
import math
from pathlib import Path
from typing import Any

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
)
from mmwindow.annotations.importers.values import (
    as_list,
    as_name,
    as_object,
    as_points,
    as_side,
    find_files,
)
from mmwindow.utils.files import load_json
from mmwindow.utils.messages import count_words, shorten

TITLE = 'LabelMe JSON'


def recognises(path: Path, content: Any) -> bool:
    """Tell whether a JSON file is LabelMe's."""
    return isinstance(content, dict) and 'shapes' in content and 'imagePath' in content


def read(path: Path, options: ImportOptions) -> Source:
    """Read a folder of LabelMe files, or one; other JSON files are rejected.

    Raises:
        ValueError: Anything wrong; the message names file and shape.
    """
    source = Source('labelme', [], is_displayed=True)
    for file in [path] if path.is_file() else find_files(path, ('.json', )):
        name = shorten(str(file))
        content = as_object(load_json(file, 'LabelMe file'), name, 'its content')
        image = SourceImage(as_name(content.get('imagePath'), name, 'imagePath'), name)
        if content.get('imageHeight') is not None and content.get('imageWidth') is not None:
            image.size = (as_side(content['imageHeight'], name, 'imageHeight'),
                          as_side(content['imageWidth'], name, 'imageWidth'))
        for number, shape in enumerate(as_list(content.get('shapes'), name, 'shapes')):
            where = f'{name}: shape {number}'
            shape = as_object(shape, where, 'it')
            label = as_name(shape.get('label'), where, 'label')
            found = _read_shape(shape, where, source)
            if found is None:
                image.has_unread_marks = True
            else:
                image.findings.append(SourceFinding(found, label, where))
        source.images.append(image)
    return source


def _read_shape(shape: dict[str, Any], where: str, source: Source) -> Shape | None:
    kind = shape.get('shape_type', 'polygon')  # files before version 3.14 have polygons alone
    points = as_points(shape.get('points'), where, 'points')
    if kind in ('rectangle', 'circle', 'mask') and len(points) != 2:
        raise ValueError(f'{where}: a {kind} has {count_words(len(points), "point")}; two are '
                         f'expected')
    if kind == 'point':
        if len(points) != 1:
            raise ValueError(f'{where}: a point has {count_words(len(points), "point")}; one is '
                             f'expected')
        return Point(*points[0])
    if kind == 'rectangle':
        return box_outline(*points[0], *points[1])
    if kind == 'circle':  # centre and a point of the rim
        (x, y), rim = points
        return circle_outline(x, y, math.dist((x, y), rim))
    if kind in ('polygon', 'oriented_rectangle'):
        return polygon_outline([points], where)
    if kind == 'mask':
        return _read_mask(shape.get('mask'), points[0], where)
    source.left_out[f'shapes of the kind {shorten(str(kind), 30)}'] += 1
    return None


def _read_mask(code: object, corner: tuple[float, float], where: str) -> Mask:
    from mmwindow.images.decode import LABELS, read_image
    try:
        content = base64.b64decode(as_name(code, where, 'mask'), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f'{where}: its mask is no image in base64') from error
    return Mask(read_image(content, LABELS, f'{where}: its mask').pixels > 0, corner)
