#!/usr/bin/env python
"""Bytes that a training step keeps for each image: ``tools/benchmark_memory.py [CONFIG]``.

What autograd saves between forward and backward, counted on a CPU: the greater part of a GPU's memory
in a training step. ``mmwindow train --data`` chooses the batch of a GPU by it
(``mmwindow/apis/own_data/choice.py``), with a share for what comes on top.
"""
import argparse

import torch

from mmwindow.apis.config import load_config
from mmwindow.apis.untrained_model import build_untrained
from mmwindow.utils.command_line import one_line_errors


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', nargs='?', default='configs/windowloss/wl_kld_r50_fpn.py')
    parser.add_argument('--side', type=int, default=512, help='of the input')
    return parser.parse_args()


def saved_bytes(model, side, num_images):
    """Return the bytes of all storages that the graph of a forward pass keeps, without weights."""
    weights = {value.untyped_storage().data_ptr() for value in model.state_dict().values()}
    kept = {}

    def keep(value):
        storage = value.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return value

    images = torch.rand(num_images, 3, side, side)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        logits = model.bbox_head(model.extract_feat(images))
        total = sum(level.sigmoid().mean() for level in logits)
    assert total.requires_grad
    return sum(kept.values())


def main():
    args = parse_args()
    cfg = load_config(args.config)
    model = build_untrained(cfg).train()
    one, two = (saved_bytes(model, args.side, number) for number in (1, 2))
    weights = sum(value.nbytes for value in model.parameters())
    each = two - one
    full = each * (1024 / args.side) ** 2
    print(f'{args.config} at {args.side}: {each / 1e9:.3f} GB an image, {full / 1e9:.2f} GB at 1024; '
          f'weights {weights / 1e9:.2f} GB, with gradients and two moments '
          f'{4 * weights / 1e9:.2f} GB')


if __name__ == '__main__':
    with one_line_errors('benchmark_memory'):
        main()
