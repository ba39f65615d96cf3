"""DICOM objects that mark images, reports and presentation states: files, images and codes.

Both name images by SOPInstanceUID. Messages show neither these nor names: a file and the place of
the record in it are enough to find them.
"""
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwindow.annotations.importers.source import (
    Outline,
    Point,
    Shape,
    Source,
    SourceFinding,
    SourceImage,
    circle_outline,
    polygon_outline,
)
from mmwindow.annotations.importers.values import (
    MAX_COORDINATE,
    find_files,
    is_other_kind,
    read_bytes,
)
from mmwindow.images.dicom_tags import NO_IMAGES, read_sop_class
from mmwindow.images.formats.dicom_elements import Elements
from mmwindow.images.formats.header import DamagedImageError, UnsupportedImageError
from mmwindow.utils.messages import count_words, shorten

MAX_OBJECT_BYTES = 2 ** 27  # a report of 10,000 findings takes 20 MB
REFERENCED_CLASS, REFERENCED_INSTANCE, REFERENCED_FRAME = 0x00081150, 0x00081155, 0x00081160
REFERENCED_SERIES, REFERENCED_IMAGES, REFERENCED_OBJECTS = 0x00081115, 0x00081140, 0x00081199
CODE, SCHEME, MEANING, LONG_CODE, URN_CODE = (
    0x00080100, 0x00080102, 0x00080104, 0x00080119, 0x00080120)
LINE_KINDS = ('POLYLINE', 'INTERPOLATED')
NUM_POINTS = {'POINT': 1, 'CIRCLE': 2, 'ELLIPSE': 4}


class CodedEntry(NamedTuple):
    """One coded concept.

    Attributes:
        value: Such as '121071'.
        scheme: Such as 'DCM'; a value means something with it alone.
        meaning: For people.
    """

    value: str
    scheme: str
    meaning: str

    @property
    def key(self) -> tuple[str, str]:
        """Return what makes two entries one concept."""
        return self.value, self.scheme


def is_object_of(path: Path, classes: tuple[str, ...]) -> bool:
    """Tell whether a file, or any of a folder, is of one of these SOP classes."""
    return next(find_objects(path, classes), None) is not None


def find_objects(path: Path, classes: tuple[str, ...]) -> Iterator[Path]:
    """Yield the DICOM files of these SOP classes: of a folder those that are, or the file itself."""
    files = [path] if path.is_file() else (
        file for file in find_files(path) if not is_other_kind(file))
    for file in files:
        if read_sop_class(file) in classes:
            yield file


def read_object(path: Path, tags: Iterable[int], classes: tuple[str, ...], what: str) -> Elements:
    """Return the elements of an object.

    Args:
        path: Its file.
        tags: Elements to be read.
        classes: SOP classes that are expected.
        what: What is expected, in words.

    Raises:
        ValueError: It is damaged or of another kind.
    """
    name = shorten(str(path))
    sop_class = read_sop_class(path)
    if sop_class is None:
        raise ValueError(f'{name}: no DICOM file; {what} is expected')
    if sop_class not in classes:
        kind = ('a DICOM object of another kind' if not sop_class or sop_class.startswith(NO_IMAGES)
                else 'a DICOM image, which --images takes')
        raise ValueError(f'{name}: {kind}; {what} is expected')
    if path.stat().st_size > MAX_OBJECT_BYTES:
        raise ValueError(f'{name}: {path.stat().st_size} bytes are too many for {what}')
    with damage_named(name):
        return Elements.read(read_bytes(path, what), tags)


@contextmanager
def damage_named(name: str) -> Iterator[None]:
    """Say damage of DICOM elements with the file's name, and as that of no image."""
    try:
        yield
    except DamagedImageError as error:
        reason = str(error).partition('(')[2].rpartition(');')[0]
        raise ValueError(f'{name}: the file is damaged or cut short ({reason}); copy it again'
                         ) from None
    except UnsupportedImageError as error:
        raise ValueError(f'{name}: {error}') from None


def read_code(elements: Elements, sequence: int) -> CodedEntry | None:
    """Return the coded entry of a sequence, None where it is missing or empty."""
    for item in elements.items(sequence):
        value = next((item.text(tag) for tag in (CODE, LONG_CODE, URN_CODE) if item.text(tag)), '')
        if value:
            return CodedEntry(value, item.text(SCHEME), item.characters(MEANING))
    return None


def read_instances(elements: Elements, sequence: int, where: str) -> list[str]:
    """Return the SOPInstanceUIDs of the images in a sequence of references.

    Raises:
        ValueError: One has no UID, or names another frame than the first: images of several frames
            are not read.
    """
    uids = []
    for item in elements.items(sequence):
        uid, sop_class = item.text(REFERENCED_INSTANCE), item.text(REFERENCED_CLASS)
        if not uid:
            raise ValueError(f'{where}: a reference without ReferencedSOPInstanceUID')
        frames = [frame for frame in item.decimals(REFERENCED_FRAME) if frame != 1]
        if frames:
            raise ValueError(f'{where}: marks frame {frames[0]:g} of an image of several frames, '
                             'which are not read; save the annotated frame as an image of its own')
        if not sop_class.startswith(NO_IMAGES):
            uids.append(uid)
    return uids


