"""What an evaluation gives: curves, numbers and their intervals, from events alone."""
import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.records import write_record
from mmwindow.evaluation.froc import FROCCurve
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.metric_names import display_name, merge_metrics, recall_name
from mmwindow.evaluation.roc import ROCCurve
from mmwindow.evaluation.statistics.bootstrap import bootstrap, missing_reasons
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.evaluation.statistics.resampling import find_units
from mmwindow.evaluation.statistics.scored_images import ScoredImages
from mmwindow.evaluation.statistics.table import find_rows
from mmwindow.utils.markdown import format_number, format_with_interval
from mmwindow.utils.messages import count_words

MAX_REPR = 1000  # characters


@dataclass(frozen=True)
class ClassResult:
    """The numbers of one class.

    Attributes:
        events: One per image, negative ones included.
        froc: Exact; its FP rate has the denominator of the settings.
        roc: Of the image scores; None with one kind of image.
        metrics: ``auroc``, ``recall@<budget>``, ``froc_score`` and what the settings add; NaN where
            there is none.
        thresholds: The score that gives the recall at each budget, as
            :meth:`~mmwindow.evaluation.FROCCurve.threshold_at`: inf where no finding is called,
            None where no threshold has the recall.
        intervals: By metric; None where there is no number. Empty where none were asked for.
            As :func:`~mmwindow.evaluation.statistics.bootstrap.bootstrap` gives by default.
        notes: Why a number or an interval is missing.
    """

    events: list[ImageEvents]
    froc: FROCCurve
    roc: ROCCurve | None
    metrics: dict[str, float]
    thresholds: dict[float, float | None]
    intervals: dict[str, Interval | None]
    notes: list[str]

    def __repr__(self) -> str:
        values = ', '.join(f'{name}={format_number(value)}' for name, value in self.metrics.items())
        return _shorten(f'ClassResult({count_words(len(self.events), "image")}, {values})')


