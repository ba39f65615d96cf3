"""DICOM presentation states (GSPS): graphics drawn over an image.

Standard: PS3.3, C.10.4 (displayed area), C.10.5 (graphic annotation), C.10.6 (rotation and flip). Of
the units, PIXEL count columns and rows from the outer corner of the first pixel, as ours do, whatever
rotation is shown; DISPLAY are fractions of the displayed area, whose corner *pixels* count from 1 and
belong to it, after rotation and flip.

A state without a mark says nothing about what was found: viewers write one whenever a window is
changed.
"""
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmwindow.annotations.importers.dicom_objects import (
    REFERENCED_IMAGES,
    REFERENCED_SERIES,
    Marks,
    damage_named,
    find_objects,
    is_object_of,
    read_graphic,
    read_instances,
    read_object,
    read_pairs,
)
from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.importers.source import Source, SourceFinding
from mmwindow.images.dicom_tags import STORAGE
from mmwindow.images.formats.dicom_elements import Elements
from mmwindow.utils.messages import shorten

TITLE = 'DICOM presentation states'
CLASSES = tuple(f'{STORAGE}11.{number}' for number in (1, 2, 3))  # grey, colour, pseudo-colour
ANNOTATIONS, LAYER, UNITS = 0x00700001, 0x00700002, 0x00700005
TEXTS, GRAPHICS, COMPOUNDS, TEXT = 0x00700008, 0x00700009, 0x00700209, 0x00700006
GRAPHIC_DATA, GRAPHIC_TYPE, FILLED = 0x00700022, 0x00700023, 0x00700024
FLIP, ROTATION, CREATOR = 0x00700041, 0x00700042, 0x00700084
AREAS, TOP_LEFT, BOTTOM_RIGHT = 0x0070005a, 0x00700052, 0x00700053
TAGS = (REFERENCED_SERIES, ANNOTATIONS, FLIP, ROTATION, CREATOR, AREAS)
LABELS = (None, 'text', 'layer')
NO_MARK = ('presentation states without a mark (no reading; --unlisted negative takes their images '
           'as negative ones)')
TEXT_ALONE = 'texts without a mark (an image with these alone is left out)'


def recognises(path: Path) -> bool:
    """Tell whether a file, or one in a folder, is a presentation state."""
    return is_object_of(path, CLASSES)


def read(path: Path, options: ImportOptions) -> Source:
    """Read presentation states.

    Args:
        path: One, or a folder with them, in which other files are passed over.
        options: ``label_attribute`` says what the class is: 'text' of the annotation, its 'layer', or
            ``label`` for all; ``keep_ids`` keeps the names of creators.

    Raises:
        ValueError: Anything wrong; the message names file and annotation.
    """
    if options.label_attribute not in LABELS:
        raise ValueError(f'--label-attribute is {shorten(options.label_attribute)}; of presentation '
                         'states, text or layer is expected')
    source = Source('gsps', [], by_uid=True)
    marks = Marks(source, options.keep_ids)
    for file in [path] if path.is_file() else find_objects(path, CLASSES):
        name = shorten(str(file))
        elements = read_object(file, TAGS, CLASSES, 'a presentation state')
        with damage_named(name):
            _State(elements, name, options, source).read(marks)
    marks.finish()
    return source


