#!/usr/bin/env python
"""Train and test any list of configs over the folds of a point file.

    tools/run_folds.py CONFIG [CONFIG ...] --folds folds.json --out DIR
    tools/run_folds.py CONFIG [CONFIG ...] --out DIR      the configs' own train, val and test files

Each run has a folder DIR/<config>/fold<k> (DIR/<config>/single without folds): config.py, log.txt,
training/ with the checkpoints, test.json and val.json (records of the best checkpoint) and
result.json. The same command again goes on where it was stopped and reuses what is finished. A run
that fails does not stop the others; it is named at the end and the exit status is 1.
Next: tools/make_tables.py DIR --out FOLDER.
"""
import argparse

from mmwindow.experiments.arguments import add_gpus_argument, add_run_arguments, run_command
from mmwindow.experiments.cross_validation import run_folds


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_run_arguments(parser)
    parser.add_argument('--folds', metavar='FOLDS.json', help='from tools/make_splits.py')
    parser.add_argument('--points', metavar='POINTS.json', help='the point file they divide; '
                        'default: it lies beside them')
    parser.add_argument('--only', nargs='+', type=int, metavar='FOLD', help='only these folds')
    devices = parser.add_mutually_exclusive_group()
    add_gpus_argument(devices)
    devices.add_argument('--all-gpus', action='store_true', help='one run at a time, on all GPUs')
    parser.add_argument('--amp', action='store_true', help='train in mixed precision')
    return parser.parse_args()


if __name__ == '__main__':
    run_command('run_folds', run_folds, vars(parse_args()))
