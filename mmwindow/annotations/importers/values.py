"""Numbers, names and XML of annotation files: read with errors that name the record."""
import os
import posixpath
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmwindow.annotations.checks import is_finite, is_text
from mmwindow.utils.files import check_ordinary_file, is_mac_companion
from mmwindow.utils.messages import quote, shorten

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_COORDINATE = 1e7
MAX_MASK_PIXELS = 2 ** 28
LARGEST = 2 ** 29  # bytes of a file; COCO's own of 118,000 images has 448 MB
NUMBER = re.compile(r'[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?')
OTHER_SUFFIXES = ('.json', '.xml', '.txt', '.csv', '.tsv', '.yaml', '.yml', '.names', '.md', '.png',
                  '.jpg', '.jpeg', '.tif', '.tiff', '.bmp', '.webp', '.pgm', '.gif', '.zip', '.pdf',
                  '.py')


def as_number(value: object, where: str, what: str) -> float:
    """Return a value of JSON, XML or CSV as a finite number.

    Args:
        value: A number, or text that is one.
        where: Names the record in messages.
        what: Names the entry in messages.

    Raises:
        ValueError: It is none, not finite, or beyond any image.
    """
    number = value
    if isinstance(value, str):  # float() also takes 1_000 and digits of other scripts
        number = float(value) if NUMBER.fullmatch(value.strip()) else None
    if not is_finite(number) or abs(number) > MAX_COORDINATE:
        raise ValueError(f'{where}: {what} is {quote(value)}; a finite number is expected')
    return float(number)


def as_length(value: object, where: str, what: str) -> float:
    """Return a width, height or radius of a finding as a number that is not negative.

    Raises:
        ValueError: It is none.
    """
    number = as_number(value, where, what)
    if number < 0:
        raise ValueError(f'{where}: {what} is negative, {quote(value)}')
    return number


def as_side(value: object, where: str, what: str) -> int:
    """Return a height or width as a positive whole number.

    Raises:
        ValueError: It is none.
    """
    number = as_number(value, where, what)
    if number < 1 or not number.is_integer():
        raise ValueError(f'{where}: {what} is {quote(value)}; a positive whole number of pixels is '
                         'expected')
    return int(number)


def as_name(value: object, where: str, what: str) -> str:
    """Return a class or file name without blanks around it.

    Raises:
        ValueError: It is no text, or empty.
    """
    name = value.strip() if isinstance(value, str) else value
    if not is_text(name):
        raise ValueError(f'{where}: {what} is {quote(value)}; a name is expected')
    return name


def as_object(value: object, where: str, what: str) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(value, dict):
        raise ValueError(f'{where}: {what} is {quote(value)}; an object is expected')
    return value


