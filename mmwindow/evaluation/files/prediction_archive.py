"""Our own file of predictions: ``FILE.npz`` with the arrays, ``FILE.json`` with what they are.

The JSON names classes, images and settings; the NPZ holds the same text as ``description``, so that
two files of different tests are never read together. Format: docs/evaluation.md.
"""
import contextlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.files.array_files import iterate_npz
from mmwindow.evaluation.files.predictions import Prediction
from mmwindow.evaluation.files.record_images import plain
from mmwindow.utils.files import atomic_file, check_head, check_ordinary_file, parse_json, write_text
from mmwindow.utils.messages import shorten

FORMAT = 'mmwindow-predictions'
VERSION = 1
FINDINGS_FORMAT = 'mmwindow-findings'  # findings at one threshold, which give no curve
DESCRIPTION = 'description'
BOX_ARRAYS = ('boxes', 'scores', 'labels')


class PredictionWriter:
    """Write predictions one by one: a map is in the file, and no longer in memory, once it is added.

    Args:
        path: The ``.npz``; a ``.json`` of the same name goes next to it.
        classes: Names that labels and maps count.
        settings: Plain data to keep, such as the config and the checkpoint.

    Nothing is left of files that are not finished. To be used as a context manager.

    Raises:
        ValueError: The suffix is not ``.npz``.
    """

    def __init__(self, path: str | Path, classes: Sequence[str],
                 settings: Mapping[str, Any] | None = None) -> None:
        self.path = Path(path)
        if self.path.suffix != '.npz':
            raise ValueError(f'{path}: the suffix is {self.path.suffix!r}; our predictions are an '
                             '.npz')
        self.classes, self.settings = list(classes), dict(settings or {})
        self.images: list[dict[str, Any]] = []
        self._boxes: dict[str, list[NDArray[Any]]] = {name: [] for name in BOX_ARRAYS}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> 'PredictionWriter':
        part = self._stack.enter_context(atomic_file(self.path))
        self._archive = self._stack.enter_context(zipfile.ZipFile(part, 'w', zipfile.ZIP_STORED))
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is not None:
            self._stack.__exit__(kind, error, traceback)
            return
        with self._stack:  # renames the file at its end
            for name in BOX_ARRAYS if self._boxes['boxes'] else ():
                self._write(name, np.concatenate(self._boxes[name]))
            text = json.dumps(plain(dict(
                format=FORMAT, version=VERSION, classes=self.classes, versions=writer_versions(),
                frame='maps cover what the network sees: the image scaled to fit, at the top left',
                settings=self.settings, images=self.images)), allow_nan=False, indent=1)
            self._write(DESCRIPTION, np.frombuffer(text.encode(), np.uint8))
        write_text(self.path.with_suffix('.json'), text)

    def _write(self, name: str, values: NDArray[Any]) -> None:
        with self._archive.open(f'{name}.npy', 'w', force_zip64=True) as stream:
            np.lib.format.write_array(stream, np.asanyarray(values), allow_pickle=False)

    def add(self, prediction: Prediction, file_name: str | None = None, **more: Any) -> None:
        """Write the prediction of an image.

        Args:
            prediction: With its map ``(C, n, m)`` over the frame or boxes, and the image's size.
            file_name: Of the image, where it is known.
            **more: Plain data to keep with the image.

        Raises:
            ValueError: It has neither maps nor boxes.
        """
        image: dict[str, Any] = dict(image_id=prediction.image_id, height=prediction.height,
                                     width=prediction.width)
        if file_name is not None:
            image['file_name'] = file_name
        if prediction.image_scores is not None:
            image['image_scores'] = np.asarray(prediction.image_scores, np.float64)
        if prediction.maps is not None:
            image['map'] = f'map_{len(self.images):07}'
            self._write(image['map'], np.asarray(prediction.maps))
        elif prediction.boxes is not None:
            image['num_boxes'] = len(np.asarray(prediction.boxes).reshape(-1, 4))
            for name, rows in self._boxes.items():
                values = np.asarray(getattr(prediction, name))
                rows.append(values.reshape(-1, 4) if name == 'boxes' else values.reshape(-1))
        else:
            raise ValueError(f'{self.path}: image {prediction.image_id!r} has neither maps nor boxes')
        self.images.append(plain({**image, **more}))


def writer_versions() -> dict[str, str]:
    """Return the versions of what writes predictions; scipy is none of it."""
    import platform

    import mmwindow
    return dict(mmwindow=mmwindow.__version__, python=platform.python_version(), numpy=np.__version__)


