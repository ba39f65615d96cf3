"""Files that are whole under their own name: written beside it, then renamed. Standard library."""
import contextlib
import json
import math
import os
from pathlib import Path


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