def as_list(value: object, where: str, what: str) -> list[Any]:
    """Return a JSON list.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(value, list):
        raise ValueError(f'{where}: {what} is {quote(value)}; a list is expected')
    return value


def as_points(value: object, where: str, what: str) -> list[tuple[float, float]]:
    """Return a list of pairs ``[x, y]``.

    Raises:
        ValueError: It is none.
    """
    points = []
    for number, pair in enumerate(as_list(value, where, what)):
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ValueError(f'{where}: {what}[{number}] is {quote(pair)}; [x, y] is expected')
        points.append((as_number(pair[0], where, f'{what}[{number}] x'),
                       as_number(pair[1], where, f'{what}[{number}] y')))
    return points


def expand_runs(runs: list[Any], size: tuple[int, int], where: str, what: str
                ) -> NDArray[np.bool_]:
    """Return the pixels of a mask from the lengths of its runs, zeros first.

    Args:
        runs: In turn of pixels outside and inside.
        size: Height and width of the mask.
        where: Names the record in messages.
        what: Names the entry in messages.

    Returns:
        ``(height * width,)``, in the order of the runs.

    Raises:
        ValueError: The mask is too large, a run is no length, or they do not fill it.
    """
    height, width = size
    if height * width > MAX_MASK_PIXELS:
        raise ValueError(f'{where}: a mask of {height} x {width} pixels is too large')
    lengths = [as_number(run, where, what) for run in runs]
    if any(length < 0 or length != int(length) for length in lengths) or (
            sum(lengths) != height * width):
        raise ValueError(f'{where}: the runs of its mask are {sum(lengths):g} pixels, not {height} x '
                         f'{width}')
    return np.repeat(np.arange(len(lengths)) % 2 == 1, np.array(lengths, dtype=np.int64))


def composed_name(name: str) -> str:
    """Return a file name with each accent in its letter (NFC).

    A Mac writes accents as characters of their own (NFD): both are one name to people.
    """
    return unicodedata.normalize('NFC', name)


def portable_name(name: str) -> str:
    r"""Return a file name as :func:`composed_name`, without drive, leading slash and detours.

    >>> portable_name(r'..\images\a b.png'), portable_name('C:\\x\\y.png'), portable_name('./z.png')
    ('images/a b.png', 'x/y.png', 'z.png')
    """
    parts = composed_name(name).replace('\\', '/').split('/')
    if parts[0].endswith(':'):
        parts = parts[1:]
    clean = posixpath.normpath('/' + '/'.join(part for part in parts if part != '..'))
    return clean.lstrip('/')


def upload_name(name: str) -> str:
    """Return what becomes of a file's name when it is uploaded to a tool made with Django.

    Blanks become underscores; what is no letter, digit, hyphen, underscore or dot is left out.

    >>> upload_name('My image (1).png')
    'My_image_1.png'
    """
    return re.sub(r'[^-\w.]', '', composed_name(name).strip().replace(' ', '_'))


def read_bytes(path: Path, what: str) -> bytes:
    """Return the content of an ordinary file.

    Raises:
        ValueError: It cannot be read, is a pipe or a device, or is larger than :data:`LARGEST`.
    """
    name = shorten(str(path))
    try:
        check_ordinary_file(path, what)
        size = path.stat().st_size
        if size > LARGEST:
            raise ValueError(
                f'{name}: the {what} has {size / 1e6:.0f} MB; at most {LARGEST / 1e6:.0f} MB are '
                'read, since reading takes several times as much memory: divide it')
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f'{name}: the {what} cannot be read ({error.strerror or error})') from error


def read_text(path: Path, what: str) -> str:
    """Return the content of a text file in UTF-8, with or without a byte order mark.

    Raises:
        ValueError: It cannot be read or has another encoding.
    """
    content = read_bytes(path, what)
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(f'{shorten(str(path))}: the {what} is not in UTF-8 (byte {error.start}); '
                         'save it as UTF-8') from error
    if '\0' in text:
        raise ValueError(f'{shorten(str(path))}: the {what} holds a NUL character, so it is no text '
                         'file in UTF-8')
    return text


def parse_xml(path: Path, what: str) -> 'Element':
    """Return the root of an XML file, without ever expanding an entity or reading another file.

    Raises:
        ValueError: It cannot be read, is no XML, or defines entities.
    """
    try:
        from defusedxml import DefusedXmlException
        from defusedxml.ElementTree import ParseError, fromstring
    except ImportError as error:
        raise ValueError(f'{shorten(str(path))}: reading XML needs the package defusedxml: pip '
                         'install defusedxml') from error
    name = shorten(str(path))
    try:
        root: Element = fromstring(read_bytes(path, what))
    except DefusedXmlException as error:
        raise ValueError(f'{name}: the {what} defines entities, which are never read '
                         f'({type(error).__name__}); write it without a DOCTYPE') from error
    except (ParseError, LookupError, UnicodeError, RecursionError, ValueError) as error:
        if isinstance(error, ValueError) and str(error).startswith(name):
            raise
        raise ValueError(f'{name}: the {what} is no XML, or cut short '
                         f'({shorten(str(error), 100)}); write it again') from error
    return root


def child_text(element: 'Element', tag: str, where: str) -> str:
    """Return the text of a child.

    Raises:
        ValueError: There is none.
    """
    text = element.findtext(tag)
    if text is None or not text.strip():
        raise ValueError(f'{where} has no <{tag}>')
    return text.strip()


def find_files(folder: Path, suffixes: tuple[str, ...] | None = None) -> Iterator[Path]:
    """Yield the ordinary files of a folder and its subfolders by name.

    Links out of it are left aside, and what a Mac writes next to files (``._a.png``).

    Args:
        folder: Where.
        suffixes: In lower case, with their dots; None: any.
    """
    yield from (folder / name for name in find_names(folder, suffixes))


def find_names(folder: Path, suffixes: tuple[str, ...] | None = None) -> list[str]:
    """Return where the files of :func:`find_files` lie in the folder, with the system's slashes."""
    root = os.path.realpath(folder)
    found: list[tuple[str, ...]] = []
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        parts = waiting.pop()
        try:
            with os.scandir(os.path.join(folder, *parts)) as listed:
                entries = list(listed)
        except OSError:  # nobody may look into it, or it is gone
            continue
        for entry in entries:
            if is_mac_companion(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append((*parts, entry.name))
            elif ((suffixes is None or os.path.splitext(entry.name)[1].lower() in suffixes)
                  and _is_file_of(entry, root)):
                found.append((*parts, entry.name))
    return [os.path.join(*parts) for parts in sorted(found)]


def _is_file_of(entry: 'os.DirEntry[str]', root: str) -> bool:
    """Tell whether an entry is an ordinary file, and if it is a link one of a file below root."""
    try:
        return entry.is_file() and (not entry.is_symlink()
                                    or Path(os.path.realpath(entry)).is_relative_to(root))
    except OSError:  # links that lead to each other
        return False


def is_other_kind(path: Path) -> bool:
    """Tell whether a file's ending says that it is no DICOM; theirs have any ending, or none."""
    return path.suffix.lower() in OTHER_SUFFIXES
