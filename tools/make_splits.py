#!/usr/bin/env python
"""Divide a point file by patient: five folds (70 / 10 / 20 %) in one JSON, or one split.

    tools/make_splits.py points.json --out folds.json            write the folds and check them
    tools/make_splits.py points.json --check folds.json          only check them
    tools/make_splits.py points.json --out folds.json --files F  also F/fold0/{train,val,test}.json
    tools/make_splits.py points.json --out FOLDER --single       FOLDER/{train,val,test}.json

No group (images[*].group) is ever divided; positive and negative images are spread evenly.
"""
import argparse
from pathlib import Path

from mmwindow.annotations.point_file import read_point_file
from mmwindow.datasets.folds import check_folds, make_folds, write_fold_files, write_folds
from mmwindow.datasets.splits import describe_split, write_splits


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('points', type=Path, help='the point file (COCO JSON)')
    parser.add_argument('--out', type=Path, help='the folds file; default: folds.json next to '
                                                 'the points. With --single a folder')
    parser.add_argument('--folds', type=int, default=5, help='number of folds')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--files', type=Path, metavar='FOLDER',
                        help='also write the point files of each fold')
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument('--check', type=Path, metavar='FOLDS', help='check this file, write none')
    mode.add_argument('--single', action='store_true', help='one split instead of folds')
    return parser.parse_args()


def report(points, folds):
    """Print images and positives of each part of each fold."""
    is_positive = {record.img_id: bool(record.points) for record in read_point_file(points).records}
    for number, fold in enumerate(folds['folds']):
        print(f'fold {number}: {describe_split(fold, is_positive)}')


def main():
    args = parse_args()
    try:
        if args.single:
            out = args.out or args.points.parent / 'annotations'
            splits = write_splits(args.points, out, num_folds=None, seed=args.seed)
            positive = [bool(record.points) for record in read_point_file(args.points).records]
            for folder, split in splits.items():
                print(f'{folder}: {describe_split(split, positive)}')
            return
        path = args.check or args.out or args.points.parent / 'folds.json'
        if not args.check:
            write_folds(path, make_folds(args.points, args.folds, args.seed))
        folds = check_folds(path, args.points)
        report(args.points, folds)
        if args.files:
            write_fold_files(folds, args.points, args.files)
    except (ValueError, OSError) as error:
        raise SystemExit(f'make_splits: {error}') from error
    print(f'{path}: {len(folds["folds"])} folds of {args.points}, no group divided, each image '
          f'tested once; seed {folds.get("seed", "not noted")}')


if __name__ == '__main__':
    main()
