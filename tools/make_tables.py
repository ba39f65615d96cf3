#!/usr/bin/env python
"""Turn finished runs into the paper's tables and figures: ``tools/make_tables.py --help``."""
from mmwindow.experiments.commands import tables
from mmwindow.utils.command_line import run_command

if __name__ == '__main__':
    run_command(tables, 'tools/make_tables.py')
