"""Reading saved predictions of any framework, one image at a time.

Ours is ``.npz`` with ``.json`` (:mod:`~mmwindow.evaluation.files.prediction_archive`). Points and
boxes also come from CSV (:mod:`~mmwindow.evaluation.files.csv_files`), boxes from COCO's result JSON;
maps from an NPZ, a folder of NPY or PNG files; either from the pickle of mmdet's ``DumpDetResults``.
Images are recognised by id, file name or the stem of it; a name that fits two images is rejected.
"""
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mmwindow.annotations.checks import as_id, is_number
from mmwindow.evaluation.files.array_files import iterate_npz, load_npy, load_png
from mmwindow.evaluation.files.csv_files import read_csv
from mmwindow.evaluation.files.ground_truth import GroundTruth
from mmwindow.evaluation.files.image_names import ImageNames
from mmwindow.evaluation.files.prediction_archive import (
    is_description,
    iterate_archive,
    read_description,
)
from mmwindow.evaluation.files.predictions import Prediction
from mmwindow.evaluation.files.safe_pickle import load_samples
from mmwindow.evaluation.files.samples import sample_prediction
from mmwindow.utils.files import is_mac_companion, load_json
from mmwindow.utils.messages import count_words, quote, shorten

READERS = ('boxes', 'npz', 'npy', 'png', 'pickle', 'csv')
IMAGE_IDS = ('auto', 'id', 'stem')


def find_reader(path: str | Path) -> str:
    """Return which of :data:`READERS` a file or folder asks for, by suffix or content.

    Raises:
        ValueError: There is nothing, or nothing that is known, or a folder with both.
    """
    path = Path(path)
    if path.is_dir():
        found = [name for name in ('npy', 'png') if list_maps(path, name)]
        if len(found) != 1:
            raise ValueError(f'{path}: the folder holds {" and ".join(found) or "no"} files of maps; '
                             'one kind, .npy or .png, one file an image, is expected')
        return found[0]
    if not path.exists():
        raise ValueError(f'{path}: there is no such file of predictions')
    if is_description(path):
        return 'npz'
    kinds = {'.csv': 'csv', '.json': 'boxes', '.npz': 'npz', '.pkl': 'pickle', '.pickle': 'pickle'}
    if path.suffix.lower() not in kinds:
        raise ValueError(f'{path}: the suffix is {path.suffix!r}; {sorted(kinds)}, or a folder of '
                         '.npy or .png files, are expected')
    return kinds[path.suffix.lower()]


def list_maps(folder: Path, kind: str) -> list[Path]:
    """Return the files of a folder with an ending, by name."""
    return [path for path in sorted(folder.glob(f'*.{kind}')) if not is_mac_companion(path.name)]


def read_predictions(path: str | Path, truth: GroundTruth, classes: Sequence[str] | None = None,
                     image_ids: str = 'auto') -> Iterator[Prediction]:
    """Yield the predictions of a file or folder; maps are read one at a time.

    Args:
        path: What :func:`find_reader` knows.
        truth: The images they belong to.
        classes: Names that labels and maps of the file count, where the file does not say; those of
            ``truth`` if None, but a pickle of several classes must say.
        image_ids: What ``image_id`` of COCO results is: 'id' of the annotation file, 'stem' of the
            file name (Ultralytics writes its number), or 'auto': what fits.

    Yields:
        Prediction

    Raises:
        ValueError: A file cannot be read, holds nothing, or names an image that is unknown or
            could be two.
    """
    path = Path(path)
    if image_ids not in IMAGE_IDS:
        raise ValueError(f'image_ids is {image_ids!r}; it must be one of {IMAGE_IDS}')
    kind = find_reader(path)
    if kind == 'npz':
        path = archive_path(path)
    if kind in ('boxes', 'csv'):
        if classes is not None:
            raise ValueError(
                f'{path}: {"COCO results name" if kind == "boxes" else "a CSV names"} the classes by '
                f'{"category_id" if kind == "boxes" else "its column class"}; leave the classes out '
                '(--classes)')
        return read_csv(path, truth) if kind == 'csv' else read_boxes(path, truth, image_ids)
    reader = dict(npz=read_npz, npy=read_folder, png=read_folder, pickle=read_samples)[kind]
    return reader(path, truth, classes)


def archive_path(path: Path) -> Path:
    """Return the NPZ of predictions that are named by it or by the description next to it.

    Raises:
        ValueError: The description stands alone.
    """
    archive = path if path.suffix.lower() == '.npz' else path.with_suffix('.npz')
    if not archive.is_file() and path != archive:
        raise ValueError(f'{path}: {archive.name} with its maps or boxes is not next to it, and '
                         'findings at one threshold give no curve; predict without --no-maps, or '
                         'copy both files')
    return archive


