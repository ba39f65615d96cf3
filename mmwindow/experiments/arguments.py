"""What the command lines of many runs have in common."""
import shlex
import sys

from mmengine.config import DictAction


def parse_gpus(text):
    """Return '0,1' as [0, 1]."""
    return [int(number) for number in text.split(',')]


def add_folder_arguments(parser):
    """Add folder, overrides and what to do with runs that are in the way.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    parser.add_argument('--out', required=True, metavar='DIR', help='folder for all runs')
    parser.add_argument('--overwrite', action='store_true',
                        help='delete runs of other settings that are in the way')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='override entries of every config')


def add_run_arguments(parser):
    """Add configs and seed to :func:`add_folder_arguments`.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    parser.add_argument('configs', nargs='+', metavar='CONFIG')
    add_folder_arguments(parser)
    parser.add_argument('--seed', type=int, help="of the trainings; default: the config's")


def add_gpus_argument(group):
    """Add ``--gpus`` to a parser or to a group of one."""
    group.add_argument('--gpus', type=parse_gpus, metavar='0,1',
                       help='one run at a time on each of these; default: on each there is')


def run_command(tool, command, args):
    """Call what a tool does, and end with its words and exit status.

    Args:
        tool (str): Name of the file in ``tools/``, without suffix.
        command (callable): Takes ``args`` and ``command_line``; returns the outcomes of its runs.
        args (dict): Of the command line, ``out`` among them.

    Raises:
        SystemExit: The input was refused, the command was stopped, or runs failed.
    """
    try:
        outcomes = command(**args, command_line=shlex.join([f'tools/{tool}.py', *sys.argv[1:]]))
    except ValueError as error:
        raise SystemExit(f'{tool}: {error}') from error
    except KeyboardInterrupt:
        raise SystemExit(f'{tool}: stopped; the same command goes on from here') from None
    failed = [outcome.job for outcome in outcomes if outcome.returncode]
    if failed:
        raise SystemExit(f'{tool}: these runs failed:\n' + '\n'.join(
            f'  {job.name}: see {job.log}' for job in failed))
    print(f'{tool}: all runs in {args["out"]} are finished')
