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
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from mmwindow.evaluation.events.image_events import EVENT_PAIRS, ImageEvents
from mmwindow.evaluation.froc import CONVENTIONS
from mmwindow.evaluation.froc_settings import FROCSettings, counted_curve
from mmwindow.utils.files import load_own_json, write_text

FORMAT = 'mmwindow-evaluation'
WRITERS = 'tools/evaluate.py --out or FROCMetric(outfile=...)'
VERSION = 2  # 1 where no image says at which scores a target is lost again


@dataclass(frozen=True)
class Record:
    """What a record file holds.

    Attributes:
        classes: The images of each class, negative images included.
        settings: How the events were made and are read: hit rule and its numbers, frame
            side, budgets, convention, denominator of the FP rate.
        metrics: The numbers reported when it was written; NaN where there was none.
        intervals: For each class, metric to ``low``, ``high``, ``level`` and ``method``.
        versions: Of the software that wrote it.
        source: What was scored: names of files, the command.
        version: Of the format.
        path: Where it was read.
        readers: What several readers of the images did; empty where there were none.
    """

    classes: dict[str, list[ImageEvents]]
    settings: dict[str, Any]
    metrics: dict[str, Any] = field(default_factory=dict)
    intervals: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)
    version: int = VERSION
    path: Path | None = None
    readers: dict[str, Any] = field(default_factory=dict)

    def events(self, name: str | None = None) -> list[ImageEvents]:
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


def write_record(path: str | Path, classes: dict[str, Sequence[ImageEvents]],
                 settings: Mapping[str, Any], metrics: Mapping[str, Any] | None = None,
                 source: Mapping[str, Any] | None = None,
                 intervals: Mapping[str, Any] | None = None,
                 readers: Mapping[str, Any] | None = None) -> Path:
    """Write a record atomically: a file under its own name is complete.

    Args:
        path: The ``.json``.
        classes: The images of each class.
        settings: Plain data, with ``budgets`` and ``convention``; see :class:`Record`.
        metrics: Name to number.
        source: Plain data.
        intervals: For each class, metric to plain data.
        readers: Plain data; an entry of this name where there are several readers.

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
    if readers:
        content['readers'] = plain(readers)
    write_text(path, json.dumps(content, allow_nan=False) + '\n')
    return path


def read_record(path: str | Path) -> Record:
    """Read and check a record.

    Args:
        path: What :func:`write_record`, ``FROCMetric(outfile=...)`` or
            ``tools/evaluate.py`` wrote.

    Returns:
        Record

    Raises:
        ValueError: The file is missing, cut short, no record, of a newer format, or its events
            contradict themselves; the message names the file.

    Example:
        >>> import tempfile
        >>> from mmwindow.evaluation import FROCSettings, box_events
        >>> events = [box_events([[90, 90, 110, 110]], [0.9], [[100, 100]], image_id=1)]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     record = read_record(write_record(f'{folder}/record.json', {'finding': events},
        ...                                       FROCSettings()))
        >>> record.events()[0].recall_levels.tolist(), record.settings['rule']
        ([0.9], 'disk_overlap')
    """
    path = Path(path)
    content = _load(path)
    if not isinstance(content.get('classes'), list) or not content['classes']:
        raise ValueError(f'{path}: the record has no class; write it again')
    classes: dict[str, list[ImageEvents]] = {}
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
                  version=content['version'], path=path, readers=content.get('readers') or {})


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


def plain(value: Any) -> Any:
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


def _describe_class(name: str, events: Sequence[ImageEvents],
                    settings: Mapping[str, Any]) -> dict[str, Any]:
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


def _describe_image(events: ImageEvents) -> dict[str, Any]:
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


def _load(path: Path) -> dict[str, Any]:
    """Return the content of a record file, whose head is right."""
    content = load_own_json(path, 'record of an evaluation', FORMAT, VERSION, WRITERS)
    settings = content.get('settings')
    if not isinstance(settings, dict) or settings.get('convention') not in CONVENTIONS or not (
            isinstance(settings.get('budgets'), list)):
        raise ValueError(f'{path}: settings lack budgets or a convention, one of {CONVENTIONS}; '
                         'write the record again')
    return content


def _read_events(path: Path, name: str, content: Any) -> ImageEvents:
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


def _check_pair(where: str, values: Any, levels: Any, changes: Any) -> None:
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


def _read_numbers(where: str, key: str, values: Any, dtype: type) -> NDArray[Any]:
    """Return a list of numbers as an array; a level that is null is -inf."""
    kinds, with_null = (int | float, True) if dtype is np.float64 else (int, False)
    if not isinstance(values, list) or not all(
            (isinstance(value, kinds) and not isinstance(value, bool))
            or (value is None and with_null) for value in values):
        raise ValueError(f'{where} has {key} {str(values)[:80]}; a list of '
                         f'{"numbers" if with_null else "whole numbers"} is expected')
    return np.array([-np.inf if value is None else value for value in values], dtype=dtype)
