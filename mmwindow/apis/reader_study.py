"""What ``tools/evaluate.py`` does with several readers: their reference, and a study of them."""
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmwindow.annotations.merging import DEFAULT_MERGE, MergeSettings
from mmwindow.annotations.reader_names import ALL, KEEP, MERGE
from mmwindow.annotations.readers import check_several
from mmwindow.annotations.records import PointFile
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.ground_truth import GroundTruth, ground_truth, read_annotations
from mmwindow.evaluation.files.predictions import Prediction, Target
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.readers import (
    ReaderAgreement,
    ReaderPoint,
    ReadImage,
    others_target,
    read_images,
    reader_agreement,
    reader_operating_points,
)
from mmwindow.evaluation.readers.readings import merge_image
from mmwindow.evaluation.results import EvaluationResult, interval_dict, summarise
from mmwindow.evaluation.scoring import evaluate
from mmwindow.evaluation.statistics.bootstrap import DEFAULT_RESAMPLES
from mmwindow.utils.messages import count_words, quote
from mmwindow.utils.progress import track

Reading = Callable[[], Iterable[Prediction]]


@dataclass(frozen=True)
class MergeCounts:
    """What merging gave, for one class.

    Attributes:
        num_findings: Of enough readers: the reference.
        num_left_out: Places that too few readers have marked.
        num_disputed: Images on which enough readers marked something, but no place has enough marks;
            they are negative images of the reference.
    """

    num_findings: int
    num_left_out: int
    num_disputed: int


@dataclass(frozen=True)
class ReaderStudy:
    """The readers of one class.

    Attributes:
        points: Each reader's operating point.
        merge: How marks become findings.
        reference: The reader whose marks the points are measured by; None: the other readers'
            findings.
        agreement: Of all pairs; None where it stands with another class of the same points.
        counts: Of the reference of all readers; None where there is none.
    """

    points: tuple[ReaderPoint, ...]
    merge: MergeSettings
    reference: str | None = None
    agreement: ReaderAgreement | None = None
    counts: MergeCounts | None = None


@dataclass(frozen=True)
class ReaderChoice:
    """Whose points are the truth, as the command's options say it.

    Attributes:
        how: None (one reader at most), 'merge', 'keep', 'all' or the name of a reader.
        merge: How marks of different readers become findings.
    """

    how: str | None = None
    merge: MergeSettings = DEFAULT_MERGE

    @property
    def is_study(self) -> bool:
        """Whether the readers themselves are looked at."""
        return self.how in (MERGE, KEEP)

    def read_truth(self, annotations: Any, points_from: str, needs_boxes: bool) -> GroundTruth:
        """Return the reference; with 'keep' the points of all readers together.

        Raises:
            ValueError: As :func:`~mmwindow.evaluation.files.ground_truth.read_annotations`.
        """
        truth = read_annotations(annotations, points_from, needs_boxes,
                                 ALL if self.how == KEEP else self.how, self.merge)
        if self.how == KEEP and truth.point_file is not None:
            check_several(truth.name, truth.point_file.readers)
        num_unread = len(truth.everybody.targets) - len(truth.targets)
        if num_unread:
            print(f'evaluate: reader {quote(self.how)} has not read {num_unread} of '
                  f'{count_words(len(truth.everybody.targets), "image")}, which are left out',
                  file=sys.stderr)
        return truth

    def evaluate(self, truth: GroundTruth, read: Reading, options: Mapping[str, Any],
                 progress: bool) -> EvaluationResult:
        """Score predictions against the reference, or against each reader's points.

        Args:
            truth: From :meth:`read_truth`.
            read: Reads the predictions from the beginning.
            options: Of :func:`~mmwindow.evaluation.scoring.evaluate`.
            progress: Tell on standard error how far the reading is.
        """
        if self.how == KEEP and truth.point_file is not None:
            return evaluate_kept(truth.point_file, read, options)
        predictions = read()
        if self.how not in (None, MERGE, ALL):  # one reader, who may not have read all images
            predictions = only_images(predictions, truth.targets)
        return evaluate(track(predictions, len(truth.targets)) if progress else predictions,
                        truth.targets, classes=truth.classes, **options)

    def study(self, truth: GroundTruth, read: Reading, result: EvaluationResult,
              options: Mapping[str, Any]) -> dict[str, ReaderStudy]:
        """Return the study of the readers by class of the result; empty where there is none."""
        if not self.is_study or truth.point_file is None:
            return {}
        return study_readers(truth.point_file, self.how == KEEP, self.merge, result, read, options)


def only_images(predictions: Iterable[Prediction], targets: Sequence[Target]) -> Iterator[Prediction]:
    """Yield the predictions of some images; the others have no truth here."""
    ids = {target.image_id for target in targets}
    return (prediction for prediction in predictions if prediction.image_id in ids)


def kept_name(class_name: str, reader: str) -> str:
    """Return the name that a class has in a result where the points of a reader are its truth."""
    return f'{class_name}, reader {reader}'


def evaluate_kept(everybody: PointFile, read: Reading, options: Mapping[str, Any]
                  ) -> EvaluationResult:
    """Score predictions against each reader's points on their own.

    Args:
        everybody: With the points of all readers.
        read: Reads the predictions from the beginning.
        options: Of :func:`~mmwindow.evaluation.scoring.evaluate`.

    Returns:
        One class for each class and reader; the numbers of all are the mean over these.
    """
    classes: dict[str, list[ImageEvents]] = {}
    settings: Mapping[str, Any] = {}
    plain = {**options, 'num_resamples': 0}
    for reader in everybody.readers:
        truth = ground_truth(everybody, reader)
        result = evaluate(only_images(read(), truth.targets), truth.targets, classes=truth.classes,
                          **plain)
        classes.update({kept_name(name, reader): entry.events
                        for name, entry in result.classes.items()})
        settings = result.settings
    resampling = {name: options[name] for name in ('num_resamples', 'seed') if name in options}
    ordered = {kept_name(name, reader): classes[kept_name(name, reader)]
               for name in everybody.classes for reader in everybody.readers}
    return summarise(ordered, {**settings, **resampling}, dict(
        readers=len(everybody.readers),
        readings=sum(len(record.readers or ()) for record in everybody.records)))


