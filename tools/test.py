#!/usr/bin/env python
"""Test a checkpoint: ``tools/test.py CONFIG CHECKPOINT`` prints FROC and AUROC."""
import argparse
import os

from mmengine.config import DictAction

from mmwindow.apis import test


def parse_args():
    parser = argparse.ArgumentParser(description='Test a checkpoint.')
    parser.add_argument('config', help='the config file')
    parser.add_argument('checkpoint', help='the weights, a .pth file')
    parser.add_argument('--work-dir', help='folder for the log and the result file')
    parser.add_argument('--out', metavar='FILE.pkl', help='write every prediction to this file')
    parser.add_argument('--show-dir', help='paint findings on the images, into this folder')
    parser.add_argument('--tta', action='store_true',
                        help='test-time augmentation: mirrored and turned views, averaged')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='override entries of the config')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    del args.local_rank
    return args


if __name__ == '__main__':
    test(**vars(parse_args()))
