"""All numbers of one test, of the model of a run or of another site's images."""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.results import (
    ClassResult,
    EvaluationResult,
    interval_dict,
    summarise_class,
)
from mmwindow.evaluation.statistics.calibration import Calibration, measure_calibration
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.evaluation.statistics.model_points import without_findings
from mmwindow.evaluation.statistics.operating_point import (
    OperatingPointResult,
    apply_operating_point,
)
from mmwindow.evaluation.statistics.strata import StratifiedResult, evaluate_strata, stratum_of
from mmwindow.utils.messages import shorten
from mmwindow.utils.operating_points import LEVELS, ClassOperatingPoints, OperatingPoint

UNKNOWN = 'not given'  # of a field that an image lacks
IMAGE_NUMBERS, FINDING_NUMBERS = ('sensitivity', 'specificity'), ('recall', 'fp_rate')
LEVEL_NUMBERS = {'images': IMAGE_NUMBERS, 'findings': FINDING_NUMBERS}


@dataclass(frozen=True)
class ReportSettings:
    """What a report holds and how its intervals are made.

    Attributes:
        by: Fields of the images (or 'group') to report by.
        num_resamples: Of the bootstrap behind the intervals of numbers.
        band_resamples: Likewise of the bands around curves, whose ends are seen in two digits.
        seed: Of all resamples.
    """

    by: tuple[str, ...] = ()
    num_resamples: int = 1000
    band_resamples: int = 300
    seed: int = 0


@dataclass(frozen=True)
class AtThreshold:
    """What the stored thresholds of a class do on some images.

    Attributes:
        name: Of the images: a value of a field, or 'all'.
        intervals: ``sensitivity`` and ``specificity`` of images, ``recall`` of points, ``fp_rate``;
            None with a reason.
        counts: Images ``true_positives``, ``false_negatives``, ``true_negatives``,
            ``false_positives``; points ``recalled_points`` of ``points``; None where not counted.
        reasons: For each number that there is not, why.
    """

    name: str
    intervals: dict[str, Interval | None]
    counts: dict[str, int | None]
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ClassNumbers:
    """All numbers of one class.

    Attributes:
        name: Of the class.
        result: Curves, numbers, intervals.
        points: The stored thresholds.
        at_threshold: What they do on all images; None without any.
        by_field: Likewise for each value of each field.
        calibration: Of the image scores.
        strata: The other numbers, by field.
        notes: Why a part is missing.
        folds: Number -> the same of each fold; then ``result`` holds means over folds and mean curves
            (:mod:`mmwindow.apis.fold_numbers`). Empty of one test.
    """

    name: str
    result: ClassResult
    points: ClassOperatingPoints
    at_threshold: AtThreshold | None
    by_field: dict[str, list[AtThreshold]]
    calibration: Calibration | None
    strata: list[StratifiedResult]
    notes: list[str]
    folds: Mapping[int, 'ClassNumbers'] = field(default_factory=dict)

    @property
    def tests(self) -> list['ClassNumbers']:
        """Each test that was done with a model of its own: the folds, or this one alone."""
        return list(self.folds.values()) or [self]


def measure_classes(result: EvaluationResult, points: Mapping[str, ClassOperatingPoints],
                    settings: ReportSettings) -> list[ClassNumbers]:
    """Return all numbers of each class.

    Args:
        result: With the events of all images.
        points: Stored thresholds by class; a class may lack some or all.
        settings: Of the report.

    Raises:
        ValueError: No image has a field to report by.
    """
    how = FROCSettings.from_record(result.settings)
    return [measure_class(name, entry, points.get(name, ClassOperatingPoints()), how, settings)
            for name, entry in result.classes.items()]


def measure_class(name: str, entry: ClassResult, points: ClassOperatingPoints, how: FROCSettings,
                  settings: ReportSettings) -> ClassNumbers:
    """Return all numbers of one class; see :func:`measure_classes`."""
    notes: list[str] = []
    drawn = replace(how, num_resamples=settings.num_resamples, seed=settings.seed)
    try:
        entry = summarise_class(entry.events, drawn)
    except ValueError as error:  # one patient, or events that were not kept far enough down
        notes.append(f'no intervals: {shorten(str(error))}')
    calibration = measure_calibration(entry.events, seed=settings.seed)
    by_field, strata = {}, []
    for key in settings.by:
        events = fill_field(entry.events, key)
        values = sorted({str(stratum_of(img, key)) for img in events})
        by_field[key] = [apply_points(value, points, [
            img for img in events if str(stratum_of(img, key)) == value], settings)
            for value in values] if has_points(points) else []
        try:
            strata.append(evaluate_strata(events, key, how, settings.num_resamples, settings.seed))
        except ValueError as error:
            notes.append(f'nothing by {key}: {shorten(str(error))}')
    return ClassNumbers(
        name, entry, points, apply_points('all', points, entry.events, settings)
        if has_points(points) else None, by_field, calibration, strata, notes)


def has_points(points: ClassOperatingPoints) -> bool:
    """Return whether a class has any threshold."""
    return points.images is not None or points.findings is not None


