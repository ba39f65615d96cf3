"""Samplers of images."""
import math

import numpy as np
from mmdet.registry import DATA_SAMPLERS
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler


def balanced_indices(positive, normals_per_positive, generator, shuffle):
    """Return the images of one epoch: all positives, and as many random normals as asked.

    Args:
        positive (ndarray): ``(N,)`` bool, whether each image has a point.
        normals_per_positive (float): Number of normals to each positive.
        generator (numpy.random.Generator): Draws the normals and their order.
        shuffle (bool): False keeps the data set's order.

    Returns:
        ndarray: Indices, each at most once.
    """
    positives, normals = np.flatnonzero(positive), np.flatnonzero(~positive)
    num_normals = min(len(normals), round(len(positives) * normals_per_positive))
    chosen = np.concatenate([positives, generator.choice(normals, num_normals, replace=False)])
    return generator.permutation(chosen) if shuffle else np.sort(chosen)


@DATA_SAMPLERS.register_module()
class BalancedImageSampler(Sampler):
    """All positives and as many random normals in every epoch, other normals in the next.

    For data sets with many more normals than positives. All ranks draw the same epoch and take
    every ``world_size``-th of it; it is filled up by repetition so that all have the same number.

    Args:
        dataset: With ``get_data_info`` (mmengine's data sets and their wrappers).
        seed (int, optional): Must be equal on all ranks; None draws one and shares it.
        normals_per_positive (float): Normals to each positive; where there are fewer, all are
            taken.
        shuffle (bool): False keeps the data set's order within an epoch.

    Raises:
        ValueError: The data set has no positives, or the ratio is negative.
    """

    def __init__(self, dataset, seed=None, normals_per_positive=1., shuffle=True):
        if not (normals_per_positive >= 0 and math.isfinite(normals_per_positive)):
            raise ValueError(f'BalancedImageSampler: normals_per_positive is {normals_per_positive}; '
                             'expected a finite number of 0 or more')
        self.rank, self.world_size = get_dist_info()
        self.positive = np.array([len(dataset.get_data_info(index)['instances']) > 0
                                  for index in range(len(dataset))], dtype=bool)
        if not self.positive.any():
            raise ValueError(f'BalancedImageSampler: none of the {len(dataset)} images has a point, '
                             'so there is nothing to balance; check ann_file, or use DefaultSampler')
        self.normals_per_positive = normals_per_positive
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        self.num_samples = math.ceil(len(self._epoch_indices()) / self.world_size)

    def _epoch_indices(self):
        return balanced_indices(self.positive, self.normals_per_positive,
                                np.random.default_rng((self.seed, self.epoch)), self.shuffle)

    def __iter__(self):
        """Yield this rank's indices of the epoch."""
        indices = np.resize(self._epoch_indices(), self.num_samples * self.world_size)
        return iter(indices[self.rank::self.world_size].tolist())

    def __len__(self):
        """Return the number of images of this rank in one epoch."""
        return self.num_samples

    def set_epoch(self, epoch):
        """Draw other normals from the next iteration on; mmengine's runner calls this."""
        self.epoch = epoch
