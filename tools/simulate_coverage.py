#!/usr/bin/env python
"""Simulate how often each nominal 95 % interval holds the truth, and each test rejects a null.

Data sets are drawn from a model with a known truth: patients with one to three images that share how
easy they are, findings with levels, false positives that appear and merge; for AUROC binormal scores
too. An interval is as good as its share of hits. Each cell (a system and a number of patients) has
its own seed and is written when it is done: the same command again resumes after the last one.

    python tools/simulate_coverage.py --out results/coverage/coverage.json
    python tools/simulate_coverage.py --folds --out results/coverage/folds.json
    python tools/simulate_coverage.py --table results/coverage/coverage.json --docs docs/evaluation.md
"""
import argparse
import itertools
import json
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.stats import norm

from mmwindow.evaluation import ImageEvents, froc_curve
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.statistics.bootstrap import collect, statistic_interval
from mmwindow.evaluation.statistics.compare import compare_systems, two_sided_p
from mmwindow.evaluation.statistics.delong import area_interval, delong_covariance
from mmwindow.evaluation.statistics.fold_comparison import compare_over_folds
from mmwindow.evaluation.statistics.folds import mean_over_folds
from mmwindow.evaluation.statistics.intervals import clustered_proportion
from mmwindow.evaluation.statistics.resampling import draw_weights, find_units, leave_one_out
from mmwindow.evaluation.statistics.weighting import WeightedEvents
from mmwindow.utils.command_line import one_line_errors
from mmwindow.utils.environment import describe_processor
from mmwindow.utils.files import load_json, write_text
from mmwindow.utils.markdown import markdown_table
from mmwindow.utils.progress import track

NAMES = ('auroc', 'recall@0.1', 'froc_score')
AREA_METHODS = ('blended', 'logit', 'newcombe')
SHARE_METHODS = ('default', 'bca', 'percentile')
AREAS = (0.8, 0.95, 0.99)
CASE_CONTROL = ((20, 40), (50, 50), (100, 300))  # positives, normals
PATIENTS = (12, 24, 50, 150)  # of 2 images on average
NUM_FOLDS = 5
TRUTH_PATIENTS = 50_000


class System(NamedTuple):
    """How far findings stand above false positives, and the share that is never found."""

    separation: float
    lost: float


COLUMNS = (('AUROC', 'auroc', 'blended'), ('recall@0.1', 'recall@0.1', 'default'),
           ('FROC score', 'froc_score', 'default'),
           ('recall at a threshold', 'recall at a threshold', 'score'))
SYSTEMS = {'fair': System(1.6, 0.05), 'strong': System(5., 0.03), 'good': System(3.2, 0.05),
           'perfect': System(14., 0.)}
PAIRS = (('fair', 'fair'), ('strong', 'strong'), ('good', 'good'), ('good', 'fair'),
         ('perfect', 'strong'))


def binormal_events(area: float, num_positives: int, num_normals: int,
                    rng: np.random.Generator) -> list[ImageEvents]:
    """Return images with normal scores, one unit each, whose AUROC is ``area``."""
    shift = np.sqrt(2) * norm.ppf(area)
    scores = rng.normal(size=num_positives + num_normals)
    scores[:num_positives] += shift
    return [make_image(score, np.array([score] * (number < num_positives)), np.zeros(0),
                       np.zeros(0, np.int32), number, '') for number, score in enumerate(scores)]


def make_image(score: float, recall_levels: NDArray[Any], fp_levels: NDArray[Any],
               fp_changes: NDArray[Any], image_id: int | str, group: str) -> ImageEvents:
    return ImageEvents(
        score=float(score), recall_levels=recall_levels, fp_levels=fp_levels,
        fp_changes=fp_changes, is_positive=len(recall_levels) > 0, image_id=image_id, group=group)


