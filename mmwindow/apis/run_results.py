"""Finished runs read back: one system is a config over its folds, its images tested once each."""
import re
from dataclasses import dataclass
from pathlib import Path

from mmwindow.apis.runs import read_json
from mmwindow.evaluation.files.records import read_record
from mmwindow.evaluation.froc_settings import FROCSettings

SHOWN = 5  # a message names this many images, then counts


@dataclass(frozen=True)
class System:
    """One config and its runs.

    Attributes:
        name (str): Of its config file.
        results (dict): fold (None: the config's own split) -> content of ``result.json``.
        events (dict): fold -> list of ImageEvents of the test split.
        settings (dict): Of the records: hit rule, frame side, budgets, convention.
        folders (dict): fold -> folder of the run.
        class_name (str): The class that the events are of.
    """

    name: str
    results: dict
    events: dict
    settings: dict
    folders: dict
    class_name: str = ''

    @property
    def first(self):
        """The result of the first fold; what it says of the config holds for all."""
        return next(iter(self.results.values()))

    @property
    def pooled(self):
        """The events of all folds; each image is tested once."""
        return [event for fold in self.events for event in self.events[fold]]

    def reading(self):
        """Return how the FROC is read, as the records say."""
        return FROCSettings(
            budgets=tuple(self.settings['budgets']), convention=self.settings['convention'],
            fp_denominator=self.settings.get('fp_denominator', 'all'))


def name_images(ids):
    """Return a few image ids as text, and how many more there are."""
    ids = sorted(ids, key=str)
    return ', '.join(repr(name) for name in ids[:SHOWN]) + (
        f' and {len(ids) - SHOWN} more' if len(ids) > SHOWN else '')


def find_run_folders(folder):
    """Return the folders of runs in a folder, or the folder itself where it is a run.

    Raises:
        ValueError: There is none.
    """
    folder = Path(folder)
    found = sorted(path.parent for path in folder.rglob('run.json'))
    if not found:
        raise ValueError(f'{folder}: there is no run in it; tools/run_folds.py --out {folder} makes '
                         'some')
    return found


def load_systems(folders, class_name=None, only=None):
    """Read the runs of folders, by system, and refuse what cannot be compared.

    Args:
        folders (Sequence[str | Path]): From ``tools/run_folds.py --out``.
        class_name (str, optional): Which class; needed where there are several.
        only (Sequence[int], optional): Which folds; all if None.

    Returns:
        dict[str, System]: By name, in order of the names.

    Raises:
        ValueError: A run without result, a system or an image twice, or systems tested on
            different images or with different settings; the message says what differs.
    """
    runs = {}
    for path in [run for folder in folders for run in find_run_folders(folder)]:
        result = read_json(path / 'result.json')
        if result is None:
            raise ValueError(f'{path}: the run has no result yet (it was cut, it failed or it is at '
                             'work); run tools/run_folds.py again, or take the folder away')
        if only is not None and result['fold'] not in only:
            continue
        mine = runs.setdefault(result['system'], {})
        if result['fold'] in mine:
            raise ValueError(f'{path} and {mine[result["fold"]][0]} are both '
                             f'{describe_fold(result["fold"])} of {result["system"]}; give one')
        mine[result['fold']] = (path, result)
    if not runs:
        raise ValueError(f'none of the runs is of the folds {list(only)}')
    systems = {name: load_system(name, runs[name], class_name) for name in sorted(runs)}
    check_comparable(list(systems.values()))
    return systems


def describe_fold(fold):
    """Return a fold in words."""
    return 'the single split' if fold is None else f'fold {fold}'


def load_system(name, runs, class_name=None):
    """Return a system from its runs, fold -> (folder, result).

    Raises:
        ValueError: A record is bad or of other settings, or an image is tested twice.
    """
    order = sorted(runs, key=lambda fold: (fold is not None, fold or 0))
    records = {fold: read_record(runs[fold][0] / runs[fold][1]['records']['test'])
               for fold in order}
    events = {fold: records[fold].events(class_name) for fold in order}
    homes = {}
    for fold in order:
        if records[fold].settings != records[order[0]].settings:
            raise ValueError(describe_settings(
                f'{name} {describe_fold(order[0])}', records[order[0]].settings,
                f'{name} {describe_fold(fold)}', records[fold].settings))
        for event in events[fold]:
            if event.image_id in homes:
                raise ValueError(
                    f'{name}: image {event.image_id!r} is tested in '
                    f'{describe_fold(homes[event.image_id])} and in {describe_fold(fold)}; each '
                    'image is tested once: are the runs of one folds file?')
            homes[event.image_id] = fold
    return System(name=name, results={fold: runs[fold][1] for fold in order}, events=events,
                  settings=records[order[0]].settings,
                  folders={fold: runs[fold][0] for fold in order},
                  class_name=class_name or next(iter(records[order[0]].classes)))


def describe_settings(first, settings, second, others):
    """Return in words how the settings of two records differ."""
    differing = [f'{key} {settings.get(key)!r} and {others.get(key)!r}'
                 for key in sorted({*settings, *others}) if settings.get(key) != others.get(key)]
    return (f'{first} and {second} were scored with different settings: {"; ".join(differing)}. Test '
            'them again with one metric')


def check_comparable(systems):
    """Refuse systems that were not tested on the same images, fold by fold, or alike.

    Raises:
        ValueError: The message says what differs.
    """
    first = systems[0]
    for other in systems[1:]:
        if other.settings != first.settings:
            raise ValueError(describe_settings(first.name, first.settings, other.name,
                                               other.settings))
        if set(first.events) != set(other.events):
            raise ValueError(
                f'{first.name} has {", ".join(map(describe_fold, first.events))}, {other.name} has '
                f'{", ".join(map(describe_fold, other.events))}: they were tested on different '
                'images. Run the missing folds, or choose common ones with --only')
        for fold in first.events:
            check_same_images(f'{first.name} and {other.name}, {describe_fold(fold)}',
                              first.events[fold], other.events[fold])


def check_same_images(where, events, others):
    """Refuse events of different images, or of images whose labels or points differ."""
    mine, theirs = ({event.image_id: event for event in side} for side in (events, others))
    differing = [f'{what} {name_images(ids)}' for what, ids in (
        ('only the first has images', set(mine) - set(theirs)),
        ('only the second has images', set(theirs) - set(mine))) if ids]
    if differing:
        raise ValueError(f'{where}: tested on different images: {"; ".join(differing)}')
    for what, value in (('points', lambda event: len(event.recall_levels)),
                        ('labels', lambda event: bool(event.is_positive)),
                        ('groups', lambda event: event.group)):
        wrong = [key for key in mine if value(mine[key]) != value(theirs[key])]
        if wrong:
            raise ValueError(f'{where}: the {what} differ on images {name_images(wrong)}; test them '
                             'again on one annotation file')


def paper_key(name, keys):
    """Return the key of the paper's system that a config is named after, or None.

    ``wl_kld_lite0_fpn`` is named after ``wl_kld``.
    """
    matches = [key for key in keys if re.match(rf'{re.escape(key)}(_|$)', name)]
    return max(matches, key=len, default=None)
