"""Independent readings of annotation files: a few lines for each format, and one way to points."""
import base64
import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np

from fuzzing.harness import SkipComparison
from fuzzing.importer_seeds import IMAGES, Stored
from fuzzing.readers_annotations import patient_of, whole

NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?', re.ASCII)
MAX_NUMBER, SLACK = 1e7, 1
Pair = tuple[float, float]


class Marked(NamedTuple):
    """An image as a source says it.

    Attributes:
        name: Of its file.
        findings: Label and corners; a point has one.
        size: Height and width, None where they are not said.
        group: The patient.
        unit: 'pixels', or 'fractions' of width and height.
    """

    name: str
    findings: list[tuple[str, list[Pair]]]
    size: tuple[int, int] | None = None
    group: Any = None
    unit: str = 'pixels'


def number(value: Any) -> float:
    """Return a number, or a text that is one."""
    if isinstance(value, str):
        if not NUMBER.fullmatch(value.strip()):
            raise TypeError(f'no number: {value[:50]!r}')
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError('no number')
    if not math.isfinite(value) or abs(value) > MAX_NUMBER:
        raise TypeError('no number of pixels')
    return float(value)


def side(value: Any) -> int:
    """Return a positive whole number."""
    result = number(value)
    if result < 1 or result != int(result):
        raise TypeError('no side')
    return int(result)


def named(value: Any) -> str:
    """Return a name."""
    if not isinstance(value, str) or not value.strip():
        raise TypeError('no name')
    return value.strip()


def corners_of_box(x1: float, y1: float, x2: float, y2: float) -> list[Pair]:
    """Return two corners, which say all of an upright box."""
    return [(x1, y1), (x2, y2)]


def around(x: float, y: float, radius_x: float, radius_y: float) -> list[Pair]:
    """Return the corners around an ellipse that is not turned."""
    return corners_of_box(x - radius_x, y - radius_y, x + radius_x, y + radius_y)


def turned_box(x: float, y: float, width: float, height: float, angle: float, about: Pair
               ) -> list[Pair]:
    """Return the corners of a box that is turned clockwise about a point."""
    found = []
    for corner_x, corner_y in ((x, y), (x + width, y), (x, y + height), (x + width, y + height)):
        across, down = corner_x - about[0], corner_y - about[1]
        turn = complex(across, down) * complex(math.cos(math.radians(angle)),
                                               math.sin(math.radians(angle)))
        found.append((about[0] + turn.real, about[1] + turn.imag))
    return found


def pairs_of(values: Sequence[Any]) -> list[Pair]:
    """Return x, y, x, y .. as corners of a polygon."""
    if len(values) % 2 or len(values) < 6:
        raise TypeError('no polygon')
    numbers = [number(value) for value in values]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def pixels_of(mask: np.ndarray, corner: Pair = (0., 0.)) -> list[Pair]:
    """Return the corners around what a mask holds."""
    rows, columns = np.nonzero(mask)
    return [(corner[0] + columns.min(), corner[1] + rows.min()),
            (corner[0] + columns.max() + 1, corner[1] + rows.max() + 1)]


def find_place(name: str, images: Mapping[str, Stored] = IMAGES) -> str:
    """Return the image that a name means: by the end of its path, then without its ending."""
    parts = [part for part in name.replace('\\', '/').split('/') if part not in ('', '.', '..')]
    if parts and parts[0].endswith(':'):
        parts = parts[1:]
    tails = ['/'.join(parts[start:]) for start in range(len(parts))]
    ways: tuple[Callable[[str], str], ...] = (
        lambda place: place, lambda place: place.rpartition('/')[2],
        lambda place: place.rpartition('.')[0],
        lambda place: place.rpartition('/')[2].rpartition('.')[0])
    for way in ways:
        for tail in tails:
            for place in images:
                if way(place) == tail:
                    return place
    raise TypeError(f'no image {name[:50]!r}')


