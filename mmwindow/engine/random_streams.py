"""Random numbers that depend on the seed and the place in a training, never on what came before.

A generator that runs on from step to step makes a training that resumes another one: its state is
that of a process that began in the middle. Here every step of the model and every image of a data
loader begins with generators that are seeded by where it stands, ``(seed, purpose, ...)``. So nothing
has to be saved: a resumed training draws what the uncut one draws, whatever number of data loader
workers prepares the images, whether or not a validation came in between, and on every rank.

The global generators of Python, numpy, torch and OpenCV are seeded, so that the transforms and the
models of mmdet, which draw from them, need no change.
"""
import random
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, cast

import cv2
import numpy as np
import torch
from mmengine.dataset import InfiniteSampler
from torch.utils.data import DataLoader

# First word of a seed: what the numbers are for. Values are part of what a seed means: never changed.
MODEL, TRAINING_IMAGES, VALIDATION_IMAGES, VALIDATION = 1, 2, 3, 4


def seed_generators(*words: int, with_devices: bool = False) -> None:
    """Seed the global generators of Python, numpy, torch and OpenCV.

    Args:
        *words: Whole numbers of 0 or more; other words give independent numbers.
        with_devices: Seed torch's generators of GPUs as well.
    """
    state = np.random.SeedSequence(words).generate_state(8)
    random.seed(int(state[0]) << 32 | int(state[1]))
    np.random.seed(state[2:5])
    torch_seed = int(state[5]) << 31 | int(state[6])
    if with_devices:
        torch.manual_seed(torch_seed)
    else:  # a worker of a data loader must not touch GPUs
        torch.default_generator.manual_seed(torch_seed)
    cv2.setRNGSeed(int(state[7]) >> 1)


class SeededIndex(int):
    """The index of an image that carries the seed of its transforms to a data loader's worker.

    Args:
        index: Of the image in its data set.
        words: For :func:`seed_generators`.
    """

    words: tuple[int, ...]

    def __new__(cls, index: int, words: tuple[int, ...]) -> 'SeededIndex':
        self = super().__new__(cls, index)
        self.words = words
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (int(self), self.words)


class SeededSampler:
    """A sampler whose indices carry seeds: by seed, pass and place in the pass over all ranks.

    Args:
        sampler: Any sampler of images.
        seed: Of the training.
        purpose: First word of the seeds.
        rank: Of this process.
        world_size: Number of processes.
    """

    def __init__(self, sampler: Any, seed: int, purpose: int, rank: int = 0, world_size: int = 1
                 ) -> None:
        self.sampler = sampler
        self.seed = seed
        self.purpose = purpose
        self.rank = rank
        self.world_size = world_size
        self.next_pass = 0
        self.num_skipped = 0

    def __iter__(self) -> Iterator[SeededIndex]:
        """Yield the indices of the next pass; the first time without those that are skipped."""
        number, self.next_pass = self.next_pass, self.next_pass + 1
        skipped, self.num_skipped = self.num_skipped, 0
        for position, index in enumerate(self.sampler):
            if position >= skipped:
                yield SeededIndex(index, (self.purpose, self.seed, number,
                                          position * self.world_size + self.rank))

    def __len__(self) -> int:
        return len(self.sampler)

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__') or name == 'sampler':
            raise AttributeError(name)
        return getattr(self.sampler, name)


def fetch_seeded(dataset: Any, indices: Sequence[int]) -> list[Any]:
    """Return the items of a batch, each drawn from generators that its index seeds."""
    items = []
    for index in indices:
        if isinstance(index, SeededIndex):
            seed_generators(*index.words)
        items.append(dataset[int(index)])
    return items


def seed_loader(loader: DataLoader, seed: int, purpose: int, rank: int = 0, world_size: int = 1
                ) -> SeededSampler | None:
    """Let a data loader prepare each image with random numbers of its own.

    Args:
        loader: Is changed; it must not have been iterated over.
        seed: Of the training.
        purpose: First word of the seeds.
        rank: Of this process.
        world_size: Number of processes.

    Returns:
        Its sampler; None where it has none of single images, and nothing is changed.
    """
    batches: Any = loader.batch_sampler
    if isinstance(getattr(batches, 'sampler', None), SeededSampler):
        return cast(SeededSampler, batches.sampler)
    if not (isinstance(getattr(batches, 'sampler', None), Iterable) and _reads_sampler(batches)):
        return None
    batches.sampler = sampler = SeededSampler(batches.sampler, seed, purpose, rank, world_size)
    dataset: Any = loader.dataset
    # torch asks a data set for a batch by this name, in its workers as well.
    dataset.__getitems__ = partial(fetch_seeded, dataset)
    return sampler


def _reads_sampler(batches: Any) -> bool:
    """Return whether a batch sampler takes its images from ``self.sampler``."""
    code = getattr(type(batches).__iter__, '__code__', None)
    return 'sampler' in getattr(code, 'co_names', ())


class BatchStream:
    """Batches without end, as an ``IterBasedTrainLoop`` reads them, from any step on.

    mmengine's own iterator begins at the first step and loads all batches before the one to resume
    at; this one begins there.

    Args:
        loader: With a batch sampler of torch.
        sampler: From :func:`seed_loader`.
        done: Steps done before.
        num_ignored: How often the loop asks for a batch that it does not use, to come to that step.
    """

    def __init__(self, loader: DataLoader, sampler: SeededSampler, done: int, num_ignored: int = 0
                 ) -> None:
        self.loader = loader
        self.num_ignored = num_ignored
        inner = sampler.sampler
        if isinstance(inner, InfiniteSampler):
            inner.indices = inner._indices_of_rank()  # an earlier iterator may have taken some
            number, inside = 0, done
        else:
            number, inside = divmod(done, len(loader))
        batches: Any = loader.batch_sampler
        sampler.next_pass, sampler.num_skipped = number, inside * batches.batch_size
        self.sampler = sampler
        self.iterator: Iterator[Any] | None = None

    def __iter__(self) -> 'BatchStream':
        return self

    def __next__(self) -> Any:
        """Return the next batch; None as long as the loop ignores what it gets."""
        if self.num_ignored:
            self.num_ignored -= 1
            return None
        if self.iterator is None:
            self.iterator = self._begin_pass()
        try:
            return next(self.iterator)
        except StopIteration:
            self.iterator = self._begin_pass()
            return next(self.iterator)

    def skip_iter(self, number: int) -> None:
        """Do nothing: the stream begins at the step to resume at. The maintained fork asks for it."""

    def _begin_pass(self) -> Iterator[Any]:
        if hasattr(self.sampler.sampler, 'set_epoch'):
            self.sampler.sampler.set_epoch(self.sampler.next_pass)
        return iter(self.loader)
