#!/usr/bin/env python
"""Generate, train, test and draw: the whole path on synthetic radiographs, in minutes on a CPU."""
import argparse

from mmwindow.apis import quickstart


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--config', default='configs/windowloss/wl_kld_lite0_fpn_synthetic.py')
    parser.add_argument('--data', default='data/synthetic', help='where the radiographs are written')
    parser.add_argument('--out', default='work_dirs/quickstart', help='where the results go')
    parser.add_argument('--seed', type=int, default=0, help='of the data and of the training')
    return parser.parse_args()


if __name__ == '__main__':
    quickstart(**vars(parse_args()))
