"""What a point file says, as plain objects, and how its images are read."""
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mmwindow.annotations.checks import ImageId, as_id, as_whole_number, is_finite, is_text
from mmwindow.annotations.groups import group_name
from mmwindow.annotations.reader_names import read_reader_list
from mmwindow.utils.messages import quote, shorten

IMAGE_KEYS = ('id', 'file_name', 'height', 'width', 'group', 'readers')  # all else is a field
MAX_SIDE = 1_000_000

Point = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class ImageRecord:
    """One image of a point file, with its points; a negative image has none.

    Attributes:
        img_id: ``images[*].id``.
        file_name: Relative to the folder of images.
        height: Pixels.
        width: Pixels.
        group: Name of the patient, None where there is none; see
            :func:`~mmwindow.annotations.groups.group_name`.
        points: x and y in pixels of this image.
        labels: Index into the classes, one for each point.
        boxes: x1, y1, x2, y2 in pixels of this image, one for each point; None for a point whose
            annotation has no box of positive size.
        fields: Every other entry of the image that is a finite number or a string, such as the
            body part: results can be told apart by it.
        point_readers: Who marked each point; empty where the file names no readers, or where their
            points are merged.
        readers: Who read the image; None where the file names no readers.
    """

    img_id: ImageId
    file_name: str
    height: int
    width: int
    group: str | None = None
    points: list[Point] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    boxes: list[Box | None] = field(default_factory=list)
    fields: dict[str, int | float | str] = field(default_factory=dict)
    point_readers: list[str] = field(default_factory=list)
    readers: tuple[str, ...] | None = None


@dataclass(frozen=True)
class PointFile:
    """What one point file, or several together, say.

    Attributes:
        records: In the order of the files.
        classes: Names that labels count.
        category_labels: Category id to label; an id that means two classes in two files is left out.
        num_from: How many annotations gave their points by ``keypoints``, ``bbox`` and
            ``segmentation``.
        paths: The files.
        readers: Who read them, in the order of their names; empty where the files name no readers.
    """

    records: list[ImageRecord]
    classes: tuple[str, ...]
    category_labels: dict[ImageId, int] = field(default_factory=dict)
    num_from: dict[str, int] = field(default_factory=dict)
    paths: tuple[Path, ...] = ()
    readers: tuple[str, ...] = ()


def read_image_records(path: str, images: Iterable[Mapping[str, object]]
                       ) -> dict[ImageId, ImageRecord]:
    """Return the images of a COCO file by id, without points yet.

    Args:
        path: Names the file in messages.
        images: The list of the file.

    Raises:
        ValueError: There is none, one has no usable id, name, size or group, or one is there twice.
    """
    records: dict[ImageId, ImageRecord] = {}
    file_names: set[str] = set()
    for image in images:
        record = _read_image(path, image)
        if record.img_id in records:
            raise ValueError(f'{path}: image id {quote(record.img_id)} occurs twice; give each '
                             'image an id of its own')
        place = posixpath.normpath(record.file_name)  # 'a.png' and './a.png' are one file
        if place in file_names:
            raise ValueError(f'{path}: {shorten(record.file_name)} is listed twice; an image counts '
                             'once')
        file_names.add(place)
        records[record.img_id] = record
    if not records:
        raise ValueError(f'{path}: no images; a data set needs at least one')
    return records


def _read_image(path: str, image: Mapping[str, object]) -> ImageRecord:
    img_id, file_name = as_id(image.get('id')), image.get('file_name')
    if img_id is None:
        raise ValueError(f'{path}: image {shorten(image)} has no id; a whole number or a string is '
                         'needed')
    where = f'{path}: image {quote(img_id)}'
    if not is_text(file_name):
        raise ValueError(f'{where} has no file_name that a file can have '
                         f'({quote(file_name)}); it is the place of the file under '
                         'data_prefix.img')
    where = f'{where} ({shorten(file_name)})'
    height, width = (as_whole_number(image.get(key)) for key in ('height', 'width'))
    if height is None or width is None or not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
        raise ValueError(
            f'{where} has height {quote(image.get("height"))} and width '
            f'{quote(image.get("width"))}; both must be positive whole numbers of pixels, at '
            f'most {MAX_SIDE}')
    try:
        group = group_name(image.get('group'))
    except ValueError as error:
        raise ValueError(f'{where}: its {error}') from error
    fields = {key: value for key, value in image.items() if key not in IMAGE_KEYS and (
        isinstance(value, str | bool) or is_finite(value))}
    return ImageRecord(img_id, file_name, height, width, group, fields=fields,
                       readers=read_reader_list(where, image.get('readers')))
