#!/usr/bin/env python
"""Divide a point file by patient: ``tools/make_splits.py --help``."""
from mmwindow.apis.commands import splits
from mmwindow.utils.command_line import run_command

if __name__ == '__main__':
    run_command(splits, 'tools/make_splits.py')
