"""From a score map to findings at one threshold, in mmdet's form."""
from collections.abc import Mapping

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmwindow.structures.findings import MapFindings, findings_in_cells, findings_in_pixels

# A finding is a component of the cells that score at least this; the highest are kept.
DEFAULT_TEST_CFG = {'score_thr': 0.5, 'max_per_img': 100}


def to_instances(findings: MapFindings, device: torch.device) -> InstanceData:
    """Return findings as ``bboxes``, ``scores``, ``labels`` and ``peaks`` on a device."""
    return InstanceData(**{name: torch.as_tensor(value, device=device) for name, value in dict(
        bboxes=findings.boxes, scores=findings.scores, labels=findings.labels,
        peaks=findings.peaks).items()})


def findings_from_map(scores: Tensor, threshold: float, max_findings: int = 100) -> InstanceData:
    """Return the 8-connected components of ``{scores >= threshold}`` as boxes.

    Args:
        scores: ``(C, h, w)``, scores of one image.
        threshold: A cell belongs to a finding from this score on.
        max_findings: Only the highest-scored ones are kept.

    Returns:
        ``bboxes`` ``(N, 4)``: x1, y1, x2, y2 in cells, spanning whole cells; ``scores`` ``(N,)``,
        the maximum within each; ``labels`` ``(N,)``; ``peaks`` ``(N, 2)``. Highest score first.
    """
    return to_instances(findings_in_cells(scores.detach().float().cpu().numpy(), threshold,
                                          max_findings), scores.device)


def instances_from_map(scores: Tensor, img_meta: Mapping, test_cfg: Mapping = DEFAULT_TEST_CFG,
                       rescale: bool = True) -> InstanceData:
    """Return the findings of one image's map in mmdet's form.

    Args:
        scores: ``(C, h, w)``, scores over exactly the frame.
        img_meta: With ``ori_shape``, ``img_shape`` (the frame) and ``scale_factor``.
        test_cfg: ``score_thr`` and ``max_per_img``.
        rescale: Boxes in pixels of the original image rather than the input.

    Returns:
        ``bboxes`` ``(N, 4)``, clipped to the image, ``scores`` and ``labels`` ``(N,)``, ``peaks``
        ``(N, 2)``; highest score first.
    """
    findings = findings_in_pixels(
        scores.detach().float().cpu().numpy(), test_cfg['score_thr'], test_cfg['max_per_img'],
        img_meta['img_shape'][:2], img_meta['ori_shape' if rescale else 'img_shape'][:2],
        img_meta['scale_factor'] if rescale else (1., 1.))
    return to_instances(findings, scores.device)
