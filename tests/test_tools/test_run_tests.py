"""tools/run_tests.sh in a folder where set-up and Python only tell what they were asked."""
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BOTH = ['setup openmmlab []', '.venv -m ruff check .', '.venv -m pytest --durations=10',
        'setup onedl []', '.venv-onedl -m pytest -m smoke and not long']


def asked(folder, *arguments, **variables):
    """Return what the script asks of set-up and of the Pythons, in order."""
    stubs = {'tools/setup.sh': 'echo "asked: setup $MMWINDOW_STACK [$MMWINDOW_VENV]"',
             '.venv/bin/python': 'echo "asked: .venv $*"',
             '.venv-onedl/bin/python': 'echo "asked: .venv-onedl $*"'}
    for name, line in stubs.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\n{line}\n')
        path.chmod(0o755)
    shutil.copy(ROOT / 'tools/run_tests.sh', folder / 'tools')
    env = {key: value for key, value in os.environ.items() if not key.startswith('MMWINDOW_')}
    result = subprocess.run([str(folder / 'tools/run_tests.sh'), *arguments], text=True, check=False,
                            capture_output=True, env={**env, **variables}, timeout=60)
    lines = [line[7:] for line in result.stdout.splitlines() if line.startswith('asked: ')]
    return dict(status=result.returncode, lines=lines, errors=result.stderr)


def test_both_stacks_by_default_each_in_its_own_environment(tmp_path):
    assert asked(tmp_path)['lines'] == BOTH
    assert asked(tmp_path, MMWINDOW_VENV='elsewhere')['lines'] == BOTH


@pytest.mark.parametrize('stack, lines', [('openmmlab', BOTH[:3]), ('onedl', BOTH[3:])])
def test_one_stack_by_argument_or_variable(tmp_path, stack, lines):
    assert asked(tmp_path, stack)['lines'] == lines
    assert asked(tmp_path, MMWINDOW_STACK=stack)['lines'] == lines


def test_a_failure_and_an_unknown_stack_fail_the_script(tmp_path):
    assert asked(tmp_path, 'openmmlab')['status'] == 0
    unknown = asked(tmp_path, 'other')
    assert unknown['status'] == 2 and "not 'other'" in unknown['errors']
    # A set-up that fails stops everything: no test is run, and CI sees it.
    script = tmp_path / 'tools/run_tests.sh'
    (tmp_path / 'tools/setup.sh').write_text('#!/bin/sh\nexit 3\n')
    failed = subprocess.run([str(script)], capture_output=True, text=True, check=False, timeout=60)
    assert failed.returncode == 3 and 'asked' not in failed.stdout
