#!/usr/bin/env python
"""Compare settings of configs/settings.json by their names: docs/configs.md, "Settings by name".

    tools/screen_settings.py configs/fcos/fcos_lite0_fpn_fracatlas.py --settings plain long \\
        unscaled long+unscaled --out work_dirs/screening \\
        --folds data/fracatlas/development/folds.json --judge test --weights last --reference plain

runs `mmwindow tune` with the overrides that the settings have for this config; what is not named here
is its argument. --show prints the complete command instead; --list what there is.
"""
import argparse
import shlex
import sys
from pathlib import Path

from mmwindow.utils.command_line import one_line_errors, run_command

PROGRAM = 'mmwindow tune'


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     allow_abbrev=False)  # --setting is one of mmwindow tune's
    parser.add_argument('config', nargs='?', metavar='CONFIG')
    parser.add_argument('--settings', nargs='+', metavar='NAME', default=[],
                        help='by name, several joined by "+"')
    parser.add_argument('--file', type=Path, help='default: configs/settings.json')
    parser.add_argument('--show', action='store_true', help='print the command of mmwindow tune')
    parser.add_argument('--list', action='store_true', help='print the settings')
    args, rest = parser.parse_known_args()
    if not args.list and not (args.config and args.settings):
        parser.error('CONFIG and --settings are needed, or --list')
    return args, rest


def main():
    args, rest = parse_args()
    from mmwindow.experiments.shared_settings import read_settings, tuning_arguments
    with one_line_errors('screen_settings'):
        settings = read_settings(args.file)
        if args.list:
            print('\n'.join(f'{name}: {entry["says"]}' for name, entry in settings.items()))
            return
        arguments = [*tuning_arguments(args.config, args.settings, settings), *rest]
    if args.show:
        print(shlex.join([*PROGRAM.split(), *arguments]))
        return
    from mmwindow.experiments.commands import settings as verb
    run_command(verb, PROGRAM, arguments)


if __name__ == '__main__':
    sys.exit(main())
