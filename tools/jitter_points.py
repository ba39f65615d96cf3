#!/usr/bin/env python
"""Move the points of point files at random, as imprecise clicks would lie; images are not touched.

To ask what imprecise clicks cost, move the points to train and to validate with, and test on those
that were not moved.
"""
import argparse
from pathlib import Path

from mmwindow.annotations.jitter import jitter_points
from mmwindow.annotations.point_file import point_file_content, read_point_file, write_point_file
from mmwindow.annotations.reader_names import ALL
from mmwindow.utils.command_line import one_line_errors
from mmwindow.utils.messages import count_words, shorten


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('files', nargs='+', metavar='FILE', help='point files')
    parser.add_argument('--jitter', type=float, required=True, metavar='PIXELS',
                        help='root mean square distance, in pixels of a frame of side 1024')
    parser.add_argument('--out', required=True, metavar='FOLDER',
                        help='receives a file of the same name for each')
    parser.add_argument('--seed', type=int, default=0, help='of directions and distances')
    parser.add_argument('--points-from', default='auto',
                        help='how an annotation gives its points (docs/annotations.md)')
    args = parser.parse_args()
    with one_line_errors('jitter_points'):
        targets = [Path(args.out) / Path(name).name for name in args.files]
        for name, target in zip(args.files, targets, strict=True):
            if target.exists():
                raise ValueError(f'{shorten(str(target))}: is there already; give another --out')
            if targets.count(target) > 1:
                raise ValueError(f'{shorten(name)}: another FILE has this name, too, and both would '
                                 f'be written to {shorten(str(target))}; call the tool for each')
        found = []
        for name in args.files:  # all of them before the first is written
            point_file = read_point_file(name, points_from=args.points_from, readers=ALL)
            try:
                found.append(jitter_points(point_file, args.jitter, args.seed))
            except ValueError as error:
                raise ValueError(f'{shorten(name)}: {error}') from error
        for moved, target in zip(found, targets, strict=True):
            write_point_file(target, point_file_content(moved.point_file))
            number = sum(len(record.points) for record in moved.point_file.records)
            print(f'{target}: {count_words(number, "point")} moved by {moved.distance:.1f} of 1024 '
                  f'pixels (root mean square), {moved.num_held} held at the border')


if __name__ == '__main__':
    main()
