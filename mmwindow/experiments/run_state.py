"""``run.json`` and ``result.json`` of the folder of a run, their entries checked."""
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmwindow.utils.files import read_json
from mmwindow.utils.json_fields import (
    FLAG,
    LIST,
    NUMBER,
    OBJECT,
    TEXT,
    WHOLE,
    check_fields,
    read_fields,
)
from mmwindow.utils.messages import quote, shorten

# Entries that are read; older versions wrote fewer.
COMMON = dict(
    system=TEXT.optional, config=TEXT.optional, fold=WHOLE.optional, seed=WHOLE.optional,
    mark=TEXT.optional, scoring_code=TEXT.optional, settings_mark=TEXT.optional,
    training_code=TEXT.optional, accepted_code=LIST.optional, versions=OBJECT.optional,
    machine=TEXT.optional, earlier_starts=LIST.optional, divergence=TEXT.optional,
    window=OBJECT.optional, is_ablation=FLAG.optional, command=TEXT.optional,
    training_seconds=NUMBER.optional, weights=TEXT.optional, views=TEXT.optional,
    points_digest=TEXT.optional)
STATE = {**COMMON, 'trained': FLAG.optional, 'starts': WHOLE.optional, 'splits': LIST.optional}
WORK = {**STATE, 'trained': FLAG, 'splits': LIST, 'mark': TEXT}  # what a worker begins with
RESULT = {**COMMON, 'records': OBJECT.optional, 'test_seconds': NUMBER.optional}
MAX_NAME = 200  # characters of a system's name
TESTED = {**RESULT, 'system': TEXT, 'config': TEXT, 'fold': WHOLE.or_none, 'records': OBJECT}
# Of the files that tools/make_tables.py --results writes.
FILED = dict(config=TEXT, system=TEXT, events=TEXT.or_none, runs=LIST, data=OBJECT, metrics=OBJECT,
             folds=OBJECT, settings=OBJECT, bootstrap=OBJECT,
             reference_minus_this=OBJECT.optional)


def read_state(folder: Path) -> dict[str, Any] | None:
    """Return ``run.json`` of a run; None where there is none.

    Raises:
        ValueError: It is no JSON, or an entry is of another kind.
    """
    return read_fields(folder / 'run.json', 'run file', STATE)


def read_work(folder: Path) -> dict[str, Any]:
    """Return ``run.json`` of a run that is to be done.

    Raises:
        ValueError: As :func:`read_state`, or it says too little.
    """
    path = folder / 'run.json'
    return check_fields(read_json(path, 'run file'), shorten(str(path)), 'run file', WORK)


def read_result(folder: Path) -> dict[str, Any] | None:
    """Return ``result.json`` of a run; None where there is none.

    Raises:
        ValueError: It is no JSON, or an entry is of another kind.
    """
    return read_fields(folder / 'result.json', 'result of a run', RESULT)


def read_tested(folder: Path) -> dict[str, Any] | None:
    """Return ``result.json`` of a run that tables are made of; None where there is none.

    Raises:
        ValueError: As :func:`read_result`, or it does not say what was tested.
    """
    path = folder / 'result.json'
    result = read_fields(path, 'result of a run', TESTED)
    if result is not None:
        check_fields(result['records'], shorten(str(path)), 'entry "records"',
                     dict.fromkeys(result['records'], TEXT))
        if not result['system'].isprintable() or not 0 < len(result['system']) <= MAX_NAME:
            raise ValueError(f'{shorten(str(path))}: "system" is {quote(result["system"])}; a name '
                             f'of at most {MAX_NAME} characters that can be printed is expected: '
                             'messages and tables show it')
    return result


def read_filed(path: Path) -> dict[str, Any]:
    """Return a result file of one system.

    Raises:
        ValueError: It is no JSON, or an entry is missing or of another kind.
    """
    name, what = shorten(str(path)), 'result of a system'
    content = check_fields(read_json(path), name, what, FILED)
    check_fields(content['data'], name, 'entry "data"', dict(num_images=WHOLE))
    check_fields(content['metrics'], name, 'entry "metrics"',
                 dict.fromkeys(content['metrics'], NUMBER))
    for run in content['runs']:
        check_fields(run, name, 'run', {**COMMON, 'fold': WHOLE.or_none})
    return content


def identify(run: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what tells a training from another one of the same settings."""
    return tuple(run.get(name) for name in ('seed', 'training_code', 'training_seconds', 'versions'))
