"""Decode images before a training, or say what the cache of images takes.

    CONFIG                    the images of a config's data sets, at its input size
    points.json --input-size 1024      the images of a point file
    --size                    what the cache takes
    --clear                   take all images out of it

A training reads what is in the cache, and decodes and keeps what is not: DICOM by itself, other
formats where the config sets cache=True or this command has decoded them. The cache lies in the
folder images of --out, else of the environment variable MMWINDOW_CACHE, else of
$XDG_CACHE_HOME/mmwindow or ~/.cache/mmwindow; docs/images.md says what is in it.
"""
import argparse
from pathlib import Path

from mmwindow.utils.command_line import add_options_argument
from mmwindow.utils.messages import count_words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the cache."""
    parser.add_argument('source', nargs='?', type=Path, metavar='CONFIG|POINTS',
                        help='a config (.py) or a point file (.json)')
    parser.add_argument('--out', metavar='DIR', help='where the cache lies, as MMWINDOW_CACHE')
    parser.add_argument('--size', action='store_true', help='say what the cache takes, and end')
    parser.add_argument('--clear', action='store_true',
                        help='first take everything out; without CONFIG or POINTS nothing else')
    parser.add_argument('--workers', type=int, metavar='N',
                        help='processes that decode; default: one per core')
    parser.add_argument('--images', type=Path, metavar='FOLDER',
                        help='of a point file; default: where it says')
    parser.add_argument('--input-size', type=int, nargs='+', metavar='SIDE',
                        help='of a point file: of the network, one side or height and width; '
                             'default: 1024')
    parser.add_argument('--bit-depth', type=int, metavar='BITS',
                        help='of a point file whose images are stored in 16 bits')
    add_options_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Do it, and say what came out."""
    from mmwindow.apis import image_cache
    from mmwindow.images.cache import default_folder
    from mmwindow.images.cache_space import clear, measure
    from mmwindow.images.option_words import BIT_DEPTH
    folder = default_folder(args.out)
    if args.workers is not None and args.workers < 1:
        raise ValueError(f'--workers {args.workers}: a positive number of processes is expected')
    if args.source is None and not (args.size or args.clear):
        raise ValueError('a config or a point file is expected, or --size, or --clear')
    if args.clear:
        print('taken out of ' + image_cache.describe_size(folder, clear(folder)))
    if args.size or args.source is None:
        if args.size:
            print(image_cache.describe_size(folder, measure(folder)))
        return
    report = image_cache.fill_cache(_wanted(args), args.out, args.workers)
    text = '\n'.join(report.lines())
    # A point file has no config, and this command an option for it.
    print(text if args.source.suffix == '.py' else text.replace(*BIT_DEPTH))
    if args.out:
        print(f'a training reads it with MMWINDOW_CACHE={args.out}')
    if report.problems:
        raise ValueError(f'{len(report.problems)} of '
                         f'{count_words(report.num_images, "image cannot", "images cannot")} be '
                         f'used; see '
                         'above')


def _wanted(args: argparse.Namespace) -> list:
    """Return the images that the command line names."""
    from mmwindow.apis.image_cache import images_of_config, images_of_points
    given = [option for option, value in (('--images', args.images), ('--bit-depth', args.bit_depth),
                                          ('--input-size', args.input_size)) if value is not None]
    if args.source.suffix == '.py':
        if given:
            raise ValueError(f'{given[0]}: a config says it itself; change it by --cfg-options')
        from mmwindow.apis.config import load_config
        return images_of_config(load_config(args.source, cfg_options=args.cfg_options))
    if args.cfg_options:
        raise ValueError('--cfg-options: a point file has none; give a config')
    size = args.input_size or [1024]
    return images_of_points(args.source, size[0] if len(size) == 1 else size, args.images,
                            args.bit_depth)
