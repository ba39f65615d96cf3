#!/usr/bin/env python
"""Simulate how often the nominal 95 % intervals about readers hold the truth.

Patients have one to three images and share how easy they are; half of them are sick, and so are
four fifths of their images. Three readers call and mark each image; a system has scored findings.
Kappa is of the first two readers, alpha of all three, and the difference is the first reader's
recall (or sensitivity) minus that of the system at the reader's FP rate (or specificity).

    python tools/simulate_reader_coverage.py --out results/coverage/readers.json
    python tools/simulate_reader_coverage.py --table results/coverage/readers.json
"""
import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from mmwindow.evaluation import FROCSettings, ImageEvents
from mmwindow.evaluation.readers.at_reader import system_at_reader
from mmwindow.evaluation.readers.chance import (
    alpha_disagreement,
    chance_corrected,
    coincidences,
    kappa_disagreement,
)
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.utils.command_line import one_line_errors
from mmwindow.utils.environment import describe_machine
from mmwindow.utils.files import load_json, write_text
from mmwindow.utils.markdown import markdown_table

PATIENTS = (12, 24, 50, 150)
TRUTH_PATIENTS = 100_000
NUM_RESAMPLES = 500  # of the differences


class Model(NamedTuple):
    """How good readers and system are.

    Attributes:
        sensitivity: Of a reader's mark on a finding, for a patient who is neither easy nor hard.
        false_rate: Mean number of a reader's false marks on an image.
        shift: How far the system's findings stand above its false positives.
        system_rate: Mean number of the system's false positives on an image.
    """

    sensitivity: float
    false_rate: float
    shift: float
    system_rate: float


MODELS = dict(fair=Model(.75, .2, 1.5, 1.), strong=Model(.95, .05, 3., .5),
              perfect=Model(.995, .005, 5., .3))


class Drawn(NamedTuple):
    """One data set.

    Attributes:
        calls: ``(3, N)`` bool, of each reader and image.
        unit: ``(N,)``, the patient of each image.
        reader: The first reader's marks as events.
        system: The system's events.
    """

    calls: NDArray[np.bool_]
    unit: NDArray[np.int_]
    reader: list[ImageEvents]
    system: list[ImageEvents]


def draw(model: Model, num_patients: int, rng: np.random.Generator, with_events: bool = True
         ) -> Drawn:
    """Return one data set; without events, which take longest, for numbers of calls alone."""
    unit = np.repeat(np.arange(num_patients), rng.integers(1, 4, num_patients))
    num = len(unit)
    sick = (rng.random(num_patients) < .5)[unit] & (rng.random(num) < .8)
    ease = rng.normal(size=num_patients)[unit]
    logit = np.log(model.sensitivity / (1 - model.sensitivity)) + .8 * ease
    marked = sick & (rng.random((3, num)) < 1 / (1 + np.exp(-logit)))
    false = rng.poisson(model.false_rate * np.exp(-.4 * ease - .08), (3, num))
    scores = rng.normal(model.shift + .8 * ease)
    num_false = rng.poisson(model.system_rate, num)
    false_scores = np.split(rng.normal(size=num_false.sum()), num_false.cumsum()[:-1])
    reader, system = [], []
    for place in range(num if with_events else 0):
        what: dict[str, Any] = dict(is_positive=bool(sick[place]), image_id=place,
                                    group=f'p{unit[place]}')
        reader.append(make_events([1. if marked[0, place] else -np.inf] * int(sick[place]),
                                  np.ones(min(false[0, place], 1)), false[0, place], **what))
        system.append(make_events([scores[place]] * int(sick[place]),
                                  np.sort(false_scores[place])[::-1], 1, **what))
    return Drawn(marked | (false > 0), unit, reader, system)


def make_events(recall_levels: list[float], fp_levels: NDArray[Any], num_each: int, **what: Any
                ) -> ImageEvents:
    """Return the events of scored points and of so many false positives at each level."""
    return ImageEvents(
        score=float(max([-np.inf, *recall_levels, *fp_levels[:1]])), fp_levels=fp_levels,
        recall_levels=np.array(recall_levels, float),
        fp_changes=np.full(len(fp_levels), num_each, np.int32), **what)


