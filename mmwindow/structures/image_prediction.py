"""What a model says about one image: the result of the inferencer and of the runtime (numpy)."""
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class ImagePrediction:
    """What a model says about one image.

    Attributes:
        name: Path of the image; 'array 0' and so on for arrays.
        classes: Names of the classes, in the order of scores and labels.
        image_size: Height and width in pixels.
        image_scores: ``(C,)``: for each class, how probable a finding anywhere in the image is: the
            classifier's output, the maximum of the map, or the score of the best box.
        boxes: ``(N, 4)`` findings: x1, y1, x2, y2 in pixels of the image.
        scores: ``(N,)`` of the findings.
        labels: ``(N,)`` of the findings, index into ``classes``.
        heatmap: ``(C, h, w)`` scores over the network's input, which the image fills from the
            top-left corner; None for detectors of boxes.
        orientation: Tag of the file, 1 to 8; it was not applied.
        peaks: ``(N, 2)`` of the findings: x and y in pixels of the image, where the map is highest;
            the middle of the box for detectors of boxes.
    """

    name: str
    classes: tuple[str, ...]
    image_size: tuple[int, int]
    image_scores: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    heatmap: np.ndarray | None = None
    orientation: int = 1
    peaks: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), dtype=np.float32))

    @property
    def image_score(self) -> float:
        """The highest of the image's scores."""
        return float(self.image_scores.max())


def box_middles(boxes: np.ndarray) -> np.ndarray:
    """Return the middles ``(N, 2)``, x and y, of boxes ``(N, 4)``."""
    middles: np.ndarray = (boxes[:, :2] + boxes[:, 2:]) / 2
    return middles


def best_box_scores(scores: np.ndarray, labels: np.ndarray, num_classes: int,
                    boxes: np.ndarray | None = None, image_size: tuple[int, int] | None = None
                    ) -> np.ndarray:
    """Return for each class the score of its best box, 0 where it has none, ``(num_classes,)``.

    Args:
        scores: ``(N,)``.
        labels: ``(N,)``.
        num_classes: Of the model.
        boxes: ``(N, 4)``, x1, y1, x2, y2 in pixels of the image. With ``image_size`` those that lie
            outside, in the padding of the frame, do not count: the metric leaves them out, too.
        image_size: Height and width.

    >>> best_box_scores(np.array([.9, .4]), np.array([0, 0]), 1,
    ...                 np.array([[0, 60, 9, 70], [0, 40, 9, 55]]), (50, 80)).tolist()
    [0.4]
    """
    if boxes is not None and image_size is not None:
        height, width = image_size
        clipped = np.asarray(boxes).reshape(-1, 4).clip(0, [width, height] * 2)
        inside = (clipped[:, 2:] > clipped[:, :2]).all(axis=1)
        scores, labels = scores[inside], labels[inside]
    return np.array([scores[labels == label].max(initial=0.) for label in range(num_classes)])
