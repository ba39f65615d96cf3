#!/usr/bin/env python
"""Write the result tables of README.md and docs/ from the JSON files under results/ (or check them).

    python tools/update_readme.py          rewrite the tables
    python tools/update_readme.py --check  exit with 1 where a page says something else
"""
import re
from collections.abc import Sequence
from pathlib import Path

from mmwindow.apis.zoo.cards import model_table
from mmwindow.evaluation.metric_names import PAPER_METRICS, display_name
from mmwindow.experiments.candidates import factors_of_count
from mmwindow.experiments.ledger import describe_ledger, read_ledger
from mmwindow.utils.files import load_json
from mmwindow.utils.generated_files import run_generator
from mmwindow.utils.markdown import (
    Limits,
    code_block,
    format_number,
    format_p_value,
    format_with_interval,
    markdown_table,
)

ROOT = Path(__file__).resolve().parents[1]
MOST_COMMANDS = 2  # below a table; more are folded away
ONLY_FOLDS = re.compile(r' --only((?: \d+)+)(?!\S)')
FEWEST_FOLDS = 3  # two tell a number of folds to a factor of 1000
TRIED = ('choices', 'choices_whole', 'screening', 'baselines')  # folders of what was tried
COLUMNS = {display_name(name): f'froc/{name}' for name in PAPER_METRICS}


def describe_metric(result: dict, key: str) -> str:
    """Return a metric of a result, with its interval where it has one."""
    interval = result.get('intervals', {}).get(key)
    return format_with_interval(result['metrics'].get(key),
                                interval and Limits(interval['low'], interval['high']))


def commands_of(results: list[dict]) -> list[str]:
    """Return the commands that made the results, trainings first, each once."""
    runs = [run for result in results for run in result.get('runs', [])]
    commands = [run[name] for name in ('training_command', 'command') for run in runs
                if run.get(name)]
    commands += [result[name] for name in ('command', 'recomputed') for result in results
                 if result.get(name)]
    return join_folds(commands)


def join_folds(commands: Sequence[str]) -> list[str]:
    """Return each command once; those that differ in the folds of ``--only`` alone as one of all."""
    folds: dict[tuple[str, ...], set[int]] = {}  # of a command around its --only
    for command in commands:
        start, *rest = ONLY_FOLDS.split(command, maxsplit=1)
        folds.setdefault((start, *rest[1:]), set()).update(map(int, rest[0].split()) if rest else ())
    return [f' --only {" ".join(map(str, sorted(numbers)))}'.join(parts) if numbers else parts[0]
            for parts, numbers in folds.items()]


def render_page(rows: list[list[str]], commands: list[str], caption: Sequence[str] = ()) -> str:
    """Return a table and, below it, its caption and the commands that made it, many folded away."""
    return render_lines(markdown_table(rows), commands, caption)


def render_lines(table: str, commands: list[str], caption: Sequence[str] = ()) -> str:
    """Return what :func:`render_page` does, of a table in Markdown."""
    made_by = ['Made by', '', code_block(commands)]
    if len(commands) > MOST_COMMANDS:  # GitHub and PyPI show the summary, a click the rest
        made_by = [f'<details><summary>Made by {len(commands)} commands</summary>', *made_by[1:], '',
                   '</details>']
    return '\n'.join([table, *caption, '', *made_by])


def caption_of(results: list[dict]) -> list[str]:
    """Return what the numbers in brackets are, and over what the others are means; [] without any."""
    with_intervals = [result for result in results if result.get('intervals')]
    if not with_intervals:
        return []
    over_folds = any(result.get('over_folds') for result in with_intervals)
    start, drawn = ('Means over folds; in', 'the patients of each fold') if over_folds else (
        'In', 'patients')
    notes = dict.fromkeys(result['note'] for result in results if result.get('note'))
    return ['', f"{start} brackets: 95 % intervals over {drawn}, for AUROC DeLong's blended with "
            "Newcombe's, for the others Wilson's with the variance of a bootstrap.",
            *(line for note in notes for line in ('', note))]


def result_rows(folder: Path) -> str:
    """Return the table of one folder of results, best FROC score first, and its commands.

    Raises:
        SystemExit: The files are of other folds, or scored with other settings: no rows of one table.
    """
    results = [load_json(path) for path in sorted(folder.glob('*.json'))]
    settings = next((result['settings'] for result in results if 'settings' in result), None)
    for what, read in (('folds', lambda result: sorted(result.get('folds') or ['None'])),
                       ('settings', lambda result: result.get('settings', settings))):
        first, *others = map(read, results)
        if any(other != first for other in others):
            raise SystemExit(f'results/{folder.name}: its files are of different {what}; take away '
                             'those that an earlier command left')
    results.sort(key=lambda result: -result['metrics'].get('froc/froc_score', -1))
    return render_page(
        [['system', *COLUMNS],
         *([result['system'], *(describe_metric(result, key) for key in COLUMNS.values())]
           for result in results)], commands_of(results), caption_of(results))


