"""Run the commands of a tutorial in a folder, as a shell does, or within this process."""
import contextlib
import importlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tutorials.page import Command, Page, find_difference, named_files

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENT = re.compile(r'^(?:export )?([A-Z][A-Z_0-9]*)=(\S*)$')
VARIABLE = re.compile(r'\$\{?([A-Z][A-Z_0-9]*)\}?')
# Lines of progress: how many and whether they come depends on the time alone.
PROGRESS = re.compile(r'^\s*(\d+ of \d+ .*|(epoch|step|val|test)\b.*\[[#.]+\].*)$')
Runner = Callable[[str, dict[str, str]], tuple[int, str]]


def run_in_shell(text: str, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command by bash; return exit status and output.

    ``mmwindow`` and ``python`` are those of this Python and this checkout.
    """
    python = shlex.quote(sys.executable)
    prelude = f'mmwindow() {{ {python} -m mmwindow "$@"; }}; python() {{ {python} "$@"; }}; '
    done = subprocess.run(['bash', '-c', prelude + text], env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors='replace')
    return done.returncode, done.stdout


def run_in_process(text: str, environment: dict[str, str]) -> tuple[int, str]:
    """Run ``mmwindow VERB`` and ``python -m MODULE`` of ours in this process, anything else by bash.

    A process of its own imports torch and mmdet: seconds for each command.
    """
    words = text if any(sign in text for sign in '|><;&') else VARIABLE.sub(
        lambda match: environment.get(match[1], ''), text)
    parts = shlex.split(words)
    if words is text or parts[0] not in ('mmwindow', 'python') or (
            parts[0] == 'python' and not parts[2].startswith('mmwindow')):
        return run_in_shell(text, environment)
    module = 'mmwindow.cli' if parts[0] == 'mmwindow' else f'{parts[2]}.__main__'
    arguments = parts[1:] if parts[0] == 'mmwindow' else parts[3:]
    output, status = io.StringIO(), 0
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            importlib.import_module(module).main(arguments)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
    return status, output.getvalue()


def run_page(page: Page, is_small: bool, runner: Runner, report: Callable[[Command], None]
             = lambda command: None) -> list[list[str]]:
    """Run the commands of a page in the current folder; return the lines that each printed.

    Args:
        page: The tutorial.
        is_small: With what the page says of its test.
        runner: :func:`run_in_shell` or :func:`run_in_process`.
        report: Called before each command.
    """
    environment = dict(os.environ, PYTHONPATH=str(ROOT), PYTHONWARNINGS='ignore')
    outputs = []
    for command in page.commands:
        report(command)
        assigned = ASSIGNMENT.match(command.text)
        if assigned:
            name, value = assigned.groups()
            environment[name] = page.variables.get(name, value) if is_small else value
            outputs.append([])
            continue
        text = command.text
        if is_small:
            text += ''.join(f' {addition}' for begin, addition in page.additions.items()
                            if text.startswith(begin))
        status, printed = runner(text, environment)
        lines = [line.rstrip() for line in printed.replace('\r', '\n').splitlines()
                 if not PROGRESS.match(line)]
        while lines and not lines[-1]:
            lines.pop()
        outputs.append(lines + ([f'[exit status {status}]'] if status else []))
    return outputs


def find_faults(page: Page, outputs: list[list[str]], is_small: bool) -> list[str]:
    """Return where a page and its run differ, a line a fault: output, exit status, named files."""
    faults = []
    for command, printed in zip(page.commands, outputs, strict=True):
        shown = [line for line in command.shown
                 if not (is_small and any(words in line for words in command.full_only))]
        if not shown:  # nothing is said of the output; the command must succeed
            failed = printed and printed[-1].startswith('[exit status')
            difference = ' / '.join(printed[-3:]) if failed else None
        else:
            difference = find_difference(shown, printed)
        if difference:
            faults.append(f'{page.path.name}: line {command.place + 1}: {command.text}: {difference}')
    links, spans = named_files(page)
    faults += [f'{page.path.name}: the link {link} leads nowhere' for link in links
               if not (page.path.parent / link).exists()]
    faults += [f'{page.path.name}: names {span}, which is not there' for span in spans
               if not (Path(span).exists() or (ROOT / span).exists() or any(Path().rglob(span)))]
    return faults