def read_boxes(path: Path, truth: GroundTruth, image_ids: str = 'auto') -> Iterator[Prediction]:
    """Yield the boxes of COCO's result JSON: ``image_id, category_id, bbox [x, y, w, h], score``.

    Where a result has a ``file_name``, that names the image.
    """
    entries = load_json(path, 'prediction file')
    if not isinstance(entries, list):
        raise ValueError(f'{path}: a list of results is expected (COCO: image_id, category_id, bbox, '
                         f'score), not a {type(entries).__name__}')
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or {'image_id', 'category_id', 'bbox', 'score'} - set(entry):
            raise ValueError(f'{path}: result {index} is {shorten(entry)}; image_id, category_id, '
                             'bbox and score are expected')
    names = ImageNames(truth.targets, path)
    matches = names.match_ids({as_id(entry['image_id']) for entry in entries
                               if entry.get('file_name') is None}, image_ids)
    rows: dict[Any, list[tuple[float, ...]]] = {}
    for index, entry in enumerate(entries):
        where, key = f'{path}: result {index}', as_id(entry['image_id'])
        file_name = entry.get('file_name')  # null: not said
        if file_name is not None and not isinstance(file_name, str):
            raise ValueError(f'{where} has the file_name {quote(file_name)}; a name is expected')
        if file_name is not None:
            image_id = names.find_checked(key, file_name)
        elif key is None or key not in matches:
            raise ValueError(f'{where} is of image {quote(entry["image_id"])}, which is not in '
                             f'{truth.path}; are these predictions of another set?')
        else:
            image_id = matches[key]
        category = as_id(entry['category_id'])
        if category is None or category not in truth.category_labels:
            raise ValueError(f'{where} has category {quote(entry["category_id"])}; {truth.path} has '
                             f'{list(truth.category_labels)}')
        numbers = [*entry['bbox'], entry['score']] if isinstance(entry['bbox'], list) else []
        if len(numbers) != 5 or not all(map(is_number, numbers)):
            raise ValueError(f'{where} has the bbox {shorten(entry["bbox"])} and score '
                             f'{shorten(entry["score"])}; [x, y, width, height] and a number are '
                             'expected')
        rows.setdefault(image_id, []).append((*numbers, truth.category_labels[category]))
    for image_id, values in rows.items():
        table = np.array(values, dtype=np.float64)
        boxes = np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], axis=1)
        yield Prediction(image_id, boxes=boxes, scores=table[:, 4], labels=table[:, 5].astype(int))


def read_npz(path: Path, truth: GroundTruth, classes: Sequence[str] | None = None
             ) -> Iterator[Prediction]:
    """Yield the predictions of an NPZ of ours, or the maps ``(n, m)`` or ``(C, n, m)`` of any."""
    names, content = ImageNames(truth.targets, path), read_description(path)
    if content is None:
        for key, maps in iterate_npz(path):
            yield Prediction(names.find(key), maps=maps, classes=classes)
        return
    for image, prediction in iterate_archive(path, content):
        yield _with_id(prediction, names.find_checked(prediction.image_id, image.get('file_name')))


def read_folder(path: Path, truth: GroundTruth, classes: Sequence[str] | None = None
                ) -> Iterator[Prediction]:
    """Yield the maps of a folder of NPY or PNG files, one file an image."""
    names, kind = ImageNames(truth.targets, path), find_reader(path)
    for file in list_maps(path, kind):
        yield Prediction(names.find(file.stem), classes=classes,
                         maps=load_npy(file) if kind == 'npy' else load_png(file))


def read_samples(path: Path, truth: GroundTruth, classes: Sequence[str] | None = None
                 ) -> Iterator[Prediction]:
    """Yield the predictions of mmdet's ``DumpDetResults``: the map where there is one, else boxes.

    Arrays keep their type, so that scores of low precision are rejected where they are read.
    """
    names = ImageNames(truth.targets, path)
    samples = load_samples(path)
    if samples and classes is None and len(truth.classes) > 1:
        raise ValueError(
            f'{path}: a pickle does not say in which order its '
            f'{count_words(len(truth.classes), "class is", "classes are")}; '
            'write an .npz with tools/test.py --out, or name them in the order of the config '
            '(--classes)')
    for index, sample in enumerate(samples):
        if not isinstance(sample, dict) or 'img_id' not in sample:
            raise ValueError(f'{path}: sample {index} has no img_id; write the file again with '
                             'tools/test.py --out')
        img_path = sample.get('img_path')
        try:
            prediction = sample_prediction({'ori_shape': (None, None), **sample}, classes)
            image_id = names.find_checked(
                sample['img_id'], None if img_path is None else str(img_path), must_know=False)
        except Exception as error:  # of any object that a pickle can hold
            raise ValueError(f'{path}: sample {index} (image {quote(sample["img_id"], 60)}): '
                             f'{shorten(str(error).removeprefix(f"{path}: "), 400)}') from error
        yield _with_id(prediction, image_id)


def _with_id(prediction: Prediction, image_id: Any) -> Prediction:
    return replace(prediction, image_id=image_id)
