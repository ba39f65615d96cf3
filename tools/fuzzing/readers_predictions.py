"""Predictions of every kind and records, each scored, and independent readings of them."""

import io
import json
import math
import pickle
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing.harness import Case, Reader, Seed, SkipComparison
from fuzzing.image_mutators import mutate_png, split_png
from fuzzing.json_mutators import mutate_json
from fuzzing.pickle_mutators import mutate_pickle
from fuzzing.readers_annotations import exact, finite, point_content, whole
from fuzzing.zip_mutators import mutate_npy, mutate_zip

POINTS = json.dumps(point_content()).encode()
IMAGES = point_content()['images']
RULES = ('disk_overlap', 'distance', 'box_iou', 'centre_in_box')


def truth_of(case: Case) -> Any:
    """Return the ground truth that a case's predictions belong to."""
    from mmwindow.evaluation.files.ground_truth import read_annotations

    return read_annotations(case.path.parent / 'points.json')


def numbers(values: Any) -> Any:
    """Return arrays and their numbers as plain data."""
    return None if values is None else np.asarray(values).tolist()


def read_scored(case: Case) -> Any:
    """Read predictions and score them, as ``tools/evaluate.py`` does."""
    from mmwindow.evaluation.files.prediction_files import read_predictions
    from mmwindow.evaluation.scoring import evaluate

    truth = truth_of(case)
    found = []

    def remember(predictions: Any) -> Any:
        for prediction in predictions:
            found.append(prediction)
            yield prediction

    try:
        result = evaluate(remember(read_predictions(case.path, truth)), truth.targets,
                          classes=truth.classes,
                          rule=case.options['rule'], missing='empty')
    except ValueError as error:
        if 'image ' in str(error) or case.path.name in str(error):
            raise
        raise ValueError(f'names no image and no file: {error}') from error
    metrics = {key: value for key, value in result.metrics.items() if key == 'auroc'}
    return dict(images=sorted([describe_prediction(prediction) for prediction in found],
                              key=lambda row: str(row[0])),
                auroc=metrics.get('auroc'))


def describe_prediction(prediction: Any) -> list[Any]:
    """Return id, boxes with scores and labels, or maps."""
    if prediction.maps is not None:
        maps = np.asarray(prediction.maps, dtype=np.float64)
        return [prediction.image_id, 'maps',
                (maps[0] if maps.ndim == 3 and len(maps) == 1 else maps).tolist()]
    rows = np.asarray(prediction.boxes, dtype=np.float64).reshape(-1, 4).tolist()
    labels = [0] * len(rows) if prediction.labels is None else numbers(np.reshape(prediction.labels,
                                                            -1))
    return [prediction.image_id, 'boxes', sorted(
        [*row, score, label] for row, score, label in zip(rows, numbers(np.reshape(prediction.scores,
                                                            -1)), labels, strict=True))]


def image_auroc(rows: list[list[Any]], scores: dict[Any, float] | None = None) -> float:
    """Return the AUROC of images, pair by pair; an image without a prediction has no finding."""
    best: dict[Any, float] = {image['id']: -math.inf for image in IMAGES}
    for key, kind, values in rows:
        if scores is not None and key in scores:
            best[key] = scores[key]
        elif kind == 'maps':
            best[key] = float(np.max(values))
        else:
            seen = [row[4] for row in values if max(row[0], 0) < min(row[2], 100) and max(row[1],
                                                            0) < min(row[3], 80)]
            best[key] = max(seen, default=-math.inf)
    positives = [best[image['id']] for image in IMAGES if image['id'] % 3]
    negatives = [best[image['id']] for image in IMAGES if image['id'] % 3 == 0]
    wins = [1. if first > second else .5 if first == second else 0. for first in positives
            for second in negatives]
    return sum(wins) / len(wins)


def with_auroc(rows: list[list[Any]], scores: dict[Any, float] | None = None) -> dict[str, Any]:
    """Return images in order of their ids and the AUROC of their scores."""
    if len({row[0] for row in rows}) != len(rows):
        raise TypeError('an image is predicted twice')
    for _, kind, values in rows:
        if not np.isfinite(np.asarray(values, dtype=np.float64)).all():
            raise TypeError('a score that is not finite')
        if kind == 'boxes' and any(row[2] < row[0] or row[3] < row[1] for row in values):
            raise TypeError('corners are exchanged')
    return dict(images=sorted(rows, key=lambda row: str(row[0])), auroc=image_auroc(rows, scores))


