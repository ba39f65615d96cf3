"""Generate, train, test and draw: the complete path on synthetic radiographs, in minutes on a CPU."""
import argparse
import sys
import warnings

from mmwindow.experiments.commands.run_arguments import STOPPED, add_accept_argument
from mmwindow.utils.outputs import check_output_folder

__all__ = ['STOPPED', 'add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the quickstart."""
    parser.add_argument('--config', default='configs/windowloss/wl_kld_lite0_fpn_synthetic.py')
    parser.add_argument('--data', default='data/synthetic', help='where the radiographs are written')
    parser.add_argument('--out', default='work_dirs/quickstart', help='where the results go')
    parser.add_argument('--seed', type=int, default=0, help='of the data and of the training')
    parser.add_argument('--overwrite', action='store_true',
                        help='delete a run of other settings in the folder of the results')
    add_accept_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Take the path."""
    if not sys.warnoptions:
        warnings.simplefilter('ignore')
    check_output_folder(args.out, '--out')
    check_output_folder(args.data, '--data')
    from mmwindow.experiments.quickstart import quickstart
    quickstart(**vars(args))
