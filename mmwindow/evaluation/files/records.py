"""Records: a result as JSON, with all that is needed to redraw and to recompute it.

A record holds the events of every image (:class:`~mmwindow.evaluation.ImageEvents`), not the
curve: the curve, its intervals and its comparison with another system follow from them.
Format: docs/evaluation.md.
"""
import json
import math
import platform
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from mmwindow.evaluation.events.image_events import ImageEvents
from mmwindow.evaluation.files.event_checks import check_image, score_source
from mmwindow.evaluation.files.record_checks import check_numbers, class_numbers, read_settings
from mmwindow.evaluation.files.record_digests import (
    MAX_NAME,
    check_digests,
    class_digests,
    name_class,
    record_digests,
)
from mmwindow.evaluation.files.record_images import describe_image, plain, read_events
from mmwindow.evaluation.froc import CONVENTIONS
from mmwindow.evaluation.froc_settings import FROCSettings
from mmwindow.utils.files import load_own_json, write_text
from mmwindow.utils.messages import quote, shorten

__all__ = ['FORMAT', 'VERSION', 'WRITERS', 'Record', 'current_versions', 'plain', 'read_record',
           'write_record']

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
    """Write a record atomically: a file under its own name is complete, and agrees with itself.

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
        ValueError: A class without images, a setting is missing, a number that no result has, or
            events or metrics that contradict each other, as :func:`read_record` would reject them.
    """
    path = Path(path)
    for name in ('budgets', 'convention'):
        if name not in settings:
            raise ValueError(f'{path}: the settings have no {name}; a record says how it is read')
    froc_settings, classes = read_settings(path, settings), {
        str(name): list(events) for name, events in classes.items()}
    loses_hits = any(img.recalled_levels is not None for events in classes.values()
                     for img in events)
    content = dict(
        format=FORMAT, version=VERSION if loses_hits else 1, settings=plain(settings),
        versions=current_versions(), source=plain(source or {}), metrics=plain(metrics or {}),
        intervals=plain(intervals or {}),
        classes=[_describe_class(name_class(path, name), name, events, froc_settings)
                 for name, events in classes.items()])
    if readers:
        content['readers'] = plain(readers)
    content['digests'] = record_digests(content)
    rule = settings.get('rule', 'disk_overlap')
    for name, events in classes.items():
        for img in events:
            check_image(f'{name_class(path, name)}, image {quote(img.image_id, MAX_NAME)}', img,
                        rule)
    check_numbers(path, content, classes, froc_settings)
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
        ValueError: The file is missing, cut short, no record, of a newer format, was altered, or
            contradicts itself: its events, its counts, or its numbers, which are computed again
            from the events; the message names the file, and where it can image and entry.

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
    froc_settings, rule = read_settings(path, content['settings']), content['settings'].get(
        'rule', 'disk_overlap')
    classes: dict[str, list[ImageEvents]] = {}
    for entry in content['classes']:
        if not isinstance(entry, dict) or not isinstance(entry.get('images'), list):
            raise ValueError(f'{path}: classes[{len(classes)}] has no list of images; write the '
                             'record again')
        name = entry.get('name')
        if not isinstance(name, str) or name in classes:
            raise ValueError(f'{path}: a class is named {quote(name)}; each needs a name of its own')
        classes[name] = [read_events(name_class(path, name), img, rule) for img in entry['images']]
    check_digests(path, content)
    check_numbers(path, content, classes, froc_settings)
    _warn_of_old_recalls(path, content, classes)
    return Record(classes=classes, settings=content['settings'],
                  metrics={key: math.nan if value is None else value
                           for key, value in content['metrics'].items()},
                  intervals=content['intervals'], versions=content['versions'],
                  source=content['source'], version=content['version'], path=path,
                  readers=content.get('readers') or {})


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


def _describe_class(where: str, name: str, events: Sequence[ImageEvents], settings: FROCSettings
                    ) -> dict[str, Any]:
    """Return one class as plain data; its operating points are there for human readers."""
    images = [describe_image(img) for img in events]
    points = class_numbers(where, events, settings)[1]
    for point in points:
        point['threshold'] = None if point['threshold'] == math.inf else point['threshold']
    return dict(name=name, num_images=len(events),
                num_points=sum(len(img.recall_levels) for img in events),
                image_scores=score_source(events), operating_points=plain(points), images=images,
                digests=class_digests(images))


def _load(path: Path) -> dict[str, Any]:
    """Return the content of a record file, whose head is right."""
    content = load_own_json(path, 'record of an evaluation', FORMAT, VERSION, WRITERS)
    settings = content.get('settings')
    if not isinstance(settings, dict) or settings.get('convention') not in CONVENTIONS or not (
            isinstance(settings.get('budgets'), list)):
        raise ValueError(f'{path}: settings lack budgets or a convention, one of {CONVENTIONS}; '
                         'write the record again')
    for name in ('metrics', 'intervals', 'versions', 'source', 'readers'):
        if content.get(name) is not None and not isinstance(content[name], dict):
            raise ValueError(f'{path}: its entry {name} is {shorten(content[name])}; an object is '
                             'expected: write the record again')
        if name != 'readers' and not content.get(name):
            content[name] = {}
    for key, value in content['metrics'].items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f'{path}: its metric {quote(key)} is {quote(value)}; a number or null '
                             'is expected: write the record again')
    return content
