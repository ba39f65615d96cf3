#!/usr/bin/env bash
# Set up both stacks and run everything that must hold: lint, the everyday tests on the default
# stack, and the smoke tests (registration, real tiny trainings) on the maintained forks.
#
#   tools/run_tests.sh            both stacks, what CI runs
#   tools/run_tests.sh openmmlab  the default stack alone (or onedl; MMWINDOW_STACK says the same)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
stacks=${1:-${MMWINDOW_STACK:-openmmlab onedl}}
# Set for every process, so that timings and rounding do not depend on the machine's cores.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}

for stack in $stacks; do
  # Each stack in the environment of its own, wherever MMWINDOW_VENV points.
  MMWINDOW_STACK=$stack MMWINDOW_VENV='' tools/setup.sh
  case $stack in
    openmmlab)
      echo "== ruff"
      .venv/bin/python -m ruff check .
      echo "== tests ($stack)"
      .venv/bin/python -m pytest --durations=10 ;;
    onedl)
      echo "== smoke tests ($stack)"
      .venv-onedl/bin/python -m pytest -m 'smoke and not long' ;;
    *) echo "run_tests: the stacks are openmmlab and onedl, not '$stack'" >&2; exit 2 ;;
  esac
done
echo "run_tests: all passed ($stacks)"
