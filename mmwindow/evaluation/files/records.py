"""Records: a result as JSON, with all that is needed to redraw and to recompute it.

A record holds the events of every image (:class:`~mmwindow.evaluation.ImageEvents`), not the
curve: the curve, its intervals and its comparison with another system follow from them.
Format: docs/evaluation.md.
"""
import json
import math
import os
import platform
import warnings
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from mmwindow.evaluation.events.image_events import EVENT_PAIRS, ImageEvents
from mmwindow.evaluation.froc import CONVENTIONS
from mmwindow.evaluation.froc_settings import FROCSettings, counted_curve
from mmwindow.utils.files import write_text

FORMAT = 'mmwindow-evaluation'
VERSION = 2  # 1 where no image says at which scores a target is lost again


@dataclass(frozen=True)
class Record:
    """What a record file holds.

    Attributes:
        classes (dict[str, list[ImageEvents]]): The images of each class, normals included.
        settings (dict): How the events were made and are read: hit rule and its numbers, frame
            side, budgets, convention, denominator of the FP rate.
        metrics (dict): The numbers reported when it was written; NaN where there was none.
        intervals (dict): For each class, metric to ``low``, ``high``, ``level`` and ``method``.
        versions (dict): Of the software that wrote it.
        source (dict): What was scored: names of files, the command.
        version (int): Of the format.
        path (Path): Where it was read.
    """

    classes: dict
    settings: dict
    metrics: dict = field(default_factory=dict)
    intervals: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)
    source: dict = field(default_factory=dict)
    version: int = VERSION
    path: Path | None = None

    def events(self, name=None):
        """Return the images of a class; of the only one if ``name`` is None.

        Raises:
            ValueError: No such class, or several and none is named.
        """
        names = list(self.classes)
        if name is None and len(names) != 1:
            raise ValueError(f'{self.path}: the record has the classes {names}; name one of them')
        name = names[0] if name is None else name
        if name not in names:
            raise ValueError(f'{self.path}: there is no class {name!r}; it has {names}')
        return self.classes[name]


def write_record(path, classes, settings, metrics=None, source=None, intervals=None):
    """Write a record beside its place, then rename it: a file under its own name is whole.

    Args:
        path (str | Path): The ``.json``.
        classes (dict[str, Sequence[ImageEvents]]): The images of each class.
        settings (dict): Plain data, with ``budgets`` and ``convention``; see :class:`Record`.
        metrics (dict, optional): Name to number.
        source (dict, optional): Plain data.
        intervals (dict, optional): For each class, metric to plain data.

    Returns:
        Path: Where it lies.

    Raises:
        ValueError: A class without images, a setting is missing, or a number that no result has.
    """
    path = Path(path)
    for name in ('budgets', 'convention'):
        if name not in settings:
            raise ValueError(f'{path}: the settings have no {name}; a record says how it is read')
    loses_hits = any(img.recalled_levels is not None for events in classes.values()
                     for img in events)
    content = dict(
        format=FORMAT, version=VERSION if loses_hits else 1, settings=plain(settings),
        versions=current_versions(), source=plain(source or {}), metrics=plain(metrics or {}),
        intervals=plain(intervals or {}),
        classes=[_describe_class(name, events, settings) for name, events in classes.items()])
    write_text(path, json.dumps(content, allow_nan=False) + '\n')
    return path


