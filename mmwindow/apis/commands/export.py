"""Write a trained model for prediction without torch: ONNX, checked against torch on images.

    mmwindow export work_dirs/my_run --out model.onnx          a run folder: its best checkpoint
    mmwindow export best.pth --out model.onnx                  a checkpoint that describes its model
    mmwindow export config.py best.pth --out model.onnx        an older one
    mmwindow export my_run --out model.onnx --half             also half as large
    mmwindow export my_run --out model.onnx --int8 images --verify points.json

mmwindow.runtime predicts with the file (docs/export.md). Faster R-CNN becomes a .zip of two graphs.
"""
import argparse


def parse_count(text: str) -> int:
    """Return a number of images, at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f'{number}: at least 1 image is expected')
    return number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of an export."""
    add = parser.add_argument
    add('model', metavar='MODEL', help='a run folder, a checkpoint, or a config')
    add('checkpoint', metavar='CHECKPOINT', nargs='?', help='the weights, where MODEL is a config')
    add('--out', required=True, metavar='FILE', help='the file: .onnx, or .zip for Faster R-CNN')
    add('--images', metavar='DIR', help='radiographs to compare with torch on (the validation images '
        'of the config, else synthetic ones)')
    add('--num-images', type=parse_count, default=8, metavar='N',
        help='how many of them (%(default)s)')
    add('--half', action='store_true', help='also write FILE_half: weights in half precision, half '
        'as large, computed in single precision')
    group = parser.add_argument_group('8-bit weights')
    add = group.add_argument
    add('--int8', metavar='DIR', help='also write FILE_int8.onnx, calibrated on the images in DIR, '
        'if it scores as well')
    add('--verify', metavar='POINTS', help='point file of at least 600 images on which both are '
        'scored')
    add('--verify-images', metavar='DIR', help='their folder (images next to the folder of POINTS)')


def run(args: argparse.Namespace) -> None:
    """Export, and say how the file differs from torch."""
    if (args.int8 is None) != (args.verify is None):
        raise ValueError('--int8 and --verify are given together: 8-bit weights are kept only if '
                         'they score as well, on the images of a point file')
    try:
        from mmwindow.apis.export import export
    except ImportError as error:
        if error.name not in ('onnx', 'onnxruntime'):
            raise
        raise ValueError(f'{error.name} is not installed; pip install "mmwindow[export]", or pip '
                         'install -r requirements/export.txt') from error
    result = export(args.model, args.out, args.checkpoint, args.images, args.num_images)
    print(f'{result.path}: {result.info.system}, {result.path.stat().st_size / 1e6:.1f} MB')
    print(f'checked against torch on {result.check.describe()}')
    if args.half:
        from mmwindow.apis.export_half import export_half
        print(export_half(result.path, result.sources).describe())
    if args.int8 is not None:
        from mmwindow.apis.export_int8 import export_int8
        print(export_int8(result.path, args.int8, args.verify, args.verify_images).describe())
