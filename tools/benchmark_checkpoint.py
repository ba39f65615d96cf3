#!/usr/bin/env python
"""What the safety of checkpoints costs: check sums, reading as data, writing atomically.

    tools/benchmark_checkpoint.py [--megabytes 100] [--repeats 5]

Prints seconds (the median) on this machine; the file is in the cache of the system, as one that was
just written.
"""
import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from mmwindow.engine import safe_loading
from mmwindow.engine.file_backends import AtomicLocalBackend
from mmwindow.utils.environment import describe_machine


def measure(action: Callable[[], object], repeats: int) -> float:
    """Return the median time of an action, seconds."""
    times = []
    for _ in range(repeats):
        safe_loading._find_damage.cache_clear()
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--megabytes', type=int, default=100)
    parser.add_argument('--repeats', type=int, default=5)
    args = parser.parse_args()
    weights = {f'weight{index}': torch.rand(1 << 18) for index in range(args.megabytes)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'epoch_1.pth'
        torch.save({'state_dict': weights}, path)
        content = path.read_bytes()
        print(f'{len(content) / 1e6:.0f} MB, {describe_machine()}')
        for name, action in {
                'check sums': lambda: safe_loading.find_damage(path),
                'torch.load': lambda: torch.load(path, weights_only=True),
                'check sums and torch.load': lambda: safe_loading.load_own_checkpoint(path),
                'written as mmengine does': lambda: path.write_bytes(content),
                'written atomically': lambda: AtomicLocalBackend().put(content, path)}.items():
            print(f'{name:26} {measure(action, args.repeats):.3f} s')


if __name__ == '__main__':
    main()
