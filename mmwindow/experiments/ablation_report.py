"""The page of Tables 2 and 3: each row by three hit rules, next to the paper's and to exact maps."""
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mmwindow.evaluation.hit_rules import DiskOverlap, rule_numbers
from mmwindow.evaluation.metric_names import FROC_SCORE
from mmwindow.evaluation.statistics.differences import NO_DEVIATION, studentised_difference
from mmwindow.experiments.ablations import MAIN, RULES, Ablation, filed_at, read_filed_row
from mmwindow.experiments.exact_maps import Window
from mmwindow.experiments.paper_captions import describe_runs
from mmwindow.experiments.paper_report import make_report, read_paper
from mmwindow.experiments.paper_tables import format_interval
from mmwindow.experiments.run_state import identify
from mmwindow.experiments.summaries import compare_with, find_differences, summarise
from mmwindow.experiments.systems import System, check_same_images
from mmwindow.utils.files import read_json, write_text
from mmwindow.utils.markdown import format_number, format_with_interval, markdown_table
from mmwindow.utils.messages import count_words

# Standard deviation of the FROC score of a single training, of WL-KLD or WL+ on FracAtlas:
# results/fracatlas_gpu/training_noise.md, by tools/training_noise.py. Two trainings differ by more.
TRAINING_DEVIATION = .0161
OF_TWO_TRAININGS = f'{2 ** .5 * TRAINING_DEVIATION:.3f}'.lstrip('0')
NOTE = (
    'Differences are the row minus the window 2 / 50 / 200 of the same divergence, in FROC score, on '
    'the same images (paired bootstrap over patients, in brackets 95 %). They are of these '
    'trainings: what another training changes is not in the brackets, and may be as much (two '
    f'trainings of WL-KLD or WL+ on FracAtlas differ by a standard deviation of {OF_TWO_TRAININGS}). '
    '"at 4 %": the paper\'s rule with 4 % in place of 10 %. "the rule\'s part": what the row\'s '
    'score changes by from 4 % to 10 %, minus what that of the main window changes by. Each is of '
    'one set of weights, so that chances of the trainings largely cancel. "exact map": the lower '
    "bound itself, images unequal in confidence, by the paper's rule, minus that of 50: what the hit "
    'rule takes from a perfect prediction.')


def read_filed_rows(rows: Sequence[Ablation], rule: str, results: Path) -> dict[Ablation, System]:
    """Return the filed systems of some rows by one rule."""
    found = {}
    for row in rows:
        system = read_filed_row(row, rule, results)
        if system is not None:
            check_rule(filed_at(row, rule, results), rule, system.settings)
            found[row] = system
    return found


def check_rule(path: Path, rule: str, settings: Mapping[str, Any]) -> None:
    """Reject a row that was scored by another rule than that of its folder.

    Raises:
        ValueError: The message names the file and the entry.
    """
    papers = DiskOverlap().settings
    found = {**papers, **settings}  # what a record leaves out is the paper's
    wanted = {**papers, **{key.removeprefix('test_evaluator.'): value
                           for key, value in RULES[rule].items()}}
    for name in ('rule', *rule_numbers(wanted['rule'])):
        if found[name] != wanted[name]:
            raise ValueError(f'{path}: its {name} is {found[name]}, and that of its folder '
                             f'{wanted[name]}; delete it, and the command tests the row again')


def report_ablations(rows: Sequence[Ablation], results: Path, paper: str | Path, command_line: str,
                     exact: Path | None = None, num_resamples: int = 2000,
                     say: Callable[[str], Any] = print) -> Path:
    """Write the paper's tables of each data set and rule, and what the hit rule makes of a drop.

    Args:
        rows: All; what is not filed is said in the tables.
        results: From :func:`run_ablations`.
        paper: The paper's numbers.
        command_line: Is written into the tables.
        exact: Folder of the exact maps' results, named as the data sets.
        num_resamples: Of the bootstrap.
        say: Takes a line for the reader.

    Returns:
        The page.
    """
    lines = ['# Tables 2 and 3', '', f'Made by `{command_line}`. Exact maps: docs/ablations.md.', '']
    numbers = read_paper(paper)
    for data in dict.fromkeys(row.data for row in rows):
        own = [row for row in rows if row.data == data]
        filed = {rule: read_filed_rows(own, rule, results) for rule in RULES}
        check_one_training(filed)
        lines += [f'## {data}', '']
        for rule, systems in filed.items():
            if systems:
                folder = results / f'{data}{rule}'
                make_report([folder], folder / 'tables', paper, command_line=command_line,
                            num_resamples=num_resamples, say=lambda text: None)
        if filed['']:
            lines += [f'AUROC and recall next to the paper\'s: [tables]({data}/tables/tables.md).',
                      '', *describe_runs({row.name: system for row, system in filed[''].items()}),
                      '']
        for divergence in dict.fromkeys(row.divergence for row in own):
            some = [row for row in own if row.divergence == divergence]
            lines += [f'### {data}, {divergence.upper()}', '', markdown_table(drop_rows(
                some, filed, numbers, read_exact(exact, data), num_resamples)), '']
    missing = [row.name for row in rows
               if not all(filed_at(row, rule, results).is_file() for rule in RULES)]
    if missing:
        number = count_words(len(missing), 'row is', 'rows are')
        say(f'{number} missing: {", ".join(missing[:4])}' + (' ...' if len(missing) > 4 else ''))
        lines += [f'**Not complete: {number} missing**, as {missing[0]}.', '']
    lines += [NOTE, '']
    write_text(results / 'README.md', '\n'.join(lines))
    return results / 'README.md'