def settle(images: Iterable[Marked], is_displayed: bool, stored_images: Mapping[str, Stored] = IMAGES
           ) -> dict[str, Any]:
    """Return patient and points of each image in stored pixels."""
    found: dict[str, Any] = {}
    for image in images:
        place = find_place(image.name, stored_images)
        if place in found:
            raise TypeError('an image is there twice')
        height, width, tag = stored_images[place]
        is_turned = is_displayed and tag == 6
        shown = (width, height) if is_turned else (height, width)
        if image.size not in (None, shown):
            raise TypeError(f'a size of {image.size}, not {shown}')
        scale = shown[::-1] if image.unit == 'fractions' else (1, 1)
        points = []
        for label, corners in image.findings:
            stored = [(x * scale[0], y * scale[1]) for x, y in corners]
            stored = [(y, height - x) for x, y in stored] if is_turned else stored
            middle = []
            for axis, end in ((0, width), (1, height)):
                low, high = (edge([corner[axis] for corner in stored]) for edge in (min, max))
                if low < -SLACK or high > end + SLACK:
                    raise TypeError('outside the image')
                middle.append((min(max(low, 0), end) + min(max(high, 0), end)) / 2)
            points.append([label, *middle])
        found[place] = [patient_of(image.group), points]
    return found


def load(path: Path) -> Any:
    """Return the content of a JSON file."""
    return json.loads(path.read_bytes().decode('utf-8-sig'))


def coco(path: Path, options: Mapping[str, Any]) -> Iterator[Marked]:
    """Read COCO."""
    content = load(path)
    names = {whole(entry['id']): named(entry['name']) for entry in content['categories']}
    images = {whole(entry['id']): Marked(
        named(entry['file_name']), [], (side(entry['height']), side(entry['width'])),
        entry.get('group', entry.get('patient'))) for entry in content['images']}
    if len(images) != len(content['images']) or len(names) != len(content['categories']):
        raise TypeError('an id is there twice')
    for entry in content['annotations']:
        image, label = images[whole(entry['image_id'])], names[whole(entry['category_id'])]
        if not any(entry.get(key) not in (None, 0, False) for key in ('iscrowd', 'ignore')):
            image.findings.extend((label, corners) for corners in coco_shapes(entry))
    yield from images.values()


def coco_shapes(entry: Any) -> Iterator[list[Pair]]:
    """Yield the points of an annotation, else its mask, its polygons or its box."""
    values = entry.get('keypoints') or []
    if not isinstance(values, list) or len(values) % 3:
        raise TypeError('no keypoints')
    points = [[(number(x), number(y))] for x, y, visible in zip(*[iter(values)] * 3, strict=True)
              if number(visible) != 0]
    outline = entry.get('segmentation')
    if points or values and not outline and not entry.get('bbox'):
        yield from points
    elif isinstance(outline, dict):
        from pycocotools import mask
        height, width = map(side, outline['size'])
        code = outline if isinstance(outline['counts'], str) else mask.frPyObjects(
            dict(size=[height, width], counts=[int(run) for run in outline['counts']]), height, width)
        yield pixels_of(mask.decode(code))
    elif outline:
        yield [pair for part in outline for pair in pairs_of(part)]
    else:
        x, y, width, height = map(number, entry['bbox'])
        if width < 0 or height < 0:
            raise TypeError('no box')
        yield corners_of_box(x, y, x + width, y + height)


