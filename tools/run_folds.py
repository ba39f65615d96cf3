#!/usr/bin/env python
"""Train and test configs over the folds of a point file: ``tools/run_folds.py --help``."""
from mmwindow.experiments.commands import folds
from mmwindow.utils.command_line import run_command

if __name__ == '__main__':
    run_command(folds, 'tools/run_folds.py')
