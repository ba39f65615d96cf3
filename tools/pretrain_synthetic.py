#!/usr/bin/env python
"""Pretrain configs on synthetic radiographs: docs/configs.md, "Pretraining".

    tools/pretrain_synthetic.py configs/fcos/fcos_lite0_fpn_fracatlas.py --out work_dirs/pretraining
    tools/train.py configs/fcos/fcos_lite0_fpn_fracatlas.py \\
        --cfg-options load_from=work_dirs/pretraining/fcos_lite0_fpn_fracatlas.pth

The same command resumes what was cut. Configs of one input size share the images.
"""
import argparse
from pathlib import Path

from mmwindow.utils.command_line import OptionsAction, one_line_errors


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='+', metavar='CONFIG')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/pretraining'), metavar='DIR',
                        help='for images, trainings and weights (%(default)s)')
    parser.add_argument('--number', type=int, default=6000, help='of images (%(default)s)')
    parser.add_argument('--epochs', type=int, default=4, help='(%(default)s)')
    parser.add_argument('--seed', type=int, default=1001, help='of the images (%(default)s)')
    parser.add_argument('--workers', type=int, help='processes that generate (two, where there are)')
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction, metavar='KEY=VALUE',
                        help='overrides of all configs')
    return parser.parse_args()


def main():
    args = parse_args()
    from mmwindow.experiments.pretraining import Pretraining, pretrain
    settings = Pretraining(args.number, args.epochs, args.seed, args.cfg_options)
    for config in args.configs:
        weights = pretrain(config, args.out, settings, args.workers)
        print(f'{config}: begin with --cfg-options load_from={weights}', flush=True)


if __name__ == '__main__':
    with one_line_errors('pretrain_synthetic'):
        main()
