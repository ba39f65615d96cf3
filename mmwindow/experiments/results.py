"""Finished systems read back, from the folders of their runs or from result files."""
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.records import read_record
from mmwindow.experiments.result_files import find_result_files, read_system
from mmwindow.experiments.run_state import read_state, read_tested
from mmwindow.experiments.systems import (
    System,
    check_comparable,
    describe_fold,
    describe_settings,
)
from mmwindow.utils.files import read_json
from mmwindow.utils.messages import shorten

# What the folds of one system have in common; runs of older versions name some of it alone.
SHARED_ENTRIES = ('settings_mark', 'seed', 'divergence', 'window')
# How they were tested: of nothing in a file, an older version took these.
TESTED_WITH = dict(weights='best', views=None)


def find_run_folders(folder: str | Path) -> list[Path]:
    """Return the folders of runs in a folder, or the folder itself where it is a run.

    ``run.json`` of a work dir alone, as tools/train.py writes it, is no run of an experiment.
    """
    return sorted({path.parent for name, entry in (('run.json', 'system'), ('result.json', 'records'))
                   for path in Path(folder).rglob(name) if has_entry(path, entry)})


def has_entry(path: Path, entry: str) -> bool:
    """Tell whether a JSON file holds an object with an entry; others of its name are not ours."""
    content = read_json(path)
    return isinstance(content, dict) and entry in content


Runs: TypeAlias = dict[int | None, tuple[Path, Mapping[str, Any]]]  # fold -> folder and result


class Part(NamedTuple):
    """Some folds of a system, and the result file or a run that they come from."""

    path: Path
    system: System


def load_systems(folders: Sequence[str | Path], class_name: str | None = None,
                 only: Sequence[int] | None = None, replaced: str | Path | None = None
                 ) -> dict[str, System]:
    """Read the systems of folders and reject what cannot be compared.

    Args:
        folders: From ``tools/run_folds.py --out``, or of result files, from
            ``tools/make_tables.py --results``. The folds of a system may lie in several of them.
        class_name: Which class; needed where there are several.
        only: Which folds; all if None.
        replaced: A folder of result files that will be written again: a fold
            of which there is a run is passed over in its file there.

    Returns:
        By name, in order of the names.

    Raises:
        ValueError: A run without result, a fold or an image twice, folds or systems of different
            trainings, images or settings; the message says what differs.
    """
    runs: dict[str, Runs] = {}
    filed: dict[str, list[Part]] = {}
    for folder in folders:
        run_folders, files = find_run_folders(folder), find_result_files(folder)
        if not run_folders and not files:
            raise ValueError(f'{folder}: there is no run in it, and no result file; '
                             f'tools/run_folds.py --out {folder} makes runs')
        read_runs(run_folders, runs, only)
        for path in files:
            system = read_system(path, class_name, only)
            if system is not None:
                filed.setdefault(path.stem, []).append(Part(path, system))
    systems = {}
    for name in sorted({*filed, *runs}):
        parts = filed.get(name, [])
        if replaced is not None:
            parts = [part if part.path.parent.resolve() != Path(replaced).resolve()
                     else Part(part.path, part.system.without(runs.get(name, ()))) for part in parts]
        parts = [*parts, *(Part(path, read_tested_run(path, result, class_name))
                           for path, result in runs.get(name, {}).values())]
        systems[name] = join_folds(name, [part for part in parts if part.system.results])
    if not systems:
        raise ValueError('no folder is given; folders of runs or of result files are expected'
                         if only is None else f'none of the runs is of the folds {list(only)}')
    check_folds_are_there(only, {name: system.results for name, system in systems.items()})
    check_comparable(list(systems.values()))
    return systems


def check_folds_are_there(only: Sequence[int] | None, systems: Mapping[str, Collection[int | None]]
                          ) -> None:
    """Reject folds that were asked for and that a system does not have.

    Args:
        only: Which; None: any.
        systems: Name -> the folds that are there.

    Raises:
        ValueError: The message names the system and the folds.
    """
    for name, folds in systems.items():
        lacking = sorted(set(only or ()) - set(folds))
        if lacking:
            raise ValueError(f'--only: {name} has no fold {", ".join(map(str, lacking))}; of those '
                             f'asked for it has {", ".join(map(describe_fold, folds)) or "none"}')


