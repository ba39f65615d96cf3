"""Train a model: CONFIG and options as in MMDetection's tools/train.py.

The screen shows a short head, the progress and the best epoch; the complete config and MMEngine's
log are in the log file that the head names.
"""
import argparse

from mmwindow.apis.commands.runner_arguments import (
    add_runner_arguments,
    prepare_process,
)
from mmwindow.utils.processes import end_rank

STOPPED = 'stopped; add --resume to the command to resume from the last epoch'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a training."""
    parser.add_argument('config', metavar='CONFIG', help='the config file')
    parser.add_argument('--work-dir', metavar='DIR', help='folder for logs and checkpoints')
    parser.add_argument('--amp', action='store_true',
                        help='mixed precision (float16 on GPUs, bfloat16 on CPUs)')
    parser.add_argument('--auto-scale-lr', action='store_true',
                        help='scale the learning rate with the global batch size')
    parser.add_argument('--resume', nargs='?', const='auto', metavar='CHECKPOINT',
                        help='resume from CHECKPOINT, or from the newest in the work dir')
    parser.add_argument('--no-report', action='store_false', dest='report',
                        help='no report of the best validation in the work dir')
    add_runner_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Train, and show the best epoch."""
    options = prepare_process(args)
    from mmwindow.apis.train import describe_training, train
    print(describe_training(train(**options)), end='')
    end_rank()
