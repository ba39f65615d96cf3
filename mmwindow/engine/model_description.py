"""The description of a model that its checkpoints carry: plain JSON data, never code.

It lies in ``meta['model_description']``: the model's part of the config, the pipeline of a test,
class names, the size of the input and the versions. A model is built from it only where each of its
types is one of a list of known places: mmengine would import and call any name in a ``type``, and
parts of mmcv and mmdet evaluate some of them.
"""
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmwindow.utils.config_pipelines import input_size_of
from mmwindow.utils.environment import describe_versions
from mmwindow.utils.messages import quote, shorten
from mmwindow.utils.operating_points import ModelOperatingPoints

META_KEY = 'model_description'
POINTS_KEY = 'operating_points'  # of a description; there from the first validation on
FORMAT = 'mmwindow-model'
VERSION = 1
MAX_DEPTH = 40
NAME = re.compile(r'(?:(?:mmdet|mmengine|mmcv)\.)?([A-Za-z]\w*)')
# Where the classes of a model or a test pipeline may come from.
PLACES = ('mmwindow.models', 'mmwindow.datasets.transforms', 'mmdet.models',
          'mmdet.datasets.transforms', 'mmcv.cnn', 'mmcv.ops', 'mmcv.transforms', 'mmengine.model',
          'torch.nn')
# These read files or evaluate text: trackers, language models, everything of Albumentations.
EXCLUDED = ('mmdet.models.mot', 'mmdet.models.trackers', 'mmdet.models.tracking_heads',
            'mmdet.models.task_modules.tracking', 'mmdet.models.language_models', 'mmdet.models.reid')
EXCLUDED_NAMES = {'Albu', 'LoadImageFromNDArray'}
FUNCTIONS = {'nms', 'soft_nms', 'RoIAlign', 'RoIPool'}  # of mmcv.ops, by name and not registered
DROPPED = ('init_cfg', 'pretrained')  # weights to begin with, from anywhere


@dataclass(frozen=True)
class ModelDescription:
    """What is needed to build a model for prediction.

    Attributes:
        model: The config's ``model``.
        pipeline: Of a test.
        classes: Names, in the order of the labels.
        input_size: Height and width of what the network sees, pixels; None where it is not known.
        config: Name of the config file.
        versions: Of the packages that trained it.
        operating_points: The thresholds that its validation chose; None where there was none.
    """

    model: dict[str, Any]
    pipeline: list[dict[str, Any]]
    classes: tuple[str, ...]
    input_size: tuple[int, int] | None = None
    config: str = ''
    versions: dict[str, str | None] = field(default_factory=dict)
    operating_points: ModelOperatingPoints | None = None


def describe_model(cfg: Any, classes: Any) -> dict[str, Any]:
    """Return the description of a config's model as JSON data.

    Args:
        cfg: Complete config.
        classes: Names of the classes.

    Raises:
        ValueError: The config holds what is no data, such as a function.
    """
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while dataset.get('dataset'):
        dataset = dataset['dataset']
    content = dict(
        format=FORMAT, version=VERSION, config=Path(cfg.filename or '').name,
        classes=[str(name) for name in classes or ()], input_size=input_size_of(cfg),
        model=_drop_weights(cfg.model), pipeline=list(dataset.get('pipeline') or []),
        versions=describe_versions())
    try:
        text = json.dumps(_plain(content), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f'the model cannot be described as JSON data: {shorten(str(error))}'
                         ) from error
    described: dict[str, Any] = json.loads(text)
    return described


