"""The command line of ``tools/fuzz.py``: run cases, keep faults, write and show the table."""
import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault('OMP_NUM_THREADS', '1')

from fuzzing.children import BATCH, run_batch, run_one  # noqa: E402
from fuzzing.harness import FAULT, Reader, check_seeds, make_case  # noqa: E402
from fuzzing.readers import READERS  # noqa: E402

KEPT = 5  # files of each kind of fault


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('readers', nargs='*', metavar='READER',
                        help=f'of {", ".join(READERS)}; all if none is named')
    parser.add_argument('--cases', type=int, default=1000, help='of each reader (%(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of all mutations (%(default)s)')
    parser.add_argument('--seconds', type=float,
                        help='stop after so long; all readers get a part of it')
    parser.add_argument('--first', type=int, default=0, help='index of the first case (%(default)s)')
    parser.add_argument('--case', type=int,
                        help='run this one case in this process and show what it gives')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/fuzz'),
                        help='folder of faults and results.json')
    args = parser.parse_args()
    unknown = [name for name in args.readers if name not in READERS]
    if unknown:
        parser.error(f'there is no reader {unknown[0]}; the readers are {", ".join(READERS)}')
    return args


def run_reader(reader: Reader, args: argparse.Namespace, folder: Path,
               seconds: float | None) -> dict[str, Any]:
    started, counts, faults = time.monotonic(), Counter(), {}
    seeds = reader.make_seeds()
    check_seeds(reader, seeds, folder / 'seed')
    slowest = 0.
    indices = range(args.first, args.first + args.cases)
    for start in range(0, len(indices), BATCH):
        for result in run_batch(reader, seeds, args.seed, indices[start:start + BATCH], folder):
            counts[result.outcome.kind] += 1
            slowest = max(slowest, result.seconds)
            if result.outcome.kind == FAULT:
                key = (result.outcome.fault, result.outcome.place)
                faults.setdefault(key, []).append(result.index)
                if len(faults[key]) <= KEPT:
                    keep(reader, seeds, args, result, folder)
            if seconds is not None and time.monotonic() - started > seconds:
                break
        if seconds is not None and time.monotonic() - started > seconds:
            break
    for (fault, place), found in faults.items():
        print(f'  {reader.name}: {fault} at {place}: {len(found)} cases, first --case {found[0]}')
    print(f'{reader.name:12} {sum(counts.values()):6} {dict(counts)} slowest {slowest:.1f} s, {time.monotonic() - started:.0f} s',
          flush=True)
    return dict(counts)


def keep(reader, seeds, args, result, folder):
    target = args.out / f'{reader.name}-{args.seed}-{result.index}'
    make_case(reader, seeds, args.seed, result.index, target)
    (target / 'fault.txt').write_text(f'{result.outcome.fault} {result.outcome.place}\n{result.outcome.text}\n', errors='backslashreplace')


def main() -> None:
    args = parse_arguments()
    names = args.readers or list(READERS)
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        if args.case is not None:
            reader = READERS[names[0]]
            seeds = reader.make_seeds()
            outcome = run_one(reader, seeds, args.seed, args.case, Path(temporary))
            print(outcome.kind, outcome.fault, outcome.place)
            print(outcome.text)
            make_case(reader, seeds, args.seed, args.case, args.out / 'case')
            return
        for name in names:
            run_reader(READERS[name], args, Path(temporary) / name,
                       args.seconds and args.seconds / len(names))
