"""Reading a config and applying what the command line asks for."""
import inspect
import logging
import re
import warnings
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import Runner

from mmwindow.apis.box_fitting import fit_boxes
from mmwindow.apis.config_bases import check_bases
from mmwindow.utils.config_pipelines import (
    SETTINGS,
    SWITCHES,
    find_datasets,
    find_steps,
    input_size_of,
)
from mmwindow.utils.files import check_ordinary_file
from mmwindow.utils.messages import shorten

# Keys of version 0.1, and the settings they are now. Goes with version 0.3.
OLD_KEYS = {'input_side': 'input_size', 'window': 'window'}
OLD_KEY = re.compile(r'(?:train|val|test)_dataloader\.dataset\.(input_side|window)(\..+)?')
# Read by mmengine or mmdet besides the arguments of the runner.
ALSO_READ = {
    'activation_checkpointing', 'compile', 'cudnn_benchmark', 'custom_imports',
    'efficient_conv_bn_eval', 'find_unused_parameters', 'model_wrapper_cfg', 'runner_type', 'sync_bn',
    'tta_model', 'tta_pipeline'}
# mmengine's note on a variable of the environment that a config reads; one command reads its configs
# many times.
NOTE_ON_VARIABLE = 'Using env variable'
_notes_said: set[str] = set()


def check_options(options: Mapping[str, Any]) -> None:
    """Reject overrides of what nobody reads.

    By the time options are merged, the variables of a config file have been copied to where they are
    used: with ``channels=32`` a training would keep the file's channels without a word.

    Args:
        options: Overrides, keys dotted as in mmengine.

    Raises:
        ValueError: Such a key is among them.
    """
    short = (*SETTINGS, *SWITCHES)
    read = {*inspect.signature(Runner).parameters, *ALSO_READ, *short, 'pipeline', 'dataset'}
    for key in options:
        name = key.partition('.')[0]
        if name not in read:
            raise ValueError(
                f'--cfg-options {key}: nothing reads {name} after the config file, so that nothing '
                f'would change; set {", ".join(short)}, pipeline.<type>.<argument> or '
                'dataset.<argument> (both in training, validation and test), the full key of another '
                'place, or write a config of a few lines (docs/configs.md)')


