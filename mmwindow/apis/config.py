"""Reading a config and applying what the command line asks for."""
from pathlib import Path

from mmengine.config import Config

# Variables of the config files under configs/_base_, and where reading a file copies them to.
COPIED_VARIABLES = {
    'annotations': 'train_dataloader.dataset.ann_file',
    'augmented': 'train_dataloader.dataset.pipeline',
    'box_pipeline': 'train_dataloader.dataset.pipeline',
    'channels': 'model',
    'classes': 'train_dataloader.dataset.metainfo.classes',
    'data_root': 'train_dataloader.dataset.data_root',
    'dataset': 'train_dataloader.dataset',
    'input_side': 'train_dataloader.dataset.input_side',
    'label_pipeline': 'train_dataloader.dataset.pipeline',
    'test_pipeline': 'test_dataloader.dataset.pipeline',
    'train_pipeline': 'train_dataloader.dataset.pipeline',
    'vis_backends': 'visualizer.vis_backends',
    'window': 'train_dataloader.dataset.window'}


def check_options(options):
    """Refuse overrides of variables that only the config file itself reads.

    By the time options are merged the file's values have been copied to where they are used: with
    ``window.lower_radius=100`` a training would go on with the file's radius, without a word.

    Args:
        options (dict): Overrides, keys dotted as in mmengine.

    Raises:
        ValueError: Such a variable is named.
    """
    for key in options:
        name, _, rest = key.partition('.')
        if name not in COPIED_VARIABLES:
            continue
        place = COPIED_VARIABLES[name] + (f'.{rest}' if rest else '')
        others = (' (and the same of val_dataloader and test_dataloader)'
                  if place.startswith('train_dataloader') else '')
        raise ValueError(
            f'--cfg-options {key}: {name} is a variable that only the config file reads, so that '
            f'nothing would change; set {place}{others}, or write a config of a few lines, as those '
            'in configs/windowloss/ablations')


def find_list_items(cfg, options):
    """Return overrides with each item of a list named by its index.

    ``train_dataloader.dataset.pipeline.PointsToPseudoBoxes.size`` reads better than with an index in
    place of the type, and stays right when a transform is put before it.

    Args:
        cfg (Config): Complete.
        options (dict): Overrides, keys dotted.

    Raises:
        ValueError: A list has no item, or several items, of a type that a key names.
    """
    found = {}
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
        found['.'.join(parts)] = value
    return found


def load_config(config, work_dir=None, cfg_options=None, launcher='none'):
    """Read a config file and apply what the command line asks for.

    Args:
        config (str | Path): The config file.
        work_dir (str | Path, optional): Overrides the config's; without either it is
            ``work_dirs/<name of the config>``.
        cfg_options (dict, optional): Overrides, keys dotted as in mmengine; an item of a list, such
            as a pipeline, may be named by its type instead of its index.
        launcher (str): 'none', 'pytorch', 'slurm' or 'mpi'.

    Raises:
        ValueError: The file is missing, an override would change nothing
            (:func:`check_options`) or names no single item (:func:`find_list_items`).
    """
    if not Path(config).is_file():
        raise ValueError(f'config {config}: there is no such file; the configs lie in configs/')
    cfg = Config.fromfile(str(config))
    cfg.launcher = launcher
    if cfg_options:
        check_options(cfg_options)
        cfg.merge_from_dict(find_list_items(cfg, cfg_options))
    if work_dir is not None:
        cfg.work_dir = str(work_dir)
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(config).stem)
    return cfg
