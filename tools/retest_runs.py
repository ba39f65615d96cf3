#!/usr/bin/env python
"""Test finished runs again in another way: ``tools/retest_runs.py --help``."""
from mmwindow.experiments.commands import retest
from mmwindow.utils.command_line import run_command

if __name__ == '__main__':
    run_command(retest, 'tools/retest_runs.py')
