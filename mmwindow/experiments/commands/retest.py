"""Test finished runs again: by another hit rule, at another threshold, or on other images.

    DIR [DIR ...] --out OTHER --cfg-options test_evaluator.rule=distance

DIR is what tools/run_folds.py --out wrote. The best checkpoint of each run is tested again, with the
overrides; nothing is trained. OTHER receives a folder for each, as DIR has it, without weights.
The same command again resumes where it was stopped.
Next: tools/make_tables.py OTHER --out FOLDER.
"""
import argparse

from mmwindow.experiments.commands.run_arguments import (
    STOPPED,
    add_folder_arguments,
    add_gpus_argument,
    do_runs,
)
from mmwindow.utils.outputs import check_output_folder

__all__ = ['STOPPED', 'add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of tests of finished runs."""
    parser.add_argument('folders', nargs='+', metavar='DIR')
    add_folder_arguments(parser)
    add_gpus_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Test."""
    check_output_folder(args.out, '--out')
    from mmwindow.experiments.retest import retest_runs
    do_runs(retest_runs, args)
