"""DICOM structured reports: measurement reports (TID 1500) and other SR documents with coordinates.

Standard: PS3.3, A.35 and C.17.3 (content tree), C.18.6 (spatial coordinates); PS3.16, TID 1500,
1410 and 1501. A mark is a content item SCOORD, wherever it stands: as the region of a measurement
group, or under a measurement (NUM) or a code (CODE). Its column and row count from the outer corner
of the first pixel, as ours do. Its class is the finding code of the nearest item above that has one.

An image that a report names and marks nothing in was read, and nothing found, unless the report
describes a finding there without coordinates.
"""
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mmwindow.annotations.importers.dicom_objects import (
    REFERENCED_OBJECTS,
    REFERENCED_SERIES,
    CodedEntry,
    Marks,
    damage_named,
    find_objects,
    is_object_of,
    read_code,
    read_graphic,
    read_instances,
    read_object,
    read_pairs,
)
from mmwindow.annotations.importers.options import ImportOptions
from mmwindow.annotations.importers.source import Shape, Source, SourceFinding, SourceImage
from mmwindow.images.dicom_tags import STORAGE
from mmwindow.images.formats.dicom_elements import Elements
from mmwindow.utils.messages import shorten

TITLE = 'DICOM SR'
# Text, enhanced, comprehensive, comprehensive 3D and extensible SR; CAD of mammography and chest.
CLASSES = tuple(f'{STORAGE}88.{number}' for number in (11, 22, 33, 34, 35, 50, 65))
VALUE_TYPE, CONCEPT, CODE_VALUE, CONTENT, REFERENCE = (
    0x0040a040, 0x0040a043, 0x0040a168, 0x0040a730, 0x0040db73)
PERSON_NAME, UID, TEXT = 0x0040a123, 0x0040a124, 0x0040a160
GRAPHIC_DATA, GRAPHIC_TYPE, PIXEL_ORIGIN = 0x00700022, 0x00700023, 0x00480301
EVIDENCE = (0x0040a375, 0x0040a385)  # of this procedure, and of others
TAGS = (VALUE_TYPE, CONCEPT, CONTENT, *EVIDENCE)
VALUE_TYPES = ('TEXT', 'CODE', 'NUM', 'DATETIME', 'DATE', 'TIME', 'UIDREF', 'PNAME', 'COMPOSITE',
               'IMAGE', 'WAVEFORM', 'SCOORD', 'SCOORD3D', 'TCOORD', 'CONTAINER', 'TABLE')
MAX_DEPTH = 40

DCM = 'DCM'
FINDINGS = (('121071', DCM), ('111059', DCM))  # finding; single image finding (CAD)
REGIONS = (('111030', DCM), ('111041', DCM))  # image region; outline (CAD): they enclose an area
CENTRE, OUTLINE = ('111010', DCM), ('111041', DCM)  # of one finding (CAD)
GROUP, LIBRARY = ('125007', DCM), ('111028', DCM)  # measurement group; image library
OBSERVERS = (('121008', DCM), ('121012', DCM), ('121013', DCM))  # person; UID and name of a device


@dataclass
class ContentItem:
    """One item of a report's tree.

    Attributes:
        kind: Value type, such as 'SCOORD'.
        concept: What it is, None where it has no name.
        elements: Of the item.
        place: Numbers from the root, such as (1, 6, 2): as a reference to it is written.
        parent: Above it, None of the root.
        children: Below it.
    """

    kind: str
    concept: CodedEntry | None
    elements: Elements
    place: tuple[int, ...]
    parent: 'ContentItem | None'
    children: list['ContentItem'] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str] | None:
        """Return its concept, to be compared."""
        return self.concept.key if self.concept else None

    def above(self) -> Iterator['ContentItem']:
        """Yield the items above, the nearest first."""
        item = self.parent
        while item is not None:
            yield item
            item = item.parent

    def below(self) -> Iterator['ContentItem']:
        """Yield the items below in the order of the report."""
        for child in self.children:
            yield child
            yield from child.below()


