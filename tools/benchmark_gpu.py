#!/usr/bin/env python
"""What configs cost on a GPU: step, memory, mixed precision and the reading of images.

``tools/benchmark_gpu.py CONFIG [CONFIG ...] [--cfg-options data_root=FOLDER]``

Each config's model trains on one batch of its own training images, in float32 (whose convolutions
torch computes in TF32 on Ampere and later) and in mixed precision (``--amp``), each alone on the GPU.
The batch was read before, so that a step is without reading; reading is timed apart, in one process
of one thread: the median over the images of the batch. ``readers`` is how many such processes keep
up with the faster step. A config that asks for channels_last is timed in the default layout, too. GB
are the most that torch has allocated.
"""
import argparse
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmwindow.apis.config import load_config
from mmwindow.apis.own_data.timing import build_model, time_reading
from mmwindow.apis.runner import quiet_mmengine
from mmwindow.apis.train import use_mixed_precision
from mmwindow.utils.command_line import one_line_errors
from mmwindow.utils.environment import describe_machine

COLUMNS = ('config', 'side', 'batch', 'layout', 'float32 ms', 'amp ms', 'ratio', 'float32 GB',
           'amp GB', 'images/s', 'reading ms an image', 'readers')
READ_BEFORE = 2  # images: the first ones import what decodes them


@dataclass(frozen=True)
class Step:
    """Seconds of a training step and the bytes that it takes at most."""

    seconds: float
    memory: int


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('configs', nargs='+')
    parser.add_argument('--steps', type=int, default=10, help='timed, of each kind')
    parser.add_argument('--warm-up', type=int, default=5, help='steps before: kernels are chosen')
    parser.add_argument('--batch', type=int, help="images of a step; default: the config's")
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    return parser.parse_args()


def time_steps(cfg, batch, steps, warm_up, amp):
    """Train on one batch; return the median :class:`Step`, or None where the memory is too small."""
    cfg = Config(cfg._cfg_dict.to_dict())
    if amp:
        use_mixed_precision(cfg)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    taken = []
    try:
        model, _ = build_model(cfg)
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
        model.train()
        for _ in range(warm_up + steps):
            torch.cuda.synchronize()
            started = time.perf_counter()
            model.train_step(batch, optimizer)
            torch.cuda.synchronize()
            taken.append(time.perf_counter() - started)
    except torch.cuda.OutOfMemoryError:
        return None
    return Step(statistics.median(taken[warm_up:]), torch.cuda.max_memory_allocated())


def describe(cfg, name, args):
    """Yield the rows of one config, a dict of column and text."""
    if args.batch:
        cfg.train_dataloader.batch_size = args.batch
    size = int(cfg.train_dataloader.batch_size)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    batch, seconds = time_reading(cfg, 'train', size + READ_BEFORE)
    batch = {key: values[READ_BEFORE:] for key, values in batch.items()}
    reading = statistics.median(seconds[READ_BEFORE:])
    torch.set_num_threads(threads)
    hooks = list(cfg.get('custom_hooks') or ())
    others = [hook for hook in hooks if hook.get('type') != 'ChannelsLastHook']
    layouts = {'default': others, **({'channels_last': hooks} if len(others) < len(hooks) else {})}
    for layout, kept in layouts.items():
        cfg.custom_hooks = kept
        steps = [time_steps(cfg, batch, args.steps, args.warm_up, amp) for amp in (False, True)]
        plain, mixed = steps
        best = min((step.seconds for step in steps if step), default=None)
        yield dict(zip(COLUMNS, (
            name, batch['inputs'][0].shape[-1], size, layout,
            *(f'{1000 * step.seconds:.1f}' if step else 'out of memory' for step in steps),
            f'{mixed.seconds / plain.seconds:.2f}' if plain and mixed else '',
            *(f'{step.memory / 1e9:.1f}' if step else '' for step in steps),
            f'{size / best:.0f}' if best else '', f'{1000 * reading:.1f}',
            f'{reading * size / best:.1f}' if best else ''), strict=True))


def main():
    args = parse_args()
    if not torch.cuda.is_available():
        raise ValueError('torch sees no GPU; on a CPU, tools/benchmark_step.py times a step')
    torch.backends.cudnn.benchmark = True  # as the configs have it
    print(f'{describe_machine()}, torch {torch.__version__}; seed 0, median of {args.steps} steps')
    print('| ' + ' | '.join(COLUMNS) + ' |\n' + '|---' * len(COLUMNS) + '|', flush=True)
    for path in args.configs:
        torch.manual_seed(0)
        with quiet_mmengine():
            cfg = load_config(path, cfg_options=args.cfg_options)
        init_default_scope(cfg.default_scope)
        for row in describe(cfg, Path(path).stem, args):
            print('| ' + ' | '.join(str(row[column]) for column in COLUMNS) + ' |', flush=True)


if __name__ == '__main__':
    with one_line_errors('benchmark_gpu'):
        main()
