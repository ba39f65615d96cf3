"""Run the commands of a tutorial in a folder, as a shell does, or within this process."""
import contextlib
import importlib
import io
import os
import re
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from mmwindow.utils.files import load_json, write_json
from tutorials.page import Command, Outcome, Page, find_difference, named_files

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENT = re.compile(r'^(?:export )?([A-Z][A-Z_0-9]*)=(\S*)$')
VARIABLE = re.compile(r'\$\{?([A-Z][A-Z_0-9]*)\}?')
# Lines of progress: how many and whether they come depends on the time alone.
PROGRESS = re.compile(
    r'^\s*(\d+ of \d+ .*|(epoch|step|val|test)\b.*(\[[#.]+\].*|: \d+ of \d+ batches.*))$')
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
    parts = shlex.split(VARIABLE.sub(lambda match: environment.get(match[1], ''), text))
    is_ours = parts[0] == 'mmwindow' or (parts[:2] == ['python', '-m']
                                         and parts[2].startswith('mmwindow'))
    if not is_ours or any(sign in text for sign in '|><;&'):
        return run_in_shell(text, environment)
    module = 'mmwindow.cli' if parts[0] == 'mmwindow' else f'{parts[2]}.__main__'
    arguments = parts[1:] if parts[0] == 'mmwindow' else parts[3:]
    output, status = io.StringIO(), 0
    with (contextlib.redirect_stdout(output), contextlib.redirect_stderr(output),
          mock.patch.dict(os.environ, environment, clear=True)):
        try:
            importlib.import_module(module).main(arguments)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
    return status, output.getvalue()


def run_page(page: Page, is_small: bool, runner: Runner, kept: Path | None = None,
             report: Callable[[Command], None] = lambda command: None) -> list[Outcome]:
    """Run the commands of a page in the current folder; return what each did.

    Args:
        page: The tutorial.
        is_small: With what the page says of its test.
        runner: :func:`run_in_shell` or :func:`run_in_process`.
        kept: A file in which outcomes are kept: commands at the beginning of the page that are the
            same as in an earlier run, in the same folder, are not run again.
        report: Called before each command.
    """
    environment = dict(os.environ, PYTHONPATH=str(ROOT), PYTHONWARNINGS='ignore',
                       MMWINDOW_CLONE=str(ROOT),
                       CUDA_VISIBLE_DEVICES='')  # the pages say what a machine without a GPU prints
    if is_small:  # the real one has 3121 images
        environment.pop('MMWINDOW_FRACATLAS', None)
    before = [Outcome(**entry) for entry in load_json(kept)] if kept and kept.is_file() else []
    outcomes: list[Outcome] = []
    for place, command in enumerate(tested_commands(page, is_small)):
        assigned = ASSIGNMENT.match(command.text)
        text = command.text
        if assigned:
            name, value = assigned.groups()
            value = page.variables.get(name, value) if is_small else value
            environment[name], text = value, f'{name}={value}'
        elif is_small:
            text += ''.join(f' {addition}' for begin, addition in page.additions.items()
                            if text.startswith(begin))
        if place < len(before) and before[place].command == text:
            outcomes.append(before[place])
            continue
        before = []
        report(command)
        outcomes.append(Outcome(text, []) if assigned else run_command(text, environment, runner))
        if kept:
            write_json(kept, [vars(outcome) for outcome in outcomes])
    return outcomes


def tested_commands(page: Page, is_small: bool) -> list[Command]:
    """Return the commands of a page that are run: all, or those of its test."""
    return [command for command in page.commands if command.is_tested or not is_small]


def run_command(text: str, environment: dict[str, str], runner: Runner) -> Outcome:
    """Run a command and take the lines of progress out of what it prints."""
    start, cpu = time.monotonic(), cpu_seconds()
    status, printed = runner(text, environment)
    lines = [line.rstrip() for line in printed.replace('\r', '\n').splitlines()
             if not PROGRESS.match(line)]
    while lines and not lines[-1]:
        lines.pop()
    lines += [f'[exit status {status}]'] if status else []
    return Outcome(text, lines, time.monotonic() - start, cpu_seconds() - cpu)


def cpu_seconds() -> float:
    """Return the processor time of this process and of those that it has waited for."""
    return sum(usage.ru_utime + usage.ru_stime for usage in (
        resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)))


def find_faults(page: Page, outcomes: list[Outcome], is_small: bool) -> list[str]:
    """Return where a page and its run differ, a line a fault: output, exit status, named files."""
    faults = []
    for command, outcome in zip(tested_commands(page, is_small), outcomes, strict=True):
        printed = outcome.lines
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
