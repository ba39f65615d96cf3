"""From one map per level to one map."""
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