def labelme(path: Path, options: Mapping[str, Any]) -> Iterator[Marked]:
    """Read LabelMe's files."""
    from PIL import Image

    for file in sorted(path.rglob('*.json')):
        content = load(file)
        sides = content.get('imageHeight'), content.get('imageWidth')
        findings = []
        for shape in content['shapes']:
            points = [(number(x), number(y)) for x, y in shape['points']]
            kind = shape.get('shape_type', 'polygon')
            if kind == 'point':
                (corners, ) = [points]
                if len(points) != 1:
                    raise TypeError('no point')
            elif kind == 'rectangle':
                (x1, y1), (x2, y2) = points
                corners = corners_of_box(x1, y1, x2, y2)
            elif kind == 'circle':
                centre, rim = points
                radius = math.dist(centre, rim)
                corners = around(*centre, radius, radius)
            elif kind == 'mask':
                corner, _ = points
                image = Image.open(io.BytesIO(base64.b64decode(named(shape['mask']))))
                corners = pixels_of(np.asarray(image) > 0, corner)
            elif kind in ('polygon', 'oriented_rectangle'):
                corners = pairs_of([value for pair in points for value in pair])
            else:
                continue
            findings.append((named(shape['label']), corners))
        yield Marked(named(content['imagePath']), findings,
                     None if None in sides else (side(sides[0]), side(sides[1])))


def via(path: Path, options: Mapping[str, Any]) -> Iterator[Marked]:
    """Read VIA, both versions."""
    content = load(path)
    if {'metadata', 'view', 'file'} <= set(content):
        yield from via_3(content)
        return
    for record in content.get('_via_img_metadata', content).values():
        regions, findings = record.get('regions', []), []
        for region in regions.values() if isinstance(regions, dict) else regions:
            shape = region['shape_attributes']
            kind = shape.get('name')
            if kind == 'ellipse' and number(shape.get('theta', 0)) % math.pi:
                corners = None
            else:
                corners = via_shape(kind, shape)
            if corners != []:
                findings.append((attribute_text(region.get('region_attributes', {})), corners))
        yield Marked(named(record['filename']), via_ellipses(findings, record))


def via_ellipses(findings: Any, record: Any) -> list[tuple[str, list[Pair]]]:
    """Return findings with the extent of each turned ellipse."""
    regions = record.get('regions', [])
    regions = regions.values() if isinstance(regions, dict) else regions
    ellipses = iter([turned_ellipse(region['shape_attributes']) for region in regions
                     if region['shape_attributes'].get('name') == 'ellipse'
                     and number(region['shape_attributes'].get('theta', 0)) % math.pi])
    return [(label, next(ellipses) if corners is None else corners) for label, corners in findings]


def turned_ellipse(shape: Any) -> list[Pair]:
    """Return the corners around an ellipse whose angle is in radians, as a polygon of 64 corners."""
    x, y, rx, ry, theta = (number(shape.get(key, 0)) for key in ('cx', 'cy', 'rx', 'ry', 'theta'))
    turns = [2 * math.pi * step / 64 for step in range(64)]
    ry = ry or rx
    return [(x + rx * math.cos(turn) * math.cos(theta) - ry * math.sin(turn) * math.sin(theta),
             y + rx * math.cos(turn) * math.sin(theta) + ry * math.sin(turn) * math.cos(theta))
            for turn in turns]


def via_shape(kind: Any, shape: Any) -> list[Pair]:
    """Return the corners of a shape of version 2; none of a line."""
    def values(*keys: str) -> list[float]:
        return [number(shape[key]) for key in keys]

    if kind == 'point':
        x, y = values('cx', 'cy')
        return [(x, y)]
    if kind == 'rect':
        x, y, width, height = values('x', 'y', 'width', 'height')
        return corners_of_box(x, y, x + width, y + height)
    if kind in ('circle', 'ellipse'):
        x, y, rx, ry = values('cx', 'cy', *(('r', 'r') if kind == 'circle' else ('rx', 'ry')))
        return around(x, y, rx, ry)
    if kind == 'polygon':
        xs, ys = shape['all_points_x'], shape['all_points_y']
        return pairs_of([value for pair in zip(xs, ys, strict=True) for value in pair])
    return []


def attribute_text(attributes: Any) -> str:
    """Return the one attribute that says something, as text."""
    texts = []
    for value in attributes.values():
        if isinstance(value, dict):
            texts.append(', '.join(key for key, chosen in value.items() if chosen))
        else:
            texts.append('' if value is None else str(value).strip())
    texts = [text for text in texts if text]
    if len(texts) > 1:
        raise TypeError('several attributes')
    return texts[0] if texts else 'finding'