def read_record(path):
    """Read and check a record.

    Args:
        path (str | Path): What :func:`write_record`, ``FROCMetric(outfile=...)`` or
            ``tools/evaluate.py`` wrote.

    Returns:
        Record

    Raises:
        ValueError: The file is missing, cut short, no record, of a newer format, or its events
            contradict themselves; the message names the file.
    """
    path = Path(path)
    content = _load(path)
    if not isinstance(content.get('classes'), list) or not content['classes']:
        raise ValueError(f'{path}: the record has no class; write it again')
    classes = {}
    for entry in content['classes']:
        if not isinstance(entry, dict) or not isinstance(entry.get('images'), list):
            raise ValueError(f'{path}: classes[{len(classes)}] has no list of images; write the '
                             'record again')
        name = entry.get('name')
        if not isinstance(name, str) or name in classes:
            raise ValueError(f'{path}: a class is named {name!r}; each needs a name of its own')
        classes[name] = [_read_events(path, name, img) for img in entry['images']]
    _warn_of_old_recalls(path, content, classes)
    return Record(classes=classes, settings=content['settings'],
                  metrics={key: math.nan if value is None else value
                           for key, value in (content.get('metrics') or {}).items()},
                  intervals=content.get('intervals') or {},
                  versions=content.get('versions') or {}, source=content.get('source') or {},
                  version=content['version'], path=path)


def _warn_of_old_recalls(path: Path, content: Mapping[str, Any],
                         classes: Mapping[str, list[ImageEvents]]) -> None:
    """Warn where recall counts targets that the findings at a threshold do not hit."""
    rule = content['settings'].get('rule', 'disk_overlap')
    if content['version'] > 1 or rule == 'disk_overlap':
        return
    # Boxes stay as the threshold falls; components of maps merge: there are fewer, and hits are lost.
    if any((img.fp_changes < 0).any() for events in classes.values() for img in events):
        warnings.warn(
            f'{path}: maps scored by the rule {rule!r} before format 2; recall counts every target '
            'that was hit at the threshold or above, also where findings have merged and hit it no '
            'longer. Score the predictions again', stacklevel=3)


def current_versions() -> dict[str, str]:
    """Return the versions of what computes a result."""
    import mmwindow  # here, since mmwindow imports this file

    return dict(mmwindow=mmwindow.__version__, python=platform.python_version(),
                numpy=np.__version__, scipy=scipy.__version__)


def plain(value):
    """Return data of dicts, sequences, arrays and numbers as JSON knows it.

    -inf and NaN become None: the one is the level of what never happens, the other the number
    that there is none of. What reads the record knows which of them a field can hold.

    Raises:
        ValueError: +inf, or a value that is no plain data.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        if value == math.inf:
            raise ValueError('a record cannot hold inf; scores and levels are finite or -inf')
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise ValueError(f'a record cannot hold {value!r} of type {type(value).__name__}; numbers, '
                     'strings, lists and dicts are expected')


def _describe_class(name, events, settings):
    """Return one class as plain data; its operating points are there for human readers."""
    events = list(events)
    curve = counted_curve(events, FROCSettings(
        settings['budgets'], settings['convention'], settings.get('fp_denominator', 'all')))
    points = []
    for budget in settings['budgets']:
        threshold = curve.threshold_at(budget, settings['convention'])
        points.append(dict(budget=budget, recall=curve.recall_at(budget, settings['convention']),
                           threshold=None if threshold == math.inf else threshold))
    return dict(name=str(name), num_images=len(events), num_points=curve.num_points,
                operating_points=plain(points), images=[_describe_image(img) for img in events])


def _describe_image(events):
    """Return one image's events as plain data; what has its default value is left out."""
    content = {}
    for attribute in fields(events):
        value = getattr(events, attribute.name)
        if attribute.default is not MISSING and value is attribute.default:
            continue
        if attribute.name == 'score' or attribute.name.endswith('_levels'):
            if np.isnan(np.asarray(value, dtype=np.float64)).any():
                raise ValueError(f'image {events.image_id!r} has the {attribute.name} {value}; no '
                                 'result holds NaN')
        content[attribute.name] = plain(value)
    content['is_positive'] = bool(events.is_positive)
    return content


