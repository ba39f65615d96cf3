"""What a model is taught: augmented images with their targets, as a sheet of pictures."""
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import DATASETS, VISUALIZERS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed

from mmwindow.apis.config import load_config
from mmwindow.apis.runner import config_errors, quiet_mmengine
from mmwindow.utils.messages import count_words, shorten
from mmwindow.visualization.sheet import Tile, save_sheet

SPLITS = ('train', 'val', 'test')
LONGEST_NAME = 24


def browse(config: str | Path, out: str | Path = 'browse.png', num: int = 12, split: str = 'train',
           seed: int = 0, cfg_options: dict[str, Any] | None = None) -> Path:
    """Write a sheet of what a model is taught.

    Images are drawn at random, as many with as without a point where there are enough; each is
    augmented as in training and painted by the config's visualizer: points, contours of both bounds
    (Window Loss), pseudo-boxes (box detectors), or the label of the image (classifiers). Images of
    validation and test are what the network sees there, with their points.

    Args:
        config: The config file.
        out: The sheet, .png, .jpg, .pdf or .svg.
        num: Images.
        split: 'train', 'val' or 'test'.
        seed: Of the choice and the augmentation.
        cfg_options: Overrides of the config.

    Returns:
        The sheet.

    Raises:
        ValueError: The config or its data cannot be used, or an argument makes no sense.
        ImportError: matplotlib is not installed.
    """
    if split not in SPLITS:
        raise ValueError(f'--split {shorten(split)}: one of {", ".join(SPLITS)} is expected')
    if num < 1:
        raise ValueError(f'--num {num}: at least 1 image is expected')
    with quiet_mmengine():
        cfg = load_config(config, cfg_options=cfg_options)
        init_default_scope(cfg.get('default_scope', 'mmdet'))
        dataset = build_dataset(cfg, split)
        visualizer = VISUALIZERS.build({**cfg.get('visualizer', dict(type='PointVisualizer')),
                                        'vis_backends': None, 'name': f'browse_{id(dataset)}'})
    visualizer.dataset_meta = dataset.metainfo
    set_random_seed(seed)
    samples = [(index, dataset[index]) for index in choose_images(dataset, num, seed)]
    is_classifier = targets_are_labels(cfg, split)
    tiles = [Tile(paint(visualizer, item), caption(item['data_samples'], dataset.metainfo['classes'],
                                                   is_classifier)) for _, item in samples]
    shown = [item['data_samples'] for _, item in samples]
    return save_sheet(
        tiles, out, f'{Path(config).stem}: {count_words(len(tiles), "image")} of {split}, seed '
                    f'{seed}',
        has_bounds=any('gt_bounds' in sample for sample in shown),
        has_boxes=any(has_boxes(sample) for sample in shown),
        point_label='point (the model learns the label alone)' if is_classifier else 'point')


def build_dataset(cfg: Config, split: str) -> Any:
    """Return the data set of a split, which reads images when they are shown.

    Raises:
        ValueError: The config has none, or its point file is wrong.
    """
    dataset = (cfg.get(f'{split}_dataloader') or {}).get('dataset')
    if not dataset:
        raise ValueError(f'--split {split}: the config has no {split}_dataloader')
    inner = dataset
    while inner.get('dataset'):
        inner = inner['dataset']
    if inner.get('type') == 'CocoPointDataset':
        inner['check_images'] = False
    with config_errors(cfg):
        built = DATASETS.build(dataset)
    if not len(built):
        raise ValueError(f'--split {split}: the data set has no image')
    return built


def choose_images(dataset: Any, num: int, seed: int) -> list[int]:
    """Return indices of images: as many with as without a point, where there are enough.

    Those with a point come first; each half in the order of the data set.
    """
    generator = np.random.default_rng(seed)
    has_point = np.array([bool(dataset.get_data_info(index).get('instances'))
                          for index in range(len(dataset))])
    kinds = [generator.permutation(np.flatnonzero(has_point == kind)) for kind in (True, False)]
    positives = min(len(kinds[0]), max(num - num // 2, num - len(kinds[1])))
    return [int(index) for part, most in zip(kinds, (positives, num - positives), strict=True)
            for index in sorted(part[:most])]


def targets_are_labels(cfg: Config, split: str) -> bool:
    """Return whether the model learns from the labels of images: nothing else is in its pipeline."""
    dataset = cfg[f'{split}_dataloader'].dataset
    while dataset.get('dataset'):
        dataset = dataset['dataset']
    types = [step.get('type') for step in dataset.get('pipeline', ())]
    return split == 'train' and not {'PointToBoundTransform', 'PointsToPseudoBoxes'} & set(types)


def boxes_of(sample: DetDataSample) -> torch.Tensor | None:
    """Return the points ``(N, 2)`` or boxes ``(N, 4)`` of a sample; None where it has none."""
    targets = sample.gt_instances.get('bboxes') if 'gt_instances' in sample else None
    found: torch.Tensor | None = getattr(targets, 'tensor', targets)
    return found


def has_boxes(sample: DetDataSample) -> bool:
    """Return whether the targets of a sample are boxes."""
    targets = boxes_of(sample)
    return targets is not None and targets.shape[-1] == 4


def paint(visualizer: Any, item: dict[str, Any]) -> np.ndarray:
    """Return a sample as the visualizer paints it, ``(H, W, 3)`` RGB uint8, without padding.

    Args:
        visualizer: Of the config.
        item: With ``inputs`` ``(3, H, W)`` BGR and ``data_samples``.
    """
    sample = item['data_samples']
    if boxes_of(sample) is None:  # a test pipeline leaves points where the file has them
        scale = torch.tensor(sample.metainfo.get('scale_factor', (1., 1.)), dtype=torch.float)
        points = torch.tensor(sample.metainfo.get('ori_points', []), dtype=torch.float)
        sample.gt_instances.bboxes = points.reshape(-1, 2) * scale
    image = item['inputs'].permute(1, 2, 0).numpy()[..., ::-1]
    visualizer.add_datasample(Path(sample.img_path).name, np.ascontiguousarray(image), sample,
                              draw_pred=False)
    return np.asarray(visualizer.get_image())


def caption(sample: DetDataSample, classes: Sequence[str], is_classifier: bool) -> str:
    """Return what stands above a picture: the file, and what the image holds or its label."""
    name = Path(sample.img_path).name
    if len(name) > LONGEST_NAME:
        name = f'{name[:LONGEST_NAME - 9]}...{name[-6:]}'
    labels = list(labels_of(sample))
    if is_classifier:
        found = sorted(set(labels))
        return f'{name}, label: {", ".join(classes[label] for label in found) or "negative"}'
    if not labels:
        return f'{name}, negative'
    counts = [f'{labels.count(label)} {classes[label]}' for label in sorted(set(labels))]
    return f'{name}, {", ".join(counts)}'


def labels_of(sample: DetDataSample) -> Iterator[int]:
    """Yield the classes of what a sample shows; of a test pipeline those of its points."""
    labels = sample.gt_instances.get('labels') if 'gt_instances' in sample else None
    if labels is None or not len(labels):
        labels = sample.metainfo.get('ori_point_labels', ()) if labels is None else ()
    yield from map(int, labels)
