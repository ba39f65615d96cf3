"""A few predicted images that a report shows, kept while a test runs; bounded in memory."""
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from mmwindow.evaluation.files.samples import Sample, sample_prediction, sample_target
from mmwindow.evaluation.hit_rules import HitRule
from mmwindow.images.decode import ImageSettings, read_image
from mmwindow.visualization.examples import Example
from mmwindow.visualization.panels import sort_examples

MAX_POSITIVES, MAX_NEGATIVES = 64, 32
MAX_BYTES = 128 << 20


@dataclass(frozen=True)
class KeptImage:
    """What is kept of one image.

    Attributes:
        path: Of the file.
        height, width: In pixels.
        points: ``(N, 2)``, x and y in pixels of the image.
        labels: ``(N,)``, classes of the points.
        maps: ``(C, h, w)``; None of a detector of boxes.
        boxes: ``(M, 4)``, ``scores`` ``(M,)`` and ``box_labels`` ``(M,)``; None where there are maps.
    """

    path: str
    height: int
    width: int
    points: np.ndarray
    labels: np.ndarray
    maps: np.ndarray | None = None
    boxes: np.ndarray | None = None
    scores: np.ndarray | None = None
    box_labels: np.ndarray | None = None

    @property
    def num_bytes(self) -> int:
        """Memory that it takes."""
        return sum(part.nbytes for part in (self.maps, self.boxes) if part is not None)

    def example(self, label: int, threshold: float) -> Example:
        """Return it for one class, without its pixels.

        Args:
            label: Of the class.
            threshold: Findings score at least this.
        """
        boxes = None
        if self.boxes is not None and self.scores is not None:
            kept = (self.box_labels == label) & (self.scores >= threshold)
            boxes = self.boxes[kept].reshape(-1, 4)
        return Example(
            img=np.broadcast_to(np.zeros((), np.uint8), (self.height, self.width)),
            points=self.points[self.labels == label],
            scores=None if self.maps is None else self.maps[label], boxes=boxes,
            threshold=threshold, name=self.path)


@dataclass
class KeptImages:
    """The first images of each kind, in the order of the data set: nobody chooses the pretty ones.

    Attributes:
        positives, negatives: With and without a point.
    """

    positives: list[KeptImage] = field(default_factory=list)
    negatives: list[KeptImage] = field(default_factory=list)
    num_bytes: int = 0

    def add(self, sample: Sample) -> None:
        """Keep a predicted image where there is room."""
        group, most = ((self.positives, MAX_POSITIVES) if len(sample.get('ori_points', ())) else
                       (self.negatives, MAX_NEGATIVES))
        if len(group) >= most or self.num_bytes > MAX_BYTES:
            return
        prediction, target = sample_prediction(sample), sample_target(sample)
        boxes: dict[str, Any] = {} if prediction.maps is not None else dict(
            boxes=np.asarray(prediction.boxes, float), scores=np.asarray(prediction.scores),
            box_labels=np.asarray(prediction.labels))
        kept = KeptImage(str(sample.get('img_path', '')), int(target.height), int(target.width),
                         np.asarray(target.points, float).reshape(-1, 2),
                         np.asarray(target.labels, int),
                         None if prediction.maps is None else np.array(prediction.maps), **boxes)
        self.num_bytes += kept.num_bytes
        group.append(kept)

    @property
    def is_full(self) -> bool:
        """Whether no image has room any more."""
        return self.num_bytes > MAX_BYTES or (
            len(self.positives) >= MAX_POSITIVES and len(self.negatives) >= MAX_NEGATIVES)

    def __len__(self) -> int:
        return len(self.positives) + len(self.negatives)

    def examples(self, label: int, threshold: float, rule: HitRule,
                 settings: ImageSettings | None = None, num_per_group: int = 3) -> list[Example]:
        """Return examples of each outcome at a threshold, with their pixels.

        Args:
            label: Of the class.
            threshold: Findings score at least this.
            rule: What a hit is.
            settings: How images are read, as in the config.
            num_per_group: Of each outcome.

        Raises:
            ValueError: An image is no longer there, or damaged.
        """
        groups = sort_examples((kept.example(label, threshold) for kept in
                                [*self.positives, *self.negatives]), num_per_group, rule)
        return [read_pixels(example, settings) for group in groups.values() for example in group]


def read_pixels(example: Example, settings: ImageSettings | None = None) -> Example:
    """Return an example with the pixels of the file that it is named after.

    Raises:
        ValueError: The image is no longer there, or damaged.
    """
    path = Path(example.name)
    if not path.is_file():
        raise ValueError(f'{path}: the image cannot be read any more')
    return replace(example, img=read_image(path, settings).to_bgr()[..., 0], name=path.stem)


def iterate_samples(outputs: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what a model's step gave as dicts."""
    for output in outputs:
        yield output.to_dict() if hasattr(output, 'to_dict') else output


class KeepImagesHook(Hook):
    """Keep images of the validation or test that runs; of several ranks the first one's.

    Attributes:
        images: Those of the newest validation or test.
    """

    priority = 'NORMAL'

    def __init__(self) -> None:
        self.images = KeptImages()

    def before_val(self, runner: Any) -> None:
        """Begin with none."""
        self.images = KeptImages()

    def before_test(self, runner: Any) -> None:
        """Begin with none."""
        self.images = KeptImages()

    def after_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                       outputs: Sequence[Any] | None = None) -> None:
        """Keep what there is room for."""
        if is_main_process() and not self.images.is_full:
            for sample in iterate_samples(outputs or ()):
                self.images.add(sample)

    def after_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                        outputs: Sequence[Any] | None = None) -> None:
        """Keep what there is room for."""
        self.after_val_iter(runner, batch_idx, data_batch, outputs)
