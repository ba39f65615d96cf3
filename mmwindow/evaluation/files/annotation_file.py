"""Reading a COCO annotation file as the ground truth: points, boxes or polygons."""
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmwindow.evaluation.files.predictions import Target, check_target

# What every COCO image has; all else is a field to report by.
IMAGE_KEYS = ('id', 'file_name', 'height', 'width', 'group')


@dataclass(frozen=True)
class GroundTruth:
    """What an annotation file says.

    Attributes:
        targets (list[Target]): In the order of the file, normals included.
        classes (tuple[str]): The names of the categories in the order of their ids.
        category_labels (dict): Category id to label.
        num_from (dict[str, int]): How many targets come from 'keypoints', 'bbox' and 'segmentation'.
        path (Path): The file.
    """

    targets: list
    classes: tuple
    category_labels: dict
    num_from: dict
    path: Path


def read_annotations(path):
    """Read the ground truth of a data set from COCO JSON.

    An annotation with ``keypoints`` [x, y, v] is that point; one without is the centre of its
    ``bbox``, and without that of the box around its polygons. An image without annotations is a
    normal. Every entry of an image that is a finite number or a string is a field to report
    by.

    Args:
        path (str | Path): The file.

    Returns:
        GroundTruth

    Raises:
        ValueError: The file, an image or an annotation makes no sense; the message names it.
    """
    path = Path(path)
    content = load_json(path, 'annotation file')
    for key in ('images', 'annotations', 'categories'):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise ValueError(f'{path}: no list "{key}"; COCO JSON with the lists images, annotations '
                             'and categories is expected')
    names = _read_categories(path, content['categories'])
    order = list(names)
    labels = {category: label for label, category in enumerate(order)}
    imgs = _read_images(path, content['images'])
    found = {image_id: [] for image_id in imgs}
    num_from = dict(keypoints=0, bbox=0, segmentation=0)
    for annotation in content['annotations']:
        if not isinstance(annotation, dict):
            raise ValueError(f'{path}: an annotation is {str(annotation)[:100]}; an object with '
                             'image_id, category_id and where the finding is, is expected')
        where = f'{path}: annotation {annotation.get("id")!r}'
        if not is_id(annotation.get('image_id')) or annotation['image_id'] not in found:
            raise ValueError(f'{where} belongs to image {annotation.get("image_id")!r}, which is '
                             'not in the list of images; mend its image_id or take it out')
        if not is_id(annotation.get('category_id')) or annotation['category_id'] not in labels:
            raise ValueError(f'{where} has category {annotation.get("category_id")!r}; the '
                             f'categories are {order}')
        target = read_target(annotation, where)
        num_from[target['source']] += 1
        found[annotation['image_id']].append(
            (target['point'], labels[annotation['category_id']], target['box']))
    targets = []
    for image_id, img in imgs.items():
        try:
            targets.append(check_target(_make_target(img, found[image_id]), len(labels)))
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error
    return GroundTruth(targets, tuple(names[category] for category in order), labels, num_from, path)


