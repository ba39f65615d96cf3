"""Small result files to commit: what a README table and a reviewer need of each system.

A system can be read back from its file and its events, so that the tables and figures are made again,
or a later system is compared with it, where the run folders are gone.
"""
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mmwindow.evaluation.files.records import plain, read_record, write_record
from mmwindow.evaluation.statistics.compare import Comparison
from mmwindow.experiments.describe_numbers import describe_limits, describe_numbers
from mmwindow.experiments.run_state import read_filed
from mmwindow.experiments.short_events import FOLD, shorten_events
from mmwindow.experiments.strata import Strata, describe_stratum
from mmwindow.experiments.summaries import (
    METRICS,
    Difference,
    Summary,
    find_differences,
    fold_metrics,
)
from mmwindow.experiments.systems import System
from mmwindow.utils.files import load_json, read_json, write_json
from mmwindow.utils.messages import count_words

# What is committed of events; a map whose floor is low has many: 213 kB at 624 images.
MAX_EVENTS_BYTES, MAX_IMAGE_BYTES = 300_000, 600
MEAN_OVER_FOLDS, ONE_SPLIT = 'mean over folds', 'one split'  # what the metrics of a file are
# What result.json says of a config, and what of a run.
SYSTEM_ENTRIES = ('divergence', 'window', 'is_ablation')
RUN_ENTRIES = ('fold', 'seed', 'command', 'checkpoint', 'training_seconds', 'starts', 'num_images',
               'validation_metrics', 'machine', 'versions', 'earlier_starts', 'test_machine',
               'test_versions', 'training_command', 'points_digest', 'settings_mark', 'mark',
               'weights', 'views')
CODE_ENTRIES = ('training_code', 'scoring_code', 'accepted_code')  # runs before version 0.2 lack them


def write_events(path: Path, system: System, source: Mapping[str, Any],
                 fields: Sequence[str] = (), whatever_size: bool = False) -> str | None:
    """Write the events of all folds as one record; leave it out where it would be too large.

    Args:
        path: Of the record.
        system: Whose events.
        source: As in ``write_record``.
        fields: Of the images, that tables are made by.
        whatever_size: Never leave it out.

    Returns:
        Why it was left out; None where the file is there.
    """
    temporary = path.with_name(path.name + '.large')
    write_record(temporary, {system.class_name: shorten_events(system, fields)}, system.settings,
                 source=source)
    size = temporary.stat().st_size
    limit = max(MAX_EVENTS_BYTES, MAX_IMAGE_BYTES * sum(map(len, system.events.values())))
    if size < limit or whatever_size:
        os.replace(temporary, path)
        return None
    temporary.unlink()
    path.unlink(missing_ok=True)  # of an earlier, smaller result
    return f'the events would take {size} bytes and are left out (limit {limit})'


def describe_summary(system: System, summary: Summary) -> dict[str, Any]:
    """Return what a result file holds: numbers, where they come from, and what made them.

    ``system`` and ``metrics`` are what ``tools/update_readme.py`` reads. ``metrics`` are the
    headline: the mean over folds, or the numbers of one split; ``pooled`` holds those of all folds'
    images together (files before version 0.2 that have folds hold these as ``metrics``).
    """
    mean, pooled = summary.mean, summary.pooled
    return dict(
        system=summary.label, config=system.first['config'],
        **{entry: system.first.get(entry) for entry in SYSTEM_ENTRIES},
        headline=ONE_SPLIT if pooled is None else MEAN_OVER_FOLDS,
        **describe_numbers(mean),
        bootstrap=dict(num_resamples=mean.num_resamples, seed=mean.seed, num_units=mean.num_units),
        folds={str(fold): plain({metric: values[metric] for metric in METRICS})
               for fold, values in mean.folds.items()},
        over_folds=None if pooled is None else {
            metric: plain(dict(mean=mean.estimates[metric], sd=mean.standard_deviations[metric]))
            for metric in METRICS},
        pooled=pooled and dict(**describe_numbers(pooled), warnings=summary.warnings),
        data=dict(num_images=mean.num_images, num_positives=mean.num_positives,
                  num_points=mean.num_points),
        settings=plain(system.settings),
        runs=[{**{entry: result.get(entry) for entry in RUN_ENTRIES},
               **{entry: result[entry] for entry in CODE_ENTRIES if entry in result}}
              for result in system.results.values()])


def describe_comparison(comparison: Comparison, differences: Mapping[str, Difference]
                        ) -> dict[str, Any]:
    """Return a paired comparison as plain data; the differences are reference minus this system."""
    test = comparison.delong
    return dict(
        differences={name: interval and dict(difference=interval.estimate,
                                             **describe_limits(interval), p_value=p_value,
                                             p_holm=p_holm, degrees=comparison.degrees.get(name))
                     for name, (interval, p_value, p_holm) in differences.items()},
        delong=test and dict(difference=test.difference.estimate, p_value=test.p_value,
                             **describe_limits(test.difference)),
        num_resamples=comparison.num_resamples, seed=comparison.seed)


