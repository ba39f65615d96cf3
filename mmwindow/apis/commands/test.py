"""Test a checkpoint: CONFIG CHECKPOINT and options as in MMDetection's tools/test.py.

CHECKPOINT may be the word best: the best checkpoint of the config's work dir.
"""
import argparse

from mmwindow.apis.commands.runner_arguments import (
    add_runner_arguments,
    prepare_process,
)
from mmwindow.utils.processes import end_rank


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a test."""
    parser.add_argument('config', metavar='CONFIG', help='the config file')
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='the weights, a .pth file; or best')
    parser.add_argument('--work-dir', metavar='DIR', help='folder for the log and the result file')
    parser.add_argument('--out', metavar='FILE', help='write every prediction to this file')
    parser.add_argument('--show-dir', metavar='DIR', help='draw findings on the images, into DIR')
    parser.add_argument('--tta', action='store_true',
                        help='test-time augmentation: mirrored and turned views, averaged')
    add_runner_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Test, and show the numbers."""
    options = prepare_process(args)
    from mmwindow.apis.test import describe_metrics, describe_outputs, test
    print(describe_metrics(test(**options)) + describe_outputs(args.out, args.show_dir), end='')
    end_rank()
