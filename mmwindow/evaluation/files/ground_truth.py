"""A point file as the ground truth of an evaluation."""
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmwindow.annotations.checks import ImageId
from mmwindow.annotations.merging import DEFAULT_MERGE, MergeSettings
from mmwindow.annotations.point_file import read_point_file
from mmwindow.annotations.reader_files import find_reader_files, read_reader_files
from mmwindow.annotations.reader_names import ALL
from mmwindow.annotations.readers import choose_readers
from mmwindow.annotations.records import ImageRecord, PointFile
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
        point_file: The same with the points of all readers.
    """

    targets: list[Target]
    classes: tuple[str, ...]
    category_labels: dict[ImageId, int]
    num_from: dict[str, int]
    path: Path
    point_file: PointFile | None = None

    @property
    def everybody(self) -> 'GroundTruth':
        """All images with the points of all readers: what predictions are looked up in."""
        return self if self.point_file is None else ground_truth(self.point_file, ALL)

    @property
    def name(self) -> str:
        """The name of the file, or of the readers' files."""
        paths = (self.path, ) if self.point_file is None else self.point_file.paths
        return ', '.join(path.name for path in paths)


def read_annotations(path: str | Path | Sequence[str | Path], points_from: str = 'auto',
                     needs_boxes: bool = False, readers: str | None = None,
                     merge: MergeSettings = DEFAULT_MERGE) -> GroundTruth:
    """Read the ground truth of a data set from COCO JSON, as training reads it.

    Every entry of an image that is a finite number or a string is a field to report by.

    Args:
        path: The file, or one for each reader, ``NAME=FILE``; see
            :func:`~mmwindow.annotations.reader_files.read_reader_files`.
        points_from: How an annotation gives its point; see
            :mod:`mmwindow.annotations.point_rules`.
        needs_boxes: Reject an annotation without a box of positive size, for the hit rules that ask
            for boxes.
        readers: Whose points are the truth where there are several readers: 'merge', 'all' or a
            name; see :func:`~mmwindow.annotations.readers.choose_readers`.
        merge: Of 'merge'.

    Raises:
        ValueError: As :func:`~mmwindow.annotations.point_file.read_point_file`.
    """
    paths = [path] if isinstance(path, str | Path) else list(path)
    if len(paths) == 1 and (Path(paths[0]).exists() or '=' not in str(paths[0])):
        everybody = read_point_file(paths[0], points_from=points_from, needs_boxes=needs_boxes,
                                    readers=ALL)
    else:
        everybody = read_reader_files(find_reader_files(paths), points_from=points_from,
                                      needs_boxes=needs_boxes)
    return ground_truth(everybody, readers, merge)


def ground_truth(everybody: PointFile, readers: str | None, merge: MergeSettings = DEFAULT_MERGE
                 ) -> GroundTruth:
    """Return what some readers of a point file say.

    Args:
        everybody: With the points of all readers.
        readers: As :func:`read_annotations`.
        merge: Likewise.

    Raises:
        ValueError: As :func:`~mmwindow.annotations.readers.choose_readers`.
    """
    chosen = choose_readers(everybody, readers, merge)
    return GroundTruth([_make_target(record) for record in chosen.records], chosen.classes,
                       chosen.category_labels, chosen.num_from, chosen.paths[0], everybody)


def _make_target(record: ImageRecord) -> Target:
    boxes = [box for box in record.boxes if box is not None]
    return Target(
        image_id=record.img_id, height=record.height, width=record.width,
        points=np.array(record.points, dtype=np.float64).reshape(-1, 2),
        labels=np.array(record.labels, dtype=int),
        boxes=(np.array(boxes, dtype=np.float64).reshape(-1, 4)
               if len(boxes) == len(record.points) else None),
        group=record.group or '', fields=dict(record.fields, file_name=record.file_name))
