"""Write synthetic radiographs as other people's data, to try every step of mmwindow with.

    python -m mmwindow.synthetic FOLDER --as clicks --number 300

clicks: PNG and a table of clicks, clicks.csv; faulty-clicks: the same with three common faults.
readings: PNG and a table of three readers, readings.csv. label-studio: DICOM files and Label Studio's
JSON. fracatlas: the folders of FracAtlas; with --from DIR of its real development part.
"""
import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from mmwindow.synthetic import sources
from mmwindow.synthetic.clicks import write_clicks
from mmwindow.utils.command_line import OneLineParser, one_line_errors

KINDS: dict[str, Callable[[Path, int, int, int], Path]] = {
    'clicks': write_clicks, 'faulty-clicks': sources.write_faulty_clicks,
    'readings': sources.write_readings, 'label-studio': sources.write_label_studio,
    'fracatlas': sources.write_fracatlas}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the data that a command line asks for.

    Args:
        arguments: After the program; those of this process if None.

    Raises:
        SystemExit: Status 2 for bad usage, 1 for any other error of the user's.
    """
    parser = OneLineParser(prog='python -m mmwindow.synthetic', description=__doc__,
                           formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path, help='where')
    parser.add_argument('--as', dest='kind', choices=KINDS, default='clicks', help='whose data')
    parser.add_argument('--number', type=int, default=120, help='of images (120)')
    parser.add_argument('--side', type=int, default=512, help='long edge in pixels (512)')
    parser.add_argument('--seed', type=int, default=0, help='of all images (0)')
    parser.add_argument('--from', dest='source', metavar='DIR', default='',
                        help='fracatlas: fractures.json and images/ of the development part, copied; '
                             'empty: a synthetic stand-in')
    args = parser.parse_args(sys.argv[1:] if arguments is None else list(arguments))
    start = time.monotonic()
    with one_line_errors('mmwindow.synthetic'):
        if args.source:
            if args.kind != 'fracatlas':
                raise ValueError(f'--from {args.source}: it goes with --as fracatlas alone')
            written = sources.copy_fracatlas(args.folder, args.source)
        else:
            written = KINDS[args.kind](args.folder, args.number, args.seed, args.side)
        print(f'{written} written in {time.monotonic() - start:.0f} s')


if __name__ == '__main__':
    main()
