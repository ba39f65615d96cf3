#!/usr/bin/env python
"""Turn FracAtlas' fracture polygons into points and a split by group; images are not copied."""
import argparse

from mmwindow.datasets.fracatlas import convert_fracatlas
from mmwindow.utils.command_line import one_line_errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', help="FracAtlas' folder: fractures.json and images/")
    parser.add_argument('--out', default='data/fracatlas', help='where annotations/ is written')
    parser.add_argument('--seed', type=int, default=0, help='of the points and the folds')
    parser.add_argument('--fold', type=int, default=0, help='which of the five folds is tested')
    args = parser.parse_args()
    with one_line_errors('convert_fracatlas'):
        parts = convert_fracatlas(args.source, args.out, args.seed, args.fold)
    for name, numbers in parts.items():
        print(f'{name:5} ' + ', '.join(f'{value} {key}' for key, value in numbers.items()))
    print(f'written to {args.out}/annotations')


if __name__ == '__main__':
    main()