def patient_events(num_patients: int, systems: Sequence[System], rng: np.random.Generator
                   ) -> list[list[ImageEvents]]:
    """Return, for each system, the images of patients: the model of the FROC.

    A patient has 1 to 3 images and, with 1/2 probability, findings: 1 + Poisson(0.4) of them
    on each image with 2/3 probability. Levels share a patient's ease (variance 0.4 of 1) and a
    finding's (0.3), so that systems are correlated. An image has Poisson(2) false positives,
    one in three of which merges into a neighbour at a lower level.
    """
    patient = np.repeat(np.arange(num_patients), rng.integers(1, 4, num_patients))
    ease = rng.normal(scale=np.sqrt(0.4), size=num_patients)[patient]
    diseased = (rng.random(num_patients) < 0.5)[patient] & (rng.random(len(patient)) < 2 / 3)
    num_points = np.where(diseased, 1 + rng.poisson(0.4, len(patient)), 0)
    visible = rng.normal(scale=np.sqrt(0.3), size=num_points.sum())
    return [draw_system(patient, ease, num_points, visible, system, rng) for system in systems]


def draw_system(patient: NDArray[Any], ease: NDArray[Any], num_points: NDArray[Any],
                visible: NDArray[Any], system: System, rng: np.random.Generator
                ) -> list[ImageEvents]:
    """Return one system's events on all images.

    Args:
        patient, ease, num_points: ``(N,)``, of each image.
        visible: ``(P,)``, of each finding.
        system: How good it is.
        rng: Of its levels.
    """
    owner = np.repeat(np.arange(len(patient)), num_points)
    found = system.separation + ease[owner] + visible + rng.normal(scale=np.sqrt(0.3),
                                                                   size=len(owner))
    found[rng.random(len(found)) < system.lost] = -np.inf
    place = np.repeat(np.arange(len(patient)), rng.poisson(2, len(patient)))
    alarms = rng.normal(size=len(place)) * np.sqrt(0.8) - 0.5 * ease[place]
    merging = rng.random(len(alarms)) < 1 / 3
    levels = np.concatenate([alarms, alarms[merging] - rng.exponential(0.7, merging.sum())])
    changes = np.repeat([1, -1], [len(alarms), merging.sum()]).astype(np.int32)
    places = np.concatenate([place, place[merging]])
    scores = np.full(len(patient), -4.)
    np.maximum.at(scores, place, alarms)
    np.maximum.at(scores, owner, found)
    order = np.lexsort((-levels, places))
    ends = np.searchsorted(places[order], np.arange(1, len(patient)))
    parts = zip(scores, np.split(found, np.cumsum(num_points)[:-1]), np.split(levels[order], ends),
                np.split(changes[order], ends), patient, strict=True)
    return [make_image(score, recalled, fps, signs, number, str(group))
            for number, (score, recalled, fps, signs, group) in enumerate(parts)]


def area_intervals(events: Sequence[ImageEvents]) -> dict[tuple[str, str], Any]:
    """Return the intervals of the AUROC by name; None below two patients of a kind."""
    groups = find_units(events).index.tolist()
    try:
        estimate = delong_covariance([event.is_positive for event in events],
                                     [event.score for event in events], groups)
    except ValueError:
        return {('auroc', method): None for method in AREA_METHODS}
    return {('auroc', method): area_interval(estimate, 0, 0.95, method) for method in AREA_METHODS}


def share_intervals(events: Sequence[ImageEvents], threshold: float, num_resamples: int, seed: int
                   ) -> dict[tuple[str, str], Any]:
    """Return the intervals of recall and FROC score, by every method from the same resamples."""
    units = find_units(events)
    table = WeightedEvents(events, units, FROCSettings())
    estimates = collect(table, [np.ones((1, len(units)), np.int32)])
    replicates = collect(table, draw_weights(np.zeros(len(units), int), num_resamples,
                                             np.random.default_rng(seed)))
    jackknife = collect(table, leave_one_out(len(units)))
    hits, trials = (np.bincount(units.index, weights=values, minlength=len(units)) for values in (
        [(event.recall_levels >= threshold).sum() for event in events],
        [len(event.recall_levels) for event in events]))
    found = {(name, method): None if np.isnan(estimates[name][0]) else statistic_interval(
        name, float(estimates[name][0]), replicates[name], jackknife[name], 0.95, method, table)
        for name in NAMES[1:] for method in SHARE_METHODS}
    enough = trials.sum() > 0
    return {**found, **{('recall at a threshold', method): clustered_proportion(
        hits, trials, method=method) if enough else None for method in ('score', 'wilson')}}


