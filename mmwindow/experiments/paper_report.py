"""From finished systems to the paper's tables and figures; see ``tools/make_tables.py``."""
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mmwindow.evaluation.froc import DEFAULT_BUDGETS
from mmwindow.evaluation.hit_rules import DiskOverlap
from mmwindow.evaluation.statistics.compare import Comparison
from mmwindow.experiments.changed_parts import changed_table, describe_changed, find_changed
from mmwindow.experiments.paper_captions import describe_data, describe_pooling, describe_tests
from mmwindow.experiments.paper_figures import draw_figures, draw_figures_by
from mmwindow.experiments.paper_tables import (
    Table,
    comma_separated,
    comparison_table,
    describe_losses,
    pooled_table,
    system_table,
    window_key,
    window_table,
)
from mmwindow.experiments.result_files import write_result_files
from mmwindow.experiments.results import load_systems
from mmwindow.experiments.strata import Strata, summarise_strata
from mmwindow.experiments.strata_tables import PREFIX, describe_strata, strata_table, strata_title
from mmwindow.experiments.summaries import METRICS, Summary, compare_with, summarise
from mmwindow.experiments.systems import OWN_LABELS, PUBLISHED_SYSTEMS, System, paper_key
from mmwindow.utils.files import read_json, write_text
from mmwindow.utils.frame import FRAME_SIDE
from mmwindow.utils.markdown import markdown_table
from mmwindow.utils.messages import count_words

REFERENCE = 'wl_kld'
ABLATIONS = {'table2': 'mse', 'table3': 'kld'}
TITLES = {
    'table1': 'Table 1: classification and localisation',
    'pooled': 'The images of all folds pooled',
    'comparisons': 'The systems compared pairwise',
    'table2': 'Table 2: ablations with MSE',
    'table3': 'Table 3: ablations with KLD',
    'changed_parts': 'Systems with a part changed'}


class Resampling(NamedTuple):
    """How the bootstrap resamples: how often, and from which seed."""

    num_resamples: int
    seed: int


class Naming(NamedTuple):
    """What tables call the systems: name -> label in order of rows, and -> the paper's numbers."""

    labels: dict[str, str]
    paper: dict[str, dict[str, float]]


@dataclass(frozen=True)
class ReportContent:
    """The systems of a report and their numbers.

    Attributes:
        systems: By name, ablations included.
        naming: Of the rows of Table 1, in their order.
        summaries: By name, of all systems.
    """

    systems: Mapping[str, System]
    naming: Naming
    summaries: dict[str, Summary]

    @property
    def labels(self) -> dict[str, str]:
        """Name -> label; what is no row of Table 1 keeps its name."""
        return {**{name: name for name in self.systems}, **self.naming.labels}

    @property
    def rows(self) -> list[Summary]:
        """The rows of Table 1."""
        return [self.summaries[name] for name in self.naming.labels]

    @property
    def has_folds(self) -> bool:
        """Whether there are several folds to take means of."""
        return len(next(iter(self.systems.values())).events) > 1

    @property
    def warnings(self) -> list[str]:
        """Where pooled numbers differ from their means."""
        return [f'{summary.label}, {warning}' for summary in self.rows
                for warning in summary.warnings]


class ComparedRows(NamedTuple):
    """The reference with the other rows of Table 1.

    Attributes:
        reference: Its name; None where none is there.
        comparisons: By name of the other; empty where there is nothing to compare.
    """

    reference: str | None
    comparisons: dict[str, Comparison]

    @property
    def tested(self) -> str | None:
        """The reference, where it is compared with any other."""
        return self.reference if self.comparisons else None


def read_paper(path: str | Path | None) -> dict[str, Any]:
    """Return the paper's numbers, or an empty dict where no file is given."""
    if path is None:
        return {}
    content = read_json(Path(path))
    if content is None or not {'table1', 'table2', 'table3'} <= set(content):
        raise ValueError(f'{path}: there is no such file, or it lacks table1, table2 or table3; '
                         'results/paper.json has them')
    return content


