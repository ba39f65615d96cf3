#!/usr/bin/env python
"""What intervals cost: bootstrap resamples of patients, with the events of all their images.

Every resample has its AUROC, recalls and FROC score, the thresholds found again: the same numbers as
computing them from the drawn images, which a few resamples of each case do for comparison. CPU
time of one core, the median of several runs in turn.
"""
import argparse
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mmwindow.evaluation import FROCSettings, ImageEvents, auroc, froc_curve
from mmwindow.evaluation.statistics.bootstrap import bootstrap

CASES = ((300, 1000), (4000, 2000))  # images, resamples
LITERAL = 5  # resamples computed one by one, for the ratio


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--events', type=int, default=40, help='changes of the FP count an image')
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args()


def make_events(generator: np.random.Generator, num_images: int, num_changes: int
               ) -> list[ImageEvents]:
    """Return images of patients with 1 to 3 each, half of them with 1 to 3 points."""
    patients = np.repeat(np.arange(num_images), generator.integers(1, 4, num_images))[:num_images]
    events = []
    for image_id, patient in enumerate(patients):
        num_points = int(generator.integers(1, 4)) if image_id % 2 else 0
        levels = np.sort(generator.beta(1, 4, num_changes))[::-1]
        changes = np.where(generator.random(num_changes) < 0.6, 1, -1)
        changes[np.cumsum(changes) < 0] = 1  # a count is never negative
        events.append(ImageEvents(
            score=float(generator.beta(2 if num_points else 1, 3)),
            recall_levels=generator.beta(2, 2, num_points), fp_levels=levels, fp_changes=changes,
            is_positive=num_points > 0, image_id=image_id, group=f'patient {patient}'))
    return events


def resample_literally(events: Sequence[ImageEvents], generator: np.random.Generator) -> Any:
    """Return FROC score and AUROC of drawn images, one resample, computed from them alone."""
    drawn = [events[index] for index in generator.integers(0, len(events), len(events))]
    drawn = [replace(event, image_id=number) for number, event in enumerate(drawn)]
    area = auroc([event.is_positive for event in drawn], [event.score for event in drawn])
    return froc_curve(drawn).score(), area


def cpu_seconds(function: Callable[[], object], repeats: int) -> float:
    """Return the median CPU time of a call."""
    taken = []
    for _ in range(repeats):
        started = time.process_time()
        function()
        taken.append(time.process_time() - started)
    return statistics.median(taken)


def main() -> None:
    args = parse_args()
    print(f'seed {args.seed}, {args.events} changes an image, median of {args.repeats}; '
          f'{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}\n')
    print('| images | resamples | interval | convention | s | times faster than one by one |\n'
          '|---|---|---|---|---|---|')
    for num_images, num_resamples in CASES:
        generator = np.random.default_rng(args.seed)
        events = make_events(generator, num_images, args.events)
        literal = cpu_seconds(lambda events=events, generator=generator: [
            resample_literally(events, generator) for _ in range(LITERAL)], 1) / LITERAL
        for method, convention in (('percentile', 'first_crossing'), ('bca', 'first_crossing'),
                                   ('bca', 'best')):
            seconds = cpu_seconds(lambda events=events, method=method, convention=convention,
                                  num_resamples=num_resamples: bootstrap(
                events, FROCSettings(convention=convention), num_resamples, args.seed,
                method=method), args.repeats)
            print(f'| {num_images} | {num_resamples} | {method} | {convention} | {seconds:.2f} '
                  f'| {literal * num_resamples / seconds:.0f} |')


if __name__ == '__main__':
    main()
