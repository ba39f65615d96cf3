"""Reading and writing files: JSON with named errors, and files that are complete or not there."""
import contextlib
import json
import math
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PART = '.part'  # suffix of a file that is being written


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
    part = path.with_name(f'.{path.name[:100]}.{secrets.token_hex(6)}{PART}')
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically (:func:`atomic_file`)."""
    with atomic_file(path) as part:
        part.write_text(text, encoding='utf-8')


def write_json(path: str | Path, content: object, indent: int | None = 1) -> None:
    """Write a JSON file atomically (:func:`atomic_file`)."""
    write_text(path, json.dumps(content, indent=indent) + '\n')


def load_json(path: str | Path, what: str = 'file') -> Any:
    """Return the content of a JSON file.

    Args:
        path: The file.
        what: What the file should be, for messages: 'point file', 'folds file'.

    Raises:
        ValueError: It is missing, no regular file, no JSON, incomplete, nested too deep, or an
            object in it has one key twice; the message names it.
    """
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading from a pipe would wait forever
            raise ValueError(f'{path}: this is no regular file; a {what} (JSON) is expected')
        return json.loads(path.read_text(encoding='utf-8-sig'), object_pairs_hook=_unique_keys)
    except OSError as error:
        raise ValueError(f'{path}: the {what} cannot be read ({error.strerror or error})') from error
    except RecursionError as error:
        raise ValueError(f'{path}: the JSON is nested too deep for a {what}') from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError alike
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f'{path}: no JSON, or incomplete ({error}); write the {what} again'
                         ) from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; reject one that says a thing twice."""
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f'the key {twice[:100]!r} occurs twice in one object')
    return content


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
