"""Reading and writing files: JSON with named errors, and files that are complete or not there."""
import contextlib
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from mmwindow.utils.messages import quote, shorten

PART = '.part'  # suffix of a file that is being written
MAX_DIGITS = 308  # a float holds integers of at most so many


@contextlib.contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path next to ``path`` and rename it to ``path`` on success.

    The folder is made where it is not there. After an error an old file is as it was and the
    temporary one is gone. The temporary name is unique, so that two processes may write one file:
    the later one wins, and each reader sees a complete file.

    Args:
        path: The file.

    Yields:
        Where to write.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{cut_name(path.name, 100)}.{os.urandom(6).hex()}{PART}')
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        if error.errno and error.filename in (None, str(part)):  # as of a full disk: name the file
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def cut_name(name: str, max_bytes: int, keep_end: bool = False) -> str:
    """Return as much of a file's name as takes so many bytes on the disk; no character is split.

    File systems count bytes, of which a character may take four.

    Args:
        name: The name, or a part of it.
        max_bytes: At most so many are kept.
        keep_end: Cut the beginning away instead of the end.

    >>> cut_name('Röntgen', 4), cut_name('Röntgen', 6, keep_end=True)
    ('Rön', 'ntgen')
    """
    name = name[-max_bytes:] if keep_end else name[:max_bytes]
    while len(os.fsencode(name)) > max_bytes:
        name = name[1:] if keep_end else name[:-1]
    return name


def name_special_file(mode: int) -> str | None:
    """Return what a file is that is no ordinary one, in words; None of an ordinary one.

    Args:
        mode: Of ``os.stat``.
    """
    if stat.S_ISREG(mode):
        return None
    return 'a folder' if stat.S_ISDIR(mode) else 'a pipe or a device'


def is_mac_companion(name: str) -> bool:
    """Tell whether a file is what a Mac writes next to another one on a foreign disk.

    It has the ending of the other file and nothing of its content.

    >>> is_mac_companion('._a.png'), is_mac_companion('_a.png')
    (True, False)
    """
    return name.startswith('._')


def check_ordinary_file(path: str | Path, what: str) -> None:
    """Reject a pipe, a device or a socket, from which reading may never end; a folder, too.

    What is not there is left to who opens it.

    Args:
        path: The file.
        what: What it should be, for the message.

    Raises:
        ValueError: It is there and no ordinary file.
    """
    try:
        kind = name_special_file(os.stat(path).st_mode)
    except (OSError, ValueError):
        return
    if kind:
        raise ValueError(f'{shorten(str(path))}: the {what} cannot be read (it is {kind}); give the '
                         'path of an ordinary file')


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically (:func:`atomic_file`)."""
    with atomic_file(path) as part:
        part.write_text(text, encoding='utf-8')


def write_json(path: str | Path, content: object, indent: int | None = 1) -> None:
    """Write a JSON file atomically (:func:`atomic_file`)."""
    write_text(path, json.dumps(content, indent=indent) + '\n')


def load_json(path: str | Path, what: str = 'file', *, allow_nan: bool = True) -> Any:
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
        check_ordinary_file(path, what)
        data = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f'{name}: the {what} cannot be read ({error.strerror or error}); check the '
                         'path') from error
    except ValueError as error:
        if '\0' not in str(path):
            raise
        raise ValueError(f'{name!r}: the {what} cannot be read (its path holds a NUL '
                         'character)') from error
    return parse_json(data, name, what, allow_nan)


def parse_json(data: bytes, name: str, what: str, allow_nan: bool = True) -> Any:
    """Return the content of JSON text; a part of :func:`load_json`, for text inside other files.

    Args:
        data: UTF-8, with or without a byte order mark.
        name: Of the file, for the messages.
        what: What the text should be.
        allow_nan: As in :func:`load_json`.

    Raises:
        ValueError: As in :func:`load_json`.
    """
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
    content = load_json(path, what, allow_nan=False)
    return check_head(content, shorten(str(path)), what, file_format, version, writer)


def check_head(content: Any, name: str, what: str, file_format: str, version: int, writer: str
               ) -> dict[str, Any]:
    """Return content of a format and version that can be read; a part of :func:`load_own_json`.

    Args:
        content: Of the file.
        name: Of the file, for the messages.
        what: As in :func:`load_own_json`, and so all others.

    Raises:
        ValueError: Another format, or a newer version.
    """
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
            f'{name}: written in format {found} by mmwindow {shorten(str(release))}; this one reads '
            f'up to format {version}: update mmwindow, or write the {what} again')
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


def read_json(path: str | Path, what: str = 'file') -> Any:
    """Return the content of a JSON file, or None where there is no such file.

    Raises:
        ValueError: As :func:`load_json`.
    """
    return load_json(path, what) if Path(path).exists() else None


def replace_nan(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Return metrics with None where there is no number: JSON knows no NaN.

    >>> replace_nan({'auroc': float('nan'), 'froc_score': 0.5})
    {'auroc': None, 'froc_score': 0.5}
    """
    return {name: None if math.isnan(value) else float(value) for name, value in metrics.items()}


def is_same_name(first: str | PurePath, second: str | PurePath) -> bool:
    """Return whether two names can be of one file: the longer ends in all of the shorter one.

    >>> is_same_name('a/1.png', '/data/a/1.png'), is_same_name('1.png', 'a/1.png')
    (True, True)
    >>> is_same_name('test/1.png', 'train/1.png')
    False
    """
    shorter, longer = sorted((PurePath(first).parts, PurePath(second).parts), key=len)
    return bool(shorter) and longer[len(longer) - len(shorter):] == shorter
