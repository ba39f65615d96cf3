"""From a map to one number per channel: how the classifiers pool (pure functions)."""
import math

import torch
from torch import Tensor


def check_sharpness(sharpness: float) -> float:
    """Return the sharpness of a log-sum-exp pooling as a float.

    Raises:
        ValueError: It is no number in (0, 100].
    """
    if isinstance(sharpness, bool) or not isinstance(sharpness, int | float) or (
            not 0 < sharpness <= 100):
        raise ValueError(f'sharpness is {sharpness!r}; a number above 0 (towards the mean) and up '
                         'to 100 (as good as the maximum) is expected')
    return float(sharpness)


def mean_pool(values: Tensor) -> Tensor:
    """Return the mean over cells: global average pooling, ``(B, K, h, w)`` to ``(B, K)``."""
    return values.mean(dim=(2, 3))


def log_sum_exp_pool(values: Tensor, sharpness: float) -> Tensor:
    """Return ``1/r log(mean exp(r x))`` over cells, r the sharpness.

    A smooth way from the mean (r towards 0) to the maximum (r towards infinity) of Pinheiro
    and Collobert, *From Image-level to Pixel-level Labeling with Convolutional Networks*,
    CVPR 2015, eq. 3. The largest term is taken out first, so no exponential overflows.

    Args:
        values: ``(B, K, h, w)``.
        sharpness: r, positive.

    Returns:
        ``(B, K)``, between the mean and the maximum of the cells.
    """
    cells = values.flatten(2)
    return (torch.logsumexp(sharpness * cells, dim=2) - math.log(cells.shape[2])) / sharpness


def pooled_probability_logits(logits: Tensor, sharpness: float) -> Tensor:
    """Return the logit of the log-sum-exp pooled probability of a map.

    With s the sigmoid of the logits, the pooled probability is ``p = 1/r log(mean exp(r s))``,
    and ``1 - p = -1/r log(mean exp(-r (1 - s)))``. Each is computed without subtracting from 1
    and in float64, so that ``log p - log(1 - p)`` is exact for maps close to 0 or to 1 and the
    cross entropy of p needs no clipping. The smallest 1 - s is taken out first: a mean of
    ``expm1(-r (1 - s))`` would round to -1 for r from 37 on.

    Args:
        logits: ``(B, C, h, w)``.
        sharpness: r, in (0, 100].

    Returns:
        ``(B, C)``, logits in the dtype of the input.
    """
    cells = logits.flatten(2).double()
    probability = torch.expm1(sharpness * cells.sigmoid()).mean(dim=2).log1p() / sharpness
    missing = (-cells).sigmoid()
    least = missing.detach().amin(dim=2, keepdim=True)  # any number would do: no gradient
    complement = least.squeeze(2) - torch.expm1(
        -sharpness * (missing - least)).mean(dim=2).log1p() / sharpness
    smallest = torch.finfo(cells.dtype).tiny  # reached from logits of -700 on alone
    pooled = probability.clamp_min(smallest).log() - complement.clamp_min(smallest).log()
    return pooled.to(logits.dtype)