def recognises(path: Path) -> bool:
    """Tell whether a file, or one in a folder, is a structured report."""
    return is_object_of(path, CLASSES)


def read(path: Path, options: ImportOptions) -> Source:
    """Read structured reports.

    Args:
        path: One, or a folder with them, in which other files are passed over.
        options: ``label`` is the class of marks without a finding code; ``keep_ids`` keeps the names
            of observers.

    Raises:
        ValueError: Anything wrong; the message names file and content item.
    """
    source = Source('sr', [], by_uid=True)
    marks = Marks(source, options.keep_ids)
    meanings: dict[tuple[str, str], str] = {}
    for file in [path] if path.is_file() else find_objects(path, CLASSES):
        _Report(file, options, source, meanings).read(marks)
    marks.finish()
    return source


class _Report:
    """One report while it is read."""

    def __init__(self, path: Path, options: ImportOptions, source: Source,
                 meanings: dict[tuple[str, str], str]) -> None:
        self.name, self.label, self.source, self.meanings = (
            shorten(str(path)), options.label, source, meanings)
        self.elements = read_object(path, TAGS, CLASSES, 'a structured report')
        with damage_named(self.name):
            self.root = ContentItem(self.elements.text(VALUE_TYPE),
                                    read_code(self.elements, CONCEPT), self.elements, (1, ), None)
            self._add_children(self.root)
        if self.root.kind != 'CONTAINER' or not self.root.children:
            raise ValueError(f'{self.name}: the report has no content; it is cut short, or empty')

    def _add_children(self, item: ContentItem) -> None:
        if len(item.place) > MAX_DEPTH:
            raise ValueError(f'{self.name}: its content lies more than {MAX_DEPTH} levels deep')
        for number, elements in enumerate(item.elements.items(CONTENT), start=1):
            elements.check_known()
            if elements.text(VALUE_TYPE) not in VALUE_TYPES and REFERENCE not in elements:
                place = '.'.join(map(str, (*item.place, number)))
                raise ValueError(f'{self.name}: content item {place}: its value type is '
                                 f'{shorten(elements.text(VALUE_TYPE), 30)!r}, which DICOM does not '
                                 'know; the file is damaged')
            child = ContentItem(elements.text(VALUE_TYPE), read_code(elements, CONCEPT), elements,
                                (*item.place, number), item)
            item.children.append(child)
            self._add_children(child)

    def where(self, item: ContentItem) -> str:
        """Return how messages name an item."""
        return f'{self.name}: content item {".".join(map(str, item.place))}'

    def read(self, marks: Marks) -> None:
        """Add the marks and the images of the report."""
        with damage_named(self.name):
            self._read(marks)

    def _read(self, marks: Marks) -> None:
        reader = self._observer()
        images: dict[str, SourceImage] = {}
        for item in self.root.below():
            if item.kind == 'IMAGE':
                for uid in read_instances(item.elements, REFERENCED_OBJECTS, self.where(item)):
                    images[uid] = marks.add_image(uid, self.where(item), reader)
        if not images:
            for uid in self._evidence():
                images[uid] = marks.add_image(uid, self.name, reader)
        if not images:
            raise ValueError(f'{self.name}: the report names no image')
        for item in self.root.below():
            if item.kind == 'SCOORD3D':
                raise ValueError(
                    f'{self.where(item)}: coordinates in mm of the patient (SCOORD3D), which have no '
                    'place in the pixels of a radiograph; export coordinates of the image (SCOORD)')
            if item.kind == 'SCOORD' and not self._is_centre_of_outline(item):
                self._read_mark(item, marks, reader)
        for item in self._without_coordinates():
            self.source.left_out['findings without coordinates (an image with these alone is left '
                                 'out)'] += 1
            named = [uid for child in item.below() if child.kind == 'IMAGE' for uid in
                     read_instances(child.elements, REFERENCED_OBJECTS, self.where(child))]
            for uid in named or images:
                images[uid].has_unread_marks = True

    def _observer(self) -> str:
        """Return who made the report: the name of a person, else of a device, '' if unknown."""
        for concept in OBSERVERS:
            for item in self.root.children:
                if item.key == concept:
                    name = next((item.elements.characters(tag) for tag in (PERSON_NAME, UID, TEXT)
                                 if tag in item.elements), '')
                    if name:
                        return name
        return ''

    def _evidence(self) -> Iterator[str]:
        """Yield the images that a report without any in its content is about."""
        for tag in EVIDENCE:
            for study in self.elements.items(tag):
                for series in study.items(REFERENCED_SERIES):
                    yield from read_instances(series, REFERENCED_OBJECTS, self.name)

    def _read_mark(self, item: ContentItem, marks: Marks, reader: str) -> None:
        where = self.where(item)
        kind, origin = item.elements.text(GRAPHIC_TYPE), item.elements.text(PIXEL_ORIGIN)
        if origin not in ('', 'FRAME'):
            raise ValueError(f'{where}: its PixelOriginInterpretation is {shorten(origin, 30)!r}; '
                             'coordinates of a tiled image are not read')
        points = read_pairs(item.elements.floats(GRAPHIC_DATA), where)
        uids = [uid for image in self._selected_from(item) for uid in
                read_instances(image.elements, REFERENCED_OBJECTS, self.where(image))]
        if not uids:
            raise ValueError(f'{where}: its coordinates are of no image')
        shapes = read_graphic(kind, points, item.key in REGIONS, where)
        for uid in uids:
            if shapes is None:
                self.source.left_out['lines, such as a measured length'] += 1
                marks.add_image(uid, where, reader).has_unread_marks = True
            for shape, label in self._label(shapes or [], item):
                marks.add(uid, SourceFinding(shape, label, where), reader)

    def _label(self, shapes: list[Shape], item: ContentItem) -> Iterator[tuple[Shape, str]]:
        labels = self._labels(item)
        for shape in shapes:
            for label in labels:
                yield shape, label

    def _selected_from(self, item: ContentItem) -> list[ContentItem]:
        """Return the images of coordinates: below them, or referred to."""
        images = []
        for child in item.children:
            reference = tuple(child.elements.long_words(REFERENCE))
            if reference:
                found: ContentItem | None = self.root
                for number in reference[1:]:
                    found = (found.children[number - 1] if found is not None
                             and 0 < number <= len(found.children) else None)
                if found is None:
                    raise ValueError(f'{self.where(child)}: refers to a content item that is not '
                                     'there')
                child = found
            if child.kind == 'IMAGE':
                images.append(child)
        return images

    def _labels(self, item: ContentItem) -> list[str]:
        """Return the classes of a mark: the finding codes nearest above it."""
        for above in item.above():
            codes = [code for place in (above, *above.children)
                     if place.kind == 'CODE' and place.key in FINDINGS
                     and (place is above or above.kind != 'CODE')
                     and (code := read_code(place.elements, CODE_VALUE)) is not None]
            if codes:
                # One code is one class, however its meaning is written.
                return list(dict.fromkeys(self.meanings.setdefault(
                    code.key, code.meaning or f'{code.value} {code.scheme}') for code in codes))
        self.source.left_out[f'marks without a finding code (their class is {self.label!r})'] += 1
        return [self.label]

    def _is_centre_of_outline(self, item: ContentItem) -> bool:
        """Tell whether a point is the centre of a finding whose outline stands next to it."""
        if item.key != CENTRE or item.parent is None or not any(
                sibling.key == OUTLINE for sibling in item.parent.children):
            return False
        self.source.left_out['centres of findings that have an outline'] += 1
        return True

    def _without_coordinates(self) -> Iterator[ContentItem]:
        """Yield measurement groups and values that mark no place of an image."""
        for item in self.root.below():
            above = list(item.above())
            is_group = item.key == GROUP
            is_value = item.kind in ('CODE', 'NUM') and len(above) > 1 and not any(
                container.key in (GROUP, LIBRARY) or container.kind in ('CODE', 'NUM')
                for container in above)
            if (is_group or is_value) and not any(
                    child.kind == 'SCOORD' for child in item.below()):
                yield item
