"""Predictions of a trained model for images without annotations."""
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import get_test_pipeline_cfg
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import load_state_dict

from mmwindow.apis.config import load_config
from mmwindow.apis.runner import quiet_mmengine
from mmwindow.datasets.coco_point import image_settings
from mmwindow.engine.head_watch import HeadWatch
from mmwindow.engine.model_description import read_description
from mmwindow.engine.safe_loading import load_own_checkpoint
from mmwindow.engine.weights import check_weights, state_dict_of
from mmwindow.images.decode import GrayImage, read_image
from mmwindow.images.sources import ImageSource, list_images
from mmwindow.structures.image_prediction import (
    ImagePrediction,
    best_box_scores,
    box_middles,
)


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

    Raises:
        ValueError: A file is missing, the weights are not those of the config's model, or a
            checkpoint without a config does not describe its model.
    """

    def __init__(self, config: str | Path, checkpoint: str | Path | None = None,
                 device: str | None = None, cfg_options: dict[str, Any] | None = None) -> None:
        with quiet_mmengine():
            if checkpoint is None:
                if cfg_options:
                    raise ValueError('cfg_options override a config; give the config, too')
                content = load_own_checkpoint(config)
                description = read_description(content, config)
                init_default_scope('mmdet')
                pipeline, model = description.pipeline, description.model
            else:
                cfg = load_config(config, cfg_options=cfg_options)
                content = load_own_checkpoint(checkpoint)
                init_default_scope(cfg.get('default_scope', 'mmdet'))
                pipeline, model = get_test_pipeline_cfg(cfg), cfg.model
            steps = Compose(pipeline).transforms
            self.settings = image_settings(steps)
            self.pipeline = Compose(steps[1:])  # images are read here
            self.model = MODELS.build(model)
            self.classes = fill_model(self.model, content, checkpoint or config, config)
        self.watch = HeadWatch()
        self.model.to(device or ('cuda:0' if torch.cuda.is_available() else 'cpu')).eval()

    def __call__(self, inputs: ImageSource | Sequence[ImageSource], batch_size: int = 1,
                 with_maps: bool = True) -> list[ImagePrediction]:
        """Predict images.

        Args:
            inputs: An image file, a folder of them, an array as
                :func:`~mmwindow.images.decode.read_image` takes it, or a list of these.
            batch_size: Images that the network gets at once.
            with_maps: Keep the maps, about 64 kB an image and class at an input of 512.

        Raises:
            ValueError: An input is missing, no image or of an unknown bit depth; the folder is empty;
                or the network gives NaN.
        """
        predictions, images = [], iter(list_images(inputs))
        while batch := list(islice(images, batch_size)):
            read = [(name, read_image(source, self.settings, name)) for name, source in batch]
            data = pseudo_collate([self.pipeline(to_sample(*each)) for each in read])
            self.watch.start(self.model, [name for name, _ in read])
            with torch.no_grad():
                samples = self.model.test_step(data)
            predictions += [
                to_prediction(name, image, sample.cpu(), self.classes, with_maps)
                for (name, image), sample in zip(read, samples, strict=True)]
        return predictions


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


def to_prediction(name: str, image: GrayImage, sample: DetDataSample, classes: tuple[str, ...],
                  with_maps: bool) -> ImagePrediction:
    """Return what a model's data sample says about an image."""
    boxes, scores, labels = (sample.pred_instances[key].float().numpy()
                             for key in ('bboxes', 'scores', 'labels'))
    heatmap = sample.pred_heatmap.scores.numpy() if 'pred_heatmap' in sample else None
    if 'image_score' in sample:
        image_scores = sample.image_score.numpy()
    elif heatmap is not None:
        image_scores = heatmap.max(axis=(1, 2))
    else:
        image_scores = best_box_scores(scores, labels, len(classes))
    instances = sample.pred_instances
    peaks = instances.peaks.numpy() if 'peaks' in instances else box_middles(boxes)
    return ImagePrediction(
        name=name, classes=classes, image_size=image.shape, image_scores=image_scores, boxes=boxes,
        scores=scores, labels=labels.astype(int), heatmap=heatmap if with_maps else None,
        orientation=image.orientation, peaks=peaks)
