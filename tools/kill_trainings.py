#!/usr/bin/env python
"""Kill trainings with -9 at random moments, resume them, and compare their ends with the uncut ones.

    python tools/kill_trainings.py --out work_dirs/kills --results results/resuming

Four targets: tools/train.py on one process and on two, tools/run_folds.py, and the quickstart, each
on a config of a minute. A run is killed up to five times, resumed each time by the same command,
and let finish; then weights, optimizer, best checkpoint, validations and results are compared with
those of a run that nobody cut. Moments are drawn by the seed: at a step, a step of a validation,
while a checkpoint is being written (its temporary file is there), or at any time since the start. A
file a target goes to --results; docs/resuming.md shows them. The same command again resumes.
"""
import argparse
import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmwindow.engine.checkpoint import find_best_checkpoint, load_own_checkpoint
from mmwindow.engine.run_file import read_run
from mmwindow.synthetic import write_dataset
from mmwindow.utils.environment import describe_machine, describe_versions, training_code
from mmwindow.utils.files import read_json, write_json, write_text

ROOT = Path(__file__).resolve().parents[1]
KINDS = dict(step=7, validation=5, checkpoint=5, any=3)  # of 20 kills
KILLS_A_RUN = 5
CONFIG = """_base_ = '{base}'
input_size = 64
train_cfg = dict(max_epochs={epochs})
train_dataloader = dict(batch_size=8, num_workers={workers}, dataset=dict(indices=64){sampler})
val_dataloader = dict(dataset=dict(indices=16), num_workers={workers})
test_dataloader = dict(dataset=dict(indices=16))
default_hooks = dict(logger=dict(interval=1))
"""


@dataclass(frozen=True)
class Target:
    """What is killed.

    Attributes:
        name: In tables.
        command: Takes the folder of the run.
        trainings: Folders of its trainings, in that of the run.
        results: Result files, in that of the run.
        kills_ranks: Kill one of several ranks alone every second time.
    """

    name: str
    command: Callable[[Path], list[str]]
    trainings: tuple[str, ...]
    results: tuple[str, ...] = ()
    kills_ranks: bool = False


@dataclass
class Kill:
    """One kill: its kind, where it fell, seconds since the newest checkpoint or the start before."""

    kind: str
    place: str = ''
    lost_seconds: float = 0.
    outlived: int = 0


@dataclass
class Chain:
    """One run with its kills, and in what its end differs from the uncut one."""

    kills: list[Kill] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def make_targets(folder: Path) -> list[Target]:
    """Write the configs; return the targets."""
    def config(name: str, base: str, epochs: int, workers: int = 1, sampler: str = '') -> str:
        path = folder / f'{name}.py'
        write_text(path, CONFIG.format(base=ROOT / 'configs' / base, epochs=epochs, workers=workers,
                                       sampler=sampler))
        return str(path)
    boxes = config('boxes', 'faster_rcnn/faster_rcnn_lite0_fpn_synthetic.py', 3)
    maps = config('maps', 'windowloss/wl_kld_lite0_fpn_synthetic.py', 3, workers=2)
    balanced = config('balanced', 'fcos/fcos_lite0_fpn_synthetic.py', 3, sampler=(
        ", sampler=dict(_delete_=True, type='BalancedImageSampler')"))

    def tool(name: str, *arguments: str) -> list[str]:
        return [sys.executable, '-W', 'ignore', str(ROOT / 'tools' / name), *arguments]
    ranks = [sys.executable, '-W', 'ignore', '-m', 'torch.distributed.run', '--standalone',
             '--nproc-per-node=2']
    return [
        Target('train', lambda work: tool('train.py', boxes, '--work-dir', str(work / 'training'),
                                          '--resume'), ('training',)),
        Target('train_two_ranks', lambda work: [
            *ranks, str(ROOT / 'tools/train.py'), boxes, '--launcher', 'pytorch', '--resume',
            '--work-dir', str(work / 'training')], ('training',), kills_ranks=True),
        Target('run_folds', lambda work: tool('run_folds.py', maps, balanced, '--out', str(work)),
               ('maps/single/training', 'balanced/single/training'),
               ('maps/single/result.json', 'balanced/single/result.json')),
        Target('quickstart', lambda work: tool(
            'quickstart.py', '--config', maps, '--data', str(folder / 'data'), '--out',
            str(work / 'quickstart')), ('quickstart/training',), ('quickstart/result.json',))]