def via_3(content: Any) -> Iterator[Marked]:
    """Read version 3: shapes are codes and numbers."""
    images = {}
    for key, view in content['view'].items():
        (file, ) = view['fid_list']
        images[key] = Marked(named(content['file'][str(file)]['fname']), [])
    for record in content['metadata'].values():
        values = [number(value) for value in record['xy']]
        image = images[str(record['vid'])]
        if not values:
            continue
        code, rest = values[0], values[1:]
        if code != int(code):
            raise TypeError('no code')
        if code == 1:
            x, y = rest
            corners = [(x, y)]
        elif code == 2:
            x, y, width, height = rest
            corners = corners_of_box(x, y, x + width, y + height)
        elif code == 3:
            x, y, radius = rest
            corners = around(x, y, radius, radius)
        elif code == 4:
            x, y, rx, ry = rest
            corners = around(x, y, rx, ry)
        elif code == 7:
            corners = pairs_of(rest)
        else:
            continue
        chosen = {}
        for key, value in record.get('av', {}).items():
            attribute = content.get('attribute', {}).get(key, {})
            options = attribute.get('options')
            if isinstance(options, dict) and isinstance(value, str):
                value = options.get(value, value)
            chosen[str(attribute.get('aname', key))] = value
        image.findings.append((attribute_text(chosen), corners))
    yield from images.values()


def label_studio(path: Path, options: Mapping[str, Any]) -> Iterator[Marked]:
    """Read Label Studio's export where one person annotated each image once."""
    for task in load(path):
        done = [entry for entry in task['annotations' if 'annotations' in task else 'completions']
                if not entry.get('was_cancelled')]
        if len(done) > 1:
            raise SkipComparison('several annotations')
        if not done:
            continue
        data = task['data']
        if [*data] != ['image'] or not str(data['image']).startswith('/data/local-files/?d='):
            raise SkipComparison('another way to name images')
        regions, findings, size = done[0]['result'], [], None
        by_id = {region['id']: region['value'].get('labels', []) for region in regions
                 if region.get('type') == 'labels' and isinstance(region.get('id'), str)}
        for region in regions:
            kind, value = str(region.get('type')), region.get('value')
            shape = kind.removesuffix('labels')
            if shape not in ('keypoint', 'rectangle', 'ellipse', 'polygon'):
                continue
            if region.get('image_rotation') not in (None, 0):
                raise TypeError('turned in the tool')
            height, width = side(region['original_height']), side(region['original_width'])
            if size not in (None, (height, width)):
                raise TypeError('two sizes')
            size = height, width
            corners = percent_shape(shape, value, height / 100, width / 100)
            key = region.get('id')
            labels = value.get(kind, by_id.get(key, []) if isinstance(key, str) else [])
            if not isinstance(labels, list):
                raise TypeError('no labels')
            findings += [(named(label), corners) for label in labels or ['finding']]
        place = unquote(str(data['image']).removeprefix('/data/local-files/?d=').replace('+', ' '))
        yield Marked(named(place), findings, size)


def percent_shape(kind: str, value: Any, down: float, across: float) -> list[Pair]:
    """Return the corners of a region whose numbers are percent.

    Args:
        kind: Of the region.
        value: Of the region.
        down: Pixels of a percent of the height.
        across: Pixels of a percent of the width.
    """
    if kind == 'polygon':
        points = [(number(x) * across, number(y) * down) for x, y in value['points']]
        if len(points) < 3:
            raise TypeError('no polygon')
        return points
    x, y = number(value['x']) * across, number(value['y']) * down
    if kind == 'keypoint':
        return [(x, y)]
    angle = number(value.get('rotation', 0))
    if kind == 'rectangle':
        return turned_box(x, y, number(value['width']) * across, number(value['height']) * down,
                          angle, (x, y))
    return turned_ellipse(dict(cx=x, cy=y, rx=number(value['radiusX']) * across,
                               ry=number(value['radiusY']) * down, theta=math.radians(angle)))


