"""The numbers of folds: means over folds with intervals, and each fold at its own threshold."""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmwindow.apis.run_numbers import (
    AtThreshold,
    ClassNumbers,
    ReportSettings,
    apply_points,
    has_points,
)
from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.metric_names import merge_metrics
from mmwindow.evaluation.results import ClassResult, EvaluationResult, summarise_class
from mmwindow.evaluation.statistics.fold_curves import mean_froc_curve, mean_roc_curve
from mmwindow.evaluation.statistics.folds import mean_over_folds
from mmwindow.utils.operating_points import (
    LEVELS,
    ClassOperatingPoints,
    ModelOperatingPoints,
    OperatingPoint,
)

FOLD = 'fold'  # field of an image: the fold that tested it


@dataclass(frozen=True)
class FoldTest:
    """The test of one fold's model on its held-out images.

    Attributes:
        number: Of the fold.
        run: Folder of its run.
        events: The held-out images of each class.
        points: The thresholds that its validation chose; None where it chose none.
        best_epoch: Whose weights were tested.
    """

    number: int
    run: Path
    events: Mapping[str, Sequence[ImageEvents]]
    points: ModelOperatingPoints | None = None
    best_epoch: int | None = None


def measure_folds(tests: Sequence[FoldTest], how: Mapping[str, Any],
                  settings: ReportSettings) -> list[ClassNumbers]:
    """Return the numbers of each class: means over folds, and in ``folds`` those of each fold.

    Scores of different models are never ranked against each other. Decisions are: at its own fold's
    threshold each image is called or not, and these are counted together, with intervals over
    patients.

    Args:
        tests: One per fold; no image and no patient in two of them.
        how: FROC settings, or those of a record.
        settings: Of the intervals.

    Raises:
        ValueError: As :func:`~mmwindow.evaluation.statistics.folds.mean_over_folds`.
    """
    froc = replace(FROCSettings.from_record(how), num_resamples=0)
    return [measure_class_folds(name, tests, froc, settings) for name in tests[0].events]


def measure_class_folds(name: str, tests: Sequence[FoldTest], how: FROCSettings,
                        settings: ReportSettings) -> ClassNumbers:
    """Return the numbers of one class; see :func:`measure_folds`."""
    folds = {}
    for test in tests:
        events = [replace(img, fields={**img.fields, FOLD: test.number}) for img in test.events[name]]
        points = ClassOperatingPoints() if test.points is None else test.points.classes.get(
            name, ClassOperatingPoints())
        folds[test.number] = ClassNumbers(
            str(test.number), summarise_class(events, how), points,
            apply_points(str(test.number), points, events, settings) if has_points(points) else None,
            {}, None, [], [])
    parts = [part.result for part in folds.values()]
    mean = mean_over_folds({number: part.result.events for number, part in folds.items()}, how,
                           settings.num_resamples, settings.seed)
    rocs = [part.roc for part in parts if part.roc is not None]
    result = ClassResult(
        events=[img for part in parts for img in part.events],
        froc=mean_froc_curve([part.froc for part in parts]),
        roc=mean_roc_curve(rocs) if rocs else None, metrics=dict(mean.estimates), thresholds={},
        intervals=dict(mean.intervals),
        notes=[f'{key}: {text}' for key, text in {**mean.notes, **mean.reasons}.items()]
        + [f'{key}: {interval.note}' for key, interval in mean.intervals.items()
           if interval is not None and interval.note])
    together, notes = apply_own_points(folds, settings)
    return ClassNumbers(
        name, result, ClassOperatingPoints(), together,
        {} if together is None else {FOLD: [
            part.at_threshold for part in folds.values() if part.at_threshold is not None]},
        None, [], notes, folds)


def apply_own_points(folds: Mapping[int, ClassNumbers], settings: ReportSettings
                     ) -> tuple[AtThreshold | None, list[str]]:
    """Return what the thresholds of folds do, each on the images of its fold, all counted together.

    Args:
        folds: With their images and thresholds.
        settings: Of the intervals.

    Returns:
        The counts, None where no fold has a threshold; and which folds are left out, and why.
    """
    levels = [level for level in LEVELS
              if any(part.points.at(level) is not None for part in folds.values())]
    counted = {number: part for number, part in folds.items()
               if levels and all(part.points.at(level) is not None for level in levels)}
    notes = [f'fold {number} has no threshold and is not counted: '
             f'{next(iter(part.points.reasons.values()), "none was stored")}'
             for number, part in folds.items() if number not in counted]
    if not counted:
        return None, notes
    shifted = [shift_events(img, part.points) for part in counted.values()
               for img in part.result.events]
    first = next(iter(counted.values())).points
    zero = {level: None if (point := first.at(level)) is None else replace(
        point, threshold=0., note='', threshold_interval=None, intervals={}) for level in LEVELS}
    return apply_points('all', ClassOperatingPoints(zero['images'], zero['findings']), shifted,
                        settings), notes


def shift_events(img: ImageEvents, points: ClassOperatingPoints) -> ImageEvents:
    """Return an image whose scores are counted from the thresholds of its fold, so that these are 0.

    Nothing that is called at a threshold of before is not called at 0, and the reverse: the sign of a
    difference of two floating-point numbers is exact.
    """
    def minus(values: Any, point: OperatingPoint | None) -> Any:
        return values if values is None or point is None else np.subtract(
            values, point.threshold, dtype=np.float64)

    levels = {f'{kind}_levels': minus(getattr(img, f'{kind}_levels'), points.findings)
              for kind in ('recall', 'fp', 'hit', 'both', 'neither', 'recalled')}
    return replace(img, score=float(minus(img.score, points.images)),
                   floor=None if img.floor is None else float(minus(img.floor, points.findings)),
                   **levels)


def result_of_folds(numbers: Sequence[ClassNumbers], how: Mapping[str, Any]) -> EvaluationResult:
    """Return the means as a result, for the page of a report."""
    return EvaluationResult(
        {entry.name: entry.result for entry in numbers},
        merge_metrics({entry.name: entry.result.metrics for entry in numbers}),
        replace(FROCSettings.from_record(how), num_resamples=0))
