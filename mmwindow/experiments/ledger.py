"""What was tried for each system: settings and trainings, read from result files and run folders.

A comparison is fair where no system was given more tries than another. Each training counts once,
however many files tell of it; tests of trainings that were there count nothing.
"""
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmwindow.experiments.results import find_run_folders
from mmwindow.experiments.run_state import read_result, read_state
from mmwindow.experiments.systems import PUBLISHED_SYSTEMS, paper_key
from mmwindow.utils.files import read_json
from mmwindow.utils.markdown import markdown_table
from mmwindow.utils.messages import shorten

WINDOW_LOSS = 'wl_'  # begins the names of the method's own systems


@dataclass(frozen=True)
class Training:
    """One training that was spent on a system.

    Attributes:
        system: Key of ``PUBLISHED_SYSTEMS`` in :mod:`.systems`, else the config's name.
        setting: Name of what was tried; '' for a run of a result.
        identity: Two files that tell of one training give the same.
        seconds: It took; None where that is not known, as of one that is not finished.
        tried: The overrides of the setting; None where they are not known, as of the folder of a
            run. Two files may give one name to different overrides, or configs of different names
            the same.
    """

    system: str
    setting: str
    identity: str
    seconds: float | None
    tried: str | None = None


@dataclass
class Account:
    """What was spent on one system.

    Attributes:
        system: As in :class:`Training`.
        settings: Names of what was tried, in the order in which it was read, and what each stands
            for; empty where that is not known.
        trainings: Each once.
    """

    system: str
    settings: dict[str, set[str]] = field(default_factory=dict)
    trainings: dict[str, Training] = field(default_factory=dict)

    @property
    def num_settings(self) -> int:
        """Overrides that were tried; a name of which no more is known counts as one."""
        known = set().union(*self.settings.values())
        return len(known) + sum(not tried for tried in self.settings.values())

    @property
    def num_unfinished(self) -> int:
        """Trainings that have not ended."""
        return sum(one.seconds is None for one in self.trainings.values())

    @property
    def hours(self) -> float:
        """Of all trainings that ended."""
        return sum(one.seconds or 0. for one in self.trainings.values()) / 3600

    @property
    def label(self) -> str:
        """What tables call the system."""
        return PUBLISHED_SYSTEMS.get(self.system, self.system)


def system_key(name: str) -> str:
    """Return the system that a config belongs to: ``wl_kld`` of ``wl_kld_lite0_fpn_fracatlas``."""
    return paper_key(name, PUBLISHED_SYSTEMS) or name


def read_ledger(places: Sequence[str | Path]) -> dict[str, Account]:
    """Return what was spent on each system, by its key, in the order of the paper's table.

    Args:
        places: Folders of runs, of result files, or such files.

    Raises:
        ValueError: There is nothing of either in one of them, or a file is none of ours.
    """
    accounts: dict[str, Account] = {}
    for place in places:
        found = list(read_trainings(Path(place)))
        if not found:
            raise ValueError(f'{shorten(str(place))}: there is no training in it, no result file and '
                             'no comparison of settings; mmwindow tune and mmwindow folds write them')
        for one in found:
            account = accounts.setdefault(one.system, Account(one.system))
            known = account.trainings.get(one.identity)
            if known is None or known.seconds is None:
                account.trainings[one.identity] = one
            if one.setting:
                account.settings.setdefault(one.setting, set()).update(
                    [] if one.tried is None else [one.tried])
    order = list(PUBLISHED_SYSTEMS)
    return {name: accounts[name] for name in sorted(accounts, key=lambda name: (
        order.index(name) if name in order else len(order), name))}


def read_trainings(place: Path) -> Iterator[Training]:
    """Yield the trainings that a file or a folder, with all in it, tells of."""
    if place.is_file():
        yield from read_file(place)
        return
    if not place.is_dir():
        raise ValueError(f'{shorten(str(place))}: there is no such file or folder')
    yield from read_run_folders(place)
    runs = set(find_run_folders(place))
    for path in sorted(place.rglob('*.json')):
        if not runs.intersection(path.parents) and tells_of_trainings(path):
            yield from read_file(path)


def tells_of_trainings(path: Path) -> bool:
    """Tell whether a JSON file is a comparison of settings or the result of a system."""
    try:
        content = read_json(path)
    except ValueError:  # of somebody else
        return False
    return isinstance(content, Mapping) and (
        {'runs', 'config', 'events'} <= set(content)
        or isinstance(content.get('candidates'), list) and any(
            isinstance(entry, Mapping) and 'setting' in entry for entry in content['candidates']))


