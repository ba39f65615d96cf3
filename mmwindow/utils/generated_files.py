"""Files that a tool of this repository writes from others, and the check that they are as written."""
import argparse
from collections.abc import Mapping
from pathlib import Path

from mmwindow.utils.files import write_text


def run_generator(files: Mapping[Path, str], root: Path, source: str, tool: str,
                  description: str | None = None) -> None:
    """Write generated files, or with ``--check`` on the command line only compare them.

    Args:
        files: Path -> what it holds.
        root: Of the repository; messages name paths from there.
        source: What the files are made from, for the message.
        tool: The command that writes them, for the message.
        description: Of the tool, for its ``--help``.

    Raises:
        SystemExit: With ``--check``, a file holds something else; the message names the first one.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('--check', action='store_true', help='change nothing, only compare')
    args = parser.parse_args()
    for path, text in files.items():
        if path.is_file() and path.read_text(encoding='utf-8') == text:
            continue
        if args.check:
            raise SystemExit(f'{path.relative_to(root)}: it differs from {source}; run python {tool}')
        write_text(path, text)
