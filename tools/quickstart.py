#!/usr/bin/env python
"""The complete path on synthetic radiographs, in minutes on a CPU."""
from mmwindow.experiments.commands import quickstart
from mmwindow.utils.command_line import run_command

if __name__ == '__main__':
    run_command(quickstart, 'tools/quickstart.py')
