"""Add what another training would change to the differences of result files.

    RESULTS REPEATED --out FILE.md

RESULTS is a folder of result files (mmwindow tables --results), REPEATED one with second trainings of
some of its configs and folds. Pairs of trainings tell how far two of them lie apart; each difference
to the reference gets an interval and a p-value over other images and other trainings.
"""
import argparse
from pathlib import Path

from mmwindow.utils.outputs import check_output_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of training noise."""
    parser.add_argument('results', metavar='RESULTS')
    parser.add_argument('repeated', metavar='REPEATED')
    parser.add_argument('--out', required=True, metavar='FILE.md')


def run(args: argparse.Namespace) -> None:
    """Write the page, and print it.

    Raises:
        ValueError: The folders have no training of one config on one fold, or no difference.
    """
    check_output_file(args.out, '--out')
    from mmwindow.experiments.training_noise import describe_noise
    from mmwindow.utils.files import write_text
    text = describe_noise(args.results, args.repeated, args.command_line)
    write_text(Path(args.out), text)
    print(text)
