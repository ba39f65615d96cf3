"""Reading saved predictions of any framework, one image at a time.

Boxes come from COCO's result JSON; maps from an NPZ, a folder of NPY or PNG files; either from
the pickle that ``tools/test.py --out`` writes. Images are recognised by id, file name or the
stem of it; a name that fits two images is refused.
"""
import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from mmwindow.annotations.checks import is_id, is_number
from mmwindow.evaluation.files.predictions import Prediction
from mmwindow.evaluation.files.safe_pickle import load_samples
from mmwindow.utils.files import load_json

READERS = ('boxes', 'npz', 'npy', 'png', 'pickle')


def find_reader(path):
    """Return which of :data:`READERS` a file or folder asks for, by suffix or content.

    Raises:
        ValueError: There is nothing, or nothing that is known, or a folder with both.
    """
    path = Path(path)
    if path.is_dir():
        found = [name for name in ('npy', 'png') if any(path.glob(f'*.{name}'))]
        if len(found) != 1:
            raise ValueError(f'{path}: the folder holds {" and ".join(found) or "no"} files of maps; '
                             'one kind, .npy or .png, one file an image, is expected')
        return found[0]
    if not path.exists():
        raise ValueError(f'{path}: there is no such file of predictions')
    kinds = {'.json': 'boxes', '.npz': 'npz', '.pkl': 'pickle', '.pickle': 'pickle'}
    if path.suffix.lower() not in kinds:
        raise ValueError(f'{path}: the suffix is {path.suffix!r}; {sorted(kinds)}, or a folder of '
                         '.npy or .png files, are expected')
    return kinds[path.suffix.lower()]


def read_predictions(path, truth):
    """Yield the predictions of a file or folder; maps are read one at a time.

    Args:
        path (str | Path): What :func:`find_reader` knows.
        truth (GroundTruth): The images they belong to.

    Yields:
        Prediction

    Raises:
        ValueError: A file cannot be read, holds nothing, or names an image that is unknown or
            could be two.
    """
    path = Path(path)
    reader = dict(boxes=read_boxes, npz=read_npz, npy=read_folder, png=read_folder,
                  pickle=read_samples)[find_reader(path)]
    return reader(path, truth)


class ImageNames:
    """Find the image that a key means: its id, file name, or the stem of it.

    Args:
        targets (Sequence[Target]): The images.
        path (Path): Of the predictions, for messages.
    """

    def __init__(self, targets, path):
        self.path = path
        self.by_key = {}
        for target in targets:
            name = Path(target.fields.get('file_name', ''))
            for key in {str(target.image_id), str(name), name.name, name.stem} - {'', '.'}:
                self.by_key.setdefault(key, set()).add(target.image_id)

    def find(self, key):
        """Return the id of the image.

        Raises:
            ValueError: No image, or several, are meant.
        """
        found = self.by_key.get(str(key), set())
        if len(found) != 1:
            known = ', '.join(sorted(self.by_key)[:4])
            raise ValueError(
                f'{self.path}: {key!r} means '
                + (f'the images {sorted(found, key=str)} alike' if found else 'no image of the '
                   f'annotation file ({known}, ...)')
                + '; maps are named by image id, file name or its stem')
        return next(iter(found))


def read_boxes(path, truth):
    """Yield the boxes of COCO's result JSON: ``image_id, category_id, bbox [x, y, w, h], score``."""
    entries = load_json(path, 'prediction file')
    if not isinstance(entries, list):
        raise ValueError(f'{path}: a list of results is expected (COCO: image_id, category_id, bbox, '
                         f'score), not a {type(entries).__name__}')
    known = {target.image_id for target in truth.targets}
    rows = {}
    for index, entry in enumerate(entries):
        where = f'{path}: result {index}'
        if not isinstance(entry, dict) or {'image_id', 'category_id', 'bbox', 'score'} - set(entry):
            raise ValueError(f'{where} is {str(entry)[:100]}; image_id, category_id, bbox and score '
                             'are expected')
        if not is_id(entry['image_id']) or entry['image_id'] not in known:
            raise ValueError(f'{where} is of image {entry["image_id"]!r}, which is not in '
                             f'{truth.path}; are these predictions of another set?')
        if (not is_id(entry['category_id'])
                or entry['category_id'] not in truth.category_labels):
            raise ValueError(f'{where} has category {entry["category_id"]!r}; {truth.path} has '
                             f'{list(truth.category_labels)}')
        numbers = [*entry['bbox'], entry['score']] if isinstance(entry['bbox'], list) else []
        if len(numbers) != 5 or not all(map(is_number, numbers)):
            raise ValueError(f'{where} has the bbox {entry["bbox"]} and score {entry["score"]}; '
                             '[x, y, width, height] and a number are expected')
        rows.setdefault(entry['image_id'], []).append(
            (*numbers, truth.category_labels[entry['category_id']]))
    for image_id, values in rows.items():
        values = np.array(values, dtype=np.float64)
        boxes = np.concatenate([values[:, :2], values[:, :2] + values[:, 2:4]], axis=1)
        yield Prediction(image_id, boxes=boxes, scores=values[:, 4], labels=values[:, 5].astype(int))