def write_result_files(folder: str | Path, systems: Mapping[str, System],
                       summaries: Mapping[str, Summary], comparisons: Mapping[str, Comparison],
                       reference: str | None, command_line: str,
                       say: Callable[[str], Any] = print, recomputed: bool = False,
                       strata: Mapping[str, Strata] = MappingProxyType({}), note: str = '',
                       whatever_size: bool = False) -> None:
    """Write ``<folder>/<config>.json`` and, where small, ``<folder>/events/<config>.json``.

    Args:
        folder: Such as ``results/fracatlas``.
        systems: By name.
        summaries: By name.
        comparisons: By name of the other system.
        reference: Name of the system they are compared with.
        command_line: What makes the files.
        say: Takes a line for the reader.
        recomputed: Only the numbers are made again, from the events in the folder: events and the
            command that made the files stay, ``recomputed`` names ``command_line``.
        strata: Field -> the numbers by its values.
        note: For the reader, such as which images settings were chosen on.
        whatever_size: Write events that are large, too: without them nothing can be compared later.
    """
    folder = Path(folder)
    (folder / 'events').mkdir(parents=True, exist_ok=True)
    names = list(next(iter(comparisons.values())).differences) if comparisons else []
    differences = find_differences(comparisons, names)
    for name, system in systems.items():
        content = describe_summary(system, summaries[name])
        content['command'] = command_line
        if note:
            content['note'] = note
        if name in comparisons:
            content['reference_minus_this'] = dict(
                reference=reference, **describe_comparison(comparisons[name], differences[name]))
        if strata:
            content['by'] = {field: {value: describe_stratum(parts[name])
                                     for value, parts in values.items() if name in parts}
                             for field, values in strata.items()}
        if recomputed:
            old = load_json(folder / f'{name}.json')
            content.update(command=old['command'], recomputed=command_line, events=old['events'])
        else:
            reason = write_events(folder / 'events' / f'{name}.json', system,
                                  dict(config=system.first['config'], command=command_line),
                                  list(strata), whatever_size)
            content['events'] = f'events/{name}.json' if reason is None else None
            if reason is not None:
                say(f'{name}: {reason}')
        write_json(folder / f'{name}.json', content)


def find_result_files(folder: str | Path) -> list[Path]:
    """Return the files in a folder that :func:`write_result_files` wrote, in order of their names."""
    found = []
    for path in sorted(Path(folder).glob('*.json')):
        content = read_json(path)
        if isinstance(content, dict) and {'events', 'runs', *SYSTEM_ENTRIES} <= set(content):
            found.append(path)
    return found


def read_system(path: Path, class_name: str | None = None, only: Sequence[int] | None = None
                ) -> System | None:
    """Return a system from its result file.

    Args:
        path: One of :func:`find_result_files`.
        class_name: Which class.
        only: Which folds; all if None.

    Returns:
        System | None: None where it has none of the folds.

    Raises:
        ValueError: Its events were too large to be kept, or are not what the file tells of.
    """
    content = read_filed(path)
    if content['events'] is None:
        raise ValueError(f'{path}: the events were left out because of their size, so no table can '
                         'be made of it; give the folder of its runs')
    record = read_record(path.parent / content['events'])
    results = {run['fold']: {**run, 'system': path.stem, 'config': content['config'],
                             **{entry: content[entry] for entry in SYSTEM_ENTRIES}}
               for run in content['runs'] if only is None or run['fold'] in only}
    events = {fold: [event for event in record.events(class_name)
                     if event.fields.get(FOLD) == fold] for fold in results}
    if only is None and sum(map(len, events.values())) != content['data']['num_images']:
        raise ValueError(f'{record.path}: it holds '
                         f'{count_words(sum(map(len, events.values())), "image")} of the '
                         f'folds {list(results)}; {path} tells of {content["data"]["num_images"]}. '
                         'Write both again with tools/make_tables.py --results')
    system = System(name=path.stem, results=results, events=events, settings=record.settings,
                    class_name=class_name or next(iter(record.classes)))
    if results:
        check_numbers(path, content, system, is_all=only is None)
    return system if results else None


def check_numbers(path: Path, content: Mapping[str, Any], system: System, is_all: bool) -> None:
    """Reject events that do not give the numbers of their result file: of another system, or run.

    Args:
        path: The result file.
        content: Of it.
        system: Of the events.
        is_all: Whether it has all folds; else the numbers of these folds alone are looked at.

    Raises:
        ValueError: The message names the file and the number.
    """
    settings = system.froc_settings()
    found = {str(fold): fold_metrics(events, settings) for fold, events in system.events.items()}
    written = content['folds']
    if not set(found) <= set(written) or is_all and set(found) != set(written):
        raise ValueError(f'{path}: it tells of the folds {sorted(written)}, its events are of '
                         f'{sorted(found)}. Write both again with tools/make_tables.py --results')
    # Before version 0.2 the metrics of folds were those of the pooled images.
    headline = {metric: mean_of([values[metric] for values in found.values()]) for metric in METRICS}
    if 'headline' not in content:
        headline = fold_metrics(system.pooled, settings)
    metrics = {metric: content['metrics'].get(f'froc/{metric}') for metric in METRICS}
    for where, values, others in (*([('', headline, metrics)] if is_all else []),
                                  *((f' in fold {fold}', found[fold], written[fold])
                                    for fold in found)):
        for name, value in values.items():
            other = math.nan if others[name] is None else others[name]
            if math.isnan(value) != math.isnan(other) or abs(value - other) > 1e-9:
                raise ValueError(f'{path}: its {name}{where} is {other:.4f}, but its events give '
                                 f'{value:.4f}; they are not of one result. Write both again with '
                                 'tools/make_tables.py --results')


def mean_of(values: Sequence[float]) -> float:
    """Return the mean of the numbers that are there; NaN where none is."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