def cvat(path: Path, options: Mapping[str, Any]) -> Iterator[Marked]:
    """Read CVAT's XML."""
    root = ElementTree.fromstring(path.read_bytes())
    for image in root.findall('image'):
        findings = [(named(shape.get('label')), corners) for shape in image if shape.tag != 'tag'
                    for corners in cvat_shapes(shape)]
        yield Marked(named(image.get('name')), findings,
                     (side(image.get('height')), side(image.get('width'))))


def cvat_shapes(shape: ElementTree.Element) -> Iterator[list[Pair]]:
    """Yield the corners of what one element marks."""
    def value(key: str, default: str | None = None) -> float:
        return number(shape.get(key, default))

    pairs = [pair.split(',') for pair in shape.get('points', '').split(';')]
    if shape.tag == 'points' and shape.get('outside') != '1':
        yield from ([(number(x), number(y))] for x, y in pairs)
    elif shape.tag == 'polygon':
        yield pairs_of([cell for x, y in pairs for cell in (x, y)])
    elif shape.tag == 'box':
        x1, y1, x2, y2 = map(value, ('xtl', 'ytl', 'xbr', 'ybr'))
        yield turned_box(x1, y1, x2 - x1, y2 - y1, value('rotation', '0'),
                         ((x1 + x2) / 2, (y1 + y2) / 2))
    elif shape.tag == 'ellipse':
        yield turned_ellipse(dict(
            {key: value(key) for key in ('cx', 'cy', 'rx', 'ry')},
            theta=math.radians(value('rotation', '0'))))
    elif shape.tag == 'mask':
        runs = [int(number(run)) for run in (shape.get('rle') or '').split(',')]
        width, height = side(shape.get('width')), side(shape.get('height'))
        inside = [bool(place % 2) for place, run in enumerate(runs) for _ in range(run)]
        yield pixels_of(np.reshape(inside, (height, width)), (value('left'), value('top')))
    elif shape.tag == 'skeleton':
        for child in shape.findall('points'):
            yield from cvat_shapes(child)


def voc(path: Path, options: Mapping[str, Any]) -> Iterator[Marked]:
    """Read Pascal VOC's files."""
    for file in sorted(path.rglob('*.xml')):
        root = ElementTree.fromstring(file.read_bytes())
        size, findings = root.find('size'), []
        for entry in root.iter('object'):
            label, box = named(entry.findtext('name')), entry.find('bndbox')
            if box is None:
                continue
            x1, y1, x2, y2 = (number(box.findtext(key)) for key in ('xmin', 'ymin', 'xmax', 'ymax'))
            if x1 > x2 or y1 > y2:
                raise TypeError('no box')
            origin = options['pixel_origin']
            findings.append((label, corners_of_box(x1 - origin, y1 - origin, x2, y2)))
        yield Marked(named(root.findtext('filename')), findings, None if size is None else (
            side(size.findtext('height')), side(size.findtext('width'))))


def yolo(path: Path, options: Mapping[str, Any]) -> Iterator[Marked]:
    """Read YOLO's text files."""
    import yaml

    content = yaml.safe_load((path / 'data.yaml').read_bytes().decode('utf-8-sig'))
    names = content['names']
    names = [names[key] for key in sorted(names)] if isinstance(names, dict) else names
    pose = content.get('kpt_shape')
    for file in sorted(path.rglob('*.txt')):
        findings = []
        for line in file.read_bytes().decode('utf-8-sig').split('\n'):
            if not line.strip():
                continue
            index, *values = map(number, line.split())
            if index != int(index) or not 0 <= index < len(names):
                raise TypeError('no class')
            label = str(names[int(index)]).strip()
            findings += [(label, corners) for corners in yolo_shapes(values, pose)]
        place = file.relative_to(path).with_suffix('').as_posix().replace('labels/', 'images/')
        yield Marked(place, findings, unit='fractions')


