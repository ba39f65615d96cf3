"""Predictions of a trained model for images without annotations."""
import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import get_test_pipeline_cfg
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import load_state_dict

from mmwindow.apis.config import load_config
from mmwindow.apis.runner import quiet_mmengine
from mmwindow.datasets.coco_point import image_settings
from mmwindow.engine.head_watch import HeadWatch
from mmwindow.engine.model_description import read_description, read_points
from mmwindow.engine.safe_loading import load_own_checkpoint
from mmwindow.engine.weights import check_weights, state_dict_of
from mmwindow.images.colour import check_is_grey
from mmwindow.images.decode import GrayImage, read_image
from mmwindow.images.sources import ImageSource, find_images, list_images
from mmwindow.structures.image_prediction import (
    ImagePrediction,
    best_box_scores,
    box_middles,
)

__all__ = ['ImagePrediction', 'PointInferencer', 'list_images']
# Views of --tta for a model that comes without its config: in a package, or in a checkout.
BASE_CONFIG = next((path for path in (
    Path(__file__).parents[number] / folder / 'configs' / '_base_' / 'datasets' / 'points.py'
    for number, folder in ((1, '.mim'), (2, '.'))) if path.is_file()), Path('configs'))


class PointInferencer:
    """Predict images with trained weights; no annotation file is needed.

    Images are read, scaled and padded as in ``tools/test.py``. ``mmdet.apis.DetInferencer`` and
    ``inference_detector`` work with the same configs and give the network the same pixels; this class
    also reads arrays of 16 bits and returns scores of the image and maps.

    Args:
        config: The config file; or a checkpoint that describes its model, as trainings write it: it
            needs no config (:mod:`mmwindow.engine.model_description`).
        checkpoint: The weights; all of the model's are needed. None: ``config`` is a checkpoint.
        device: 'cpu', 'cuda:0' and so on; None for a GPU where there is one.
        cfg_options: Overrides of the config, as for ``tools/test.py``.
        tta: Average mirrored and turned views of each image: by ``tta_model`` and ``tta_pipeline`` of
            the config; without a config by those of ``configs/_base_/datasets/points.py``.

    Attributes:
        classes: Names, in the order of the labels.
        settings: How images are read; may be replaced.
        operating_points: The thresholds that belong to the weights; None where there are none.

    Raises:
        ValueError: A file is missing, the weights are not those of the config's model, or a
            checkpoint without a config does not describe its model.

    Example::

        model = PointInferencer('work_dirs/wl/best_froc_auroc_epoch_9.pth')
        for prediction in model.iterate('images', batch_size=4):
            print(prediction.name, prediction.image_score, prediction.boxes)
    """

    def __init__(self, config: str | Path, checkpoint: str | Path | None = None,
                 device: str | None = None, cfg_options: dict[str, Any] | None = None,
                 tta: bool = False) -> None:
        with quiet_mmengine():
            plan = (read_described_model(config, cfg_options) if checkpoint is None else
                    read_configured_model(config, checkpoint, cfg_options))
            pipeline, model = (use_views(plan) if tta else plan)[:2]
            steps = Compose(pipeline).transforms
            self.settings = image_settings(steps)
            self.pipeline = Compose(steps[1:])  # images are read here
            self.model = MODELS.build(model)
            self.classes = fill_model(self.model.module if tta else self.model, plan.content,
                                      checkpoint or config, config)
        self.operating_points = read_points(plan.content, checkpoint or config)
        self.watch = HeadWatch()
        self.model.to(device or ('cuda:0' if torch.cuda.is_available() else 'cpu')).eval()

    def __call__(self, inputs: ImageSource | Sequence[ImageSource], batch_size: int = 1,
                 with_maps: bool = True) -> list[ImagePrediction]:
        """Predict images; see :meth:`iterate`, which does not keep them all."""
        return list(self.iterate(inputs, batch_size, with_maps))

    def iterate(self, inputs: ImageSource | Sequence[ImageSource], batch_size: int = 1,
                with_maps: bool = True, recursive: bool = False) -> Iterator[ImagePrediction]:
        """Yield predictions one by one: only a batch is in memory.

        Args:
            inputs: An image file, a folder of them, a pattern such as ``'images/*.png'``, an array
                as :func:`~mmwindow.images.decode.read_image` takes it, or a list of these.
            batch_size: Images that the network gets at once.
            with_maps: Keep the maps, about 64 kB an image and class at an input of 512.
            recursive: Read folders within folders, too.

        Raises:
            ValueError: An input is missing, no image or of an unknown bit depth; the folder is empty;
                or the network gives NaN.
        """
        if batch_size < 1:
            raise ValueError(f'batch_size is {batch_size}; at least 1 image is expected')
        images = find_images(inputs, recursive)
        while batch := list(islice(images, batch_size)):
            names = [image.name for image in batch]
            for prediction in self.predict_images(names, [
                    read_image(image.source, self.settings, image.name) for image in batch]):
                yield prediction if with_maps else replace(prediction, heatmap=None)

    def check_image(self, image: GrayImage, name: str) -> None:
        """Reject a photograph in colour, as ``mmwindow predict`` does.

        Raises:
            ValueError: The colours of many pixels differ from grey.
        """
        check_is_grey(image, name)

    def predict_images(self, names: Sequence[str], images: Sequence[GrayImage]
                       ) -> list[ImagePrediction]:
        """Return the predictions of a batch of images that were read.

        Args:
            names: Of the images.
            images: As :func:`~mmwindow.images.decode.read_image` returns them.

        Raises:
            ValueError: The network gives NaN.
        """
        data = pseudo_collate([self.pipeline(to_sample(name, image))
                               for name, image in zip(names, images, strict=True)])
        self.watch.start(self.model, list(names))
        with torch.no_grad():
            samples = self.model.test_step(data)
        return [to_prediction(name, image, sample.cpu(), self.classes)
                for name, image, sample in zip(names, images, samples, strict=True)]


