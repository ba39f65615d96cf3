#!/usr/bin/env python
"""What the exact FROC costs: one map's events against sweeps over 100 thresholds, as ratios.

The sweeps label the map at 100 thresholds and take the components' boxes, with
scipy.ndimage.label or OpenCV's connectedComponentsWithStats; judging the boxes is left out, to
their advantage. Ours gives all events at every distinct score, judged. The floor is that of a set
of such maps (budgets 0.1 to 0.5): below it nothing can change those recalls. All are timed in turn
within one run, in CPU time of one core (what else the machine does counts less), and the median is
printed.

The second table is what an image keeps: all of its events, and those that can matter; pickled, as
they travel between ranks, in memory until then, and what dropping the others costs.
"""
import argparse
import pickle
import platform
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, gaussian_filter, label

from mmwindow.evaluation import DEFAULT_BUDGETS, map_events, prune_events
from mmwindow.evaluation.events.components import find_sweep

THRESHOLDS = np.linspace(0, 1, 101)[1:]
KINDS = ('smooth', 'noise')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--sides', type=int, nargs='+', default=[256, 1024], help='of the maps')
    parser.add_argument('--kinds', nargs='+', default=KINDS, choices=KINDS)
    parser.add_argument('--maps', type=int, default=24, help='to find the floor')
    parser.add_argument('--repeats', type=int, default=9, help='timed runs of each')
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args()


def make_map(generator: np.random.Generator, kind: str, side: int
            ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return a map ``(side, side)`` float32 and points ``(N, 2)`` in the frame of 1024.

    'smooth': low logits with coarse and fine texture, and a bump at and near each point, as a
    network's merged map has them. 'noise': every cell on its own, the worst case.
    """
    points = generator.uniform(100, 924, (int(generator.integers(0, 3)), 2))
    if kind == 'noise':
        return generator.random((side, side), dtype=np.float32), points
    coarse = gaussian_filter(generator.normal(size=(side, side)), side / 32)
    fine = gaussian_filter(generator.normal(size=(side, side)), side / 170)
    logits = 1.2 * coarse / coarse.std() + 0.3 * fine / fine.std() - 5
    rows, columns = np.mgrid[:side, :side]
    bumps = np.concatenate([points, generator.uniform(0, 1024, (3, 2))])  # three are false
    for x, y in (bumps + generator.normal(0, 15, bumps.shape)) * side / 1024:
        distance = ((rows - y) ** 2 + (columns - x) ** 2) / (side / 28) ** 2
        logits += generator.uniform(2, 8) * np.exp(-distance / 2)
    return (1 / (1 + np.exp(-logits))).astype(np.float32), points


def sweep_scipy(scores: NDArray[np.float32]) -> list[Any]:
    """Return the boxes of the components at 100 thresholds, by scipy."""
    return [find_objects(label(scores >= threshold, np.ones((3, 3)))[0])
            for threshold in THRESHOLDS]


def sweep_opencv(scores: NDArray[np.float32]) -> list[Any]:
    """Return the boxes of the components at 100 thresholds, by OpenCV."""
    return [cv2.connectedComponentsWithStats((scores >= threshold).astype(np.uint8))[2]
            for threshold in THRESHOLDS]


def keep(maps: list[tuple[Any, Any]], budget: float | None) -> dict[str, Any]:
    """Reduce maps as FROCMetric does, with the identity that a data set gives an image.

    Args:
        maps: Map and points of each image.
        budget: FP per image up to which events are kept; None for all.

    Returns:
        dict: ``floor`` of the events; bytes an image keeps, ``pickled`` and in ``memory`` before
        events are dropped; ``prune_ms`` an image.
    """
    map_events(*maps[0])  # compiles
    tracemalloc.start()
    rows = []
    for number, (scores, points) in enumerate(maps):
        events = map_events(scores, points, image_id=number, group=f'patient {number}',
                            fields=dict(file_name=f'image_{number:05}.png', body_part='hand'))
        rows.append(events if budget is None else events.without_other_counts())
    memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    started = time.process_time()
    pruned = rows if budget is None else prune_events(rows, [budget])
    taken = time.process_time() - started
    return dict(floor=pruned[0].floor, memory=memory / len(maps),
                pickled=len(pickle.dumps(pruned)) / len(maps), prune_ms=1000 * taken / len(maps))


def time_in_turn(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return each function's median CPU time in milliseconds; they take turns."""
    taken = {name: [] for name in functions}
    for function in functions.values():
        function()  # compiles, warms up
    for _ in range(repeats):
        for name, function in functions.items():
            started = time.process_time()
            function()
            taken[name].append(1000 * (time.process_time() - started))
    return {name: statistics.median(values) for name, values in taken.items()}


def benchmark(kind: str, side: int, args: argparse.Namespace) -> dict[str, list[str]]:
    """Measure one kind of map at one side; return the rows of both tables."""
    generator = np.random.default_rng(args.seed)
    maps = [make_map(generator, kind, side) for _ in range(args.maps)]
    complete, kept = keep(maps, None), keep(maps, max(DEFAULT_BUDGETS))
    floor = kept['floor']
    scores, points = next(entry for entry in maps if len(entry[1]))
    functions = {
        '100 thresholds, scipy': lambda: sweep_scipy(scores),
        '100 thresholds, OpenCV': lambda: sweep_opencv(scores),
        'exact, plain': lambda: map_events(scores, points, method='plain'),
        'exact, plain, floor': lambda: map_events(scores, points, method='plain', floor=floor)}
    if find_sweep('auto').__module__.endswith('numba'):
        functions['exact, numba'] = lambda: map_events(scores, points, method='numba')
        functions['exact, numba, floor'] = lambda: map_events(
            scores, points, method='numba', floor=floor)
    times = time_in_turn(functions, args.repeats)
    above = np.mean([(entry[0] >= floor).mean() for entry in maps])
    print(f'<!-- {kind} {side}: floor {floor:.4f}, {100 * above:.2f} % of cells above it -->')
    return dict(
        times=[f'| {kind} {side} x {side} | {name} | {value:.2f} '
               f'| {times["100 thresholds, scipy"] / value:.1f} '
               f'| {times["100 thresholds, OpenCV"] / value:.1f} |' for name, value in times.items()],
        sizes=[f'| {kind} {side} x {side} | {complete["pickled"]:.0f} | {kept["pickled"]:.0f} '
               f'| {complete["memory"]:.0f} | {kept["memory"]:.0f} | {kept["prune_ms"]:.3f} |'])


def main() -> None:
    args = parse_args()
    cv2.setNumThreads(1)
    print(f'seed {args.seed}, {args.maps} maps, median of {args.repeats}; {platform.machine()}, '
          f'Python {platform.python_version()}, numpy {np.__version__}, OpenCV {cv2.__version__}\n')
    rows = dict(times=[], sizes=[])
    for kind in args.kinds:
        for side in args.sides:
            for name, lines in benchmark(kind, side, args).items():
                rows[name] += lines
    print('\n| map | method | ms | times faster than scipy | than OpenCV |\n|---|---|---|---|---|')
    print('\n'.join(rows['times']))
    print('\n| map | pickled, bytes an image: all | kept | in memory, bytes an image: all | kept | '
          'dropping, ms an image |\n|---|---|---|---|---|---|')
    print('\n'.join(rows['sizes']))


if __name__ == '__main__':
    main()