def comparable_numbers(paper: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the paper's numbers that the hit rule and FROC settings of records leave comparable.

    Args:
        paper: From :func:`read_paper`.
        settings: Of the records.
    """
    papers = {**DiskOverlap().settings, 'frame_side': FRAME_SIDE, 'budgets': list(DEFAULT_BUDGETS),
              'convention': 'first_crossing', 'fp_denominator': 'all'}
    own = {**settings, 'budgets': list(settings['budgets'])}
    if all(own.get(name, value) == value for name, value in papers.items()):
        return paper
    by_rule = set(METRICS) - {'auroc'}
    return {table: [{name: value for name, value in row.items() if name not in by_rule}
                    for row in rows] if isinstance(rows, list) else rows
            for table, rows in paper.items()}


def choose_reference(names: Iterable[str], reference: str | None = None) -> str | None:
    """Return the system that the others are compared with: WL-KLD where it is there.

    Args:
        names (Sequence[str]): Of the systems of Table 1.
        reference (str, optional): Its name, a name that its name begins with, or what tables call
            it.

    Returns:
        str | None: None where it is not among them and was not asked for.

    Raises:
        ValueError: It was asked for and is not there, or several are meant.
    """
    by_label = {label: key for key, label in PUBLISHED_SYSTEMS.items()}
    wanted = by_label.get(reference or REFERENCE, reference or REFERENCE)
    found = [name for name in names if name == wanted] or [
        name for name in names if paper_key(name, [wanted])]
    if reference and len(found) != 1:
        raise ValueError(f'the reference {reference!r} names {found or "none"} of the systems '
                         f'{sorted(names)}; exactly one is expected')
    return found[0] if len(found) == 1 else None


def label_systems(systems: Iterable[str], paper: Mapping[str, Any]) -> Naming:
    """Return name -> label and order of rows: the paper's where it has them, ours, then by name.

    Two systems of one such name keep their own names, so that each row says which it is.
    """
    published = {row['system']: row for row in paper.get('table1', [])}
    known = {**{key: row['label'] for key, row in published.items()}, **OWN_LABELS}
    keys = {name: paper_key(name, known) for name in systems}
    labels = {}
    for name in sorted(systems, key=lambda name: (
            list(known).index(keys[name]) if keys[name] else len(known), name)):
        alone = sum(key == keys[name] for key in keys.values()) == 1
        labels[name] = known[keys[name]] if keys[name] and alone else name
    return Naming(labels, {name: pick_metrics(published.get(key, {})) for name, key in keys.items()})


def pick_metrics(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics among the entries of a row of the paper."""
    return {metric: row[metric] for metric in METRICS if metric in row}


def make_report(folders: Sequence[str | Path], out: str | Path, paper: str | Path | None = None,
                results: str | Path | None = None, reference: str | None = None,
                class_name: str | None = None, only: Sequence[int] | None = None,
                num_resamples: int = 2000, seed: int = 0, command_line: str = '',
                say: Callable[[str], Any] = print, recomputed: bool = False,
                by: Sequence[str] = (), note: str = '') -> dict[str, Table]:
    """Write the paper's tables and figures from run folders or result files.

    Args:
        folders: As in :func:`~mmwindow.experiments.results.load_systems`.
        out: Folder; receives ``tables.md``, ``table1.csv`` and ``.md`` and so on,
            ``figure4`` (ROC) and ``figure5`` (FROC) as ``.png`` and ``.svg``.
        paper: The paper's numbers, ``results/paper.json``.
        results: Folder for small result files, one for each system.
        reference: As in :func:`choose_reference`.
        class_name: As in :func:`~mmwindow.experiments.results.load_systems`.
        only: As ``class_name``.
        num_resamples: Of the bootstrap.
        seed: Of the bootstrap.
        command_line: Is written into the tables.
        say: Takes a line of progress.
        recomputed: ``results`` are those of ``folders``, of which the numbers alone are made again:
            the files keep the command that made them.
        by: Fields of the images, or 'points': tables by their values.
        note: A sentence for the readers of tables and result files, such as which images settings
            were chosen on.

    Returns:
        The tables by name, each ``markdown`` and ``csv``.

    Raises:
        ValueError: Runs without result, or that cannot be compared; see ``load_systems``.
    """
    numbers = read_paper(paper)
    systems = load_systems(folders, class_name, only, replaced=results)
    numbers = comparable_numbers(numbers, next(iter(systems.values())).settings)
    drawn = Resampling(num_resamples, seed)
    content = summarise_systems(systems, numbers, drawn, say)
    compared = compare_rows(content, reference, drawn, say)
    strata = {}
    for field in by:
        say(f'by {field}: {count_words(len(content.rows), "system")}')
        strata[field] = summarise_strata({name: systems[name] for name in content.naming.labels},
                                         field, compared.tested, *drawn)
    tables = list_tables(content, compared, strata, numbers)
    changed = find_changed(systems)
    if changed:
        say(f'{", ".join(content.labels[name] for name in changed)} compared with '
            f'{count_words(sum(map(len, changed.values())), "config")} that change a part')
        tables['changed_parts'] = changed_table(changed, systems, content.summaries, *drawn)
    write_report(Path(out), content, compared, strata, tables, command_line, note)
    for warning in content.warnings:
        say(f'warning: {warning}')
    if results is not None:
        write_result_files(results, systems, content.summaries, compared.comparisons,
                           compared.reference, command_line, say, recomputed, strata, note)
    return tables


def summarise_systems(systems: Mapping[str, System], numbers: Mapping[str, Any], drawn: Resampling,
                      say: Callable[[str], Any]) -> ReportContent:
    """Return the numbers of each system, the rows of Table 1 first.

    Args:
        systems: By name.
        numbers: The paper's, as far as they are comparable.
        drawn: How the bootstrap resamples.
        say: Takes a line of progress.
    """
    main = {name: system for name, system in systems.items() if not system.first.get('is_ablation')}
    naming = label_systems(main or systems, numbers)
    content = ReportContent(systems, naming, {})
    order = [*naming.labels, *(name for name in systems if name not in naming.labels)]
    for number, name in enumerate(order, start=1):
        say(f'{number} of {len(systems)}: {content.labels[name]}, {drawn.num_resamples} resamples')
        content.summaries[name] = summarise(systems[name], content.labels[name],
                                            naming.paper.get(name), *drawn)
    return content


def compare_rows(content: ReportContent, reference: str | None, drawn: Resampling,
                 say: Callable[[str], Any]) -> ComparedRows:
    """Return the reference compared with the other rows of Table 1.

    Args:
        content: Of the report.
        reference: As in :func:`choose_reference`.
        drawn: How the bootstrap resamples.
        say: Takes a line of progress.
    """
    names = list(content.naming.labels)
    chosen = choose_reference(names, reference)
    if chosen is None or len(names) < 2:
        return ComparedRows(chosen, {})
    others = [content.systems[name] for name in names if name != chosen]
    say(f'{content.labels[chosen]} compared with {len(others)} others')
    return ComparedRows(chosen, compare_with(content.systems[chosen], others, *drawn))


def list_tables(content: ReportContent, compared: ComparedRows, strata: Mapping[str, Strata],
                numbers: Mapping[str, Any]) -> dict[str, Table]:
    """Return the tables of a report by name, but that of changed parts.

    Args:
        content: Of the report.
        compared: The rows of Table 1 with the reference.
        strata: Field -> the numbers by its values.
        numbers: The paper's, as far as they are comparable.
    """
    tables = {'table1': system_table(content.rows, content.has_folds)}
    if content.has_folds:
        tables['pooled'] = pooled_table(content.rows)
    if compared.tested is not None:
        tables['comparisons'] = comparison_table(content.labels[compared.tested],
                                                 compared.comparisons, content.labels)
    for field, parts in strata.items():
        tables[f'{PREFIX}{field}'] = strata_table(field, parts, content.naming.labels,
                                                  compared.tested)
    return {**tables, **ablation_tables(content.systems, content.summaries, numbers,
                                        content.has_folds)}


def write_report(out: Path, content: ReportContent, compared: ComparedRows,
                 strata: Mapping[str, Strata], tables: Mapping[str, Table], command_line: str,
                 note: str) -> None:
    """Write tables and figures in place of those of an earlier call.

    Args:
        out: Folder.
        content: Of the report.
        compared: The rows of Table 1 with the reference.
        strata: Field -> the numbers by its values.
        tables: By name.
        command_line: That makes the tables.
        note: For the readers.
    """
    out.mkdir(parents=True, exist_ok=True)
    remove_stale(out)
    shown = {content.labels[name]: content.systems[name] for name in content.naming.labels}
    draw_figures(shown, out)
    losses = [] if compared.tested is None else describe_losses(
        content.labels[compared.tested], compared.comparisons, content.labels)
    below = dict(comparisons=describe_tests(len(compared.comparisons), losses),
                 pooled=describe_pooling(content.warnings), changed_parts=describe_changed())
    for field, parts in strata.items():
        below[f'{PREFIX}{field}'] = [*describe_strata(field, parts),
                                     *draw_figures_by(shown, field, out)]
    write_tables(out, tables, describe_data(content.rows[0], content.systems, command_line,
                                            content.labels, note), below)


def ablation_tables(systems: Mapping[str, System], summaries: Mapping[str, Summary],
                    paper: Mapping[str, Any], has_folds: bool) -> dict[str, Table]:
    """Return Tables 2 and 3, each where an ablation of its divergence was run.

    An ablation with the window of a main config has no row: the main config stands there.
    """
    tables = {}
    for table, divergence in ABLATIONS.items():
        found = {name: system.first for name, system in systems.items()
                 if system.first.get('divergence') == divergence}
        main = [name for name, first in found.items() if not first.get('is_ablation')]
        if len(main) < len(found):
            known = {window_key(found[name]['window']) for name in main}
            rows = [*main, *(name for name, first in found.items()
                             if name not in main and window_key(first['window']) not in known)]
            tables[table] = window_table(
                [summaries[name] for name in rows], {name: found[name]['window'] for name in rows},
                paper.get(table, []), has_folds)
    return tables


def remove_stale(out: Path) -> None:
    """Delete the tables and figures of an earlier call: one that this call cannot make would stay."""
    for name, suffixes in ({**dict.fromkeys(TITLES, ('md', 'csv')),
                            **dict.fromkeys(('figure4', 'figure5'), ('png', 'svg'))}).items():
        for suffix in suffixes:
            (out / f'{name}.{suffix}').unlink(missing_ok=True)
    for pattern in (f'{PREFIX}*.md', f'{PREFIX}*.csv', f'figure[45]_{PREFIX}*'):
        for path in out.glob(pattern):
            path.unlink()


def write_tables(out: Path, tables: Mapping[str, Table], description: Sequence[str],
                 below: Mapping[str, Sequence[str]]) -> None:
    """Write each table as ``.md`` and ``.csv``, and ``tables.md`` with all and the figures.

    Args:
        out: Folder.
        tables: By name.
        description: What stands above all.
        below: Name of a table -> lines below it.
    """
    lines = ['# Tables and figures', '', *description, '']
    for name, table in tables.items():
        write_text(out / f'{name}.md', markdown_table(table['markdown']) + '\n')
        write_text(out / f'{name}.csv', comma_separated(table['csv']))
        lines += [f'## {TITLES.get(name) or strata_title(name)}', '',
                  markdown_table(table['markdown']), '', *below.get(name, [])]
    for name, title in (('figure4', 'Figure 4: ROC'), ('figure5', 'Figure 5: FROC')):
        if (out / f'{name}.png').exists():
            lines += [f'## {title}', '', f'![{title}]({name}.png)', '']
    write_text(out / 'tables.md', '\n'.join(lines))