def check_one_training(filed: Mapping[str, Mapping[Ablation, System]]) -> None:
    """Reject a row whose tests by other rules are of another training.

    Raises:
        ValueError: The message names the row and the rule.
    """
    for rule, systems in filed.items():
        for row, system in systems.items():
            first = filed[''].get(row)
            if first is not None and identify(first.first) != identify(system.first):
                raise ValueError(f'{row.name}: its test {rule.lstrip("_")} is of another training '
                                 'than its row; the command without --report-only tests it again')


def read_exact(folder: Path | None, data: str) -> dict[Window, float]:
    """Return the FROC score of the exact lower bound of each window by the paper's rule."""
    content = read_json(folder / f'{data}.json') if folder is not None else None
    if not isinstance(content, dict):
        return {}
    return {Window(**score['window']): score['unequal'][FROC_SCORE] for score in content['scores']
            if (score['map'], score['rule']) == ('lower', 'paper')}


def drop_rows(rows: Sequence[Ablation], filed: Mapping[str, Mapping[Ablation, System]],
              paper: Mapping[str, Any], exact: Mapping[Window, float], num_resamples: int
              ) -> list[list[str]]:
    """Return the rows of one divergence's drops, with their head.

    Args:
        rows: Of one data set and divergence.
        filed: Rule -> row -> system.
        paper: The paper's numbers.
        exact: Window -> FROC score of its exact map.
        num_resamples: Of the bootstrap.
    """
    table = [['tau', 'lower', 'upper', 'FROC score', 'minus main', 'at 4 %', 'minus main',
              'by distance', 'minus main', "the rule's part",
              'paper, minus main', 'exact map, minus main']]
    published = {Window(*(float(one[name]) for name in Window._fields)): one[FROC_SCORE]
                 for one in paper['table2' if rows[0].divergence == 'mse' else 'table3']}
    differences = {rule: differences_to_main(rows, systems, num_resamples)
                   for rule, systems in filed.items()}
    parts = rule_parts(rows, filed[''], filed['_overlap4'], num_resamples)
    for row in rows:
        cells = [f'{value:g}' for value in row.window]
        for rule, systems in filed.items():
            known = row in systems
            score = summarise(systems[row], row.name, None, num_resamples).mean if known else None
            cells += [format_interval(score.intervals[FROC_SCORE]) if score else 'not run',
                      differences[rule].get(row, '')]
        cells.append(parts.get(row, ''))
        for values in (published, exact):
            is_known = row.window in values and MAIN in values and row.window != MAIN
            cells.append(format_number(values[row.window] - values[MAIN], signed=True)
                         if is_known else '')
        table.append(cells)
    return table


def differences_to_main(rows: Sequence[Ablation], systems: Mapping[Ablation, System],
                        num_resamples: int) -> dict[Ablation, str]:
    """Return row -> its FROC score minus that of the main window, with its interval."""
    main = next((row for row in rows if row.window == MAIN and row in systems), None)
    others = {row.name: row for row in rows if row in systems and row != main}
    if main is None or not others:
        return {}
    found = find_differences(compare_with(
        systems[main], [systems[row] for row in others.values()], num_resamples), [FROC_SCORE])
    shown = {}
    for name, row in others.items():
        interval = found[name][FROC_SCORE].interval
        shown[row] = 'none' if interval is None else format_interval(replace(
            interval, estimate=0. - interval.estimate, low=0. - interval.high,
            high=0. - interval.low),
            signed=True)
    return shown


def rule_parts(rows: Sequence[Ablation], strict: Mapping[Ablation, System],
               lenient: Mapping[Ablation, System], num_resamples: int) -> dict[Ablation, str]:
    """Return row -> what the rule's 10 % takes from it beyond what they take from the main window.

    The FROC score at 10 % minus that at 4 %, of the same weights, minus the same of the main window;
    by shared resamples of the patients.

    Args:
        rows: Of one data set and divergence.
        strict, lenient: Row -> system, at 10 % and at 4 %.
        num_resamples: Of the bootstrap.
    """
    losses = {row: next(iter(compare_with(strict[row], [lenient[row]], num_resamples).values()))
              for row in rows if row in strict and row in lenient}
    main = next((row for row in losses if row.window == MAIN), None)
    shown = {}
    for row, loss in losses.items():
        if main is None or row == main:
            continue
        base = losses[main]
        check_same_images(f'{row.name} and {main.name}', strict[row].pooled, strict[main].pooled)
        if [img.image_id for img in strict[row].pooled] != [
                img.image_id for img in strict[main].pooled]:
            raise ValueError(f'{row.name} and {main.name} have their images in other orders, so that '
                             'their resamples are not the same; test both on one annotation file')
        part = (loss.first[FROC_SCORE] - loss.second[FROC_SCORE]
                - base.first[FROC_SCORE] + base.second[FROC_SCORE])
        replicates = loss.replicates[FROC_SCORE] - base.replicates[FROC_SCORE]
        deviation = float(np.nanstd(replicates))
        interval = None
        if deviation >= NO_DEVIATION:  # where no resample differs, nothing tells of a width
            interval = studentised_difference(part, deviation, loss.num_units, loss.num_units, 0.)
        shown[row] = format_with_interval(part, interval, signed=True)
    return shown
