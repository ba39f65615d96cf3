#!/usr/bin/env python
"""Simulate how often each nominal 95 % interval holds the truth, and each test rejects a null.

Data sets are drawn from models with a known truth: binormal scores for AUROC, and for the
FROC patients with one to three images that share how easy they are, findings with levels,
false positives that appear and merge. An interval is as good as its share of hits.

    python tools/simulate_coverage.py --out results/coverage/coverage.json
    python tools/simulate_coverage.py --table results/coverage/coverage.json
"""
import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.stats import norm

from mmwindow.evaluation import ImageEvents, froc_curve
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.evaluation.statistics.bootstrap import BOOTSTRAP_METHODS, collect, statistic_interval
from mmwindow.evaluation.statistics.compare import compare_systems
from mmwindow.evaluation.statistics.delong import DELONG_METHODS, delong_interval
from mmwindow.evaluation.statistics.intervals import clustered_proportion, wilson
from mmwindow.evaluation.statistics.resampling import (
    draw_weights,
    find_units,
    leave_one_out,
    unit_strata,
)
from mmwindow.evaluation.statistics.weighting import WeightedEvents
from mmwindow.utils.command_line import one_line_errors
from mmwindow.utils.files import load_json, write_text

AREAS = (0.8, 0.95, 0.99)
CASE_CONTROL = ((20, 40), (50, 50), (100, 300))  # positives, normals
PATIENTS = (50, 150, 500)  # of 2 images on average
SYSTEMS = {'fair': 1.6, 'strong': 3.2}  # how far findings stand above false positives
TRUTH_PATIENTS = 200_000


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


def patient_events(num_patients: int, separation: float, rng: np.random.Generator,
                   num_systems: int = 1) -> list[list[ImageEvents]]:
    """Return, for each system, the images of patients: the model of the FROC.

    A patient has 1 to 3 images and, with 1/2 probability, findings: 1 + Poisson(0.4) of them
    on each image with 2/3 probability. Levels share a patient's ease (variance 0.4 of 1) and
    an image's. One finding in 20 is never found. An image has Poisson(2) false positives,
    one in three of which merges into a neighbour at a lower level.
    """
    systems = [[] for _ in range(num_systems)]
    for patient in range(num_patients):
        ease, diseased = rng.normal(scale=np.sqrt(0.4)), rng.random() < 0.5
        for view in range(rng.integers(1, 4)):
            num_points = 1 + rng.poisson(0.4) if diseased and rng.random() < 2 / 3 else 0
            visible = rng.normal(scale=np.sqrt(0.3), size=num_points)
            for events in systems:
                events.append(draw_image(ease, visible, separation, f'{patient}/{view}',
                                         str(patient), rng))
    return systems


def draw_image(ease: float, visible: NDArray[Any], separation: float, image_id: str, group: str,
               rng: np.random.Generator) -> ImageEvents:
    """Return one system's events on one image."""
    found = separation + ease + visible + rng.normal(scale=np.sqrt(0.3), size=len(visible))
    found[rng.random(len(found)) < 0.05] = -np.inf
    alarms = rng.normal(size=rng.poisson(2)) * np.sqrt(0.8) - 0.5 * ease
    merging = alarms[rng.random(len(alarms)) < 1 / 3]
    levels = np.concatenate([alarms, merging - rng.exponential(0.7, len(merging))])
    changes = np.repeat([1, -1], [len(alarms), len(merging)]).astype(np.int32)
    order = np.argsort(-levels)
    score = max([-4., *found, *alarms])
    return make_image(score, found, levels[order], changes[order], image_id, group)


def area_intervals(events: Sequence[ImageEvents]) -> dict[tuple[str, str], Any]:
    """Return the intervals of the AUROC by name."""
    labels = [event.is_positive for event in events]
    scores = [event.score for event in events]
    found = {f'delong {method}': delong_interval(labels, scores, method=method)
             for method in DELONG_METHODS}
    if any(event.group for event in events):
        groups = [event.group for event in events]
        for method in ('logit', 'newcombe'):
            found[f'delong {method}, by patient'] = delong_interval(
                labels, scores, method=method, groups=groups)
    return {('auroc', name): interval for name, interval in found.items()}


