"""Pretraining of any config on synthetic radiographs, to weights that ``load_from`` takes."""
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from mmwindow.apis.config import load_config
from mmwindow.apis.runner import quiet_mmengine
from mmwindow.apis.train import train
from mmwindow.apis.zoo.files import KEPT_META, last_checkpoint
from mmwindow.engine.model_description import META_KEY
from mmwindow.engine.run_file import read_run
from mmwindow.engine.safe_loading import load_own_checkpoint
from mmwindow.engine.weights import state_dict_of
from mmwindow.synthetic import write_dataset
from mmwindow.utils.config_pipelines import LOADERS, find_datasets, input_size_of
from mmwindow.utils.files import atomic_file, read_json, write_json
from mmwindow.utils.locks import hold_file
from mmwindow.utils.messages import count_words, quote, shorten
from mmwindow.utils.outputs import check_output_folder

MAX_VALIDATION = 200  # images: they show that the training works, and choose nothing


@dataclass(frozen=True)
class Pretraining:
    """How much is generated and how long is trained.

    Attributes:
        num_images: To train on, half of them with a fracture.
        epochs: Of the training.
        seed: Of the images; another one than those of tests on synthetic radiographs (0 to 99).
        cfg_options: Overrides of the config.
    """

    num_images: int = 6000
    epochs: int = 4
    seed: int = 1001
    cfg_options: Mapping[str, Any] | None = None


def pretrain(config: str | Path, out: str | Path, settings: Pretraining = Pretraining(),
             workers: int | None = None) -> Path:
    """Generate radiographs, train a config on them instead of its own data, and return its weights.

    Model, pipeline, input size and schedule are the config's; the images have its input's side. What
    a cut left resumes, and what is finished stays.

    Args:
        config: Of ours, such as ``configs/windowloss/wl_kld_lite0_fpn_fracatlas.py``.
        out: Receives ``images_<side>/``, shared by all configs of this input size, the work dir
            ``<config>/``, and ``<config>.pth``: the weights of the last epoch, with their classes and
            the description of the model.
        settings: How much and how long.
        workers: Processes that generate images; None: two, where the machine has them.

    Raises:
        ValueError: The folder holds a pretraining of other settings, or the config cannot be trained.
    """
    if settings.epochs < 1 or settings.num_images < 4:
        raise ValueError(f'{count_words(settings.num_images, "image")} and '
                         f'{count_words(settings.epochs, "epoch")}: at least 4 '
                         'images and 1 epoch are expected')
    out, name = Path(out), Path(config).stem
    check_output_folder(out, '--out')
    with quiet_mmengine():
        cfg = load_config(config, cfg_options=settings.cfg_options)
    side = max(input_size_of(cfg) or (0, ))
    if not side:
        raise ValueError(f'{config}: its pipelines name no input size (ResizeToInput), by which '
                         'images could be made')
    out.mkdir(parents=True, exist_ok=True)
    with hold_file(out / f'{name}.pth'):
        _note_settings(out / f'{name}.json', settings)
        images = write_dataset(
            out / f'images_{side}', settings.seed, settings.num_images,
            min(MAX_VALIDATION, max(4, settings.num_images // 10)), 2, side, workers=workers)
        run = read_run(out / name)
        if run is None or not run.is_finished:
            options = {**(settings.cfg_options or {}), **_data_options(cfg, images),
                       'train_cfg.max_epochs': settings.epochs,
                       'train_cfg.val_interval': settings.epochs}
            train(config, out / name, options, resume='auto', report=False)
        return _write_weights(last_checkpoint(out / name), out / f'{name}.pth')


def _note_settings(path: Path, settings: Pretraining) -> None:
    """Write the settings next to the weights, or compare them with those that are there."""
    content = {**asdict(settings), 'cfg_options': {
        key: str(value) for key, value in (settings.cfg_options or {}).items()}}
    found = read_json(path)
    if found is None:
        write_json(path, content)
    elif found != content:
        raise ValueError(f'{shorten(str(path))}: a pretraining of other settings is there '
                         f'({quote(found)}), asked for was {quote(content)}; delete it with its work '
                         'dir and .pth, or choose another --out')


def _data_options(cfg: Any, images: Path) -> dict[str, Any]:
    """Return the overrides that let every data set of a config read a folder of radiographs."""
    options: dict[str, Any] = {}
    for key, _ in find_datasets(cfg):
        split = LOADERS.index(key.partition('.')[0])
        options[f'{key}.data_root'] = f'{images.resolve()}/'
        options[f'{key}.data_prefix.img'] = 'images/'
        options[f'{key}.ann_file'] = f'annotations/{("train", "val", "test")[split]}.json'
    return options


def _write_weights(checkpoint: Path, path: Path) -> Path:
    """Write the weights of a checkpoint without the state of its training."""
    content = load_own_checkpoint(checkpoint)
    meta = content.get('meta') or {}
    kept = {key: meta[key] for key in (*KEPT_META, META_KEY) if key in meta}
    with atomic_file(path) as part:
        torch.save(dict(state_dict=state_dict_of(content), meta=kept), part)
    return path
