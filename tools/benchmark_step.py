#!/usr/bin/env python
"""What the Window Loss costs: a training step with head and loss against the network without them.

All are timed in turn within one run, so the ratios depend little on what else the machine does; on a
CPU in processor time. Bounds are computed before, as in training, where data workers compute them.
On a CPU the step is timed again with the memory kept that it frees, as training does
(mmwindow.engine.cpu.memory), and in the plain way: each of the three short cuts left out alone, and
all of them. They change rounding alone. Next to it stands the backbone alone, the floor of a step.
Without --autocast a step in bfloat16 (--amp) is timed in turn with these, as it is and with torch's
own gradients of depthwise convolutions.
"""
import argparse
import contextlib
import statistics
import time
from functools import partial
from unittest import mock

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.structures import BaseDataElement, InstanceData, PixelData

import mmwindow  # noqa: F401  (registers the models)
from mmwindow.engine.cpu.memory import keep_freed_memory
from mmwindow.engine.hooks.channels_last_hook import to_channels_last
from mmwindow.structures.bounds import point_bounds


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--config', default='configs/windowloss/wl_kld_lite0_fpn_synthetic.py')
    parser.add_argument('--side', type=int, default=256, help='of the input, in pixels')
    parser.add_argument('--batch', type=int, default=4)
    parser.add_argument('--steps', type=int, default=8, help='timed steps of each kind')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--autocast', choices=('none', 'bfloat16', 'float16'), default='none')
    return parser.parse_args()


def build_model(path, device):
    """Build the model of a config from random weights, in the layout the config trains in."""
    cfg = Config.fromfile(path)
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model).to(device).train()
    if any(hook.type == 'ChannelsLastHook' for hook in cfg.get('custom_hooks', [])):
        model.to(memory_format=torch.channels_last)
        model.backbone.register_forward_pre_hook(to_channels_last)
    return model


def make_samples(num, side, head, device):
    """Return data samples with bounds: two points in every other image."""
    generator = torch.Generator().manual_seed(0)
    samples = []
    scale = side / 1024
    for index in range(num):
        points = torch.rand(2 if index % 2 == 0 else 0, 2, generator=generator) * side
        labels = torch.zeros(len(points), dtype=torch.long)
        levels = {}
        for stride in head.strides:
            bounds = point_bounds(points, labels, head.num_classes, side // stride, side // stride,
                                  stride, 50 * scale, 200 * scale, 2 * scale)
            levels[f'stride{stride}'] = PixelData(lower=bounds.lower, upper=bounds.upper)
        sample = DetDataSample()
        sample.gt_bounds = BaseDataElement(**levels)
        sample.gt_instances = InstanceData(bboxes=points, labels=labels)
        samples.append(sample.to(device))
    return samples


def synchronize(device):
    """Wait until the device has done what it was given."""
    if device.startswith('cuda'):
        torch.cuda.synchronize()


FLOOR = 'backbone alone'
SHORT_CUTS = {
    'pyramid and head apart': ('mmwindow.models.detectors.dense_point_detector.is_linear',
                               lambda neck: False),
    "torch's depthwise gradients": ('mmwindow.models.backbones.efficientnet_lite.is_faster',
                               lambda *arguments: False),
    'frozen layers all at once': (
        'mmwindow.models.backbones.efficientnet_lite.FROZEN_BATCH', 10 ** 9)}


@contextlib.contextmanager
def without(names):
    """Leave short cuts out."""
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(mock.patch(*SHORT_CUTS[name]))
        yield


def time_step(step, model, device):
    """Return the seconds of one forward and backward pass: of processors on a CPU."""
    clock = time.perf_counter if device.startswith('cuda') else time.process_time
    model.zero_grad(set_to_none=True)
    synchronize(device)
    started = clock()
    step().backward()
    synchronize(device)
    return clock() - started


def main():
    args = parse_args()
    register_all_modules()
    torch.manual_seed(0)
    model = build_model(args.config, args.device)
    imgs = torch.randn(args.batch, 3, args.side, args.side, device=args.device)
    samples = make_samples(args.batch, args.side, model.bbox_head, args.device)
    dtype = None if args.autocast == 'none' else getattr(torch, args.autocast)
    device_type = torch.device(args.device).type

    def backbone_step():
        with torch.autocast(device_type, dtype=dtype, enabled=dtype is not None):
            return sum(level.float().mean() for level in model.backbone(imgs))

    def bare_step():
        with torch.autocast(device_type, dtype=dtype, enabled=dtype is not None):
            return sum(level.float().mean() for level in model.extract_feat(imgs))

    def window_step(dtype=dtype):
        with torch.autocast(device_type, dtype=dtype, enabled=dtype is not None):
            return sum(model.loss(imgs, samples).values())

    def time_all():
        times = {backbone_step: [], bare_step: [], window_step: []}
        for round_number in range(args.steps + 2):
            for step, seconds in times.items():
                taken = time_step(step, model, args.device)
                if round_number >= 2:  # the first two warm up
                    seconds.append(taken)
        return [statistics.median(seconds) for seconds in times.values()]

    backbone, bare, window = time_all()
    print(f'{args.config}: batch {args.batch} at {args.side} px, {args.device}, autocast '
          f'{args.autocast}, {torch.get_num_threads()} threads, median of {args.steps}, '
          f'{"processor" if device_type == "cpu" else "wall"} time')
    print(f'backbone alone              {1000 * backbone:9.1f} ms')
    print(f'backbone and neck alone     {1000 * bare:9.1f} ms')
    print(f'with head and Window Loss   {1000 * window:9.1f} ms')
    print(f'ratio                       {window / bare:9.3f}')
    print(f'ratio to the backbone       {window / backbone:9.3f}')
    if device_type == 'cpu' and keep_freed_memory():
        kept = time_all()[-1]
        print(f'with freed memory kept      {1000 * kept:9.1f} ms')
        print(f'ratio                       {kept / window:9.3f}')
        ways = {'as it is': ((), dtype), FLOOR: ((), dtype),
                **{name: ((name, ), dtype) for name in SHORT_CUTS},
                'plain': (tuple(SHORT_CUTS), dtype)}
        if dtype is None:
            slow = "torch's depthwise gradients"
            ways |= {'bfloat16': ((), torch.bfloat16),
                     f'bfloat16, {slow}': ((slow, ), torch.bfloat16)}
        times = {name: [] for name in ways}
        for round_number in range(args.steps + 1):
            for name, (left_out, kind) in ways.items():
                with without(left_out):
                    step = backbone_step if name == FLOOR else partial(window_step, kind)
                    taken = time_step(step, model, args.device)
                if round_number:  # the first one warms up
                    times[name].append(taken)
        taken = {name: statistics.median(seconds) for name, seconds in times.items()}
        for name, seconds in taken.items():
            print(f'{name:37} {1000 * seconds:9.1f} ms {seconds / taken["as it is"]:9.2f}')


if __name__ == '__main__':
    main()
