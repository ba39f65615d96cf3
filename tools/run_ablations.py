#!/usr/bin/env python
"""Tables 2 and 3 on FracAtlas and synthetic radiographs: ``tools/run_ablations.py --help``."""
from mmwindow.experiments.commands import ablations
from mmwindow.utils.command_line import run_command

if __name__ == '__main__':
    run_command(ablations, 'tools/run_ablations.py')
