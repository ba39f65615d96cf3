#!/usr/bin/env python
"""Add what another training would change to differences: ``tools/training_noise.py --help``."""
from mmwindow.experiments.commands import training_noise
from mmwindow.utils.command_line import run_command

if __name__ == '__main__':
    run_command(training_noise, 'tools/training_noise.py')
