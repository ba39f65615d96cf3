"""The events of one image as the plain data of a record, and back."""
import math
import os
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwindow.evaluation.events.image_events import EVENT_PAIRS, ImageEvents
from mmwindow.evaluation.files.event_checks import check_image
from mmwindow.evaluation.files.record_digests import MAX_NAME
from mmwindow.utils.messages import quote, shorten

MAX_COUNT = 1 << 31  # findings of an image, as int32 holds them


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


def describe_image(events: ImageEvents) -> dict[str, Any]:
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


def read_events(where: str, content: Any, rule: str) -> ImageEvents:
    """Return the events of one image of a record, checked.

    Args:
        where: Names the file and the class.
        content: Of the record.
        rule: The hit rule.
    """
    img_id = content.get('image_id') if isinstance(content, dict) else content
    where = f'{where}, image {quote(img_id, MAX_NAME)}'
    known = {attribute.name: attribute for attribute in fields(ImageEvents)}
    needed = [key for key, attribute in known.items()
              if attribute.default is MISSING and attribute.default_factory is MISSING]
    if not isinstance(content, dict) or set(needed) - set(content) or set(content) - set(known):
        found = sorted(content) if isinstance(content, dict) else content
        raise ValueError(f'{where} has the entries {shorten(found, MAX_NAME)}; {needed} are needed '
                         f'and {sorted(known)} known')
    values = dict(content)
    _check_names(where, values)
    for key in values:
        if key.endswith('_levels'):
            values[key] = _read_numbers(where, key, values[key], np.float64)
        elif key.endswith('_changes'):
            values[key] = _read_numbers(where, key, values[key], np.int32)
    values['score'] = float(_read_numbers(where, 'score', [values['score']], np.float64)[0])
    if len(values['recall_levels']) and not values['is_positive']:
        raise ValueError(f'{where} has {len(values["recall_levels"])} recall_levels but is_positive '
                         'false; an image with a point is positive')
    for levels, changes in EVENT_PAIRS:
        _check_pair(where, values, levels, changes)
    events = ImageEvents(**values)
    check_image(where, events, rule)
    return events


def _check_names(where: str, values: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` where what is no array is of a wrong type."""
    for key, kinds, expected in (
            ('is_positive', bool, 'true or false'), ('group', str, 'a name'),
            ('fields', dict, 'an object'), ('floor', int | float | None, 'a number'),
            ('image_id', str | int | float | None, 'a number or a name')):
        value = values.get(key)
        if key in values and not isinstance(value, kinds) or (
                isinstance(value, bool) and key != 'is_positive'):
            raise ValueError(f'{where} has {key} {quote(value)}; {expected} is expected')


def _check_pair(where: str, values: Any, levels: Any, changes: Any) -> None:
    """Raise ``ValueError`` unless levels and changes are of one length, and the levels descend."""
    if levels not in values and changes not in values:
        return
    if levels not in values or changes not in values or (
            len(values[levels]) != len(values[changes])):
        raise ValueError(f'{where} has {len(values.get(levels, ()))} {levels} but '
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
            (isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)
             and (with_null or abs(value) < MAX_COUNT))
            or (value is None and with_null) for value in values):
        raise ValueError(f'{where} has {key} {shorten(values, 80)}; a list of '
                         f'{"numbers" if with_null else "whole numbers"} is expected')
    return np.array([-np.inf if value is None else value for value in values], dtype=dtype)
