"""Running cases in a forked child: a crash, a hang or a lack of memory costs one case."""
import contextlib
import json
import mmap
import os
import resource
import select
import signal
import struct
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from fuzzing import harness
from fuzzing.harness import FAULT, Case, Outcome, Reader, Seed, make_case, run_case, write_files

BATCH = 400  # cases of one child
SECONDS_PER_CASE = 20.  # of processor time: machines are busy
WAITING = 10  # times as long by the clock: a reader may wait for what never comes
MAX_GROWTH_MB = 1024  # of the memory in use, by one case
ADDRESS_SPACE_MB = 4096  # beyond what is mapped before the first case
SLOT = struct.Struct('<qdd')  # the case at work, when it began, and processor time until then


class CaseResult(NamedTuple):
    """The outcome of a case by its index.

    Attributes:
        index: Of the case.
        outcome: How it ended.
        seconds: It took.
    """

    index: int
    outcome: Outcome
    seconds: float


def status_kb(key: str) -> int:
    """Return an entry of this process's memory in kB, such as VmRSS; 0 where it is not known."""
    with contextlib.suppress(OSError), open('/proc/self/status', encoding='ascii') as stream:
        for line in stream:
            if line.startswith(key + ':'):
                return int(line.split()[1])
    return 0


def reset_peak() -> None:
    """Let the peak of the memory in use (VmHWM) begin again."""
    with contextlib.suppress(OSError), open('/proc/self/clear_refs', 'w', encoding='ascii') as stream:
        stream.write('5')


def limit_child(folder: Path) -> None:
    """Bound this process and hide its output."""
    allowed = status_kb('VmSize') * 1024 + (ADDRESS_SPACE_MB << 20)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.chdir(folder)
    tempfile.tempdir = str(folder)  # mmengine copies a config there before it reads it
    harness.install_hook(folder)


def run_one(reader: Reader, seeds: Sequence[Seed], seed: int, index: int, folder: Path) -> Outcome:
    """Make, read and judge one case in this process, its memory included."""
    case, origin = make_case(reader, seeds, seed, index, folder / 'case')

    def expected() -> Any:
        write_files(origin.files, folder / 'origin')
        return reader.read(Case(folder / 'origin' / origin.main, origin.options))

    reset_peak()
    before = status_kb('VmRSS')
    harness.ACTIVE[0] = True
    try:
        outcome = run_case(reader, case, expected)
    finally:
        harness.ACTIVE[0] = False
    growth = (status_kb('VmHWM') - before) >> 10
    if growth > MAX_GROWTH_MB:
        return Outcome(FAULT, 'memory',
                       f'{growth} MB more memory in use; {outcome.kind}: {outcome.text}',
                       outcome.kind)
    return outcome


def work(reader: Reader, seeds: Sequence[Seed], seed: int, indices: Sequence[int], folder: Path,
         slot: mmap.mmap, pipe: int) -> None:
    """Run cases and write their results into a pipe; the child's part."""
    limit_child(folder)
    with os.fdopen(pipe, 'w', encoding='utf-8') as stream:
        for index in indices:
            started = time.monotonic()
            slot[:SLOT.size] = SLOT.pack(index, started, time.process_time())
            outcome = run_one(reader, seeds, seed, index, folder)
            text = outcome.text if outcome.kind == FAULT else ''
            stream.write(json.dumps([index, outcome.kind, outcome.fault, text, outcome.place,
                                     time.monotonic() - started]) + '\n')
            stream.flush()
        slot[:SLOT.size] = SLOT.pack(-1, time.monotonic(), 0.)


def run_batch(reader: Reader, seeds: Sequence[Seed], seed: int, indices: Sequence[int], folder: Path,
              seconds_per_case: float = SECONDS_PER_CASE) -> Iterator[CaseResult]:
    """Yield the results of cases; a child that dies or hangs is replaced after its case.

    Args:
        reader: What is tried.
        seeds: Its valid files.
        seed: Of the run.
        indices: Of the cases.
        folder: Empty, for the cases' files.
        seconds_per_case: A case that takes longer is a fault.
    """
    left = list(indices)
    while left:
        folder.mkdir(parents=True, exist_ok=True)
        slot = mmap.mmap(-1, SLOT.size)
        slot[:SLOT.size] = SLOT.pack(-1, time.monotonic(), 0.)
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(ours)
                work(reader, seeds, seed, left, folder, slot, theirs)
                status = 0
            finally:
                os._exit(status)
        os.close(theirs)
        done = 0
        hung = [False]
        try:
            for line in read_lines(ours, partial(watch, child, slot, seconds_per_case, hung)):
                index, kind, fault, text, place, seconds = json.loads(line)
                yield CaseResult(index, Outcome(kind, fault, text, place), seconds)
                done += 1
        except GeneratorExit:  # the time is over: the child is at its next case
            os.kill(child, signal.SIGKILL)
            raise
        finally:
            os.close(ours)
            _, status = os.waitpid(child, 0)
        index, started, _ = SLOT.unpack(slot[:SLOT.size])
        if done == len(left):
            return
        if index < 0:
            raise RuntimeError(f'{reader.name}: a child ended before its first case ({status})')
        # A result that was written belongs to the case; the one at work took the child along.
        left = left[left.index(index) + 1:]
        if hung[0]:
            fault, text = 'hang', f'longer than {seconds_per_case:g} s of processor time'
        elif os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            fault, text = 'crash', f'the process died of {signal.Signals(number).name}'
        else:
            fault, text = 'exit', f'the process ended with status {os.WEXITSTATUS(status)}'
        yield CaseResult(index, Outcome(FAULT, fault, text, text), time.monotonic() - started)


def processor_time(process: int) -> float:
    """Return the seconds of processor time of a process; 0 where they are not known."""
    with contextlib.suppress(OSError), open(f'/proc/{process}/stat', encoding='ascii') as stream:
        fields = stream.read().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
    return 0.


def watch(child: int, slot: mmap.mmap, limit: float, hung: list[bool]) -> None:
    """Kill a child whose case takes too long."""
    index, started, used = SLOT.unpack(slot[:SLOT.size])
    if index >= 0 and (processor_time(child) - used > limit
                       or time.monotonic() - started > WAITING * limit):
        hung[0] = True
        os.kill(child, signal.SIGKILL)


def read_lines(pipe: int, on_silence: Callable[[], None]) -> Iterator[str]:
    """Yield lines of a pipe until its other end is closed, and look after the child meanwhile."""
    pending = b''
    while True:
        ready, _, _ = select.select([pipe], [], [], .5)
        if not ready:
            on_silence()
            continue
        data = os.read(pipe, 1 << 16)
        if not data:
            return
        *lines, pending = (pending + data).split(b'\n')
        for line in lines:
            yield line.decode()
