"""Name a rank that does not answer, and end all of them."""
import json
import os
import platform
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch.distributed as torch_distributed
from mmdet.registry import HOOKS
from mmengine.hooks import Hook

from mmwindow.utils.processes import is_interrupted, leave

SECONDS = 1800.
VARIABLE = 'MMWINDOW_RANK_TIMEOUT'


@dataclass
class Beat:
    """What one rank has told of itself.

    Attributes:
        number: Grows while its process runs.
        steps: Grows with its work.
        place: Where it is: host and process.
        heard: When the number last grew, monotonic seconds of the rank that listens.
        moved: When its work last grew.
    """

    number: int
    steps: int
    place: str
    heard: float
    moved: float


def find_silent_ranks(beats: Mapping[int, Beat], now: float, seconds: float) -> dict[int, float]:
    """Return the ranks that the others wait for: rank -> seconds since it last answered.

    A rank is silent where its process has not answered for so long; or where its work stands still
    for so long while another rank is ahead of it. Ranks at one place, as while the first computes a
    metric, are not silent.

    Args:
        beats: Rank -> what it told.
        now: Monotonic seconds.
        seconds: The time-out.
    """
    silent = {rank: now - beat.heard for rank, beat in beats.items() if now - beat.heard >= seconds}
    furthest = max((beat.steps for beat in beats.values()), default=0)
    late = {rank: now - beat.moved for rank, beat in beats.items()
            if beat.steps < furthest and now - beat.moved >= seconds}
    return silent or late


@HOOKS.register_module()
class RankWatchHook(Hook):
    """End a training or test of several processes when one of them does not answer.

    Without it the others wait in the next exchange of gradients, without a word. A thread of each
    rank writes its state into the store of the process group and reads that of the others; the first
    that misses one prints which, and all end. ``mmwindow.apis`` registers the hook.

    Args:
        seconds: The time-out; None: of the environment variable MMWINDOW_RANK_TIMEOUT, or 30 minutes.
        end: Is called with the exit status.
    """

    priority = 'VERY_HIGH'

    def __init__(self, seconds: float | None = None, end: Callable[[int], Any] = leave) -> None:
        text = os.environ.get(VARIABLE)
        try:
            self.seconds = float(text) if seconds is None and text else seconds or SECONDS
        except ValueError:
            self.seconds = -1.
        if not 0 < self.seconds < float('inf'):
            raise ValueError(f'{VARIABLE} is {text!r}; seconds are expected, such as 1800')
        self.end = end
        self.steps = 0
        self.beats: dict[int, Beat] = {}
        self.is_over = threading.Event()

    def before_run(self, runner: Any) -> None:
        """Start the thread, where there are several ranks; a runner may train, then test."""
        self.is_over = threading.Event()
        self.beats = {}
        if (torch_distributed.is_available() and torch_distributed.is_initialized()
                and torch_distributed.get_world_size() > 1):
            threading.Thread(target=self._watch, daemon=True, name='mmwindow ranks').start()

    def after_run(self, runner: Any) -> None:
        """Let the thread end."""
        self.is_over.set()

    def _move(self, *args: Any, **kwargs: Any) -> None:
        self.steps += 1

    before_train_iter = after_train_iter = before_val_iter = after_val_iter = _move
    before_test_iter = after_test_iter = before_val_epoch = after_val_epoch = _move
    before_test_epoch = after_test_epoch = before_train_epoch = after_train_epoch = _move

    def _watch(self) -> None:
        store = torch_distributed.distributed_c10d._get_default_store()
        store = store.clone() if hasattr(store, 'clone') else store  # a wait would block the other
        rank, size = torch_distributed.get_rank(), torch_distributed.get_world_size()
        number, pause = 0, min(self.seconds / 5, 20.)
        is_over = self.is_over  # of this run: the next one has its own
        place = f'process {os.getpid()} on {platform.node()}'
        try:
            while not is_over.wait(pause):
                number += 1
                store.set(f'mmwindow/{rank}', json.dumps([number, self.steps, place]))
                for other in range(size):
                    # A key that is not there would be waited for: a rank may not have begun.
                    if store.check([f'mmwindow/{other}']):
                        self.hear(other, *json.loads(store.get(f'mmwindow/{other}')))
                if is_interrupted():
                    return  # a rank that is silent now has ended by the same Ctrl-C
                silent = find_silent_ranks(self.beats, time.monotonic(), self.seconds)
                if silent and not is_over.is_set():
                    if store.add('mmwindow/said', 1) == 1:
                        print('\n'.join(self.describe(*each) for each in silent.items()), flush=True)
                    self.end(1)
                    return
        except (RuntimeError, OSError, ValueError):
            return  # the store went with the launcher, and so do the ranks

    def hear(self, rank: int, number: int, steps: int, place: str) -> None:
        """Note what a rank told."""
        now, before = time.monotonic(), self.beats.get(rank)
        self.beats[rank] = Beat(
            number, steps, place,
            now if before is None or number > before.number else before.heard,
            now if before is None or steps > before.steps else before.moved)

    def describe(self, rank: int, seconds: float) -> str:
        """Return the line that names a silent rank."""
        return (f'rank {rank} ({self.beats[rank].place}) has not answered for {seconds:.0f} s; all '
                f'ranks end here. --resume resumes from the last epoch; {VARIABLE} sets the time-out')
