"""Several systems on the same images: a table in the order of the FROC score, all paired tests."""
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, TypeAlias

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.records import Record
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.metric_names import FROC_SCORE
from mmwindow.evaluation.results import ClassResult, interval_dict, summarise_class
from mmwindow.evaluation.statistics.bootstrap import DEFAULT_RESAMPLES
from mmwindow.evaluation.statistics.compare import Comparison, compare_systems, match_images
from mmwindow.evaluation.statistics.holm import holm
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.evaluation.statistics.resampling import find_units

FAMILY = 'all pairs of the systems, each number on its own'


@dataclass(frozen=True)
class LeaderboardRow:
    """One system.

    Attributes:
        name: Of the system.
        metrics: As in :class:`~mmwindow.evaluation.ClassResult`; NaN where there is none.
        intervals: By metric; None where there is none.
        notes: Why a number or an interval is missing.
    """

    name: str
    metrics: dict[str, float]
    intervals: dict[str, Interval | None]
    notes: list[str]


@dataclass(frozen=True)
class PairedTest:
    """One number of two systems, first minus second.

    Attributes:
        first: Name of the system that stands higher in the table.
        second: Name of the other.
        metric: Name of the number.
        difference: None where there is none.
        p_value: Two-sided, of this test alone; None where there is none.
        p_holm: Corrected by Holm for the tests of the family.
        num_tests: Of the family: those of this number that have a p-value.
        reason: Why there is no difference or no p-value; else ''.
    """

    first: str
    second: str
    metric: str
    difference: Interval | None
    p_value: float | None
    p_holm: float | None = None
    num_tests: int = 0
    reason: str = ''


