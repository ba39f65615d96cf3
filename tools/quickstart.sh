#!/usr/bin/env bash
# From a fresh clone to a tested model in one command: set up the environment, write the synthetic
# radiographs, train a small Window Loss model, test it, and draw its curves and heat maps.
# All options go to tools/quickstart.py (--help lists them). Safe to run again: what is built is reused.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
for option in "$@"; do  # asking for help sets nothing up
  case $option in -h|--help) sed -n '2,4s/^# //p' tools/quickstart.sh
    echo 'usage: tools/quickstart.sh [--config FILE] [--data DIR] [--out DIR] [--seed N] [--overwrite] [--accept]'
    exit 0 ;; esac
done
tools/setup.sh
venv=.venv
if [ "${MMWINDOW_STACK:-openmmlab}" = onedl ]; then venv=.venv-onedl; fi
exec "${MMWINDOW_VENV:-$venv}/bin/python" -W ignore tools/quickstart.py "$@"
