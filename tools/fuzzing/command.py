"""Try readers with mutated files: each ends in one line that names the file, or in right numbers."""
import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

os.environ.setdefault('OMP_NUM_THREADS', '1')  # a fork does not take threads along

from fuzzing.children import BATCH, CaseResult, run_batch, run_one  # noqa: E402
from fuzzing.harness import (  # noqa: E402
    EQUAL,
    FAULT,
    REJECTED,
    VALID,
    Reader,
    Seed,
    check_seeds,
    make_case,
)
from fuzzing.readers import READERS  # noqa: E402
from fuzzing.table import fuzzing_table, read_results, write_page  # noqa: E402

KEPT = 3  # cases of each kind of fault
SHOW_EVERY = 2.  # seconds


@dataclass
class Counts:
    """What became of the cases of one reader.

    Attributes:
        reader: Its name.
        cases: How many were run.
        rejected: With one line that names the file.
        equal: Accepted, with the meaning of the file before it was changed.
        valid: Accepted with another meaning, that of an independent reading.
        faults: Anything else.
        kinds: Of faults, in words, with their number and the index of the first case.
    """

    reader: str
    cases: int = 0
    rejected: int = 0
    equal: int = 0
    valid: int = 0
    faults: int = 0
    seconds: float = 0.
    slowest: float = 0.
    kinds: dict[str, list[int]] = field(default_factory=dict)

    def add(self, result: CaseResult) -> int:
        """Count a case; return how many of its kind of fault there are."""
        name = {REJECTED: 'rejected', EQUAL: 'equal', VALID: 'valid', FAULT: 'faults'}
        setattr(self, name[result.outcome.kind], getattr(self, name[result.outcome.kind]) + 1)
        self.cases += 1
        self.slowest = max(self.slowest, result.seconds)
        if result.outcome.kind != FAULT:
            return 0
        kind = self.kinds.setdefault(f'{result.outcome.fault} at {result.outcome.place}',
                                     [0, result.index])
        kind[0] += 1
        return kind[0]


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(prog='tools/fuzz.py', description=__doc__)
    add = parser.add_argument
    add('readers', nargs='*', metavar='READER', help=f'of {", ".join(READERS)}; all by default')
    add('--cases', type=int, default=1000,
        help='of each reader, a tenth of that of command lines (%(default)s)')
    add('--seed', type=int, default=0, help='of all mutations (%(default)s)')
    add('--seconds', type=float, help='of all cases; each reader gets its part, imports come on top')
    add('--case', type=int, help='run this case alone, in this process, and show what it gives')
    add('--out', type=Path, default=Path('work_dirs/fuzz'),
        help='folder of results, one file a reader, and of cases with a fault (%(default)s)')
    add('--page', type=Path, help='write the table into this Markdown page')
    args = parser.parse_args(arguments)
    unknown = [name for name in args.readers if name not in READERS]
    if unknown:
        parser.error(f'there is no reader {unknown[0][:50]}; there are {", ".join(READERS)}')
    if args.cases < 1 or args.case is not None and (args.case < 0 or len(args.readers) != 1):
        parser.error('--cases is at least 1; --case is the index of a case of one reader')
    return args


def iterate_cases(reader: Reader, seeds: Sequence[Seed], args: argparse.Namespace, folder: Path,
                  end: float | None) -> Iterator[CaseResult]:
    """Yield results until all cases are run, or the time is over."""
    num_cases = number_of_cases(reader, args)
    for start in range(0, num_cases, BATCH):
        indices = range(start, min(start + BATCH, num_cases))
        for result in run_batch(reader, seeds, args.seed, indices, folder):
            yield result
            if end is not None and time.monotonic() > end:
                return


def number_of_cases(reader: Reader, args: argparse.Namespace) -> int:
    """Return how many cases of a reader are run."""
    return max(1, round(args.cases * reader.share))


