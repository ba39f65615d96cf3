"""Files that are whole under their own name: written beside it, then renamed. Standard library."""
import contextlib
import json
import math
import os
from pathlib import Path
from typing import Any

from mmwindow.utils.messages import quote, shorten

# A float holds integers of at most so many digits.
MAX_DIGITS = 308


@contextlib.contextmanager
def whole_file(path):
    """Give the path beside ``path`` to write to; what was written there takes its place at the end.

    An error leaves the old file, if any, as it was. The folder is made where it is not there.

    Args:
        path (str | Path): The file.

    Yields:
        Path: Where to write.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + '.part')
    yield part
    os.replace(part, path)


def write_text(path, text):
    """Write a text file, whole (:func:`whole_file`)."""
    with whole_file(path) as part:
        part.write_text(text, encoding='utf-8')


def write_json(path, content):
    """Write a JSON file; under its own name it is whole."""
    write_text(path, json.dumps(content, indent=1) + '\n')


def read_json(path):
    """Return a JSON file's content, or None where there is no such file.

    Raises:
        ValueError: It is no JSON, or cut short; the message names it.
    """
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError alike
        raise ValueError(f'{path}: no JSON, or cut short ({error}); take it away, and run again what '
                         'writes it') from error


def replace_nan(metrics):
    """Return metrics with None where there is no number: JSON knows no NaN."""
    return {name: None if math.isnan(value) else float(value) for name, value in metrics.items()}


def load_json(path: str | Path, what: str, *, allow_nan: bool = True) -> Any:
    """Read a JSON file that must be there, and name the file and the place of what is wrong.

    All JSON that a user hands in goes through this function: a key that an object has twice, an
    integer that no float can hold and a nesting that Python cannot follow are errors as well.

    Args:
        path: The file; UTF-8, with or without a byte order mark.
        what: What the file should be, such as ``'point file'``, for the messages.
        allow_nan: Accept the words NaN and Infinity, which Python writes and JSON does not know.

    Returns:
        The content.

    Raises:
        ValueError: The file cannot be read, is no ordinary file, or is no JSON of this kind.
    """
    name = shorten(str(path))
    try:
        if Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir():
            raise ValueError(f'{name}: the {what} cannot be read (it is a pipe or a device); give '
                             'the path of an ordinary file')
        data = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f'{name}: the {what} cannot be read ({error.strerror or error}); check the '
                         'path') from error
    except ValueError as error:
        if '\0' not in str(path):
            raise
        raise ValueError(f'{name!r}: the {what} cannot be read (its path holds a NUL '
                         'character)') from error
    try:
        return json.loads(
            data.decode('utf-8-sig'), object_pairs_hook=_make_object, parse_int=_parse_integer,
            parse_constant=None if allow_nan else _reject_constant)
    except RecursionError as error:
        raise ValueError(f'{name}: the {what} is nested too deep to be read; write it '
                         'again') from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f'{name}: the {what} is no JSON, or cut short ({error}); write it '
                         'again') from error
    except ValueError as error:  # of the functions below
        raise ValueError(f'{name}: the {what} cannot be used: {error}') from error


def load_own_json(path: str | Path, what: str, file_format: str, version: int, writer: str
                  ) -> dict[str, Any]:
    """Read a JSON file that mmwindow itself wrote, and check its head.

    Args:
        path: The file.
        what: As in :func:`load_json`.
        file_format: What its entry ``format`` must say.
        version: The newest ``version`` of the format that can be read.
        writer: What writes such files, for the messages.

    Raises:
        ValueError: As :func:`load_json`; or another format, or a newer version.
    """
    content, name = load_json(path, what, allow_nan=False), shorten(str(path))
    if not isinstance(content, dict) or content.get('format') != file_format:
        raise ValueError(f'{name}: no {what} ("format" is not "{file_format}"); {writer} writes one')
    found = content.get('version')
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise ValueError(f'{name}: the version of the format is {quote(found)}; a whole number '
                         f'is expected: write the {what} again with {writer}')
    if found > version:
        versions = content.get('versions')
        release = versions.get('mmwindow', 'unknown') if isinstance(versions, dict) else 'unknown'
        raise ValueError(
            f'{name}: written in format version {found} by mmwindow {shorten(str(release))}; this '
            f'one reads up to version {version}: update mmwindow, or write the {what} again')
    return content


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'an object has the key {quote(twice)} twice; keep one')
    return content


def _parse_integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f'the number {digits[:20]}... has {len(digits)} digits; at most '
                         f'{MAX_DIGITS} are expected')
    return int(digits)


def _reject_constant(name: str) -> None:
    raise ValueError(f'it holds {name}; finite numbers or null are expected')
