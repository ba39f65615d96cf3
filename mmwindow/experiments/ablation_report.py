"""The page of Tables 2 and 3: each row by three hit rules, next to the paper's and to exact maps."""
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmwindow.evaluation.metric_names import FROC_SCORE
from mmwindow.experiments.ablations import MAIN, RULES, Ablation, filed_at
from mmwindow.experiments.exact_maps import Window
from mmwindow.experiments.paper_report import make_report, read_paper
from mmwindow.experiments.paper_tables import format_interval
from mmwindow.experiments.result_files import read_system
from mmwindow.experiments.summaries import compare_with, find_differences, summarise
from mmwindow.experiments.systems import System
from mmwindow.utils.files import read_json, write_text
from mmwindow.utils.markdown import format_number, markdown_table

NOTE = (
    'Differences are the row minus the window 2 / 50 / 200 of the same divergence, in FROC score, on '
    'the same images (paired bootstrap over patients, in brackets 95 %). "at 4 %": the paper\'s rule '
    'with 4 % in place of 10 %. "exact map": the lower '
    "bound itself, images unequal in confidence, by the paper's rule, minus that of 50: what the hit "
    'rule takes from a perfect prediction.')


def read_filed(rows: Sequence[Ablation], rule: str, results: Path) -> dict[Ablation, System]:
    """Return the filed systems of some rows by one rule."""
    paths = {row: filed_at(row, rule, results) for row in rows}
    found = {row: read_system(path) for row, path in paths.items() if path.is_file()}
    return {row: system for row, system in found.items() if system is not None}


def report_ablations(rows: Sequence[Ablation], results: Path, paper: str | Path, command_line: str,
                     exact: Path | None = None, num_resamples: int = 2000,
                     say: Callable[[str], Any] = print) -> Path:
    """Write the paper's tables of each data set and rule, and what the hit rule makes of a drop.

    Args:
        rows: Those that are asked for; what is not filed is said in the tables.
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
        filed = {rule: read_filed(own, rule, results) for rule in RULES}
        for rule, systems in filed.items():
            if systems:
                folder = results / f'{data}{rule}'
                make_report([folder], folder / 'tables', paper, command_line=command_line,
                            num_resamples=num_resamples, say=lambda text: None)
        for divergence in dict.fromkeys(row.divergence for row in own):
            some = [row for row in own if row.divergence == divergence]
            lines += [f'## {data}, {divergence.upper()}', '', markdown_table(drop_rows(
                some, filed, numbers, read_exact(exact, data), num_resamples)), '']
    missing = [row.name for row in rows
               if not all(filed_at(row, rule, results).is_file() for rule in RULES)]
    if missing:
        say(f'{len(missing)} rows are missing: {", ".join(missing[:4])}'
            + (' ...' if len(missing) > 4 else ''))
        lines += [f'**Not complete: {len(missing)} rows are missing**, as {missing[0]}.', '']
    lines += [NOTE, '']
    write_text(results / 'README.md', '\n'.join(lines))
    return results / 'README.md'


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
              'by distance', 'minus main',
              'paper, minus main', 'exact map, minus main']]
    published = {Window(*(float(one[name]) for name in Window._fields)): one[FROC_SCORE]
                 for one in paper['table2' if rows[0].divergence == 'mse' else 'table3']}
    differences = {rule: differences_to_main(rows, systems, num_resamples)
                   for rule, systems in filed.items()}
    for row in rows:
        cells = [f'{value:g}' for value in row.window]
        for rule, systems in filed.items():
            known = row in systems
            score = summarise(systems[row], row.name, None, num_resamples).mean if known else None
            cells += [format_interval(score.intervals[FROC_SCORE]) if score else 'not run',
                      differences[rule].get(row, '')]
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
