"""Work with point files: export them for other tools.

    export POINTS.json --format cvat --out FILE      formats: coco, cvat, label_studio, csv

Points are turned as the tool shows the image.
"""
import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be done, and its arguments."""
    actions = parser.add_subparsers(dest='action', required=True, metavar='ACTION')
    export = actions.add_parser('export', help='write a point file for another tool')
    export.add_argument('points', type=Path, help='the point file')
    export.add_argument('--format', required=True, metavar='NAME',
                        help='coco, cvat, label_studio, csv')
    export.add_argument('--out', type=Path, required=True, metavar='FILE')
    export.add_argument('--images', type=Path, metavar='FOLDER',
                        help='of the images; default: where the point file says')


def run(args: argparse.Namespace) -> None:
    """Export."""
    from mmwindow.apis.annotation_files import export_annotations
    number = export_annotations(args.points, args.out, args.format, args.images)
    print(f'{args.out}: {number} images written')
