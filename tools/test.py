#!/usr/bin/env python
"""Test a checkpoint: ``tools/test.py CONFIG CHECKPOINT`` prints FROC and AUROC."""
from mmwindow.apis.commands import test
from mmwindow.utils.command_line import run_command

if __name__ == '__main__':
    run_command(test, 'tools/test.py')