def changed_rows(folder: Path) -> str:
    """Return the table of the systems with a part changed, as ``mmwindow tables`` wrote it."""
    results = [load_json(path) for path in sorted(folder.glob('*.json'))]
    table = (folder / 'tables/changed_parts.md').read_text(encoding='utf-8').rstrip('\n')
    return render_lines(table, commands_of(results), caption_of(results))


def choice_rows(folder: Path) -> str:
    """Return the table of the settings compared on validation, and the commands."""
    choices = [load_json(path) for path in sorted(folder.glob('*.json'))]
    return render_page(
        [['config', 'setting', *COLUMNS, 'chosen'],
         *([entry['system'], entry['setting'],
            *(describe_metric(entry, key) for key in COLUMNS.values()),
            'yes' if choice['chosen'][entry['system']] == entry['setting'] else '']
           for choice in choices for entry in choice['candidates'])],
        [choice['command'] for choice in choices])


def differences_of(content: dict) -> dict[tuple[str, str, str], dict]:
    """Return the differences to the reference by system, setting and key of :data:`COLUMNS`."""
    return {(row['system'], row['setting'], f'froc/{row["metric"]}'): row
            for row in content['differences']}


def describe_difference(row: dict | None) -> str:
    """Return a difference with its interval; None is the reference's own."""
    if row is None:
        return 'reference'
    if row.get('has_same_predictions'):
        return 'the same predictions'
    limits = None if row['low'] is None else Limits(row['low'], row['high'])
    return format_with_interval(row['difference'], limits, signed=True)


def describe_test(row: dict | None, num_folds: int) -> tuple[str, str]:
    """Return the p-value of a difference, and how many folds would show one of .01."""
    if row is None:
        return '', ''
    folds = row['runs_to_see_a_hundredth'] if num_folds >= FEWEST_FOLDS else None
    return format_p_value(row['p_holm']), 'not known' if folds is None else str(folds)


def variant_rows(folder: Path) -> str:
    """Return the tables of finished trainings tested in several ways, and the commands."""
    files = [load_json(path) for path in sorted(folder.glob('*.json'))]
    metrics = list(COLUMNS)
    rows = [['system', 'tested with', *metrics,
             *(f'{name}, minus the reference' for name in metrics)]]
    ends = [['system', 'weights', 'ends', *(f'{name}, sd over ends' for name in metrics)]]
    for content in files:
        found = differences_of(content)
        for one in content['candidates']:
            key = one['system'], one['setting']
            rows.append([*key, *(describe_metric(one, metric) for metric in COLUMNS.values()),
                         *(describe_difference(found.get((*key, metric)))
                           for metric in COLUMNS.values())])
        ends += [[row['system'], row['rule'], ', '.join(row['ends']), *(
            format_number(row[key.removeprefix('froc/')], 4) for key in COLUMNS.values())]
            for row in content['deviations_over_ends']]
    folds = sorted({one['num_folds'] for content in files for one in content['candidates']})
    caption = ['', f'Of {" or ".join(map(str, folds))} fold{"s" * (folds != [1])} each. In brackets: '
               '95 % intervals by patient, for these trainings.']
    if len(ends) > 1:
        caption += ['', markdown_table(ends)]
    return render_page(rows, [content['command'] for content in files], caption)


def setting_rows(folder: Path) -> str:
    """Return the table of settings minus the reference, each on the most folds that a file has."""
    most: dict[tuple[str, str], tuple[dict, dict]] = {}
    files = [load_json(path) for path in sorted(folder.glob('*.json'))]
    for content in files:
        for one in content['candidates']:
            key = one['system'], one['setting']
            if key not in most or one['num_folds'] > most[key][0]['num_folds']:
                most[key] = one, content
    compared = {key[2] for content in files for key in differences_of(content)}
    metrics = {name: key for name, key in COLUMNS.items() if key in compared}
    tested = [key for key in metrics.values() if key == COLUMNS['FROC score']]
    rows = [['system', 'setting', 'folds', *COLUMNS,
             *(f'{name}, minus the reference' for name in metrics),
             *(['FROC score: p, corrected', 'folds to see .01'] if tested else [])]]
    for (system, setting), (one, content) in sorted(
            most.items(), key=lambda item: (item[0][0], item[0][1] != item[1][1]['reference'])):
        found = differences_of(content)
        rows.append([system, setting, one['num_folds'],
                     *(format_number(one['metrics'].get(key)) for key in COLUMNS.values()),
                     *(describe_difference(found.get((system, setting, key)))
                       for key in metrics.values()),
                     *(cell for key in tested for cell in describe_test(
                         found.get((system, setting, key)), one['num_folds']))])
    caption = ['', 'Numbers are means over the folds of their row, which are not equally hard: only '
               'differences compare rows. In brackets: 95 % intervals by patient, for these '
               'trainings.']
    if tested:
        low, high = factors_of_count(FEWEST_FOLDS)
        caption[-1] += (
            ' p is corrected (Holm) for the other settings of its command. Folds to see .01: on how '
            'many, each of as many new images, both settings are to be trained to see a true '
            'difference of .01 in FROC score (paired t-test at 5 %, power 80 %); '
            f'{FEWEST_FOLDS} folds tell it to a factor of {low:.1f} to {high:.0f}, fewer do not.')
    return render_page(rows, [content['command'] for content in files], caption)


