"""How long a training will take: a few steps of its model on its images, timed."""
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.dataset import COLLATE_FUNCTIONS
from mmengine.optim import build_optim_wrapper

from mmwindow.apis.config_parts import innermost_dataset
from mmwindow.apis.own_data.choice import count_validations
from mmwindow.apis.train import use_mixed_precision
from mmwindow.apis.untrained_model import build_untrained
from mmwindow.engine.hooks import ChannelsLastHook

TIMED_STEPS = 2


@dataclass(frozen=True)
class Timing:
    """What a machine needs for a config.

    Attributes:
        step: Seconds of a training step: forward, backward and update of a batch.
        loading: Seconds to read and augment an image to train with.
        testing: Seconds of an image to test, reading included.
        busy: Seconds of a step by the clock to those that the processors worked on it; about 1 where
            nothing else runs, and always 1 on a GPU.
    """

    step: float
    loading: float
    testing: float
    busy: float = 1.


@dataclass(frozen=True)
class Work:
    """What one training has to do.

    Attributes:
        epochs: Of the training.
        steps: Of an epoch.
        batch_size: Images of a step.
        validations: How often it validates.
        num_val: Images of a validation.
        num_test: Images that are tested after it; 0 where it is only trained.
        workers: Processes that read images next to the one that trains.
    """

    epochs: int
    steps: int
    batch_size: int
    validations: int
    num_val: int
    num_test: int = 0
    workers: int = 1


def estimate_seconds(timing: Timing, work: Work) -> float:
    """Return the seconds of a training with its validations.

    Images are read by other processes while the model computes: the slower of the two counts.

    >>> estimate_seconds(Timing(1., .05, .1), Work(10, 20, 8, 5, 12))
    206.0
    >>> estimate_seconds(Timing(1., .25, .1), Work(10, 20, 8, 5, 12))  # reading takes longer
    406.0
    """
    step = max(timing.step, timing.loading * work.batch_size / max(work.workers, 1))
    return (work.epochs * work.steps * step
            + timing.testing * (work.validations * work.num_val + work.num_test))


def describe_work(cfg: Config, num_train: int, num_val: int, num_test: int = 0) -> Work:
    """Return the work of a complete config.

    Args:
        cfg: Of a training by epochs.
        num_train: Images of an epoch.
        num_val: Images of a validation.
        num_test: Images that are tested after the training.
    """
    loop, loader = cfg.train_cfg, cfg.train_dataloader
    epochs, batch = int(loop.max_epochs), int(loader.batch_size)
    return Work(epochs, -(-num_train // batch), batch,
                count_validations(epochs, loop.get('val_begin', 1), loop.get('val_interval', 1)),
                num_val, num_test, int(loader.get('num_workers', 0)))


def time_training(cfg: Config, amp: bool = False) -> Timing:
    """Train a few steps of a config's model on its images, and test as many; nothing is kept.

    Args:
        cfg: Complete; is not changed.
        amp: Train in mixed precision.
    """
    cfg = Config(cfg._cfg_dict.to_dict())
    if amp:
        use_mixed_precision(cfg)
    model, device = build_model(cfg)
    batch_size = int(cfg.train_dataloader.batch_size)
    started = time.perf_counter()
    batch = load_batch(cfg, 'train', batch_size)
    loading = (time.perf_counter() - started) / batch_size
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    model.train()
    model.train_step(batch, optimizer)  # memory is taken, kernels are chosen
    _wait(device)
    started, worked = time.perf_counter(), time.process_time()
    for _ in range(TIMED_STEPS):
        model.train_step(batch, optimizer)
    _wait(device)
    step = (time.perf_counter() - started) / TIMED_STEPS
    own = (time.process_time() - worked) / TIMED_STEPS / torch.get_num_threads()
    model.eval()
    started = time.perf_counter()
    tested = load_batch(cfg, 'val', int(cfg.val_dataloader.batch_size))
    with torch.no_grad():
        model.val_step(tested)
    _wait(device)
    testing = (time.perf_counter() - started) / len(tested['data_samples'])
    return Timing(step, loading, testing,
                  max(1., step / max(own, 1e-6)) if device == 'cpu' else 1.)


def build_model(cfg: Config) -> tuple[Any, str]:
    """Return the model of a complete config with random weights, and the device that it is on."""
    model: Any = build_untrained(cfg)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    model.to(device)
    if any(hook.get('type') == 'ChannelsLastHook' for hook in cfg.get('custom_hooks') or ()):
        ChannelsLastHook().before_run(_Owner(model, cfg))
    return model, device


@dataclass
class _Owner:
    """Stands for a runner where a hook asks for its model."""

    model: Any
    cfg: Config


def load_batch(cfg: Config, split: str, number: int) -> Mapping[str, Any]:
    """Return a batch of the first images of a split, as its data loader collates them."""
    return time_reading(cfg, split, number)[0]


def time_reading(cfg: Config, split: str, number: int) -> tuple[Mapping[str, Any], list[float]]:
    """Return a batch as :func:`load_batch` does, and the seconds that each of its images took."""
    dataset = cfg[f'{split}_dataloader'].dataset
    if innermost_dataset(dataset).get('type') == 'CocoPointDataset':
        innermost_dataset(dataset).check_images = False  # the training will look at all of them
    built = DATASETS.build(dataset)
    samples, seconds = [], []
    for index in range(number):
        started = time.perf_counter()
        samples.append(built[index % len(built)])
        seconds.append(time.perf_counter() - started)
    collated: Mapping[str, Any] = COLLATE_FUNCTIONS.get('pseudo_collate')(samples)
    return collated, seconds


def _wait(device: str) -> None:
    if device == 'cuda':
        torch.cuda.synchronize()
