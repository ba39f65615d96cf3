"""Turn finished runs into the paper's tables and figures.

    DIR [DIR ...] --out FOLDER [--results results/DATASET]

DIR is what tools/run_folds.py --out wrote, or what --results wrote before. FOLDER receives tables.md
with everything; table1 (all systems), comparisons (with WL-KLD, pairwise), table2 and table3
(ablations) as .md and .csv; figure4 (ROC) and figure5 (FROC) as .png and .svg. With --results also a
small JSON for each system and its events: the README's tables are made from them
(tools/update_readme.py), and all of this can be made again from them where the runs are gone.
"""
import argparse
from pathlib import Path

from mmwindow.utils.outputs import check_output_folder

PAPER = Path(__file__).resolve().parents[3] / 'results' / 'paper.json'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of tables."""
    parser.add_argument('folders', nargs='+', metavar='DIR')
    parser.add_argument('--out', required=True, metavar='FOLDER')
    parser.add_argument('--results', metavar='FOLDER', help='where small result files go')
    parser.add_argument('--reference', help='compare with this system; default: WL-KLD')
    parser.add_argument('--class-name', help='which class, where there are several')
    parser.add_argument('--only', nargs='+', type=int, metavar='FOLD', help='only these folds')
    parser.add_argument('--num-resamples', type=int, default=2000, help='of the bootstrap')
    parser.add_argument('--seed', type=int, default=0, help='of the bootstrap')
    parser.add_argument('--paper', default=PAPER if PAPER.exists() else None,
                        help="the paper's numbers; default: results/paper.json")


def run(args: argparse.Namespace) -> None:
    """Make tables and figures."""
    check_output_folder(args.out, '--out')
    if args.results:
        check_output_folder(args.results, '--results')
    from mmwindow.experiments.paper_report import make_report
    make_report(**vars(args))
    print((Path(args.out) / 'table1.md').read_text(encoding='utf-8'))
    print(f'all tables and figures: {args.out}/tables.md')