class Run:
    """A started command of a target.

    Args:
        target: What is started.
        work: Folder of the run.
        env: Variables of the process.
    """

    def __init__(self, target: Target, work: Path, env: dict[str, str]) -> None:
        self.target, self.work = target, work
        work.mkdir(parents=True, exist_ok=True)
        self.started = time.time()
        with open(work / 'output.txt', 'a') as output:
            self.process = subprocess.Popen(target.command(work), cwd=ROOT, env=env, stdout=output,
                                            stderr=output, stdin=subprocess.DEVNULL)

    def log_lines(self) -> list[str]:
        """Return the lines that this start has written into the logs of its trainings."""
        logs = [path for name in self.target.trainings for path in (self.work / name).glob('*/*.log')
                if path.stat().st_ctime > self.started]
        logs += [path for path in self.work.rglob('*/*.log') if path not in logs
                 and path.stat().st_mtime > self.started]
        logs.sort(key=lambda path: path.stat().st_mtime)
        return [line for path in logs for line in path.read_text(errors='replace').splitlines()]

    def writes_checkpoint(self) -> bool:
        """Return whether the temporary file of a checkpoint is there."""
        return any(path.suffix == '.part' and '.pth' in path.name
                   for name in self.target.trainings if (self.work / name).is_dir()
                   for path in (self.work / name).iterdir())

    def wait_for(self, condition: Callable[[], bool], interval: float) -> bool:
        """Wait until a condition holds; return False where the command ends before."""
        while self.process.poll() is None:
            if condition():
                return True
            time.sleep(interval)
        return False

    def place(self) -> str:
        """Return where this start is, by its newest log."""
        if self.writes_checkpoint():
            return 'checkpoint'
        lines = [line for line in self.log_lines() if re.search(
            r'Epoch\((train|val|test)\)|Saving checkpoint|best checkpoint|Checkpoints will', line)]
        if not lines:
            return 'start'
        match = re.search(r'Epoch\((train|val|test)\)', lines[-1])
        if match is None:
            return 'steps' if 'Checkpoints will' in lines[-1] else 'checkpoint'
        return dict(train='steps', val='validation', test='test')[match[1]]

    def kill(self, rank_only: bool) -> int:
        """Kill the command with all its processes, or one of its ranks; return how many stay."""
        every = [self.process.pid, *descendants(self.process.pid)]
        ranks = [pid for pid in every if is_rank(pid)]
        for pid in ranks[-1:] if rank_only and ranks else every:
            kill_process(pid)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and any(map(is_alive, every)):
            self.process.poll()
            time.sleep(0.05)
        left = [pid for pid in every if is_alive(pid)]
        for pid in left:
            kill_process(pid)
        self.process.wait()
        return len(left)


def descendants(pid: int) -> Iterator[int]:
    """Yield the processes below one."""
    for task in Path(f'/proc/{pid}/task').glob('*/children'):
        try:
            children = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            yield child
            yield from descendants(child)


def is_rank(pid: int) -> bool:
    """Return whether a process is a rank itself, not a data loader's worker below it."""
    try:
        return b'RANK=' in Path(f'/proc/{pid}/environ').read_bytes() and b'RANK=' not in Path(
            f'/proc/{parent(pid)}/environ').read_bytes()
    except OSError:
        return False


def parent(pid: int) -> int:
    """Return the parent of a process."""
    return int(Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[1])


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended and is not waited for does not."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


