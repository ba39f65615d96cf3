"""What ``train`` and ``test`` have in common."""
import argparse
import logging
import os
import sys
import warnings

from mmwindow.utils.command_line import add_options_argument
from mmwindow.utils.processes import become_rank


def add_runner_arguments(parser: argparse.ArgumentParser) -> None:
    """Add overrides, launcher and ``--verbose``."""
    add_options_argument(parser)
    parser.add_argument('--verbose', action='store_true',
                        help='the complete log on the screen, too')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def prepare_process(args: argparse.Namespace) -> dict:
    """Set up this process as the launcher wants it; return the arguments of ``train``, ``test``."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    become_rank(args.launcher)
    logging.raiseExceptions = False  # a log that a full disk does not take gives a traceback a line
    if not args.verbose and not sys.warnoptions:
        warnings.simplefilter('ignore')
    return {name: value for name, value in vars(args).items()
            if name not in ('local_rank', 'command_line')}