def find_image(key: Any) -> int:
    """Return the id of the image that an id, file name, stem or number of a stem means."""
    found = {image['id'] for image in IMAGES if str(key) in (
        str(image['id']), image['file_name'], image['file_name'][:-4],
        f'images/{image["file_name"]}')}
    if len(found) != 1:
        raise TypeError(f'no image: {key!r}')
    return found.pop()


def random_maps(seed: int, dtype: type = np.float32) -> dict[str, np.ndarray]:
    """Return a map for each image by the stem of its file."""
    generator = np.random.default_rng(seed)
    return {image['file_name'][:-4]: generator.random((10, 10)).astype(dtype) for image in IMAGES}


def box_rows() -> list[dict[str, Any]]:
    """Return COCO results, some for each image but the last."""
    generator = np.random.default_rng(3)
    return [dict(image_id=image['id'], category_id=1, score=round(float(generator.random()), 4),
                 bbox=[float(generator.integers(0, 60)), float(generator.integers(0, 50)), 20., 15.])
            for image in IMAGES[:-1] for _ in range(image['id'] % 4)]


def box_seeds() -> list[Seed]:
    """Return COCO results, with and without file names."""
    rows = box_rows()
    named = [dict(row, file_name=IMAGES[row['image_id'] - 1]['file_name']) for row in rows]
    return [Seed({'boxes.json': json.dumps(entry).encode(), 'points.json': POINTS}, 'boxes.json')
            for entry in (rows, named, rows[:1])]


def reread_boxes(case: Case) -> Any:
    """Read COCO results independently."""
    by_image: dict[Any, list[Any]] = {}
    known = {image['id']: image['file_name'] for image in IMAGES}
    for row in json.loads(case.path.read_bytes().decode('utf-8-sig')):
        key = whole(row['image_id'])
        if row.get('file_name') is not None:
            name = row['file_name']
            found = [own for own, file_name in known.items()
                     if Path(str(name)).name == file_name and str(key) in (str(own), str(own),
                                                            file_name[:-4])]
            key, = found
        elif key not in known:
            key = find_number(key, known)
        if whole(row['category_id']) != 1:
            raise TypeError('a category that is unknown')
        x, y, width, height = finite(row['bbox'], 4)
        score, = finite([row['score']])
        by_image.setdefault(key, []).append([x, y, x + width, y + height, score, 0])
    return with_auroc([[key, 'boxes', sorted(rows)] for key, rows in by_image.items()])


def find_number(key: Any, known: dict[Any, str]) -> Any:
    """Return the image whose stem, or the number in it, is a key."""
    found = [own for own, name in known.items() if str(key) == name[:-4]]
    return found[0]


def mutate_main(mutate: Callable[[bytes, random.Random], bytes]) -> Callable[[str, bytes,
                                                            random.Random], bytes]:
    """Return a mutator that does not look at the name of a file."""
    return lambda name, data, rng: mutate(data, rng)


def draw_scoring(rng: random.Random) -> dict[str, Any]:
    """Draw a hit rule; those that ask for boxes find them in the point file."""
    return dict(rule=rng.choice(RULES))


def npz_bytes(arrays: dict[str, Any], compressed: bool = False) -> bytes:
    """Return an NPZ."""
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **arrays)
    return stream.getvalue()


def npz_seeds() -> list[Seed]:
    """Return NPZ files of maps, as anyone may write them."""
    return [Seed({'maps.npz': npz_bytes(random_maps(1)), 'points.json': POINTS}, 'maps.npz'),
            Seed({'maps.npz': npz_bytes(random_maps(2, np.float64), True), 'points.json': POINTS},
                 'maps.npz')]


