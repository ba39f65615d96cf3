"""Point files, folds and the importer of FracAtlas, and independent readings of them."""
import json
import math
import posixpath
import random
from typing import Any

from fuzzing.harness import Case, Reader, Seed
from fuzzing.json_mutators import mutate_json

POINT_RULES = ('auto', 'auto', 'keypoints', 'bbox', 'polygon', 'polygon_drawn')


def point_content(num_images: int = 6) -> dict[str, Any]:
    """Return a point file with keypoints, boxes and polygons, patients and negative images."""
    images, annotations = [], []
    for number in range(1, num_images + 1):
        images.append(dict(id=number, file_name=f'img_{number:04}.png', height=80, width=100,
                           group=f'patient {(number + 1) // 2}', body_part='hand', age=40 + number))
        for _ in range(number % 3):
            x, y = 10. * number, 8. * number + len(annotations)
            annotations.append(dict(
                id=len(annotations) + 1, image_id=number, category_id=1, iscrowd=0,
                keypoints=[x, y, 2], num_keypoints=1, bbox=[x - 5, y - 4, 10, 8],
                segmentation=[[x - 5, y - 4, x + 5, y - 4, x + 5, y + 4, x - 5, y + 4]]))
    return dict(images=images, annotations=annotations, categories=[dict(id=1, name='fracture')])


def point_seeds() -> list[Seed]:
    """Return point files of several kinds."""
    content = point_content()
    as_text = json.loads(json.dumps(content).replace('"id": ', '"id": 1000'))
    for annotation in as_text['annotations']:
        annotation['image_id'] += 10000
        annotation['category_id'] = as_text['categories'][0]['id']
    names = point_content(3)
    for image in names['images']:
        image['id'] = f'a{image["id"]}'
    for annotation in names['annotations']:
        annotation['image_id'] = f'a{annotation["image_id"]}'
    negative = dict(point_content(2), annotations=[])
    return [Seed({'points.json': json.dumps(entry).encode()}, 'points.json')
            for entry in (content, as_text, names, negative)]


def plain_points(point_file: Any) -> Any:
    """Return what our reader found, as plain data."""
    return dict(
        classes=list(point_file.classes),
        images=[dict(id=record.img_id, file_name=record.file_name, size=[record.height, record.width],
                     group=record.group, points=[list(point) for point in record.points],
                     labels=list(record.labels),
                     boxes=[None if box is None else list(box) for box in record.boxes])
                for record in point_file.records])


def read_points(case: Case) -> Any:
    """Read a point file as training and scoring do."""
    from mmwindow.annotations.point_file import read_point_file

    point_file = read_point_file(case.path, points_from=case.options['points_from'],
                                 needs_boxes=case.options['needs_boxes'])
    return plain_points(point_file)


def whole(value: Any) -> int | str:
    """Return an id as written, 3.0 as 3."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f'id {value!r}')
    return value if isinstance(value, str) else exact(value)


def exact(value: int | float) -> int:
    """Return a whole number."""
    if isinstance(value, bool) or int(value) != value:
        raise TypeError(f'no whole number: {value!r}')
    return int(value)


def finite(values: Any, number: int | None = None) -> list[float]:
    """Return numbers as finite floats."""
    if any(isinstance(value, bool | str) for value in values):
        raise TypeError('no numbers')
    result = [float(value) for value in values]
    if not all(map(math.isfinite, result)) or number not in (None, len(result)):
        raise TypeError('not finite, or not as many')
    return result


def box_of(annotation: Any) -> list[float] | None:
    """Return the corners of an annotation's box of positive size, if there is one."""
    try:
        x, y, width, height = finite(annotation['bbox'], 4)
        box = [x, y, x + width, y + height]
        return box if width > 0 and height > 0 and box[0] < box[2] < math.inf and (
            box[1] < box[3] < math.inf) else None
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def outline_of(annotation: Any) -> list[float]:
    """Return the box around an annotation's polygons."""
    parts = [finite(part) for part in annotation['segmentation']]
    if not parts or any(len(part) % 2 or len(part) < 6 for part in parts):
        raise TypeError('no polygons')
    xs, ys = [x for part in parts for x in part[::2]], [y for part in parts for y in part[1::2]]
    return [min(xs), min(ys), max(xs), max(ys)]


def is_proper(box: list[float] | None) -> bool:
    """Tell whether a box has an area."""
    return box is not None and box[0] < box[2] and box[1] < box[3]


