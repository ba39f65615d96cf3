"""A window for the maximum of the map: what ranks images is trained itself."""
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor, nn

from mmwindow.structures.bounds import distance_to_nearest
from mmwindow.utils.messages import count_words

IS_INSIDE = 0.5  # the upper bound at its radius


def soft_maximum(logits: Tensor, temperature: float) -> Tensor:
    """Return ``T log sum exp(z / T)``, not below the maximum; -inf of no logits.

    Args:
        logits: ``(N,)``.
        temperature: T, above 0; the smaller, the closer to the maximum.
    """
    if not len(logits):
        return logits.new_full((), -torch.inf)
    return temperature * torch.logsumexp(logits / temperature, dim=0)


def cells_of_points(points: Tensor, inside: Tensor, stride: float) -> list[Tensor]:
    """Return which cells within the upper radius belong to which point: to the nearest.

    Args:
        points: ``(N, 2)``, x and y in input pixels.
        inside: ``(H, W)`` bool, cells within the upper radius of any point.
        stride: Side of a cell in input pixels.

    Returns:
        ``(H, W)`` bool per point; no cell is in two of them. A point outside the frame may have none.
    """
    if not len(points):
        return []
    num_rows, num_columns = inside.shape
    distances = torch.stack([distance_to_nearest(point[None], num_rows, num_columns, stride)
                             for point in points])
    nearest = distances.argmin(0)
    return [inside & (nearest == index) for index in range(len(points))]


def maximum_window_loss(logits: Tensor, upper: Tensor, points: Sequence[Tensor],
                        labels: Sequence[Tensor], stride: float, temperature: float = 0.5) -> Tensor:
    """Penalise a high maximum far from all points, and a low one within the radius of a point.

    The Window Loss averages over cells: a false blob on a negative image is a small part of its
    gradient, though the map's maximum is the image's score. Here it is nearly all of it. With M the
    soft maximum of the logits over the cells beyond the upper radius of all points, an image costs
    ``softplus(M)``, the Kullback-Leibler divergence from a bound of 0; a point with M the soft
    maximum over the cells that are nearest to it within its upper radius costs ``softplus(-M)``:
    each point weighs alike, and where within its radius the maximum lies is free.

    Args:
        logits: ``(B, C, H, W)``, of the merged map.
        upper: ``(B, C, H, W)``, upper bounds on the same grid: 0.5 at the upper radius.
        points: ``(N_i, 2)`` per image, x and y in input pixels; N_i is 0 for a negative image.
        labels: ``(N_i,)`` int per image, class of each point.
        stride: Side of a cell in input pixels.
        temperature: Of the soft maximum.

    Returns:
        The mean over images and classes of the first, plus the mean over points of the second; a
        float32 scalar.

    Raises:
        ValueError: Shapes differ, or the temperature is not positive.

    Example:
        >>> from torch import zeros
        >>> logits = torch.tensor([-9., 0.]).reshape(1, 1, 1, 2)  # a negative image, one high cell
        >>> nothing = zeros(0, 2), zeros(0, dtype=torch.long)
        >>> loss = maximum_window_loss(logits, zeros(1, 1, 1, 2), [nothing[0]], [nothing[1]], 4)
        >>> round(loss.item(), 4)  # log(1 + e^0)
        0.6931
    """
    if logits.shape != upper.shape or len(logits) != len(points) or len(points) != len(labels):
        raise ValueError(
            f'MaximumWindowLoss: logits {tuple(logits.shape)}, upper bounds {tuple(upper.shape)}, '
            f'points of {len(points)} and labels of {count_words(len(labels), "image")} must '
            'be of the same images on one grid')
    if temperature <= 0:
        raise ValueError(f'MaximumWindowLoss: temperature is {temperature}; it must be above 0')
    with torch.autocast(logits.device.type, enabled=False):
        logits = logits.float()
        inside = upper >= IS_INSIDE
        beyond, within = [], []
        for image, (places, classes) in enumerate(zip(points, labels, strict=True)):
            for index in range(logits.shape[1]):
                cells, covered = logits[image, index], inside[image, index]
                beyond.append(soft_maximum(cells[~covered], temperature))
                own = places[classes == index].to(cells)
                within += [soft_maximum(cells[part], temperature)
                           for part in cells_of_points(own, covered, stride) if part.any()]
        loss = F.softplus(torch.stack(beyond)).mean()
        return loss + F.softplus(-torch.stack(within)).mean() if within else loss


@MODELS.register_module()
class MaximumWindowLoss(nn.Module):
    """:func:`maximum_window_loss` as a registered module.

    Args:
        loss_weight: Factor of the loss.
        temperature: Of the soft maximum.
    """

    def __init__(self, loss_weight: float = 1.0, temperature: float = 0.5) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f'MaximumWindowLoss: temperature is {temperature}; it must be above 0')
        self.loss_weight = loss_weight
        self.temperature = temperature

    def forward(self, logits: Tensor, upper: Tensor, points: Sequence[Tensor],
                labels: Sequence[Tensor], stride: float) -> Tensor:
        """Return the weighted loss; see :func:`maximum_window_loss`."""
        return self.loss_weight * maximum_window_loss(logits, upper, points, labels, stride,
                                                      self.temperature)

    def extra_repr(self) -> str:
        """Return the settings, for ``print``."""
        return f'loss_weight={self.loss_weight}, temperature={self.temperature}'