@dataclass(frozen=True)
class Leaderboard:
    """Systems in the order of a number, the best first, and the tests between all of them.

    Attributes:
        rows: One per system; those without the number last, equal ones in the order of names.
        tests: Of each number all pairs, in the order of the table.
        sort_by: The number.
        num_units: Patients, or images where these are unnamed.
        num_images: Of each system, the same ones.
        num_resamples: Of the bootstrap.
        seed: Of the bootstrap.
        family: The tests that each p-value is corrected for, in words.
        settings: How the FROC is read.
    """

    rows: list[LeaderboardRow]
    tests: list[PairedTest]
    sort_by: str
    num_units: int
    num_images: int
    num_resamples: int
    seed: int
    family: str
    settings: FROCSettings

    def test(self, first: str, second: str, metric: str = FROC_SCORE) -> PairedTest:
        """Return the test of two systems, first minus second, whichever stands higher.

        Raises:
            ValueError: There is no such pair or number.
        """
        for test in self.tests:
            if test.metric == metric and {test.first, test.second} == {first, second}:
                return test if test.first == first else turn_round(test)
        raise ValueError(f'there is no test of {first!r} and {second!r} by {metric!r}; the systems '
                         f'are {[row.name for row in self.rows]}, the numbers '
                         f'{list(self.settings.names)}')

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain data; None where there is no number."""
        return dict(
            sort_by=self.sort_by, family=self.family, correction='Holm', num_units=self.num_units,
            num_images=self.num_images, num_resamples=self.num_resamples, seed=self.seed,
            systems=[dict(
                name=row.name, notes=row.notes,
                metrics={name: None if math.isnan(value) else value
                         for name, value in row.metrics.items()},
                intervals={name: interval_dict(value) for name, value in row.intervals.items()})
                for row in self.rows],
            tests=[{**vars(test), 'difference': interval_dict(test.difference)}
                   for test in self.tests])

    def test_rows(self) -> list[dict[str, Any]]:
        """Return one flat row for each test, for a table or a data frame."""
        return [dict(
            first=test.first, second=test.second, metric=test.metric,
            **{name: None if test.difference is None else getattr(test.difference, key)
               for name, key in (('difference', 'estimate'), ('low', 'low'), ('high', 'high'))},
            p=test.p_value, p_holm=test.p_holm, num_tests=test.num_tests, reason=test.reason)
            for test in self.tests]


Systems: TypeAlias = (Mapping[str, Sequence[ImageEvents]]
                      | Iterable[Record | tuple[str, Sequence[ImageEvents]]])


def leaderboard(systems: Systems, settings: FROCSettings | None = None,
                num_resamples: int = DEFAULT_RESAMPLES, seed: int = 0, sort_by: str = FROC_SCORE
                ) -> Leaderboard:
    """Order systems by a number, with intervals, and test all pairs on the same patients.

    Of each number, the p-values of all pairs are corrected together by Holm's method: the table may
    be read in any way, the best system against the rest or any against any.

    Args:
        systems: Name to images, one class, the same images of all; or pairs of these, or records of
            one class (:func:`~mmwindow.evaluation.read_record`), which are named as they were scored.
        settings: How the FROC is read; that of the first record, else the defaults, if None.
        num_resamples: Of the bootstrap.
        seed: Of the bootstrap.
        sort_by: Name of a number.

    Raises:
        ValueError: Fewer than two systems, one name twice, different images, records that were scored
            differently, or an unknown number.

    Example:
        >>> from mmwindow.evaluation import box_events
        >>> def score(good, bad):
        ...     return [box_events([[90, 90, 110, 110]], [good if number % 2 else bad],
        ...                        [[100, 100]] * (number % 2), image_id=number)
        ...             for number in range(12)]
        >>> board = leaderboard({'poor': score(0.1, 0.9), 'good': score(0.9, 0.1)},
        ...                     num_resamples=100)
        >>> [row.name for row in board.rows], round(board.test('good', 'poor').difference.estimate, 6)
        (['good', 'poor'], 0.8)

    Source of the correction: Holm, Scand J Stat 6 (1979) 65.
    """
    pairs, recorded = name_systems(systems)
    names = [name for name, _ in pairs]
    if len(pairs) < 2 or len(set(names)) < len(names):
        raise ValueError(f'the systems are {names}; two at least, each with a name of its own, are '
                         'expected')
    settings = replace(settings or recorded or FROCSettings(), num_resamples=num_resamples, seed=seed)
    if sort_by not in settings.names:
        raise ValueError(f'sort_by is {sort_by!r}; it must be one of {list(settings.names)}')
    first_name, first = pairs[0]
    events = {first_name: list(first)}
    for name, others in pairs[1:]:
        try:
            events[name] = match_images(first, others)
        except ValueError as error:
            raise ValueError(f'{first_name!r} (the first) and {name!r} (the second): {error}'
                             ) from error
    results = {name: summarise_class(images, settings) for name, images in events.items()}
    order = sorted(results, key=lambda name: (sort_key(results[name], sort_by), name))
    comparisons = {pair: compare_systems(events[pair[0]], events[pair[1]], settings,
                                         num_resamples=num_resamples, seed=seed)
                   for pair in combinations(order, 2)}
    return Leaderboard(
        rows=[LeaderboardRow(name, results[name].metrics, results[name].intervals,
                             results[name].notes) for name in order],
        tests=[test for metric in settings.names for test in correct_tests(
            [make_test(*pair, metric, comparison) for pair, comparison in comparisons.items()])],
        sort_by=sort_by, num_units=len(find_units(events[first_name])), num_images=len(first),
        num_resamples=num_resamples, seed=seed, family=FAMILY, settings=settings)


def name_systems(systems: Systems) -> tuple[list[tuple[str, Sequence[ImageEvents]]],
                                            FROCSettings | None]:
    """Return names and images of systems, and the settings of records; None where there are none.

    Raises:
        ValueError: Records were scored by different rules.
    """
    pairs: list[tuple[str, Sequence[ImageEvents]]] = []
    scoring: dict[str, Any] = {}
    settings = None
    for system in systems.items() if isinstance(systems, Mapping) else systems:
        if not isinstance(system, Record):
            pairs.append(system)
            continue
        own = FROCSettings.from_record(system.settings)
        settings = settings or own
        name = str(system.source.get('name') or (system.path or Path('record')).stem)
        pairs.append((name, system.events()))
        scoring[name] = own.rule
        if own.rule != settings.rule:
            raise ValueError(f'the records were scored by different rules: {scoring}; score all '
                             'alike')
    return pairs, settings


def sort_key(result: ClassResult, sort_by: str) -> float:
    """Return what sorts the best system first, and one without a number last."""
    value = result.metrics[sort_by]
    return math.inf if math.isnan(value) else -value


def make_test(first: str, second: str, metric: str, comparison: Comparison) -> PairedTest:
    """Return one number of a comparison."""
    difference, p_value = comparison.differences[metric], comparison.p_values[metric]
    reason = '' if None not in (difference, p_value) else comparison.reasons.get(
        metric, comparison.reasons.get('p_values', 'no p-value'))
    return PairedTest(first, second, metric, difference, p_value, reason=reason)


def correct_tests(tests: Sequence[PairedTest]) -> list[PairedTest]:
    """Return the tests of one number with the p-values corrected for all of them."""
    corrected = holm([test.p_value for test in tests])
    num_tests = sum(test.p_value is not None for test in tests)
    return [replace(test, p_holm=value, num_tests=num_tests)
            for test, value in zip(tests, corrected, strict=True)]


def turn_round(test: PairedTest) -> PairedTest:
    """Return a test with its systems exchanged."""
    turned = None if test.difference is None else replace(
        test.difference, estimate=-test.difference.estimate, low=-test.difference.high,
        high=-test.difference.low)
    return replace(test, first=test.second, second=test.first, difference=turned)