@dataclass(frozen=True)
class EvaluationResult:
    """All classes, how they were scored, and what was counted on the way.

    Attributes:
        classes: By name.
        metrics: As those of a class; with several classes the mean over those that have a number,
            then one set for each, ``<class>_<metric>``.
        settings: FROC settings; ``settings['budgets']`` and so on.
        counts: ``images``, ``positives`` (images with a point), ``points``, ``missing`` (images
            without a prediction, counted as without a finding) and ``boxes_left_out`` (findings
            outside their image, or boxes without area); where there are any, ``boxes_clipped``
            (reaching beyond their image) and ``findings_repeated`` (there twice in the file).
    """

    classes: dict[str, ClassResult]
    metrics: dict[str, float]
    settings: Mapping[str, Any]
    counts: dict[str, int] = field(default_factory=dict)

    def write(self, path: str | Path, source: Mapping[str, Any] | None = None,
              prefix: str = '', readers: Mapping[str, Any] | None = None) -> Path:
        """Write the record; see :func:`~mmwindow.evaluation.write_record`.

        Args:
            path: The ``.json``.
            source: Plain data: what was scored.
            prefix: Before the names of the metrics, as a runner logs them.
            readers: Plain data: what several readers of the images did.
        """
        counts = {'counts': self.counts} if self.counts else {}
        return write_record(
            path, {name: entry.events for name, entry in self.classes.items()}, self.settings,
            {f'{prefix}/{name}' if prefix else name: value for name, value in self.metrics.items()},
            source={**(source or {}), **counts},
            intervals={name: {key: interval_dict(value) for key, value in entry.intervals.items()}
                       for name, entry in self.classes.items() if entry.intervals},
            readers=readers)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield one row per class and number, as :meth:`to_frame` shows them."""
        for class_name, entry in self.classes.items():
            thresholds = {recall_name(budget): value for budget, value in entry.thresholds.items()}
            for name, value in entry.metrics.items():
                interval = entry.intervals.get(name)
                yield {'class': class_name, 'metric': name, 'value': value,
                       'low': None if interval is None else interval.low,
                       'high': None if interval is None else interval.high,
                       'threshold': thresholds.get(name)}

    def to_frame(self) -> Any:
        """Return the numbers as a data frame of pandas, one row per class and number.

        Raises:
            ValueError: pandas is not installed.
        """
        try:
            pandas = import_module('pandas')
        except ImportError as error:
            raise ValueError('to_frame needs pandas, which is not installed: pip install pandas'
                             ) from error
        return pandas.DataFrame(list(self.rows()))

    def plot_froc(self, path: str | Path) -> Path:
        """Draw the FROC curve of each class into a figure (.png, .jpg, .pdf or .svg).

        Raises:
            ValueError: No class has a point, or matplotlib is not installed.
        """
        curves = {name: entry.froc for name, entry in self.classes.items() if entry.froc.num_points}
        return Path(_plotter('plot_froc', curves)(
            curves, path, self.settings['budgets'], convention=self.settings['convention']))

    def plot_roc(self, path: str | Path) -> Path:
        """Draw the ROC curve of each class into a figure (.png, .jpg, .pdf or .svg).

        Raises:
            ValueError: No class has both kinds of images, or matplotlib is not installed.
        """
        curves = {name: entry.roc for name, entry in self.classes.items() if entry.roc is not None}
        return Path(_plotter('plot_roc', curves)(curves, path))

    def __repr__(self) -> str:
        counts = ', '.join(f'{value} {key}' for key, value in self.counts.items())
        values = ', '.join(f'{name}={format_number(value)}' for name, value in self.metrics.items())
        return _shorten(f'EvaluationResult({values}; {counts})')

    def _repr_html_(self) -> str:
        """Return the numbers as a table for notebooks."""
        lines = [''.join(f'<th>{name}</th>' for name in ('class', '', 'value', 'threshold'))]
        for row in self.rows():
            interval = self.classes[row['class']].intervals.get(row['metric'])
            cells = (row['class'], display_name(row['metric']),
                     format_with_interval(row['value'], interval),
                     '' if row['threshold'] is None else format_number(row['threshold'], 6))
            lines.append(''.join(f'<td>{html.escape(str(cell))}</td>' for cell in cells))
        return '<table>' + ''.join(f'<tr>{line}</tr>' for line in lines) + '</table>'


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_REPR else text[:MAX_REPR - 4] + '...)'


def _plotter(name: str, curves: Mapping[str, Any]) -> Any:
    """Return a function of the part that draws, which no number depends on."""
    if not curves:
        raise ValueError(f'{name}: no class has a curve; a FROC needs points, a ROC images with and '
                         'without')
    try:
        return getattr(import_module('mmwindow.visualization.curves'), name)
    except ImportError as error:
        raise ValueError(f'{name} needs matplotlib ({error}); install it: pip install '
                         '"mmwindow[plots]"') from error


def interval_dict(interval: Interval | None) -> dict[str, Any] | None:
    """Return an interval as plain data; None stays."""
    return None if interval is None else dict(
        estimate=interval.estimate, low=interval.low, high=interval.high, level=interval.level,
        method=interval.method, note=interval.note)


def summarise(classes: Mapping[str, Sequence[ImageEvents]], settings: Mapping[str, Any],
              counts: Mapping[str, int] | None = None) -> EvaluationResult:
    """Return the result of images that are reduced to events already.

    Args:
        classes: As in a record.
        settings: FROC settings, or those of a record; with resamples of the bootstrap there are
            intervals.
        counts: As in :class:`EvaluationResult`.
    """
    settings = FROCSettings.from_record(settings)
    results = {name: summarise_class(events, settings) for name, events in classes.items()}
    return EvaluationResult(classes=results, metrics=merge_metrics(
        {name: entry.metrics for name, entry in results.items()}), settings=settings,
                            counts=dict(counts or {}))


def summarise_class(events: Sequence[ImageEvents], settings: Mapping[str, Any]) -> ClassResult:
    """Return the curves and numbers of one class (docs/method.md, sections 6 to 8)."""
    settings, notes = FROCSettings.from_record(settings), []
    images = ScoredImages(list(events), settings)
    curve, roc = images.curve, images.roc
    metrics: dict[str, float] = {}
    for row in find_rows(settings.statistics):
        metrics.update(row.values(images))
    if roc is None:
        notes.append(f'no AUROC: {images.no_roc_reason}')
    if curve.num_points == 0:
        notes.append(f'no recall: the {count_words(len(events), "image has", "images have")} no '
                     f'point')
    added = settings.added_names
    reasons = missing_reasons(events, settings, {name: metrics[name] for name in added})
    notes += [f'{name}: {reason}' for name, reason in reasons.items()]
    intervals: dict[str, Interval | None] = {}
    if settings.num_resamples and len(find_units(events)) < 2:
        intervals = dict.fromkeys(settings.names)
        notes.append('no intervals: all images are of one patient, and nothing is known of others')
    elif settings.num_resamples:
        result = bootstrap(events, settings, num_resamples=settings.num_resamples,
                           seed=settings.seed)
        intervals = result.intervals
        notes += [f'{name}: {result.reasons[name]}' for name in settings.names
                  if intervals[name] is None and not np.isnan(metrics[name])]
    notes += [f'{name}: {interval.note}' for name, interval in intervals.items()
              if interval is not None and interval.note]
    return ClassResult(
        events=list(events), froc=curve, roc=roc, metrics=metrics, intervals=intervals, notes=notes,
        thresholds={budget: curve.threshold_at(budget, settings.convention)
                    for budget in settings.budgets})
