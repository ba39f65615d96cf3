"""The filed trainings of the study compared: each system with the baseline, level by level."""
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.metric_names import AUROC, FROC_SCORE, PAPER_METRICS
from mmwindow.evaluation.statistics.bootstrap import DEFAULT_RESAMPLES
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.evaluation.statistics.seed_comparison import (
    SeedComparison,
    SeedDifference,
    compare_comparisons,
    compare_on_other_images,
    compare_over_seeds,
    pool_seeds,
)
from mmwindow.experiments.study.data import describe_data
from mmwindow.experiments.study.design import (
    AHEAD,
    BASE,
    BEHIND,
    FACTORS,
    GROWS,
    LEVEL,
    MARGIN,
    OPEN,
    SAME,
    SHRINKS,
    Cell,
    Sizes,
)
from mmwindow.experiments.study.runs import StudyRun, read_filed_run
from mmwindow.experiments.summaries import fold_metrics
from mmwindow.experiments.systems import describe_settings


@dataclass(frozen=True)
class CellResult:
    """One level, as far as it is filed.

    Attributes:
        cell: Which.
        means: System -> metric -> mean over seeds, of systems all of whose seeds are filed.
        deviations: The same of standard deviations over seeds; NaN below two seeds.
        comparisons: System -> its comparison with the baseline, where both are complete.
        changes: System -> its advantage in FROC score minus that at :func:`reference_level`.
        missing: The runs that are not filed.
        seconds: System -> mean seconds of a training.
        code: Marks of the code of the filed runs, of training and of scoring.
        machines: That the filed runs were trained on, and their torch.
    """

    cell: Cell
    means: Mapping[str, Mapping[str, float]]
    deviations: Mapping[str, Mapping[str, float]]
    comparisons: dict[str, SeedComparison]
    missing: Sequence[StudyRun]
    seconds: Mapping[str, float]
    code: frozenset[str] = frozenset()
    machines: frozenset[str] = frozenset()
    changes: dict[str, SeedDifference] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether every run of the level is filed."""
        return not self.missing


def outcome(difference: SeedDifference, words: tuple[str, str, str] = (AHEAD, LEVEL, BEHIND)
            ) -> str | None:
    """Return in a word what a difference tells; None without an interval.

    Of the interval over images and seeds: the first or the last word where 0 lies outside, the second
    where all of it lies within :data:`~.design.MARGIN` of 0, else open.
    """
    interval = difference.total or difference.images
    if interval is None:
        return None
    if interval.low > 0 or interval.high < 0:
        return words[0] if interval.low > 0 else words[2]
    return words[1] if max(-interval.low, interval.high) <= MARGIN else OPEN


def change_outcome(change: SeedDifference) -> str | None:
    """Return in a word how an advantage changes; see :func:`outcome`."""
    return outcome(change, (GROWS, SAME, SHRINKS))


def analyse(runs: Iterable[StudyRun], results: Path, baseline: str,
            num_resamples: int = DEFAULT_RESAMPLES, seed: int = 0) -> list[CellResult]:
    """Compare what is filed; a level is compared only where all seeds of both systems are there.

    Args:
        runs: All runs that the study asks for.
        results: Folder of the filed results.
        baseline: Name of the system that each other one is compared with.
        num_resamples, seed: Of the bootstrap.

    Returns:
        One for each cell, in the order of the runs.

    Raises:
        ValueError: The baseline is none of the systems, or a filed result is damaged.
    """
    by_cell: dict[str, list[StudyRun]] = {}
    for run in runs:
        by_cell.setdefault(run.cell.name, []).append(run)
    systems = list(dict.fromkeys(run.system for one in by_cell.values() for run in one))
    if baseline not in systems:
        raise ValueError(f'the baseline {baseline!r} is none of the systems {", ".join(systems)}')
    found = [analyse_cell(one, results, baseline, num_resamples, seed) for one in by_cell.values()]
    by_name = {result.cell.name: result for result in found}
    for result in found:
        reference = by_name.get(reference_level(result.cell))
        if reference is None or reference is result:
            continue
        compare = compare_comparisons if has_base_test(result.cell) else compare_on_other_images
        for system in result.comparisons:  # in their order: files of equal results are equal
            if system not in reference.comparisons:
                continue
            change = compare(result.comparisons[system], reference.comparisons[system], FROC_SCORE)
            if change is not None:
                result.changes[system] = change
    return pool_levels(found)


def has_base_test(cell: Cell) -> bool:
    """Return whether a cell is tested on the images of the base level."""
    return cell.images.name == BASE or not cell.images.has_own_test


def reference_level(cell: Cell) -> str:
    """Return the level whose advantage that of a cell is compared with.

    The base, where both are tested on the same images; else the first level of the factor.
    """
    return BASE if has_base_test(cell) else FACTORS[cell.factor].levels[0].name


def pool_levels(results: Sequence[CellResult]) -> list[CellResult]:
    """Give levels with as many training images one variance over seeds, for each system and metric.

    Of fewer or more training images it may be another one, so that such a level keeps its own.
    """
    found = [replace(result, comparisons=dict(result.comparisons), changes=dict(result.changes))
             for result in results]
    for number in {result.cell.images.num_train for result in found}:
        group = [result for result in found if result.cell.images.num_train == number]
        for system in {name for result in group for name in result.comparisons}:
            compared = [result for result in group if system in result.comparisons]
            units = min(len(result.comparisons[system].units) for result in compared)
            for name in compared[0].comparisons[system].differences:
                pooled = pool_seeds([result.comparisons[system].differences[name]
                                     for result in compared], units)
                for result, difference in zip(compared, pooled, strict=True):
                    one = result.comparisons[system]
                    result.comparisons[system] = replace(
                        one, differences={**one.differences, name: difference})
            changed = [result for result in group if system in result.changes]
            for result, change in zip(changed, pool_seeds(
                    [result.changes[system] for result in changed], units), strict=True):
                result.changes[system] = change
    return found


def analyse_cell(runs: Sequence[StudyRun], results: Path, baseline: str, num_resamples: int,
                 seed: int) -> CellResult:
    """Compare the systems of one cell; see :func:`analyse`."""
    records = {run: record for run in runs if (record := read_filed_run(run, results)) is not None}
    used = [(run.name, record.settings) for run, record in records.items()]
    for name, own in used[1:]:
        if own != used[0][1]:
            raise ValueError(describe_settings(*used[0], name, own))
    settings = FROCSettings.from_record(used[0][1]) if used else FROCSettings()
    events: dict[str, dict[int, list[ImageEvents]]] = {}
    for run, record in records.items():
        events.setdefault(run.system, {})[run.seed] = record.events()
    numbers = {system: sum(run.system == system for run in runs) for system in events}
    complete = {system: seeds for system, seeds in events.items() if len(seeds) == numbers[system]}
    metrics = {system: [fold_metrics(seeds[key], settings) for key in sorted(seeds)]
               for system, seeds in complete.items()}
    others = [system for system in complete if system != baseline and baseline in complete]
    comparisons = {system: compare_over_seeds(complete[system], complete[baseline], settings,
                                              num_resamples, seed) for system in others}
    filed = {run: record.source['run'] for run, record in records.items()}
    return CellResult(
        runs[0].cell,
        {system: {name: float(np.mean([one[name] for one in values])) for name in PAPER_METRICS}
         for system, values in metrics.items()},
        {system: {name: float(np.std([one[name] for one in values], ddof=1))
                  if len(values) > 1 else float('nan') for name in PAPER_METRICS}
         for system, values in metrics.items()},
        comparisons, [run for run in runs if run not in records],
        {system: float(np.mean([one['training_seconds'] or 0. for run, one in filed.items()
                                if run.system == system])) for system in complete},
        frozenset(f'{one.get("training_code")}, {one.get("scoring_code")}'
                  for one in filed.values()),
        frozenset(f'{one.get("machine")}, torch {(one.get("versions") or {}).get("torch")}'
                  for one in filed.values()))


def describe_ends(interval: Interval | None) -> dict[str, float] | None:
    """Return the ends of an interval as plain data."""
    return None if interval is None else dict(low=interval.low, high=interval.high)


def describe_seed_difference(difference: SeedDifference) -> dict[str, Any]:
    """Return a difference as plain data; no number is None."""
    estimate = difference.estimate
    return dict(
        difference=None if np.isnan(estimate) else estimate,
        seeds=[None if np.isnan(value) else value for value in difference.seeds],
        images=describe_ends(difference.images), total=describe_ends(difference.total),
        p=difference.p_value)


def describe_cell(result: CellResult, sizes: Sizes) -> dict[str, Any]:
    """Return what the study's file says of one level."""
    return dict(
        cell=result.cell.name, factor=result.cell.factor, level=result.cell.level,
        expected=result.cell.expected, expected_change=result.cell.change,
        data=describe_data(result.cell, sizes), epochs=result.cell.epochs,
        is_complete=result.is_complete, missing=[run.name for run in result.missing],
        systems={system: dict(mean=dict(means), standard_deviation={
            name: None if np.isnan(value) else value
            for name, value in result.deviations[system].items()},
            training_seconds=round(result.seconds[system], 1))
            for system, means in result.means.items()},
        minus_baseline={system: {name: dict(describe_seed_difference(comparison.differences[name]),
                                            outcome=outcome(comparison.differences[name]))
                                 for name in (AUROC, *PAPER_METRICS[1:])}
                        for system, comparison in result.comparisons.items()},
        compared_with=reference_level(result.cell),
        froc_score_change={system: dict(describe_seed_difference(change),
                                        outcome=change_outcome(change))
                           for system, change in result.changes.items()})
