#!/usr/bin/env python
"""When does Window Loss win: ``tools/study_when_window_loss_wins.py --help``."""
from mmwindow.experiments.commands import study
from mmwindow.utils.command_line import run_command

if __name__ == '__main__':
    run_command(study, 'tools/study_when_window_loss_wins.py')
