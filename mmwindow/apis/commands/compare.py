"""Draw several models next to each other on the same images, each at its own threshold.

    compare RUN RUN NAME=model.pth --images points.json --out figure3.png

Rows are images, drawn at random before anything is predicted; columns are the models, with hits,
missed points and false positives. figure3.json holds what the figure shows. See docs/predict.md.
"""
import argparse
import logging
import sys
import warnings

from mmwindow.apis.commands.predict import parse_score, parse_whole
from mmwindow.evaluation.hit_rules import HIT_RULES


def parse_seed(text: str) -> int:
    """Return a whole number of at least 0."""
    return 0 if text == '0' else parse_whole(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a comparison."""
    add = parser.add_argument
    add('models', metavar='MODEL', nargs='+',
        help='run folders, checkpoints or exported models, also as NAME=MODEL')
    add('--images', required=True, metavar='POINTS', help='point file with the images')
    add('--out', required=True, metavar='FILE', help='the figure: .png, .jpg, .pdf or .svg')
    add('--number', type=parse_whole, default=6, help='rows (%(default)s)')
    add('--seed', type=parse_seed, default=0, help='of the images that are drawn (%(default)s)')
    add('--image-folder', metavar='DIR', help='where the images lie; by default near the point file')
    add('--threshold', type=parse_score, metavar='SCORE',
        help="of all models; by default each one's operating point, else 0.5")
    add('--rule', choices=HIT_RULES, default='disk_overlap', help='hit rule (%(default)s)')
    add('--tta', action='store_true', help='average mirrored and turned views')
    add('--bit-depth', type=parse_whole, metavar='BITS', help='of 16-bit images that do not say it')
    add('--max-pixels', type=parse_whole, metavar='NUMBER', help='of the largest image that is read')


def run(args: argparse.Namespace) -> None:
    """Draw the figure and show the outcomes."""
    from mmwindow.apis.compare import compare
    logging.raiseExceptions = False
    if not sys.warnoptions:
        warnings.simplefilter('ignore')
    result = compare(args.models, args.images, args.out, args.number, args.seed, args.image_folder,
                     args.threshold, args.rule, args.tta, args.bit_depth, args.max_pixels)
    for name, thresholds in result.thresholds.items():
        totals = [sum(outcome[name][key] for outcome in result.outcomes)
                  for key in ('num_found', 'num_points', 'num_false_positives')]
        print(f'{name}: threshold {"; ".join(thresholds.describe())}: {totals[0]} of {totals[1]} '
              f'points found, {totals[2]} false positives')
    print(f'{result.rule}\nfigure: {result.figure}')
