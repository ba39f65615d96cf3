"""Test finished runs again: other weights of the training, other views, hit rule or images.

    DIR [DIR ...] --out OTHER --cfg-options test_evaluator.rule=distance
    DIR [DIR ...] --out OTHER --weights best last mean2 mean4 --tta none mirror all --reference last

DIR is what mmwindow folds or mmwindow tune wrote. Each run is tested again; nothing is trained. OTHER
receives a folder for each, as DIR has it, without weights; of several variants each has a folder in
OTHER. The same command again resumes where it was stopped. With --only other folds may be at work.
Next: mmwindow tables OTHER --out FOLDER.

With --reference the variants are compared, as mmwindow tune compares settings: paired differences
over the folds, with intervals. Weights: best (by validation), last, meanN (of the weights of the last
N epochs); last@6 and mean2@6 are what they would be, had the training ended after epoch 6. Where a
rule is tested at several ends, a table says how much it varies with them.
"""
import argparse

from mmwindow.experiments.commands.run_arguments import (
    STOPPED,
    add_folder_arguments,
    add_only_argument,
    add_place_arguments,
    do_runs,
    read_place,
)
from mmwindow.utils.outputs import check_output_file, check_output_folder

__all__ = ['STOPPED', 'add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of tests of finished runs."""
    parser.add_argument('folders', nargs='+', metavar='DIR')
    add_folder_arguments(parser)
    add_place_arguments(parser)
    add_only_argument(parser)
    parser.add_argument('--weights', nargs='+', metavar='RULE',
                        help='best, last, meanN, last@E, meanN@E; default: those of the run\'s test')
    parser.add_argument('--tta', nargs='+', dest='views', metavar='VIEWS',
                        help='averaged at the test: none, mirror, all; default: those of the '
                        "run's test")
    parser.add_argument('--reference', metavar='VARIANT',
                        help='compare the others with this one, such as last or mean4_mirror')
    parser.add_argument('--results', metavar='FILE.json', help='where the comparison goes')


def run(args: argparse.Namespace) -> None:
    """Test, and compare.

    Raises:
        ValueError: A test failed, or as
            :func:`~mmwindow.experiments.variant_comparison.compare_variants`.
    """
    check_output_folder(args.out, '--out')
    read_place(args)
    if args.results and not args.reference:
        raise ValueError('--results: a comparison is written; name its --reference')
    if args.results:
        check_output_file(args.results, '--results')
    reference, results = args.__dict__.pop('reference'), args.__dict__.pop('results')
    if reference is None:
        from mmwindow.experiments.retest import retest_runs
        do_runs(retest_runs, args)
        return
    from mmwindow.experiments.variant_comparison import compare_variants
    print(compare_variants(reference=reference, results=results, **vars(args)))
