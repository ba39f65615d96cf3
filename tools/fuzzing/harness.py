"""One case: a mutated file, what a reader makes of it, and whether that is allowed."""
import math
import random
import shutil
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

MAX_CHARACTERS = 700  # of a message, as in utils/command_line.py
REJECTED, EQUAL, VALID, FAULT = 'rejected', 'equal', 'valid', 'fault'


class SkipComparison(Exception):
    """The independent reading cannot tell; what was read is not compared."""


@dataclass(frozen=True)
class Seed:
    """A case without mutation.

    Attributes:
        files: Name to content; a name may have folders.
        main: What the reader is given, a file or a folder.
        options: Of the reader.
    """

    files: Mapping[str, bytes]
    main: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """What a reader is given.

    Attributes:
        path: A file or a folder.
        options: Of the reader.
    """

    path: Path
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Reader:
    """A reader with all that is needed to try it.

    Attributes:
        name: On the command line.
        make_seeds: Return valid files.
        mutate: Takes a name, its content and the source of chance; returns other content.
        read: What is tried; returns what the file means, as plain data, or raises ``ValueError``.
        reread: Read the same independently and tolerantly,
        to the same plain data; raises anything where
            the file means nothing.
        draw_options: Draw options of the reader.
        mutated: How the names begin of a seed's files that are mutated; None for all.
        tolerance: Between numbers of the two readings, absolute, and relative above 1 where it is
            below 1.
        names: What a message must hold besides the name of the file, to be said to name it.
        same_is_right: What is read as before the mutation is right, whatever the other reading
            says: of images, where libraries differ in what damage they mind.
        share: Of the cases that are asked for, where one takes long.
    """

    name: str
    make_seeds: Callable[[], Sequence[Seed]]
    mutate: Callable[[str, bytes, random.Random], bytes]
    read: Callable[[Case], Any]
    reread: Callable[[Case], Any]
    draw_options: Callable[[random.Random], Mapping[str, Any]] = lambda rng: {}
    mutated: Sequence[str] | None = None
    tolerance: float = 0.
    names: Sequence[str] = ()
    same_is_right: bool = False
    share: float = 1.


@dataclass(frozen=True)
class Outcome:
    """How a case ended.

    Attributes:
        kind: 'rejected', 'equal', 'valid' or 'fault'.
        fault: What is wrong, in a word; '' where nothing is.
        text: Message or traceback.
        place: Where an exception comes from, to tell faults apart.
    """

    kind: str
    fault: str = ''
    text: str = ''
    place: str = ''


def case_generator(seed: int, reader: str, index: int) -> random.Random:
    """Return the source of chance of one case, the same on every machine."""
    return random.Random(f'{seed}/{reader}/{index}')


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files of a case into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def make_case(reader: Reader, seeds: Sequence[Seed], seed: int, index: int, folder: Path
              ) -> tuple[Case, Seed]:
    """Write a mutated case.

    Returns:
        The case, and the seed that it comes from, with the options of the case.
    """
    rng = case_generator(seed, reader.name, index)
    origin = rng.choice(seeds)
    files = dict(origin.files)
    names = list(files if reader.mutated is None else
                 [name for name in files if name.startswith(tuple(reader.mutated))])
    name = rng.choice(names)
    if rng.random() < .03 and len(seeds) > 1:  # the file of another seed in its place
        other = rng.choice(seeds)
        files[name] = other.files.get(name, files[name])
    before = dict(files)
    files[name] = reader.mutate(name, files[name], rng)
    options = {**origin.options, **reader.draw_options(rng)}
    write_files(files, folder)
    return Case(folder / origin.main, options), Seed(before, origin.main, options)


def run_case(reader: Reader, case: Case, expected: Callable[[], Any] | None = None) -> Outcome:
    """Read a case and judge what comes of it.

    Args:
        reader: What is tried.
        case: Written by :func:`make_case`.
        expected: Returns what the file meant before it was mutated.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            meaning = reader.read(case)
    except ValueError as error:
        return judge_message(reader, case, error)
    except ForbiddenEvent as error:
        return Outcome(FAULT, 'forbidden', str(error), str(error).split()[0])
    except BaseException as error:  # whatever it is, it is a fault
        return Outcome(FAULT, type(error).__name__, short_traceback(error), innermost(error))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            other = reader.reread(case)
    except SkipComparison:
        return Outcome(VALID)
    except Exception as error:
        if reader.same_is_right and expected is not None and (
                find_difference(meaning, expected(), reader.tolerance) is None):
            return Outcome(EQUAL)  # what the other reading minds changes no number
        return Outcome(FAULT, 'accepted', 'accepted, but an independent reading fails: '
                       + short_traceback(error), f'{type(error).__name__} {str(error)[:40]}')
    difference = find_difference(meaning, other, reader.tolerance)
    if difference is not None and reader.same_is_right and expected is not None and (
            find_difference(meaning, expected(), reader.tolerance) is None):
        return Outcome(EQUAL)
    if difference is not None:
        return Outcome(FAULT, 'wrong', f'not as an independent reading: {difference}',
                       difference.split(':')[0][:60])
    if expected is not None and find_difference(meaning, expected(), reader.tolerance) is None:
        return Outcome(EQUAL)
    return Outcome(VALID)


def judge_message(reader: Reader, case: Case, error: ValueError) -> Outcome:
    """Return the outcome of an error that a user may see."""
    text, chain = str(error), error
    reasons = []
    while chain is not None:
        if isinstance(chain, MemoryError):
            reasons.append('memory')
        chain = chain.__cause__ or chain.__context__  # type: ignore[assignment]
    if type(error) is not ValueError and not type(error).__module__.startswith('mmwindow.'):
        reasons.append(type(error).__name__)
    if len(text.splitlines()) != 1 or not text.strip():
        reasons.append('lines')
    if len(text) > MAX_CHARACTERS:
        reasons.append('length')
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text.replace('\n',
                                                            '')):
        reasons.append('control characters')
    known = (case.path.name, *reader.names)
    if not any(name in text for name in known):
        reasons.append('names no file')
    if reasons:
        return Outcome(FAULT, ', '.join(reasons), f'{text[:2000]!r}\n{short_traceback(error)}',
                       innermost(error))
    return Outcome(REJECTED, text=text)


def innermost(error: BaseException) -> str:
    """Return the last line of our own code that an error went through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if 'mmwindow' in Path(frame.filename).parts]
    if not frames:
        return type(error).__name__
    return f'{Path(frames[-1].filename).name}:{frames[-1].name}'


