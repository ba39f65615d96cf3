"""From one annotation to its points: by keypoints, box or polygons.

========================  =========================================================================
rule                      points of an annotation
========================  =========================================================================
``auto``                  by ``keypoints``, else ``bbox``, else ``polygon``, whichever it has first
``keypoints``             the one keypoint, ``[x, y, 2]``
``bbox``                  the centre of the box, ``[x, y, width, height]``
``polygon``               the centre of the box around the polygons
``polygon_drawn``         one to four points drawn inside the polygons, as an annotator would click;
                          seeded by the annotation's id
========================  =========================================================================

Only the entry that the rule asks for is checked. The box is read as well; where it is no box, the
annotation has none, which is an error only where boxes are needed.
"""
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mmwindow.annotations.checks import as_id, as_whole_number, is_finite
from mmwindow.annotations.polygons import Polygon, draw_annotation_points, read_polygons
from mmwindow.annotations.records import Box, ImageRecord, Point
from mmwindow.utils.messages import quote, shorten

POINT_RULES = ('auto', 'keypoints', 'bbox', 'polygon', 'polygon_drawn')
# The entry of an annotation that each rule reads; 'auto' takes the first that is there.
ENTRIES = dict(keypoints='keypoints', bbox='bbox', polygon='segmentation',
               polygon_drawn='segmentation')
ADVICE = dict(
    keypoints='write a point as "keypoints": [x, y, 2], "num_keypoints": 1, or take points from '
              'boxes or polygons (--points-from bbox; in a config dataset.points_from=bbox)',
    bbox='write [x, y, width, height], or take points from another entry (--points-from; in a '
         'config dataset.points_from)',
    segmentation='write a list of polygons, or take points from another entry (--points-from; in a '
                 'config dataset.points_from)')


class PointOutsideError(ValueError):
    """A point lies outside its image."""


class Finding(NamedTuple):
    """Where one annotation says that a finding is, in pixels of the image.

    Attributes:
        points: One, or up to four where they are drawn.
        box: x1, y1, x2, y2 of positive size; None where the annotation has none.
        source: The entry that the points come from.
    """

    points: list[Point]
    box: Box | None
    source: str


def check_point_rule(points_from: str) -> None:
    """Reject a rule that does not exist.

    Raises:
        ValueError: It is none of :data:`POINT_RULES`.
    """
    if points_from not in POINT_RULES:
        raise ValueError(f'points_from is {quote(points_from)}; one of {POINT_RULES} is '
                         'expected')


def read_finding(annotation: Mapping[str, object], image: ImageRecord, where: str,
                 points_from: str = 'auto', needs_boxes: bool = False) -> Finding:
    """Return the points and the box of one annotation.

    Args:
        annotation: Of a COCO file.
        image: The image it belongs to.
        where: Names the annotation in messages.
        points_from: One of :data:`POINT_RULES`.
        needs_boxes: Reject an annotation without a box of positive size.

    Raises:
        ValueError: A crowd, an ignored annotation, an entry that is missing or wrong, or a point
            outside the image.
    """
    for key in ('iscrowd', 'ignore'):
        if annotation.get(key) not in (None, 0):
            raise ValueError(f'{where} has {key} {quote(annotation[key])}: its findings can '
                             'neither be counted nor trained; annotate each, or take it out')
    source = _find_entry(annotation, points_from, where)
    box: Box | None = None
    if source == 'keypoints':
        points = [_read_keypoint(annotation, where)]
    elif source == 'bbox':
        points = [_centre(box := _read_bbox(annotation['bbox'], where))]
    else:
        polygons = read_polygons(annotation['segmentation'], where)
        outline = _outline(polygons)
        box = outline if _has_area(outline) else None
        points = [_centre(outline)]
        if points_from == 'polygon_drawn':
            points = draw_annotation_points(polygons, as_id(annotation.get('id')) or 0,
                                            (image.height, image.width), where)
    _check_inside(points, image, where, source)
    if box is None:
        box = _find_box(annotation, where, needs_boxes)
    return Finding(points, box, source)


