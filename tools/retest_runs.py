#!/usr/bin/env python
"""Test finished runs again, otherwise: by another hit rule, at another threshold, on other images.

    tools/retest_runs.py DIR [DIR ...] --out OTHER --cfg-options test_evaluator.rule=distance

DIR is what tools/run_folds.py --out wrote. The best checkpoint of each run is tested once more, with
the overrides; nothing is trained. OTHER receives a folder for each, as DIR has it, without weights.
The same command again goes on where it was stopped.
Next: tools/make_tables.py OTHER --out FOLDER.
"""
import argparse

from mmwindow.experiments.arguments import (
    add_folder_arguments,
    add_gpus_argument,
    run_command,
)
from mmwindow.experiments.retest import retest_runs


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folders', nargs='+', metavar='DIR')
    add_folder_arguments(parser)
    add_gpus_argument(parser)
    return parser.parse_args()


if __name__ == '__main__':
    run_command('retest_runs', retest_runs, vars(parse_args()))