def preprocessing_digest(pipeline: Any, data_preprocessor: Any) -> str:
    """Return a digest of what is done to an image before the network sees it.

    Args:
        pipeline: Of a test, as in a config or a description.
        data_preprocessor: Of the model, likewise.

    Returns:
        16 hexadecimal digits; '' where either is no data.
    """
    try:
        text = json.dumps(_plain([pipeline or [], data_preprocessor or {}]), sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return ''
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _drop_weights(value: Any) -> Any:
    """Return a part of a config without the weights that it would begin with."""
    if isinstance(value, Mapping):
        return {key: _drop_weights(item) for key, item in value.items() if key not in DROPPED} | (
            {'pretrained': False} if value.get('type') == 'EfficientNetLite' else {})
    return [_drop_weights(item) for item in value] if isinstance(value, list | tuple) else value


def _plain(value: Any) -> Any:
    """Return a part of a config as data: a class, as new-style configs have it, by its name."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.__name__ if isinstance(value, type) else value


def read_description(content: Any, checkpoint: object) -> ModelDescription:
    """Return the description that a checkpoint carries, checked.

    Args:
        content: Of the checkpoint.
        checkpoint: Its path, for the messages.

    Raises:
        ValueError: It has none, one of a newer format, or one that could run more than a model.
    """
    meta = content.get('meta') if isinstance(content, Mapping) else None
    described = meta.get(META_KEY) if isinstance(meta, Mapping) else None
    name = f'checkpoint {shorten(str(checkpoint))}'
    if not isinstance(described, Mapping) or described.get('format') != FORMAT:
        raise ValueError(f'{name}: it does not describe its model; give the config, too. Trainings '
                         'since mmwindow 0.2 write the description')
    if described.get('version') != VERSION:
        raise ValueError(f'{name}: its description is of format {quote(described.get("version"))}; '
                         f'this mmwindow reads {VERSION}: update mmwindow, or give the config')
    model, pipeline, classes, size = (described.get(key) for key in (
        'model', 'pipeline', 'classes', 'input_size'))
    if not isinstance(model, dict) or not isinstance(pipeline, list) or not isinstance(
            classes, list) or not classes or not all(isinstance(each, str) for each in classes):
        raise ValueError(f'{name}: its description has no model, pipeline or classes; give the '
                         'config')
    if size is not None and (not isinstance(size, list) or len(size) != 2 or not all(
            type(side) is int and 0 < side <= 1 << 16 for side in size)):
        raise ValueError(f'{name}: its input size is {quote(size)}; height and width are expected')
    try:
        check_types(dict(model=_drop_weights(model), pipeline=pipeline))
    except ValueError as error:
        raise ValueError(f'{name}: {error}') from error
    versions, points = described.get('versions'), described.get(POINTS_KEY)
    return ModelDescription(
        _drop_weights(model), pipeline, tuple(classes), None if size is None else tuple(size),
        str(described.get('config', ''))[:200], dict(versions) if isinstance(versions, dict) else {},
        None if points is None else ModelOperatingPoints.from_json(points, name))


def read_points(content: Any, checkpoint: object) -> ModelOperatingPoints | None:
    """Return the operating points that a checkpoint carries; None where it has none.

    Args:
        content: Of the checkpoint.
        checkpoint: Its path, for the messages.

    Raises:
        ValueError: They are none that a training wrote.
    """
    meta = content.get('meta') if isinstance(content, Mapping) else None
    described = meta.get(META_KEY) if isinstance(meta, Mapping) else None
    points = described.get(POINTS_KEY) if isinstance(described, Mapping) else None
    return None if points is None else ModelOperatingPoints.from_json(
        points, f'checkpoint {shorten(str(checkpoint))}')


def check_types(tree: Any, depth: int = 0) -> None:
    """Check that a description is data and that each type in it is a part of a model.

    Raises:
        ValueError: A type is none of ``PLACES``, or something is no JSON.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f'its description is nested deeper than {MAX_DEPTH}')
    if isinstance(tree, dict):
        for key, value in tree.items():
            if not isinstance(key, str):
                raise ValueError(f'its description has the key {quote(key)}; names are expected')
            if key == 'type' or key.endswith('_type') and isinstance(value, str) and '.' in value:
                check_type(value)
            check_types(value, depth + 1)
    elif isinstance(tree, list):
        for value in tree:
            check_types(value, depth + 1)
    elif tree is not None and type(tree) not in (str, int, float, bool):
        raise ValueError(f'its description holds {quote(type(tree).__name__)}; JSON data is expected')


def check_type(name: Any) -> None:
    """Check that a name in a description is a class of a model or of a pipeline.

    Raises:
        ValueError: It is not.
    """
    from mmdet.registry import MODELS, TASK_UTILS, TRANSFORMS
    match = NAME.fullmatch(name) if isinstance(name, str) else None
    if match and match[1] in FUNCTIONS:
        return
    for registry in (MODELS, TASK_UTILS, TRANSFORMS) if match else ():
        registry.import_from_location()
        level: Any = registry
        while level is not None:
            level.import_from_location()
            found = level.module_dict.get(match[1]) if match else None
            if found is not None:
                module = f'{found.__module__}.'
                if (isinstance(found, type) and match[1] not in EXCLUDED_NAMES  # type: ignore[index]
                        and module.startswith(tuple(f'{place}.' for place in PLACES))
                        and not module.startswith(tuple(f'{place}.' for place in EXCLUDED))):
                    return
            level = level.parent
    raise ValueError(f'its description names the type {quote(name, 80)}, which is no part of a model '
                     'that may be built from a checkpoint; give the config that it was trained with')
