"""What an evaluation gives: curves, numbers and their intervals, from events alone."""
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmwindow.evaluation.files.records import write_record
from mmwindow.evaluation.froc_settings import FROCSettings, counted_curve
from mmwindow.evaluation.roc import auroc, roc_curve
from mmwindow.evaluation.statistics.bootstrap import DEFAULT_RESAMPLES, bootstrap
from mmwindow.evaluation.statistics.delong import delong_interval
from mmwindow.evaluation.statistics.resampling import find_units


@dataclass(frozen=True)
class EvaluationResult:
    """All classes, how they were scored, and what was counted on the way.

    Attributes:
        classes (dict[str, ClassResult]): By name.
        metrics (dict[str, float]): As those of a class; with several classes the mean over those
            that have a number, then one set for each, ``<class>_<metric>``.
        settings (dict): Hit rule and its numbers, frame side, budgets, convention, denominator,
            extent of the maps, what was done with missing images, seed and resamples.
        counts (dict[str, int]): ``images``, ``positives`` (images with a point), ``points``,
            ``missing`` (images without a prediction, counted as without a finding) and
            ``boxes_left_out`` (wholly outside their image, or without area).
    """

    classes: dict
    metrics: dict
    settings: dict
    counts: dict = field(default_factory=dict)

    def write(self, path: str | Path, source: Mapping[str, Any] | None = None,
              prefix: str = '') -> Path:
        """Write the record; see :func:`~mmwindow.evaluation.write_record`.

        Args:
            path: The ``.json``.
            source: Plain data: what was scored.
            prefix: Before the names of the metrics, as a runner logs them.
        """
        counts = {'counts': self.counts} if self.counts else {}
        return write_record(
            path, {name: entry.events for name, entry in self.classes.items()}, self.settings,
            {f'{prefix}/{name}' if prefix else name: value for name, value in self.metrics.items()},
            source={**(source or {}), **counts},
            intervals={name: {key: interval_dict(value) for key, value in entry.intervals.items()}
                       for name, entry in self.classes.items() if entry.intervals})


@dataclass(frozen=True)
class ClassResult:
    """The numbers of one class.

    Attributes:
        events (list[ImageEvents]): One per image, normals included.
        froc (FROCCurve): Exact; its FP rate has the denominator of the settings.
        roc (ROCCurve): Of the image scores; None with one kind of image.
        metrics (dict[str, float]): ``auroc``, ``recall@<budget>`` and ``froc_score``; NaN where
            there is none.
        thresholds (dict[float, float]): The score behind each budget: the lowest threshold such
            that the FP rate keeps to it there and at every higher one; inf where none does.
        intervals (dict[str, Interval]): By metric; None where there is no number. Empty where
            none were asked for. AUROC: DeLong's; all else: bootstrap over patients.
        notes (list[str]): Why a number or an interval is missing.
    """

    events: list
    froc: object
    roc: object
    metrics: dict
    thresholds: dict
    intervals: dict
    notes: list


def interval_dict(interval):
    """Return an interval as plain data; None stays."""
    return None if interval is None else dict(
        estimate=interval.estimate, low=interval.low, high=interval.high, level=interval.level,
        method=interval.method, note=interval.note)


def summarise(classes, settings, counts=None):
    """Return the result of images that are reduced to events already.

    Args:
        classes (dict[str, list[ImageEvents]]): As in a record.
        settings (FROCSettings): With the resamples of the bootstrap; 0 gives no intervals.
        counts (dict, optional): As in :class:`EvaluationResult`.
    """
    settings = FROCSettings.from_record(settings)
    results = {name: summarise_class(events, settings, settings.num_resamples, settings.seed)
               for name, events in classes.items()}
    return EvaluationResult(classes=results, metrics=merge_metrics(results), settings=settings,
                            counts=dict(counts or {}))


def summarise_class(events, settings, num_resamples=0, seed=0):
    """Return the curves and numbers of one class (docs/method.md, sections 6 to 8)."""
    how, notes = FROCSettings.from_record(settings), []
    labels, scores = [img.is_positive for img in events], [img.score for img in events]
    curve = counted_curve(events, how)
    try:
        metrics, roc = dict(auroc=auroc(labels, scores)), roc_curve(labels, scores)
    except ValueError as error:
        metrics, roc = dict(auroc=float('nan')), None
        notes.append(f'no AUROC: {error}')
    if curve.num_points == 0:
        notes.append(f'no recall: the {len(events)} images have no point')
    for budget in how.budgets:
        metrics[f'recall@{budget:g}'] = curve.recall_at(budget, how.convention)
    metrics['froc_score'] = curve.score(how.budgets, how.convention)
    intervals = class_intervals(events, how, num_resamples, seed) if num_resamples else {}
    if num_resamples and intervals['auroc'] is None and roc is not None:
        notes.append('auroc: no interval, as DeLong\'s needs two patients of each kind of image')
    notes += [f'{name}: {interval.note}' for name, interval in intervals.items()
              if interval is not None and interval.note]
    return ClassResult(
        events=list(events), froc=curve, roc=roc, metrics=metrics, intervals=intervals, notes=notes,
        thresholds={budget: curve.threshold_at(budget, how.convention)
                    for budget in how.budgets})


def class_intervals(events, how, num_resamples=DEFAULT_RESAMPLES, seed=0):
    """Return the 95 % interval of each number of one class, by name; None where there is none.

    AUROC: DeLong's, by patient; all else: bootstrap over patients (docs/method.md, section 8).

    Args:
        events (Sequence[ImageEvents]): One per image.
        how (FROCSettings): How the FROC is read.
        num_resamples, seed (int): Of the bootstrap.
    """
    intervals = dict(bootstrap(events, how, num_resamples=num_resamples, seed=seed).intervals)
    if intervals['auroc'] is not None:
        # Two patients of each kind at least, or there is no variance and no interval.
        units, positive = find_units(events), np.array([bool(img.is_positive) for img in events])
        enough = all(len(np.unique(units.index[kind])) > 1 for kind in (positive, ~positive))
        intervals['auroc'] = delong_interval(
            positive, [img.score for img in events], groups=units.index.tolist()) if enough else None
    return intervals


def merge_metrics(results):
    """Return the mean of each metric over the classes that have it, then each class's own."""
    rows = {name: result.metrics for name, result in results.items()}
    metrics = {}
    for key in next(iter(rows.values())):
        known = [row[key] for row in rows.values() if not np.isnan(row[key])]
        metrics[key] = float(np.mean(known)) if known else float('nan')
    if len(rows) > 1:
        for name, row in rows.items():
            metrics.update({f'{name}_{key}': value for key, value in row.items()})
    return metrics
