"""From predictions of several views of an image to one (pure functions)."""
from collections.abc import Sequence

import numpy as np
import torch
from mmdet.structures.bbox import bbox_overlaps
from mmengine.structures import InstanceData
from torch import Tensor

from mmwindow.models.utils.maps import sample_bilinear
from mmwindow.utils.messages import none_of

EDGE = 1e-6  # of a cell: a centre is not taken for outside by rounding


def average_maps(maps: Sequence[Tensor], matrices: Sequence[np.ndarray]) -> Tensor:
    """Return the mean of the views' maps on the grid of the first, each read where it saw the cell.

    A view counts where its map covers a cell's centre. Cells of one value in all views keep it.

    Args:
        maps: ``(C, h_v, w_v)`` per view.
        matrices: ``(3, 3)`` per view: from the result's cells ``(column, row, 1)``, the first
            cell's centre at ``(0.5, 0.5)``, to those of the view.

    Returns:
        ``(C, h_0, w_0)`` in the dtype of the maps.

    Raises:
        ValueError: No view covers some cell.
    """
    rows, columns = (torch.arange(size, dtype=torch.float64, device=maps[0].device) + 0.5
                     for size in maps[0].shape[1:])
    mean, count = torch.zeros_like(maps[0]), torch.zeros(len(rows), len(columns), device=rows.device)
    for view, matrix in zip(maps, matrices, strict=True):
        (xx, xy, x0), (yx, yy, y0), _ = np.asarray(matrix, dtype=np.float64).tolist()
        # Rounded, so that a mirrored cell is read at its centre and not next to it.
        x = (xx * columns + xy * rows[:, None] + x0).round(decimals=6)
        y = (yx * columns + yy * rows[:, None] + y0).round(decimals=6)
        height, width = view.shape[1:]
        is_seen = (x > -EDGE) & (x < width + EDGE) & (y > -EDGE) & (y < height + EDGE)
        count += is_seen
        # A running mean leaves equal values as they are, whatever their number.
        step = (sample_bilinear(view, y, x) - mean) / count.clamp(min=1).to(mean.dtype)
        mean = torch.where(is_seen, mean + step, mean)
    if not (count > 0).all():
        raise ValueError(f'{int((count == 0).sum())} of {count.numel()} cells are seen by '
                         f'{none_of(len(maps), "view")}; add the image as it is to the '
                         'tta_pipeline, RandomFlip(prob=0.)')
    return mean


def move_boxes(boxes: Tensor, matrix: np.ndarray) -> Tensor:
    """Return boxes ``(N, 4)`` whose centres a matrix ``(3, 3)`` has moved, of unchanged size."""
    transform = torch.as_tensor(np.asarray(matrix), dtype=boxes.dtype, device=boxes.device)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    shift = centres @ transform[:2, :2].T + transform[:2, 2] - centres
    return boxes + torch.cat([shift, shift], dim=1)


def vote_boxes(instances: InstanceData, iou_threshold: float = 0.5,
               max_per_img: int = 100) -> InstanceData:
    """Return the boxes of several views merged by non-maximum suppression with box voting.

    As in NMS, the best box takes away those of its class that overlap it by more than the
    threshold, and keeps its score; but its corners become the mean of all of these, weighted by
    their scores (Gidaris and Komodakis, *Object detection via a multi-region and semantic
    segmentation-aware CNN model*, ICCV 2015, section 5).

    Args:
        instances: ``bboxes`` ``(N, 4)``, ``scores`` ``(N,)`` not negative, ``labels`` ``(N,)``.
        iou_threshold: Intersection over union.
        max_per_img: Only the highest-scored boxes are kept.

    Returns:
        The same fields, highest score first; of equal scores the first given comes first.
    """
    instances = instances[instances.scores.argsort(descending=True, stable=True)]
    boxes, scores = instances.bboxes, instances.scores
    overlaps = bbox_overlaps(boxes, boxes) if len(boxes) else boxes.new_zeros(0, 0)
    overlaps *= instances.labels[:, None] == instances.labels
    overlaps.fill_diagonal_(torch.inf)  # a box without an area belongs to its own cluster, too
    is_left = torch.ones(len(boxes), dtype=torch.bool, device=boxes.device)
    kept: list[int] = []
    merged: list[Tensor] = []
    for index in range(len(boxes)):
        if not is_left[index] or len(kept) == max_per_img:
            continue
        cluster = is_left & (overlaps[index] > iou_threshold)
        is_left &= ~cluster
        weights = scores[cluster].double().clamp(min=torch.finfo(torch.float64).tiny)[:, None]
        kept.append(index)
        merged.append((boxes[cluster] * weights).sum(dim=0) / weights.sum())
    chosen = torch.tensor(kept, dtype=torch.long, device=boxes.device)
    return InstanceData(
        bboxes=torch.stack(merged).to(boxes) if merged else boxes.new_zeros(0, 4),
        scores=scores[chosen], labels=instances.labels[chosen])
