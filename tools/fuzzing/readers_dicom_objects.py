"""Importers of structured reports and presentation states: mutated files, and pydicom to compare."""
import io
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fuzzing import dicom_object_seeds as seeds
from fuzzing.dicom_mutators import mutate_dicom
from fuzzing.importer_readings import Marked, Pair, around, number, turned_ellipse
from fuzzing.readers_importers import import_reader

TEXTS = ('', ' ', '0', 'x', 'POINT', 'POLYLINE', 'CIRCLE', 'IMAGE', 'SCOORD', 'SCOORD3D', 'CODE',
         'CONTAINER', '121071', '111030', 'DCM', 'DISPLAY', 'PIXEL', 'Y', 'a\\b', 'x' * 70,
         *seeds.UIDS.values(), '1.2.3.9', f'{seeds.STORAGE}1.1', f'{seeds.STORAGE}88.67')
NUMBERS = (0, 1, 2, 90, 91, 180, 270, 65535, -1, 2 ** 31 - 1)
FLOATS = (0., -1., .5, 99.5, 1e6, 1e8, 3e38, math.nan, math.inf)
NO_IMAGES = (f'{seeds.STORAGE}88.', f'{seeds.STORAGE}11.', f'{seeds.STORAGE}104.')
FINDINGS, REGIONS = (('121071', 'DCM'), ('111059', 'DCM')), (('111030', 'DCM'), ('111041', 'DCM'))
CENTRE, OUTLINE, GROUP, LIBRARY = (
    (value, 'DCM') for value in ('111010', '111041', '125007', '111028'))


def mutate_object(name: str, data: bytes, rng: random.Random) -> bytes:
    """Return a mutated object: elements within sequences in half of the cases, else its bytes."""
    import pydicom

    if rng.random() < .5:
        return mutate_dicom(data, rng)
    try:
        content = pydicom.dcmread(io.BytesIO(data))
        for _ in range(rng.choice([1, 1, 2, 3])):
            mutate_element(content, rng)
        stream = io.BytesIO()
        content.save_as(stream)
        return stream.getvalue()
    except Exception:  # pydicom does not write every value
        return mutate_dicom(data, rng)


def mutate_element(content: Any, rng: random.Random) -> None:
    """Change one element, wherever it stands in the sequences."""
    places = [(part, tag) for part in all_parts(content) for tag in part.keys()]
    part, tag = rng.choice(places)
    element, way = part[tag], rng.randrange(10)
    if way == 0:
        del part[tag]
    elif element.VR == 'SQ':
        items = list(element.value)
        if way < 4 and items:
            items.insert(rng.randrange(len(items) + 1), rng.choice(items))
        elif way < 6 and items:
            del items[rng.randrange(len(items))]
        elif way < 8:
            items.append(type(content)())
        else:
            other, place = rng.choice(places)
            items = list(other[place].value) if other[place].VR == 'SQ' else items[::-1]
        element.value = items
    elif element.VR in ('FL', 'FD', 'DS'):
        values = [rng.choice(FLOATS), *list(element.value)[1:]]
        many = values * rng.choice([1, 2, 1000])
        element.value = rng.choice([values, values[1:], many, [], values])
    elif element.VR in ('US', 'UL', 'SL', 'IS', 'SS'):
        element.value = rng.choice([rng.choice(NUMBERS), [], [1, 1, 2, 1], [rng.choice(NUMBERS)] * 2])
    else:
        element.value = rng.choice(TEXTS)


def all_parts(content: Any) -> Iterator[Any]:
    """Yield a data set and those of its sequences."""
    yield content
    for element in content:
        if element.VR == 'SQ':
            for part in element.value:
                yield from all_parts(part)


def text(part: Any, key: str) -> str:
    """Return the first value of a text, '' where there is none."""
    value = part.get(key)
    value = value[0] if hasattr(value, 'append') and len(value) else value
    return '' if value is None or hasattr(value, 'append') else str(value).strip(' \0')


def numbers(part: Any, key: str) -> list[Any]:
    """Return the values of an element of numbers."""
    value = part.get(key)
    return list(value) if hasattr(value, '__iter__') else [] if value is None else [value]


def images_of(part: Any, key: str) -> list[str]:
    """Return the images of a sequence of references."""
    found = []
    for entry in part.get(key) or ():
        uid = text(entry, 'ReferencedSOPInstanceUID')
        if not uid or any(float(frame) != 1 for frame in numbers(entry, 'ReferencedFrameNumber')
                          if frame != ''):
            raise TypeError('no image')
        if not text(entry, 'ReferencedSOPClassUID').startswith(NO_IMAGES):
            found.append(uid)
    return found


