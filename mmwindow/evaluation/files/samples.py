"""From a data sample of mmdet, as a dict, to prediction and target in pixels of the image.

The metric of the runner, the file that ``tools/test.py --out`` writes and the reader of old pickles
all come through here. Tensors are recognised by what they can do: torch is not imported.
"""
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwindow.annotations.checks import is_finite
from mmwindow.evaluation.files.predictions import Prediction, Target
from mmwindow.utils.messages import count_words, quote, shorten

Sample = Mapping[str, Any]


def to_numpy(value: Any) -> NDArray[Any]:
    """Return a tensor, boxes of mmdet or an array as an array; low-precision floats become float32.

    float64 stays: a classifier's scores near 1 are told apart in it alone.
    """
    value = getattr(value, 'tensor', value)  # mmdet's HorizontalBoxes
    if hasattr(value, 'detach'):
        value = value.detach().cpu()
        is_low = value.is_floating_point() and value.element_size() < 4
        value = (value.float() if is_low else value).numpy()
    value = np.asarray(value)
    return np.asarray(value.astype(np.float32) if value.dtype == np.float16 else value)


def scores_to_numpy(value: Any, what: str) -> NDArray[Any]:
    """Return scores as an array.

    Raises:
        ValueError: They are float16 or bfloat16. A float16 sigmoid is 1.0 from logit 8.3 on; made
            float32, its ties would look honest.
    """
    dtype = str(getattr(value, 'dtype', ''))
    if dtype.endswith('float16'):
        raise ValueError(f'the {what} are of type {dtype}; float32 or float64 is expected. Compute '
                         'the sigmoid outside autocast, or set val_cfg.fp16 and test_cfg.fp16 to '
                         'False')
    return to_numpy(value)