def yolo_shapes(values: list[float], pose: Any) -> Iterator[list[Pair]]:
    """Yield the corners of one line."""
    fractions = values
    if pose:
        count, size = pose
        if len(values) != 4 + count * size:
            raise TypeError('another number of columns')
        points = [values[start:start + size] for start in range(4, len(values), size)]
        fractions = values[:4] + [value for point in points for value in point[:2]]
        yield from ([(point[0], point[1])] for point in points if size == 2 or point[2] != 0)
    elif len(values) == 4:
        x, y, width, height = values
        if width < 0 or height < 0:
            raise TypeError('no box')
        yield around(x, y, width / 2, height / 2)
    else:
        yield pairs_of(values)
    if any(not -1e-3 <= value <= 1.001 for value in fractions):
        raise TypeError('no fraction')


def table(path: Path, options: Mapping[str, Any]) -> Iterator[Marked]:
    """Read a table by the names of its columns as they are in the seeds."""
    text = path.read_bytes().decode('utf-8-sig')
    head = text.split('\n')[0]
    delimiter = ';' if head.count(';') > head.count(',') else ','
    rows = list(csv.reader(io.StringIO(text, newline=''), delimiter=delimiter, strict=True))
    names = [cell.strip().lower() for cell in rows[0]]
    ways = [way for way in (['x1', 'y1', 'x2', 'y2'], ['x', 'y', 'width', 'height'], ['x', 'y'])
            if set(way) <= set(names)]
    if not ways or len(set(names)) != len(names) or {'w', 'h', 'left', 'top'} & set(names):
        raise SkipComparison('other columns')
    images: dict[str, Marked] = {}
    for row in rows[1:]:
        if not any(cell.strip() for cell in row):
            continue
        cells = {name: cell.strip() for name, cell in zip(names, row, strict=True)}
        name = named(cells.get('image') or cells.get('file'))
        group = cells.get('patient') or None
        before = images.get(name)
        if before is not None and group and before.group not in (None, group):
            raise TypeError('two patients')
        images[name] = Marked(name, before.findings if before else [], None,
                              group or (before.group if before else None))
        texts = [cells[key] for key in ways[0]]
        if not any(texts):
            continue
        values = [number(cell.replace(',', '.') if delimiter == ';' else cell) for cell in texts]
        if ways[0][-1] == 'height':
            values[2:] = values[0] + values[2], values[1] + values[3]
        if len(values) == 4 and (values[2] < values[0] or values[3] < values[1]):
            raise TypeError('no box')
        label = cells.get('class') or cells.get('label') or 'finding'
        images[name].findings.append((label, list(zip(values[::2], values[1::2], strict=True))))
    yield from images.values()


def masks(path: Path, options: Mapping[str, Any]) -> Iterator[Marked]:
    """Read mask images by Pillow, and their parts by scipy."""
    from PIL import Image, PngImagePlugin
    from scipy import ndimage

    PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 1 << 26  # no pixels are in texts
    for file in sorted(path.rglob('*.png')):
        with Image.open(file) as image:
            image.load()
            if image.mode not in ('1', 'L', 'I;16', 'I'):
                raise SkipComparison('another mode')
            pixels = np.asarray(image).astype(int)
        meaning, findings = options['mask_values'], []
        values = [value for value in np.unique(pixels).tolist() if value]
        if meaning == 'finding' and len(values) > 1:
            raise TypeError('several values')
        for value in values:
            labels, count = ndimage.label(pixels == value, np.ones((3, 3)))
            order = sorted(range(1, count + 1), key=lambda part: int(
                np.flatnonzero(labels == part)[0]))
            parts = [labels > 0] if meaning == 'instance' else [labels == part for part in order]
            label = f'class {value}' if meaning == 'class' else 'finding'
            findings += [(label, pixels_of(part)) for part in parts]
        yield Marked(file.relative_to(path).with_suffix('').as_posix().removesuffix('_mask'),
                     findings, pixels.shape)