def summarise(rows: list[dict[tuple[str, str], Any]],
              truth: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return coverage, misses to either side and widths of each interval.

    Args:
        rows: An interval per statistic and method, one dict per data set; None where there is none.
        truth: Of each statistic.
    """
    cells = []
    for name, method in rows[0]:
        intervals = [row[name, method] for row in rows if row[name, method] is not None]
        low = np.array([interval.low for interval in intervals])
        high = np.array([interval.high for interval in intervals])
        # 1e-9: the truth of a perfect system is 1, which rounding must not put outside.
        above, below = truth[name] < low - 1e-9, truth[name] > high + 1e-9
        coverage = 1 - float((above | below).mean())
        cells.append(dict(
            statistic=name, method=method, truth=truth[name], num_data_sets=len(intervals),
            coverage=coverage, standard_error=float(np.sqrt(coverage * (1 - coverage) /
                                                            len(intervals))),
            interval_above_truth=float(above.mean()), interval_below_truth=float(below.mean()),
            median_width=float(np.median(high - low)), least_width=float((high - low).min())))
    return cells


def model_truth(system: System, seed: int) -> dict[str, Any]:
    """Return the statistics of the FROC's model, from one huge data set."""
    events, = patient_events(TRUTH_PATIENTS, [system], np.random.default_rng(seed))
    curve = froc_curve(events)
    positive = np.array([event.is_positive for event in events])
    scores = np.array([event.score for event in events])
    below = np.searchsorted(np.sort(scores[~positive]), scores[positive])  # no ties
    threshold = curve.threshold_at(0.1)
    levels = np.concatenate([event.recall_levels for event in events])
    return dict(
        auroc=float(below.mean() / (~positive).sum()), froc_score=curve.score(),
        threshold=threshold, **{'recall@0.1': curve.recall_at(0.1),
                                'recall at a threshold': float((levels >= threshold).mean())})


def simulate_area(area: float, size: tuple[int, int], num_data_sets: int, num_resamples: int,
                  rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Yield None for each data set, then the coverage of each interval of binormal scores."""
    rows = []
    for _ in range(num_data_sets):
        rows.append(area_intervals(binormal_events(area, *size, rng)))
        yield {}
    yield dict(kind='coverage', model='binormal', size=f'{size[0]} positives, {size[1]} normals',
               cells=summarise(rows, dict(auroc=area)))


def simulate_system(name: str, num_patients: int, truth: Mapping[str, float], num_data_sets: int,
                    num_resamples: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Yield nothing for each data set, then the coverage of each interval of a system."""
    rows = []
    for number in range(num_data_sets):
        events, = patient_events(num_patients, [SYSTEMS[name]], rng)
        rows.append({**area_intervals(events), **share_intervals(
            events, truth['threshold'], num_resamples, number)})
        yield {}
    yield dict(kind='coverage', model=name, size=f'{num_patients} patients',
               cells=summarise(rows, truth))


def simulate_pair(names: tuple[str, str], num_patients: int, truths: Mapping[str, Any],
                  num_data_sets: int, num_resamples: int, rng: np.random.Generator
                  ) -> Iterator[dict[str, Any]]:
    """Yield nothing for each data set, then how often each test rejects at 5 %."""
    p_values: dict[str, list[float]] = {}
    rows = []
    for number in range(num_data_sets):
        first, second = patient_events(num_patients, [SYSTEMS[name] for name in names], rng)
        result = compare_systems(first, second, num_resamples=num_resamples, seed=number)
        rows.append({(name, 'default'): result.differences[name] for name in NAMES})
        for name in NAMES:
            p_values.setdefault(f'{name}, default', []).append(result.p_values[name])
            known = result.replicates[name][~np.isnan(result.replicates[name])]
            p_values.setdefault(f'{name}, percentile', []).append(
                two_sided_p(known) if len(known) else None)
        yield {}
    tested = {name: [value for value in values if value is not None]
              for name, values in p_values.items()}
    yield dict(kind='null' if names[0] == names[1] else 'difference', model=' against '.join(names),
               size=f'{num_patients} patients',
               rejections={name: float(np.mean(np.array(values) < 0.05)) if values else None
                           for name, values in tested.items()},
               num_tests={name: len(values) for name, values in tested.items()},
               cells=summarise(rows, {name: truths[names[0]][name] - truths[names[1]][name]
                                      for name in NAMES}))


def deal_into_folds(events: Sequence[ImageEvents], num_folds: int = NUM_FOLDS
                    ) -> dict[int, list[ImageEvents]]:
    """Return test images by fold, patients with a point and those without dealt out apart."""
    positive = {event.group for event in events if event.is_positive}
    patients = sorted({event.group for event in events}, key=lambda name: name not in positive)
    fold = {name: number % num_folds for number, name in enumerate(patients)}
    return {number: [event for event in events if fold[event.group] == number]
            for number in range(num_folds)}


def simulate_folds(name: str, num_patients: int, truth: Mapping[str, float], num_data_sets: int,
                   num_resamples: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Yield nothing for each data set, then the coverage of the intervals of means over folds."""
    rows = []
    for number in range(num_data_sets):
        events, = patient_events(num_patients, [SYSTEMS[name]], rng)
        found = mean_over_folds(deal_into_folds(events), num_resamples=num_resamples, seed=number)
        rows.append({(title, method): found.intervals[title] for _, title, method in COLUMNS[:3]})
        yield {}
    yield dict(kind='coverage', model=name, size=f'{num_patients} patients in {NUM_FOLDS} folds',
               cells=summarise(rows, truth))


def simulate_fold_pair(name: str, num_patients: int, num_data_sets: int, num_resamples: int,
                       rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Yield nothing for each data set, then how often the tests over folds reject equal systems."""
    rows, p_values = [], []
    for number in range(num_data_sets):
        pair = patient_events(num_patients, [SYSTEMS[name]] * 2, rng)
        result = compare_over_folds(*map(deal_into_folds, pair), num_resamples=num_resamples,
                                    seed=number)
        rows.append({(title, 'default'): result.differences[title] for title in NAMES})
        p_values.append(result.p_values)
        yield {}
    tested = {f'{title}, default': [values[title] for values in p_values
                                    if values[title] is not None] for title in NAMES}
    yield dict(kind='null', model=f'{name} against {name}',
               size=f'{num_patients} patients in {NUM_FOLDS} folds',
               rejections={title: float(np.mean(np.array(values) < 0.05)) if values else None
                           for title, values in tested.items()},
               num_tests={title: len(values) for title, values in tested.items()},
               cells=summarise(rows, dict.fromkeys(NAMES, 0.)))


def make_fold_cells(truths: Mapping[str, Any]) -> dict[str, tuple[float, Callable[..., Any]]]:
    """Return the cells of means over folds, as :func:`make_cells`."""
    names = ('fair', 'strong', 'perfect')
    sizes = PATIENTS[1:]  # 12 patients make no five folds
    return {
        **{f'{name}, {patients} patients in folds': (30. + 0.2 * patients, partial(
            simulate_folds, name, patients, truths[name])) for patients in sizes for name in names},
        **{f'{name} against {name}, {patients} patients in folds': (50. + 0.3 * patients, partial(
            simulate_fold_pair, name, patients)) for patients in sizes for name in names[:2]}}


def make_cells(truths: Mapping[str, Any]) -> dict[str, tuple[float, Callable[..., Any]]]:
    """Return by name the milliseconds of a data set of each cell, and its simulation."""
    systems = {f'{name}, {patients} patients': (8. + 0.1 * patients, partial(
        simulate_system, name, patients, truths[name])) for patients in PATIENTS for name in SYSTEMS}
    pairs = {f'{names[0]} against {names[1]}, {patients} patients': (14. + 0.15 * patients, partial(
        simulate_pair, names, patients, truths)) for patients in PATIENTS for names in PAIRS}
    binormal = {f'binormal {area:g}, {size[0]} and {size[1]} images': (
        3. + sum(size) / 100, partial(simulate_area, area, size))
        for area in AREAS for size in CASE_CONTROL}
    cells: dict[str, tuple[float, Callable[..., Any]]] = {**systems, **pairs, **binormal}
    return cells


def read_done(path: Path | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cells that a file of the same settings holds already."""
    if path is None or not path.exists():
        return {}
    content = load_json(path, 'table of coverages')
    if content.get('settings') != settings:
        raise ValueError(f'{path} is of other settings, {content.get("settings")}; now they are '
                         f'{dict(settings)}: give another --out, or remove it')
    return dict(content['cells'])


def simulate(args: argparse.Namespace) -> dict[str, Any]:
    """Return the complete result as plain data; write it to ``args.out`` after each cell."""
    settings = dict(seed=args.seed, data_sets=args.data_sets, resamples=args.resamples, nominal=0.95,
                    truth_patients=TRUTH_PATIENTS)
    done = read_done(args.out, settings)
    truths = {name: model_truth(system, args.seed + 1) for name, system in SYSTEMS.items()}
    cells = (make_fold_cells if args.folds else make_cells)(truths)
    result = dict(
        command=f'python tools/simulate_coverage.py --data-sets {args.data_sets} --resamples '
        f'{args.resamples} --seed {args.seed} '
        + ('--folds --out results/coverage/folds.json' if args.folds else
           '--out results/coverage/coverage.json'),
        settings=settings,
        truths=truths, machine=describe_processor(), versions=dict(
            python=platform.python_version(), numpy=np.__version__, scipy=scipy.__version__),
        cells=done)
    # The rarer models last: what is there after an interruption is of most use.
    todo = sorted((name for name in cells if name not in done),
                  key=lambda name: ('good' in name) + 2 * (' against ' in name and len(
                      set(name.split(',')[0].split(' against '))) > 1))
    print(f'{len(done)} of {len(cells)} cells are done; truths: {json.dumps(truths)}', flush=True)

    def steps() -> Iterator[None]:
        # A data set counts as the milliseconds that it takes: one of 150 patients takes longer.
        for name in todo:
            price, run = cells[name]
            seeds = np.random.SeedSequence([args.seed, *name.encode()])
            for part in run(args.data_sets, args.resamples, np.random.default_rng(seeds)):
                yield from itertools.repeat(None, int(price))
                if part:
                    done[name] = part
                    if args.out:
                        write_text(args.out, json.dumps(result, indent=1) + '\n')
                    print(name, json.dumps(part.get('rejections') or {
                        f'{cell["statistic"]} {cell["method"]}': round(cell['coverage'], 3)
                        for cell in part['cells']}), flush=True)

    total = sum(int(cells[name][0]) * (args.data_sets + 1) for name in todo)
    for _ in track(steps(), total, 'steps'):
        pass
    return result


OTHERS = (('AUROC: logit', 'auroc', 'logit'), ('Newcombe', 'auroc', 'newcombe'),
          ('recall@0.1: BCa', 'recall@0.1', 'bca'), ('percentile', 'recall@0.1', 'percentile'),
          ('FROC score: BCa', 'froc_score', 'bca'), ('percentile', 'froc_score', 'percentile'),
          ('at a threshold: Wilson', 'recall at a threshold', 'wilson'))


def interval_rows(parts: Sequence[Mapping[str, Any]], columns: Sequence[tuple[str, str, str]],
                  head: str) -> list[list[str]]:
    """Return a table of coverages in percent, with the median width, a row per cell."""
    rows = [[head, 'size', *(title for title, *_ in columns)]]
    for part in parts:
        cells = {(cell['statistic'], cell['method']): cell for cell in part['cells']}
        if not any((name, method) in cells for _, name, method in columns):
            continue
        rows.append([part['model'], part['size'], *(
            f'{100 * cell["coverage"]:.1f} ({cell["median_width"]:.3f})' if cell else ''
            for cell in (cells.get((name, method)) for _, name, method in columns))])
    return rows


def rejection_rows(parts: Sequence[Mapping[str, Any]], head: str) -> list[list[str]]:
    """Return a table of rejections in percent, in brackets those of the percentile bootstrap."""
    rows = [[head, 'size', *(title for title, *_ in COLUMNS[:3])]]
    for part in parts:
        shares = [[part['rejections'].get(f'{name}, {method}')
                   for method in ('default', 'percentile')] for name in NAMES]
        rows.append([part['model'], part['size'], *(
            'none' if pair[0] is None else f'{100 * pair[0]:.1f}'
            + ('' if pair[1] is None else f' ({100 * pair[1]:.1f})') for pair in shares)])
    return rows


def markdown(result: Mapping[str, Any]) -> str:
    """Return the tables of a result."""
    parts: dict[str, list[Any]] = {kind: [] for kind in ('coverage', 'null', 'difference')}
    for part in result['cells'].values():
        parts[part['kind']].append(part)
    for kind in parts.values():
        kind.sort(key=lambda part: part['model'] == 'binormal')  # the others first
    both = [*parts['null'], *parts['difference']]
    differences = [(title, name, 'default') for title, name, _ in COLUMNS[:3]]
    tables = {
        'Default intervals: coverage in percent (median width)': interval_rows(
            parts['coverage'], COLUMNS, 'system'),
        'Other intervals, by name': interval_rows(parts['coverage'], OTHERS, 'system'),
        'Equal systems: default tests that reject at 5 %, in percent (percentile bootstrap)':
            rejection_rows(parts['null'], 'systems'),
        'Different systems: the same, so their power': rejection_rows(parts['difference'], 'systems'),
        'Intervals of the difference: coverage in percent (median width)': interval_rows(
            both, differences, 'systems')}
    return '\n\n'.join(f'{title}:\n\n{markdown_table(rows)}' for title, rows in tables.items()
                       if len(rows) > 1)


def describe(result: Mapping[str, Any]) -> str:
    """Return what a page shows of a result: how it was made, and its tables."""
    settings, versions = result['settings'], result['versions']
    error = 100 * float(np.sqrt(0.95 * 0.05 / settings['data_sets']))
    return (f'{settings["data_sets"]} data sets a cell (standard error of a coverage of 95 %: '
            f'{error:.1f} points),\n{settings["resamples"]} resamples each, seed {settings["seed"]}; '
            f'{result["machine"]}, numpy {versions["numpy"]}, scipy {versions["scipy"]}:\n\n```\n'
            f'{result["command"]}\n```\n\n{markdown(result)}')


def write_docs(path: Path, text: str, mark: str = 'coverage') -> None:
    """Write the tables into a page, between its marks.

    Args:
        path: The page.
        text: Of :func:`describe`.
        mark: 'coverage', or 'coverage-folds'.

    Raises:
        ValueError: It has no such marks.
    """
    start = f'<!-- {mark} -->\n'
    before, found, rest = path.read_text(encoding='utf-8').partition(start)
    _, end, after = rest.partition('<!-- end -->')
    if not (found and end):
        raise ValueError(f'{path} has no place for the tables; lines "<!-- {mark} -->" and '
                         '"<!-- end -->" are expected')
    write_text(path, f'{before}{start}{text}\n{end}{after}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data-sets', type=int, default=2000, help='simulated per cell')
    parser.add_argument('--resamples', type=int, default=500, help='of each bootstrap')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--folds', action='store_true',
                        help='means over five folds in place of single tests; give another --out')
    parser.add_argument('--out', type=Path,
                        help='write the result to this JSON file; the cells it holds are kept')
    parser.add_argument('--table', type=Path, help='print the tables of this JSON file, and stop')
    parser.add_argument('--docs', type=Path, help='write the tables into this page')
    args = parser.parse_args()
    result = load_json(args.table, 'table of coverages') if args.table else simulate(args)
    print(markdown(result))
    if args.docs:
        write_docs(args.docs, describe(result),
                   'coverage-folds' if '--folds' in result['command'] else 'coverage')


if __name__ == '__main__':
    with one_line_errors('simulate_coverage'):
        main()
