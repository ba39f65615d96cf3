"""Write a point file for another tool.

    POINTS.json --format cvat --out FILE      formats: coco, cvat, label_studio, csv

Points are turned as the tool shows the image.
"""
import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of an export."""
    parser.add_argument('points', type=Path, help='the point file')
    parser.add_argument('--format', required=True, metavar='NAME', help='coco, cvat, label_studio, csv')
    parser.add_argument('--out', type=Path, required=True, metavar='FILE')
    parser.add_argument('--images', type=Path, metavar='FOLDER',
                        help='of the images; default: where the point file says')


def run(args: argparse.Namespace) -> None:
    """Export."""
    from mmwindow.apis.annotation_files import export_annotations
    number = export_annotations(args.points, args.out, args.format, args.images)
    print(f'{args.out}: {number} images written')
