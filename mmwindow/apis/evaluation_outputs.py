"""What an evaluation of files writes besides record, table and report: one process at a time."""
import contextlib
import csv
import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mmwindow.apis.evaluation_report import ClassReport
from mmwindow.utils.files import atomic_file, cut_name, write_json

MAX_SUFFIX = 80  # bytes of a class name in a file's name


@contextlib.contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Make a folder, and wait until no other process writes its results into it.

    Each file is written atomically; together they are of one evaluation. A file system without locks
    goes without.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def class_suffix(report: ClassReport, reports: Sequence[ClassReport]) -> str:
    """Return what the names of a class's files end in: nothing where there is one class."""
    if len(reports) == 1:
        return ''
    words = [cut_name(re.sub(r'[\\/:]', '-', one.name), MAX_SUFFIX) for one in reports]
    place = next(number for number, one in enumerate(reports) if one.name == report.name)
    # 'a/b' and 'a:b', or two that differ in case, would share their files.
    is_shared = [word.lower() for word in words].count(words[place].lower()) > 1
    return f'_{words[place]}' + (f'-{place + 1}' if is_shared else '')


def write_leaderboards(out: Path, reports: Sequence[ClassReport]) -> None:
    """Write the leaderboard of each class, where there is one, and the tests of all pairs.

    Where there is none, those of an evaluation before, of other systems, are deleted.
    """
    for report in reports:
        suffix = class_suffix(report, reports)
        board, path = out / f'leaderboard{suffix}.json', out / f'pairs{suffix}.csv'
        if report.leaderboard is None:
            board.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            continue
        write_json(board, report.leaderboard.as_dict())
        rows = report.leaderboard.test_rows()
        with atomic_file(path) as part, open(part, 'w', encoding='utf-8', newline='') as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