def _load(path):
    """Return the content of a record file, whose head is right."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'), parse_constant=_refuse_constant)
    except OSError as error:
        raise ValueError(f'{path}: the record cannot be read ({error.strerror or error})') from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError alike
        raise ValueError(f'{path}: no JSON, or cut short ({error}); write the record '
                         'again') from error
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        raise ValueError(f'{path}: no record of an evaluation ("format" is not "{FORMAT}"); '
                         'tools/evaluate.py --out and FROCMetric(outfile=...) write records')
    version = content.get('version')
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ValueError(f'{path}: the version of the format is {version!r}; a whole number is '
                         'expected')
    if version > VERSION:
        writer = (content.get('versions') or {}).get('mmwindow', 'unknown')
        raise ValueError(f'{path}: written in format {version} by mmwindow {writer}; this one reads '
                         f'up to format {VERSION}: update mmwindow, or write the record again')
    settings = content.get('settings')
    if not isinstance(settings, dict) or settings.get('convention') not in CONVENTIONS or not (
            isinstance(settings.get('budgets'), list)):
        raise ValueError(f'{path}: settings lack budgets or a convention, one of {CONVENTIONS}; '
                         'write the record again')
    return content


def _refuse_constant(name):
    raise ValueError(f'it holds {name}, which no record does')


def _read_events(path, name, content):
    """Return the events of one image of a record, checked."""
    img_id = content.get('image_id') if isinstance(content, dict) else content
    where = f'{path}: class {name}, image {img_id!r}'
    known = {attribute.name: attribute for attribute in fields(ImageEvents)}
    needed = [key for key, attribute in known.items()
              if attribute.default is MISSING and attribute.default_factory is MISSING]
    if not isinstance(content, dict) or set(needed) - set(content) or set(content) - set(known):
        found = sorted(content) if isinstance(content, dict) else content
        raise ValueError(f'{where} has the entries {found}; {needed} are needed and {sorted(known)} '
                         'known')
    values = dict(content)
    for key in values:
        if key.endswith('_levels'):
            values[key] = _read_numbers(where, key, values[key], np.float64)
        elif key.endswith('_changes'):
            values[key] = _read_numbers(where, key, values[key], np.int32)
    values['score'] = float(_read_numbers(where, 'score', [values['score']], np.float64)[0])
    if not isinstance(values['is_positive'], bool):
        raise ValueError(f'{where} has is_positive {values["is_positive"]!r}; true or false is '
                         'expected')
    if len(values['recall_levels']) and not values['is_positive']:
        raise ValueError(f'{where} has {len(values["recall_levels"])} recall_levels but is_positive '
                         'false; an image with a point is positive')
    for levels, changes in EVENT_PAIRS:
        _check_pair(where, values, levels, changes)
    return ImageEvents(**values)


def _check_pair(where, values, levels, changes):
    if values.get(levels) is None:
        return
    if len(values[levels]) != len(values.get(changes, ())):
        raise ValueError(f'{where} has {len(values[levels])} {levels} but '
                         f'{len(values.get(changes, ()))} {changes}; write the record again')
    if not np.isfinite(values[levels]).all() or (np.diff(values[levels]) >= 0).any():
        raise ValueError(f'{where}: its {levels} are not finite and descending; write the record '
                         'again')
    counts, most = np.cumsum(values[changes]), len(values['recall_levels'])
    if levels == 'recalled_levels' and len(counts) and not (
            0 <= counts.min() <= counts.max() <= most):
        raise ValueError(f'{where}: its {changes} come to {counts.min()} to {counts.max()} targets, '
                         f'0 to {most} are expected; write the record again')


def _read_numbers(where, key, values, dtype):
    """Return a list of numbers as an array; a level that is null is -inf."""
    kinds, with_null = (int | float, True) if dtype is np.float64 else (int, False)
    if not isinstance(values, list) or not all(
            (isinstance(value, kinds) and not isinstance(value, bool))
            or (value is None and with_null) for value in values):
        raise ValueError(f'{where} has {key} {str(values)[:80]}; a list of '
                         f'{"numbers" if with_null else "whole numbers"} is expected')
    return np.array([-np.inf if value is None else value for value in values], dtype=dtype)
