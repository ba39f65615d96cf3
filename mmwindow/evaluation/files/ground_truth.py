"""A point file as the ground truth of an evaluation."""
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmwindow.annotations.checks import ImageId
from mmwindow.annotations.point_file import read_point_file
from mmwindow.annotations.records import ImageRecord
from mmwindow.evaluation.files.predictions import Target


@dataclass(frozen=True)
class GroundTruth:
    """What an annotation file says.

    Attributes:
        targets: One per image in the order of the file, negative images included.
        classes: The names of the categories in the order of their ids.
        category_labels: Category id to label.
        num_from: How many annotations give their point by 'keypoints', 'bbox' and 'segmentation'.
        path: The file.
    """

    targets: list[Target]
    classes: tuple[str, ...]
    category_labels: dict[ImageId, int]
    num_from: dict[str, int]
    path: Path


def read_annotations(path: str | Path, points_from: str = 'auto', needs_boxes: bool = False
                     ) -> GroundTruth:
    """Read the ground truth of a data set from COCO JSON, as training reads it.

    Every entry of an image that is a finite number or a string is a field to report by.

    Args:
        path: The file.
        points_from: How an annotation gives its point; see
            :mod:`mmwindow.annotations.point_rules`.
        needs_boxes: Reject an annotation without a box of positive size, for the hit rules that ask
            for boxes.

    Raises:
        ValueError: As :func:`~mmwindow.annotations.point_file.read_point_file`.
    """
    point_file = read_point_file(path, points_from=points_from, needs_boxes=needs_boxes)
    return GroundTruth([_make_target(record) for record in point_file.records], point_file.classes,
                       point_file.category_labels, point_file.num_from, Path(path))


def _make_target(record: ImageRecord) -> Target:
    boxes = [box for box in record.boxes if box is not None]
    return Target(
        image_id=record.img_id, height=record.height, width=record.width,
        points=np.array(record.points, dtype=np.float64).reshape(-1, 2),
        labels=np.array(record.labels, dtype=int),
        boxes=(np.array(boxes, dtype=np.float64).reshape(-1, 4)
               if len(boxes) == len(record.points) else None),
        group=record.group or '', fields=dict(record.fields, file_name=record.file_name))
