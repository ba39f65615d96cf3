"""Looking at image files before a training: each is read as the training will read it."""
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Protocol

from mmwindow.images.decode import ImageSettings, decode_image, read_bytes, read_header
from mmwindow.images.fitted_reader import FittedReader
from mmwindow.images.formats.header import ImageHeader
from mmwindow.utils.messages import count_words

SHOWN_PROBLEMS = 10  # a message names this many images, then counts
MAX_THREADS = 4  # decoders leave Python's lock; each holds one image in memory


class ImageRecord(Protocol):
    """What is looked at: see :class:`mmwindow.annotations.point_file.ImageRecord`."""

    @property
    def file_name(self) -> str:
        """Relative to the folder of images."""

    @property
    def height(self) -> int:
        """Pixels."""

    @property
    def width(self) -> int:
        """Pixels."""


class FileCheck(NamedTuple):
    """What was seen in the image files of a data set.

    Attributes:
        problems: File name -> problem in words, with its fix; only of images with one.
        turned: File name -> orientation tag, only of usable images with another than 1.
    """

    problems: dict[str, str]
    turned: dict[str, int]


def describe_image_problem(path: str | Path, height: int, width: int,
                           settings: ImageSettings | None = None) -> str | None:
    """Return what is wrong with an image file and its fix, or None.

    The file is decoded by :func:`~mmwindow.images.decode.read_image`: None means that a training
    reads it, and a problem that it would raise. What that costs: docs/images.md.

    Args:
        path: The file.
        height: Announced height.
        width: Announced width.
        settings: As for :func:`~mmwindow.images.decode.read_image`.
    """
    return _inspect(Path(path), height, width, settings or ImageSettings())[0]


def _inspect(path: Path, height: int, width: int, settings: ImageSettings,
             reader: FittedReader | None = None) -> tuple[str | None, int]:
    """Return the problem of an image file, if any, and its orientation tag.

    What the cache has was decoded from this content; what it lacks and should have, it is given.
    """
    name, tag = str(path), 1
    try:
        if not path.exists():
            return 'there is no such file; check data_prefix.img, or copy the image there', 1
    except OSError as error:  # a name that no file can have
        return f'it cannot be looked for ({error.strerror}); check its name', 1
    place = reader.locate(path) if reader else None
    head = reader.find_head(place) if reader and place else None
    if head and head.source_shape == (height, width):
        return None, head.orientation
    try:
        content = read_bytes(path, settings, name)
        header = read_header(content, settings, name)
        tag = header.orientation
        if (header.height, header.width) != (height, width):
            return _describe_size(header, height, width), tag
        image = decode_image(content, header, settings, name)
        if reader:
            reader.keep(content, header, image, path, place)
    except ValueError as error:
        return str(error).removeprefix(f'{name}: '), tag
    return None, tag


def _describe_size(header: ImageHeader, height: int, width: int) -> str:
    text = (f'is {header.width} x {header.height} (width x height), the point file says '
            f'{width} x {height}; ')
    if (header.width, header.height) == (height, width) and header.orientation >= 5:
        return (f'{text}its orientation tag ({header.orientation}) turns it by a quarter for '
                'display, but points and sizes are those of the stored pixels: turn the points back, '
                'or save the image turned and without the tag')
    return text + 'scale its points or fix its size'


def check_image_files(records: Iterable[ImageRecord], folder: str | Path,
                      settings: ImageSettings | None = None, reader: FittedReader | None = None
                      ) -> FileCheck:
    """Read each image file: is it there, complete, of the announced size and a known depth?

    Several are read at a time. Images that the cache has are not decoded again, and those that it is
    to have are put there.

    Args:
        records: What to look for.
        folder: Where.
        settings: As for :func:`~mmwindow.images.decode.read_image`.
        reader: How the training reads them, with its cache; its settings stand for ``settings``.
    """
    settings = reader.settings if reader else settings or ImageSettings()
    check = FileCheck({}, {})
    records = list(records)

    def inspect(record: ImageRecord) -> tuple[str | None, int]:
        return _inspect(Path(folder) / record.file_name, record.height, record.width, settings,
                        reader)

    with ThreadPoolExecutor(max(1, min(MAX_THREADS, os.cpu_count() or 1))) as pool:
        for record, (problem, tag) in zip(records, pool.map(inspect, records), strict=True):
            if problem:
                check.problems[record.file_name] = problem
            elif tag != 1:
                check.turned[record.file_name] = tag
    return check


def describe_problems(problems: dict[str, str]) -> str:
    """Return problems of :func:`check_image_files` as lines, the first few in full."""
    lines = [f'  {name}: {problem}' for name, problem in list(problems.items())[:SHOWN_PROBLEMS]]
    if len(problems) > SHOWN_PROBLEMS:
        lines.append(f'  and {len(problems) - SHOWN_PROBLEMS} more')
    return '\n'.join(lines)


def describe_turned(turned: dict[str, int]) -> str:
    """Return one sentence that names the images with an orientation tag."""
    more = ', ..' if len(turned) > SHOWN_PROBLEMS else ''
    names = ', '.join(list(turned)[:SHOWN_PROBLEMS]) + more
    return (f'{count_words(len(turned), "image has", "images have")} an orientation tag, which is '
            f'not applied: points must be in '
            f'the stored rows and columns ({names})')
