"""Average the weights of several epochs of one training into one checkpoint.

    mmwindow average run/epoch_5.pth run/epoch_6.pth run/epoch_7.pth run/epoch_8.pth --out mean4.pth
    mmwindow test config.py mean4.pth

The last epochs of a training differ by chance; their mean varies less (numbers: docs/tuning.md).
Checkpoints of two trainings are rejected. The file is tested and exported as any other; it has no
operating point: mmwindow test mean4.pth --choose-threshold fp_budget stores one.
"""
import argparse
from functools import partial
from pathlib import Path

from mmwindow.utils.outputs import check_output_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of an average."""
    parser.add_argument('checkpoints', nargs='+', metavar='CHECKPOINT',
                        help='two or more, of one training')
    parser.add_argument('--config', metavar='CONFIG',
                        help='of the training, where its batch normalisation learns statistics: they '
                        'are measured for the mean on its images (its work dir has config.py)')
    parser.add_argument('--out', required=True, metavar='FILE.pth', help='the mean')


def run(args: argparse.Namespace) -> None:
    """Average, and say what.

    Raises:
        ValueError: The file would take the place of one of the checkpoints, or is no ``.pth``.
    """
    out = Path(args.out)
    if out.suffix != '.pth':
        raise ValueError(f'--out {args.out}: the file must end in .pth')
    if out.exists() and any(Path(path).exists() and out.samefile(path) for path in args.checkpoints):
        raise ValueError(f'--out {args.out}: this is one of the checkpoints; choose another name')
    check_output_file(out, '--out')
    from mmwindow.engine.averaging import average_checkpoints
    measure = None
    if args.config is not None:
        from mmwindow.apis.batch_statistics import measure_statistics
        measure = partial(measure_statistics, args.config)
    epochs = average_checkpoints(args.checkpoints, out, measure)
    print(f'{out}: the mean of the weights after epochs {", ".join(map(str, epochs))}')
