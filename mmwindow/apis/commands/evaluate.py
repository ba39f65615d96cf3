"""Score saved predictions of any framework against points, boxes or polygons (COCO JSON).

    predictions.npz points.json --out results    tools/test.py --out; mmwindow predict
    findings.csv points.json --out results       file,x,y,score[,class] or file,x1,y1,x2,y2,score
    boxes.json points.json --out results         COCO results
    maps.npz points.json --out results           maps; also a folder of NPY or PNG

Definitions, formats and a worked example: docs/evaluation.md.
"""
import argparse
import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from mmwindow.annotations.merging import MAJORITY, MERGE_RADIUS
from mmwindow.annotations.point_rules import POINT_RULES
from mmwindow.annotations.reader_names import KEEP, MERGE
from mmwindow.evaluation.files.finding_counts import describe_counts
from mmwindow.evaluation.files.prediction_files import IMAGE_IDS
from mmwindow.evaluation.froc import CONVENTIONS
from mmwindow.evaluation.froc_settings import BUDGETS, FP_DENOMINATORS, MAP_EXTENTS, MISSING
from mmwindow.evaluation.hit_rules import HIT_RULES
from mmwindow.evaluation.statistics.operating_point import RULES
from mmwindow.evaluation.statistics.table import additional_statistics
from mmwindow.utils.command_line import parse_names
from mmwindow.utils.messages import shorten
from mmwindow.utils.outputs import check_output_folder

MIN_RESAMPLES = 100


def parse_budgets(text: str) -> str | tuple[float, ...]:
    """Return a name of BUDGETS, or numbers that are separated by commas."""
    try:
        return text if text in BUDGETS else tuple(float(part) for part in text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'{shorten(text)}: FP rates such as .1,.5,2 are expected, or one of {", ".join(BUDGETS)}'
        ) from None


def parse_count(text: str) -> int:
    """Return a whole number of at least 0."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise argparse.ArgumentTypeError(f'{shorten(text)}: a whole number of at least 0 is expected')
    return int(text)


def parse_resamples(text: str) -> int:
    """Return a number of resamples, 0 for none."""
    number = parse_count(text)
    if 0 < number < MIN_RESAMPLES:
        raise argparse.ArgumentTypeError(f'{number}: at least {MIN_RESAMPLES} resamples are expected')
    return number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of an evaluation."""
    add = parser.add_argument
    # Required, but checked by run(): an option that takes several values may stand before them.
    add('predictions', help='ours (.npz), COCO results (.json), points or boxes (.csv), maps (.npz, '
        'a folder of .npy or .png), or .pkl').required = False
    add('annotations', nargs='+', help='COCO JSON with keypoints, boxes or polygons; or one file for '
        'each reader, NAME=FILE').required = False
    parser.set_defaults(usage_error=parser.error)
    add('--out', required=True, metavar='FOLDER', help='receives record, table, report and figures')
    add('--points-from', choices=POINT_RULES, default='auto',
        help='what an annotation gives its point by; auto: keypoints, else bbox, else polygon')
    add('--classes', type=parse_names, metavar='NAME,NAME,...',
        help='order of the classes in the predictions, where the file does not say it')
    add('--image-ids', choices=IMAGE_IDS, default='auto',
        help='what image_id of COCO results is: the id, or the number or stem of the file name')
    add('--name', help='of the system in report and figures')
    add_reader_arguments(parser)
    scoring = parser.add_argument_group('scoring')
    add = scoring.add_argument
    add('--rule', choices=HIT_RULES,
        help="hit rule; the paper's, disk_overlap, by default, distance for a CSV of points")
    add('--hit-radius', type=float,
        help='of disk_overlap and distance: pixels of a frame of side 1024 (50)')
    add('--max-overlap', type=float, help='of disk_overlap (0.1)')
    add('--min-iou', type=float, help='of box_iou (0.5)')
    add('--budgets', type=parse_budgets, default='paper', metavar='B,B,...',
        help=f'FP rates, or one of {", ".join(BUDGETS)}')
    add('--convention', choices=CONVENTIONS, default='first_crossing')
    add('--denominator', choices=FP_DENOMINATORS, default='all', dest='fp_denominator',
        help='images over which false positives are counted')
    add('--map-extent', choices=MAP_EXTENTS, default='frame',
        help='a map covers what the network sees, padding included, or the image alone')
    add('--missing', choices=MISSING, default='refuse',
        help='an image without a prediction is an error, or has no finding')
    statistics = parser.add_argument_group('statistics')
    add = statistics.add_argument
    add('--intervals', type=parse_resamples, nargs='?', const=2000, default=0, dest='num_resamples',
        metavar='RESAMPLES', help='95 %% intervals over patients (%(const)s resamples)')
    add('--seed', type=parse_count, default=0, help='of the resamples (%(default)s)')
    add('--statistics', type=parse_names, metavar='NAME,NAME,...',
        help=f'additional numbers of {", ".join(additional_statistics())}')
    add('--by', metavar='FIELD', help='a field of the images, or group, to report by')
    add('--compare', metavar='RECORD', nargs='+', action='extend',
        help='record.json of other systems on the same images; several make a leaderboard')
    add('--operating-point', metavar='RECORD', help='record.json of this system on validation images')
    add('--choose', choices=RULES, default='fp_budget', help='how the threshold is chosen')
    add('--choose-target', type=float, help='FP rate (0.1), sensitivity or specificity (0.9)')


