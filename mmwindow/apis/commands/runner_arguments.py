"""What ``train`` and ``test`` have in common."""
import argparse
import logging
import os
import sys
import warnings

from mmwindow.utils.command_line import add_options_argument


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
    if not args.verbose and not sys.warnoptions:
        warnings.simplefilter('ignore')
    return {name: value for name, value in vars(args).items()
            if name not in ('local_rank', 'command_line')}


def end_rank(launcher: str) -> None:
    """End a process that is one of several on a machine without a GPU, with status 0.

    Threads of gloo may outlive its process group, and a Python that ends with one of them running
    aborts now and then ("terminate called without an active exception"): torchrun then reports a
    finished work as failed. All files are closed by now, so nothing is lost without Python's own end.
    """
    import torch
    if launcher == 'pytorch' and not torch.cuda.is_available():
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
