#!/usr/bin/env python
"""Divide a point file by patient: five folds (70 / 10 / 20 %), or one split.

Writes OUT/fold0/{train,val,test}.json to fold4, or with --single OUT/{train,val,test}.json. No group
(images[*].group) is ever divided; positives and normals are spread evenly.
"""
import argparse
from pathlib import Path

from mmwindow.datasets.point_file import read_point_file
from mmwindow.datasets.splits import describe_split, write_splits


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('points', type=Path, help='the point file (COCO JSON)')
    parser.add_argument('--out', type=Path, help='folder to write; default: annotations/ beside it')
    parser.add_argument('--folds', type=int, default=5, help='number of folds')
    parser.add_argument('--single', action='store_true', help='one split instead of folds')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    out = args.out or args.points.parent / 'annotations'
    try:
        records = read_point_file(args.points).records
        splits = write_splits(args.points, out, num_folds=None if args.single else args.folds,
                              seed=args.seed)
    except ValueError as error:
        raise SystemExit(f'make_splits: {error}') from error
    positive = [bool(record.points) for record in records]
    for folder, split in splits.items():
        print(f'{folder}: {describe_split(split, positive)}')


if __name__ == '__main__':
    main()
