"""What another training would change: its part in the differences of systems over folds.

The intervals of tables hold other images, for these very trainings. Where configs were trained twice
on the same folds, pairs of trainings tell how far two of them lie apart, and every difference gets an
interval over other images and other trainings.
"""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmwindow.evaluation.metric_names import display_name
from mmwindow.evaluation.statistics.holm import holm
from mmwindow.evaluation.statistics.intervals import Interval, t_quantile
from mmwindow.evaluation.statistics.seed_comparison import combined_interval
from mmwindow.experiments.result_files import find_result_files
from mmwindow.experiments.run_state import identify, read_filed
from mmwindow.experiments.summaries import METRICS
from mmwindow.utils.markdown import (
    format_number,
    format_p_value,
    format_with_interval,
    markdown_table,
)
from mmwindow.utils.messages import count_words

# Must be equal of two trainings of a config on a fold, so that only the training differs.
SAME_OF_BOTH = ('points_digest', 'weights', 'views', 'num_images')
SAME_OF_CONFIG = ('divergence', 'window', 'is_ablation', 'settings')


@dataclass(frozen=True)
class TrainingNoise:
    """How much trainings of one config on one fold differ, tested on the same images.

    Attributes:
        pairs: ``(system, fold)`` of each pair of trainings.
        deviations: Statistic -> standard deviation of a single training. Both trainings of a pair are
            taken to have the same mean, so that it has a degree of freedom for each pair.
    """

    pairs: tuple[tuple[str, str], ...]
    deviations: dict[str, float]

    def variance(self, name: str, num_folds: int) -> float:
        """Return the variance of the difference of two systems' means over folds, a training each."""
        return 2 * self.deviations[name] ** 2 / num_folds


@dataclass(frozen=True)
class NoisyDifference:
    """Reference minus another system, over other images and other trainings.

    Attributes:
        interval: Of the difference.
        p_value: Two-sided.
        p_holm: Corrected for the number of comparisons.
    """

    interval: Interval
    p_value: float
    p_holm: float


def measure_noise(first: str | Path, second: str | Path) -> TrainingNoise:
    """Return how much the trainings of two folders of result files differ.

    Args:
        first, second: Such as ``results/fracatlas`` and ``results/fracatlas_gpu``. What is in one of
            them alone is left out.

    Raises:
        ValueError: No config was trained on the same fold in both, or the two are of other points,
            images, weights or views, or they are one training.
    """
    folders = [{path.stem: read_filed(path) for path in find_result_files(folder)}
               for folder in (first, second)]
    pairs, differences = [], []
    for name in sorted(set(folders[0]) & set(folders[1])):
        one, other = folders[0][name], folders[1][name]
        for entry in SAME_OF_CONFIG:
            if one.get(entry) != other.get(entry):
                raise ValueError(f'{name}: its {entry} differs in {first} and {second}; only the '
                                 'training may')
        for fold in sorted(set(one['folds']) & set(other['folds'])):
            check_pair(name, fold, one, other, first, second)
            pairs.append((one['system'], fold))
            differences.append([one['folds'][fold][metric] - other['folds'][fold][metric]
                                for metric in METRICS])
    if not pairs:
        raise ValueError(f'{first} and {second} have no fold of a config in common; give folders of '
                         'two trainings of the same configs')
    squares = np.mean(np.square(differences), axis=0)
    deviations = np.sqrt(squares / 2).tolist()  # a difference has the variance of both
    return TrainingNoise(tuple(pairs), dict(zip(METRICS, deviations, strict=True)))


def check_pair(name: str, fold: str, one: Mapping[str, Any], other: Mapping[str, Any],
               first: str | Path, second: str | Path) -> None:
    """Reject two result files of one fold that differ in more than the training, or in nothing."""
    runs = [next(run for run in content['runs'] if str(run['fold']) == fold)
            for content in (one, other)]
    for entry in SAME_OF_BOTH:
        if runs[0].get(entry) != runs[1].get(entry):
            raise ValueError(f'{name}, fold {fold}: {entry} differs: {runs[0].get(entry)!r} in '
                             f'{first}, {runs[1].get(entry)!r} in {second}; only the training may')
    if one['folds'][fold] == other['folds'][fold] or identify(runs[0]) == identify(runs[1]):
        raise ValueError(f'{name}, fold {fold}: {first} and {second} are of one training; give a '
                         'second one')
    for folder, content in ((first, one), (second, other)):
        lacking = [metric for metric in METRICS if content['folds'][fold].get(metric) is None]
        if lacking:
            raise ValueError(f'{name}, fold {fold}: {folder} has no {lacking[0]} of it')


