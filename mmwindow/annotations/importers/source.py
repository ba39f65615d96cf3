"""What every importer returns: images with findings, as the source says them.

An importer reads one format and decides nothing else. Coordinates are those of its tool, moved to
continuous pixels with the origin at the outer corner of the first pixel (docs/method.md, section 1);
whether the tool showed the image turned by its orientation tag is said in :class:`Source`. Which
image file is meant, its size, its patient and the point of a box or polygon are decided once for all
formats, in :mod:`~mmwindow.annotations.importers.assemble`.
"""
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_FINDINGS = 10_000  # of one image; more is no reading of a radiograph


class Point(NamedTuple):
    """A click, in pixels."""

    x: float
    y: float


class Outline(NamedTuple):
    """The corners of a finding that has an extent.

    Attributes:
        parts: One array ``(N, 2)`` per polygon, x and y in pixels, N at least 3.
        is_box: Whether it is an upright box: then two opposite corners say all.
    """

    parts: tuple[NDArray[np.float64], ...]
    is_box: bool = False


class Mask(NamedTuple):
    """The pixels of a finding.

    Attributes:
        pixels: ``(h, w)`` bool.
        corner: x and y of the top left corner of ``pixels`` in the image.
    """

    pixels: NDArray[np.bool_]
    corner: tuple[float, float] = (0., 0.)


Shape = Point | Outline | Mask


@dataclass(frozen=True)
class SourceFinding:
    """One finding.

    Attributes:
        shape: Where it is.
        label: Name of its class.
        where: Names the record in messages, such as ``"a.xml: object 3"``.
        reader: Who marked it, where the source says so.
    """

    shape: Shape
    label: str
    where: str
    reader: str | None = None


@dataclass
class SourceImage:
    """One image that the source mentions; without findings it is a negative image.

    Attributes:
        name: Of the file, as the source writes it; or the SOPInstanceUID of a DICOM image.
        where: Names the record in messages.
        findings: In the order of the source.
        size: Height and width in pixels as the source says them, None where it does not.
        group: Of the patient, as the source says it.
        readers: Who read the image, whether they found something or not.
        fields: Other entries that results can be told apart by.
        in_pixels: Whether shapes are in pixels; else in fractions of width and height (0 to 1).
        has_unread_marks: Whether the source marks or describes something here that is no finding of
            ours, such as a line: without other findings it is no negative image, and left out.
        was_uploaded: Whether the tool changed the name of the file, as that of an upload.
    """

    name: str
    where: str
    findings: list[SourceFinding] = field(default_factory=list)
    size: tuple[int, int] | None = None
    group: object = None
    readers: tuple[str, ...] = ()
    fields: dict[str, int | float | str] = field(default_factory=dict)
    in_pixels: bool = True
    has_unread_marks: bool = False
    was_uploaded: bool = False


@dataclass
class Source:
    """What one annotation source says.

    Attributes:
        format: Name of the format.
        images: In the order of the source.
        classes: Names in the order of the source, also of classes without a finding; empty where
            it lists none.
        is_displayed: Whether coordinates and sizes are those of the image as it is shown, turned by
            its orientation tag.
        left_out: What cannot be carried over, in words, and how often.
        images_near: Folder of the images relative to the source, where the format fixes it.
        by_uid: Whether the names of images are SOPInstanceUIDs.
        name: Of the file or folder in messages.
    """

    format: str
    images: list[SourceImage]
    classes: tuple[str, ...] = ()
    is_displayed: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    images_near: str | None = None
    by_uid: bool = False
    name: str = 'the source'


def box_outline(x1: float, y1: float, x2: float, y2: float) -> Outline:
    """Return an upright box by two opposite corners, in any order."""
    left, right, top, bottom = min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    return Outline((corners.astype(np.float64), ), is_box=True)


def polygon_outline(parts: Sequence[Sequence[Sequence[float]] | NDArray[np.float64]], where: str
                    ) -> Outline:
    """Return polygons, each a sequence of corners.

    Raises:
        ValueError: One has fewer than three corners.
    """
    arrays = []
    for number, part in enumerate(parts):
        corners = np.asarray(part, dtype=np.float64).reshape(-1, 2)
        if len(corners) < 3:
            raise ValueError(f'{where}: polygon {number} has {len(corners)} corners; at least three '
                             'are expected')
        arrays.append(corners)
    if not arrays:
        raise ValueError(f'{where}: there is no polygon')
    return Outline(tuple(arrays))


def circle_outline(x: float, y: float, radius_x: float, radius_y: float | None = None,
                   angle: float = 0., num_corners: int = 64) -> Outline:
    """Return a circle or an ellipse as a polygon with its own centre.

    Args:
        x: Of the centre, pixels, and so is ``y``.
        y: Of the centre.
        radius_x: Half axis along x before turning.
        radius_y: Half axis along y; ``radius_x`` if None.
        angle: Degrees clockwise, as seen on the screen.
        num_corners: Of the polygon.
    """
    turns = np.linspace(0, 2 * np.pi, num_corners, endpoint=False)
    along, across = radius_x * np.cos(turns), (radius_y or radius_x) * np.sin(turns)
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return Outline((np.stack([x + along * cosine - across * sine,
                              y + along * sine + across * cosine], axis=1), ))


def turned_box_outline(x: float, y: float, width: float, height: float, angle: float,
                       about: tuple[float, float]) -> Outline:
    """Return a box turned about a point.

    Args:
        x: Of the left edge before turning, pixels.
        y: Of the top edge.
        width: Pixels.
        height: Pixels.
        angle: Degrees clockwise, as seen on the screen.
        about: x and y of the point that stays where it is.
    """
    if angle % 360 == 0:
        return box_outline(x, y, x + width, y + height)
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turn = np.array([[cosine, sine], [-sine, cosine]])  # rows are multiplied from the left
    return Outline(((corners - about) @ turn + about, ))