def measure(drawn: Drawn, num_resamples: int, seed: int
            ) -> Iterator[tuple[str, float, Interval | None]]:
    """Yield each number of a data set with its interval."""
    num_units = int(drawn.unit.max()) + 1

    def by_unit(columns: Any) -> NDArray[Any]:
        return np.stack([np.bincount(drawn.unit, np.asarray(column, float), num_units)
                         for column in columns], axis=1)
    one, other = drawn.calls[:2]
    tables = by_unit([one & other, one & ~other, ~one & other, ~one & ~other])
    yield 'kappa', *chance_corrected(tables, kappa_disagreement)[:2]
    sums = by_unit(coincidences(drawn.calls.sum(axis=0).astype(float),
                                np.full(len(drawn.unit), 3.)).T)
    yield 'alpha', *chance_corrected(sums, alpha_disagreement)[:2]
    if num_resamples:
        found = system_at_reader(drawn.reader, drawn.system, FROCSettings(), num_resamples, seed, .95)
        recalled = [image.recall_levels[0] > 0 for image in drawn.reader if image.num_points]
        called = [image.score > 0 for image in drawn.reader if image.is_positive]
        for name, theirs, ours, interval in (
                ('recall difference', recalled, found.recall, found.recall_difference),
                ('sensitivity difference', called, found.sensitivity, found.sensitivity_difference)):
            yield name, float(np.mean(theirs)) - ours if theirs else np.nan, interval


def simulate(num_data_sets: int, num_differences: int, seed: int,
             patients: tuple[int, ...] = PATIENTS, truth_patients: int = TRUTH_PATIENTS
             ) -> list[dict[str, Any]]:
    """Return one cell for each model, size and number.

    Args:
        num_data_sets: Of each cell.
        num_differences: Of the cells of differences, which take longer.
        seed: Of everything.
        patients: The sizes.
        truth_patients: Of the data set that gives the truth.
    """
    cells = []
    for number, (name, model) in enumerate(MODELS.items()):
        large = draw(model, truth_patients, np.random.default_rng([seed, number]))
        truth = {what: value for what, value, _ in measure(large, 2, seed)}
        for size in patients:
            rng = np.random.default_rng([seed, number, size])
            intervals: dict[str, list[Interval | None]] = {}
            for index in range(num_data_sets):
                with_events = index < num_differences
                drawn = draw(model, size, rng, with_events)
                for what, _, interval in measure(drawn, NUM_RESAMPLES * with_events, index):
                    intervals.setdefault(what, []).append(interval)
            cells += [describe_cell(name, size, what, truth[what], found)
                      for what, found in intervals.items()]
            print(f'{name}, {size} patients', flush=True)
    return cells


def describe_cell(model: str, size: int, what: str, truth: float, intervals: list[Interval | None]
                  ) -> dict[str, Any]:
    """Return how often intervals hold the truth; those that are not given are counted apart."""
    known = [interval for interval in intervals if interval is not None]
    held = [interval.low <= truth <= interval.high for interval in known]
    return dict(model=model, patients=size, number=what, truth=float(truth),
                num_data_sets=len(intervals), without=len(intervals) - len(known),
                coverage=float(np.mean(held)) if held else None,
                median_width=float(np.median([entry.high - entry.low for entry in known]))
                if known else None,
                least_width=float(min((entry.high - entry.low for entry in known), default=0.)))


def table_rows(content: dict[str, Any]) -> list[list[str]]:
    """Return the table of a result: coverage in percent and, in brackets, the median width."""
    sizes = list(dict.fromkeys(cell['patients'] for cell in content['cells']))
    rows: dict[tuple[str, str], list[str]] = {}
    for cell in content['cells']:
        key = (cell['model'], cell['number'])
        rows.setdefault(key, [*key, f'{cell["truth"]:.3f}']).append(
            'none' if cell['coverage'] is None else
            f'{100 * cell["coverage"]:.1f} ({cell["median_width"]:.2f})')
    return [['readers', 'number', 'truth', *(f'{size} patients' for size in sizes)], *rows.values()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument('--out', type=Path, help='simulate, and write the JSON')
    what.add_argument('--table', type=Path, help='print the table of such a JSON')
    parser.add_argument('--data-sets', type=int, default=2000, help='of each cell (%(default)s)')
    parser.add_argument('--differences', type=int, default=2000,
                        help='of each cell of a difference (%(default)s)')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    with one_line_errors('simulate_reader_coverage'):
        if args.table:
            print(markdown_table(table_rows(load_json(args.table, 'result of a simulation'))))
            return
        start = time.time()
        cells = simulate(args.data_sets, args.differences, args.seed)
        write_text(args.out, json.dumps(dict(
            command='tools/simulate_reader_coverage.py --out results/coverage/readers.json '
                    f'--data-sets {args.data_sets} --differences {args.differences} '
                    f'--seed {args.seed}',
            seed=args.seed, num_resamples=NUM_RESAMPLES, truth_patients=TRUTH_PATIENTS,
            machine=describe_machine(), numpy=np.__version__, scipy=scipy.__version__,
            seconds=round(time.time() - start), models={
                name: model._asdict() for name, model in MODELS.items()}, cells=cells),
            indent=1) + '\n')


if __name__ == '__main__':
    main()
