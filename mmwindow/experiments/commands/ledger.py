"""List what was tried for each system: settings and trainings spent, and who was given less.

    mmwindow ledger results/fracatlas/choices results/fracatlas/tuning
    mmwindow ledger runs/tune --check

PLACE is a folder of runs (mmwindow tune, mmwindow folds), a folder of result files (--results), or
one such file. Each training counts once, however many of them tell of it. With --check the exit
status is 1 where a baseline has fewer trainings or settings than a system with Window Loss.
"""
import argparse
from pathlib import Path

from mmwindow.utils.files import write_text
from mmwindow.utils.outputs import check_output_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a ledger."""
    parser.add_argument('places', nargs='+', metavar='PLACE')
    parser.add_argument('--out', metavar='FILE.md', help='where the table goes, too')
    parser.add_argument('--check', action='store_true',
                        help='status 1 where a baseline was given less than Window Loss')


def run(args: argparse.Namespace) -> None:
    """Read, and show the table.

    Raises:
        ValueError: With ``--check``: a baseline was given less.
    """
    if args.out:
        check_output_file(args.out, '--out')
    from mmwindow.experiments.ledger import describe_ledger, has_fewer, read_ledger
    accounts = read_ledger(args.places)
    text = describe_ledger(accounts)
    print(text)
    if args.out:
        write_text(Path(args.out), f'{text}\n\nMade by `{args.command_line}`\n')
    if args.check and has_fewer(accounts):
        raise ValueError('a baseline was given less than Window Loss; the lines above say which')
