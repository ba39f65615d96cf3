"""Reading and checking a point file (COCO JSON) and the images it names; no mmdet in here."""
import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

IMAGE_KEYS = ('id', 'file_name', 'height', 'width', 'group')  # all else is a field


@dataclass(frozen=True)
class ImageRecord:
    """One image of a point file, with its points; a normal has none.

    Attributes:
        img_id (int or str): ``images[*].id``.
        file_name (str): Relative to the folder of images.
        height (int): Pixels.
        width (int): Pixels.
        group (int or str or None): Patient; splits never divide one.
        points (list[tuple[float, float]]): x and y, pixels of this image.
        labels (list[int]): Index into the classes, one for each point.
        fields (dict): Every other entry of the image that is a finite number or a string, such as the
            body part: results can be told apart by it.
    """

    img_id: int | str
    file_name: str
    height: int
    width: int
    group: int | str | None = None
    points: list = field(default_factory=list)
    labels: list = field(default_factory=list)
    fields: dict = field(default_factory=dict)


@dataclass(frozen=True)
class PointFile:
    """What a point file says.

    Attributes:
        records (list[ImageRecord]): In the order of the file.
        classes (tuple[str]): Names that labels count.
    """

    records: list
    classes: tuple


def load_point_json(path):
    """Return the content of a point file: a dict with its three lists.

    Args:
        path (str or Path): The file.

    Raises:
        ValueError: It is missing, no JSON, or no COCO file.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding='utf-8-sig'))
    except OSError as error:
        raise ValueError(f'{path}: the point file cannot be read ({error.strerror or error}); check '
                         'data_root and ann_file in the config') from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError alike
        raise ValueError(f'{path}: no JSON ({error}); write the file again') from error
    for key in ('images', 'annotations', 'categories'):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise ValueError(f'{path}: no list "{key}"; a point file is COCO JSON with the lists '
                             'images, annotations and categories')
        for index, record in enumerate(content[key]):
            if not isinstance(record, dict):
                raise ValueError(f'{path}: {key}[{index}] is {record!r}; an object is expected')
    return content


def read_point_file(path, classes=None):
    """Read a point file, check every record, and return its images with their points.

    Args:
        path (str or Path): COCO JSON, one annotation a point: ``keypoints: [x, y, 2]``.
        classes (Sequence[str], optional): Names that labels count; None takes the file's categories
            in the order of their ids.

    Returns:
        PointFile: Its images in the order of the file, normals included, and its classes.

    Raises:
        ValueError: Anything wrong; the message names file, record and mend.
    """
    content = load_point_json(path)
    _check_categories(path, content['categories'])
    if classes is None:
        classes = category_names(content['categories'])
    labels = category_labels(path, content['categories'], classes)
    records = {}
    names = set()
    for image in content['images']:
        record = _read_image(path, image)
        if record.img_id in records:
            raise ValueError(f'{path}: image id {record.img_id!r} occurs twice; give each image an '
                             'id of its own')
        if record.file_name in names:
            raise ValueError(f'{path}: {record.file_name} is listed twice; an image counts once')
        names.add(record.file_name)
        records[record.img_id] = record
    if not records:
        raise ValueError(f'{path}: no images; a data set needs at least one')
    seen = set()
    for annotation in content['annotations']:
        _check_new_id(path, annotation, seen)
        record = _find_image(path, annotation, records)
        record.points.append(_read_point(path, annotation, record))
        record.labels.append(_find_label(path, annotation, labels))
    return PointFile(records=list(records.values()), classes=tuple(classes))


def points_digest(path):
    """Return a digest of what a point file says of its images, whatever its order and layout.

    Two point files of one digest have the same images, by id and file name, with the same points.

    Args:
        path (str or Path): The file.

    Returns:
        str: 16 hexadecimal digits.

    Raises:
        ValueError: As :func:`read_point_file`.
    """
    lines = sorted(f'{record.img_id!r} {record.file_name} '
                   f'{sorted(zip(record.labels, record.points, strict=True))}'
                   for record in read_point_file(path).records)
    return hashlib.sha256('\n'.join(lines).encode()).hexdigest()[:16]


def category_names(categories):
    """Return the names of the categories in the order of their ids (numbers before strings)."""
    ordered = sorted(categories, key=lambda category: (isinstance(category['id'], str),
                                                       category['id']))
    return [category['name'] for category in ordered]


def category_labels(path, categories, classes):
    """Return the label of each category id.

    Args:
        path (str or Path): For the message.
        categories (list[dict]): With ``id`` and ``name``.
        classes (Sequence[str]): Their order gives the labels.

    Returns:
        dict: category id -> label.

    Raises:
        ValueError: The classes are no list of different names, or a category is not among them.
    """
    names = {category['id']: category['name'] for category in categories}
    order = [classes] if isinstance(classes, str) else list(classes)
    if isinstance(classes, str) or not order or len(set(order)) < len(order):
        raise ValueError(f'{path}: the classes are {classes!r}; expected are one or more different '
                         "names, for example metainfo=dict(classes=('fracture', )) in the config, "
                         'or the list categories of the file')
    unlisted = [name for name in names.values() if name not in order]
    if unlisted:
        raise ValueError(
            f'{path}: its categories {unlisted} are not among the classes {order} of the config; '
            'list them in metainfo.classes, or take them and their annotations out of the file')
    return {key: order.index(name) for key, name in names.items()}


def _is_id(value):
    return isinstance(value, int | str) and not isinstance(value, bool)


def _check_categories(path, categories):
    ids, names = set(), set()
    for category in categories:
        if not _is_id(category.get('id')) or not isinstance(category.get('name'), str):
            raise ValueError(f'{path}: category {category!r} needs an id (a whole number or a '
                             'string) and a name')
        if category['id'] in ids or category['name'] in names:
            raise ValueError(f'{path}: category {category!r} occurs twice; keep one')
        ids.add(category['id'])
        names.add(category['name'])


def _read_image(path, image):
    img_id, name = image.get('id'), image.get('file_name')
    if not _is_id(img_id):
        raise ValueError(f'{path}: image {image!r} has no id; a whole number or a string is needed')
    if not isinstance(name, str) or not name:
        raise ValueError(f'{path}: image {img_id!r} has no file_name; it is the place of the file '
                         'under data_prefix.img')
    sizes = [image.get('height'), image.get('width')]
    if not all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes):
        raise ValueError(f'{path}: image {img_id!r} ({name}) has height {sizes[0]!r} and width '
                         f'{sizes[1]!r}; both must be positive whole numbers of pixels')
    group = image.get('group')
    if group is not None and not _is_id(group):
        raise ValueError(f'{path}: image {img_id!r} ({name}) has group {group!r}; a whole number or '
                         'a string that names the patient is expected')
    fields = {key: value for key, value in image.items()
              if key not in IMAGE_KEYS and (isinstance(value, str | int) or (
                  isinstance(value, float) and math.isfinite(value)))}
    return ImageRecord(img_id, name, *sizes, group, fields=fields)


def _check_new_id(path, annotation, seen):
    if not _is_id(annotation.get('id')):
        raise ValueError(f'{path}: annotation {str(annotation)[:200]} has no id; a whole number or '
                         'a string is needed')
    if annotation['id'] in seen:
        raise ValueError(f'{path}: annotation id {annotation["id"]!r} occurs twice; give each an id '
                         'of its own')
    seen.add(annotation['id'])


def _find_image(path, annotation, records):
    img_id = annotation.get('image_id')
    if not _is_id(img_id) or img_id not in records:
        raise ValueError(f'{path}: annotation {annotation["id"]!r} belongs to image {img_id!r}, '
                         'which is not in the list of images; mend its image_id or take it out')
    return records[img_id]


def _find_label(path, annotation, labels):
    category = annotation.get('category_id')
    if not _is_id(category) or category not in labels:
        raise ValueError(f'{path}: annotation {annotation["id"]!r} has category {category!r}, which '
                         f'is not in the list of categories ({sorted(labels, key=str)}); mend it')
    return labels[category]


def _read_point(path, annotation, record):
    where = f'{path}: annotation {annotation["id"]!r} of {record.file_name}'
    keypoints = annotation.get('keypoints')
    if keypoints is None:
        raise ValueError(f'{where} has no keypoints; a point is written as "keypoints": [x, y, 2], '
                         '"num_keypoints": 1 (boxes alone are not points)')
    if (not isinstance(keypoints, list) or len(keypoints) != 3
            or not all(isinstance(value, int | float) and not isinstance(value, bool)
                       for value in keypoints)):
        raise ValueError(f'{where} has keypoints {str(keypoints)[:100]}; one point is expected, '
                         '[x, y, 2]; write several points as several annotations')
    if annotation.get('num_keypoints', 1) != 1 or keypoints[2] not in (1, 2):
        raise ValueError(f'{where} has keypoints {keypoints} and num_keypoints '
                         f'{annotation.get("num_keypoints", 1)!r}; a point that counts has '
                         'visibility 2 and num_keypoints 1; take others out')
    x, y = keypoints[:2]
    if not all(math.isfinite(value) for value in (x, y) if isinstance(value, float)):
        raise ValueError(f'{where} lies at ({x}, {y}); both must be finite numbers')
    if not (0 <= x <= record.width and 0 <= y <= record.height):
        raise ValueError(
            f'{where} lies at ({x}, {y}), outside its image of {record.width} x {record.height} '
            '(width x height); points are x, y in pixels of this very file: are they of another '
            'scale, or exchanged?')
    return float(x), float(y)