def rename_old_keys(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return overrides with the keys of version 0.1 under their new names, with a warning.

    Raises:
        ValueError: They give one setting two values.
    """
    renamed: dict[str, Any] = {}
    for key, value in options.items():
        match = OLD_KEY.fullmatch(key)
        if match:
            new = OLD_KEYS[match[1]] + (match[2] or '')
            warnings.warn(f'--cfg-options {key} is now {new}, for training, validation and test; '
                          'the old key goes with version 0.3', FutureWarning, stacklevel=3)
            if new in renamed and renamed[new] != value:
                raise ValueError(f'--cfg-options {key}={value}: {new} is {renamed[new]} already; it '
                                 'is one setting of training, validation and test')
            key = new
        renamed[key] = value
    return renamed


def expand_options(cfg: Config, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return overrides with the full key of every place.

    Three kinds of short keys are replaced: those of ``SETTINGS`` in ``utils.config_pipelines``;
    ``pipeline.PointsToPseudoBoxes.size``, an argument of a transform in every pipeline where it
    occurs; and ``dataset.data_root``, an argument of every data set. An item of a list in a full key
    may be named by its type, which stays right when another item is put before it.

    Args:
        cfg: Complete config.
        options: Overrides, keys dotted.

    Raises:
        ValueError: No place is found, or a list has several items of the type that a key names.
    """
    expanded: dict[str, Any] = {}
    for key, value in options.items():
        name, _, rest = key.partition('.')
        place = '.'.join(filter(None, (SETTINGS.get(name, name), rest)))
        if place.partition('.')[0] not in ('pipeline', 'dataset'):
            expanded.update(find_list_items(cfg, {key: value}))
            continue
        found = list(_full_keys(cfg, place))
        if not found:
            raise ValueError(f'--cfg-options {key}: no pipeline or data set of the config has '
                             f'{place.rpartition(".")[0] or place}')
        for full in found:
            items = value.items() if isinstance(value, Mapping) and name == 'window' else None
            expanded.update({f'{full}.{part}': item for part, item in items} if items else
                            {full: value})
    return expanded


def _full_keys(cfg: Config, place: str) -> Iterator[str]:
    """Yield the full keys of ``pipeline.<type>.<rest>`` or ``dataset.<rest>``."""
    kind, _, rest = place.partition('.')
    if kind == 'dataset':
        yield from (f'{key}.{rest}' for key, _ in find_datasets(cfg))
        return
    name, _, rest = rest.partition('.')
    yield from ('.'.join(filter(None, (key, rest))) for key, _ in find_steps(cfg, name))


def find_list_items(cfg: Config, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return overrides with each item of a list named by its index.

    ``train_dataloader.dataset.pipeline.PointsToPseudoBoxes.size`` reads better than with an index in
    place of the type, and stays right when a transform is put before it.

    Args:
        cfg: Complete config.
        options: Overrides, keys dotted.

    Raises:
        ValueError: A list has no item, or several items, of a type that a key names.
    """
    indexed = {}
    for key, value in options.items():
        parts, place = key.split('.'), cfg.to_dict()
        for index, part in enumerate(parts):
            if isinstance(place, (list, tuple)) and not part.isdigit():
                types = [item.get('type') if isinstance(item, dict) else None for item in place]
                if types.count(part) != 1:
                    raise ValueError(
                        f'--cfg-options {key}: {".".join(parts[:index])} has {types.count(part)} '
                        f'items of type {part}; its types are {", ".join(map(str, types))}: name one '
                        'of them, or an item by its index')
                parts[index] = part = str(types.index(part))
            if isinstance(place, (list, tuple)):
                place = place[int(part)] if int(part) < len(place) else None
            else:
                place = place.get(part) if isinstance(place, dict) else None
        indexed['.'.join(parts)] = value
    return indexed


def adopt_old_settings(cfg: Config) -> None:
    """Move ``input_side`` and ``window`` of data sets, as in version 0.1, to the transforms."""
    options = {}
    for key, dataset in list(find_datasets(cfg)):
        for name in OLD_KEYS:
            if isinstance(dataset, MutableMapping) and dataset.get(name) is not None:
                options[f'{key}.{name}'] = dataset.pop(name)
    # Validation and test have no window; theirs said the same.
    merge_options(cfg, {key: value for key, value in rename_old_keys(options).items()
                        if key != 'window' or list(_full_keys(cfg, SETTINGS['window']))})


def merge_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Merge overrides into a config: their short keys, old keys and items of lists included."""
    if 'random_scale' in options:
        add_random_scale(cfg)
    cfg.merge_from_dict(expand_options(cfg, options))


def add_random_scale(cfg: Config) -> None:
    """Put a RandomScale into each training pipeline that has none, before its PadToInput.

    It is no step of the configs themselves: marks of their runs are made of their text, and a step
    that is off would change them all.

    Raises:
        ValueError: A pipeline has no PadToInput.
    """
    for key, dataset in list(find_datasets({'train_dataloader': cfg.get('train_dataloader')})):
        pipeline = list(dataset.get('pipeline') or [])
        types = [str(step.get('type')).rpartition('.')[2] for step in pipeline]
        if 'RandomScale' in types:
            continue
        if 'PadToInput' not in types:
            raise ValueError(f'random_scale: {key}.pipeline has no PadToInput, before which '
                             f'RandomScale belongs; its steps are {", ".join(types)}: write the '
                             "step where it belongs, dict(type='RandomScale', factors=(0.8, 1.3))")
        place = types.index('PadToInput')
        cfg.merge_from_dict({f'{key}.pipeline': [
            *pipeline[:place], dict(type='RandomScale'), *pipeline[place:]]})


def read_config(path: str | Path) -> Config:
    """Read a config file as it stands; variables of the environment in it are noted once a process.

    Args:
        path: The config file.
    """
    MMLogger.get_current_instance().addFilter(_is_news)
    return Config.fromfile(str(path))


def _is_news(record: logging.LogRecord) -> bool:
    """Return whether a record is none of mmengine's notes on variables, or a new one."""
    message = record.getMessage()
    if not message.startswith(NOTE_ON_VARIABLE):
        return True
    said = message in _notes_said
    _notes_said.add(message)
    return not said


def load_config(config: str | Path, work_dir: str | Path | None = None,
                cfg_options: Mapping[str, Any] | None = None, launcher: str = 'none') -> Config:
    """Read a config file and apply what the command line asks for.

    Args:
        config: The config file. Its variables ``input_size``, ``window``, ``random_scale``,
            ``bit_depth``, ``max_pixels``, ``cache`` and ``data_root`` are applied to every pipeline
            or data set, so that a config which inherits another changes them by one line;
            ``fit_boxes`` is applied to the model.
        work_dir: Overrides the config's; without either it is ``work_dirs/<name of the config>``.
        cfg_options: Overrides, keys dotted as in mmengine or short (:func:`expand_options`).
        launcher: 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        ValueError: The file is missing, an override would change nothing (:func:`check_options`) or
            names no single place, or training, validation and test have different input sizes.
    """
    check_ordinary_file(config, 'config')
    if not Path(config).is_file():
        raise ValueError(f'config {shorten(str(config))}: there is no such file; the configs lie in '
                         'configs/ of a clone; elsewhere write a file that inherits one, such as '
                         "_base_ = 'mmwindow::windowloss/wl_kld_lite0_fpn.py'")
    if Path(config).suffix != '.py':
        raise ValueError(f'config {shorten(str(config))}: a config is a Python file, whose name ends '
                         'in .py; write one with the same entries, or one that inherits one of '
                         'configs/')
    check_bases(config)
    try:
        cfg = read_config(config)
    except Exception as error:  # the file is executed: anything may go wrong in it
        raise ValueError(f'config {shorten(str(config))}: it cannot be read: {type(error).__name__}: '
                         f'{shorten(str(error))}') from error
    cfg.launcher = launcher
    try:
        adopt_old_settings(cfg)
        merge_options(cfg, {name: cfg.pop(name) for name in SETTINGS if name in cfg})
    except (TypeError, AttributeError, KeyError, IndexError) as error:
        raise ValueError(f'config {shorten(str(config))}: a data loader, data set or pipeline in it '
                         f'is none ({type(error).__name__}: {shorten(str(error))})') from error
    if cfg_options:
        cfg_options = rename_old_keys(cfg_options)
        check_options(cfg_options)
        merge_options(cfg, cfg_options)
    try:
        input_size_of(cfg)
        if cfg.pop('fit_boxes', False):
            fit_boxes(cfg)
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f'config {shorten(str(config))}: {shorten(str(error), 450)}') from error
    if work_dir is not None:
        cfg.work_dir = str(work_dir)
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(config).stem)
    return cfg
