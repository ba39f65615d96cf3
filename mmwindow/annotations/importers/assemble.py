"""From what an importer read to our point file: which image, its size, patient and points.

Decided once for all formats. An image file is found by its path, else by its name, else by its stem,
and must be unique; names that leave the folder are taken without their folders. Coordinates of the
shown image are turned back by the orientation tag. Boxes, polygons and masks become points by a named
rule, seeded where it draws.
"""
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmwindow.annotations.importers.dicom_fields import dicom_fields
from mmwindow.annotations.importers.field_table import FieldTable, join_fields
from mmwindow.annotations.importers.image_index import FileInfo, ImageFrame, ImageIndex
from mmwindow.annotations.importers.mask_images import mask_outline
from mmwindow.annotations.importers.orientation import shown_size
from mmwindow.annotations.importers.patients import PATIENT_SOURCES, PatientNames, check_pattern
from mmwindow.annotations.importers.source import (
    MAX_FINDINGS,
    Mask,
    Point,
    Source,
    SourceFinding,
    SourceImage,
)
from mmwindow.annotations.polygons import draw_annotation_points
from mmwindow.annotations.records import IMAGE_KEYS
from mmwindow.utils.messages import count_phrase, count_words, name_some, quote, shorten

POINT_RULES = ('centre', 'drawn')
UNLISTED = ('leave', 'negative')
SLACK = 1.  # pixels: so far outside its image a coordinate is moved to the edge, as tools round
OWN_NAMES = ('fields of the source left out, since the point file has entries of these names itself; '
             'they are kept under other names')
UNREAD = ('images left out: the source marks or describes something in them that is no point, box or '
          'region, so that they are no negative images')


@dataclass(frozen=True)
class AssemblySettings:
    """How a source becomes a point file.

    Attributes:
        points_from: Of a box, polygon or mask: 'centre' (of the box around it) or 'drawn' (one to
            four points inside, as an annotator would click).
        seed: Of drawn points.
        unlisted: Images that the source does not mention: 'leave' them out, or take them as
            'negative'.
        patient_pattern: Regular expression for a file's path; its first group, or all of it, names
            the patient. The source's own patient comes first.
        patients_from: 'auto', 'dicom' or 'none', as
            :class:`~mmwindow.annotations.importers.patients.PatientNames` has it.
        keep_ids: Whether identifiers of DICOM files stay; else patients are numbered.
        fields: Entries of the source to keep, by which results can be told apart; None: all. What
            DICOM files say (:mod:`~mmwindow.annotations.importers.dicom_fields`) is kept anyway.
        classes: Class names to take, in this order; all if empty. Others are left out and counted.
        rename: Class name of the source to ours.
    """

    points_from: str = 'centre'
    seed: int = 0
    unlisted: str = 'leave'
    patient_pattern: str | None = None
    classes: tuple[str, ...] = ()
    rename: dict[str, str] = field(default_factory=dict)
    patients_from: str = 'auto'
    keep_ids: bool = False
    fields: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name, value, known in (('points_from', self.points_from, POINT_RULES),
                                   ('unlisted', self.unlisted, UNLISTED),
                                   ('patients_from', self.patients_from, PATIENT_SOURCES)):
            if value not in known:
                raise ValueError(f'{name} is {quote(value)}; one of {known} is expected')
        check_pattern(self.patient_pattern)


@dataclass
class Assembly:
    """The point file that came out, and what did not fit into it.

    Attributes:
        content: COCO JSON, as :func:`~mmwindow.annotations.point_file.write_point_file` takes it.
        counts: In words, and how often: what was left out, moved or assumed.
        turned: Names of images with an orientation tag.
        unreadable: What is wrong with images that were left out since their size cannot be read.
    """

    content: dict[str, Any]
    counts: Counter[str]
    turned: list[str]
    unreadable: list[str] = field(default_factory=list)


