"""A record checked against itself: its numbers and counts, computed again from its events.

The events of each image are checked by :mod:`~mmwindow.evaluation.files.event_checks`. What neither
can tell, such as the name of a patient, is told by digests
(:mod:`~mmwindow.evaluation.files.record_digests`).
"""
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.event_checks import PAPER_RULE, check_scores
from mmwindow.evaluation.files.record_digests import AGAIN, name_class
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.hit_rules import HIT_RULES
from mmwindow.evaluation.metric_names import merge_metrics
from mmwindow.evaluation.statistics.scored_images import ScoredImages
from mmwindow.evaluation.statistics.table import STATISTICS, find_rows
from mmwindow.utils.messages import quote, shorten

# Of a number that is computed again. All are means of shares of counts: machines differ in their
# rounding (1e-15), while FROC scores of other counts are 1 / (budgets x points) apart and AUROCs
# 1 / (2 x positive x negative images): more than this up to 10 thousand positive and 50 thousand
# negative images.
TOLERANCE = 1e-9
QUANTILE_METHODS = ('bootstrap_bca', 'bootstrap_percentile')  # intervals that may miss their number


def read_settings(path: Path, settings: Mapping[str, Any]) -> FROCSettings:
    """Return how the FROC of a record is read.

    The hit rule and additional statistics may be of a program that is not here; a rule that is known
    must have numbers that make sense.

    Raises:
        ValueError: A setting is unknown or makes no sense.
    """
    known = {name: settings[name] for name in ('budgets', 'convention', 'fp_denominator')
             if name in settings}
    statistics = settings.get('statistics') or ()
    try:
        if settings.get('rule', PAPER_RULE) in HIT_RULES:
            FROCSettings.from_record({name: value for name, value in settings.items()
                                      if name not in ('statistics', 'map_extent', 'missing')})
        return FROCSettings(**known, statistics=tuple(
            name for name in statistics if name in STATISTICS))
    except (TypeError, ValueError) as error:
        raise ValueError(f'{path}: settings that no result has ({shorten(str(error))}); {AGAIN}'
                         ) from error