def resampled_intervals(events: Sequence[ImageEvents], args: argparse.Namespace, seed: int,
                        names: Sequence[str]) -> dict[tuple[str, str], Any]:
    """Return the intervals of :func:`bootstrap` by every method, from the same resamples."""
    units = find_units(events)
    table = WeightedEvents(events, units, FROCSettings())
    estimates = collect(table, [np.ones((1, len(units)), np.int32)])
    replicates = collect(table, draw_weights(unit_strata(events, units, None), args.resamples,
                                             np.random.default_rng(seed)))
    jackknife = collect(table, leave_one_out(len(units)))
    return {(name, f'bootstrap {method}'): statistic_interval(
        name, float(estimates[name][0]), replicates[name], jackknife[name], 0.95, method, table)
        for name in names for method in BOOTSTRAP_METHODS}


def fixed_threshold_intervals(events: Sequence[ImageEvents],
                              threshold: float) -> dict[tuple[str, str], Any]:
    """Return intervals of the recall at one threshold, chosen beforehand."""
    units = {}
    for event in events:
        hits, trials = units.get(event.group, (0, 0))
        units[event.group] = (hits + int((event.recall_levels >= threshold).sum()),
                              trials + len(event.recall_levels))
    hits, trials = np.array(list(units.values())).T
    return {('recall at a threshold', 'wilson'): wilson(hits.sum(), trials.sum()),
            ('recall at a threshold', 'wilson, by patient'): clustered_proportion(hits, trials)}


def summarise(rows: list[dict[tuple[str, str], Any]],
              truth: dict[str, float]) -> list[dict[str, Any]]:
    """Return coverage, misses to either side and width of each interval.

    Args:
        rows: An interval per statistic and method, one dict per data set.
        truth: Of each statistic.
    """
    cells = []
    for name, method in rows[0]:
        intervals = [row[name, method] for row in rows if row[name, method] is not None]
        low = np.array([interval.low for interval in intervals])
        high = np.array([interval.high for interval in intervals])
        above, below = truth[name] < low, truth[name] > high
        coverage = 1 - float((above | below).mean())
        cells.append(dict(
            statistic=name, method=method, truth=truth[name], num_data_sets=len(intervals),
            coverage=coverage, standard_error=float(np.sqrt(coverage * (1 - coverage) /
                                                            len(intervals))),
            interval_above_truth=float(above.mean()), interval_below_truth=float(below.mean()),
            mean_width=float((high - low).mean())))
    return cells


def simulate_area(area: float, size: tuple[int, int], args: argparse.Namespace,
                  rng: np.random.Generator, tick: Callable[[], None]) -> dict[str, Any]:
    """Return the coverage of each interval of the AUROC of binormal scores."""
    rows = []
    for number in range(args.data_sets):
        events = binormal_events(area, *size, rng)
        rows.append({**area_intervals(events),
                     **resampled_intervals(events, args, number, ('auroc',))})
        tick()
    return dict(model='binormal', size=f'{size[0]} positives, {size[1]} normals',
                cells=summarise(rows, dict(auroc=area)))


def model_truth(separation: float, seed: int) -> dict[str, Any]:
    """Return the statistics of the FROC's model, from one huge data set."""
    events = patient_events(TRUTH_PATIENTS, separation, np.random.default_rng(seed))[0]
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


def simulate_froc(system: str, num_patients: int, truth: dict[str, Any], args: argparse.Namespace,
                  rng: np.random.Generator, tick: Callable[[], None]) -> dict[str, Any]:
    """Return the coverage of each interval of a system on patients of several images."""
    rows, names = [], ('auroc', 'recall@0.1', 'froc_score')
    for number in range(args.data_sets):
        events = patient_events(num_patients, SYSTEMS[system], rng)[0]
        rows.append({**area_intervals(events),
                     **resampled_intervals(events, args, number, names),
                     **fixed_threshold_intervals(events, truth['threshold'])})
        tick()
    return dict(model=f'{system} system', size=f'{num_patients} patients, 1 to 3 images',
                cells=summarise(rows, truth))


def simulate_null(system: str, num_patients: int, args: argparse.Namespace,
                  rng: np.random.Generator, tick: Callable[[], None]) -> dict[str, Any]:
    """Return how often each paired test rejects at 5 % two systems of one quality."""
    p_values = {}
    for number in range(args.data_sets):
        first, second = patient_events(num_patients, SYSTEMS[system], rng, num_systems=2)
        result = compare_systems(first, second, num_resamples=args.resamples, seed=number)
        found = {f'bootstrap, {name}': result.p_values[name]
                 for name in ('auroc', 'recall@0.1', 'froc_score')}
        for name, value in {**found, 'delong, by patient': result.delong.p_value}.items():
            p_values.setdefault(name, []).append(value)
        tick()
    return dict(model=f'{system} system against its equal', size=f'{num_patients} patients',
                rejections={name: float(np.mean(np.array(values) < 0.05))
                            for name, values in p_values.items()})