def assemble(source: Source, images: ImageIndex, settings: AssemblySettings | None = None,
             keep_unreadable: bool = True, table: FieldTable | None = None) -> Assembly:
    """Return the point file of a source.

    Args:
        source: As an importer read it.
        images: Of the folder.
        settings: How a source becomes a point file.
        keep_unreadable: Images whose size cannot be read are an error, all at once; else they are
            left out and named in the result.
        table: Of further fields of the images.

    Raises:
        ValueError: An image is missing or mentioned twice, its size is another one, or a finding lies
            outside it; the message names file and record.
    """
    settings = settings or AssemblySettings()
    counts = Counter(source.left_out)
    classes = _choose_classes(source, settings, counts)
    content: dict[str, Any] = dict(
        info=dict(source_format=source.format, points_from=settings.points_from, seed=settings.seed),
        images=[], annotations=[],
        categories=[dict(id=number, name=name, keypoints=['point'])
                    for number, name in enumerate(classes, start=1)])
    taken: dict[str, str] = {}
    turned: list[str] = []
    unreadable: list[str] = []
    readers: set[str] = set()
    patients = PatientNames(source, settings.patients_from, settings.patient_pattern,
                            settings.keep_ids, counts)
    for image in source.images:
        file = _find_file(image, source, images, counts)
        if file is None:
            continue
        if file.place in taken:
            raise ValueError(f'{image.where}: the image {shorten(file.place)} is mentioned twice, '
                             f'first in {taken[file.place]}')
        taken[file.place] = image.where
        if image.has_unread_marks and not image.findings:
            counts[UNREAD] += 1
            continue
        reason = _why_unreadable(file, image)
        if reason:
            unreadable.append(reason)
            continue
        readers.update(image.readers)
        _add_image(content, image, file, source.is_displayed, settings, classes, counts, turned,
                   patients)
    others = [file for file in images.files if file.place not in taken]
    if settings.unlisted == 'negative':
        for file in others:
            image = SourceImage(file.place, file.place, readers=tuple(sorted(readers)))
            reason = _why_unreadable(file, image)
            if reason:
                unreadable.append(reason)
                continue
            _add_image(content, image, file, False, settings, classes, counts, turned, patients)
    elif others:
        counts['images that the source does not mention (left out; --unlisted negative takes them as '
               'negative images)'] = len(others)
    if unreadable and (keep_unreadable or not content['images']):
        raise ValueError(unreadable[0] if len(unreadable) == 1 else
                         f'{count_words(len(unreadable), "image cannot", "images cannot")} be read: '
                         f'{name_some(unreadable)}')
    if len(set(readers)) > 1:
        content['readers'] = sorted(readers)
    if not content['images']:
        raise ValueError(f'{source.name}: it names no image that can be taken: '
                         + '; '.join(count_phrase(number, what) for what, number in counts.items()))
    patients.finish()
    own = {key for image in source.images for key in image.fields if key in IMAGE_KEYS}
    if own:
        counts[f'{OWN_NAMES} ({", ".join(sorted(own))})'] = len(own)
    if table is not None:
        def find_place(name: str, where: str) -> str | None:
            file = images.find_known(name, where)
            return None if file is None else file.place
        join_fields(content['images'], table, find_place, patients.said, counts)
    _check_fields(source, table, content, settings.fields)
    return Assembly(content, +counts, turned, unreadable)


def _check_fields(source: Source, table: FieldTable | None, content: dict[str, Any],
                  wanted: tuple[str, ...] | None) -> None:
    """Reject fields that are asked for and nowhere there."""
    known = dict.fromkeys(key for image in source.images for key in image.fields)
    known.update(dict.fromkeys(table.columns if table else ()))
    known.update(dict.fromkeys(key for image in content['images'] for key in image
                               if key not in IMAGE_KEYS))
    unknown = [name for name in wanted or () if name not in known or name in IMAGE_KEYS]
    if unknown:
        raise ValueError(f'--fields: {name_some(unknown)} is no field of {source.name}'
                         f'{f" or {table.name}" if table else ""}; there are '
                         f'{shorten(", ".join(known)) or "none"}')


def _choose_classes(source: Source, settings: AssemblySettings, counts: Counter[str]
                    ) -> tuple[str, ...]:
    """Return the names of the classes in order: those asked for, the source's, or as they occur."""
    def ours(name: str) -> str:
        return settings.rename.get(name, name)

    labels = dict.fromkeys((*source.classes, *(finding.label for image in source.images
                                               for finding in image.findings)))
    found = dict.fromkeys(map(ours, labels))
    for option, names, known in (('--rename', settings.rename, labels),
                                 ('--classes', settings.classes, found)):
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(f'{option}: {name_some(unknown)} is not in the source, which has '
                             f'{name_some(list(known)) or "none"}')
    if not found:
        found = {'finding': None}  # negative images alone: a point file has a class all the same
    return settings.classes or tuple(found)


def _find_file(image: SourceImage, source: Source, images: ImageIndex, counts: Counter[str]
               ) -> FileInfo | None:
    """Return the file of an image; None where it is not there and nothing is lost by it."""
    if not source.by_uid:
        find = images.find_upload if image.was_uploaded else images.find
        # Of another size, pixels of the picture are none of the DICOM file: the sizes are compared.
        return find(image.name, image.where,
                    may_be_picture=image.size is not None or not image.findings)
    file = images.find_uid(image.name, image.where)
    if file is None and image.findings:
        raise ValueError(f'{image.findings[0].where}: its image (SOPInstanceUID '
                         f'..{shorten(image.name[-6:])}) is not among the {images.num_dicom} DICOM '
                         f'images of {shorten(str(images.folder))}')
    if file is None:
        counts['images without a mark and not in --images'] += 1
    return file


def _why_unreadable(file: FileInfo, image: SourceImage) -> str:
    """Return what is wrong with an image whose header cannot be read; '' where it can."""
    try:
        file.header()
    except ValueError as error:
        return f'{error}; {image.where} names it' if image.where != file.place else str(error)
    return ''


