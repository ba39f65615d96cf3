#!/usr/bin/env python
"""Write the synthetic radiographs: ``tools/make_synthetic.py [FOLDER]``."""
import argparse
import time

from mmwindow.synthetic import contact_sheet, write_dataset
from mmwindow.utils.command_line import one_line_errors


def parse_args():
    parser = argparse.ArgumentParser(description='Write a data set of synthetic radiographs.')
    parser.add_argument('folder', nargs='?', default='data/synthetic', help='where')
    parser.add_argument('--seed', type=int, default=0, help='of the whole data set')
    parser.add_argument('--num-train', type=int, default=480)
    parser.add_argument('--num-val', type=int, default=80)
    parser.add_argument('--num-test', type=int, default=160)
    parser.add_argument('--side', type=int, default=256, help='long edge in pixels')
    parser.add_argument('--workers', type=int, help='processes (default: two, where there are)')
    parser.add_argument('--sheet', metavar='FILE.png', help='also write a contact sheet')
    return parser.parse_args()


def main():
    args = vars(parse_args())
    sheet = args.pop('sheet')
    start = time.monotonic()
    folder = write_dataset(**args)
    print(f'{folder}: done in {time.monotonic() - start:.1f} s')
    if sheet:
        print(contact_sheet(sheet, args['seed'], side=args['side'], show_points=True))


if __name__ == '__main__':
    with one_line_errors('make_synthetic'):
        main()
