"""The study's file, table and figure, of what is filed so far."""
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from mmwindow.evaluation.metric_names import AUROC, FROC_SCORE
from mmwindow.evaluation.statistics.intervals import Interval
from mmwindow.evaluation.statistics.seed_comparison import SeedDifference
from mmwindow.experiments.other_tests import OTHER_TESTS
from mmwindow.experiments.paper_report import label_systems, read_paper
from mmwindow.experiments.study.analysis import (
    CellResult,
    change_outcome,
    describe_cell,
    outcome,
)
from mmwindow.experiments.study.design import (
    BASE,
    CONTROLS,
    FACTORS,
    MARGIN,
    Factor,
    Sizes,
    level_label,
)
from mmwindow.experiments.study.levels import level_rows, read_levels
from mmwindow.experiments.study.runs import CLASSIFIERS
from mmwindow.experiments.systems import paper_key
from mmwindow.utils.environment import describe_machine, describe_versions
from mmwindow.utils.files import write_json, write_text
from mmwindow.utils.markdown import format_number, format_p_value, markdown_table
from mmwindow.utils.messages import count_words
from mmwindow.visualization.levels import LevelMark, LevelPanel, plot_levels

NAME = 'study'  # of the file and the figure
HEAD = ['level', 'system', 'FROC score (sd over seeds)', 'AUROC', 'minus {baseline}, FROC score',
        'over images alone', 'p', 'minus {baseline}, AUROC', 'expected', 'found',
        'change of the advantage', 'change expected', 'change found']

LEVELS = ('Measured on the annotations of the training images of seed 0. "spread of the extent": '
          'standard deviation of the natural logarithm of the longer side of the outlines of the '
          'findings, with branches and chips; "points moved": root mean square distance from the '
          'points of the base level, pixels of a frame of 1024, less than what was drawn where a '
          'point would have left the image.')


def label_study(systems: Sequence[str], paper: str | Path | None) -> dict[str, str]:
    """Return system -> label, in the order given."""
    # Without the controls: two systems of one of the paper's names would both lose it.
    found = {**label_systems([system for system in systems if system not in CONTROLS],
                             read_paper(paper)).labels, **CONTROLS}
    return {system: found[system] for system in systems}


def format_ends(estimate: float, interval: Interval | None) -> str:
    """Return a signed difference with the ends of its interval."""
    if np.isnan(estimate):
        return 'none'
    text = format_number(estimate, signed=True)
    return text if interval is None else (
        f'{text} ({format_number(interval.low, signed=True)} to '
        f'{format_number(interval.high, signed=True)})')


def factor_rows(factor: Factor | None, results: Mapping[str, CellResult], labels: Mapping[str, str],
                baseline: str, sizes: Sizes) -> list[list[str]]:
    """Return the rows of one factor's table; None: of the base level alone.

    Args:
        factor: Which.
        results: By name of the cell.
        labels: System -> label.
        baseline: The system that each other one is compared with.
        sizes: Of the study.
    """
    rows = [[text.format(baseline=labels[baseline]) for text in HEAD]]
    cells = {name: result.cell for name, result in results.items()}
    levels = [(BASE, BASE)] if factor is None else [
        (level.name, level_label(factor, level, cells, sizes).replace('\n', ' '))
        for level in factor.levels if level.name in results]
    for name, label in levels:
        result = results[name]
        for system, means in result.means.items():
            if is_left_out(system, factor):
                continue
            compared = result.comparisons.get(system)
            rows.append([label, labels[system],
                         f'{format_number(means[FROC_SCORE])} '
                         f'({format_number(result.deviations[system][FROC_SCORE])})',
                         format_number(means[AUROC]),
                         *(seed_difference_cells(
                             compared.differences, result.cell.expected, is_window_loss(system))
                           if compared else [''] * 6),
                         *change_cells(result.changes.get(system), result.cell.change,
                                       is_window_loss(system))])
        missing = [run for run in result.missing if not is_left_out(run.system, factor)]
        if missing:
            rows.append([label, f'not complete: {count_words(len(missing), "run is", "runs are")} '
                         'missing', *[''] * (len(HEAD) - 2)])
    return rows