def run_reader(reader: Reader, args: argparse.Namespace, folder: Path, seconds: float | None
               ) -> Counts:
    """Run the cases of one reader, keep those with a fault, and tell how far it is."""
    counts, num_cases = Counts(reader.name), number_of_cases(reader, args)
    seeds = reader.make_seeds()
    check_seeds(reader, seeds, folder / 'seed')  # imports what the reader needs
    started = shown = time.monotonic()
    end = None if seconds is None else started + seconds
    for result in iterate_cases(reader, seeds, args, folder, end):
        if 0 < counts.add(result) <= KEPT:
            keep_case(reader, seeds, args, result)
        now = time.monotonic()
        if now - shown > SHOW_EVERY and sys.stderr.isatty():
            shown, rate = now, (now - started) / counts.cases
            left = rate * (num_cases - counts.cases)
            left = left if end is None else min(left, max(end - now, 0))
            print(f'\r{reader.name}: {counts.cases} of {num_cases} cases, {counts.faults} faults, '
                  f'about {left:.0f} s left  ', end='', file=sys.stderr, flush=True)
    counts.seconds = time.monotonic() - started
    print(f'{reader.name:12} {counts.cases:6} cases: {counts.rejected} rejected, '
          f'{counts.equal} equal, {counts.valid} valid, {counts.faults} faults; '
          f'{counts.seconds:.0f} s', flush=True)
    return counts


def keep_case(reader: Reader, seeds: Sequence[Seed], args: argparse.Namespace, result: CaseResult
              ) -> None:
    """Keep the files of a case with a fault, and show how it is run again."""
    target = args.out / 'faults' / f'{reader.name}-{args.seed}-{result.index}'
    make_case(reader, seeds, args.seed, result.index, target)
    text = f'{result.outcome.fault} at {result.outcome.place}\n{result.outcome.text}\n'
    (target / 'fault.txt').write_text(text, encoding='utf-8', errors='backslashreplace')
    print(f'  fault: {result.outcome.fault} at {result.outcome.place}; files in {target}; again: '
          f'tools/fuzz.py {reader.name} --seed {args.seed} --case {result.index}', flush=True)


def run_again(reader: Reader, args: argparse.Namespace, folder: Path) -> bool:
    """Run one case in this process, show its outcome, and return whether it is a fault."""
    seeds = reader.make_seeds()
    case, _ = make_case(reader, seeds, args.seed, args.case, args.out / 'case')
    print(f'the files are in {args.out / "case"}')
    outcome = run_one(reader, seeds, args.seed, args.case, folder)
    print(f'{outcome.kind} {outcome.fault} {outcome.place}\n{outcome.text}')
    return outcome.kind == FAULT


def main(arguments: Sequence[str] | None = None) -> None:
    """Run readers.

    Raises:
        SystemExit: Status 1 where there is a fault.
    """
    from mmwindow.utils.environment import describe_machine, describe_versions
    from mmwindow.utils.files import write_json

    args = parse_arguments(arguments)
    names = args.readers or list(READERS)
    with tempfile.TemporaryDirectory() as temporary:
        if args.case is not None:
            raise SystemExit(run_again(READERS[names[0]], args, Path(temporary)))
        counts: list[Counts] = []
        for number, name in enumerate(names):
            left = None if args.seconds is None else (
                args.seconds - sum(entry.seconds for entry in counts)) / (len(names) - number)
            counts.append(run_reader(READERS[name], args, Path(temporary) / name, left))
            write_json(args.out / 'results' / f'{name}.json', dict(
                command=f'tools/fuzz.py {name} --cases '
                f'{round(counts[-1].cases / READERS[name].share)} --seed {args.seed}',
                seed=args.seed, machine=describe_machine(), versions=describe_versions(),
                counts=asdict(counts[-1])))
    contents = read_results(args.out / 'results')
    names_run = set(names)
    print(fuzzing_table([content
                         for content in contents if content['counts']['reader'] in names_run]))
    if args.page:
        write_page(args.page, contents)
    print(f'results are in {args.out / "results"}')
    raise SystemExit(1 if any(entry.faults for entry in counts) else 0)
