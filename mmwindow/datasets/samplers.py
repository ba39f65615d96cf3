"""Samplers of images."""
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from mmdet.registry import DATA_SAMPLERS
from mmengine.dist import get_dist_info, sync_random_seed
from numpy.typing import NDArray
from torch.utils.data import Sampler

from mmwindow.utils.messages import none_of


def balanced_indices(positive: NDArray[np.bool_], normals_per_positive: float,
                     generator: np.random.Generator, shuffle: bool) -> NDArray[np.int64]:
    """Return the images of one epoch: all positive ones, and as many random negative ones as asked.

    Args:
        positive: ``(N,)``, whether each image has a point.
        normals_per_positive: Number of negative images to each positive one.
        generator: Draws the negative images and the order.
        shuffle: False keeps the data set's order.

    Returns:
        Indices, each at most once.
    """
    positives, negatives = np.flatnonzero(positive), np.flatnonzero(~positive)
    num_negatives = min(len(negatives), round(len(positives) * normals_per_positive))
    indices = np.concatenate([positives, generator.choice(negatives, num_negatives, replace=False)])
    return generator.permutation(indices) if shuffle else np.sort(indices)


@DATA_SAMPLERS.register_module()
class BalancedImageSampler(Sampler):
    """All positive and as many random negative images in every epoch, others in the next.

    For data sets with many more negative than positive images. All ranks draw the same epoch and
    take every ``world_size``-th of it; it is filled up by repetition so that all have the same
    number.

    Args:
        dataset: With ``get_data_info`` (mmengine's data sets and their wrappers).
        seed: Must be equal on all ranks; None draws one and shares it.
        normals_per_positive: Negative images to each positive one; where there are fewer, all are
            taken.
        shuffle: False keeps the data set's order within an epoch.

    Raises:
        ValueError: The data set has no positive image, or the ratio is negative.
    """

    def __init__(self, dataset: Any, seed: int | None = None, normals_per_positive: float = 1.,
                 shuffle: bool = True) -> None:
        if not (normals_per_positive >= 0 and math.isfinite(normals_per_positive)):
            raise ValueError(f'BalancedImageSampler: normals_per_positive is {normals_per_positive}; '
                             'expected a finite number of 0 or more')
        self.rank, self.world_size = get_dist_info()
        self.positive = np.array([len(dataset.get_data_info(index)['instances']) > 0
                                  for index in range(len(dataset))], dtype=bool)
        if not self.positive.any():
            raise ValueError(f'BalancedImageSampler: {none_of(len(dataset), "image")} has a point, '
                             'so there is nothing to balance; check ann_file, or use DefaultSampler')
        self.normals_per_positive = normals_per_positive
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        self.num_samples = math.ceil(len(self._epoch_indices()) / self.world_size)

    def _epoch_indices(self) -> NDArray[np.int64]:
        return balanced_indices(self.positive, self.normals_per_positive,
                                np.random.default_rng((self.seed, self.epoch)), self.shuffle)

    def __iter__(self) -> Iterator[int]:
        """Yield this rank's indices of the epoch."""
        indices = np.resize(self._epoch_indices(), self.num_samples * self.world_size)
        return iter(indices[self.rank::self.world_size].tolist())

    def __len__(self) -> int:
        """Return the number of images of this rank in one epoch."""
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Draw other negative images from the next iteration on; mmengine's runner calls this."""
        self.epoch = epoch