def code_of(part: Any, key: str) -> tuple[str, str, str] | None:
    """Return value, scheme and meaning of the first code that has a value."""
    for entry in part.get(key) or ():
        value = next((text(entry, way) for way in ('CodeValue', 'LongCodeValue', 'URNCodeValue')
                      if text(entry, way)), '')
        if value:
            return value, text(entry, 'CodingSchemeDesignator'), text(entry, 'CodeMeaning')
    return None


def concept_of(part: Any) -> tuple[str, str]:
    """Return what a content item is."""
    return (code_of(part, 'ConceptNameCodeSequence') or ('', '', ''))[:2]


def shapes_of(kind: str, values: Sequence[Any], is_area: bool) -> list[list[Pair]] | None:
    """Return the corners of what a graphic marks; None of a line."""
    points = [(number(float(x)), number(float(y)))
              for x, y in zip(values[::2], values[1::2], strict=True)]
    if not points or kind in ('POINT', 'CIRCLE', 'ELLIPSE') and (
            len(points) != dict(POINT=1, CIRCLE=2, ELLIPSE=4)[kind]):
        raise TypeError('another number of points')
    if kind in ('POINT', 'MULTIPOINT'):
        return [[point] for point in points]
    if kind == 'CIRCLE':
        radius = math.dist(*points)
        return [around(*points[0], radius, radius)]
    if kind == 'ELLIPSE':
        (x1, y1), (x2, y2), third, fourth = points
        middle = [sum(point[axis] for point in points) / 4 for axis in (0, 1)]
        return [turned_ellipse(dict(cx=middle[0], cy=middle[1], rx=math.dist((x1, y1), (x2, y2)) / 2,
                                    ry=math.dist(third, fourth) / 2,
                                    theta=math.atan2(y2 - y1, x2 - x1)))]
    if kind not in ('POLYLINE', 'INTERPOLATED'):
        raise TypeError('another graphic')
    is_closed = len(points) > 3 and all(abs(first - last) <= 1e-3 + 1e-5 * abs(last) for first, last
                                        in zip(points[0], points[-1], strict=True))
    if is_closed:
        return [points[:-1]]
    return [points] if is_area and len(points) > 2 else None


class Findings:
    """What objects mark, by image; equal marks count once, lines leave an image without a reading."""

    def __init__(self) -> None:
        self.images: dict[str, list[tuple[str, list[Pair]]]] = {}
        self.unread: set[str] = set()

    def add(self, uid: str, label: str, shapes: list[list[Pair]] | None) -> None:
        """Add the shapes of one graphic."""
        found = self.images.setdefault(uid, [])
        if shapes is None:
            self.unread.add(uid)
        for corners in shapes or ():
            places = [tuple(round(value, 3) for value in corner) if len(corners) > 1 else corner
                      for corner in corners]
            if not any(label == other and places == [
                    tuple(round(value, 3) for value in corner) if len(old) > 1 else corner
                    for corner in old] for other, old in found):
                found.append((label, corners))

    def settle(self) -> Iterator[Marked]:
        """Yield the images that were read."""
        names = {uid: name for name, uid in seeds.UIDS.items()}
        for uid, findings in self.images.items():
            if uid not in names and findings:
                raise TypeError('no such image')
            if uid in names and (findings or uid not in self.unread):
                yield Marked(names[uid], findings)


def structured_report(path: Path, options: Mapping[str, Any]) -> Iterator[Marked]:
    """Read a structured report."""
    import pydicom

    content = pydicom.dcmread(path, force=True)
    above: dict[int, list[Any]] = {}  # the items above each, the nearest first
    order: list[Any] = []

    def walk(part: Any, parents: list[Any]) -> None:
        above[id(part)] = parents
        order.append(part)
        for child in part.get('ContentSequence') or ():
            walk(child, [part, *parents])

    walk(content, [])
    below = {id(part): [other for other in order if any(part is up for up in above[id(other)])]
             for part in order}
    found = Findings()
    for part in order[1:]:
        if text(part, 'ValueType') == 'IMAGE':
            for uid in images_of(part, 'ReferencedSOPSequence'):
                found.images.setdefault(uid, [])
    if not found.images:
        for key in ('CurrentRequestedProcedureEvidenceSequence', 'PertinentOtherEvidenceSequence'):
            for study in content.get(key) or ():
                for series in study.get('ReferencedSeriesSequence') or ():
                    for uid in images_of(series, 'ReferencedSOPSequence'):
                        found.images.setdefault(uid, [])
    named, meanings = list(found.images), {}
    for part in order[1:]:
        kind, parents = text(part, 'ValueType'), above[id(part)]
        has_outline = any(concept_of(other) == OUTLINE for other in
                          parents[0].get('ContentSequence') or ())
        if kind == 'SCOORD3D':
            raise TypeError('not in the image')
        if kind == 'SCOORD' and not (concept_of(part) == CENTRE and has_outline):
            shapes = shapes_of(text(part, 'GraphicType'), numbers(part, 'GraphicData'),
                               concept_of(part) in REGIONS)
            uids = [uid for child in part.get('ContentSequence') or ()
                    for uid in images_of(pointed_at(content, child), 'ReferencedSOPSequence')]
            for uid in uids:
                for label in labels_of(parents, meanings):
                    found.add(uid, label, shapes)
            if not uids:
                raise TypeError('no image')
        is_group = concept_of(part) == GROUP
        is_value = kind in ('CODE', 'NUM') and len(parents) > 1 and not any(
            concept_of(up) in (GROUP, LIBRARY) or text(up, 'ValueType') in ('CODE', 'NUM')
            for up in parents)
        inside = below[id(part)]
        if (is_group or is_value) and not any(text(other, 'ValueType') == 'SCOORD'
                                              for other in inside):
            own = [uid for other in inside if text(other, 'ValueType') == 'IMAGE'
                   for uid in images_of(other, 'ReferencedSOPSequence')]
            found.unread.update(own or named)
    yield from found.settle()


