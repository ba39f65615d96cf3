"""Writing a text file so that under its own name it is whole; the standard library only."""
import os
from pathlib import Path


def write_text(path, text):
    """Write beside, then rename: a file under its own name is whole."""
    part = Path(path).with_name(Path(path).name + '.part')
    part.write_text(text, encoding='utf-8')
    os.replace(part, path)
