"""The pipelines of a config, read as plain data."""
from collections.abc import Iterator, Mapping
from typing import NamedTuple

# Short names for settings of several places: as overrides, and as variables of a config file that
# inherits another. mmwindow's tools apply them; mmengine itself would not.
SETTINGS = {
    'input_size': 'pipeline.ResizeToInput.input_size',
    'window': 'pipeline.PointToBoundTransform',
    'random_scale': 'pipeline.RandomScale.factors',
    'bit_depth': 'pipeline.LoadImageFromFile.backend_args.bit_depth',
    'max_pixels': 'pipeline.LoadImageFromFile.backend_args.max_pixels',
    'cache': 'pipeline.LoadImageFromFile.backend_args.cache',
    'data_root': 'dataset.data_root'}
# Short names that are computed from the others, when these are final.
SWITCHES = ('fit_boxes', )
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


class Place(NamedTuple):
    """A part of a config.

    Attributes:
        key: Its dotted key, with the index of an item of a list.
        value: What is there.
    """

    key: str
    value: Mapping


def find_datasets(cfg: Mapping) -> Iterator[Place]:
    """Yield each data set of a config's data loaders that reads files, wrapped or not."""
    for loader in LOADERS:
        if cfg.get(loader):
            yield from _inner_datasets(Place(f'{loader}.dataset', cfg[loader].get('dataset') or {}))


def _inner_datasets(place: Place) -> Iterator[Place]:
    key, dataset = place
    inner = [Place(f'{key}.datasets.{index}', item)
             for index, item in enumerate(dataset.get('datasets') or [])]
    if dataset.get('dataset'):
        inner.append(Place(f'{key}.dataset', dataset['dataset']))
    for part in inner:
        yield from _inner_datasets(part)
    if not inner:
        yield place


def find_steps(cfg: Mapping, name: str) -> Iterator[Place]:
    """Yield the steps of a type in every pipeline of a config: of its data loaders, and for TTA.

    Args:
        cfg: Complete config.
        name: Type of the transform, without the scope that a config may put before it.
    """
    pipelines = [(f'{key}.pipeline', dataset.get('pipeline')) for key, dataset in find_datasets(cfg)]
    for key, pipeline in (*pipelines, ('tta_pipeline', cfg.get('tta_pipeline'))):
        for index, step in enumerate(pipeline or []):
            if str(step.get('type')).rpartition('.')[2] == name:
                yield Place(f'{key}.{index}', step)


def input_size_of(cfg: Mapping) -> tuple[int, int] | None:
    """Return the one input size ``(height, width)`` of a config; None where no pipeline sets one.

    Raises:
        ValueError: Training, validation and test have different ones.
    """
    sizes = {}
    for key, step in find_steps(cfg, 'ResizeToInput'):
        size = step.get('input_size')
        sizes[key] = (size, size) if isinstance(size, int) else tuple(size or ())
    if len(set(sizes.values())) > 1:
        found = ', '.join(f'{key} {size}' for key, size in sizes.items())
        raise ValueError(f'different input sizes (height, width): {found}. Give ResizeToInput one '
                         'input_size in all pipelines: --cfg-options input_size=.. does, or the '
                         'variable input_size of a config file (docs/configs.md)')
    return next(iter(sizes.values()), None)


def check_applied(cfg: Mapping) -> None:
    """Check that a config has one input size, and no short name that nobody has applied.

    Raises:
        ValueError: The message names what is wrong.
    """
    left = [name for name in SETTINGS if name in cfg]
    left += [name for name in SWITCHES if cfg.get(name)]
    if left:
        places = [SETTINGS[name] for name in left if name in SETTINGS]
        raise ValueError(f'the config sets {", ".join(left)}, which only the tools of mmwindow apply '
                         '(tools/train.py, tools/test.py, mmwindow.apis); with others '
                         + (f'set {", ".join(places)} in each data loader' if places else
                            'take the complete config that these write into the work dir, or set '
                            f'{" and ".join(left)} to False'))
    input_size_of(cfg)
