"""Numbers, intervals and tests of committed result files, made again from their events alone.

No run folder, weight or image is needed. See ``tools/make_tables.py --from-results``.
"""
import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mmwindow.experiments.paper_report import make_report
from mmwindow.experiments.result_files import find_result_files
from mmwindow.experiments.run_state import read_filed
from mmwindow.utils.files import load_json
from mmwindow.utils.messages import count_words, name_some

# What a result file says that comes from events; all else tells of the runs.
COMPUTED = ('headline', 'metrics', 'no_number', 'intervals', 'bootstrap', 'folds', 'over_folds',
            'pooled', 'data', 'reference_minus_this', 'by', 'note')
# What files of earlier versions lack, next to numbers that are the same.
ADDED = ('degrees', )
TOLERANCE = 1e-6  # sums differ in their last digits from processor to processor


def report_arguments(folder: str | Path) -> dict[str, Any]:
    """Return what the tables of result files were made with: resamples, seed, reference.

    Raises:
        ValueError: There is no result file in the folder.
    """
    contents = [read_filed(path) for path in find_result_files(folder)]
    if not contents:
        raise ValueError(f'{folder}: there is no result file in it; tools/make_tables.py RUNS --out '
                         f'TABLES --results {folder} writes them')
    reference = next((content['reference_minus_this']['reference'] for content in contents
                      if 'reference_minus_this' in content), None)
    return dict(num_resamples=contents[0]['bootstrap']['num_resamples'],
                seed=contents[0]['bootstrap']['seed'], reference=reference,
                by=list(contents[0].get('by') or ()), note=contents[0].get('note', ''))


def recompute_results(folder: str | Path, out: str | Path | None = None,
                      paper: str | Path | None = None, command_line: str = '',
                      say: Callable[[str], Any] = print) -> None:
    """Write result files and their tables and figures again, from the events in the folder.

    Args:
        folder: Such as ``results/fracatlas``.
        out: Of the tables; ``<folder>/tables`` if None.
        paper: As in :func:`~mmwindow.experiments.paper_report.make_report`.
        command_line: Is written into files and tables.
        say: Takes a line of progress.

    Raises:
        ValueError: There is no result file, or its events are not its own.
    """
    make_report([folder], Path(folder) / 'tables' if out is None else out, paper, results=folder,
                command_line=command_line, say=say, recomputed=True, **report_arguments(folder))


def check_results(folder: str | Path, paper: str | Path | None = None,
                  say: Callable[[str], Any] = print) -> list[str]:
    """Compute result files again elsewhere, and return in words where they differ from the folder's.

    Args:
        folder: Such as ``results/fracatlas``; nothing is written there.
        paper: As in :func:`~mmwindow.experiments.paper_report.make_report`.
        say: Takes a line of progress.

    Raises:
        ValueError: As :func:`recompute_results`.
    """
    arguments = report_arguments(folder)
    with tempfile.TemporaryDirectory() as name:
        again = Path(name)
        make_report([folder], again / 'tables', paper, results=again, say=say, **arguments)
        differences = []
        for path in find_result_files(folder):
            old, new = load_json(path), load_json(again / path.name)
            wrong = list(unequal_entries({entry: old.get(entry) for entry in COMPUTED},
                                         {entry: new.get(entry) for entry in COMPUTED}))
            if wrong:
                number = count_words(len(wrong), 'entry differs', 'entries differ')
                differences.append(f'{path}: {number}: {name_some(wrong)}')
    return differences


def unequal_entries(old: Any, new: Any, where: str = '') -> Iterator[str]:
    """Yield where plain data differ, numbers by more than a millionth.

    An entry of :data:`ADDED` that the old data lack is no difference.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old and key not in ADDED)]:
            yield from unequal_entries(old.get(key), new.get(key), f'{where} {key}'.strip())
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, pair in enumerate(zip(old, new, strict=True)):
            yield from unequal_entries(*pair, f'{where} {number}')
    elif not (isinstance(old, int | float) and isinstance(new, int | float)
              and math.isclose(old, new, rel_tol=0, abs_tol=TOLERANCE)) and old != new:
        yield f'{where} ({old} and {new})'