def check_map(values: np.ndarray) -> list[Any]:
    """Return a map as plain data; anything but finite numbers of two dimensions raises."""
    if values.ndim == 3 and len(values) == 1:
        values = values[0]
    if values.dtype.kind not in 'fiub' or values.ndim != 2 or not values.size:
        raise TypeError(f'no map: {values.dtype} {values.shape}')
    return values.astype(np.float64).tolist()


def reread_npz(case: Case) -> Any:
    """Read maps by numpy itself."""
    rows = []
    with np.load(case.path, allow_pickle=False) as archive:
        for key in archive.files:
            rows.append([find_image(key.removesuffix('.npy')), 'maps', check_map(archive[key])])
    return with_auroc(rows)


def npy_seeds() -> list[Seed]:
    """Return folders of NPY files."""
    files = {}
    for name, values in random_maps(4).items():
        stream = io.BytesIO()
        np.save(stream, values)
        files[f'maps/{name}.npy'] = stream.getvalue()
    return [Seed({**files, 'points.json': POINTS}, 'maps')]


def reread_npy(case: Case) -> Any:
    """Read a folder by numpy itself."""
    return with_auroc([[find_image(path.stem), 'maps', check_map(np.load(path, allow_pickle=False))]
                       for path in case.path.glob('*.npy')])


def png_map_seeds() -> list[Seed]:
    """Return folders of PNG files of 8 and of 16 bits."""
    from PIL import Image

    seeds = []
    for dtype, scale in ((np.uint8, 255), (np.uint16, 65535)):
        files = {}
        for name, values in random_maps(5).items():
            stream = io.BytesIO()
            Image.fromarray(np.round(values * scale).astype(dtype)).save(stream, 'PNG')
            files[f'maps/{name}.png'] = stream.getvalue()
        seeds.append(Seed({**files, 'points.json': POINTS}, 'maps'))
    return seeds


def reread_png(case: Case) -> Any:
    """Read a folder of PNG files by a decoder of a few lines."""
    return with_auroc([[find_image(path.stem), 'maps', check_map(decode_png(path.read_bytes()))]
                       for path in case.path.glob('*.png')])


