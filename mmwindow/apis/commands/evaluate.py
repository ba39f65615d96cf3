"""Score saved predictions of any framework against points, boxes or polygons (COCO JSON).

    predictions.npz points.json --out results    tools/test.py --out
    boxes.json points.json --out results         COCO results
    maps.npz points.json --out results           maps; also a folder of NPY or PNG

Definitions, formats and a worked example: docs/evaluation.md.
"""
import argparse

from mmwindow.annotations.merging import MAJORITY, MERGE_RADIUS
from mmwindow.annotations.point_rules import POINT_RULES
from mmwindow.annotations.reader_names import KEEP, MERGE
from mmwindow.evaluation.files.prediction_files import IMAGE_IDS
from mmwindow.evaluation.froc import CONVENTIONS
from mmwindow.evaluation.froc_settings import BUDGETS, FP_DENOMINATORS, MAP_EXTENTS, MISSING
from mmwindow.evaluation.hit_rules import HIT_RULES
from mmwindow.evaluation.statistics.operating_point import RULES
from mmwindow.evaluation.statistics.table import additional_statistics
from mmwindow.utils.messages import shorten


def parse_budgets(text: str) -> str | tuple[float, ...]:
    """Return a name of BUDGETS, or numbers that are separated by commas."""
    try:
        return text if text in BUDGETS else tuple(float(part) for part in text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'{shorten(text)}: FP rates such as .1,.5,2 are expected, or one of {", ".join(BUDGETS)}'
        ) from None


def parse_names(text: str) -> tuple[str, ...]:
    """Return names that are separated by commas."""
    return tuple(text.split(','))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of an evaluation."""
    add = parser.add_argument
    add('predictions', help='ours (.npz), COCO results (.json), maps (.npz, a folder of .npy or '
        '.png), or .pkl')
    add('annotations', nargs='+', help='COCO JSON with keypoints, boxes or polygons; or one file for '
        'each reader, NAME=FILE')
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
    add('--rule', choices=HIT_RULES, default='disk_overlap', help="hit rule; the paper's by default")
    add('--hit-radius', type=float, default=50., help='pixels of a frame of side 1024 (%(default)g)')
    add('--max-overlap', type=float, default=0.1, help='of disk_overlap (%(default)g)')
    add('--min-iou', type=float, default=0.5, help='of box_iou (%(default)g)')
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
    add('--intervals', type=int, nargs='?', const=2000, default=0, dest='num_resamples',
        metavar='RESAMPLES', help='95 %% intervals over patients (%(const)s resamples)')
    add('--seed', type=int, default=0, help='of the resamples (%(default)s)')
    add('--statistics', type=parse_names, metavar='NAME,NAME,...',
        help=f'additional numbers of {", ".join(additional_statistics())}')
    add('--by', metavar='FIELD', help='a field of the images, or group, to report by')
    add('--compare', metavar='RECORD', help='record.json of another system on the same images')
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
    options = {name: value for name, value in vars(args).items() if name != 'command_line'}
    print('\n'.join(describe(evaluate_files(**options))))
    print(f'report, record, table and figures are in {args.out}')
