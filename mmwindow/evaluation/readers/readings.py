"""An image as its readers see it, and the reference that some of them make."""
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mmwindow.annotations.merging import (
    MergedMarks,
    MergeSettings,
    ReaderMarks,
    check_reader_points,
    merge_marks,
)
from mmwindow.annotations.readers import reader_marks
from mmwindow.annotations.records import PointFile
from mmwindow.evaluation.events.targets import Floats
from mmwindow.evaluation.files.predictions import Target, check_target
from mmwindow.evaluation.statistics.resampling import Units, find_units
from mmwindow.utils.frame import FRAME_SIDE


@dataclass(frozen=True)
class ReadImage:
    """One image and what each of its readers has marked.

    Attributes:
        image_id: Names the image.
        height: Of the image in its pixels.
        width: Likewise.
        marks: Reader to marks, for every reader who read the image; points ``(N, 2)`` in pixels of
            the image will do where there is one class and no box.
        group: Names the patient; '' where there is none.
        fields: Anything else to report by; ``file_name`` where there is a file.

    Raises:
        ValueError: A point is not finite, or a reader marked a place twice.

    Example:
        >>> image = ReadImage(1, 512, 512, {'A': [[10., 20.]], 'B': []})
        >>> image.frame_points('A').tolist(), image.frame_points('B').shape
        ([[20.0, 40.0]], (0, 2))
    """

    image_id: Any
    height: float
    width: float
    marks: Mapping[str, Any]
    group: Any = ''
    fields: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, 'marks', {
            str(name): entry if isinstance(entry, ReaderMarks) else _as_marks(str(name), entry)
            for name, entry in self.marks.items()})

    @property
    def scale(self) -> float:
        """Frame pixels along one pixel of the image."""
        return FRAME_SIDE / max(self.height, self.width)

    def frame_points(self, reader: str, label: int = 0) -> Floats:
        """Return the points of one reader and class, ``(N, 2)`` frame pixels."""
        marks: ReaderMarks = self.marks[reader]
        points: Floats = marks.points[marks.labels == label] * self.scale
        return points

    def calls(self, reader: str, label: int = 0) -> bool:
        """Tell whether a reader has marked anything of a class."""
        return bool((self.marks[reader].labels == label).any())


def _as_marks(reader: str, points: ArrayLike) -> ReaderMarks:
    array = check_reader_points(points, reader)
    return ReaderMarks(array, np.zeros(len(array), int), (None, ) * len(array))


def read_images(point_file: PointFile) -> list[ReadImage]:
    """Return the images of a point file with the marks of each reader.

    Args:
        point_file: With the points of all readers (``readers='all'``).
    """
    return [ReadImage(record.img_id, record.height, record.width, reader_marks(record),
                      record.group or '', dict(record.fields, file_name=record.file_name))
            for record in point_file.records]


def reader_names(images: Iterable[ReadImage]) -> list[str]:
    """Return the readers of some images, ordered."""
    return sorted({name for image in images for name in image.marks})


def find_image_units(images: Sequence[ReadImage]) -> Units:
    """Return the units of images: patients, where an image names one, else images."""
    return find_units(images)  # type: ignore[arg-type]  # it reads group and image_id alone


def merge_image(image: ReadImage, settings: MergeSettings, readers: Sequence[str] | None = None
                ) -> MergedMarks:
    """Return the merged findings of some readers of an image; of all if None.

    Raises:
        ValueError: As :func:`~mmwindow.annotations.merging.merge_readers`; the message names the
            image.
    """
    chosen = {name: entry for name, entry in image.marks.items()
              if readers is None or name in readers}
    try:
        return merge_marks(chosen, settings, image.scale)
    except ValueError as error:
        raise ValueError(f'image {image.image_id!r}: {error}') from error


def others_target(image: ReadImage, reader: str, settings: MergeSettings,
                  reference: str | None = None) -> Target | None:
    """Return the reference that the other readers of an image make, as the truth of a scoring.

    Where fewer others have read the image than ``settings.min_readers`` asks for, all of these
    must agree.

    Args:
        image: With the marks of all its readers.
        reader: Who is left out.
        settings: Of merging.
        reference: The only other reader to look at; None: all others.

    Returns:
        None where the reader has not read the image, or nobody else has.
    """
    others = [name for name in image.marks
              if name != reader and reference in (None, name)]
    if reader not in image.marks or not others:
        return None
    return marks_target(image, merge_image(image, settings.limited_to(len(others)), others).marks)


def marks_target(image: ReadImage, marks: ReaderMarks) -> Target:
    """Return marks on an image as the truth of a scoring."""
    boxes = [box for box in marks.boxes if box is not None]
    target = Target(
        image_id=image.image_id, height=image.height, width=image.width, points=marks.points,
        labels=marks.labels, group=image.group, fields=dict(image.fields),
        boxes=np.array(boxes, float).reshape(-1, 4) if len(boxes) == len(marks.points) else None)
    return check_target(target, max([0, *marks.labels.tolist()]) + 1)