def decode_png(data: bytes) -> np.ndarray:
    """Return the scores of a grey PNG that is not interlaced."""
    if data[:8] != b'\x89PNG\r\n\x1a\n' or data[12:16] != b'IHDR':
        raise TypeError('no PNG')
    chunks = split_png(data)
    if chunks[-1][0] != b'IEND' and (b'IEND', b'') not in chunks:
        raise TypeError('no end')
    width, height, depth, colour, _, _, interlaced = struct.unpack('>IIBBBBB', chunks[0][1])
    if colour or interlaced or depth not in (8, 16):
        raise TypeError('another kind of PNG')
    size = depth // 8
    rows = zlib.decompress(b''.join(content for kind, content in chunks if kind == b'IDAT'))
    before, lines = [0] * (width * size), []
    for start in range(0, height * (width * size + 1), width * size + 1):
        kind, line = rows[start], list(rows[start + 1:start + 1 + width * size])
        for place in range(width * size):
            left = line[place - size] if place >= size else 0
            corner = before[place - size] if place >= size else 0
            up = before[place]
            nearest = min((left, up, corner), key=lambda value: abs(left + up - corner - value))
            line[place] = (line[place] + (0, left, up, (left + up) // 2, nearest)[kind]) % 256
        before = line
        lines.append(line)
    values = np.array(lines, np.uint8).reshape(height, width, size).astype(np.float32)
    return values[..., 0] / 255 if size == 1 else (values[..., 0] * 256 + values[..., 1]) / 65535


def archive_seeds() -> list[Seed]:
    """Return our own predictions, of maps and of boxes."""
    import tempfile

    from mmwindow.evaluation.files.prediction_archive import write_predictions
    from mmwindow.evaluation.files.predictions import Prediction

    maps = [Prediction(image['id'], maps=values[None], height=80, width=100)
            for image, values in zip(IMAGES, random_maps(6).values(), strict=True)]
    generator = np.random.default_rng(7)
    boxes = [Prediction(image['id'], height=80, width=100, scores=generator.random(image['id']),
                        labels=np.zeros(image['id'], int),
                        boxes=np.tile([10., 10., 40., 30.], (image['id'],
                                                            1)) + generator.random((image['id'], 4)))
             for image in IMAGES]
    seeds = []
    with tempfile.TemporaryDirectory() as folder:
        for predictions in (maps, boxes):
            path = write_predictions(Path(folder) / 'ours.npz', predictions, ['fracture'],
                                     [image['file_name'] for image in IMAGES])
            seeds.append(Seed({'ours.npz': path.read_bytes(),
                               'ours.json': path.with_suffix('.json').read_bytes(),
                               'points.json': POINTS}, 'ours.npz'))
            seeds.append(Seed({'ours.npz': path.read_bytes(), 'points.json': POINTS}, 'ours.npz'))
    return seeds


def mutate_archive(name: str, data: bytes, rng: random.Random) -> bytes:
    """Mutate an archive of ours: its description as JSON, its arrays as NPY."""
    def mutate_member(member: str, content: bytes, rng: random.Random) -> bytes:
        if member != 'description.npy' or rng.random() < .2:
            return mutate_npy(content, rng)
        text = mutate_json(np.load(io.BytesIO(content)).tobytes(), rng)
        stream = io.BytesIO()
        np.save(stream, np.frombuffer(text, np.uint8))
        return stream.getvalue()

    if name.endswith('.json'):
        return mutate_json(data, rng)
    if rng.random() < .5:  # half of all cases change the description alone
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(member, archive.read(member)) for member in archive.namelist()]
        from fuzzing.zip_mutators import write_members
        return write_members([(member, mutate_member(member, content,
                                                     rng) if member == 'description.npy' else content)
                              for member, content in members])
    return mutate_zip(data, rng, mutate_member)


def reread_archive(case: Case) -> Any:
    """Read an archive of ours by numpy itself."""
    with np.load(case.path, allow_pickle=False) as archive:
        if 'description' not in archive.files:
            return reread_npz(case)
        content = json.loads(archive['description'].tobytes().decode('utf-8-sig'))
        rows, scores, start = [], {}, 0
        for image in content['images']:
            key = find_image(image['image_id'])
            if 'file_name' in image and image['file_name'] is not None:
                own = IMAGES[key - 1]['file_name']
                if Path(image['file_name']).name != own:
                    raise TypeError('id and file name contradict each other')
            for side, size in (('height', 80), ('width', 100)):
                if image.get(side) is not None and image[side] != size:
                    raise TypeError('another size')
            if image.get('image_scores') is not None:
                scores[key], = finite(np.ravel(image['image_scores']).tolist(), 1)
            if 'map' in image:
                rows.append([key, 'maps', check_map(archive[image['map']])])
            else:
                end = start + exact(image['num_boxes'])
                part = slice(start, end)
                rows.append([key, 'boxes', sorted(
                    [*finite(box, 4), *finite([score]), exact(label)] for box, score, label in zip(
                        archive['boxes'][part].tolist(), archive['scores'][part].tolist(),
                        archive['labels'][part].tolist(), strict=True))])
                if len(rows[-1][2]) != end - start:
                    raise TypeError('fewer boxes than the description says')
                start = end
        if content['classes'] != ['fracture']:
            raise TypeError('other classes')
        if any(row[-1] for entry in rows if entry[1] == 'boxes' for row in entry[2]):
            raise TypeError('labels beyond the classes')
        if start and len(archive['boxes']) != start:
            raise TypeError('more boxes than the description says')
    return with_auroc(rows, scores)


def sample_seeds() -> list[Seed]:
    """Return pickles as mmdet's DumpDetResults writes them: of arrays, of tensors, of maps."""
    import torch

    generator = np.random.default_rng(8)
    boxes, maps = [], []
    for image in IMAGES:
        common = dict(img_id=image['id'], img_path=f'images/{image["file_name"]}', ori_shape=(80,
                                                            100))
        number = image['id']
        boxes.append(dict(common, pred_instances=dict(
            bboxes=(np.tile([10., 10., 40., 30.], (number, 1)) + generator.random((number,
                                                            4))).astype(np.float32),
            scores=generator.random(number).astype(np.float32), labels=np.zeros(number, np.int64))))
        maps.append(dict(common, pred_heatmap=dict(scores=generator.random((1, 10,
                                                            10)).astype(np.float32))))
    tensors = [dict(sample, pred_instances={key: torch.from_numpy(value) for key,
                                            value in sample['pred_instances'].items()})
               for sample in boxes[:3]]
    return [Seed({'samples.pkl': pickle.dumps(entry, protocol), 'points.json': POINTS}, 'samples.pkl')
            for entry, protocol in ((boxes, 4), (boxes, 2), (maps, 4), (tensors, 4))]


class PlainUnpickler(pickle.Unpickler):
    """Rebuild arrays and tensors by numpy and torch themselves; anything else ends the reading."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what a seed may name."""
        root = module.split('.')[0]
        if (root == 'numpy' and name in ('_reconstruct', 'ndarray', 'dtype', 'scalar',
                                         '_frombuffer')) or (
                module, name) in (('_codecs', 'encode'), ('collections', 'OrderedDict'), ('builtins',
                                                            'bytes'), ('__builtin__',
                                                            'bytes')) or root == 'torch':
            return super().find_class(module, name)
        raise TypeError(f'{module}.{name}')


def reread_samples(case: Case) -> Any:
    """Read a pickle with numpy's own arrays; what names anything else is not compared."""
    try:
        samples = PlainUnpickler(io.BytesIO(case.path.read_bytes())).load()
    except (TypeError, AssertionError, RuntimeError) as error:  # foreign; or torch minds
        raise SkipComparison(str(error)) from error
    rows, scores = [], {}
    for sample in samples:
        key = find_image(sample['img_id'])
        maps = sample.get('pred_heatmap')
        if maps is not None:
            rows.append([key, 'maps', check_map(np.asarray(maps['scores']))])
            continue
        found = sample['pred_instances']
        values = {name: np.asarray(found[name]) for name in ('bboxes', 'scores', 'labels')}
        rows.append([key, 'boxes', sorted(
            [*finite(box, 4), *finite([score]), exact(label)] for box, score, label in zip(
                values['bboxes'].reshape(-1, 4).tolist(), values['scores'].reshape(-1).tolist(),
                values['labels'].reshape(-1).tolist(), strict=True))])
    return with_auroc(rows, scores)


def record_seeds() -> list[Seed]:
    """Return records of boxes and of maps, with intervals and without."""
    import tempfile

    from mmwindow.evaluation import Target, evaluate

    targets = [Target(image['id'], 80, 100, points=[[10. * image['id'],
                                                     8. * image['id']]] * (image['id'] % 3 > 0),
                      boxes=[[10. * image['id'] - 5, 8. * image['id'] - 5, 10. * image['id'] + 5,
                              8. * image['id'] + 5]]
                      * (image['id'] % 3 > 0), group=f'p{image["id"] // 2}',
                      fields=dict(file_name=image['file_name']))
               for image in IMAGES]
    maps = {image['id']: values for image, values in zip(IMAGES, random_maps(9).values(),
                                                         strict=True)}
    seeds = []
    with tempfile.TemporaryDirectory() as folder:
        for rule, resamples in (('disk_overlap', 0), ('distance', 0), ('disk_overlap', 100)):
            path = Path(folder) / 'record.json'
            evaluate(maps, targets, rule=rule, num_resamples=resamples).write(path)
            seeds.append(Seed({'record.json': path.read_bytes()}, 'record.json'))
    return seeds


def read_record_numbers(case: Case) -> Any:
    """Read a record, and compute its numbers again."""
    from mmwindow.evaluation.files.records import read_record
    from mmwindow.evaluation.froc_settings import FROCSettings
    from mmwindow.evaluation.results import summarise_class

    record = read_record(case.path)
    settings = FROCSettings.from_record(record.settings)
    numbers = {}
    for name, events in record.classes.items():
        try:
            metrics = summarise_class(events, settings).metrics
        except ValueError as error:  # of the statistics: they know no file
            raise ValueError(f'{case.path}: {error}') from error
        numbers[name] = [len(events), sum(len(img.recall_levels) for img in events), metrics['auroc'],
                         metrics[settings.names[1]]]
    return numbers


def reread_record(case: Case) -> Any:
    """Compute AUROC and the first recall from a record's JSON alone."""
    content = json.loads(case.path.read_bytes().decode('utf-8-sig'))
    settings, found = content['settings'], {}
    for entry in content['classes']:
        images = entry['images']
        for image in images:
            check_image(image)
        if content['settings']['convention'] != 'first_crossing' or settings.get('fp_denominator',
                                                            'all') != 'all':
            raise SkipComparison('another convention')
        found[entry['name']] = [len(images), sum(len(image['recall_levels']) for image in images),
                                pairs(images), first_recall(images, float(settings['budgets'][0]))]
    return found


def level(value: Any) -> float:
    """Return a level of a record; null is below all."""
    return -math.inf if value is None else finite([value])[0]


def check_image(image: Any) -> None:
    """Raise where the events of an image contradict themselves."""
    for kind in ('fp', 'hit', 'both', 'neither', 'recalled'):
        levels, changes = image.get(f'{kind}_levels'), image.get(f'{kind}_changes')
        if levels is None:
            continue
        count = 0
        for _, change in zip(map(level, levels), changes, strict=True):
            count += exact(change)
            if count < 0:
                raise TypeError(f'{kind}: a negative number')
        if any(first <= second for first, second in zip(levels[:-1], levels[1:], strict=True)):
            raise TypeError('levels do not descend')
    level(image['score'])
    if image['recall_levels'] and not image['is_positive']:
        raise TypeError('points in a negative image')


def pairs(images: Any) -> float:
    """Return the AUROC of images."""
    positives = [level(image['score']) for image in images if image['is_positive']]
    negatives = [level(image['score']) for image in images if not image['is_positive']]
    wins = [1. if first > second else .5 if first == second else 0. for first in positives
            for second in negatives]
    return sum(wins) / len(wins) if wins else math.nan


def first_recall(images: Any, budget: float) -> float:
    """Return the recall before the rate of false positives first exceeds a budget, level by level."""
    levels = sorted({level(value) for image in images for key in ('fp_levels', 'recall_levels',
                                                            'recalled_levels')
                     for value in image.get(key) or ()} - {-math.inf}, reverse=True)
    num_points = sum(len(image['recall_levels']) for image in images)
    best = 0
    for threshold in levels:
        false = sum(change for image in images for value, change in zip(image['fp_levels'],
                                                            image['fp_changes'], strict=True)
                    if value >= threshold)
        if false / len(images) > budget:
            break
        hits = 0
        for image in images:
            if image.get('recalled_levels') is not None:
                hits += sum(change for value, change in zip(image['recalled_levels'],
                                                            image['recalled_changes'], strict=True)
                            if value >= threshold)
            else:
                hits += sum(level(value) >= threshold for value in image['recall_levels'])
        best = hits
    return best / num_points if num_points else math.nan


SCORED = dict(read=read_scored, draw_options=draw_scoring, names=('image ', 'points.json'),
              tolerance=1e-6)
READERS = (
    Reader('boxes', box_seeds, mutate_main(mutate_json), reread=reread_boxes, mutated=('boxes.json',
                                                            ), **SCORED),
    Reader('npz', npz_seeds, mutate_main(mutate_zip), reread=reread_npz, mutated=('maps.npz', ),
           **SCORED),
    Reader('npy', npy_seeds, mutate_main(mutate_npy), reread=reread_npy,
           mutated=tuple(f'maps/{image["file_name"][:-4]}.npy' for image in IMAGES), **SCORED),
    Reader('png-maps', png_map_seeds, mutate_main(mutate_png), reread=reread_png,
           mutated=tuple(f'maps/{image["file_name"]}' for image in IMAGES), **SCORED),
    Reader('archive', archive_seeds, mutate_archive, reread=reread_archive, mutated=('ours.npz',
                                                            'ours.json'), **SCORED),
    Reader('pickle', sample_seeds, mutate_main(mutate_pickle), reread=reread_samples,
           mutated=('samples.pkl', ), **SCORED),
    Reader('record', record_seeds, mutate_main(mutate_json), read_record_numbers, reread_record,
           tolerance=1e-9))