def read_target(annotation, where):
    """Return the point and box of one annotation.

    Args:
        annotation (dict): Of COCO.
        where (str): How messages name it.

    Returns:
        dict: ``point`` (x, y), ``box`` (x1, y1, x2, y2, or None), both in pixels of the image, and
        ``source``, which entry the point comes from.
    """
    if annotation.get('iscrowd'):
        raise ValueError(f'{where} is a crowd; its findings cannot be counted: annotate each, or '
                         'take it out')
    box, source = None, 'bbox'
    if annotation.get('bbox') is not None:
        x, y, width, height = _numbers(annotation['bbox'], 4, f'{where}: bbox')
        box = (x, y, x + width, y + height)
        if not (width > 0 and height > 0):
            raise ValueError(f'{where} has the bbox {annotation["bbox"]}; x, y, width and height '
                             'with a positive size are expected')
    elif annotation.get('segmentation'):
        if not isinstance(annotation['segmentation'], list):
            raise ValueError(f'{where} has a run-length mask and no bbox; add the bbox, or polygons')
        corners = np.concatenate([
            np.asarray(_numbers(part, len(part), f'{where}: segmentation')).reshape(-1, 2)
            for part in annotation['segmentation']])
        box, source = (*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist()), 'segmentation'
    if annotation.get('keypoints'):
        keypoints = _numbers(annotation['keypoints'], 3,
                             f'{where}: keypoints (one point is [x, y, 2])')
        # COCO writes [0, 0, 0] for a point that nobody set: the corner is no finding.
        if keypoints[2] not in (1, 2):
            raise ValueError(f'{where} has keypoints {annotation["keypoints"]}; a point that counts '
                             'has the visibility 2, so take these keypoints out')
        return dict(point=tuple(keypoints[:2]), box=box, source='keypoints')
    if box is None:
        raise ValueError(f'{where} has neither keypoints nor bbox nor segmentation; one of them says '
                         'where the finding is')
    return dict(point=((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), box=box, source=source)


def load_json(path, what):
    """Return the content of a JSON file; a missing or cut one is an error that names it."""
    try:
        return json.loads(Path(path).read_text(encoding='utf-8-sig'))
    except OSError as error:
        raise ValueError(f'{path}: the {what} cannot be read ({error.strerror or error})') from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError alike
        raise ValueError(f'{path}: the {what} is no JSON, or cut short ({error})') from error


def is_id(value):
    """Tell whether a value can name an image or a category: a whole number or a string."""
    return isinstance(value, int | str) and not isinstance(value, bool)


def is_number(value):
    """Tell whether a value of JSON is a number that a float can hold; NaN and infinity are."""
    return isinstance(value, float) or (
        isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2 ** 1023)


def _read_categories(path, categories):
    """Return the names of the categories by id, in the order of their ids."""
    names = {}
    for category in categories:
        if not isinstance(category, dict) or not is_id(category.get('id')) or 'name' not in category:
            raise ValueError(f'{path}: category {str(category)[:100]} needs an id, a whole number or '
                             'a string, and a name')
        names[category['id']] = str(category['name'])
    if not names or len(names) != len(categories) or len(set(names.values())) != len(categories):
        raise ValueError(f'{path}: there are {len(categories)} categories with {len(names)} ids and '
                         f'{len(set(names.values()))} names; at least one, each with an id and a '
                         'name of its own, is expected')
    order = sorted(names, key=lambda category: (isinstance(category, str), category))
    return {category: names[category] for category in order}


def _read_images(path, images):
    if not images:
        raise ValueError(f'{path}: no images; an evaluation needs at least one')
    result, names = {}, set()
    for img in images:
        image_id, name = ((img.get('id'), img.get('file_name')) if isinstance(img, dict)
                          else (None, None))
        if not is_id(image_id) or not isinstance(name, str):
            raise ValueError(f'{path}: image {str(img)[:100]} needs an id and a file_name')
        if image_id in result or name in names:
            raise ValueError(f'{path}: image {image_id!r} ({name}) is listed twice; an image counts '
                             'once')
        if not all(is_number(img.get(key)) for key in ('height', 'width')):
            raise ValueError(f'{path}: image {image_id!r} ({name}) has height {img.get("height")!r} '
                             f'and width {img.get("width")!r}; pixels are expected')
        names.add(name)
        result[image_id] = img
    return result


def _make_target(img, found):
    boxes = [box for _, _, box in found]
    group = img.get('group')
    return Target(
        image_id=img['id'], height=img['height'], width=img['width'],
        points=np.array([point for point, _, _ in found], dtype=np.float64).reshape(-1, 2),
        labels=np.array([label for _, label, _ in found], dtype=int),
        boxes=(np.array(boxes, dtype=np.float64).reshape(-1, 4)
               if all(box is not None for box in boxes) else None),
        group='' if group is None else str(group),
        fields=dict(file_name=img['file_name'], **{
            key: value for key, value in img.items()
            if key not in IMAGE_KEYS and (isinstance(value, str | int) or (
                isinstance(value, float) and math.isfinite(value)))}))


def _numbers(values, num, what):
    if not isinstance(values, list) or len(values) != num or not all(
            is_number(value) and math.isfinite(value) for value in values):
        raise ValueError(f'{what} is {str(values)[:80]}; {num} finite numbers are expected')
    return [float(value) for value in values]
