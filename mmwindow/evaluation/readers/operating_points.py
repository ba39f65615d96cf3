"""Each reader's own operating point, against what the other readers agree on."""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mmwindow.annotations.merging import DEFAULT_MERGE, MergeSettings
from mmwindow.annotations.readers import check_several
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.predictions import Target
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.hit_rules import Distance, HitRule, judge_findings
from mmwindow.evaluation.readers.at_reader import SystemAtReader, system_at_reader
from mmwindow.evaluation.readers.readings import ReadImage, others_target, reader_names
from mmwindow.evaluation.scoring import frame_targets
from mmwindow.evaluation.statistics.bootstrap import DEFAULT_RESAMPLES
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.evaluation.statistics.operating_point import OperatingPoint, apply_operating_point
from mmwindow.utils.messages import name_some, quote

MARKED = 1.  # the score of every mark of a reader
__all__ = ['ReaderPoint', 'SystemAtReader', 'mark_rule', 'reader_events', 'reader_operating_points']


@dataclass(frozen=True)
class ReaderPoint:
    """One reader against the merged findings of the other readers, or against one of them.

    Attributes:
        reader: Name.
        num_images: That this reader and at least one other, or the one, have read.
        num_units: Patients of these, or images where these are unnamed.
        num_positive: Of the images, with a finding of the others.
        num_points: Findings of the others.
        recall: Share of these that the reader has marked; None with a reason.
        fp_rate: Marks on no finding of the others, per image of the settings' denominator.
        sensitivity: Share of images with a finding of the others on which the reader marks anything.
        specificity: Share of images without one on which the reader marks nothing.
        reasons: For each number that there is not, why.
        events: The reader's marks as findings of the score 1, one entry per image.
        system: What a system does against the same reference; None where there is none.
    """

    reader: str
    num_images: int
    num_units: int
    num_positive: int
    num_points: int
    recall: Interval | None
    fp_rate: Interval | None
    sensitivity: Interval | None
    specificity: Interval | None
    reasons: dict[str, str]
    events: list[ImageEvents] = field(repr=False)
    system: SystemAtReader | None = None


def mark_rule(rule: HitRule) -> HitRule:
    """Return the rule by which a reader's mark, a point, is judged.

    The paper's rule asks for a box around a point and how much of it the disks cover. A box so small
    that it is a point is a false positive when it lies in no disk, so a mark within the disk's radius
    is a hit: the rule 'distance' with this radius. The other rules stay as they are.
    """
    return Distance(rule.disk_radius) if rule.disk_radius is not None else rule


def reader_events(image: ReadImage, reader: str, target: Target, rule: HitRule, label: int = 0
                  ) -> ImageEvents:
    """Return a reader's marks on one image as findings of the score 1.

    Args:
        image: With the marks.
        reader: Whose marks.
        target: The reference.
        rule: As :func:`mark_rule` gives it; where it asks for boxes, those of the marks.
        label: The class.

    Raises:
        ValueError: The rule asks for boxes, and a mark or a finding has none.
    """
    marks = image.marks[reader]
    own = np.flatnonzero(marks.labels == label)
    boxes = np.tile(marks.points[own], 2)
    if rule.needs_boxes:
        known = [marks.boxes[place] for place in own]
        if None in known:
            raise ValueError(f'image {image.image_id!r}: the hit rule {rule.name} asks for boxes, '
                             f'and a mark of reader {reader!r} has none')
        boxes = np.array(known, float).reshape(-1, 4)
    targets = rule.check_targets(frame_targets(target, label, rule))
    judged = judge_findings(rule, boxes * image.scale, targets)
    num_false = int(judged.is_false_positive.sum())
    return ImageEvents(
        score=MARKED if len(own) else -np.inf,
        recall_levels=np.where(judged.hits.any(axis=1), MARKED, -np.inf),
        fp_levels=np.array([MARKED] * bool(num_false)),
        fp_changes=np.array([num_false] * bool(num_false), np.int32),
        is_positive=bool((np.asarray(target.labels) == label).any()), image_id=image.image_id,
        group=str(target.group), fields=dict(image.fields))


def reader_operating_points(images: Sequence[ReadImage], settings: FROCSettings | None = None,
                            merge: MergeSettings = DEFAULT_MERGE, label: int = 0,
                            system: Mapping[str, Sequence[ImageEvents]] | None = None,
                            num_resamples: int = DEFAULT_RESAMPLES, seed: int = 0,
                            level: float = 0.95, reference: str | None = None
                            ) -> tuple[ReaderPoint, ...]:
    """Return the operating point of each reader, left out of the reference in turn.

    The reference of a reader is what the *other* readers agree on (:func:`others_target`), on the
    images that this reader and at least one other have read. A reader's marks are judged by the hit
    rule of the settings (:func:`mark_rule`), as the system's findings are: several marks on one
    finding are one recall, and a mark on none is a false positive.

    Args:
        images: With the marks of each reader.
        settings: Hit rule, denominator of the FP rate, convention; the defaults if None.
        merge: How the others' marks become findings.
        label: The class.
        system: For each reader, a system's events against the same reference: the images of
            :func:`others_target`, in any order. With ``reference``: those of the images that both
            have read.
        num_resamples: Of the bootstrap.
        seed: Of the bootstrap.
        level: Nominal confidence.
        reference: A reader whose marks are the reference of all others; None: the others' findings.

    Returns:
        In the order of the readers' names; a reader who shares no image with another is left out.

    Raises:
        ValueError: Fewer than two readers, no image with two readers, or events of other images.

    Example:
        >>> images = [ReadImage(number, 1024, 1024, {'A': a, 'B': b}) for number, (a, b) in enumerate(
        ...     [([[100, 100]], [[130, 140]]), ([], []), ([[9, 9]], []), ([], [])])]
        >>> a, b = reader_operating_points(images)
        >>> a.recall.estimate, a.fp_rate.estimate, b.recall.estimate, b.fp_rate.estimate
        (1.0, 0.25, 0.5, 0.0)
    """
    settings = settings or FROCSettings()
    names = reader_names(images)
    check_several('the images', names)
    if reference is not None and reference not in names:
        raise ValueError(f'the reference is {quote(reference)}; the readers are {name_some(names)}')
    points = []
    for name in names:
        if name == reference:
            continue
        pairs = [(image, target) for image in images
                 if (target := others_target(image, name, merge, reference)) is not None]
        if not pairs:
            continue
        events = [reader_events(image, name, target, mark_rule(settings.rule), label)
                  for image, target in pairs]
        point = OperatingPoint(MARKED, 'reader', None, True, settings.fp_denominator, {}, len(events))
        numbers = apply_operating_point(point, events, level, num_resamples, seed)
        theirs = None if system is None else system_at_reader(
            events, system[name], settings, num_resamples, seed, level)
        points.append(ReaderPoint(
            name, len(events), numbers.num_units, sum(event.is_positive for event in events),
            sum(event.num_points for event in events), numbers.recall, numbers.fp_rate,
            numbers.sensitivity, numbers.specificity, dict(numbers.reasons), events, theirs))
    if not points:
        raise ValueError('no image has been read by two readers; nobody can be compared with '
                         'others')
    return tuple(points)
