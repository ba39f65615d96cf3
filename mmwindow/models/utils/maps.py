"""From maps as a network gives them to one score map (pure functions)."""
import torch
import torch.nn.functional as F


def merge_levels(logits):
    """Return the mean of the levels' sigmoid maps on the finest grid (paper, section 3).

    Args:
        logits (Sequence[Tensor]): ``(B, C, h_l, w_l)`` per level, finest first.

    Returns:
        Tensor: ``(B, C, h_0, w_0)``, float32 scores in [0, 1].
    """
    with torch.autocast(logits[0].device.type, enabled=False):
        # float32: a float16 sigmoid is 1.0 from logit 8.3 on, and ties there are not real.
        maps = [level.float().sigmoid() for level in logits]
        size = maps[0].shape[-2:]
        maps = [maps[0], *(F.interpolate(level, size=size, mode='bilinear', align_corners=False)
                           for level in maps[1:])]
        return torch.stack(maps).mean(dim=0)


def enlarge(maps, factor):
    """Return maps on a grid ``factor`` times as fine, bilinear.

    Args:
        maps (Tensor): ``(B, C, h, w)``.
        factor (int): Cells of the new grid per cell of the old, along each side.

    Returns:
        Tensor: ``(B, C, factor h, factor w)``, float32.
    """
    # float64: in float32 the blend of two equal cells may differ from them in the last bit, and a
    # plateau at the border would fall apart into findings.
    return F.interpolate(maps.double(), scale_factor=factor, mode='bilinear',
                         align_corners=False).float()


def bounded_scores(logits):
    """Return ``(1 + z / (1 + |z|)) / 2``: logits as scores in (0, 1), 0.5 where z is 0.

    The FROC of a map does not change under a strictly rising function of all maps. A sigmoid is
    not strictly rising in float32: from logit 17 on it is 1.0, and a class activation map goes
    far beyond; cells tied there would merge into one finding.

    Args:
        logits (Tensor): float32, any shape.

    Returns:
        Tensor: float64, in which each float32 up to a million has a score of its own.
    """
    logits = logits.double()
    return 0.5 + 0.5 * logits / (1 + logits.abs())
