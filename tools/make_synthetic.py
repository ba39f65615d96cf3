#!/usr/bin/env python
"""Write the synthetic radiographs: ``tools/make_synthetic.py [FOLDER]``.

With ``--clicks 120`` they are 120 images and a table of clicks, as a research group has its own data.
"""
import argparse
import time

from mmwindow.synthetic import contact_sheet, write_clicks, write_dataset
from mmwindow.utils.command_line import one_line_errors


def parse_args():
    parser = argparse.ArgumentParser(description='Write a data set of synthetic radiographs.')
    parser.add_argument('folder', nargs='?', default='data/synthetic', help='where')
    parser.add_argument('--seed', type=int, default=0, help='of the whole data set')
    parser.add_argument('--num-train', type=int, default=480)
    parser.add_argument('--num-val', type=int, default=80)
    parser.add_argument('--num-test', type=int, default=160)
    parser.add_argument('--side', type=int, help='long edge in pixels; default: 256, of --clicks 512')
    parser.add_argument('--clicks', type=int, metavar='NUMBER',
                        help='write so many images and clicks.csv instead of a divided data set')
    parser.add_argument('--workers', type=int, help='processes (default: two, where there are)')
    parser.add_argument('--sheet', metavar='FILE.png', help='also write a contact sheet')
    return parser.parse_args()


def main():
    args = vars(parse_args())
    sheet, clicks = args.pop('sheet'), args.pop('clicks')
    args['side'] = args['side'] or (256 if clicks is None else 512)
    start = time.monotonic()
    if clicks is None:
        written = write_dataset(**args)
    else:
        written = write_clicks(args['folder'], clicks, args['seed'], args['side'],
                               workers=args['workers'])
    print(f'{written}: done in {time.monotonic() - start:.1f} s')
    if sheet:
        print(contact_sheet(sheet, args['seed'], side=args['side'], show_points=True))


if __name__ == '__main__':
    with one_line_errors('make_synthetic'):
        main()
