"""Predict images with a trained model; no annotation file is needed.

    predict RUN image.png folder --out results        a run folder: its best checkpoint
    predict model.pth 'images/*.png' --out results    a checkpoint that describes its model
    predict CONFIG CHECKPOINT folder --out results    an older checkpoint (or --config CONFIG)
    predict model.onnx folder --out results           an exported model: no torch
    predict fracatlas image.dcm --out results --dicom sr

Writes images.csv, findings.csv, predictions.json (for "mmwindow evaluate") and pictures. The model's
own operating point decides what is called. Not for clinical use. Formats: docs/predict.md.
"""
import argparse
import logging
import sys
import warnings

from mmwindow.utils.command_line import add_options_argument
from mmwindow.utils.messages import count_words, shorten

CONFIG_SUFFIXES = ('.py', '.yaml', '.yml')


def parse_score(text: str) -> float:
    """Return a score from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f'{shorten(text)}: a score from 0 to 1 is expected')
    return value


def parse_whole(text: str) -> int:
    """Return a whole number of at least 1."""
    if not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{shorten(text)}: a whole number of at least 1 is expected')
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a prediction."""
    add = parser.add_argument
    add('model', metavar='MODEL', help='a run folder, a checkpoint, CONFIG CHECKPOINT, an exported '
        '.onnx file, or a name of the zoo')
    add('inputs', metavar='INPUT', nargs='+', help='image files, DICOM among them, folders, or '
        "patterns such as 'images/*.png'")
    add('--out', required=True, metavar='DIR', help='folder for the results')
    add('--config', metavar='FILE', help='of a checkpoint that does not describe its model')
    add('--threshold', type=parse_score, metavar='SCORE',
        help="what is called, 0 to 1; by default the model's operating point, else 0.5")
    add('--batch-size', type=parse_whole, default=1, metavar='NUMBER',
        help='images that the network gets at once (%(default)s)')
    add('--tta', action='store_true', help='average mirrored and turned views')
    add('--recursive', action='store_true', help='read folders within folders, too')
    add('--maps', action=argparse.BooleanOptionalAction, default=True,
        help='keep the maps in predictions.npz, by which predictions can be evaluated')
    add('--overlays', action=argparse.BooleanOptionalAction, default=True,
        help='paint pictures, into DIR/overlays')
    add('--dicom', nargs='+', choices=('sr', 'gsps', 'sc'), default=(), metavar='KIND',
        help='for DICOM images also structured reports (sr), presentation states (gsps), secondary '
        'captures (sc), into DIR/dicom')
    add('--dicom-marks', choices=('points', 'boxes'), default='',
        help='what marks a finding there (sr: points, gsps: boxes)')
    add('--bit-depth', type=parse_whole, metavar='BITS', help='of 16-bit images that do not say it')
    add('--max-pixels', type=parse_whole, metavar='NUMBER', help='of the largest image that is read')
    add('--device', help='cpu, cuda:0 and so on; by default a GPU where there is one')
    add_options_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Predict, and show what was found.

    Raises:
        SystemExit: Status 1 where some images could not be predicted; all others were.
    """
    from mmwindow.apis.predict import PredictSettings, predict
    logging.raiseExceptions = False
    if not sys.warnoptions:
        warnings.simplefilter('ignore')
    inputs, checkpoint = list(args.inputs), None
    if args.model.endswith(CONFIG_SUFFIXES):
        checkpoint = inputs.pop(0)
        if not inputs:
            raise ValueError(f'{shorten(args.model)} {shorten(checkpoint)}: no image to predict '
                             'came; CONFIG CHECKPOINT INPUT are expected')
    result = predict(args.model, inputs, args.out, PredictSettings(
        threshold=args.threshold, batch_size=args.batch_size, tta=args.tta, recursive=args.recursive,
        maps=args.maps, overlays=args.overlays, dicom=tuple(dict.fromkeys(args.dicom)),
        dicom_marks=args.dicom_marks, bit_depth=args.bit_depth, max_pixels=args.max_pixels,
        device=args.device, cfg_options=args.cfg_options), checkpoint, args.config, args.command_line)
    for note in result.notes:
        print(f'predict: {note}', file=sys.stderr)
    for line in result.thresholds.describe():
        print(f'threshold  {line}')
    print(f'images     {result.num_images}, of which {result.num_called} are called')
    print(f'findings   {result.num_findings}')
    if result.num_dicom:
        print(f'DICOM      {count_words(result.num_dicom, "object")}, for research, not for '
              f'clinical use')
    print(f'results are in {args.out}')
    if result.failed:
        print(f'predict: {count_words(len(result.failed), "image lacks", "images lack")} a result '
              f'that was asked for; failed.csv '
              'lists them', file=sys.stderr)
        raise SystemExit(1)