def read_pairs(values: list[float], where: str) -> NDArray[np.float64]:
    """Return coordinates ``(N, 2)``, x and y, N at least 1.

    Raises:
        ValueError: An odd number of them, none, or one that is not finite or beyond any image.
    """
    points = np.array(values, dtype=np.float64)
    if not points.size or points.size % 2:
        raise ValueError(f'{where}: its GraphicData hold {points.size} numbers; pairs of column and '
                         'row are expected')
    if not (np.abs(points) <= MAX_COORDINATE).all():
        raise ValueError(f'{where}: a coordinate is not finite, or beyond any image')
    return points.reshape(-1, 2)


def read_graphic(kind: str, points: NDArray[np.float64], is_area: bool, where: str
                 ) -> list[Shape] | None:
    """Return what a graphic of DICOM marks.

    Args:
        kind: GraphicType.
        points: ``(N, 2)``, in pixels from the outer corner of the first one.
        is_area: Whether a polyline that does not return to its start encloses a region all the same.
        where: Names the record in messages.

    Returns:
        A shape, several of MULTIPOINT; None for a line, which encloses nothing.

    Raises:
        ValueError: Another number of points than the kind has, or an unknown kind.
    """
    if kind in NUM_POINTS and len(points) != NUM_POINTS[kind]:
        raise ValueError(f'{where}: a graphic of the type {kind} has '
                         f'{count_words(len(points), "point")}; '
                         f'{NUM_POINTS[kind]} are expected')
    if kind in ('POINT', 'MULTIPOINT'):
        return [Point(float(x), float(y)) for x, y in points]
    if kind == 'CIRCLE':  # centre and a point of the rim
        radius = float(np.linalg.norm(points[1] - points[0]))
        return [circle_outline(float(points[0, 0]), float(points[0, 1]), radius)]
    if kind == 'ELLIPSE':
        return [_ellipse(points)]
    if kind in LINE_KINDS:
        is_closed = len(points) > 3 and bool(np.allclose(points[0], points[-1], atol=1e-3))
        if is_closed:
            points = points[:-1]
        if not (is_closed or is_area and len(points) >= 3):
            return None
        return [polygon_outline([points], where)]
    raise ValueError(f'{where}: its GraphicType is {shorten(kind, 30)!r}; POINT, MULTIPOINT, '
                     'POLYLINE, INTERPOLATED, CIRCLE or ELLIPSE is expected')


def _ellipse(points: NDArray[np.float64]) -> Outline:
    """Return an ellipse by the ends of its longer and then of its shorter axis."""
    x, y = points.mean(axis=0)
    along, across = points[1] - points[0], points[3] - points[2]
    return circle_outline(float(x), float(y), float(np.linalg.norm(along)) / 2,
                          float(np.linalg.norm(across)) / 2,
                          float(np.degrees(np.arctan2(along[1], along[0]))))


class Marks:
    """The findings of several objects, by image; equal ones of one reader count once.

    Args:
        source: Receives images and counts.
        keep_ids: Whether readers keep their names; else they are numbered as they come.
    """

    def __init__(self, source: Source, keep_ids: bool) -> None:
        self._source, self._keep_ids = source, keep_ids
        self._images: dict[str, SourceImage] = {}
        self._readers: dict[str, str] = {}
        self._seen: set[object] = set()

    def add_image(self, uid: str, where: str, reader: str) -> SourceImage:
        """Return an image that an object says was read."""
        image = self._images.setdefault(uid, SourceImage(uid, where))
        name = self._name(reader)
        if name not in image.readers:
            image.readers = (*image.readers, name)
        return image

    def add(self, uid: str, finding: SourceFinding, reader: str) -> None:
        """Add a finding of an image, unless the same reader set the same one before."""
        image = self.add_image(uid, finding.where, reader)
        shape = finding.shape
        numbers = (tuple(shape) if isinstance(shape, Point) else
                   tuple(part.round(3).tobytes() for part in getattr(shape, 'parts', ())))
        key = (uid, self._name(reader), finding.label, numbers)
        if key in self._seen:
            self._source.left_out['marks that are there twice (the same place and class)'] += 1
            return
        self._seen.add(key)
        image.findings.append(replace(finding, reader=self._name(reader)))

    def finish(self) -> None:
        """Hand the images over; of one reader alone nobody is named."""
        images = list(self._images.values())
        if len(self._readers) < 2:
            for image in images:
                image.readers = ()
                image.findings = [replace(finding, reader=None) for finding in image.findings]
        self._source.images.extend(images)

    def _name(self, reader: str) -> str:
        name = reader or 'unknown'
        if not self._keep_ids:
            name = f'reader {len(self._readers) + 1}'
        return self._readers.setdefault(reader, name)
