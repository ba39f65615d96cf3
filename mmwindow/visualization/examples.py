"""One film with what is annotated and what is predicted, judged as the metric judges."""
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mmwindow.evaluation.events.targets import FRAME_SIDE, DiskMask

EIGHT_CONNECTED = np.ones((3, 3), dtype=int)


@dataclass(frozen=True)
class Example:
    """What is drawn of one image.

    Attributes:
        img (ndarray): ``(H, W)`` or ``(H, W, 3)`` RGB, uint8.
        points (ndarray): ``(N, 2)``, x and y in pixels of the image.
        scores (ndarray): ``(h, w)`` in [0, 1], over the square frame (image at the top
            left, padding to the right or below); None for a detector of boxes.
        boxes (ndarray): ``(M, 4)``, findings as x1, y1, x2, y2 in pixels of the image;
            None to take them from ``scores`` at ``threshold``.
        threshold (float): Score from which on a cell belongs to a finding.
        name (str): Title of the panel.
    """
    img: np.ndarray
    points: np.ndarray
    scores: np.ndarray = None
    boxes: np.ndarray = None
    threshold: float = 0.5
    name: str = ''


def find_boxes(scores, threshold, img_shape):
    """Return the boxes of the 8-connected components of ``{scores >= threshold}``.

    Args:
        scores (ndarray): ``(h, w)``, over the square frame.
        threshold (float): A cell belongs to a finding from this score on.
        img_shape (tuple[int, int]): Height and width of the image.

    Returns:
        ndarray: ``(M, 4)`` float64, x1, y1, x2, y2 in pixels of the image, whole cells,
        not clipped: the padding belongs to the frame.
    """
    scores = np.asarray(scores)
    components, _ = ndimage.label(scores >= threshold, structure=EIGHT_CONNECTED)
    boxes = [(columns.start, rows.start, columns.stop, rows.stop)
             for rows, columns in ndimage.find_objects(components)]
    cell = max(img_shape[:2]) / np.array([*scores.shape[::-1], *scores.shape[::-1]])
    return np.array(boxes, dtype=np.float64).reshape(-1, 4) * cell


def judge_example(example, hit_radius=50., max_overlap=0.1):
    """Tell which points are recalled and which findings are false alarms.

    The metric's two rules (docs/method.md, section 6): a point in any finding's box is
    recalled; a finding is false when less than ``max_overlap`` of its box lies in the
    disks around the points. One box can be both a hit and false.

    Args:
        example (Example): One image.
        hit_radius (float): Of the disks, in pixels of a frame of side 1024.
        max_overlap (float): Share of a box.

    Returns:
        dict: ``boxes`` ``(M, 4)`` in pixels of the image, ``found`` ``(N,)`` bool per
        point, ``false`` ``(M,)`` bool per box.
    """
    points = np.asarray(example.points, dtype=np.float64).reshape(-1, 2)
    boxes = example.boxes
    if boxes is None:
        boxes = find_boxes(example.scores, example.threshold, example.img.shape)
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    within = ((points >= low) & (points <= high)).all(axis=-1)
    scale = FRAME_SIDE / max(example.img.shape[:2])
    frame_boxes = boxes * scale
    areas = (frame_boxes[:, 2:] - frame_boxes[:, :2]).prod(axis=1)
    covered = DiskMask(points * scale, hit_radius).areas(frame_boxes)
    return dict(boxes=boxes, found=within.any(axis=0), false=covered < max_overlap * areas)
