"""From a score map to findings at one threshold, in mmdet's form."""
from collections.abc import Mapping

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmwindow.structures.components import component_boxes

# A finding is a component of the cells that score at least this; the highest are kept.
DEFAULT_TEST_CFG = {'score_thr': 0.5, 'max_per_img': 100}


def findings_from_map(scores: Tensor, threshold: float, max_findings: int = 100) -> InstanceData:
    """Return the 8-connected components of ``{scores >= threshold}`` as boxes.

    Args:
        scores: ``(C, h, w)``, scores of one image.
        threshold: A cell belongs to a finding from this score on.
        max_findings: Only the highest-scored ones are kept.

    Returns:
        ``bboxes`` ``(N, 4)``: x1, y1, x2, y2 in cells, spanning whole cells; ``scores`` ``(N,)``,
        the maximum within each; ``labels`` ``(N,)``. Highest score first.
    """
    found = [component_boxes(class_scores, threshold)
             for class_scores in scores.detach().float().cpu().numpy()]
    values = np.concatenate([highest for _, highest in found])
    labels = np.repeat(np.arange(len(found)), [len(boxes) for boxes, _ in found])
    order = np.argsort(-values, kind='stable')[:max_findings]
    boxes = np.concatenate([boxes for boxes, _ in found])[order].astype(np.float32)
    return InstanceData(**{name: torch.as_tensor(value, device=scores.device) for name, value in dict(
        bboxes=boxes, scores=values[order], labels=labels[order]).items()})


def instances_from_map(scores: Tensor, img_meta: Mapping, test_cfg: Mapping = DEFAULT_TEST_CFG,
                       rescale: bool = True) -> InstanceData:
    """Return the findings of one image's map in mmdet's form.

    Args:
        scores: ``(C, h, w)``, scores over exactly the frame.
        img_meta: With ``ori_shape``, ``img_shape`` (the frame) and ``scale_factor``.
        test_cfg: ``score_thr`` and ``max_per_img``.
        rescale: Boxes in pixels of the original image rather than the input.

    Returns:
        ``bboxes`` ``(N, 4)``, clipped to the image, ``scores`` and ``labels`` ``(N,)``; highest
        score first.
    """
    findings = findings_from_map(scores, test_cfg['score_thr'], test_cfg['max_per_img'])
    frame, shown = img_meta['img_shape'][:2], img_meta['ori_shape' if rescale else 'img_shape'][:2]
    factors = img_meta['scale_factor'] if rescale else (1., 1.)
    for axis, factor in enumerate(factors):  # x, then y
        sides = findings.bboxes[:, axis::2]
        sides *= frame[1 - axis] / scores.shape[2 - axis] / factor
        sides.clamp_(0, shown[1 - axis])
    # A component that lies in the padding alone is clipped to nothing.
    return findings[(findings.bboxes[:, 2:] > findings.bboxes[:, :2]).all(dim=1)]