def is_window_loss(system: str) -> bool:
    """Return whether what is expected of Window Loss is expected of a system: of the paper's."""
    return system not in CONTROLS and paper_key(system, ('wl_kld', 'wl_mse')) is not None


def is_left_out(system: str, factor: Factor | None) -> bool:
    """Return whether a system is none of a factor's: a classifier has its base level alone there."""
    return (factor is not None and not factor.classifiers
            and paper_key(system, CLASSIFIERS) is not None)


def seed_difference_cells(differences: Mapping[str, SeedDifference], expected: str,
                          with_expected: bool) -> list[str]:
    """Return the cells of a system's differences to the baseline at one level."""
    froc, area = differences[FROC_SCORE], differences[AUROC]
    return [format_ends(froc.estimate, froc.total or froc.images),
            '' if froc.images is None else format_ends(froc.estimate, froc.images).split(' ', 1)[1],
            format_p_value(froc.p_value), format_ends(area.estimate, area.total or area.images),
            expected if with_expected else '', outcome(froc) or 'no interval']


def change_cells(change: SeedDifference | None, expected: str, with_expected: bool) -> list[str]:
    """Return the cells of an advantage minus that at the level it is compared with."""
    if change is None:
        return [''] * 3
    return [format_ends(change.estimate, change.total or change.images),
            expected if with_expected else '', change_outcome(change) or 'no interval']


def make_panel(factor: Factor, results: Mapping[str, CellResult], labels: Mapping[str, str],
               sizes: Sizes) -> LevelPanel:
    """Return the panel of one factor, of its complete levels.

    Without classifiers: they are so far behind that nothing else could be read on their scale.
    """
    cells = {name: result.cell for name, result in results.items()}
    levels = [level for level in factor.levels if level.name in results]
    series: dict[str, list[LevelMark]] = {}
    for place, level in enumerate(levels):
        for system, compared in results[level.name].comparisons.items():
            if paper_key(system, CLASSIFIERS):
                continue
            found = compared.differences[FROC_SCORE]
            if not np.isnan(found.estimate):
                series.setdefault(labels[system], []).append(
                    LevelMark(place, found.estimate, found.images, found.total))
    return LevelPanel(f'{factor.letter}: {factor.title}',
                      [f'{level_label(factor, level, cells, sizes)}\n({level.expected})'
                       for level in levels], dict(series))


def write_report(results: Sequence[CellResult], folder: Path, systems: Sequence[str], baseline: str,
                 sizes: Sizes, seeds: Sequence[int], command_line: str,
                 paper: str | Path | None = None, num_resamples: int = 2000,
                 amp: bool = False, test: str = '') -> Path:
    """Write ``study.json``, ``README.md`` and, where a level is complete, ``study.png`` and ``.svg``.

    Args:
        results: From :func:`~.analysis.analyse`.
        folder: Receives the files.
        systems: In the order of rows.
        baseline: The system that each other one is compared with.
        sizes: Of the study.
        seeds: Of the trainings.
        command_line: What makes the files.
        paper: The paper's numbers, for the labels.
        num_resamples: Of the bootstrap.
        amp: Whether the trainings are in mixed precision.
        test: Another way that they are tested in.

    Returns:
        The table.
    """
    labels = label_study(systems, paper)
    by_name = {result.cell.name: result for result in results}
    factors = [factor for factor in FACTORS.values()
               if any(level.name in by_name and level.name != BASE for level in factor.levels)]
    write_json(folder / f'{NAME}.json', dict(
        command=command_line, machine=describe_machine(), versions=describe_versions(),
        sizes=asdict(sizes), amp=amp, seeds=list(seeds), baseline=baseline, systems=labels,
        **({'test': {test: OTHER_TESTS[test]}} if test else {}),
        num_resamples=num_resamples, codes=sorted(code_versions(results)),
        expected={factor.letter: factor.expected for factor in FACTORS.values()},
        cells=[describe_cell(result, sizes) for result in results]))
    panels = [panel for factor in factors
              if (panel := make_panel(factor, by_name, labels, sizes)).series]
    for suffix in ('png', 'svg'):
        (folder / f'{NAME}.{suffix}').unlink(missing_ok=True)
        if panels:
            plot_levels(panels, folder / f'{NAME}.{suffix}', f'FROC score minus {labels[baseline]}')
    lines = ['# When does Window Loss win', '',
             f'Made by `{command_line}`. What was varied and expected: docs/study.md.', '',
             *describe_intervals(sizes, seeds, num_resamples, amp), '',
             *describe_other_test(test), *describe_figure(bool(panels)),
             *describe_study_runs(results)]
    if BASE in by_name:
        lines += ['## Base', '', markdown_table(factor_rows(None, by_name, labels, baseline, sizes)),
                  '']
    for factor in factors:
        lines += [f'## {factor.letter}: {factor.title}', '', f'Expected: {factor.expected}.', '',
                  markdown_table(factor_rows(factor, by_name, labels, baseline, sizes)), '']
    if levels := read_levels(folder):
        lines += ['## What the levels are', '', LEVELS, '', markdown_table(level_rows(levels)), '']
    path = folder / 'README.md'
    write_text(path, '\n'.join(lines))
    return path


