"""The Window Loss (paper, eq. 3 to 5), computed from logits."""
import math

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor, nn

DIVERGENCES = ('kld', 'mse')


def squared_error(bound: Tensor, logits: Tensor) -> Tensor:
    """Return ``(sigmoid(logits) - bound)^2`` per cell."""
    return (logits.sigmoid() - bound).square()  # (paper, eq. 4)


def kullback_leibler(bound: Tensor, logits: Tensor) -> Tensor:
    """Return KL(Bernoulli(bound) || Bernoulli(sigmoid(logits))) per cell.

    With z the logits, the cross entropy is ``softplus(z) - bound * z``: no logarithm of
    a probability, so it is finite for every z. The entropy of the bound is constant;
    ``xlogy`` makes it 0 for a hard bound of 0 or 1.
    """
    negative_entropy = torch.xlogy(bound, bound) + torch.xlogy(1 - bound, 1 - bound)
    return F.softplus(logits) - bound * logits + negative_entropy  # (paper, eq. 5)


def check_focus(focus: float) -> None:
    """Reject an exponent that is no number of at least 0.

    Raises:
        ValueError: As said.
    """
    if isinstance(focus, bool) or not isinstance(focus, int | float) or not 0 <= focus < math.inf:
        raise ValueError(f'WindowLoss: focus is {focus!r}; a number of at least 0 is needed (0 '
                         'weighs all cells alike)')


def window_loss(logits: Tensor, lower: Tensor, upper: Tensor, divergence: str = 'kld',
                focus: float = 0.) -> Tensor:
    """Penalise only predictions outside the window between two bounds.

    A cell with p = sigmoid(logit) costs ``divergence(lower, p)`` where p <= lower,
    ``divergence(upper, p)`` where p > upper, and nothing between. The gradient is exactly
    zero inside the window and finite everywhere.

    Assumption (docs/method.md, section 4): the mean is over cells, classes and batch.

    With ``focus`` f above 0 each cell's cost is multiplied by ``|p - bound|^f``: the quality focal
    loss (Li et al. 2020, arXiv 2006.04388) with the bound as its label, no part of the paper.

    Args:
        logits: ``(B, C, H, W)``, logits on the grid of one level.
        lower: ``(B, C, H, W)``, lower bounds in [0, 1].
        upper: ``(B, C, H, W)``, upper bounds in [0, 1], not below ``lower``.
        divergence: 'kld' (Kullback-Leibler) or 'mse' (squared error).
        focus: Exponent f; 0 is the paper's loss.

    Returns:
        The loss, a float32 scalar.

    Raises:
        ValueError: Shapes differ, the divergence is unknown, or the focus is negative.

    Example:
        >>> inside, outside = torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1, 1), 3.)
        >>> lower, upper = torch.full_like(inside, .2), torch.full_like(inside, .8)
        >>> window_loss(inside, lower, upper).item()  # a score of .5, within .2 and .8
        0.0
        >>> round(window_loss(outside, lower, upper, 'mse').item(), 4)  # (.9526 - .8)^2
        0.0233
    """
    check_focus(focus)
    if divergence not in DIVERGENCES:
        raise ValueError(f"WindowLoss: divergence is {divergence!r}; it must be 'kld' or 'mse'")
    if not logits.shape == lower.shape == upper.shape:
        raise ValueError(
            f'WindowLoss: logits {tuple(logits.shape)}, lower bound {tuple(lower.shape)} and '
            f'upper bound {tuple(upper.shape)} must have one shape (B, C, H, W); the bounds come '
            "from PointToBoundTransform, whose num_classes and strides must be the head's")
    with torch.autocast(logits.device.type, enabled=False):
        logits, lower, upper = logits.float(), lower.float(), upper.float()
        with torch.no_grad():
            probability = logits.sigmoid()
            # Named by what is inside: NaN is not, so a diverged model shows a NaN loss, not 0.
            inside = (probability > lower) & (probability <= upper)  # (paper, eq. 3)
            bound = torch.where(probability > upper, upper, lower)
        cost = (kullback_leibler if divergence == 'kld' else squared_error)(bound, logits)
        if focus:
            # The power of 0 has no gradient below an exponent of 1: no error costs nothing anyway.
            error = (logits.sigmoid() - bound).abs().clamp(min=torch.finfo(torch.float32).eps)
            cost = cost * error.pow(focus)
        return torch.where(inside, cost.new_zeros(()), cost).mean()


@MODELS.register_module()
class WindowLoss(nn.Module):
    """:func:`window_loss` as a registered module.

    Args:
        divergence: 'kld' or 'mse'.
        loss_weight: Factor of the loss.
        focus: Exponent of the error by which each cell's cost is weighed; 0 is the paper's loss.
    """

    def __init__(self, divergence: str = 'kld', loss_weight: float = 1.0, focus: float = 0.) -> None:
        super().__init__()
        check_focus(focus)
        if divergence not in DIVERGENCES:
            raise ValueError(
                f"WindowLoss: divergence is {divergence!r}; it must be 'kld' or 'mse'")
        self.divergence = divergence
        self.loss_weight = loss_weight
        self.focus = focus

    def forward(self, logits: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        """Return the weighted loss of one level; see :func:`window_loss`."""
        return self.loss_weight * window_loss(logits, lower, upper, self.divergence, self.focus)

    def extra_repr(self) -> str:
        """Return the settings, for ``print``."""
        return (f'divergence={self.divergence!r}, loss_weight={self.loss_weight}, '
                f'focus={self.focus}')
