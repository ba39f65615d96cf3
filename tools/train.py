#!/usr/bin/env python
"""Train a model: ``tools/train.py CONFIG`` (options as in MMDetection's tools/train.py)."""
from mmwindow.experiments.commands import train
from mmwindow.utils.command_line import run_command

if __name__ == '__main__':
    run_command(train, 'tools/train.py')
