#!/usr/bin/env python
"""Write the result tables of README.md and docs/ from the JSON files under results/ (or check them).

    python tools/update_readme.py          rewrite the tables
    python tools/update_readme.py --check  exit with 1 where a page says something else
"""
import argparse
import json
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = [('AUROC', 'froc/auroc'), ('recall@0.1', 'froc/recall@0.1'),
           ('FROC', 'froc/froc_score')]


def describe_number(result, key):
    """Return a metric of a result, with its interval where it has one."""
    if result['metrics'].get(key) is None:
        return 'none'
    interval = result.get('intervals', {}).get(key)
    limits = f' ({interval["low"]:.3f} to {interval["high"]:.3f})' if interval else ''
    return f'{result["metrics"][key]:.3f}{limits}'


def commands_of(results):
    """Return the commands that made the results, trainings first, each once."""
    runs = [run for result in results for run in result.get('runs', [])]
    commands = [run[name] for name in ('training_command', 'command') for run in runs
                if run.get(name)]
    return list(dict.fromkeys([*commands, *(result['command'] for result in results)]))


def result_rows(folder):
    """Return the Markdown table of one folder of results, best FROC score first, and its commands."""
    results = [json.loads(path.read_text(encoding='utf-8')) for path in sorted(folder.glob('*.json'))]
    results.sort(key=lambda result: -result['metrics'].get('froc/froc_score', -1))
    lines = ['| system | ' + ' | '.join(name for name, _ in COLUMNS) + ' |',
             '|---' * (len(COLUMNS) + 1) + '|']
    lines += [f'| {result["system"]} | '
              + ' | '.join(describe_number(result, key) for _, key in COLUMNS) + ' |'
              for result in results]
    return '\n'.join([*lines, '', 'Made by', '', '```', *commands_of(results), '```'])


def choice_rows(folder):
    """Return the Markdown table of the settings compared on validation, and the commands."""
    choices = [json.loads(path.read_text(encoding='utf-8')) for path in sorted(folder.glob('*.json'))]
    lines = ['| config | setting | ' + ' | '.join(name for name, _ in COLUMNS) + ' | chosen |',
             '|---' * (len(COLUMNS) + 3) + '|']
    for choice in choices:
        for entry in choice['candidates']:
            chosen = 'yes' if choice['chosen'][entry['system']] == entry['setting'] else ''
            lines.append(f'| {entry["system"]} | {entry["setting"]} | ' + ' | '.join(
                describe_number(entry, key) for _, key in COLUMNS) + f' | {chosen} |')
    return '\n'.join([*lines, '', 'Made by', '', '```',
                      *(choice['command'] for choice in choices), '```'])


MAKERS = {'results': result_rows, 'choices': choice_rows}


def render(text):
    """Return a page with each table between its markers made anew."""
    def replace(match):
        folder = ROOT / 'results' / match[2]
        num_files = len(list(folder.glob('*.json')))
        if match[1] not in MAKERS or not num_files:
            raise SystemExit(f'{match[0].splitlines()[0]}: one of {", ".join(MAKERS)} and a folder '
                             f'of result files are expected; results/{match[2]} holds {num_files}')
        rows = MAKERS[match[1]](folder)
        return f'<!-- {match[1]}:{match[2]} -->\n{rows}\n<!-- end -->'
    return re.sub(r'<!-- (\w+):(\S+) -->.*?<!-- end -->', replace, text, flags=re.DOTALL)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true', help='change nothing, only compare')
    args = parser.parse_args()
    for path in [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]:
        old = path.read_text(encoding='utf-8')
        new = render(old)
        if new == old:
            continue
        if args.check:
            raise SystemExit(f'{path.relative_to(ROOT)}: its tables differ from results/*.json; '
                             'run python tools/update_readme.py')
        part = path.with_name(path.name + '.part')
        part.write_text(new, encoding='utf-8')
        os.replace(part, path)


if __name__ == '__main__':
    main()
