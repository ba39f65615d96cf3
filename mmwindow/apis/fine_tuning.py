"""Training from the weights of another training (``--from``), of other classes if need be."""
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmwindow.annotations.point_file import read_point_file
from mmwindow.apis.config import load_config
from mmwindow.apis.config_parts import annotation_files
from mmwindow.apis.model_places import find_model
from mmwindow.apis.package_configs import find_package_config
from mmwindow.apis.runner import quiet_mmengine
from mmwindow.apis.untrained_model import build_untrained
from mmwindow.datasets.folds import file_checksum
from mmwindow.engine.checkpoint import load_own_checkpoint
from mmwindow.engine.model_description import META_KEY, read_description
from mmwindow.engine.weights import compare_weights, state_dict_of
from mmwindow.utils.config_pipelines import input_size_of
from mmwindow.utils.files import atomic_file
from mmwindow.utils.messages import shorten

OF_DATA = re.compile(r'_(synthetic|fracatlas)$')  # ending of a config for a data set of its own
MAX_LAYERS = 6


@dataclass(frozen=True)
class StartingWeights:
    """Weights that a training begins with.

    Attributes:
        path: The file, in the work dir.
        new_layers: Names of the weights that are initialised instead.
        lines: What is loaded and what is not, and how images were prepared there; for the screen.
    """

    path: Path
    new_layers: tuple[str, ...]
    lines: list[str]


def find_source(checkpoint: str | Path) -> Path:
    """Return the checkpoint that ``--from`` names: a file, the best of a run's folder, or the zoo's.

    Raises:
        ValueError: There is none.
    """
    return Path(find_model(checkpoint, needs_weights=True, option='--from').weights)


def find_trained_config(path: Path) -> str | None:
    """Return the config of ours, for own data, that a checkpoint was trained with; None of others."""
    meta = load_own_checkpoint(path).get('meta')
    described = meta.get(META_KEY) if isinstance(meta, Mapping) else None
    name = described.get('config') if isinstance(described, Mapping) else None
    if not isinstance(name, str):
        return None
    stem = OF_DATA.sub('', Path(name).stem)
    return find_package_config(f'{stem}.py')


def fine_tuning_options(config: str | Path, checkpoint: str | Path,
                        work_dir: str | Path | None = None,
                        cfg_options: Mapping[str, Any] | None = None
                        ) -> tuple[dict[str, Any], list[str]]:
    """Return the overrides with which a config begins from a checkpoint, and what to say.

    Args:
        config: The config file.
        checkpoint: A file or a run's folder.
        work_dir: As in :func:`~mmwindow.apis.train.train`; receives the weights.
        cfg_options: Other overrides.

    Raises:
        ValueError: As :func:`prepare_fine_tuning`.
    """
    with quiet_mmengine():
        cfg = load_config(config, work_dir, cfg_options)
    classes = read_point_file(annotation_files(cfg, 'train'), readers='all').classes
    weights = prepare_fine_tuning(cfg, find_source(checkpoint), classes, Path(cfg.work_dir))
    return {**(cfg_options or {}), 'load_from': str(weights.path)}, weights.lines