def centre(box: list[float]) -> list[float]:
    """Return the middle of a box."""
    return [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]


def finding_of(annotation: Any, rule: str) -> tuple[list[float], list[float] | None]:
    """Return point and box of an annotation by a rule; the point of drawn ones is not looked at."""
    def has(key: str) -> bool:
        return annotation.get(key) not in (None, [])

    if rule == 'auto':
        rule = next(name for name, key in (('keypoints', 'keypoints'), ('bbox', 'bbox'),
                                           ('polygon', 'segmentation')) if has(key))
    if rule == 'keypoints':
        x, y, visibility = finite(annotation['keypoints'], 3)
        if visibility not in (1, 2) or exact(annotation.get('num_keypoints', 1)) != 1:
            raise TypeError('no point that counts')
        box = box_of(annotation)
        if box is None and not has('bbox') and has('segmentation'):
            try:
                outline = outline_of(annotation)
                box = outline if is_proper(outline) else None
            except (TypeError, ValueError, KeyError, OverflowError):
                box = None
        return [x, y], box
    if rule == 'bbox':
        box = box_of(annotation)
        if box is None:
            raise TypeError('no box')
        return centre(box), box
    outline = outline_of(annotation)
    box = outline if is_proper(outline) else box_of(annotation) if has('bbox') else None
    return centre(outline), box


def patient_of(group: Any) -> str | None:
    """Return the name of a patient."""
    if group is None or (isinstance(group, float) and math.isnan(group)):
        return None
    if isinstance(group, str):
        return group.strip() or None
    return str(exact(group))


def reread_points(case: Case) -> Any:
    """Read a point file independently: the images in order, each with its points."""
    content = json.loads(case.path.read_bytes().decode('utf-8-sig'))
    rule = case.options['points_from']
    categories = {whole(entry['id']): entry['name'] for entry in content['categories']}
    order = sorted(categories, key=lambda key: (isinstance(key, str), key))
    images: dict[Any, Any] = {}
    for image in content['images']:
        images[whole(image['id'])] = dict(
            id=whole(image['id']), file_name=image['file_name'],
            size=[exact(image['height']), exact(image['width'])],
            group=patient_of(image.get('group')),
            points=[], labels=[], boxes=[])
    if len(images) != len(content['images']) or not images or len(
            {posixpath.normpath(image['file_name']) for image in images.values()}) != len(images):
        raise TypeError('an image is there twice, or none')
    for annotation in content['annotations']:
        if annotation.get('iscrowd') or annotation.get('ignore'):
            raise TypeError('a crowd')
        image = images[whole(annotation['image_id'])]
        point, box = finding_of(annotation, rule)
        if not (0 <= point[0] <= image['size'][1] and 0 <= point[1] <= image['size'][0]):
            raise TypeError(f'{point} is outside its image')
        if box is None and case.options['needs_boxes']:
            raise TypeError('no box')
        image['points'].append(point)
        image['boxes'].append(box)
        image['labels'].append(order.index(whole(annotation['category_id'])))
    return dict(classes=[categories[key] for key in order], images=list(images.values()))


def compare_drawn(meaning: Any) -> Any:
    """Return a meaning whose points are drawn: their box instead of them, once a finding."""
    for image in meaning['images']:
        rows: list[Any] = []
        for box, label in zip(image.pop('boxes'), image.pop('labels'), strict=True):
            if not rows or rows[-1] != [box, label]:
                rows.append([box, label])
        image['findings'] = rows
        del image['points']
    return meaning


def by_rule(read: Any) -> Any:
    """Return a reading whose drawn points are left out of the comparison."""
    def call(case: Case) -> Any:
        meaning = read(case)
        return compare_drawn(meaning) if case.options['points_from'] == 'polygon_drawn' else meaning
    return call


def draw_rule(rng: random.Random) -> dict[str, Any]:
    """Draw how points are read."""
    return dict(points_from=rng.choice(POINT_RULES), needs_boxes=rng.random() < .2)


def mutate_named(name: str, data: bytes, rng: random.Random) -> bytes:
    """Mutate a JSON file."""
    return mutate_json(data, rng)


def folds_seeds() -> list[Seed]:
    """Return folds files with their point file."""
    import tempfile
    from pathlib import Path

    from mmwindow.datasets.folds import make_folds

    seeds = []
    for num_images, num_folds in ((24, 3), (30, 5)):
        content = json.dumps(point_content(num_images)).encode()
        content = json.dumps(shrink(json.loads(content))).encode()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / 'points.json'
            path.write_bytes(content)
            folds = json.dumps(make_folds(path, num_folds)).encode()
        seeds.append(Seed({'folds.json': folds, 'points.json': content}, 'folds.json'))
    return seeds


