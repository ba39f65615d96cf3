"""Turn the annotations of another tool into a point file that trains, tests and evaluates.

    SOURCE --images FOLDER --out FOLDER     writes FOLDER/points.json

SOURCE is a COCO, LabelMe, VIA or Label Studio JSON, a CVAT XML, a CSV, a DICOM report (SR) or
presentation state (GSPS), or a folder of such, of LabelMe, Pascal VOC, YOLO or mask files; the format
is recognised. Boxes, polygons and masks become points. Images that SOURCE does not mention are left
out and counted. Patients of DICOM files are numbered. docs/import.md has a table of the formats.
"""
import argparse
from pathlib import Path

from mmwindow.utils.command_line import parse_names, parse_pairs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of an import."""
    parser.add_argument('source', type=Path, help='annotations: a file or a folder')
    parser.add_argument('--images', type=Path, metavar='FOLDER',
                        help='of the images; default: "images" in or next to SOURCE, else its folder')
    parser.add_argument('--out', type=Path, required=True, metavar='FOLDER',
                        help='receives points.json')
    parser.add_argument('--format', help='of SOURCE; recognised if left out')
    parser.add_argument('--copy', action='store_true', help='copy the images into FOLDER/images')
    parser.add_argument('--anonymous-names', action='store_true',
                        help='with --copy: images get running names and are PNG of their pixels '
                             'alone; patients are numbered, columns of SOURCE left out (--fields)')
    parser.add_argument('--names-table', type=Path, metavar='FILE',
                        help='receives old and new names, for you alone; not in --out')
    parser.add_argument('--fields', metavar='A,B', help='columns of SOURCE and --table by which '
                        'results can be told apart; default: all of SOURCE, none with '
                        '--anonymous-names')
    parser.add_argument('--table', type=Path, metavar='FILE', help='CSV of further fields, such as '
                        'sex, age group or device, of images or of patients; --fields names '
                        'those to take')
    parser.add_argument('--table-by', metavar='image|patient[=COLUMN]', help='what the rows of '
                        '--table are of; default: by the names of its columns')
    parser.add_argument('--points-from', default='centre', metavar='RULE',
                        help='of boxes, polygons and masks: their centre (default), or drawn: one '
                             'to four points inside, as an annotator would click')
    parser.add_argument('--seed', type=int, default=0, help='of drawn points')
    parser.add_argument('--unlisted', default='leave', metavar='leave|negative',
                        help='images that SOURCE does not mention: leave them out (default), or '
                             'take them as negative images')
    parser.add_argument('--patients', metavar='PATTERN|dicom|none',
                        help='regular expression for file names, whose first group names the '
                             'patient, as in "^(p[0-9]+)_"; or dicom: of the tag, also where SOURCE '
                             'names others. Default: those of SOURCE, else of the tag')
    parser.add_argument('--keep-ids', action='store_true', help='write what DICOM files say of '
                        'patients and readers; they are numbered otherwise')
    parser.add_argument('--classes', metavar='A,B', help='take these alone, in this order')
    parser.add_argument('--rename', nargs='+', default=[], metavar='OLD=NEW', help='names of classes')
    parser.add_argument('--columns', nargs='+', default=[], metavar='ROLE=NAME',
                        help='of a CSV: image, x, y, cx, cy, x1, y1, x2, y2, width, height, class, '
                             'patient, reader')
    parser.add_argument('--label', default='finding', help='class of findings that have none')
    parser.add_argument('--label-attribute', metavar='NAME', help='that holds the class (VIA); of '
                        'presentation states: text or layer')
    parser.add_argument('--pixel-origin', type=int, default=0, metavar='0|1', help='1: pixels count '
                        'from one, as in the files of the PASCAL challenges (VOC)')
    parser.add_argument('--mask-values', default='finding', metavar='finding|instance|class',
                        help='what the grey values of masks mean')
    parser.add_argument('--names', type=Path, metavar='FILE', help='with class names in order (YOLO)')
    parser.add_argument('--orientation', choices=('shown', 'stored'), help='whether SOURCE was made '
                        'on images turned by their orientation tag; default: as its tool does')


def run(args: argparse.Namespace) -> None:
    """Import, and print what came out."""
    from mmwindow.annotations.importers.assemble import AssemblySettings
    from mmwindow.annotations.importers.options import ImportOptions
    from mmwindow.apis.annotation_files import OutputSettings, import_annotations
    if args.table_by is not None and args.table is None:
        raise ValueError('--table-by says what the rows of a table are of: add --table')
    options = ImportOptions(
        table=args.table, table_by=args.table_by,
        columns=parse_pairs(args.columns, '--columns'), label=args.label,
        label_attribute=args.label_attribute, pixel_origin=args.pixel_origin,
        mask_values=args.mask_values, names=args.names, images=args.images, keep_ids=args.keep_ids,
        is_displayed=None if args.orientation is None else args.orientation == 'shown')
    is_word = args.patients in ('dicom', 'none')
    settings = AssemblySettings(
        points_from=args.points_from, seed=args.seed, unlisted=args.unlisted,
        patient_pattern=None if is_word else args.patients,
        patients_from=args.patients if is_word else 'auto', keep_ids=args.keep_ids,
        rename=parse_pairs(args.rename, '--rename'),
        classes=tuple(filter(None, parse_names(args.classes or ''))),
        fields=None if args.fields is None else tuple(filter(None, parse_names(args.fields))))
    output = OutputSettings(args.copy, args.anonymous_names, args.names_table)
    report = import_annotations(args.source, args.out, args.images, options, settings, args.format,
                                output)
    print('\n'.join(report.lines()))
