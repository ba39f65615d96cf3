"""From a score map to findings at one threshold."""
import numpy as np
import torch
from mmengine.structures import InstanceData
from scipy import ndimage

EIGHT_CONNECTED = np.ones((3, 3), dtype=int)


def findings_from_map(scores, threshold, cell_size, max_findings=100):
    """Return the 8-connected components of ``{scores >= threshold}`` as boxes.

    Args:
        scores (Tensor): ``(C, h, w)``, scores of one image.
        threshold (float): A cell belongs to a finding from this score on.
        cell_size (tuple[float, float]): Width and height of a cell in the unit of the
            boxes.
        max_findings (int): Only the highest-scored ones are kept.

    Returns:
        dict: ``boxes`` ``(N, 4)`` as x1, y1, x2, y2, spanning whole cells; ``scores``
        ``(N,)``, the maximum within each; ``labels`` ``(N,)``. Highest score first.
    """
    boxes, values, labels = [], [], []
    for label, class_scores in enumerate(scores.detach().float().cpu().numpy()):
        components, num = ndimage.label(class_scores >= threshold, structure=EIGHT_CONNECTED)
        for index, (rows, columns) in enumerate(ndimage.find_objects(components), start=1):
            inside = components[rows, columns] == index
            boxes.append((columns.start, rows.start, columns.stop, rows.stop))
            values.append(class_scores[rows, columns][inside].max())
            labels.append(label)
    order = np.argsort(-np.asarray(values), kind='stable')[:max_findings]
    width, height = cell_size
    boxes = np.asarray(boxes, dtype=np.float32).reshape(-1, 4) * (width, height, width, height)
    return dict(
        boxes=torch.as_tensor(boxes[order], dtype=torch.float32, device=scores.device),
        scores=torch.as_tensor(np.asarray(values, dtype=np.float32)[order], device=scores.device),
        labels=torch.as_tensor(np.asarray(labels, dtype=np.int64)[order], device=scores.device))


def instances_from_map(scores, img_meta, stride, test_cfg, rescale=True):
    """Return the findings of one image's map in mmdet's form.

    Args:
        scores (Tensor): ``(C, h, w)``, scores over the padded frame.
        img_meta (dict): With ``ori_shape``, ``img_shape`` and ``scale_factor``.
        stride (int): Side of a cell in input pixels.
        test_cfg (dict): ``score_thr`` and ``max_per_img``.
        rescale (bool): Boxes in pixels of the original image rather than the input.

    Returns:
        InstanceData: ``bboxes`` ``(N, 4)``, clipped to the image, ``scores`` and ``labels``
        ``(N,)``; highest score first.
    """
    width_factor, height_factor = img_meta['scale_factor'] if rescale else (1., 1.)
    findings = findings_from_map(scores, test_cfg['score_thr'],
                                 (stride / width_factor, stride / height_factor),
                                 test_cfg['max_per_img'])
    height, width = img_meta['ori_shape' if rescale else 'img_shape'][:2]
    boxes = findings['boxes']
    boxes[:, 0::2].clamp_(0, width)
    boxes[:, 1::2].clamp_(0, height)
    # A component that lies wholly in the padding is clipped to nothing.
    visible = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return InstanceData(bboxes=boxes, scores=findings['scores'],
                        labels=findings['labels'])[visible]
