"""The allocator keeps what is freed: watched from outside, in processes of their own."""
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

MODULE = Path(__file__).parents[3] / 'mmwindow/engine/cpu/memory.py'
# Three buffers of 64 MB, one after the other: how many new pages the last takes. The module runs as
# a file: its package would import torch.
PROGRAM = """
import resource, runpy, sys, numpy as np
if sys.argv[1] == 'keep' and not runpy.run_path(sys.argv[2])['keep_freed_memory']():
    sys.exit(3)
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    buffer = np.empty(2 ** 26, np.uint8)
    buffer[::4096] = 1
    del buffer
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@lru_cache
def count_page_faults(mode):
    """Return the page faults of the last buffer; skip where the C library has no such setting."""
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', PROGRAM, mode, str(MODULE)],
                          capture_output=True, text=True)
    if done.returncode == 3:
        pytest.skip('this C library has no mallopt')
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_freed_memory_is_not_mapped_anew():
    assert count_page_faults('keep') < 100


def test_without_it_every_page_is():
    """What the setting is for; with huge pages there are fewer, but not none."""
    assert count_page_faults('give back') > 2 * count_page_faults('keep')
