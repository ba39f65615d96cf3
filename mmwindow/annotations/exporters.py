"""Our point file written for other tools: COCO, CVAT, Label Studio and CSV.

Points are turned to what the tool shows where it applies orientation tags
(:mod:`~mmwindow.annotations.importers.orientation`); reading the file again by our importers gives
the same points to a hundredth of a pixel.
"""
import csv
import io
import json
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree

import numpy as np

from mmwindow.annotations.importers.orientation import shown_size, to_shown
from mmwindow.annotations.point_file import point_file_content
from mmwindow.annotations.records import ImageRecord, PointFile


class ShownPoint(NamedTuple):
    """One point as a tool shows it.

    Attributes:
        x: Pixels of the shown image, and so is ``y``.
        y: Downwards.
        label: Name of its class.
        reader: Who marked it; '' where nobody is named.
    """

    x: float
    y: float
    label: str
    reader: str


def export_coco(point_file: PointFile, tags: Mapping[str, int]) -> str:
    """Return COCO JSON with one keypoint an annotation; stored pixels, ``tags`` are not read."""
    return json.dumps(point_file_content(point_file), indent=1) + '\n'


def export_csv(point_file: PointFile, tags: Mapping[str, int]) -> str:
    """Return a table ``image,x,y,class,patient,reader``; stored pixels, ``tags`` are not read.

    A negative image is a row with empty coordinates, one for each reader who found nothing.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator='\n')
    writer.writerow(['image', 'x', 'y', 'class', 'patient', 'reader'])
    for record in point_file.records:
        points = shown_points(record, point_file.classes, 1)
        for x, y, label, reader in points:
            writer.writerow([record.file_name, repr(x), repr(y), label, record.group or '', reader])
        found = {point.reader for point in points}
        for reader in record.readers or ([] if points else ['']):
            if reader not in found:
                writer.writerow([record.file_name, '', '', '', record.group or '', reader])
    return stream.getvalue()


def export_cvat(point_file: PointFile, tags: Mapping[str, int]) -> str:
    """Return the XML of "CVAT for images 1.1"; readers are left out, as CVAT has one a job."""
    root = ElementTree.Element('annotations')
    ElementTree.SubElement(root, 'version').text = '1.1'
    task = ElementTree.SubElement(ElementTree.SubElement(root, 'meta'), 'task')
    labels = ElementTree.SubElement(task, 'labels')
    for name in point_file.classes:
        label = ElementTree.SubElement(labels, 'label')
        ElementTree.SubElement(label, 'name').text = name
        ElementTree.SubElement(label, 'type').text = 'points'
        ElementTree.SubElement(label, 'attributes')
    for number, record in enumerate(point_file.records):
        tag = tags.get(record.file_name, 1)
        height, width = shown_size((record.height, record.width), tag)
        image = ElementTree.SubElement(root, 'image', dict(
            id=str(number), name=record.file_name, width=str(width), height=str(height)))
        for x, y, label_name, _ in shown_points(record, point_file.classes, tag):
            ElementTree.SubElement(image, 'points', dict(
                label=label_name, source='manual', occluded='0', points=f'{x:.4f},{y:.4f}',
                z_order='0'))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(
        root, encoding='unicode') + '\n'


def export_label_studio(point_file: PointFile, tags: Mapping[str, int]) -> str:
    """Return Label Studio's JSON: a task an image, an annotation a reader; local files."""
    tasks = []
    for number, record in enumerate(point_file.records, start=1):
        tag = tags.get(record.file_name, 1)
        height, width = shown_size((record.height, record.width), tag)
        points = shown_points(record, point_file.classes, tag)
        annotations = []
        for reader in record.readers or ('', ):
            result = [dict(
                id=f'{number}-{place}', type='keypointlabels', from_name='label', to_name='image',
                original_width=width, original_height=height, image_rotation=0,
                value=dict(x=100 * x / width, y=100 * y / height, width=0.5, keypointlabels=[label]))
                for place, (x, y, label, owner) in enumerate(points)
                if owner == reader or not record.readers]
            annotations.append(dict(was_cancelled=False, result=result,
                                    **(dict(completed_by=dict(email=reader)) if reader else {})))
        tasks.append(dict(id=number, annotations=annotations, data=dict(
            image=f'/data/local-files/?d={quote(record.file_name)}')))
    return json.dumps(tasks, indent=1) + '\n'


EXPORTERS: dict[str, Callable[[PointFile, Mapping[str, int]], str]] = dict(
    coco=export_coco, cvat=export_cvat, label_studio=export_label_studio, csv=export_csv)


def shown_points(record: ImageRecord, classes: tuple[str, ...], tag: int) -> list[ShownPoint]:
    """Return the points of an image as a tool shows them.

    Args:
        record: With points in stored pixels.
        classes: Names that its labels count.
        tag: Orientation of the file where the tool applies it, else 1.
    """
    readers = record.point_readers or [''] * len(record.points)
    shown = [to_shown(np.array(point), (record.height, record.width), tag).tolist()
             for point in record.points]
    return [ShownPoint(x, y, classes[label], reader)
            for (x, y), label, reader in zip(shown, record.labels, readers, strict=True)]