def kill_rows(folder: Path) -> str:
    """Return the table of killed and resumed trainings, their command and the machine."""
    results = [load_json(path) for path in sorted(folder.glob('*.json'))]
    return '\n'.join([
        markdown_table([
            ['killed', 'kills', 'where they fell', 'runs', 'end as the uncut one', 'uncut, s',
             'lost a kill, s: median, most', 'processes that outlived'],
            *([result['target'].replace('_', ' '), result['num_kills'],
               ', '.join(f'{place} {number}' for place, number in sorted(result['places'].items())),
               result['num_runs'], result['num_equal'], result['uncut_seconds'],
               f'{result["lost_seconds"]["median"]}, {result["lost_seconds"]["most"]}',
               result['num_outlived']] for result in results)]),
        '', f'Seed {results[0]["seed"]}; {results[0]["machine"]}, which other work shared. Lost '
        'seconds count from the newest checkpoint or the start, so they hold the time of starting. '
        'Made by', '',
        code_block(dict.fromkeys(result['command'] for result in results))])


def exact_rows(folder: Path) -> str:
    """Return the table of perfect predictions of the windows of softness 2, and the command."""
    results = {path.stem: load_json(path) for path in sorted(folder.glob('*.json'))}
    rows = [['data', 'lower / upper', 'map', 'box, pixels', 'false positives an image',
             'recall@0.1', 'FROC score', 'at 4 %: FROC score', 'by distance: FROC score']]
    for data, result in results.items():
        scores = {(tuple(score['window'].values()), score['map'], score['rule']): score
                  for score in result['scores']}
        for (window, kind, rule), score in scores.items():
            softness, lower, upper = window
            if softness != 2 or rule != 'paper' or lower == upper and kind != 'lower':
                continue
            rows.append([data, f'{lower:g} / {upper:g}', kind, f'{score["box_side"]:g}',
                         f'{score["false_positives"]:.3f}',
                         *(format_number(score['unequal'][name]) for name in PAPER_METRICS[1:]),
                         *(format_number(scores[window, kind, other]['unequal']['froc_score'])
                           for other in ('overlap 4 %', 'distance'))])
    counts = '; '.join(f'{data}: {result["data"]["num_points"]} points on '
                       f'{result["data"]["num_positives"]} of {result["data"]["num_images"]} images'
                       for data, result in results.items())
    return render_page(rows, list(dict.fromkeys(result['command'] for result in results.values())),
                       ['', f'{counts}.'])


def ledger_rows(folder: Path) -> str:
    """Return the table of the settings tried and the trainings spent for each system."""
    parts = [folder / part for part in TRIED if (folder / part).is_dir()]
    return '\n'.join([describe_ledger(read_ledger(parts)), '', 'Made by', '', code_block(
        [f'mmwindow ledger {" ".join(f"results/{folder.name}/{part.name}" for part in parts)}'])])


MAKERS = {'results': result_rows, 'choices': choice_rows, 'changed': changed_rows,
          'resuming': kill_rows,
          'models': lambda folder: model_table(folder.parent), 'variants': variant_rows,
          'settings': setting_rows, 'exact': exact_rows, 'ledger': ledger_rows}


def render(text: str) -> str:
    """Return a page with each table between its markers made again."""
    def replace(match: re.Match) -> str:
        folder = ROOT / 'results' / match[2]
        num_files = len(list(folder.glob('*.json')))
        if match[1] not in MAKERS or not num_files:
            raise SystemExit(f'{match[0].splitlines()[0]}: one of {", ".join(MAKERS)} and a folder '
                             f'of result files are expected; results/{match[2]} holds {num_files}')
        rows = MAKERS[match[1]](folder)
        return f'<!-- {match[1]}:{match[2]} -->\n{rows}\n<!-- end -->'
    return re.sub(r'<!-- (\w+):(\S+) -->.*?<!-- end -->', replace, text, flags=re.DOTALL)


def main() -> None:
    pages = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
    run_generator({path: render(path.read_text(encoding='utf-8')) for path in pages}, ROOT,
                  'results/*.json', 'tools/update_readme.py', __doc__.splitlines()[0])


if __name__ == '__main__':
    main()
