"""Between point files and annotation tools: pictures to annotate, points for another tool.

    pictures FOLDER --out DIR                        PNG of DICOM and other images, for any tool
    export POINTS.json --format cvat --out FILE      formats: coco, cvat, label_studio, csv

Pictures keep the names of their images, so that mmwindow import finds the images of what was
annotated on them. Exported points are turned as the tool shows the image.
"""
import argparse
from pathlib import Path

from mmwindow.utils.messages import count_words


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
    pictures = actions.add_parser('pictures', help='write PNG of 8 bits that any tool can show')
    pictures.add_argument('images', type=Path, metavar='FOLDER', help='of images, DICOM among them')
    pictures.add_argument('--out', type=Path, required=True, metavar='DIR')
    pictures.add_argument('--bit-depth', type=int, metavar='9..16',
                          help='of images stored in 16 bits')
    pictures.add_argument('--max-pixels', type=int, metavar='NUMBER',
                          help='of the largest image that is read')


def run(args: argparse.Namespace) -> None:
    """Export, or write pictures."""
    if args.action == 'pictures':
        from mmwindow.apis.annotation_pictures import write_pictures
        from mmwindow.images.decode import MAX_PIXELS, ImageSettings
        number = write_pictures(args.images, args.out, ImageSettings(
            args.bit_depth, MAX_PIXELS if args.max_pixels is None else args.max_pixels))
        print(f'{args.out}: {number} pictures, PNG of 8 bits of the same size and name; nothing but '
              'pixels is in them, and text drawn into the pixels stays')
        return
    from mmwindow.apis.annotation_files import export_annotations
    number = export_annotations(args.points, args.out, args.format, args.images)
    print(f'{args.out}: {count_words(number, "image")} written')
