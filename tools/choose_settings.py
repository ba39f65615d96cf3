#!/usr/bin/env python
"""Choose a setting of any list of configs on validation: ``tools/choose_settings.py --help``."""
from mmwindow.experiments.commands import settings
from mmwindow.utils.command_line import run_command

if __name__ == '__main__':
    run_command(settings, 'tools/choose_settings.py')
