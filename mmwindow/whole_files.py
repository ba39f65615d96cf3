"""Files that are whole under their own name: written beside it, then renamed. Standard library."""
import contextlib
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
