"""From maps as a network gives them to one score map of the frame (pure functions)."""
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST_SCORE = 1e-30  # keeps the logarithm finite; logits beyond 69 have no gradient


def sample_bilinear(maps: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Read maps between their cells, bilinear; cells of one value give exactly this value.

    A blend ``a + w (b - a)`` is a where a equals b, whatever w is. ``(1 - w) a + w b`` may differ
    from it in the last bit, and a plateau would fall apart into findings.

    Args:
        maps: ``(..., h, w)``.
        rows: Positions in cells, the centre of row i at ``i + 0.5``; any shape that broadcasts with
            ``columns``. Positions beyond the outermost centres read the outermost cells.
        columns: Likewise.

    Returns:
        ``(..., *broadcast shape)`` in the dtype of the maps.
    """
    low, high, weights = [], [], []
    for position, size in zip((rows, columns), maps.shape[-2:], strict=True):
        position = (position.to(maps.device, torch.float64) - 0.5).clamp(0, size - 1)
        low.append(position.floor().long())
        high.append((low[-1] + 1).clamp(max=size - 1))
        weights.append((position - low[-1]).to(maps.dtype))
    top, bottom = (_blend(maps[..., row, low[1]], maps[..., row, high[1]], weights[1])
                   for row in (low[0], high[0]))
    return _blend(top, bottom, weights[0])


def _blend(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    return first + weight * (second - first)


def resize_maps(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Return maps on another grid over the same frame, bilinear with unaligned corners.

    Args:
        maps: ``(B, C, h, w)``.
        size: Rows and columns of the new grid.

    Returns:
        ``(B, C, *size)`` in the dtype of the maps; equal neighbours stay equal.

    Example:
        >>> resize_maps(torch.tensor([[[[0., 1.]]]]), (1, 4))
        tensor([[[[0.0000, 0.2500, 0.7500, 1.0000]]]])
    """
    # Columns, then rows: the blends are those of sample_bilinear, to the bit. int(): sizes are fixed
    # in an export to ONNX, which would compute with them.
    for axis, new in zip((-1, -2), map(int, (size[1], size[0])), strict=True):
        old = int(maps.shape[axis])
        if new == old:
            continue
        position = (torch.arange(new, dtype=torch.float64) + 0.5) * (old / new)
        position = (position - 0.5).clamp(0, old - 1)
        low = position.floor().long()
        high = (low + 1).clamp(max=old - 1)
        weight = (position - low).to(maps)
        first, second = (maps.index_select(axis, index.to(maps.device)) for index in (low, high))
        maps = _blend(first, second, weight if axis == -1 else weight[:, None])
    return maps


def merge_levels(logits: Sequence[Tensor]) -> Tensor:
    """Return the mean of the levels' sigmoid maps on the finest grid (paper, section 3).

    Args:
        logits: ``(B, C, h_l, w_l)`` per level, finest first.

    Returns:
        ``(B, C, h_0, w_0)``, float32 scores in [0, 1]. Cells whose logits are equal on all levels
        have equal scores.
    """
    with torch.autocast(logits[0].device.type, enabled=False):
        # A sigmoid in float16 is 1.0 from logit 8.3 on. That of torch in float32 differs in the last
        # bit between the part of an array that is computed in vectors and its end.
        maps = [level.double().sigmoid().float() for level in logits]
        size = maps[0].shape[-2:]
        total = maps[0]
        for level in maps[1:]:
            total = total + resize_maps(level, size)
        return total / len(maps)


def mean_logits(logits: Sequence[Tensor]) -> Tensor:
    """Return the logits of the merged maps of :func:`merge_levels`, for a loss.

    Enlarged by torch's own function, which is faster backwards and may differ in the last bit.

    Args:
        logits: ``(B, C, h_l, w_l)`` per level, finest first.

    Returns:
        ``(B, C, h_0, w_0)`` float32, the logits of the mean of the levels' scores.
    """
    with torch.autocast(logits[0].device.type, enabled=False):
        size = logits[0].shape[-2:]
        # Of the scores and of what they lack to 1: 1 - p would be 0 from logit 17 on.
        yes, no = (torch.stack([F.interpolate((sign * level.float()).sigmoid(), size, mode='bilinear',
                                              align_corners=False) for level in logits]).mean(0)
                   for sign in (1, -1))
        return yes.clamp(min=LEAST_SCORE).log() - no.clamp(min=LEAST_SCORE).log()


def crop_to_frame(maps: Tensor, img_meta: Mapping, stride: int) -> Tensor:
    """Return the part of maps that covers the frame: padding of the batch beyond it is cut off.

    Args:
        maps: ``(C, h, w)`` over the padded batch.
        img_meta: With ``img_shape``, height and width of the frame in input pixels.
        stride: Side of a cell in input pixels.

    Raises:
        ValueError: The frame ends within a cell, so that no part of the map covers it exactly.
    """
    height, width = img_meta['img_shape'][:2]
    if height % stride or width % stride:
        raise ValueError(
            f'{img_meta.get("img_path")}: the network sees {width} x {height} pixels, no '
            f'multiple of its finest stride {stride}, so that the map cannot cover them exactly; end '
            'the pipeline with PadToInput and choose an input size that is a multiple of it')
    return maps[..., :height // stride, :width // stride]


def bounded_scores(logits: Tensor) -> Tensor:
    """Return ``(1 + z / (1 + |z|)) / 2``: logits as scores in (0, 1), 0.5 where z is 0.

    The FROC of a map does not change under a strictly rising function of all maps. A sigmoid is
    not strictly rising in float32: from logit 17 on it is 1.0, and a class activation map goes
    far beyond; cells tied there would merge into one finding.

    Args:
        logits: float32, any shape.

    Returns:
        float64, in which each float32 up to a million has a score of its own.
    """
    logits = logits.double()
    return 0.5 + 0.5 * logits / (1 + logits.abs())
