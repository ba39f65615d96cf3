#!/usr/bin/env python
"""Score saved predictions of any framework: ``tools/evaluate.py PREDICTIONS POINTS --out FOLDER``."""
from mmwindow.apis.commands import evaluate
from mmwindow.utils.command_line import run_command

if __name__ == '__main__':
    run_command(evaluate, 'tools/evaluate.py')