def _is_there(value: object) -> bool:
    return value is not None and value != []


def _find_entry(annotation: Mapping[str, object], points_from: str, where: str) -> str:
    """Return the entry that the points of an annotation come from."""
    if points_from != 'auto':
        entry = ENTRIES[points_from]
        if not _is_there(annotation.get(entry)):
            raise ValueError(f'{where} has no {entry}; {ADVICE[entry]}')
        return entry
    for entry in ADVICE:
        if _is_there(annotation.get(entry)):
            return entry
    raise ValueError(f'{where} has neither keypoints nor bbox nor segmentation; one of them must say '
                     'where the finding is: "keypoints": [x, y, 2], "num_keypoints": 1 for a point')


def _read_keypoint(annotation: Mapping[str, object], where: str) -> Point:
    keypoints, number = annotation['keypoints'], annotation.get('num_keypoints', 1)
    if not isinstance(keypoints, list) or len(keypoints) != 3:
        raise ValueError(f'{where} has keypoints {quote(keypoints)}; one point is expected, '
                         '[x, y, 2]; write several points as several annotations')
    if not all(map(is_finite, keypoints)):
        raise ValueError(f'{where} has keypoints {shorten(keypoints)}; three finite numbers are '
                         'expected, [x, y, 2]')
    # COCO writes [0, 0, 0] for a point that nobody set: the corner is no finding.
    if as_whole_number(number) != 1 or keypoints[2] not in (1, 2):
        raise ValueError(f'{where} has keypoints {keypoints} and num_keypoints '
                         f'{quote(number)}; a point that counts has visibility 2 and '
                         'num_keypoints 1; take others out')
    return float(keypoints[0]), float(keypoints[1])


def _read_bbox(bbox: object, where: str) -> Box:
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(map(is_finite, bbox)):
        raise ValueError(f'{where} has the bbox {quote(bbox)}; 4 finite numbers are expected, '
                         '[x, y, width, height]')
    x, y, width, height = map(float, bbox)
    box = (x, y, x + width, y + height)
    if not (width > 0 and height > 0 and _has_area(box)):
        raise ValueError(f'{where} has the bbox {bbox}; [x, y, width, height] with a positive size '
                         'are expected')
    return box


def _find_box(annotation: Mapping[str, object], where: str, needs_boxes: bool) -> Box | None:
    """Return the box of an annotation whose points come from elsewhere."""
    box = None
    try:
        if _is_there(annotation.get('bbox')):
            box = _read_bbox(annotation['bbox'], where)
        elif _is_there(annotation.get('segmentation')):
            outline = _outline(read_polygons(annotation['segmentation'], where))
            box = outline if _has_area(outline) else None
    except ValueError:
        if needs_boxes:
            raise
    if box is None and needs_boxes:
        raise ValueError(f'{where} has no box of positive size, and this hit rule asks for boxes; '
                         "add the bbox, or score by points ('disk_overlap', 'distance')")
    return box


def _outline(polygons: list[Polygon]) -> Box:
    corners = np.concatenate(polygons)
    x1, y1 = corners.min(axis=0).tolist()
    x2, y2 = corners.max(axis=0).tolist()
    return x1, y1, x2, y2


def _centre(box: Box) -> Point:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _has_area(box: Box) -> bool:
    # A width of 1e-20 is lost where it is added to the left edge.
    return box[0] < box[2] and box[1] < box[3] and all(map(is_finite, box))


def _check_inside(points: list[Point], image: ImageRecord, where: str, source: str) -> None:
    for x, y in points:
        if not (0 <= x <= image.width and 0 <= y <= image.height):
            raise PointOutsideError(
                f'{where} lies at ({x:g}, {y:g}) by its {source}, outside its image of {image.width} '
                f'x {image.height} (width x height); x and y are in pixels of this very file: are '
                'they of another scale, or exchanged?')