def fill_field(events: Sequence[ImageEvents], key: str) -> list[ImageEvents]:
    """Return images that all have a field; one that lacks it has the value 'not given'.

    Raises:
        ValueError: None has it.
    """
    def lacks(img: ImageEvents) -> bool:
        return key not in img.fields and not (key == 'group' and img.group) and key != 'is_positive'

    if all(map(lacks, events)):
        known = sorted({name for img in events for name in img.fields} - {'file_name'})
        raise ValueError(f'--by {shorten(key)}: no image has this field; there are '
                         f'{", ".join(known) or "none"}, and group')
    return [replace(img, fields={**img.fields, key: UNKNOWN}) if lacks(img) else img
            for img in events]


def apply_points(name: str, points: ClassOperatingPoints, events: Sequence[ImageEvents],
                 settings: ReportSettings) -> AtThreshold:
    """Return what the stored thresholds of a class do on some images."""
    intervals: dict[str, Interval | None] = {}
    counts: dict[str, int | None] = {}
    reasons: dict[str, str] = {}
    for level in LEVELS:
        point, names = points.at(level), LEVEL_NUMBERS[level]
        keys = (('true_positives', 'false_negatives', 'true_negatives', 'false_positives')
                if level == 'images' else
                ('recalled_points', 'points', 'false_positive_findings', 'counted_images'))
        intervals.update(dict.fromkeys(names))
        counts.update(dict.fromkeys(keys))
        if point is None:
            reasons.update(dict.fromkeys(names, f'no stored threshold of {level}'))
            continue
        try:
            found = apply_level(point, level, events, settings)
        except ValueError as error:
            reasons.update(dict.fromkeys(names, shorten(str(error))))
            continue
        intervals.update({key: getattr(found, key) for key in names})
        counts.update({key: found.counts[key] for key in keys})
        reasons.update({key: found.reasons[key] for key in names if key in found.reasons})
    return AtThreshold(name, intervals, counts, reasons)


def apply_level(point: OperatingPoint, level: str, events: Sequence[ImageEvents],
                settings: ReportSettings) -> OperatingPointResult:
    """Return what a threshold does on images, or on findings.

    Image scores need no findings: their events may end above the threshold, or have another scale.

    Raises:
        ValueError: Findings were not looked at so far down.
    """
    if level == 'images':
        events = without_findings(events)
        point = replace(point, fp_denominator='all')
    elif not point.same_scale or any(img.score < max([-np.inf, *img.fp_levels, *img.recall_levels])
                                     for img in events):
        point = replace(point, same_scale=False, rule='fp_budget')
    return apply_operating_point(point, events, num_resamples=settings.num_resamples,
                                 seed=settings.seed)


def plain_numbers(numbers: Sequence[ClassNumbers]) -> list[dict[str, Any]]:
    """Return the numbers as plain data, None where there is none."""
    return [dict(
        name=entry.name, metrics=_finite(entry.result.metrics),
        intervals={key: interval_dict(value) for key, value in entry.result.intervals.items()},
        operating_points={level: None if point is None else point.to_json() for level in LEVELS
                          for point in [entry.points.at(level)]},
        at_threshold=None if entry.at_threshold is None else plain_point(entry.at_threshold),
        at_threshold_by={key: [plain_point(part) for part in parts]
                         for key, parts in entry.by_field.items()},
        calibration=None if entry.calibration is None else plain_calibration(entry.calibration),
        by={part.field: [dict(
            value=str(each.name), num_images=each.num_images, num_positives=each.num_positives,
            num_points=each.num_points, num_patients=each.num_units, metrics=_finite(each.estimates),
            intervals={key: interval_dict(value) for key, value in each.intervals.items()},
            reasons=each.reasons) for each in part.strata] for part in entry.strata},
        notes=[*entry.result.notes, *entry.notes],
        folds={str(number): dict(
            metrics=_finite(part.result.metrics), num_images=len(part.result.events),
            operating_points={level: None if (point := part.points.at(level)) is None else
                              point.to_json() for level in LEVELS},
            at_threshold=None if part.at_threshold is None else plain_point(part.at_threshold))
            for number, part in entry.folds.items()}) for entry in numbers]


def plain_point(part: AtThreshold) -> dict[str, Any]:
    """Return what thresholds do as plain data."""
    return dict(name=part.name, counts=part.counts, reasons=part.reasons, intervals={
        key: interval_dict(value) for key, value in part.intervals.items()})


def plain_calibration(calibration: Calibration) -> dict[str, Any]:
    """Return a calibration as plain data."""
    names = ('num_images', 'num_positives', 'num_units', 'mean_score', 'prevalence', 'ece_by_chance',
             'reasons', 'num_resamples', 'seed')
    return dict(
        **{name: getattr(calibration, name) for name in names}, notes=list(calibration.notes),
        **{name: interval_dict(getattr(calibration, name))
           for name in ('ece', 'brier', 'slope', 'intercept')},
        bins=[dict(low=row.low, high=row.high, num_images=row.num_images, mean_score=row.mean_score,
                   share=_finite(interval_dict(row.share) or {})) for row in calibration.bins])


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(value, float) and not np.isfinite(value) else value
            for key, value in values.items()}
