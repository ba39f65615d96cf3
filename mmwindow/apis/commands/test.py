"""Test a model: a run folder, a checkpoint, or CONFIG CHECKPOINT as in MMDetection's tools/test.py.

CHECKPOINT may be the word best: the best checkpoint of the config's work dir. A report with curves,
pictures and numbers with intervals goes into the work dir; docs/testing.md says what is in it.
"""
import argparse

from mmwindow.apis.commands.runner_arguments import (
    add_runner_arguments,
    prepare_process,
)
from mmwindow.utils.processes import end_rank


def parse_views(text: str) -> str:
    """Return what ``--tta`` names: 'all' or 'mirror'."""
    if text not in ('all', 'mirror'):
        raise argparse.ArgumentTypeError(f'{text[:100]}: mirror, or nothing, is expected; MODEL and '
                                         'CHECKPOINT stand before --tta')
    return text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a test."""
    add = parser.add_argument
    add('config', metavar='MODEL', help='a run folder, a checkpoint that describes its model, or the '
        'config file of CHECKPOINT')
    add('checkpoint', nargs='?', metavar='CHECKPOINT', help='the weights, a .pth file; or best')
    add('--data', metavar='DATA', help='images of another place: a folder or a point file, as '
        'mmwindow import writes them')
    add('--config', dest='model_config', metavar='CONFIG',
        help='the config of a run folder or a checkpoint, in place of its own')
    add('--work-dir', metavar='DIR', help='folder for the log, the report and the result file')
    add('--out', metavar='FILE', help='write every prediction to this file')
    add('--show-dir', metavar='DIR', help='draw findings on the images, into DIR')
    add('--tta', nargs='?', const='all', default=False, type=parse_views, metavar='mirror',
        help='test-time augmentation: mirrored and turned views, averaged; with mirror the image and '
        'its mirror image alone')
    add('--choose-threshold', metavar='RULE[=TARGET]', dest='choose',
        help='choose the thresholds of the model again, on the validation images or DATA, and store '
        'them with it: fp_budget[=0.1] (false positives per image), sensitivity[=0.9], '
        'specificity[=0.9] or youden')
    add('--by', nargs='+', default=[], metavar='FIELD',
        help='fields of the images, or group, to report by')
    add('--no-report', action='store_false', dest='report', help='no report in the work dir')
    add_runner_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Test, and show the numbers."""
    options = prepare_process(args)
    from mmwindow.apis.folds_folder import OF_FOLDS
    from mmwindow.apis.run_numbers import ReportSettings
    from mmwindow.apis.test import test
    from mmwindow.apis.test_outputs import describe_metrics, describe_outputs
    from mmwindow.apis.validation_watch import Choice
    by, is_wanted = tuple(options.pop('by')), options.pop('report')
    if by and not is_wanted:
        raise ValueError(f'--by {" ".join(by)}: the numbers by field are in the report; leave '
                         '--no-report out')
    options['choose'] = None if args.choose is None else Choice.parse(args.choose)
    options['report'] = ReportSettings(by=by) if is_wanted else None
    metrics = test(**options)
    if any(name.startswith(OF_FOLDS) for name in metrics):  # they are shown, with intervals
        return
    print(describe_metrics(metrics) + describe_outputs(args.out, args.show_dir), end='')
    end_rank()
