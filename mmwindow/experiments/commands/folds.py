"""Train and test any list of configs over the folds of a point file.

    CONFIG [CONFIG ...] --folds folds.json --out DIR
    CONFIG [CONFIG ...] --out DIR      the configs' own train, val and test files

Each run has a folder DIR/<config>/fold<k> (DIR/<config>/single without folds): config.py, log.txt,
training/ with the checkpoints, test.json and val.json (records of the weights of --weights, by
default the best checkpoint) and result.json. The same command again resumes where it was stopped and
reuses what is finished: where only the scoring code has changed, runs are tested again and never
trained again. A run that fails does not stop the others; it is named at the end and the exit status
is 1.
Next: tools/make_tables.py DIR --out FOLDER.
"""
import argparse

from mmwindow.experiments.commands.run_arguments import (
    STOPPED,
    add_amp_argument,
    add_folds_arguments,
    add_place_arguments,
    add_run_arguments,
    add_weights_argument,
    do_runs,
    read_place,
)
from mmwindow.utils.outputs import check_output_folder

__all__ = ['STOPPED', 'add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of runs over folds."""
    add_run_arguments(parser)
    add_folds_arguments(parser)
    add_weights_argument(parser)
    devices = parser.add_mutually_exclusive_group()
    add_place_arguments(parser, devices)
    devices.add_argument('--all-gpus', action='store_true', help='one run at a time, on all GPUs')
    add_amp_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Train and test."""
    check_output_folder(args.out, '--out')
    read_place(args)
    from mmwindow.experiments.cross_validation import run_folds
    do_runs(run_folds, args)