def read_file(path: Path) -> Iterator[Training]:
    """Yield the trainings of a comparison of settings, or of the result file of a system.

    Raises:
        ValueError: It is neither.
    """
    content = read_json(path)
    if isinstance(content, Mapping) and isinstance(content.get('candidates'), list):
        if not content.get('tested_again'):
            for entry in content['candidates']:
                yield from read_candidate_entry(path, content, entry)
    elif isinstance(content, Mapping) and {'runs', 'config'} <= set(content):
        for run in content['runs']:
            if run.get('training_command'):
                continue  # tested again: the training is another file's
            yield Training(system_key(path.stem), '', run.get('mark') or describe_identity(
                path.stem, '', run), run.get('training_seconds'))
    else:
        raise ValueError(f'{shorten(str(path))}: this is no comparison of settings and no result of '
                         'a system; mmwindow tune --results and mmwindow tables --results write them')


def read_candidate_entry(path: Path, content: Mapping[str, Any], entry: Any) -> Iterator[Training]:
    """Yield the trainings of one candidate of a comparison."""
    try:
        system, setting = entry['system'], entry['setting']
        overrides = json.dumps(content['settings'][setting], sort_keys=True)
    except (KeyError, TypeError) as error:
        raise ValueError(f'{shorten(str(path))}: an entry of its candidates has no system or no '
                         f'setting ({error}); write it again with mmwindow tune') from error
    runs = entry.get('runs') or [
        # Older files tell of the first fold's run alone.
        dict(fold=number if entry.get('num_folds', 1) > 1 else None, seed=entry.get('seed'),
             training_seconds=entry.get('training_seconds')) for number in range(
            entry.get('num_folds', 1))]
    for run in runs:
        identity = run.get('mark') or describe_identity(entry.get('config') or system, overrides, run)
        yield Training(system_key(system), setting, identity, run.get('training_seconds'),
                       overrides)


def describe_identity(config: str, overrides: str, run: Mapping[str, Any]) -> str:
    """Return what tells a training of an older file from others: it notes no fingerprint."""
    return json.dumps([config, overrides, run.get('fold'), run.get('seed'),
                       run.get('training_seconds')])


def read_run_folders(place: Path) -> Iterator[Training]:
    """Yield the trainings of run folders; what was only tested again is none."""
    for folder in find_run_folders(place):
        state = {**(read_result(folder) or {}), **(read_state(folder) or {})}
        system = state.get('system')
        if 'training_command' in state or not system:
            continue
        result = read_result(folder)
        if result is None and not state.get('machine'):
            continue  # it has not begun
        seconds = state.get('training_seconds') if result or state.get('trained') else None
        # <setting>/<system>/<fold>, but of mmwindow folds no setting is above the system.
        setting = folder.resolve().parents[1].name if is_tuned(state) else ''
        yield Training(system_key(system), setting, state.get('mark') or str(folder), seconds)


def is_tuned(state: Mapping[str, Any]) -> bool:
    """Return whether a run is one of a comparison of settings, by the command that made it."""
    return '--setting' in str(state.get('command') or '').split()


def describe_ledger(accounts: Mapping[str, Account]) -> str:
    """Return the Markdown table of what was spent, and where a baseline was given less."""
    rows = [['system', 'settings tried', 'trainings', 'hours', 'which settings']]
    for account in accounts.values():
        unfinished = account.num_unfinished
        rows.append([account.label, str(account.num_settings), str(len(account.trainings)) + (
            f' ({unfinished} not finished)' if unfinished else ''), f'{account.hours:.1f}',
            ', '.join(name + (f' ({len(tried)} of this name)' if len(tried) > 1 else '')
                      for name, tried in account.settings.items())])
    return '\n\n'.join([
        markdown_table(rows),
        'A training is one config with one setting on one fold; each counts once, also where '
        'several files tell of it, and tests of finished trainings count nothing. Hours are of '
        'trainings that ended, on the machines that their results name.',
        *describe_fairness(accounts)])


def describe_fairness(accounts: Mapping[str, Account]) -> list[str]:
    """Return in sentences which baselines were given fewer trainings than Window Loss."""
    own = [account for name, account in accounts.items() if name.startswith(WINDOW_LOSS)]
    others = [accounts.get(name, Account(name)) for name in dict.fromkeys(
        [*PUBLISHED_SYSTEMS, *accounts]) if not name.startswith(WINDOW_LOSS)]
    if not own:
        return []
    lines = []
    for what, count in (('trainings', lambda account: len(account.trainings)),
                        ('settings', lambda account: account.num_settings)):
        most = max(own, key=count)
        fewer = [f'{account.label} ({count(account)})' for account in others
                 if count(account) < count(most)]
        lines.append(
            f'Fewer {what} than {most.label} ({count(most)}), which has the most of the systems with '
            f'Window Loss: {", ".join(fewer)}.' if fewer else
            f'No baseline has fewer {what} than {most.label} ({count(most)}).')
    return lines


def has_fewer(accounts: Mapping[str, Account]) -> bool:
    """Return whether a baseline was given fewer trainings or settings than Window Loss."""
    return any(line.startswith('Fewer') for line in describe_fairness(accounts))