class ModelPlan(NamedTuple):
    """What a model is built from.

    Attributes:
        pipeline: Of a test, its first step reads the image.
        model: Config of the model.
        content: Of the checkpoint.
        tta_pipeline: Of views; None where nobody gave one.
        tta_model: Config of what merges them; likewise.
    """

    pipeline: list[dict[str, Any]]
    model: dict[str, Any]
    content: dict[str, Any]
    tta_pipeline: list[dict[str, Any]] | None = None
    tta_model: dict[str, Any] | None = None


def read_described_model(checkpoint: str | Path, cfg_options: dict[str, Any] | None) -> ModelPlan:
    """Return the plan of a model by what its checkpoint says.

    Raises:
        ValueError: The checkpoint is missing, damaged, or does not describe its model.
    """
    if cfg_options:
        raise ValueError('cfg_options override a config; give the config, too')
    content = load_own_checkpoint(checkpoint)
    description = read_description(content, checkpoint)
    init_default_scope('mmdet')
    # mmdet's box detectors read settings as attributes, which a plain dict has not.
    return ModelPlan(description.pipeline, ConfigDict(description.model), content)


def read_configured_model(config: str | Path, checkpoint: str | Path,
                          cfg_options: dict[str, Any] | None) -> ModelPlan:
    """Return the plan of a model by a config.

    Raises:
        ValueError: A file is missing, or an override cannot be used.
    """
    cfg = load_config(config, cfg_options=cfg_options)
    content = load_own_checkpoint(checkpoint)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    return ModelPlan(get_test_pipeline_cfg(cfg), cfg.model, content, cfg.get('tta_pipeline'),
                     cfg.get('tta_model'))


def use_views(plan: ModelPlan) -> ModelPlan:
    """Return a plan with test-time augmentation.

    Raises:
        ValueError: The config's test pipeline does not end in packing, as views need it.
    """
    steps, merge = plan.tta_pipeline, plan.tta_model
    if steps is None or merge is None:
        base = Config.fromfile(str(BASE_CONFIG))
        views = copy.deepcopy(base.tta_pipeline[-1])
        if str(views.get('type')) != 'TestTimeAug' or not plan.pipeline:
            raise ValueError(f'{BASE_CONFIG}: its tta_pipeline does not end in TestTimeAug')
        views['transforms'][-1] = [plan.pipeline[-1]]  # pack as the model's own test does
        steps, merge = [*plan.pipeline[:-1], views], base.tta_model
    return plan._replace(pipeline=steps, model=ConfigDict(**merge, module=plan.model))


def to_sample(name: str, image: GrayImage) -> dict[str, Any]:
    """Return an image as the sample that a test pipeline has after its first step."""
    return dict(img=image.to_bgr(), img_path=name, img_id=0, img_shape=image.shape,
                ori_shape=image.shape)


def load_weights(model: torch.nn.Module, checkpoint: str | Path) -> tuple[str, ...]:
    """Load all weights of a model; return the names of the classes that it was trained for.

    Raises:
        ValueError: The file is missing, has no class names, or its weights are of another model.
    """
    return fill_model(model, load_own_checkpoint(checkpoint), checkpoint, "the config")


def fill_model(model: torch.nn.Module, content: dict[str, Any], checkpoint: str | Path,
               config: str | Path) -> tuple[str, ...]:
    """Load all weights of a model from a checkpoint's content; return the names of its classes.

    Args:
        model: Is changed.
        content: Of the checkpoint.
        checkpoint: Its path, for the messages.
        config: The config file, for the messages.

    Raises:
        ValueError: As :func:`load_weights`.
    """
    check_weights(model, content, checkpoint, config)
    load_state_dict(model, state_dict_of(content))
    meta = content.get('meta')
    classes = ((meta if isinstance(meta, dict) else {}).get('dataset_meta') or {}).get('classes')
    if not classes:
        raise ValueError(f'checkpoint {checkpoint}: it has no class names (meta.dataset_meta); take '
                         'one that a training wrote')
    return tuple(map(str, classes))


def to_prediction(name: str, image: GrayImage, sample: DetDataSample, classes: tuple[str, ...]
                  ) -> ImagePrediction:
    """Return what a model's data sample says about an image."""
    boxes, scores, labels = (sample.pred_instances[key].float().numpy()
                             for key in ('bboxes', 'scores', 'labels'))
    heatmap = sample.pred_heatmap.scores.numpy() if 'pred_heatmap' in sample else None
    if 'image_score' in sample:
        image_scores = sample.image_score.numpy()
    elif heatmap is not None:
        image_scores = heatmap.max(axis=(1, 2))
    else:
        image_scores = best_box_scores(scores, labels, len(classes), boxes, image.shape)
    instances = sample.pred_instances
    peaks = instances.peaks.numpy() if 'peaks' in instances else box_middles(boxes)
    return ImagePrediction(
        name=name, classes=classes, image_size=image.shape, image_scores=image_scores, boxes=boxes,
        scores=scores, labels=labels.astype(int), heatmap=heatmap,
        orientation=image.orientation, peaks=peaks)