def class_numbers(where: str, events: Sequence[ImageEvents], settings: FROCSettings
                  ) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return the numbers of a class by name, and its operating points, from its events.

    Raises:
        ValueError: The events are not known far enough down.
    """
    images, budgets = ScoredImages(events, settings), settings.budgets
    try:
        numbers = {name: value for row in find_rows(settings.statistics)
                   for name, value in row.values(images).items()}
        points = [dict(budget=budget, recall=images.curve.recall_at(budget, settings.convention),
                       threshold=images.curve.threshold_at(budget, settings.convention))
                  for budget in budgets]
    except ValueError as error:
        raise ValueError(f'{where}: {shorten(str(error))}') from error
    return numbers, points


def differ(written: Any, found: float | None, tolerance: float = TOLERANCE) -> bool:
    """Tell whether a number of a record is another than the one computed again.

    Neither NaN nor an infinite number is one that JSON holds: null stands for them.
    """
    if found is None or not math.isfinite(found):
        return written is not None
    return isinstance(written, bool) or not isinstance(written, int | float) or not (
        abs(written - found) <= tolerance)


def check_class(where: str, entry: Mapping[str, Any], events: Sequence[ImageEvents],
                points: Sequence[Mapping[str, Any]], with_thresholds: bool) -> None:
    """Raise ``ValueError`` where the head of a class differs from what its images give.

    Args:
        where: Names the file and the class.
        entry: Of the record.
        events: Its images.
        points: The operating points, computed again.
        with_thresholds: False where the record may be older than the present thresholds.
    """
    ids = [img.image_id for img in events if img.image_id is not None]
    if len(set(ids)) != len(ids):
        twice = next(name for number, name in enumerate(ids) if name in ids[:number])
        raise ValueError(f'{where}, image {quote(twice)}: it is there twice; {AGAIN}')
    check_scores(where, entry.get('image_scores'), events)
    for name, found in (('num_images', len(events)),
                        ('num_points', sum(len(img.recall_levels) for img in events))):
        if name in entry and differ(entry[name], found, 0.):
            raise ValueError(f'{where} has {name} {quote(entry[name])}, but its images give {found}; '
                             f'{AGAIN}')
    written = entry.get('operating_points', [])
    if not isinstance(written, list) or not all(isinstance(point, dict) for point in written) or (
            written and len(written) != len(points)):
        raise ValueError(f'{where} has the operating_points {shorten(written)}; one for each of '
                         f'{len(points)} budgets is expected: {AGAIN}')
    for point, expected in zip(written, points, strict=bool(written)):
        for name, value in expected.items():
            if name == 'threshold' and not with_thresholds:
                continue
            if differ(point.get(name), value, 0. if name == 'threshold' else TOLERANCE):
                raise ValueError(
                    f'{where}, operating_points: the {name} at {expected["budget"]:g} false '
                    f'positives per image is {quote(point.get(name))}, but its images give {value}; '
                    f'{AGAIN}')


def match_metrics(metrics: Mapping[str, Any], numbers: Mapping[str, float]) -> Iterator[
        tuple[str, Any, float]]:
    """Yield name, written and computed number of all metrics that can be computed again.

    A runner puts a prefix and a slash before the names; a class may have a slash in its own.
    """
    for name, value in metrics.items():
        found = [key for key in numbers if name == key or name.endswith(f'/{key}')]
        if found:
            yield name, value, numbers[max(found, key=len)]


def check_numbers(path: Path, content: Mapping[str, Any],
                  classes: Mapping[str, Sequence[ImageEvents]], settings: FROCSettings) -> None:
    """Raise ``ValueError`` where a number of a record is another than its events give.

    Args:
        path: Of the record.
        content: Of the record; plain data.
        classes: Its images.
        settings: From :func:`read_settings`.
    """
    rows = {}
    # Before the digests, 'best' and 'interpolated' named the first crossing's threshold.
    with_thresholds = 'digests' in content or settings.convention == 'first_crossing'
    for entry, (name, events) in zip(content['classes'], classes.items(), strict=True):
        where = name_class(path, name)
        if not events:
            raise ValueError(f'{where} has no image; {AGAIN}')
        rows[name], points = class_numbers(where, events, settings)
        check_class(where, entry, events, points, with_thresholds)
    for name, written, found in match_metrics(content.get('metrics') or {}, merge_metrics(rows)):
        if differ(written, found):
            raise ValueError(f'{path}: its metric {quote(name)} is {quote(written)}, but its images '
                             f'give {found:.9g}; {AGAIN}')
    check_intervals(path, content.get('intervals') or {}, rows)
    check_counts(path, (content.get('source') or {}).get('counts'), classes)


def check_intervals(path: Path, intervals: Mapping[str, Any],
                    rows: Mapping[str, Mapping[str, float]]) -> None:
    """Raise ``ValueError`` where an interval does not belong to its number, of any class."""
    for class_name, entries in intervals.items():
        if class_name not in rows or not isinstance(entries, dict):
            raise ValueError(f'{path}: it has intervals of {quote(class_name)}, which is no class of '
                             f'it; {AGAIN}')
        for name, interval in entries.items():
            if interval is not None:
                check_interval(f'{name_class(path, class_name)}, interval of {quote(name)}',
                               interval, rows[class_name].get(name))


def check_interval(where: str, interval: Any, number: float | None) -> None:
    """Raise ``ValueError`` where an interval does not belong to its number.

    Limits that are quantiles of resamples leave out the number itself in rare data; all other methods
    hold it.

    Args:
        where: Names the file, the class and the number.
        interval: Of the record.
        number: Computed again; None where that cannot be done.
    """
    numbers = [interval.get(key) if isinstance(interval, dict) else None
               for key in ('estimate', 'low', 'high', 'level')]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in numbers):
        raise ValueError(f'{where} is {shorten(interval)}; numbers as estimate, low, high and level '
                         f'are expected: {AGAIN}')
    estimate, low, high, level = (float(value) for value in numbers if value is not None)
    limits = f'goes from {low:.9g} to {high:.9g}'
    if not (low <= high and 0 < level < 1):
        raise ValueError(f'{where} {limits} at the level {level:g}; {AGAIN}')
    if number is not None and differ(estimate, number):
        raise ValueError(f'{where} is of {estimate:.9g}, but its images give {number:.9g}; {AGAIN}')
    if interval.get('method') not in QUANTILE_METHODS and not (
            low - TOLERANCE <= estimate <= high + TOLERANCE):
        raise ValueError(f'{where} {limits} and leaves out its number {estimate:.9g}; {AGAIN}')


def check_counts(path: Path, counts: Any, classes: Mapping[str, Sequence[ImageEvents]]) -> None:
    """Raise ``ValueError`` where what was counted while scoring differs from the images.

    Args:
        path: Of the record.
        counts: ``source.counts``; None where there are none.
        classes: The images.
    """
    if counts is None:
        return
    if not isinstance(counts, dict) or not all(
            isinstance(value, int) and not isinstance(value, bool) and value >= 0
            for value in counts.values()):
        raise ValueError(f'{path}: its source has the counts {shorten(counts)}; numbers of at least '
                         f'0 are expected: {AGAIN}')
    rows = list(classes.values())
    positive = len({number for events in rows for number, img in enumerate(events)
                    if img.is_positive})
    points = sum(len(img.recall_levels) for events in rows for img in events)
    empty = sum(img.score == -np.inf for img in rows[0])
    for name, low, high in (('images', len(rows[0]), len(rows[0])), ('positives', positive, positive),
                            ('points', points, math.inf), ('missing', 0, empty)):
        if name in counts and not low <= counts[name] <= high:
            expected = f'{low}' if low == high else f'{low} or more' if high == math.inf else (
                f'{high} at most')
            raise ValueError(f'{path}: its source counts {counts[name]} {name}, its images give '
                             f'{expected}; {AGAIN}')
