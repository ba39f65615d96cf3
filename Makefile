# The everyday verbs. `make` alone lists them.
.PHONY: help setup quickstart test test-long fuzz nightly kill lint format

help:
	@echo 'make setup       the environment in .venv (tools/setup.sh)'
	@echo 'make quickstart  synthetic radiographs, training, test, pictures (tools/quickstart.sh)'
	@echo 'make test        lint, types and tests on both stacks, what CI runs (tools/run_tests.sh)'
	@echo 'make test-long   the tests that take minutes'
	@echo 'make fuzz        mutated files for every reader, about 20 minutes (docs/fuzzing.md)'
	@echo 'make nightly     the nine systems on the synthetic radiographs, with tables and figures'
	@echo 'make kill        kill and resume trainings, an hour (docs/resuming.md)'
	@echo 'make lint        ruff check and mypy'
	@echo 'make format      let ruff fix what it can'

setup:
	tools/setup.sh

quickstart:
	tools/quickstart.sh

test:
	tools/run_tests.sh

test-long: setup
	.venv/bin/python -m pytest -m long

fuzz: setup
	.venv/bin/python tools/fuzz.py --seed "$$(date +%s)"

nightly:
	tools/nightly_synthetic.sh

kill: setup
	.venv/bin/python -W ignore tools/kill_trainings.py --out work_dirs/kills --results results/resuming

lint: setup
	.venv/bin/python -m ruff check .
	.venv/bin/python -m mypy mmwindow

format: setup
	.venv/bin/python -m ruff check --fix .