def join_folds(name: str, parts: Sequence[Part]) -> System:
    """Return one system of the folds that several folders hold, such as those of two machines.

    Args:
        name: Of the system.
        parts: Each with other folds.

    Raises:
        ValueError: A fold or an image is in two of them, or they were trained, tested or scored
            differently.
    """
    home: dict[int | None, Part] = {}
    for part in parts:
        for fold in part.system.results:
            if fold in home:
                raise ValueError(f'{home[fold].path} and {part.path} both hold {describe_fold(fold)} '
                                 f'of {name}; give one')
            home[fold] = part
    first, *others = order = sorted(home, key=lambda fold: (fold is not None, fold or 0))
    results = {fold: home[fold].system.results[fold] for fold in order}
    check_same_training(name, results)
    settings = home[first].system.settings
    for fold in others:
        if home[fold].system.settings != settings:
            raise ValueError(describe_settings(
                f'{name} {describe_fold(first)}', settings,
                f'{name} {describe_fold(fold)}', home[fold].system.settings))
    events = {fold: home[fold].system.events[fold] for fold in order}
    check_tested_once(name, events)
    return replace(home[first].system, results=results, events=events)


def read_runs(folders: Sequence[Path], runs: dict[str, Runs], only: Sequence[int] | None = None
              ) -> None:
    """Add the result of each run to ``runs``: system -> fold -> (folder, result).

    Args:
        folders: Of the runs.
        runs: Receives them.
        only: Which folds; all if None. Other runs may be at work.

    Raises:
        ValueError: A run without a result or without a test, or a fold twice.
    """
    for path in folders:
        result = read_tested(path)
        if only is not None and (result or read_state(path) or {}).get('fold') not in only:
            continue
        if result is None:
            raise ValueError(f'{path}: the run has no result yet (it was cut, it failed or it is at '
                             'work); run tools/run_folds.py again, or take the folder away')
        if 'test' not in result['records']:
            raise ValueError(f'{path}: the run was only validated, to choose settings; tables are '
                             'made of tested runs, which tools/run_folds.py makes in another folder')
        folds = runs.setdefault(result['system'], {})
        if result['fold'] in folds:
            raise ValueError(f'{path} and {folds[result["fold"]][0]} are both '
                             f'{describe_fold(result["fold"])} of {result["system"]}; give one')
        folds[result['fold']] = (path, result)


def check_same_training(name: str, results: Mapping[int | None, Mapping[str, Any]]) -> None:
    """Reject to pool folds that were trained with different settings, or tested differently.

    Args:
        name: Of the system.
        results: Fold -> content of ``result.json``.

    Raises:
        ValueError: The message names the folds and what differs.
    """
    order = list(results)
    for place, fold in enumerate(order[1:], start=1):
        for entry in SHARED_ENTRIES:
            # The first that names it: an older fold may name nothing.
            first = next((key for key in order[:place] if results[key].get(entry) is not None), fold)
            known = [results[key].get(entry) for key in (first, fold)]
            if None not in known and known[0] != known[1]:
                what = ('settings: configs, options, processes or folds files' if
                        entry == 'settings_mark' else
                        f'{entry} {shorten(known[0])} and {shorten(known[1])}')
                raise ValueError(f'{name}: {describe_fold(first)} and {describe_fold(fold)} were '
                                 f'trained with different {what}; they are no folds of one system: '
                                 'run both with one command')
        first = order[0]
        for entry, usual in TESTED_WITH.items():
            tested = [results[key].get(entry) or usual for key in (first, fold)]
            if tested[0] != tested[1]:
                raise ValueError(f'{name}: {describe_fold(first)} and {describe_fold(fold)} were '
                                 f'tested with different {entry}, {describe_test(entry, tested[0])} '
                                 f'and {describe_test(entry, tested[1])}; they are no folds of one '
                                 'system: test both with one command')


def describe_test(entry: str, value: str | None) -> str:
    """Return in words with which weights, or views, was tested."""
    return value or 'the image alone' if entry == 'views' else str(value)


def read_tested_run(path: Path, result: Mapping[str, Any], class_name: str | None = None) -> System:
    """Return the one fold of a system that a run tested.

    Args:
        path: Folder of the run.
        result: Of the run.
        class_name: As in :func:`load_systems`.

    Raises:
        ValueError: Its record is bad.
    """
    record = read_record(path / result['records']['test'])
    return System(name=result['system'], results={result['fold']: result},
                  events={result['fold']: record.events(class_name)}, settings=record.settings,
                  class_name=class_name or next(iter(record.classes)))


def check_tested_once(name: str, events: Mapping[int | None, Sequence[ImageEvents]]) -> None:
    """Reject an image that two folds test.

    Raises:
        ValueError: The message names the image and the folds.
    """
    homes: dict[Any, int | None] = {}
    for fold in events:
        for event in events[fold]:
            if event.image_id in homes:
                raise ValueError(
                    f'{name}: image {event.image_id!r} is tested in '
                    f'{describe_fold(homes[event.image_id])} and in {describe_fold(fold)}; each '
                    'image is tested once: are the runs of one folds file?')
            homes[event.image_id] = fold