def short_traceback(error: BaseException) -> str:
    """Return the end of a traceback."""
    if isinstance(error, RecursionError):
        return f'RecursionError at {innermost(error)}'
    lines = ''.join(traceback.format_exception(error)).splitlines()
    return '\n'.join(line[:300] for line in lines[-25:])


def find_difference(first: Any, second: Any, tolerance: float = 0., where: str = '') -> str | None:
    """Return where two trees of plain data differ, None where they are equal; NaN equals NaN."""
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        if first.shape != second.shape or (abs(first - second) > tolerance).any():
            return f'{where or "values"}: arrays that differ'
        return None
    if isinstance(first, dict) and isinstance(second, dict):
        if set(first) != set(second):
            return f'{where or "keys"}: {str(list(first))[:200]} and {str(list(second))[:200]}'
        return next((found for key in first if (found := find_difference(
            first[key], second[key], tolerance, f'{where}.{str(key)[:40]}'))), None)
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        if len(first) != len(second):
            return f'{where or "length"}: {len(first)} and {len(second)} items'
        return next((found for index, pair in enumerate(zip(first, second, strict=True))
                     if (found := find_difference(*pair, tolerance, f'{where}[{index}]'))), None)
    if isinstance(first, float | int) and isinstance(second, float | int) and (
            isinstance(first, bool) == isinstance(second, bool)):
        if first == second or (math.isnan(first) and math.isnan(second)):
            return None
        if math.isfinite(first) and math.isfinite(second) and (
                abs(first - second) <= tolerance * (
                    max(1., abs(first), abs(second)) if tolerance < 1 else 1)):
            return None
    elif type(first) is type(second) and first == second:
        return None
    return f'{where or "value"}: {str(first)[:200]!r} and {str(second)[:200]!r}'


def check_seeds(reader: Reader, seeds: Sequence[Seed], folder: Path) -> None:
    """Raise ``RuntimeError`` unless each seed is read, and alike by both readings."""
    for seed in seeds:
        write_files(seed.files, folder)
        rng = random.Random(0)
        case = Case(folder / seed.main, {**reader.draw_options(rng), **seed.options})
        outcome = run_case(reader, case)
        if outcome.kind != VALID:
            raise RuntimeError(f'{reader.name}: the seed {seed.main} with {case.options} is not '
                               f'read: {outcome.fault} {outcome.text}')


def forbidden_events(folder: Path) -> Callable[[str, tuple[Any, ...]], None]:
    """Return an audit hook that raises where a reader writes elsewhere, or starts or calls something.

    Args:
        folder: Of the case, where writing is allowed.
    """
    started = ('subprocess.Popen', 'os.system', 'os.exec', 'os.posix_spawn', 'os.fork', 'os.forkpty',
               'socket.connect', 'os.kill', 'ctypes.dlopen', 'os.startfile', 'urllib.Request')
    changed = ('os.remove', 'os.rename', 'os.mkdir', 'os.rmdir', 'os.link', 'os.symlink',
               'os.truncate',
               'os.chmod', 'os.chown', 'shutil.rmtree', 'shutil.move', 'shutil.copyfile')
    root = str(folder.resolve())

    def is_allowed(path: Any) -> bool:
        if isinstance(path, int) or path is None:
            return True
        text = path.decode('utf-8', 'replace') if isinstance(path, bytes) else str(path)
        if text in ('/dev/null', '/dev/shm') or '__pycache__' in text:
            return True
        return str(Path(text).absolute()).startswith((root, '/proc/self'))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if not ACTIVE[0]:
            return
        if event in started:
            raise ForbiddenEvent(f'{event} {str(arguments)[:200]}')
        if event in changed and not is_allowed(arguments[0]):
            raise ForbiddenEvent(f'{event} {str(arguments)[:200]}')
        if event == 'open' and isinstance(arguments[1], str) and (
                set(arguments[1]) & set('wax+')) and not is_allowed(arguments[0]):
            raise ForbiddenEvent(f'{event} {str(arguments)[:200]}')

    return hook


ACTIVE = [False]  # whether the audit hook looks


class ForbiddenEvent(BaseException):
    """A reader did what no reader may do; no handler of errors takes it for bad input."""


def install_hook(folder: Path) -> None:
    """Install :func:`forbidden_events`; it stays to the end of the process."""
    sys.addaudithook(forbidden_events(folder))
