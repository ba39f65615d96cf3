"""Two systems trained from several seeds, tested on the same images: the difference of their means.

Folds are tested on images of their own, and vary independently of each other. Seeds are tested on the
same images: what makes an image hard comes back with each, so that the images are drawn once for all
seeds of both systems.
"""
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.statistics.bootstrap import (
    DEFAULT_RESAMPLES,
    check_request,
    collect,
    point_estimates,
)
from mmwindow.evaluation.statistics.compare import compare_statistic, match_images
from mmwindow.evaluation.statistics.delong import (
    DeLongEstimate,
    DeLongTest,
    compare_areas,
    delong_covariance,
)
from mmwindow.evaluation.statistics.few_units import no_test_note
from mmwindow.evaluation.statistics.intervals import Interval, t_quantile
from mmwindow.evaluation.statistics.resampling import (
    Units,
    check_events,
    check_units,
    draw_weights,
    find_units,
)
from mmwindow.evaluation.statistics.weighting import WeightedEvents

Seeds: TypeAlias = Mapping[Any, Sequence[ImageEvents]]  # seed -> the events of all test images


@dataclass(frozen=True)
class SeedDifference:
    """The difference of two systems' means over seeds in one statistic, first minus second.

    Attributes:
        seeds: ``(S,)``, of each seed.
        images: Interval over other images, for these trainings; None where there is none.
        total: Interval over other images and other seeds; None with one seed.
        p_value: Two-sided, that of ``total``, or of ``images`` with one seed; None where there is
            none.
        variance: Of the mean over other images, for these trainings; None where ``total`` is.
    """

    seeds: tuple[float, ...]
    images: Interval | None
    total: Interval | None
    p_value: float | None
    variance: float | None = None

    @property
    def estimate(self) -> float:
        """The difference of the means; NaN where there is no number."""
        return float(np.mean(self.seeds))


@dataclass(frozen=True)
class SeedComparison:
    """Two systems compared over seeds.

    Attributes:
        first, second: Seed -> statistic -> number of each system.
        differences: By statistic.
        replicates: ``(num_resamples,)`` differences of the means, by statistic. Those of another
            comparison with the same images and seed of the bootstrap are of the same resamples.
        units: Names of what was drawn.
        num_resamples, seed: Of the bootstrap.
    """

    first: dict[Hashable, dict[str, float]]
    second: dict[Hashable, dict[str, float]]
    differences: dict[str, SeedDifference]
    replicates: dict[str, NDArray[Any]]
    units: tuple[Any, ...]
    num_resamples: int
    seed: int


