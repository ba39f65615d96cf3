#!/usr/bin/env python
"""Score perfect predictions of the paper's windows: ``tools/exact_maps.py --help``."""
from mmwindow.experiments.commands import exact_maps
from mmwindow.utils.command_line import run_command

if __name__ == '__main__':
    run_command(exact_maps, 'tools/exact_maps.py')