def _add_image(content: dict[str, Any], image: SourceImage, file: FileInfo, is_displayed: bool,
               settings: AssemblySettings, classes: Sequence[str], counts: Counter[str],
               turned: list[str], patients: PatientNames) -> None:
    header = file.header()
    height, width, tag = header.height, header.width, header.orientation
    if tag != 1:
        turned.append(file.place)
    shown = shown_size((height, width), tag) if is_displayed else (height, width)
    if image.size is not None and image.size != shown:
        hint = ''
        if image.size == shown[::-1]:
            hint = ('; the image has an orientation tag: --orientation says whether the tool showed '
                    'it turned' if tag >= 5 else '; height and width seem to be exchanged')
        raise ValueError(
            f'{image.where}: the source says {image.size[1]} x {image.size[0]} (width x height), the '
            f'file {shorten(file.place)} has {shown[1]} x {shown[0]}{hint}')
    identity = len(content['images']) + 1
    entry: dict[str, Any] = dict(id=identity, file_name=file.place, height=height, width=width)
    is_dicom = header.kind == 'DICOM'
    patient = patients.find(image, file, is_dicom)
    if patient is not None:
        entry['group'] = patient
    if image.readers:
        entry['readers'] = list(image.readers)
    for key, value in image.fields.items():
        # Such as a column group (case or control), which is no patient.
        if key not in IMAGE_KEYS and value != '' and (
                settings.fields is None or key in settings.fields):
            entry.setdefault(key, value)
    if is_dicom:
        for key, value in dicom_fields(file.tags()).items():
            entry.setdefault(key, value)
        if file.tags().has_burned_in_text:
            counts['images whose DICOM file says that their pixels show text about the patient'] += 1
    content['images'].append(entry)
    if len(image.findings) > MAX_FINDINGS:
        raise ValueError(f'{image.where}: {count_words(len(image.findings), "finding")} on one '
                         f'image; at most '
                         f'{MAX_FINDINGS} are read')
    for finding in image.findings:
        label = settings.rename.get(finding.label, finding.label)
        if label not in classes:
            counts['findings of other classes than --classes'] += 1
            continue
        frame = ImageFrame((height, width), tag if is_displayed else 1, shown, image.in_pixels)
        _add_finding(content, identity, finding, classes.index(label) + 1, frame, settings, counts)


def _add_finding(content: dict[str, Any], image_id: int, finding: SourceFinding, category: int,
                 frame: ImageFrame, settings: AssemblySettings, counts: Counter[str]) -> None:
    size = height, width = frame.size
    shape = finding.shape
    extra: dict[str, Any] = {} if finding.reader is None else dict(reader=finding.reader)
    number = len(content['annotations']) + 1
    if isinstance(shape, Point):
        points = [tuple(frame.turn(np.array([shape.x, shape.y])))]
    else:
        outline = mask_outline(shape, finding.where) if isinstance(shape, Mask) else shape
        parts = [frame.turn(part) for part in outline.parts]
        corners = np.concatenate(parts)
        low, high = corners.min(axis=0), corners.max(axis=0)
        _check_inside([low, high], size, finding.where)
        low, high = np.clip(low, 0, (width, height)), np.clip(high, 0, (width, height))
        if (high - low > 0).all():
            extra['bbox'] = [*map(_tidy, low), *map(_tidy, high - low)]
        else:
            counts['boxes without area (their centre is the point)'] += 1
        if not outline.is_box:
            extra['segmentation'] = [[_tidy(value) for value in part.reshape(-1)] for part in parts]
        points = [tuple((low + high) / 2)]
        if settings.points_from == 'drawn' and 'bbox' in extra:
            points = draw_annotation_points(parts, number, size, finding.where, settings.seed)
    for x, y in points:
        _check_inside([np.array([x, y])], size, finding.where)
        if not (0 <= x <= width and 0 <= y <= height):
            counts['points up to a pixel outside their image, moved to its edge'] += 1
        content['annotations'].append(dict(
            id=len(content['annotations']) + 1, image_id=image_id, category_id=category,
            keypoints=[_tidy(np.clip(x, 0, width)), _tidy(np.clip(y, 0, height)), 2], num_keypoints=1,
            iscrowd=0, **extra))


def _tidy(value: float) -> float:
    """Return a coordinate without the digits that turning and scaling leave behind."""
    return round(float(value), 6)


def _check_inside(points: Sequence[np.ndarray], size: tuple[int, int], where: str) -> None:
    height, width = size
    for x, y in points:
        if not (-SLACK <= x <= width + SLACK and -SLACK <= y <= height + SLACK):
            raise ValueError(f'{where} reaches ({x:g}, {y:g}), outside its image of {width} x '
                             f'{height} (width x height); is it of another scale or another image?')
