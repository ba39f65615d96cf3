"""tools/run_tests.sh in a folder where set-up and Python only tell what they were asked."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTEST = '-m pytest -n 2 --dist worksteal'
TUTORIALS = '.venv -m pytest -m long tests/test_tutorials'
BOTH = ['setup openmmlab []', '.venv -m ruff check .', '.venv -m mypy mmwindow',
        f'.venv {PYTEST} --durations=10', TUTORIALS, '.venv tools/fuzz.py --seconds 50 --seed 0',
        f'.venv {PYTEST} -m numeric and not long',
        'setup onedl []', f'.venv-onedl {PYTEST} -m smoke and not long']
# What a stub says at the end, and where it fails if a test asks it to.
STUB = '''#!/bin/sh
echo "asked: {name} $*" "{variables}"
case "$*" in
  *pytest*) end="5 passed in 1s" ;;
esac
for part in $FAILING; do
  case "{name} $* {variables}" in
    *$part*) printf '%s\n' "$SUMMARY" "1 failed, 4 passed in 1s"; exit 1 ;;
  esac
done
echo "$end"
'''


@pytest.fixture
def run(tmp_path):
    """Call the script; return its status, what it asked for in order, its last line, and errors."""
    stubs = {'tools/setup.sh': ('setup', '$MMWINDOW_STACK [$MMWINDOW_VENV]'),
             '.venv/bin/python': ('.venv', ''), '.venv-onedl/bin/python': ('.venv-onedl', '')}
    for path, (name, variables) in stubs.items():
        path = tmp_path / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STUB.format(name=name, variables=variables))
        path.chmod(0o755)
    shutil.copy(ROOT / 'tools/run_tests.sh', tmp_path / 'tools')

    def call(*arguments, **variables):
        env = {key: value for key, value in os.environ.items() if not key.startswith('MMWINDOW_')}
        result = subprocess.run(
            [str(tmp_path / 'tools/run_tests.sh'), *arguments], text=True, check=False,
            capture_output=True, env={**env, **variables}, timeout=60)
        lines = [' '.join(line[7:].split()) for line in result.stdout.splitlines()
                 if line.startswith('asked: ')]
        return dict(status=result.returncode, lines=lines, errors=result.stderr,
                    output=result.stdout.splitlines())

    return call


def test_both_stacks_by_default_each_in_its_own_environment(run):
    found = run()
    assert found['lines'] == BOTH and found['status'] == 0
    assert found['output'][-1] == 'run_tests: all passed (openmmlab onedl)'
    assert run(MMWINDOW_VENV='elsewhere')['lines'] == BOTH
    assert run(MMWINDOW_TUTORIALS='off')['lines'] == [line for line in BOTH if line != TUTORIALS]


@pytest.mark.parametrize('stack, lines', [('openmmlab', BOTH[:7]), ('onedl', BOTH[7:])])
def test_one_stack_by_argument_or_variable(run, stack, lines):
    assert run(stack)['lines'] == lines
    assert run(MMWINDOW_STACK=stack)['lines'] == lines


@pytest.mark.parametrize('failing, named, last', [
    ('ruff', ['ruff'], '5 passed in 1s'),
    ('mypy', ['mypy'], '5 passed in 1s'),
    ('fuzz', ['mutated files for every reader'], '5 passed in 1s'),
    ('durations', ['tests (openmmlab)'], '1 failed, 4 passed in 1s'),
    ('numeric', ["numeric tests on another processor's instructions (openmmlab)"],
     '1 failed, 4 passed in 1s'),
    ('smoke', ['smoke tests (onedl)'], '1 failed, 4 passed in 1s'),
    ('ruff smoke', ['ruff', 'smoke tests (onedl)'], '1 failed, 4 passed in 1s')])
def test_a_failure_stops_nothing_and_is_told_at_the_end(run, failing, named, last):
    found = run(FAILING=failing)
    assert found['lines'] == BOTH and found['status'] == 1
    assert found['output'][-1 - len(named):] == [
        *(f'run_tests: failed: {name}' for name in named), last]


def test_the_tests_that_failed_are_named_once_more_at_the_end(run):
    """The middle of a long log is cut where CI keeps it: the names stand in its last lines."""
    names = ['FAILED tests/a.py::test_b[1] - assert 0', 'ERROR tests/c.py']
    found = run(FAILING='durations smoke', SUMMARY='\n'.join(names))
    parts = ['tests (openmmlab)', 'smoke tests (onedl)']
    assert found['output'][-7:] == [*(f'{part}: {name}' for part in parts for name in names),
                                    *(f'run_tests: failed: {part}' for part in parts),
                                    '1 failed, 4 passed in 1s']


def test_a_set_up_that_fails_leaves_out_its_own_tests_alone(run):
    found = run(FAILING='openmmlab')
    assert found['lines'] == [BOTH[0], *BOTH[7:]] and found['status'] == 1
    assert found['output'][-2:] == ['run_tests: failed: set-up (openmmlab)', '5 passed in 1s']
    assert run('onedl', FAILING='setup')['output'][-1] == 'run_tests: 1 failed'


def test_an_unknown_stack_starts_nothing(run):
    found = run('openmmlab other')
    assert found['status'] == 2 and "not 'other'" in found['errors'] and found['lines'] == []
