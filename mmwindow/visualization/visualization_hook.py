"""The hook that paints: what mmdet's paints, and a fixed set of validation images with curves."""
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmdet.engine.hooks import DetVisualizationHook
from mmdet.registry import HOOKS
from mmdet.structures import DetDataSample
from mmengine.dist import is_main_process
from mmengine.runner import Runner
from mmengine.visualization import LocalVisBackend

from mmwindow.evaluation.hit_rules import HitRule
from mmwindow.evaluation.results import EvaluationResult
from mmwindow.images.decode import MAX_PIXELS, ImageSettings, read_image
from mmwindow.utils.config_pipelines import find_steps
from mmwindow.utils.files import cut_name
from mmwindow.utils.messages import shorten
from mmwindow.visualization.curves import plot_froc, plot_roc

AUTO_IMAGES = 6
NEGATIVE_SHARE = 3  # one image of so many is a negative one
WATCH_SIDE = 768  # pixels, the longer edge of a picture


@HOOKS.register_module()
class PointVisualizationHook(DetVisualizationHook):
    """Let mmdet's hook paint by the run's own hit rule and bit depth, and watch a training.

    At each validation of a training some images are painted with map, points and findings, always the
    same ones, and the ROC and FROC curves are drawn; both go to every backend of the visualizer
    (``visualizer.vis_backends``), such as TensorBoard. Their number, not that of the data set, is
    what this costs.

    Args:
        num_images: Of validation that are painted, the first ones of the data set: two of three with
            a point. 0: none, and no curves. 'auto': 6 where the visualizer has a backend other than
            mmengine's folder of files, else 0.
        watch_interval: Validations between two that are painted.
        *args: As in mmdet's ``DetVisualizationHook``.
        **kwargs: Likewise.

    Raises:
        ValueError: A number makes no sense.
    """

    test_out_dir: str | None
    _is_training = _is_painting = False
    _num_validations = 0

    def __init__(self, *args: Any, num_images: int | str = 'auto', watch_interval: int = 1,
                 **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if num_images != 'auto' and (isinstance(num_images, bool) or not isinstance(num_images, int)
                                     or num_images < 0):
            raise ValueError(f"PointVisualizationHook: num_images is {shorten(num_images)}; 'auto' "
                             'or a whole number of at least 0 is expected')
        if isinstance(watch_interval, bool) or not isinstance(watch_interval, int) or (
                watch_interval < 1):
            raise ValueError(f'PointVisualizationHook: watch_interval is {shorten(watch_interval)}; '
                             'a whole number of at least 1 is expected')
        self.num_images, self.watch_interval = num_images, watch_interval
        self.watched: list[str] = []  # images that every validation paints
        self._counts = {True: 0, False: 0}

    def before_train(self, runner: Runner) -> None:
        """Know that validations are those of a training."""
        self._is_training = True

    def before_val(self, runner: Runner) -> None:
        """Take the rule of the validation metric."""
        self.take_settings(runner, runner.val_evaluator.metrics)
        self._is_painting = bool(
            self._is_training and is_main_process() and self.number_of_images()
            and self._num_validations % self.watch_interval == 0
            and hasattr(self._visualizer, 'paint_prediction'))
        self._num_validations += self._is_training

    def before_test(self, runner: Runner) -> None:
        """Take the rule of the test metric; fix the folder, which mmdet's hook joins per batch."""
        self.take_settings(runner, runner.test_evaluator.metrics)
        if self.test_out_dir is not None:
            self.test_out_dir = str(Path(runner.work_dir, runner.timestamp,
                                         self.test_out_dir).absolute())

    def take_settings(self, runner: Runner, metrics: Sequence[Any]) -> None:
        """Hand the metric's rule and how images are read to a visualizer without its own."""
        rules = [getattr(getattr(metric, 'settings', metric), 'rule', None) for metric in metrics]
        rule = next((rule for rule in rules if isinstance(rule, HitRule)), None)
        if getattr(self._visualizer, 'rule', rule) is None:
            self._visualizer.rule = rule
        readers = [step.get('backend_args') or {}
                   for _, step in find_steps(runner.cfg, 'LoadImageFromFile')]
        for name in ('bit_depth', 'max_pixels'):
            if getattr(self._visualizer, name, 0) is None:
                values = filter(None, (reader.get(name) for reader in readers))
                setattr(self._visualizer, name, next(values, None))

    def number_of_images(self) -> int:
        """Return how many images a validation paints."""
        if isinstance(self.num_images, int):
            return self.num_images
        backends = getattr(self._visualizer, '_vis_backends', {}).values()
        return AUTO_IMAGES if any(type(one) is not LocalVisBackend for one in backends) else 0

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                       outputs: Sequence[DetDataSample] | None = None) -> None:
        """Paint the images of a batch that are watched."""
        super().after_val_iter(runner, batch_idx, data_batch, outputs)
        for sample in (outputs or ()) if self._is_painting else ():
            name = self.watched_name(sample)
            if name:
                self._visualizer.add_image(name, self.paint(sample), runner.epoch)

    def watched_name(self, sample: DetDataSample) -> str:
        """Return the name of a watched image's picture, '' for any other image.

        The first validation chooses: the first images with and without a point.
        """
        path = str(sample.metainfo.get('img_path', ''))
        if path not in self.watched:
            total = self.number_of_images()
            is_positive = len(sample.metainfo.get('ori_points', ())) > 0
            room = total - total // NEGATIVE_SHARE if is_positive else total // NEGATIVE_SHARE
            if self._counts[is_positive] >= room or self._num_validations > 1:
                return ''
            self._counts[is_positive] += 1
            self.watched.append(path)
        return cut_name(f'val_{self.watched.index(path)}_{Path(path).stem}', 80)

    def paint(self, sample: DetDataSample) -> np.ndarray:
        """Return a predicted image with map, points and findings, ``(h, w, 3)`` RGB uint8.

        Raises:
            ValueError: The image cannot be read.
        """
        visualizer = self._visualizer
        pixels = read_image(sample.metainfo['img_path'], ImageSettings(
            visualizer.bit_depth, visualizer.max_pixels or MAX_PIXELS)).to_bgr()[..., ::-1]
        painted: np.ndarray = visualizer.paint_prediction(
            np.ascontiguousarray(pixels), sample.cpu().numpy(), self.score_thr)
        height, width = painted.shape[:2]
        factor = WATCH_SIDE / max(height, width)
        if factor >= 1:
            return painted
        return cv2.resize(painted, (max(1, round(width * factor)), max(1, round(height * factor))),
                          interpolation=cv2.INTER_AREA)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Draw the curves of the validation."""
        if not self._is_painting:
            return
        self._is_painting = False
        result = next((metric.result for metric in runner.val_evaluator.metrics if isinstance(
            getattr(metric, 'result', None), EvaluationResult)), None)
        for name, picture in ({} if result is None else draw_curves(result)).items():
            self._visualizer.add_image(name, picture, runner.epoch)


def draw_curves(result: EvaluationResult) -> dict[str, np.ndarray]:
    """Return the curves of a validation as pictures ``(H, W, 3)`` RGB uint8, by name.

    Args:
        result: A class without a point has no FROC, one of images of one kind no ROC.
    """
    froc = {name: entry.froc for name, entry in result.classes.items() if entry.froc.num_points}
    roc = {name: entry.roc for name, entry in result.classes.items() if entry.roc is not None}
    pictures: dict[str, np.ndarray] = {}
    plots: list[tuple[str, dict[str, Any], Callable[..., Path]]] = [
        ('val_froc', froc, plot_froc), ('val_roc', roc, plot_roc)]
    for name, curves, plot in plots:
        if curves:
            # One class alone needs no name.
            pictures[name] = plot_picture(plot, curves if len(curves) > 1 else
                                          next(iter(curves.values())))
    return pictures


def plot_picture(plot: Callable[..., Path], curves: Any) -> np.ndarray:
    """Return what a function plots into a file as pixels ``(H, W, 3)`` RGB uint8."""
    with tempfile.TemporaryDirectory() as folder:
        picture = read_image(plot(curves, Path(folder) / 'curve.jpg')).to_bgr()
    return np.ascontiguousarray(picture[..., ::-1])