def write_predictions(path: str | Path, predictions: Iterable[Prediction], classes: Sequence[str],
                      file_names: Sequence[str] | None = None,
                      settings: Mapping[str, Any] | None = None) -> Path:
    """Write predictions atomically: the NPZ first, then the JSON next to it.

    Args:
        path: The ``.npz``.
        predictions: One per image; maps ``(C, n, m)`` over the frame or boxes, with image sizes.
        classes: Names that labels and maps count.
        file_names: Of the images, where they are known.
        settings: Plain data to keep, such as the config and the checkpoint.

    Returns:
        Path: Of the NPZ.

    Raises:
        ValueError: The suffix is not ``.npz``, or a prediction has neither maps nor boxes.
    """
    with PredictionWriter(path, classes, settings) as writer:
        for number, prediction in enumerate(predictions):
            writer.add(prediction, None if file_names is None else file_names[number])
    return Path(path)


def is_description(path: str | Path) -> bool:
    """Tell by its first bytes whether a JSON file describes predictions or findings of ours."""
    path = Path(path)
    if path.suffix.lower() != '.json' or not path.is_file():
        return False
    with open(path, 'rb') as stream:
        head = stream.read(200)
    return any(f'"{name}"'.encode() in head for name in (FORMAT, FINDINGS_FORMAT))


def read_description(path: str | Path) -> dict[str, Any] | None:
    """Return what an NPZ of ours says of its arrays; None for an NPZ of anyone else.

    Raises:
        ValueError: It cannot be read, is of a newer format, or not of one test with its JSON.
    """
    path = Path(path)
    check_ordinary_file(path, 'NPZ file')
    try:
        text = next(iterate_npz(path, [DESCRIPTION]))[1].tobytes()
    except ValueError as error:
        if 'there is no entry' in str(error):
            return None
        raise
    copy = path.with_suffix('.json')
    if copy.exists() and (not copy.is_file() or copy.read_bytes() != text):
        raise ValueError(f'{shorten(str(copy))}: not the description that {path.name} was written '
                         'with; the two belong to different tests')
    what = 'description of predictions'
    content = check_head(parse_json(text, str(path), what), str(path), what, FORMAT, VERSION,
                         'tools/test.py --out')
    if not isinstance(content.get('classes'), list) or not isinstance(content.get('images'), list):
        raise ValueError(f'{path}: its description has no lists "classes" and "images"; write the '
                         'file again')
    return content


def iterate_archive(path: str | Path, content: Mapping[str, Any]
                    ) -> Iterator[tuple[dict[str, Any], Prediction]]:
    """Yield the description of each image and its prediction; maps are read one at a time.

    Args:
        path: The ``.npz``.
        content: From :func:`read_description`.

    Raises:
        ValueError: An entry is missing or does not fit the others.
    """
    path, images, classes = Path(path), content['images'], tuple(map(str, content['classes']))
    for image in images:
        if not isinstance(image, dict) or 'image_id' not in image or (
                isinstance(image.get('map'), str) == isinstance(image.get('num_boxes'), int)):
            raise ValueError(f'{path}: image {shorten(image)} needs an image_id and either a map or '
                             'num_boxes')
    with_maps = [image for image in images if 'map' in image]
    with_boxes = [image for image in images if 'map' not in image]

    def pack(image: dict[str, Any], **arrays: Any) -> tuple[dict[str, Any], Prediction]:
        return image, Prediction(
            image['image_id'], image_scores=image.get('image_scores'), height=image.get('height'),
            width=image.get('width'), classes=classes, **arrays)

    maps = iterate_npz(path, [image['map'] for image in with_maps])
    for image, (_, values) in zip(with_maps, maps, strict=True):
        yield pack(image, maps=values)
    if not with_boxes:
        return
    arrays = dict(iterate_npz(path, list(BOX_ARRAYS)))
    for name in ('scores', 'labels'):
        if arrays[name].ndim != 1:
            raise ValueError(f'{path}: the array {name} has the shape {arrays[name].shape}; one '
                             'number a box is expected')
    ends = np.cumsum([max(image['num_boxes'], 0) for image in with_boxes])
    if any(len(values) != ends[-1] for values in arrays.values()):
        raise ValueError(f'{path}: the images have {ends[-1]} boxes, the arrays '
                         f'{[len(values) for values in arrays.values()]}')
    for image, end in zip(with_boxes, ends, strict=True):
        rows = slice(end - image['num_boxes'], end)
        yield pack(image, **{name: values[rows] for name, values in arrays.items()})
