"""Write a sheet of what a model is taught: augmented images with points, bounds, boxes or labels."""
import argparse

from mmwindow.utils.command_line import add_options_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a sheet."""
    add = parser.add_argument
    add('config', metavar='CONFIG', help='the config file')
    add('--out', metavar='FILE', default='browse.png',
        help='the sheet, .png, .jpg, .pdf or .svg (%(default)s)')
    add('--num', type=int, default=12, metavar='NUMBER', help='images (%(default)s)')
    add('--split', choices=['train', 'val', 'test'], default='train',
        help='of the data (%(default)s)')
    add('--seed', type=int, default=0, help='of the choice and the augmentation (%(default)s)')
    add_options_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Write the sheet."""
    from mmwindow.apis.browse import browse
    from mmwindow.utils.outputs import check_output_file
    check_output_file(args.out, '--out')
    try:
        path = browse(args.config, args.out, args.num, args.split, args.seed, args.cfg_options)
    except ImportError as error:
        raise ValueError(str(error)) from error
    print(f'sheet: {path}')
