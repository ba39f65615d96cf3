"""Whether results can be written, known before the work. Standard library."""
import os
import secrets
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from mmwindow.utils.files import PART
from mmwindow.utils.messages import shorten


def check_output_folder(folder: str | Path, option: str) -> None:
    """Check that files can be written into a folder, or that it can be made; nothing stays.

    Args:
        folder: Where results will go.
        option: What names it, such as ``'--out'``, for the message.

    Raises:
        ValueError: It is a file, or in one; or it cannot be made or written.
    """
    folder = Path(folder)
    name = f'{option} {shorten(str(folder))}'
    if '\0' in str(folder):
        raise ValueError(f'{option} {shorten(repr(str(folder)))}: its name holds a NUL character')
    try:
        there = folder.absolute()
        while not os.path.lexists(there):
            there = there.parent
        probe = there / f'.{secrets.token_hex(6)}{PART}'
        try:
            probe.write_bytes(b'mmwindow')
        finally:
            probe.unlink(missing_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(f'{name}: {shorten(str(there))} is a file; a folder is expected') from error
    except OSError as error:
        raise ValueError(f'{name}: it cannot be written ({error.strerror or error}); choose another '
                         'place') from error


def warn_about_space(folder: str | Path, option: str, num_bytes: int) -> None:
    """Say in a line where a folder's disk has less space than will be needed.

    Args:
        folder: Is there already.
        option: As in :func:`check_output_folder`.
        num_bytes: Will be needed.
    """
    free = shutil.disk_usage(folder).free
    if free < num_bytes:
        print(f'warning: {option} {shorten(str(folder))}: {free >> 20} MB are free there, about '
              f'{num_bytes >> 20} MB will be needed', file=sys.stderr, flush=True)


def check_output_file(path: str | Path, option: str) -> None:
    """Check that a file can be written; an old one stays as it is.

    Args:
        path: The file that will be written.
        option: As in :func:`check_output_folder`.

    Raises:
        ValueError: It is a folder or a device, or its folder cannot be written.
    """
    path = Path(path)
    if os.path.lexists(path) and not path.is_file() and path.exists():
        raise ValueError(f'{option} {shorten(str(path))}: this is no ordinary file (a folder, '
                         'a pipe or a device); name a file')
    check_output_folder(path.parent, option)


def check_not_source(target: str | Path, sources: Iterable[str | Path | None], option: str) -> None:
    """Reject an output that is a source, also by another name of it.

    Args:
        target: The file that will be written.
        sources: What is read; None where there is none.
        option: As in :func:`check_output_folder`.

    Raises:
        ValueError: It is one of them.
    """
    for source in sources:
        if source is not None and os.path.exists(target) and os.path.exists(source) and (
                os.path.samefile(target, source)):
            raise ValueError(f'{option} {shorten(str(target))}: this is a file that is read, and is '
                             'never overwritten; choose another name')