def prepare_fine_tuning(cfg: Config, checkpoint: Path, classes: Sequence[str], folder: Path,
                        model: Mapping[str, Any] | None = None) -> StartingWeights:
    """Check that a checkpoint is of a config's model, and write the weights to begin with.

    Everything must fit but the layers of class scores. Where the classes, their order included, are
    the checkpoint's, these are kept; else they are left out, so that they are initialised.

    Args:
        cfg: Complete config of the training; is not changed.
        checkpoint: Its file.
        classes: Of the data.
        folder: Receives ``start_<digest>.pth``.
        model: Part of the model that differs from the config's.

    Raises:
        ValueError: The checkpoint cannot be read, or is of another model.
    """
    content = load_own_checkpoint(checkpoint)
    weights = state_dict_of(content)
    cfg = Config(cfg._cfg_dict.to_dict(), filename=cfg.filename)
    cfg.merge_from_dict({'model': dict(model or {})})
    built = build_untrained(cfg, len(classes))
    scores = class_layers(cfg, len(classes))
    theirs = ((content.get('meta') or {}).get('dataset_meta') or {}).get('classes')
    same = theirs is not None and tuple(theirs) == tuple(classes)
    left_out = () if same else tuple(name for name in weights if name in scores)
    kept = {name: value for name, value in weights.items() if name not in left_out}
    difference = compare_weights(built, kept)
    others = [name for name in difference.missing if name not in scores]
    if others or difference.mismatched or difference.unexpected or not difference.num_equal:
        raise ValueError(f'--from {shorten(str(checkpoint))}: it is of another model than the config '
                         f'({Path(cfg.filename or cfg.model.type).name}): '
                         f'{compare_weights(built, weights).describe()}. Only the layers of class '
                         'scores may differ: give the CONFIG that it was trained with')
    path = folder / f'start_{file_checksum(checkpoint)[:12]}{"_scores" * bool(left_out)}.pth'
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as part:
            torch.save(dict(state_dict=kept, meta=dict(started_from=checkpoint.name)), part)
    return StartingWeights(path, left_out, [
        _describe_start(checkpoint, kept, left_out, theirs, classes),
        *describe_preparation(cfg, content, checkpoint)])


def class_layers(cfg: Config, num_classes: int) -> set[str]:
    """Return the names of the weights whose shape depends on the number of classes."""
    shapes = [{name: value.shape for name, value in build_untrained(cfg, number).state_dict().items()}
              for number in (num_classes, num_classes + 1)]
    return {name for name, shape in shapes[0].items() if shapes[1].get(name) != shape}


def _describe_start(checkpoint: Path, kept: Mapping[str, Any], left_out: Sequence[str], theirs: Any,
                    classes: Sequence[str]) -> str:
    start = f'begins with {len(kept)} weights of {checkpoint}'
    if not left_out:
        return f'{start}, class scores included: its classes are the same'
    names = ', '.join(left_out[:MAX_LAYERS]) + ', ..' * (len(left_out) > MAX_LAYERS)
    known = f'its classes are {shorten(", ".join(map(str, theirs)), 80)}' if theirs else (
        'it does not say its classes')
    return (f'{start}; initialised, as {known} and these data have '
            f'{shorten(", ".join(classes), 80)}: {names}')


def describe_preparation(cfg: Config, content: Any, checkpoint: Path) -> list[str]:
    """Return a line on how a checkpoint's images were prepared differently; none where they were not.

    Args:
        cfg: Complete.
        content: Of the checkpoint.
        checkpoint: Its path.
    """
    try:
        described = read_description(content, checkpoint)
    except ValueError:
        return ['the checkpoint does not say how its images were prepared: size and intensities may '
                'differ']
    differences = []
    size = input_size_of(cfg)
    if described.input_size and size and tuple(described.input_size) != tuple(size):
        differences.append('input {} x {}, here {} x {}'.format(*described.input_size, *size))
    ours = cfg.model.to_dict().get('data_preprocessor') or {}
    theirs = described.model.get('data_preprocessor') or {}
    differences += [f'{key} {shorten(_plain(theirs.get(key)), 60)}, here '
                    f'{shorten(_plain(ours.get(key)), 60)}'
                    for key in ('mean', 'std', 'bgr_to_rgb')
                    if _plain(theirs.get(key)) != _plain(ours.get(key))]
    steps = dict(_load_settings(described.pipeline))
    here = dict(_load_settings(_test_pipeline(cfg)))
    differences += [f'{key} {steps.get(key)}, here {here.get(key)}'
                    for key in sorted({*steps, *here}) if steps.get(key) != here.get(key)]
    return [f'the checkpoint saw its images otherwise: {"; ".join(differences)}'] * bool(differences)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value


def _test_pipeline(cfg: Config) -> list[Any]:
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while dataset.get('dataset'):
        dataset = dataset['dataset']
    return list(dataset.get('pipeline') or [])


def _load_settings(pipeline: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the settings of the step that reads images, without the defaults."""
    for step in pipeline:
        if str(step.get('type')).rpartition('.')[2] == 'LoadImageFromFile':
            for key, value in (step.get('backend_args') or {}).items():
                if value is not None and key not in ('backend', 'cache', 'cache_dir'):
                    yield key, value