def kill_process(pid: int) -> None:
    """Send SIGKILL to a process of ours that may have ended."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def wait_for_moment(run: Run, kind: str, generator: np.random.Generator, seconds: float) -> bool:
    """Wait for a random moment of a kind; return False where the command ends before it.

    Args:
        run: Just started.
        kind: Of ``KINDS``.
        generator: Draws the moment.
        seconds: That an uncut run takes.
    """
    if kind == 'any':
        end = time.time() + generator.uniform(0, 0.7 * seconds)
        return run.wait_for(lambda: time.time() >= end, 0.01)
    if kind == 'checkpoint':
        for left in reversed(range(generator.integers(1, 3))):  # one of the next two
            if not run.wait_for(run.writes_checkpoint, 0.001):
                return False
            if left:
                run.wait_for(lambda: not run.writes_checkpoint(), 0.001)
        time.sleep(generator.uniform(0, 0.01))
        return run.process.poll() is None
    word, most = dict(step=('Epoch(train)', 12), validation=('Epoch(val)', 3))[kind]
    number = generator.integers(1, most + 1)
    return run.wait_for(lambda: sum(word in line for line in run.log_lines()) >= number, 0.02)


def lost_seconds(run: Run) -> float:
    """Return the seconds since the newest complete checkpoint, or since this start."""
    times = [path.stat().st_mtime for name in run.target.trainings
             for path in (run.work / name).glob('epoch_*.pth')]
    return round(time.time() - max([run.started, *times]), 1)


def digest(content: Any) -> str:
    """Return a hash of nested tensors and plain values, every bit of them."""
    if isinstance(content, torch.Tensor):
        data = content.detach().contiguous()
        data = data.reshape(-1).view(torch.uint8) if data.numel() else data
        return hashlib.sha256(str((content.dtype, tuple(content.shape))).encode()
                              + data.numpy().tobytes()).hexdigest()
    if isinstance(content, dict):
        content = sorted((str(key), digest(value)) for key, value in content.items())
    elif isinstance(content, list | tuple):
        content = [digest(value) for value in content]
    return hashlib.sha256(repr(content).encode()).hexdigest()


def describe_end(target: Target, work: Path) -> dict[str, Any]:
    """Return what a finished run has come to, as values to compare."""
    end: dict[str, Any] = {}
    for name in target.trainings:
        folder = work / name
        last = max(folder.glob('epoch_*.pth'), key=lambda path: int(path.stem[6:]))
        content = load_own_checkpoint(last)
        end[f'{name}: last checkpoint'] = last.name
        for part in ('state_dict', 'optimizer', 'param_schedulers'):
            end[f'{name}: {part}'] = digest(content[part])
        best, run = find_best_checkpoint(folder), read_run(folder)
        end[f'{name}: best weights'] = digest(load_own_checkpoint(best)['state_dict'])
        end[f'{name}: best in run.json'] = asdict(run.best) if run and run.best else None
        end[f'{name}: best files'] = sorted(path.name for path in folder.glob('best_*.pth'))
        end[f'{name}: validations'] = (folder / 'validation.json').read_text()
    for name in target.results:
        result = read_json(work / name)
        for key in ('metrics', 'validation_metrics', 'checkpoint'):
            end[f'{name}: {key}'] = result[key]
    return end


def finish(target: Target, work: Path, env: dict[str, str]) -> float:
    """Let a run finish; return its seconds.

    Raises:
        SystemExit: It fails.
    """
    run = Run(target, work, env)
    if run.process.wait():
        print((work / 'output.txt').read_text()[-3000:], file=sys.stderr)
        raise SystemExit(f'{target.name}: the run in {work} failed with {run.process.returncode}')
    return time.time() - run.started


class Series:
    """The uncut run of a target, and as many cut ones as its kills need.

    Args:
        target: What is killed.
        folder: Of all targets.
        num_kills: In all.
        seed: Draws kinds and moments.
        env: Variables of the processes.
        chains: Runs that were cut before.
    """

    def __init__(self, target: Target, folder: Path, num_kills: int, seed: int, env: dict[str, str],
                 chains: list[Chain]) -> None:
        self.target, self.folder, self.env, self.chains = target, folder / target.name, env, chains
        generator = np.random.default_rng((seed, *target.name.encode()))
        kinds = [kind for kind, number in KINDS.items() for _ in range(number)]
        self.kinds = [str(kind) for _ in range(num_kills // len(kinds) + 1)
                      for kind in generator.permutation(kinds)][:num_kills]
        for chain in chains:
            del self.kinds[:len(chain.kills)]
        self.generator = np.random.default_rng((seed, len(chains), *target.name.encode()))
        shutil.rmtree(self.folder, ignore_errors=True)
        self.seconds = finish(target, self.folder / 'uncut', env) if self.kinds else 0.
        self.expected = describe_end(target, self.folder / 'uncut') if self.kinds else {}

    def kill_and_resume(self) -> None:
        """Kill one run up to five times, resume it each time, and compare its end."""
        chain, work = Chain(), self.folder / f'cut_{len(self.chains)}'
        name = f'{self.target.name}, run {len(self.chains) + 1}'
        while self.kinds and len(chain.kills) < KILLS_A_RUN:
            run = Run(self.target, work, self.env)
            if not wait_for_moment(run, self.kinds[0], self.generator, self.seconds):
                break  # it has finished before
            kill = Kill(self.kinds.pop(0), run.place(), lost_seconds(run))
            kill.outlived = run.kill(self.target.kills_ranks and len(chain.kills) % 2 == 1)
            chain.kills.append(kill)
            print(f'{name}: {kill}', flush=True)
        finish(self.target, work, self.env)
        found = describe_end(self.target, work)
        chain.differences = sorted(key for key, value in self.expected.items()
                                   if found.get(key) != value)
        print(f'{name}: {", ".join(chain.differences) or "ends as the uncut one"}', flush=True)
        self.chains.append(chain)
        if not chain.differences:
            shutil.rmtree(work)


def summarise(name: str, seconds: float, chains: list[Chain]) -> dict[str, Any]:
    """Return the content of a target's result file."""
    kills = [kill for chain in chains for kill in chain.kills]
    lost = [kill.lost_seconds for kill in kills]
    return dict(
        target=name, num_kills=len(kills), places=dict(Counter(kill.place for kill in kills)),
        num_runs=len(chains), num_equal=sum(not chain.differences for chain in chains),
        num_outlived=sum(kill.outlived for kill in kills), uncut_seconds=round(seconds, 1),
        lost_seconds=dict(median=round(float(np.median(lost)), 1), most=max(lost)) if lost else None,
        runs=[asdict(chain) for chain in chains])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=Path, default=Path('work_dirs/kills'), help='where runs go')
    parser.add_argument('--results', type=Path, help='where a result file a target goes')
    parser.add_argument('--kills', type=int, default=20, help='of each target')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--targets', nargs='+', help='some of them')
    args = parser.parse_args()
    folder = args.out.absolute()
    write_dataset(folder / 'data')
    env = {**os.environ, 'MMWINDOW_SYNTHETIC': str(folder / 'data'), 'OMP_NUM_THREADS': '1',
           'PYTHONPATH': os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH')]))}
    series = [Series(target, folder, args.kills, args.seed, env, read_chains(target, args))
              for target in make_targets(folder) if not args.targets or target.name in args.targets]
    # In turn, so that a stop leaves something of each.
    while any(one.kinds for one in series):
        for one in series:
            if one.kinds:
                one.kill_and_resume()
                write_result(one, args)
    raise SystemExit(any(chain.differences for one in series for chain in one.chains))


def read_chains(target: Target, args: argparse.Namespace) -> list[Chain]:
    """Return the runs of a target's result file, if they are of this seed, machine and code."""
    result = read_json(args.results / f'{target.name}.json') if args.results else None
    if not result or (result['seed'], result['machine'], result['code']) != (
            args.seed, describe_machine(), training_code()):
        return []
    return [Chain([Kill(**kill) for kill in run['kills']], run['differences'])
            for run in result['runs']]


def write_result(series: Series, args: argparse.Namespace) -> None:
    """Write the result file of a target, of what was seen so far."""
    if args.results:
        write_json(args.results / f'{series.target.name}.json', dict(
            command=shlex.join(['tools/kill_trainings.py', *sys.argv[1:]]), seed=args.seed,
            machine=describe_machine(), code=training_code(), versions={
                name: version and str(version) for name, version in describe_versions().items()},
            **summarise(series.target.name, series.seconds, series.chains)))


if __name__ == '__main__':
    main()
