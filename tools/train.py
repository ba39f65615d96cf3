#!/usr/bin/env python
"""Train a model: ``tools/train.py CONFIG`` (options as in MMDetection's tools/train.py)."""
import argparse
import os

from mmengine.config import DictAction

from mmwindow.apis import train


def parse_args():
    parser = argparse.ArgumentParser(description='Train a model.')
    parser.add_argument('config', help='the config file')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument('--amp', action='store_true',
                        help='mixed precision (float16 on GPUs, bfloat16 on CPUs)')
    parser.add_argument('--auto-scale-lr', action='store_true',
                        help='scale the learning rate with the global batch size')
    parser.add_argument('--resume', nargs='?', const='auto', metavar='CHECKPOINT',
                        help='resume from CHECKPOINT, or from the newest in the work dir')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='override entries of the config')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    del args.local_rank
    return args


if __name__ == '__main__':
    train(**vars(parse_args()))