def study_readers(everybody: PointFile, keep: bool, merge: MergeSettings, result: EvaluationResult,
                  read: Reading, options: Mapping[str, Any]) -> dict[str, ReaderStudy]:
    """Return the study of the readers for each class of a result.

    Args:
        everybody: With the points of all readers, at least two.
        keep: Each reader's points are a truth of their own; else they are merged.
        merge: How marks become findings.
        result: The system's; with ``keep`` from :func:`evaluate_kept`.
        read: Reads the predictions from the beginning.
        options: Of :func:`~mmwindow.evaluation.scoring.evaluate`.
    """
    images, names = read_images(everybody), everybody.classes
    settings = FROCSettings.from_record(result.settings)
    drawn: dict[str, Any] = dict(num_resamples=options.get('num_resamples') or DEFAULT_RESAMPLES,
                                 seed=options.get('seed', 0))
    agreements = [reader_agreement(images, label, merge.radius) for label in range(len(names))]
    if keep:
        return {kept_name(name, reader): ReaderStudy(
            reader_operating_points(images, settings, merge, label, _common_events(
                images, everybody.readers, reader, result.classes[kept_name(name, reader)].events),
                reference=reader, **drawn),
            merge, reader, agreements[label] if reader == everybody.readers[0] else None)
            for label, name in enumerate(names) for reader in everybody.readers
            if _has_common_images(images, reader)}
    systems = {reader: _events_against_others(images, reader, merge, names, read, options)
               for reader in everybody.readers}
    return {name: ReaderStudy(
        reader_operating_points(images, settings, merge, label, {
            reader: events[name] for reader, events in systems.items()}, **drawn),
        merge, None, agreements[label], count_merged(images, label, merge))
        for label, name in enumerate(names)}


def _has_common_images(images: Sequence[ReadImage], reader: str) -> bool:
    return any(reader in image.marks and len(image.marks) > 1 for image in images)


def _common_events(images: Sequence[ReadImage], readers: Sequence[str], reference: str,
                   events: Sequence[ImageEvents]) -> dict[str, list[ImageEvents]]:
    """Return for each other reader the events of the images that both have read."""
    read_by = {image.image_id: image.marks.keys() for image in images}
    return {reader: [img for img in events if reader in read_by[img.image_id]]
            for reader in readers if reader != reference}


def _events_against_others(images: Sequence[ReadImage], reader: str, merge: MergeSettings,
                           names: Sequence[str], read: Reading, options: Mapping[str, Any]
                           ) -> dict[str, list[ImageEvents]]:
    """Return a system's events against the findings of the others, by class."""
    targets = [target for image in images
               if (target := others_target(image, reader, merge)) is not None]
    if not targets:
        return {name: [] for name in names}
    # Events depend neither on the denominator nor on statistics, which may have no number here.
    result = evaluate(only_images(read(), targets), targets, classes=names, **{
        **options, 'num_resamples': 0, 'fp_denominator': 'all', 'statistics': None})
    return {name: entry.events for name, entry in result.classes.items()}


def count_merged(images: Sequence[ReadImage], label: int, merge: MergeSettings) -> MergeCounts:
    """Return what merging gives for one class."""
    num_findings = num_places = num_disputed = 0
    for image in images:
        own = int((merge_image(image, merge).marks.labels == label).sum())
        # With one reader enough every place counts.
        everything = merge_image(image, MergeSettings(merge.radius, 1)).marks.labels == label
        num_findings, num_places = num_findings + own, num_places + int(everything.sum())
        calls = sum(image.calls(name, label) for name in image.marks)
        num_disputed += not own and calls >= merge.num_needed(len(image.marks))
    return MergeCounts(num_findings, num_places - num_findings, num_disputed)


def plain_study(studies: Mapping[str, ReaderStudy], choice: ReaderChoice) -> dict[str, Any]:
    """Return the study of all classes as a record holds it, plain data."""
    if not studies:
        return {}
    return dict(how=choice.how, radius=choice.merge.radius, min_readers=choice.merge.min_readers,
                classes={name: _plain_class(study) for name, study in studies.items()})


def _plain_class(study: ReaderStudy) -> dict[str, Any]:
    content: dict[str, Any] = dict(
        reference=study.reference or 'findings of the other readers',
        operating_points=[_plain_point(point) for point in study.points])
    if study.counts is not None:
        content['counts'] = dict(vars(study.counts))
    if study.agreement is not None:
        agreement = study.agreement
        content['agreement'] = dict(
            readers=[dict(vars(entry)) for entry in agreement.readers], pairs=[
                {name: _plain_value(value) for name, value in vars(pair).items()}
                for pair in agreement.pairs],
            alpha=_plain_value(agreement.alpha),
            alpha_interval=_plain_value(agreement.alpha_interval), reasons=dict(agreement.reasons))
    return content


def _plain_point(point: ReaderPoint) -> dict[str, Any]:
    content = {name: _plain_value(value) for name, value in vars(point).items()
               if name not in ('events', 'system')}
    if point.system is not None:
        content['system'] = {name: _plain_value(value) for name, value in vars(point.system).items()}
    return content


def _plain_value(value: Any) -> Any:
    return interval_dict(value) if hasattr(value, 'low') else value

