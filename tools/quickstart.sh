#!/usr/bin/env bash
# From a fresh clone to a tested model in one command: set up the environment, write the synthetic
# radiographs, train a small Window Loss model, test it, and draw its curves and heat maps.
# All options go to tools/quickstart.py (--help lists them). Safe to run again: what is built is reused.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools/setup.sh
venv=.venv
if [ "${MMWINDOW_STACK:-openmmlab}" = onedl ]; then venv=.venv-onedl; fi
exec "${MMWINDOW_VENV:-$venv}/bin/python" -W ignore tools/quickstart.py "$@"
