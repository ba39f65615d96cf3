"""Divide a point file by patient: five folds (70 / 10 / 20 %) in one JSON, or one split.

    points.json --out folds.json            write the folds and check them
    points.json --check folds.json          only check them
    points.json --out folds.json --files F  also F/fold0/{train,val,test}.json
    points.json --out FOLDER --single       FOLDER/{train,val,test}.json
    points.json --without test.json --out development/folds.json
                                            folds of all other images, for mmwindow tune; their
                                            point file is written next to them

No group (images[*].group) is ever divided; positive and negative images are spread evenly.
"""
import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmwindow.utils.messages import count_words
from mmwindow.utils.outputs import check_not_source, check_output_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a division."""
    parser.add_argument('points', type=Path, help='the point file (COCO JSON)')
    parser.add_argument('--out', type=Path, help='the folds file; default: folds.json next to '
                                                 'the points. With --single a folder')
    parser.add_argument('--folds', type=int, default=5, help='number of folds')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--files', type=Path, metavar='FOLDER',
                        help='also write the point files of each fold')
    parser.add_argument('--without', type=Path, metavar='FILE',
                        help='leave out the images of this point file; needs --out')
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument('--check', type=Path, metavar='FOLDS', help='check this file, write none')
    mode.add_argument('--single', action='store_true', help='one split instead of folds')


def report(points: Path, folds: dict[str, Any]) -> None:
    """Print images and positives of each part of each fold."""
    from mmwindow.annotations.point_file import read_point_file
    from mmwindow.datasets.splits import describe_split
    is_positive = {record.img_id: bool(record.points)
                   for record in read_point_file(points, readers='all').records}
    for number, fold in enumerate(folds['folds']):
        print(f'fold {number}: {describe_split(fold, is_positive)}')


def check_targets(args: argparse.Namespace, out: Path, sources: Sequence[Path | None]) -> None:
    """Check before anything is written that no file which is read would be overwritten.

    Raises:
        ValueError: One would.
    """
    from mmwindow.datasets.splits import SPLITS
    if args.single:
        for name in SPLITS:
            check_not_source(out / f'{name}.json', sources, '--out')
        return
    if not args.check:
        check_not_source(out, sources, '--out')
    for number in range(args.folds if args.files else 0):
        for name in SPLITS:
            check_not_source(args.files / f'fold{number}' / f'{name}.json', sources, '--files')


def run(args: argparse.Namespace) -> None:
    """Divide, or check a division."""
    from mmwindow.annotations.point_file import read_point_file
    from mmwindow.datasets.folds import check_folds, make_folds, write_fold_files, write_folds
    from mmwindow.datasets.splits import describe_split, write_rest, write_splits
    sources = [args.points, args.without]
    if args.without:
        if args.out is None or args.check or args.out.suffix != '.json' and not args.single:
            raise ValueError('--without: say with --out where the folds of the other images go, such '
                             'as development/folds.json; a point file of these images is written '
                             'next to them')
        check_output_folder(args.out.parent, '--out')
        args.points = write_rest(args.points, args.without, args.out.parent / 'points.json')
        print(f'{args.points}: the images that are not in {args.without}')
        sources.append(args.points)
    for place, option in ((args.out, '--out'), (args.files, '--files')):
        if place is not None:
            check_output_folder(place if args.single or option == '--files' else place.parent, option)
    out = args.out or args.points.parent / ('annotations' if args.single else 'folds.json')
    check_targets(args, out, sources)
    if args.single:
        splits = write_splits(args.points, out, num_folds=None, seed=args.seed)
        positive = [bool(record.points)
                    for record in read_point_file(args.points, readers='all').records]
        for folder, split in splits.items():
            print(f'{folder}: {describe_split(split, positive)}')
        return
    path = args.check or out
    if not args.check:
        write_folds(path, make_folds(args.points, args.folds, args.seed))
    folds = check_folds(path, args.points)
    report(args.points, folds)
    if args.files:
        write_fold_files(folds, args.points, args.files)
    print(f'{path}: {count_words(len(folds["folds"]), "fold")} of {args.points}, no group divided, '
          f'each image '
          f'tested once; seed {folds.get("seed", "not noted")}')