def read_npz(path, truth):
    """Yield the maps of an NPZ, ``(n, m)`` or ``(C, n, m)`` each."""
    names = ImageNames(truth.targets, path)
    for key, maps in _load_archive(path):
        yield Prediction(names.find(key), maps=maps)


def read_folder(path, truth):
    """Yield the maps of a folder of NPY or PNG files, one file an image."""
    names = ImageNames(truth.targets, path)
    reader = dict(npy=_load_npy, png=load_png)[find_reader(path)]
    for file in sorted(path.glob(f'*.{find_reader(path)}')):
        yield Prediction(names.find(file.stem), maps=reader(file))


def load_png(path):
    """Return a grey PNG of 8 or 16 bits as float32 scores in [0, 1].

    Equal grey values are equal scores, and enter together: 8 bits have at most 256 thresholds.
    """
    from PIL import Image

    try:
        with Image.open(path) as img:
            mode, values = img.mode, np.asarray(img)
    except (OSError, SyntaxError) as error:
        raise ValueError(f'{path}: the map cannot be read ({error}); write it again') from error
    if mode not in ('L', 'I;16', 'I;16B', 'I'):
        raise ValueError(f'{path}: the map is a PNG of mode {mode}; one grey channel of 8 or 16 bits '
                         'is expected (a coloured heat map is a picture, not scores)')
    return values.astype(np.float32) / (255 if mode == 'L' else 65535)


def read_samples(path, truth):
    """Yield the predictions of ``tools/test.py --out``: the map where there is one, else boxes.

    Arrays keep their type, so that scores of low precision are refused where they are read.
    """
    names = ImageNames(truth.targets, path)
    for index, sample in enumerate(load_samples(path)):
        if not isinstance(sample, dict) or 'img_id' not in sample:
            raise ValueError(f'{path}: sample {index} has no img_id; write the file again with '
                             'tools/test.py --out')
        image_id = names.find(sample['img_id'])
        where = f'{path}: sample {index} (image {image_id!r})'
        height, width = (sample.get('ori_shape') or (None, None))[:2]
        common = dict(height=height, width=width)
        if sample.get('image_score') is not None:
            common['image_scores'] = _scores_of(sample, 'image_score', where).reshape(-1)
        if sample.get('pred_heatmap') is not None:
            yield Prediction(image_id, maps=_scores_of(sample['pred_heatmap'], 'scores', where),
                             **common)
        elif sample.get('pred_instances') is not None:
            instances = sample['pred_instances']
            boxes, labels = (_entry(instances, key, where) for key in ('bboxes', 'labels'))
            yield Prediction(image_id, boxes=_to_numpy(boxes).reshape(-1, 4),
                             scores=_scores_of(instances, 'scores', where),
                             labels=_to_numpy(labels), **common)
        else:
            raise ValueError(f'{path}: sample {index} has neither pred_heatmap nor pred_instances')


def _load_archive(path):
    """Yield name and array of each entry of an NPZ, one at a time."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            for key in archive.files:
                yield key, archive[key]
    # numpy says ValueError to what is no archive at all, and to arrays of objects.
    except (OSError, EOFError, BadZipFile, zlib.error, ValueError) as error:
        raise ValueError(f'{path}: no NPZ of plain arrays, or cut short ({error}); write it again '
                         'with numpy.savez') from error


def _load_npy(path):
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(f'{path}: the map cannot be read ({error}); write it again') from error


def _entry(content, key, where):
    """Return an entry of what a sample holds."""
    if not isinstance(content, dict) or key not in content:
        raise ValueError(f'{where} has no {key} in {str(content)[:80]}; write the file again with '
                         'tools/test.py --out')
    return content[key]


def _scores_of(content, key, where):
    """Return scores as an array; float16 and bfloat16 are refused.

    Made float32, the ties of a sigmoid that was computed in float16 would look honest.
    """
    value = _entry(content, key, where)
    dtype = str(getattr(value, 'dtype', ''))
    if dtype.endswith('float16'):
        raise ValueError(f'{where}: {key} are of type {dtype}; float32 or float64 is expected. '
                         'Compute the sigmoid outside autocast and write the file again')
    return _to_numpy(value)


def _to_numpy(value):
    """Return a tensor or an array as an array; float16 and bfloat16 become float32."""
    if hasattr(value, 'detach'):
        value = value.detach()
        value = value.float().numpy() if value.is_floating_point() else value.numpy()
    value = np.asarray(value)
    return value.astype(np.float32) if value.dtype == np.float16 else value