class Progress:
    """Prints how far the simulation is and how long it will take, about every 10 seconds."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.started = total, 0, time.monotonic()
        self.printed = self.started

    def tick(self) -> None:
        self.done += 1
        now = time.monotonic()
        if now - self.printed > 10 or self.done == self.total:
            self.printed = now
            left = (now - self.started) / self.done * (self.total - self.done)
            print(f'{self.done}/{self.total} data sets, about {left:.0f} s left', flush=True)


def simulate(args: argparse.Namespace) -> dict[str, Any]:
    """Return the complete result as plain data."""
    started = time.monotonic()
    sizes = len(AREAS) * len(CASE_CONTROL) + len(SYSTEMS) * (len(PATIENTS) + 1)
    tick = Progress(sizes * args.data_sets).tick
    truths = {name: model_truth(separation, args.seed + 1) for name, separation in SYSTEMS.items()}
    print('truths:', json.dumps(truths), flush=True)
    streams = iter(np.random.SeedSequence(args.seed).spawn(sizes))
    parts = [simulate_area(area, size, args, np.random.default_rng(next(streams)), tick)
             for area in AREAS for size in CASE_CONTROL]
    parts += [simulate_froc(system, size, truths[system], args,
                            np.random.default_rng(next(streams)), tick)
              for system in SYSTEMS for size in PATIENTS]
    nulls = [simulate_null(system, PATIENTS[1], args, np.random.default_rng(next(streams)), tick)
             for system in SYSTEMS]
    return dict(
        command='python tools/simulate_coverage.py ' + ' '.join(sys.argv[1:]), seed=args.seed,
        data_sets=args.data_sets, resamples=args.resamples, nominal=0.95,
        truth_patients=TRUTH_PATIENTS, truths=truths, coverage=parts, nulls=nulls,
        seconds=round(time.monotonic() - started),
        versions=dict(python=platform.python_version(), numpy=np.__version__,
                      scipy=scipy.__version__))


def markdown(result: dict[str, Any]) -> str:
    """Return the tables of a result: coverage in percent and, in brackets, mean width."""
    cells = [(part, cell) for part in result['coverage'] for cell in part['cells']]
    methods = list(dict.fromkeys(cell['method'] for _, cell in cells))
    rows = {}
    for part, cell in cells:
        row = part['model'], part['size'], cell['statistic'], f'{cell["truth"]:.3f}'
        rows.setdefault(row, {})[cell['method']] = (
            f'{100 * cell["coverage"]:.1f} ({cell["mean_width"]:.3f})')
    lines = [f'Coverage in percent of nominal 95 % intervals, and their mean width; '
             f'{result["data_sets"]} data sets a row, {result["resamples"]} resamples, seed '
             f'{result["seed"]}.', '',
             '| model | size | statistic | truth | ' + ' | '.join(methods) + ' |',
             '|---' * (4 + len(methods)) + '|']
    lines += ['| ' + ' | '.join([*row, *(found.get(method, '') for method in methods)]) + ' |'
              for row, found in rows.items()]
    lines += ['', 'Rejections in percent at 5 % where there is no difference.', '',
              '| model | size | test | rejected |', '|---|---|---|---|']
    lines += [f'| {part["model"]} | {part["size"]} | {name} | {100 * share:.1f} |'
              for part in result['nulls'] for name, share in part['rejections'].items()]
    return '\n'.join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data-sets', type=int, default=1000, help='simulated per cell')
    parser.add_argument('--resamples', type=int, default=1000, help='of each bootstrap')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, help='write the result to this JSON file')
    parser.add_argument('--table', type=Path, help='print the tables of this JSON file, and stop')
    args = parser.parse_args()
    if args.table:
        print(markdown(load_json(args.table, 'table of coverages')))
        return
    result = simulate(args)
    if args.out:
        write_text(args.out, json.dumps(result, indent=1) + '\n')
    print(markdown(result))


if __name__ == '__main__':
    with one_line_errors('simulate_coverage'):
        main()