def add_noise(results: str | Path, noise: TrainingNoise, level: float = 0.95
              ) -> dict[str, dict[str, NoisyDifference]]:
    """Return the differences of result files over other images and other trainings.

    The variance of the images is that behind the file's interval: half its width over the quantile
    of Student's t, with the degrees of freedom that the file names. A file that names none is read
    with all units but one, which is an approximation: each further fold costs one, and of a recall or
    a FROC score over folds only units with a point count. So is the variance of an interval that was
    cut to [-1, 1], or widened to the disagreement of half a unit.

    Args:
        results: Folder of result files; differences are those to its reference.
        noise: Of the same kind of training.
        level: Nominal confidence.

    Returns:
        dict: Label of the other system -> statistic -> difference.

    Raises:
        ValueError: No file there has a difference, or one has no interval.
    """
    found: dict[str, dict[str, tuple[Interval, float]]] = {}
    for path in find_result_files(results):
        content = read_filed(path)
        if 'reference_minus_this' not in content:
            continue
        units, num_folds = content['bootstrap']['num_units'], max(len(content['folds']), 1)
        found[content['system']] = {}
        for name in METRICS:
            entry = content['reference_minus_this']['differences'][name]
            if entry is None or entry.get('low') is None:
                raise ValueError(f'{path}: the difference in {name} has no interval')
            degrees = entry.get('degrees') or units - 1
            of_images = (entry['high'] - entry['low']) / 2 / t_quantile(entry['level'], degrees + 1)
            found[content['system']][name] = combined_interval(
                entry['difference'], [(of_images ** 2, degrees),
                                      (noise.variance(name, num_folds), len(noise.pairs))], level)
    if not found:
        raise ValueError(f'{results}: no result file has a difference to a reference; mmwindow '
                         'tables --reference SYSTEM writes them')
    corrected = {name: holm([values[name][1] for values in found.values()]) for name in METRICS}
    return {label: {name: NoisyDifference(*values[name], corrected[name][place] or 0.)
                    for name in METRICS}
            for place, (label, values) in enumerate(found.items())}


def describe_noise(results: str | Path, repeated: str | Path, command_line: str) -> str:
    """Return a page: how much two trainings differ, and the differences with that part.

    Args:
        results: Folder of result files with differences to a reference.
        repeated: Folder with second trainings of some of its folds.
        command_line: What makes the page.

    Raises:
        ValueError: As :func:`measure_noise` and :func:`add_noise`.
    """
    noise = measure_noise(results, repeated)
    contents = {path.stem: read_filed(path) for path in find_result_files(results)}
    named = {content['reference_minus_this']['reference'] for content in contents.values()
             if 'reference_minus_this' in content}
    if len(named) != 1 or not named <= set(contents):
        raise ValueError(f'{results}: the differences of its files are to '
                         f'{", ".join(sorted(named)) or "no system"}; those of all to one system '
                         'that is there are expected: write them again with mmwindow tables '
                         '--reference')
    reference = contents[named.pop()]
    num_folds = max(len(reference['folds']), 1)
    rows: list[Sequence[object]] = [['standard deviation of', *map(display_name, METRICS)]]
    for words, variance in (('a single training', 1.),
                            (f'a mean over {num_folds} folds', 1 / num_folds),
                            ('a difference of two such means', 2 / num_folds)):
        rows.append([words, *(format_number(noise.deviations[name] * variance ** .5, 4)
                              for name in METRICS)])
    folds: dict[str, list[str]] = {}
    for system, fold in noise.pairs:
        folds.setdefault(system, []).append(fold)
    pairs = '; '.join(f'{system}, folds {", ".join(numbers)}' for system, numbers in folds.items())
    return '\n\n'.join([
        '# What another training changes', f'Made by `{command_line}`.',
        f'{count_words(len(noise.pairs), "pair", "pairs")} of trainings of one config on one fold, '
        f'tested on the same images: {pairs}. The deviation of the other systems is taken to be the '
        'same; it was not measured.', markdown_table(rows),
        'Over other images and other trainings:',
        markdown_table(difference_rows(reference['system'], add_noise(results, noise))),
        'The variance of the images is that of the tables (units resampled within each fold); that '
        'of the trainings is added, with Satterthwaite\'s degrees of freedom. "p (Holm)": corrected '
        'for the comparisons of its column.']) + '\n'


def difference_rows(reference: str, differences: Mapping[str, Mapping[str, NoisyDifference]]
                    ) -> list[list[str]]:
    """Return the rows of a table of differences, with its head."""
    rows = [[f'{reference} minus', *(head for name in METRICS
                                     for head in (display_name(name), 'p', 'p (Holm)'))]]
    for label, values in differences.items():
        rows.append([label])
        for name in METRICS:
            one = values[name]
            rows[-1] += [format_with_interval(one.interval.estimate, one.interval, signed=True),
                         format_p_value(one.p_value), format_p_value(one.p_holm)]
    return rows