def shrink(content: Any) -> Any:
    """Return a point file whose images are large enough for many points."""
    for image in content['images']:
        image.update(height=2000, width=2000)
    return content


def read_folds(case: Case) -> Any:
    """Check a folds file against its point file."""
    from mmwindow.datasets.folds import check_folds

    content = check_folds(case.path, case.path.parent / 'points.json')
    return [{name: list(fold[name]) for name in ('train', 'val',
                                                 'test')} for fold in content['folds']]


def reread_folds(case: Case) -> Any:
    """Read folds independently, and check that they divide the images."""
    content = json.loads(case.path.read_bytes().decode('utf-8-sig'))
    points = json.loads((case.path.parent / 'points.json').read_bytes().decode('utf-8-sig'))
    groups = {whole(image['id']): patient_of(image.get('group')) for image in points['images']}
    folds = [{name: [whole(key) for key in fold[name]] for name in ('train', 'val', 'test')}
             for fold in content['folds']]
    tested: list[Any] = []
    for fold in folds:
        listed = [key for part in fold.values() for key in part]
        if sorted(listed, key=str) != sorted(groups, key=str) or not all(fold.values()):
            raise TypeError('a fold does not hold each image once')
        homes: dict[Any, set[str]] = {}
        for name, part in fold.items():
            for key in part:
                if groups[key] is not None:
                    homes.setdefault(groups[key], set()).add(name)
        if any(len(names) > 1 for names in homes.values()):
            raise TypeError('a group is divided')
        tested += fold['test']
    if sorted(tested, key=str) != sorted(groups, key=str):
        raise TypeError('an image is not tested once')
    return folds


def fracatlas_seeds() -> list[Seed]:
    """Return small folders as FracAtlas is released: polygons, and images."""
    import io

    from PIL import Image

    content = point_content(24)
    images = {}
    for image in content['images']:
        image.update(file_name=image['file_name'].replace('.png', '.jpg'), height=400, width=500)
        stream = io.BytesIO()
        Image.new('L', (500, 400), 90).save(stream, 'JPEG')
        images[f'images/{image["file_name"]}'] = stream.getvalue()
    for annotation in content['annotations']:
        del annotation['keypoints'], annotation['num_keypoints']
    return [Seed({'fractures.json': json.dumps(content).encode(), **images}, 'fractures.json')]


def read_fracatlas(case: Case) -> Any:
    """Convert FracAtlas, and return the boxes of what was written."""
    from mmwindow.datasets.fracatlas import convert_fracatlas

    convert_fracatlas(case.path.parent, case.path.parent / 'out')
    points = json.loads((case.path.parent / 'out' / 'annotations' / 'points.json').read_text())
    sizes = {image['id']: (image['width'], image['height']) for image in points['images']}
    found: dict[str, Any] = {}
    for annotation in points['annotations']:
        x, y, _ = annotation['keypoints']
        width, height = sizes[annotation['image_id']]
        outline = outline_of(annotation)
        found[str(annotation['fracture_id'])] = [
            str(annotation['image_id']), 0 <= x <= width and 0 <= y <= height,
            outline[0] - 1 <= x <= outline[2] + 1 and outline[1] - 1 <= y <= outline[3] + 1]
    return found


def reread_fracatlas(case: Case) -> Any:
    """Return which findings must have points, all of them inside image and outline."""
    content = json.loads(case.path.read_bytes().decode('utf-8-sig'))
    known = {whole(image['id']) for image in content['images']}
    for annotation in content['annotations']:
        outline_of(annotation)
        if whole(annotation['image_id']) not in known:
            raise TypeError('an image that is not listed')
    return {str(whole(annotation['id'])): [str(annotation['image_id']), True, True]
            for annotation in content['annotations']}


READERS = (
    Reader('points', point_seeds, mutate_named, by_rule(read_points), by_rule(reread_points),
           draw_rule,
           tolerance=1e-12),
    Reader('folds', folds_seeds, mutate_named, read_folds, reread_folds, names=('points.json', )),
    Reader('fracatlas', fracatlas_seeds, mutate_named, read_fracatlas, reread_fracatlas,
           mutated=('fractures.json', ), names=('points.json', )))