def parse_min_readers(text: str) -> int | str:
    """Return a number of readers, or 'majority'."""
    return int(text) if text.isdecimal() else text


def add_reader_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for annotations of several readers."""
    group = parser.add_argument_group('several readers (docs/readers.md)')
    how = group.add_mutually_exclusive_group()
    how.add_argument('--merge-readers', action='store_const', const=MERGE, dest='readers',
                     help='findings that enough readers marked, merged by distance')
    how.add_argument('--keep-readers', action='store_const', const=KEEP, dest='readers',
                     help="each reader's points are the truth on their own; the mean is reported")
    how.add_argument('--reader', metavar='NAME', dest='readers', help="this reader's points alone")
    group.add_argument('--merge-radius', type=float, default=MERGE_RADIUS, metavar='PIXELS',
                       help='of a frame of side 1024: within it marks are one finding (%(default)g)')
    group.add_argument('--min-readers', type=parse_min_readers, default=MAJORITY, metavar='NUMBER',
                       help='who must have marked a finding; majority: more than half of those who '
                       'read the image (the default)')


def run(args: argparse.Namespace) -> None:
    """Score, write the results, and show the numbers."""
    from mmwindow.apis.evaluate_files import describe, evaluate_files
    options = {name: value for name, value in vars(args).items()
               if name not in ('command_line', 'usage_error')}
    take_files(options, args.usage_error)
    if args.out:
        check_output_folder(args.out, '--out')
    with one_line_warnings():
        result = evaluate_files(**options)
    for text in describe_counts(result.counts):
        print(f'evaluate: {text}', file=sys.stderr)
    print('\n'.join(describe(result)))
    print(f'report, record, table and figures are in {args.out}')


def take_files(options: dict[str, Any], usage_error: Callable[[str], Any]) -> None:
    """Give predictions and annotations back that stand behind ``--compare RECORD``, as its values.

    Args:
        options: Are changed.
        usage_error: Ends the process where they are missing.
    """
    compare = options['compare'] or []
    if options['predictions'] is None and len(compare) > 2:
        *options['compare'], options['predictions'], annotations = compare
        options['annotations'] = [annotations]
    missing = [name for name in ('predictions', 'annotations') if options[name] is None]
    if missing:
        usage_error(f'the following arguments are required: {", ".join(missing)}')


@contextlib.contextmanager
def one_line_warnings() -> Iterator[None]:
    """Show each warning of mmwindow once, as a line on standard error, whatever the filters are."""
    shown = set()

    def show(message: Warning | str, *rest: Any, **more: Any) -> None:
        line = f'evaluate: warning: {" ".join(str(message).split())}'
        if line not in shown:
            print(line, file=sys.stderr)
        shown.add(line)

    with warnings.catch_warnings():
        warnings.filterwarnings('always', category=UserWarning, module='mmwindow')
        warnings.showwarning = show
        yield
