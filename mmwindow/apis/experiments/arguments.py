"""What the command lines of many runs have in common."""
from mmengine.config import DictAction


def parse_gpus(text):
    """Return '0,1' as [0, 1]."""
    return [int(number) for number in text.split(',')]


def add_run_arguments(parser):
    """Add configs, folder, seed, overrides and what to do with runs that are in the way.

    Args:
        parser (argparse.ArgumentParser): Changed in place.
    """
    parser.add_argument('configs', nargs='+', metavar='CONFIG')
    parser.add_argument('--out', required=True, metavar='DIR', help='folder for all runs')
    parser.add_argument('--seed', type=int, help="of the trainings; default: the config's")
    parser.add_argument('--overwrite', action='store_true',
                        help='delete runs of other settings that are in the way')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='override entries of every config')


def add_gpus_argument(group):
    """Add ``--gpus`` to a parser or to a group of one."""
    group.add_argument('--gpus', type=parse_gpus, metavar='0,1',
                       help='one run at a time on each of these; default: on each there is')