class _State:
    """One presentation state while it is read."""

    def __init__(self, elements: Elements, name: str, options: ImportOptions, source: Source) -> None:
        self.elements, self.name, self.options, self.source = elements, name, options, source
        self.images = [uid for series in elements.items(REFERENCED_SERIES)
                       for uid in read_instances(series, REFERENCED_IMAGES, name)]
        self.areas = elements.items(AREAS)
        if not self.areas:
            raise ValueError(f'{name}: the presentation state has no displayed area; it is cut '
                             'short')
        self.rotation = elements.number(ROTATION, 0)
        self.is_flipped = elements.text(FLIP) == 'Y'
        if self.rotation not in (0, 90, 180, 270):
            raise ValueError(f'{name}: its ImageRotation is {self.rotation}; 0, 90, 180 or 270 is '
                             'expected')

    def read(self, marks: Marks) -> None:
        """Add the marks of the state."""
        creator = self.elements.characters(CREATOR)
        annotations = self.elements.items(ANNOTATIONS)
        if not any(item.items(GRAPHICS) for item in annotations):
            self.source.left_out[NO_MARK] += 1
        for number, item in enumerate(annotations, start=1):
            where = f'{self.name}: annotation {number}'
            uids = read_instances(item, REFERENCED_IMAGES, where) or self.images
            if not uids:
                raise ValueError(f'{where}: the presentation state names no image')
            graphics = item.items(GRAPHICS)
            item.check_known()
            if not any(tag in item for tag in (GRAPHICS, TEXTS, COMPOUNDS)):
                raise ValueError(f'{where}: it holds neither graphics nor texts; the file is damaged')
            self.source.left_out['compound graphics (rulers, arrows, axes)'] += len(
                item.items(COMPOUNDS))
            if not graphics and (item.items(TEXTS) or item.items(COMPOUNDS)):
                self.source.left_out[TEXT_ALONE] += 1
                for uid in uids:
                    marks.add_image(uid, where, creator).has_unread_marks = True
            for place, graphic in enumerate(graphics, start=1):
                self._read_graphic(graphic, item, f'{where}, graphic {place}', uids, marks, creator)

    def _read_graphic(self, graphic: Elements, item: Elements, where: str, uids: list[str],
                      marks: Marks, creator: str) -> None:
        graphic.check_known()
        units = graphic.text(UNITS)
        points = read_pairs(graphic.floats(GRAPHIC_DATA), where)
        for uid in uids:
            if units == 'DISPLAY':
                placed = self._to_pixels(points, uid, where)
            elif units == 'PIXEL':
                placed = points
            else:
                raise ValueError(f'{where}: its units are {shorten(units, 30)!r}; PIXEL or DISPLAY '
                                 'is expected')
            shapes = read_graphic(graphic.text(GRAPHIC_TYPE), placed,
                                  graphic.text(FILLED) == 'Y', where)
            if shapes is None:
                self.source.left_out['lines, such as arrows and rulers'] += 1
                marks.add_image(uid, where, creator).has_unread_marks = True
            for shape in shapes or []:
                marks.add(uid, SourceFinding(shape, self._label(item, where), where), creator)

    def _label(self, item: Elements, where: str) -> str:
        if self.options.label_attribute is None:
            return self.options.label
        if self.options.label_attribute == 'layer':
            return item.text(LAYER) or self.options.label
        texts = [' '.join(text.characters(TEXT).split()) for text in item.items(TEXTS)]
        texts = list(dict.fromkeys(filter(None, texts)))
        if len(texts) > 1:
            raise ValueError(f'{where}: its annotation has {len(texts)} texts; one is expected, that '
                             'is the class (--label-attribute text)')
        return texts[0] if texts else self.options.label

    def _to_pixels(self, points: NDArray[np.float64], uid: str, where: str) -> NDArray[np.float64]:
        """Return fractions of the displayed area ``(N, 2)`` as stored pixels."""
        area = next(self._areas_of(uid, where), None)
        if area is None:
            raise ValueError(f'{where}: is placed in the displayed area of its image, which is not '
                             'said')
        corners = [area.long_words(tag, signed=True) for tag in (TOP_LEFT, BOTTOM_RIGHT)]
        if any(len(corner) != 2 for corner in corners):
            raise ValueError(f'{where}: the corners of its displayed area are not two pairs of '
                             'numbers')
        # The corner pixels, counted from 1, belong to the area: its edges are first - 1 and last.
        low = np.min(corners, axis=0) - 1.
        sides = np.max(corners, axis=0) - low
        placed: NDArray[np.float64] = low + to_unturned(
            points, self.rotation, self.is_flipped) * sides
        return placed

    def _areas_of(self, uid: str, where: str) -> Iterator[Elements]:
        for area in self.areas:
            named = read_instances(area, REFERENCED_IMAGES, where)
            if not named or uid in named:
                yield area


def to_unturned(points: NDArray[np.float64], rotation: int, is_flipped: bool) -> NDArray[np.float64]:
    """Return fractions of what is shown as fractions of the same area before rotation and flip.

    Args:
        points: ``(N, 2)``, 0 to 1 to the right and downwards.
        rotation: By which the image is turned clockwise to be shown, degrees.
        is_flipped: Whether left and right are exchanged after that.

    >>> to_unturned(np.array([[1., 0.]]), rotation=90, is_flipped=False).tolist()  # was top left
    [[0.0, 0.0]]
    """
    x, y = points[:, 0], points[:, 1]
    if is_flipped:
        x = 1 - x
    turned = {0: (x, y), 90: (y, 1 - x), 180: (1 - x, 1 - y), 270: (1 - y, x)}[rotation]
    return np.stack(turned, axis=1)
