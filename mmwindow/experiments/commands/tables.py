"""Turn finished runs into the paper's tables and figures.

    DIR [DIR ...] --out FOLDER [--results results/DATASET]
    --from-results results/DATASET [--check]      the runs are not needed

DIR is what tools/run_folds.py --out wrote, or what --results wrote before; the folds of a system may
lie in several of them, such as those that two machines trained. FOLDER receives tables.md with
everything; table1 (all systems), pooled (of folds: all their images together), comparisons (with
WL-KLD, pairwise), table2 and table3 (ablations) as .md and .csv; figure4 (ROC) and figure5 (FROC) as
.png and .svg. Over folds, numbers are means with intervals that resample patients within each fold.

With --results also a small JSON for each system and its events: the README's tables are made from
them (tools/update_readme.py). --from-results makes all numbers, intervals, tests, tables and figures
again from these events; with --check nothing is written, and status 1 says that a file differs.
"""
import argparse
from pathlib import Path

from mmwindow.experiments.commands.run_arguments import add_only_argument
from mmwindow.utils.outputs import check_output_folder

PAPER = Path(__file__).resolve().parents[3] / 'results' / 'paper.json'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of tables."""
    parser.add_argument('folders', nargs='*', metavar='DIR')
    parser.add_argument('--out', metavar='FOLDER',
                        help='of the tables; with --from-results its default is tables/ in there')
    parser.add_argument('--from-results', metavar='RESULTS',
                        help='make the numbers of these result files again, from their events')
    parser.add_argument('--check', action='store_true',
                        help='with --from-results: write nothing, only compare')
    parser.add_argument('--results', metavar='FOLDER', help='where small result files go')
    parser.add_argument('--reference', help='compare with this system; default: WL-KLD')
    parser.add_argument('--class-name', help='which class, where there are several')
    parser.add_argument('--by', nargs='+', default=[], metavar='FIELD',
                        help='tables by fields of the images, such as body_part, or by points')
    parser.add_argument('--note', default='', metavar='TEXT',
                        help='a sentence for readers, above the tables and in the result files, such '
                        'as which images settings were chosen on')
    add_only_argument(parser)
    parser.add_argument('--num-resamples', type=int, help='of the bootstrap; default: 2000')
    parser.add_argument('--seed', type=int, help='of the bootstrap; default: 0')
    parser.add_argument('--paper', default=PAPER if PAPER.exists() else None,
                        help="the paper's numbers; default: results/paper.json")


def run(args: argparse.Namespace) -> None:
    """Make tables and figures.

    Raises:
        ValueError: Neither runs nor result files are given; with ``--check``: a file differs.
    """
    options = vars(args)
    source, check = options.pop('from_results'), options.pop('check')
    if source is not None:
        run_from_results(source, check, args)
        return
    if check or not args.folders or not args.out:
        raise ValueError('DIR and --out FOLDER are needed: folders of runs, and where the tables go; '
                         'or --from-results RESULTS, with or without --check')
    check_output_folder(args.out, '--out')
    if args.results:
        check_output_folder(args.results, '--results')
    from mmwindow.experiments.paper_report import make_report
    for name in ('num_resamples', 'seed'):  # the report's own where none is given
        if options[name] is None:
            del options[name]
    make_report(**options)
    show_tables(args.out)


def run_from_results(source: str, check: bool, args: argparse.Namespace) -> None:
    """Make the numbers of result files again, or compare them.

    Raises:
        ValueError: Arguments that would have no effect are given, or a file differs.
    """
    from mmwindow.experiments.recompute import check_results, recompute_results
    if any((args.folders, args.results, args.reference, args.class_name, args.only, args.by,
            args.note)) or args.num_resamples is not None or args.seed is not None:
        raise ValueError('--from-results takes resamples, seed, reference, fields, folds and note '
                         'from the files; leave out DIR, --results, --reference, --class-name, '
                         '--by, --only, --note, --num-resamples and --seed')
    if check and args.out:
        raise ValueError('--check writes nothing; leave out --out')
    if not check:
        recompute_results(source, args.out, args.paper, args.command_line)
        show_tables(args.out or f'{source}/tables')
        return
    differences = check_results(source, args.paper)
    if differences:
        raise ValueError('; '.join(differences) + f'. Write them again with --from-results {source}')
    print(f'{source}: every number follows from the events')


def show_tables(out: str) -> None:
    """Print Table 1 and where the others are."""
    print((Path(out) / 'table1.md').read_text(encoding='utf-8'))
    print(f'all tables and figures: {out}/tables.md')