def pointed_at(content: Any, child: Any) -> Any:
    """Return a content item, or the one that it refers to, where that is an image; else nothing."""
    places = numbers(child, 'ReferencedContentItemIdentifier')
    if places:
        child = content
        for place in places[1:]:
            child = child.ContentSequence[int(place) - 1 if place > 0 else 10 ** 9]
    return child if text(child, 'ValueType') == 'IMAGE' else {}


def labels_of(parents: Sequence[Any], meanings: dict[tuple[str, str], str]) -> list[str]:
    """Return the classes of a mark: the finding codes nearest above it."""
    for up in parents:
        codes = [code for part in (up, *(up.get('ContentSequence') or ()))
                 if text(part, 'ValueType') == 'CODE' and concept_of(part) in FINDINGS
                 and (part is up or text(up, 'ValueType') != 'CODE')
                 and (code := code_of(part, 'ConceptCodeSequence'))]
        if codes:
            return list(dict.fromkeys(meanings.setdefault(
                code[:2], code[2] or f'{code[0]} {code[1]}') for code in codes))
    return ['finding']


def presentation_state(path: Path, options: Mapping[str, Any]) -> Iterator[Marked]:
    """Read a presentation state."""
    import pydicom

    content = pydicom.dcmread(path, force=True)
    images = [uid for series in content.get('ReferencedSeriesSequence') or ()
              for uid in images_of(series, 'ReferencedImageSequence')]
    found = Findings()
    for part in content.get('GraphicAnnotationSequence') or ():
        uids = images_of(part, 'ReferencedImageSequence') or images
        graphics, texts = (list(part.get(key) or ()) for key in (
            'GraphicObjectSequence', 'TextObjectSequence'))
        words = list(dict.fromkeys(filter(None, (' '.join(str(entry.get(
            'UnformattedTextValue') or '').strip(' \0').split()) for entry in texts))))
        label = 'finding'
        if options.get('label_attribute') == 'layer':
            label = text(part, 'GraphicLayer') or label
        elif options.get('label_attribute') == 'text' and graphics:
            label, = words or [label]
        if not graphics and (texts or part.get('CompoundGraphicSequence')):
            for uid in uids:
                found.images.setdefault(uid, [])
                found.unread.add(uid)
        for graphic in graphics:
            values = numbers(graphic, 'GraphicData')
            for uid in uids:
                placed = list(values)
                if text(graphic, 'GraphicAnnotationUnits') == 'DISPLAY':
                    placed = to_pixels(content, values, uid)
                elif text(graphic, 'GraphicAnnotationUnits') != 'PIXEL':
                    raise TypeError('other units')
                found.add(uid, label, shapes_of(text(graphic, 'GraphicType'), placed,
                                                text(graphic, 'GraphicFilled') == 'Y'))
    yield from found.settle()


def to_pixels(content: Any, values: Sequence[Any], uid: str) -> list[float]:
    """Return fractions of what is shown in columns and rows of the file."""
    area = next(entry for entry in content.DisplayedAreaSelectionSequence
                if uid in (images_of(entry, 'ReferencedImageSequence') or [uid]))
    corners = [numbers(area, f'DisplayedArea{name}HandCorner') for name in ('TopLeft', 'BottomRight')]
    turns = int(content.get('ImageRotation') or 0) // 90
    placed = []
    for x, y in zip(values[::2], values[1::2], strict=True):
        x = 1 - x if text(content, 'ImageHorizontalFlip') == 'Y' else x
        for _ in range(turns):
            x, y = y, 1 - x
        for value, first, last in zip((x, y), *corners, strict=True):
            low, high = min(first, last) - 1, max(first, last)
            placed.append(low + value * (high - low))
    return placed


READERS = (
    import_reader('sr', seeds.sr_seeds, mutate_object, structured_report, images=seeds.IMAGES),
    import_reader('gsps', seeds.gsps_seeds, mutate_object, presentation_state, images=seeds.IMAGES))