def cut_to_frame(maps: NDArray[Any], sample: Sample) -> NDArray[Any]:
    """Return maps ``(C, n, m)`` that cover exactly the frame.

    Heads of ours cut their maps already. Where a map covers the batch, which the data preprocessor
    pads, the cells beyond the frame are cut off.

    Args:
        maps: ``(C, n, m)``.
        sample: ``img_shape`` is the frame, ``batch_input_shape`` the padded batch, both
            ``(height, width)`` in input pixels; without them the map is taken as it is.

    Raises:
        ValueError: It is not certain what the map covers.
    """
    frame, batch = (sample.get(key) for key in ('img_shape', 'batch_input_shape'))
    if maps.ndim != 3 or maps.size == 0 or frame is None or batch is None or (
            tuple(frame[:2]) == tuple(batch[:2])):
        return maps
    rows, columns = maps.shape[1:]

    def stride(shape: Sequence[int]) -> int:
        """Return the side of a cell in input pixels if the map covers the shape; 0 if not."""
        side = int(shape[0]) // rows
        return side if side and (side * rows, side * columns) == tuple(shape[:2]) else 0

    cut, padded = stride(frame), stride(batch)
    if padded and not cut and not (frame[0] % padded or frame[1] % padded):
        return maps[:, :frame[0] // padded, :frame[1] // padded]
    if cut and not padded:
        return maps
    raise ValueError(
        f'the map has {rows} x {columns} cells; the network saw {tuple(batch[:2])} pixels, of which '
        f'{tuple(frame[:2])} are the frame (height, width), and which of the two the map covers is '
        'not certain. Choose an input size that is a multiple of pad_size_divisor of the data '
        'preprocessor')


def sample_prediction(sample: Sample, classes: Sequence[str] | None = None) -> Prediction:
    """Return what was predicted: the map where there is one, else the boxes.

    Args:
        sample: ``pred_heatmap.scores`` ``(C, n, m)``, or ``pred_instances`` with ``bboxes`` in
            pixels of the original image, ``scores`` and ``labels``; optionally ``image_score``.
        classes: Names that labels count, where they are known.

    Raises:
        ValueError: Something is missing, of low precision, or of another shape.
    """
    if 'img_id' not in sample or 'ori_shape' not in sample:
        raise ValueError(f'the data sample has no '
                         f'{"ori_shape" if "img_id" in sample else "img_id"}; PackPointInputs and '
                         'PackDetInputs put it into the metainfo')
    height, width = _size_of(sample)
    common: dict[str, Any] = dict(height=height, width=width, classes=classes)
    if sample.get('image_score') is not None:
        common['image_scores'] = scores_to_numpy(sample['image_score'], 'image scores').reshape(-1)
    if sample.get('pred_heatmap') is not None:
        maps = scores_to_numpy(_entry(sample['pred_heatmap'], 'scores'), 'map scores')
        return Prediction(sample['img_id'], maps=cut_to_frame(maps, sample), **common)
    if sample.get('pred_instances') is None:
        raise ValueError('the data sample has neither pred_heatmap nor pred_instances')
    boxes, scores, labels = (_entry(sample['pred_instances'], key)
                             for key in ('bboxes', 'scores', 'labels'))
    return Prediction(sample['img_id'], boxes=to_numpy(boxes).reshape(-1, 4),
                      scores=scores_to_numpy(scores, 'box scores'), labels=to_numpy(labels), **common)


def _size_of(sample: Sample) -> Sequence[Any]:
    """Return height and width of the image, both None where they are not known."""
    shape = sample['ori_shape']
    if not isinstance(shape, Sequence) or len(shape) < 2 or not all(
            side is None or is_finite(side) for side in shape[:2]):
        raise ValueError(f'the data sample has the ori_shape {quote(shape)}; height and width in '
                         'pixels are expected')
    return shape[:2]


def sample_target(sample: Sample) -> Target:
    """Return the ground truth that a data sample carries.

    Our pipelines hand on ``ori_points`` and ``ori_point_labels``, optionally ``ori_boxes``. Those of
    mmdet hand on boxes, whose centres are the points: ``instances`` of the metainfo, or
    ``gt_instances`` where annotations are loaded after the image is resized, as stock test
    pipelines do.

    Raises:
        ValueError: It carries none, or boxes that are ignored and cannot be counted.
    """
    for name in ('ori_shape', 'img_id'):
        if name not in sample:
            raise ValueError(f'the data sample has no {name}; PackPointInputs and PackDetInputs put '
                             'it into the metainfo')
    height, width = _size_of(sample)
    boxes = None
    if 'ori_points' in sample or 'ori_point_labels' in sample:
        for name in ('ori_points', 'ori_point_labels'):
            if name not in sample:
                raise ValueError(f'the data sample has no {name}; PackPointInputs puts it into the '
                                 'metainfo')
        points = np.asarray(sample['ori_points'], dtype=np.float64).reshape(-1, 2)
        labels = np.asarray(sample['ori_point_labels'], dtype=int).reshape(-1)
        if sample.get('ori_boxes') is not None:
            boxes = np.asarray(sample['ori_boxes'], dtype=np.float64).reshape(-1, 4)
    else:
        boxes, labels = _sample_boxes(sample)
        points = (boxes[:, :2] + boxes[:, 2:]) / 2
    if len(labels) != len(points):
        raise ValueError(f'{count_words(len(points), "point has", "points have")} the labels '
                         f'{labels.tolist()}; one each is '
                         'expected')
    file_name = Path(sample['img_path']).name if sample.get('img_path') else None
    return Target(
        sample['img_id'], height, width, points, labels, boxes, group=sample.get('group'),
        fields={**({'file_name': file_name} if file_name else {}), **(sample.get('fields') or {})})


def _sample_boxes(sample: Sample) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the ground truth's boxes ``(N, 4)`` in pixels of the image, and labels."""
    if 'instances' in sample:
        rows = sample['instances']
        boxes = np.array([row['bbox'] for row in rows], dtype=np.float64).reshape(-1, 4)
        labels = np.array([row['bbox_label'] for row in rows], dtype=int)
        num_ignored = sum(bool(row.get('ignore_flag')) for row in rows)
    elif 'gt_instances' in sample:
        found, ignored = sample['gt_instances'], sample.get('ignored_instances') or {}
        boxes = to_numpy(found['bboxes']).reshape(-1, 4).astype(np.float64)
        labels = to_numpy(found['labels']).astype(int)
        num_ignored = len(ignored['bboxes']) if 'bboxes' in ignored else 0
    else:
        raise ValueError(
            'the data sample has no ori_points, instances or gt_instances: nothing says what the '
            'image holds. Load annotations in the test pipeline, or give FROCMetric the ann_file')
    if num_ignored:
        raise ValueError(f'{count_words(num_ignored, "annotation is", "annotations are")} ignored '
                         f'or crowds; their findings cannot be '
                         'counted: annotate each, or remove them')
    return boxes, labels


def _entry(content: Any, key: str) -> Any:
    """Return an entry of what a sample holds."""
    if not isinstance(content, Mapping) or key not in content:
        raise ValueError(f'the data sample has no {key} in {shorten(content)}; write the file again '
                         'with tools/test.py --out')
    return content[key]
