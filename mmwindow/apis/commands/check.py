"""Check a data set before a training: what is wrong with it, and what to do.

PATH is a point file, a data folder (points.json, or annotations/{train,val,test}.json), or the
annotations of another tool that `mmwindow import` reads. Every image is read once. No image is ever
changed. Exit status 1: a training is impossible. docs/check.md explains each check.
"""
import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a check."""
    parser.add_argument('path', type=Path, metavar='PATH', help='what is checked')
    parser.add_argument('--images', type=Path, metavar='FOLDER',
                        help='of the images; default: where PATH says they are, or next to it')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the report as JSON')
    parser.add_argument('--html', type=Path, metavar='FILE',
                        help='write the report as one page with pictures')
    parser.add_argument('--fix', type=Path, metavar='OUT',
                        help='write a cleaned point file: OUT.json, or of splits a folder')
    parser.add_argument('--runs', type=Path, metavar='FOLDER', help='of `mmwindow folds`: images '
                        'whose scores contradict their labels are named')
    parser.add_argument('--bit-depth', type=int, metavar='9..16',
                        help='of images stored in 16 bits')
    parser.add_argument('--max-pixels', type=int, metavar='NUMBER',
                        help='of the largest image that is read')
    parser.add_argument('--processes', type=int, metavar='N',
                        help='that read images; default: as many as processors')
    parser.add_argument('--seed', type=int, default=0, help='of the folds for shortcut cues')
    parser.add_argument('--timing', action='store_true', help='print what the check cost')


def run(args: argparse.Namespace) -> None:
    """Check, print, and write what is asked for."""
    from mmwindow.apis.doctor.check_data import CheckSettings, check_data
    from mmwindow.apis.doctor.cleaning import check_fix_target, write_fixed
    from mmwindow.apis.doctor.data_source import find_point_files
    from mmwindow.apis.doctor.report_html import write_report_html
    from mmwindow.apis.doctor.report_json import write_report_json
    from mmwindow.apis.doctor.report_text import render_text
    from mmwindow.images.decode import MAX_PIXELS, ImageSettings
    from mmwindow.utils.messages import shorten
    from mmwindow.utils.outputs import check_not_source, check_output_file
    if args.processes is not None and args.processes < 1:
        raise ValueError(f'--processes {args.processes}: at least one is needed')
    sources = [args.path, *(find_point_files(args.path) if args.path.exists() else {}).values()]
    for option in ('json', 'html'):
        target = getattr(args, option)
        if target is not None:
            if target.suffix.lower() != f'.{option}':
                raise ValueError(f'--{option} {shorten(str(target))}: a name that ends in .{option} '
                                 'is expected')
            check_not_source(target, sources, f'--{option}')
            check_output_file(target, f'--{option}')
    if args.fix is not None:
        check_fix_target(args.path, args.fix)
    image_settings = ImageSettings(
        args.bit_depth, MAX_PIXELS if args.max_pixels is None else args.max_pixels)
    report = check_data(args.path, CheckSettings(
        args.images, args.runs, image_settings, args.processes, args.seed))
    print(render_text(report, args.timing))
    if args.json is not None:
        write_report_json(report, args.json)
    if args.html is not None:
        write_report_html(report, args.html, image_settings)
    if args.fix is not None:
        print('\n'.join(['', *write_fixed(report, args.fix).lines()]))
    if report.status:
        raise SystemExit(report.status)
