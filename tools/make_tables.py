#!/usr/bin/env python
"""Turn finished runs into the paper's tables and figures.

    tools/make_tables.py DIR [DIR ...] --out FOLDER [--results results/DATASET]

DIR is what tools/run_folds.py --out wrote, or what --results wrote before. FOLDER receives tables.md
with everything; table1 (all systems), comparisons (with WL-KLD, pairwise), table2 and table3
(ablations) as .md and .csv; figure4 (ROC) and figure5 (FROC) as .png and .svg. With --results also a
small JSON for each system and its events: the README's tables are made from them
(tools/update_readme.py), and all of this can be made again from them where the runs are gone.
"""
import argparse
import shlex
import sys
from pathlib import Path

from mmwindow.experiments.paper_report import make_report

PAPER = Path(__file__).resolve().parents[1] / 'results' / 'paper.json'


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    return parser.parse_args()


def main():
    args = vars(parse_args())
    command = shlex.join(['tools/make_tables.py', *sys.argv[1:]])
    try:
        make_report(**args, command_line=command)
    except ValueError as error:
        raise SystemExit(f'make_tables: {error}') from error
    print((Path(args['out']) / 'table1.md').read_text(encoding='utf-8'))
    print(f'all tables and figures: {args["out"]}/tables.md')


if __name__ == '__main__':
    main()