class RepeatedEvents:
    """Trainings of one system tested on the same images, scored under any weights as their mean.

    Args:
        seeds: Seed -> events, the images in one order.
        units: Of the images.
        settings: How the FROC is read.
    """

    def __init__(self, seeds: Seeds, units: Units, settings: FROCSettings) -> None:
        self.settings, self.units = settings, units
        self.tables = {seed: WeightedEvents(events, units, settings)
                       for seed, events in seeds.items()}
        first = next(iter(self.tables.values()))
        self.events, self.unit_index = first.events, first.unit_index
        self.num_units = first.num_units
        self.unit_points, self.unit_positives = first.unit_points, first.unit_positives

    def class_units(self) -> list[int]:
        """Return how many units have a positive image, and how many a negative one."""
        return next(iter(self.tables.values())).class_units()

    def estimates(self) -> dict[Hashable, dict[str, float]]:
        """Return seed -> statistic -> number; NaN where there is none."""
        return {seed: point_estimates(table, self.units) for seed, table in self.tables.items()}

    def statistics(self, weights: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return the mean over seeds of each statistic, ``(B,)``, under weights ``(B, U)``."""
        found = [table.statistics(weights) for table in self.tables.values()]
        return {name: np.mean([values[name] for values in found], axis=0)
                for name in self.settings.names}


def compare_over_seeds(first: Seeds, second: Seeds, settings: FROCSettings | None = None,
                       num_resamples: int = DEFAULT_RESAMPLES, seed: int = 0, level: float = 0.95
                       ) -> SeedComparison:
    """Compare two systems over the same seeds and images: the difference of their means.

    Every resample of patients is scored for all trainings of both systems. AUROC: DeLong's covariance
    of all trainings. The interval ``total`` adds the variance over seeds of the paired difference,
    with Satterthwaite's degrees of freedom: of three seeds it is wide, since three differences tell
    a variance badly.

    Args:
        first, second: Events by seed of the training; the same images, in any order.
        settings: The defaults if None.
        num_resamples, seed, level: As in
            :func:`~mmwindow.evaluation.statistics.compare.compare_systems`.

    Raises:
        ValueError: There is no seed, the seeds differ, or as in
            :func:`~mmwindow.evaluation.statistics.compare.match_images`.

    Source: Satterthwaite, Biometrics Bulletin 2 (1946) 110.
    """
    settings = settings or FROCSettings()
    check_request(num_resamples, level, 'default')
    if not first or set(first) != set(second):
        raise ValueError(f'the first system has the seeds {sorted(first, key=str)}, the second '
                         f'{sorted(second, key=str)}; compare trainings of the same seeds')
    images = check_events(next(iter(first.values())))
    units = find_units(images)
    check_units(images, units)
    tables = [RepeatedEvents({key: match_images(images, system[key]) for key in first}, units,
                             settings) for system in (first, second)]
    strata = np.zeros(len(units), int)
    drawn = [collect(table, draw_weights(strata, num_resamples, np.random.default_rng(seed)))
             for table in tables]  # the same seed, so the same resamples
    replicates = {name: drawn[0][name] - drawn[1][name] for name in settings.names}
    estimates = [table.estimates() for table in tables]
    test = mean_area_test(tables[0], tables[1], level)
    differences = {}
    for name in settings.names:
        values = tuple(estimates[0][key][name] - estimates[1][key][name] for key in first)
        differences[name] = find_difference(name, values, replicates[name], tables[0], level, test)
    return SeedComparison(estimates[0], estimates[1], differences, replicates, tuple(units.names),
                          num_resamples, seed)


def find_difference(name: str, values: Sequence[float], replicates: NDArray[Any],
                    table: RepeatedEvents, level: float, test: DeLongTest | None) -> SeedDifference:
    """Return the difference of one statistic from those of the seeds and from resamples.

    Args:
        name: Of the statistic.
        values: ``(S,)``, of each seed.
        replicates: ``(B,)``, of the means in resamples of the images.
        table: Of one of the systems, for its units.
        level: Nominal confidence.
        test: Of the AUROC.
    """
    estimate = float(np.mean(values))
    if np.isnan(estimate):
        return SeedDifference(tuple(values), None, None, None)
    images, p_value = compare_statistic(name, estimate, replicates, table, level, 'studentised', test)
    if images is None or len(values) < 2:
        return SeedDifference(tuple(values), images, None, p_value)
    # As wide as the interval over images, which has the floors of few patients and of agreement.
    half = max(images.high - images.estimate, images.estimate - images.low)
    variance = (half / t_quantile(level, table.num_units)) ** 2
    total, p_value = total_interval(values, variance, table.num_units, level)
    if no_test_note(table.num_units):
        return SeedDifference(tuple(values), images, total, None, variance)
    return SeedDifference(tuple(values), images, total, p_value, variance)


def total_interval(values: Sequence[float], variance: float, num_units: int, level: float = 0.95
                   ) -> tuple[Interval, float]:
    """Return the interval and the p-value of a mean over seeds, for other images and other seeds.

    Args:
        values: ``(S,)``, at least two.
        variance: Of their mean over other images, for the same trainings.
        num_units: Patients that tell it.
        level: Nominal confidence.

    >>> interval, p_value = total_interval([.1, .2, .3], 0., 50)  # Student's t of three numbers
    >>> round(interval.low, 3), round(interval.high, 3), round(p_value, 4)
    (-0.048, 0.448, 0.0742)
    """
    of_seeds = float(np.var(values, ddof=1)) / len(values)
    return combined_interval(float(np.mean(values)),
                             [(variance, num_units - 1), (of_seeds, len(values) - 1)], level)


def combined_interval(estimate: float, parts: Sequence[tuple[float, float]], level: float = 0.95
                      ) -> tuple[Interval, float]:
    """Return the interval and the two-sided p-value of a difference with a variance of several parts.

    Args:
        estimate: The difference, from -1 to 1.
        parts: Variance and degrees of freedom of each independent part.
        level: Nominal confidence.

    Source: Satterthwaite, Biometrics Bulletin 2 (1946) 110.
    """
    total = sum(variance for variance, _ in parts)
    if total <= 0:
        return Interval(estimate, estimate, estimate, level, 'satterthwaite'), float(estimate == 0)
    free = total ** 2 / sum(variance ** 2 / degrees for variance, degrees in parts)
    half = -float(stdtrit(free, (1 - level) / 2)) * total ** .5
    return (Interval(estimate, max(estimate - half, -1.), min(estimate + half, 1.), level,
                     'satterthwaite'), float(2 * stdtr(free, -abs(estimate) / total ** .5)))


def mean_area_test(first: RepeatedEvents, second: RepeatedEvents, level: float) -> DeLongTest | None:
    """Return DeLong's test of the mean AUROCs over seeds; None where there is none.

    All trainings of both systems are ranked on the same images: the covariance of the means follows
    from that of all of them.
    """
    systems = [*first.tables.values(), *second.tables.values()]
    try:
        each = delong_covariance([bool(event.is_positive) for event in first.events],
                                 [[event.score for event in table.events] for table in systems],
                                 first.unit_index.tolist())
    except ValueError:  # one kind of image, or a single patient of a kind
        return None
    sizes = (len(first.tables), len(second.tables))
    mean = np.zeros((2, sum(sizes)))
    mean[0, :sizes[0]], mean[1, sizes[0]:] = 1 / sizes[0], 1 / sizes[1]
    return compare_areas(DeLongEstimate(
        areas=mean @ each.areas, covariance=mean @ each.covariance @ mean.T,
        num_positives=each.num_positives, num_normals=each.num_normals,
        positive_units=each.positive_units, normal_units=each.normal_units,
        num_units=each.num_units, carriers=mean @ each.carriers), level)


def compare_comparisons(first: SeedComparison, second: SeedComparison, name: str,
                        level: float = 0.95) -> SeedDifference | None:
    """Return the first difference minus the second one: whether an advantage has grown.

    Args:
        first, second: Of the same images, resamples and seeds.
        name: Of the statistic, no AUROC.
        level: Nominal confidence.

    Returns:
        SeedDifference: None where the images or seeds differ, or there is no number.
    """
    if (first.units, first.num_resamples, first.seed, list(first.first)) != (
            second.units, second.num_resamples, second.seed, list(second.first)):
        return None
    values = tuple(one - other for one, other in zip(
        first.differences[name].seeds, second.differences[name].seeds, strict=True))
    replicates = first.replicates[name] - second.replicates[name]
    variance = float(np.nanvar(replicates))
    if np.isnan(variance) or np.isnan(values).any() or len(values) < 2:
        return None
    return difference_of_differences(values, variance, len(first.units), level)


def difference_of_differences(values: Sequence[float], variance: float, num_units: int,
                              level: float = 0.95) -> SeedDifference:
    """Return how two advantages differ.

    Args:
        values: ``(S,)``, of each seed, at least two.
        variance: Of their mean over other images, for the same trainings.
        num_units: Patients that tell it.
        level: Nominal confidence.
    """
    images, _ = total_interval([float(np.mean(values))] * 2, variance, num_units, level)
    total, p_value = total_interval(values, variance, num_units, level)
    return SeedDifference(tuple(values), images, total,
                          None if no_test_note(num_units) else p_value, variance)


def compare_on_other_images(first: SeedComparison, second: SeedComparison, name: str,
                            level: float = 0.95) -> SeedDifference | None:
    """Return the first difference minus the second one, each of images of its own.

    Args:
        first, second: Of the same seeds.
        name: Of the statistic.
        level: Nominal confidence.

    Returns:
        SeedDifference: None where the seeds differ, or there is no interval.
    """
    one, other = first.differences[name], second.differences[name]
    if list(first.first) != list(second.first) or one.variance is None or other.variance is None:
        return None
    return difference_of_differences(
        tuple(a - b for a, b in zip(one.seeds, other.seeds, strict=True)),
        one.variance + other.variance, min(len(first.units), len(second.units)), level)


def pool_seeds(differences: Sequence[SeedDifference], num_units: int, correlation: float = 0.5,
               level: float = 0.95) -> list[SeedDifference]:
    """Give differences of the same seeds one variance over seeds: the mean of theirs.

    Three seeds tell a variance badly, those of several levels tell it better. Differences of levels
    are no independent ones, as a seed's images, its first weights or a level that all are compared
    with come back in each: sample variances of normal numbers that correlate by r do so by r ** 2,
    so that L of them have as many degrees of freedom as L / (1 + (L - 1) r ** 2).

    Args:
        differences: Those without an interval, or of a single seed, are returned as they are.
        num_units: Patients.
        correlation: r; 1/2 is that of differences which share one of two equal terms.
        level: Nominal confidence.

    Raises:
        ValueError: They are of different numbers of seeds.
    """
    known = [one for one in differences if one.total is not None and one.variance is not None]
    if not known:
        return list(differences)
    num_seeds = len(known[0].seeds)
    if any(len(one.seeds) != num_seeds for one in known):
        raise ValueError('differences of as many seeds are expected; there are '
                         f'{sorted({len(one.seeds) for one in known})}')
    of_seeds = float(np.mean([np.var(one.seeds, ddof=1) for one in known])) / num_seeds
    free = (num_seeds - 1) * len(known) / (1 + (len(known) - 1) * correlation ** 2)
    found = []
    for one in differences:
        if one.total is not None and one.variance is not None:
            total, p_value = combined_interval(
                one.estimate, [(one.variance, num_units - 1), (of_seeds, free)], level)
            one = replace(one, total=total, p_value=None if one.p_value is None else p_value)
        found.append(one)
    return found
