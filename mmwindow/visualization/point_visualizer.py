"""The visualizer of MMDetection's tools: points, bounds, heat maps, pseudo-boxes and outcomes."""
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmdet.registry import VISUALIZERS
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.dist import master_only

from mmwindow.evaluation.hit_rules import HitRule, make_hit_rule
from mmwindow.images.decode import MAX_PIXELS, ImageSettings, read_image
from mmwindow.visualization.examples import Example, judge_example
from mmwindow.visualization.overlay import draw_bounds, overlay_heatmap
from mmwindow.visualization.visualization_hook import (  # its old place
    PointVisualizationHook as PointVisualizationHook,
)

WRITABLE = ('.png', '.jpg', '.jpeg')


@VISUALIZERS.register_module()
class PointVisualizer(DetLocalVisualizer):
    """Paint what was annotated and what was predicted, as the metric sees it.

    A training sample (``browse_dataset.py``) is painted on its augmented pixels: points as crosses,
    pseudo-boxes, the contours of the lower (green) and upper (orange) bound. A prediction is painted
    on the original image as :mod:`mmwindow.images.decode` reads it, whatever pixels the caller has:
    points and findings are in stored pixels, and mmcv would turn an image with an EXIF tag and
    paint one of 12 bits black. Heat map, points and findings are coloured by outcome where the hit
    rule is known (:class:`PointVisualizationHook`) and points are there; see
    :func:`~mmwindow.visualization.overlay_heatmap`. Findings are the components of the map, or the
    boxes, that score ``pred_score_thr``. Samples without points or maps are painted by mmdet.

    Args:
        name: Of the instance.
        rule: Hit rule by name, with ``numbers``; the run's own where this is None.
        numbers: Of the rule, such as ``hit_radius``.
        bit_depth: Of images stored in 16 bits, as in the config's LoadImageFromFile; the run's own
            where this is None.
        max_pixels: Width times height of the largest image that is read, likewise.
        **kwargs: As in mmdet's ``DetLocalVisualizer``.
    """

    def __init__(self, name: str = 'visualizer', rule: str | None = None,
                 numbers: dict | None = None, bit_depth: int | None = None,
                 max_pixels: int | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.rule: HitRule | None = None if rule is None else make_hit_rule(rule, **(numbers or {}))
        self.bit_depth = bit_depth
        self.max_pixels = max_pixels
        self._painted: dict[Path, str] = {}

    @master_only
    def add_datasample(self, name: str, image: np.ndarray, data_sample: DetDataSample | None = None,
                       draw_gt: bool = True, draw_pred: bool = True, show: bool = False,
                       wait_time: float = 0, out_file: str | None = None,
                       pred_score_thr: float = 0.3, step: int = 0) -> None:
        """Paint a sample and show, write or store it; arguments are those of mmdet.

        Args:
            name: Of the image.
            image: ``(H, W, 3)`` RGB.
            data_sample: With predictions, or of a training pipeline.
            draw_gt: Paint the points, or the training targets.
            draw_pred: Paint heat map and findings.
            show: Open a window.
            wait_time: Seconds that it stays.
            out_file: Where the picture goes; written as PNG where the suffix is neither .png nor
                .jpg. A second image of one name gets a number.
            pred_score_thr: Findings score at least this.
            step: Of the storage backends.

        Raises:
            ValueError: The image at ``img_path`` is not the one that was predicted.
        """
        image_path = '' if data_sample is None else str(data_sample.metainfo.get('img_path') or name)
        out_file = out_file and self.free_path(out_file, image_path)
        is_predicted = draw_pred and data_sample is not None and 'pred_instances' in data_sample
        if data_sample is not None and is_predicted:
            image = stored_pixels(image, data_sample.metainfo, ImageSettings(
                self.bit_depth, self.max_pixels or MAX_PIXELS))
        if data_sample is None or not (
                'pred_heatmap' in data_sample or 'ori_points' in data_sample
                or holds_points(data_sample)):
            super().add_datasample(name, image, data_sample, draw_gt, draw_pred, show, wait_time,
                                   out_file, pred_score_thr, step)
            return
        sample = data_sample.cpu().numpy()
        if is_predicted:
            painted = self.paint_prediction(image, sample, pred_score_thr, draw_gt)
        else:
            painted = paint_targets(image, sample) if draw_gt else image
        self.set_image(painted)
        if show:
            self.show(painted, win_name=name, wait_time=wait_time)
        if out_file:
            mmcv.imwrite(painted[..., ::-1], out_file)
        else:
            self.add_image(name, painted, step)

    def paint_prediction(self, image: np.ndarray, sample: DetDataSample, threshold: float,
                         draw_gt: bool = True) -> np.ndarray:
        """Return the original image with heat map, points and findings of all classes.

        Args:
            image: ``(H, W, 3)`` RGB, uint8.
            sample: With ``pred_heatmap`` or ``pred_instances``, as arrays.
            threshold: Findings score at least this.
            draw_gt: Paint the points, too.
        """
        meta = sample.metainfo
        points = np.asarray(meta.get('ori_points', ()), dtype=float).reshape(-1, 2)
        labels = np.asarray(meta.get('ori_point_labels', np.zeros(len(points))), dtype=int)
        maps = sample.pred_heatmap.scores if 'pred_heatmap' in sample else None
        found = sample.pred_instances
        num_classes = len(maps) if maps is not None else int(max([0, *found.labels])) + 1
        num_classes = max([num_classes - 1, *labels]) + 1
        judged = []
        for label in range(num_classes):
            boxes = None if maps is not None else found.bboxes[
                (found.labels == label) & (found.scores >= threshold)]
            judged.append(judge_example(Example(
                image, points[labels == label], None if maps is None else maps[label], boxes,
                threshold), self.rule or 'disk_overlap'))
        outcomes: dict[str, np.ndarray] = {}
        if self.rule is not None and 'ori_points' in meta:
            outcomes = {name: np.concatenate([getattr(one, name) for one in judged])
                        for name in ('found', 'is_hit', 'is_false_positive')}
        shown = np.concatenate([points[labels == label] for label in range(num_classes)])
        if not draw_gt:
            shown = shown[:0]
            outcomes.pop('found', None)
        return overlay_heatmap(image, None if maps is None else maps.max(axis=0), shown,
                               np.concatenate([one.boxes for one in judged]),
                               outcomes.get('found'), outcomes.get('is_hit'),
                               outcomes.get('is_false_positive'))

    def free_path(self, out_file: str, image_path: str) -> str:
        """Return where a picture goes, so that none takes the place of another image's."""
        path = Path(out_file)
        if path.suffix.lower() not in WRITABLE:
            path = path.with_name(f'{path.name}.png')
        number, first = 1, path
        while self._painted.setdefault(path, image_path) != image_path:
            number += 1
            path = first.with_name(f'{first.stem}_{number}{first.suffix}')
        return str(path)


def holds_points(sample: DetDataSample) -> bool:
    """Return whether the targets of a sample are points."""
    boxes = sample.gt_instances.get('bboxes') if 'gt_instances' in sample else None
    return boxes is not None and boxes.shape[-1] == 2


def stored_pixels(image: np.ndarray | None, img_meta: dict[str, Any],
                  settings: ImageSettings | None = None) -> np.ndarray:
    """Return the pixels that were predicted, ``(H, W, 3)`` RGB uint8: the file's where there is one.

    Args:
        image: What the caller read; taken where ``img_path`` names no file of this machine.
        img_meta: With ``img_path`` and ``ori_shape``.
        settings: How the file is read, as in the config.

    Raises:
        ValueError: The pixels have another size than what was predicted.
    """
    path = img_meta.get('img_path')
    if path and Path(path).is_file():
        image = read_image(path, settings).to_bgr()[..., ::-1]
    shape = () if image is None else image.shape[:2]
    expected = tuple(img_meta.get('ori_shape', shape)[:2])
    if image is None or shape != expected:
        raise ValueError(f'{path}: the picture has height and width {shape}, the '
                         f'prediction was made on {expected}; paint the image that was predicted')
    return np.ascontiguousarray(image.clip(0, 255).astype(np.uint8))


def paint_targets(image: np.ndarray, sample: DetDataSample) -> np.ndarray:
    """Return a training image with its bounds, pseudo-boxes and points.

    Args:
        image: ``(H, W, 3)`` RGB, the augmented pixels.
        sample: As arrays; ``gt_instances.bboxes`` ``(N, 2)`` points or ``(N, 4)`` boxes, and
            ``gt_bounds``.
    """
    image = np.ascontiguousarray(image.clip(0, 255).astype(np.uint8))
    if 'gt_bounds' in sample:
        finest = sample.gt_bounds.get(min(sample.gt_bounds.keys(), key=lambda key: int(key[6:])))
        image = draw_bounds(image, np.asarray(finest.lower).max(axis=0),
                            np.asarray(finest.upper).max(axis=0))
    targets = sample.gt_instances.get('bboxes', np.zeros((0, 2)))
    targets = np.asarray(getattr(targets, 'tensor', targets), dtype=float)
    if targets.shape[-1] == 4:
        return overlay_heatmap(image, points=(targets[:, :2] + targets[:, 2:]) / 2, boxes=targets)
    return overlay_heatmap(image, points=targets)
