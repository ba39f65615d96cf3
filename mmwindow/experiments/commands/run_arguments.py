"""What the command lines of many runs have in common."""
import argparse
from collections.abc import Callable, Iterable
from typing import Any

from mmwindow.utils.command_line import add_options_argument
from mmwindow.utils.messages import count_words

STOPPED = 'stopped; the same command resumes from here'


def parse_gpus(text: str) -> list[int]:
    """Return '0,1' as [0, 1]."""
    return [int(number) for number in text.split(',')]


def add_folder_arguments(parser: argparse.ArgumentParser) -> None:
    """Add folder, overrides and what to do with runs that are in the way."""
    parser.add_argument('--out', required=True, metavar='DIR', help='folder for all runs')
    parser.add_argument('--overwrite', action='store_true',
                        help='delete runs of other settings that are in the way')
    add_options_argument(parser, 'every config')


def add_accept_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--accept``."""
    parser.add_argument('--accept', action='store_true',
                        help='keep runs that other code of mmwindow trained; their results say so')


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add configs, seed and ``--accept`` to :func:`add_folder_arguments`."""
    parser.add_argument('configs', nargs='+', metavar='CONFIG')
    add_folder_arguments(parser)
    add_accept_argument(parser)
    parser.add_argument('--seed', type=int, help="of the trainings; default: the config's")


def add_amp_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--amp``."""
    parser.add_argument('--amp', action='store_true',
                        help='train in mixed precision (float16 on GPUs, bfloat16 on CPUs)')


def add_folds_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the folds that runs are trained over."""
    parser.add_argument('--folds', metavar='FOLDS.json', help='from tools/make_splits.py')
    parser.add_argument('--points', metavar='POINTS.json', help='the point file they divide; '
                        'default: it lies next to them')
    add_only_argument(parser)


def add_only_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--only``."""
    parser.add_argument('--only', nargs='+', type=int, metavar='FOLD', help='only these folds')


def add_gpus_argument(group: Any) -> None:
    """Add ``--gpus`` to a parser or to a group of one."""
    group.add_argument('--gpus', type=parse_gpus, metavar='0,1',
                       help='one run at a time on each of these, more by --jobs; default: on each '
                       'there is')


def add_weights_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--weights`` of trainings."""
    parser.add_argument('--weights', default='best', metavar='RULE',
                        help='what is tested: the best epoch by validation, last, or meanN, the mean '
                        'of the weights of the last N epochs (default: best)')


def add_place_arguments(parser: argparse.ArgumentParser, group: Any = None) -> None:
    """Add where runs are done: on which GPUs, how many at once on the CPU, or by a cluster.

    Args:
        parser: Of the command.
        group: Receives ``--gpus``, where other arguments exclude it.
    """
    add_gpus_argument(group or parser)
    parser.add_argument('--jobs', type=int, metavar='N',
                        help='so many runs at once, each with its share of the cores, on the GPUs in '
                        'turn where there are any; with --queue slurm: at most so many submitted at '
                        'once')
    parser.add_argument('--queue', choices=('local', 'slurm'), default='local',
                        help='run on this machine, or one Slurm task a run (default: local)')
    parser.add_argument('--slurm', metavar='NAME=VALUE,..',
                        help='of --queue slurm: time=H:MM:SS of one task, and partition, account, '
                        'gpus, cpus, mem (GB) ...')


def read_place(args: argparse.Namespace) -> None:
    """Turn ``--queue`` and ``--slurm`` into the argument ``slurm`` of the functions behind a command.

    Raises:
        ValueError: One stands without the other, or ``--slurm`` cannot be read.
    """
    queue = args.__dict__.pop('queue')
    if queue == 'local':
        if args.slurm:
            raise ValueError('--slurm is read with --queue slurm alone; give that, too')
        return
    from mmwindow.experiments.slurm_queue import parse_slurm
    if not args.slurm:
        raise ValueError('--queue slurm: --slurm is missing, such as --slurm '
                         'partition=gpu,time=4:00:00,gpus=1,cpus=8,mem=32')
    args.slurm = parse_slurm(args.slurm)


def do_runs(command: Callable[..., Iterable], args: argparse.Namespace) -> None:
    """Call what a command does, and name the runs that failed.

    Raises:
        ValueError: Runs failed.
    """
    outcomes = command(**vars(args))
    failed = [outcome.job for outcome in outcomes if outcome.returncode]
    if failed:
        raise ValueError(f'{count_words(len(failed), "run")} failed: ' + '; '.join(
            f'{job.name}, see {job.log}' for job in failed[:5]))
    print(f'all runs in {args.out} are finished')