def code_versions(results: Sequence[CellResult]) -> frozenset[str]:
    """Return the versions of the code (training, scoring) that made the runs."""
    return frozenset().union(*(result.code for result in results))


def describe_other_test(test: str) -> list[str]:
    """Return what is said of another way to test than the usual one, as lines; none of that."""
    if not test:
        return []
    options = ', '.join(f'{name} {value}' for name, value in OTHER_TESTS[test].items())
    return [f'**Tested in another way, {options}**, where a system has it. What was expected '
            'was expected of the usual tests.', '']


def describe_figure(is_there: bool) -> list[str]:
    """Return the figure and what is to be said of it, as lines."""
    return [f'![Differences by level]({NAME}.png)', '',
            'In parentheses: what was expected of WL-KLD. Classifiers are in the tables alone.',
            ''] if is_there else []


def describe_study_runs(results: Sequence[CellResult]) -> list[str]:
    """Return which runs are missing, and which code and machines made the others, as lines."""
    lines = []
    missing = [run.name for result in results for run in result.missing]
    if missing:
        lines += [f'**Not complete: {count_words(len(missing), "run is", "runs are")} missing**, as '
                  f'{missing[0]}.', '']
    code = code_versions(results)
    if len(code) > 1:
        lines += [f'**{len(code)} versions of the code** (training, scoring) made these runs: '
                  f'{"; ".join(sorted(code))}.', '']
    machines = sorted(frozenset().union(*(result.machines for result in results)))
    return [*lines, f'Trained on {"; ".join(machines)}.', '']


def describe_intervals(sizes: Sizes, seeds: Sequence[int], num_resamples: int, amp: bool
                       ) -> list[str]:
    """Return what the numbers are, as lines."""
    return [f'{sizes.num_train} images to train with at the base level, {sizes.num_test} to test, '
            f'{sizes.side} pixels long, {sizes.epochs} epochs{" in mixed precision" * amp}, the last '
            'weights; means '
            f'over the seeds {", ".join(map(str, seeds))}, each of which has training images of its '
            'own. Differences are paired: the same training and test images, the same seeds. In '
            'brackets 95 % intervals over other images **and** other seeds, the variance over seeds '
            'pooled over the levels with as many training images; "over images '
            f'alone" is that of these trainings ({num_resamples} resamples of the patients, shared '
            'by all seeds). "found", by the first interval: "ahead" or "behind" where 0 is outside, '
            f'"level" where all of it lies within {MARGIN:g} of 0, else "open". "change": the '
            'difference in FROC score minus that at the base, or minus that at the first level where '
            'the test images are others; "grows", "shrinks" or "same" likewise. No p-value is '
            'corrected for the number of levels. In the figure thin lines are the first interval, '
            'thick ones the second.']


def describe_missing(results: Sequence[CellResult]) -> list[str]:
    """Return in words what is missing, one line for each level that is not complete."""
    return [f'{result.cell.name}: {count_words(len(result.missing), "run is", "runs are")} missing: '
            + ', '.join(run.name for run in result.missing[:4])
            + (' ...' if len(result.missing) > 4 else '')
            for result in results if not result.is_complete]

